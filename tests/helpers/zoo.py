"""Small models of every kind, and batches for them."""

from typing import Any

import numpy as np

from fastrnn.data import EOS, pack_dialogues
from fastrnn.models import (
    HRED,
    VHRED,
    LanguageModel,
    Model,
    Seq2Seq,
    SequenceClassifier,
    SequenceRegressor,
    SequenceTagger,
    SequenceVAE,
)

T, N, V, C, I = 6, 4, 7, 3, 5
LENGTHS = np.array([6, 0, 3, 1])

# Name: class, positional arguments, options. These take one sequence a row,
SINGLE: dict[str, tuple[type[Model], tuple[Any, ...], dict[str, Any]]] = {
    "classifier-last": (SequenceClassifier, ("lstm", C, 4), {"input_size": I}),
    "classifier-mean-bi": (
        SequenceClassifier,
        ("gru", C, [5, 3]),
        {"input_size": I, "bidirectional": True, "pooling": "mean", "reset_after": False},
    ),
    "classifier-max-symbols": (
        SequenceClassifier,
        ("rnn", C, 4),
        {"vocab": V, "embedding_size": 3, "pooling": "max", "num_layers": 2},
    ),
    "classifier-last-sum": (
        SequenceClassifier,
        ("lstm", C, 4),
        {"vocab": V, "bidirectional": True, "merge_mode": "sum"},
    ),
    "tagger": (SequenceTagger, ("gru", C, 4), {"input_size": I}),
    "tagger-bi-mul": (
        SequenceTagger,
        ("lstm", C, 4),
        {"vocab": V, "bidirectional": True, "merge_mode": "mul", "num_layers": 2},
    ),
    "tagger-batch-first": (SequenceTagger, ("gru", C, 4), {"input_size": I, "batch_first": True}),
    "classifier-scaled": (
        SequenceClassifier,
        ("gru", ["a", "b", "c"], 4),
        {
            "input_size": I,
            "batch_first": True,
            "class_weight": [1.0, 2.0, 0.5],
            "input_center": [0.1, 0.2, 0.0, -0.1, 0.3],
            "input_scale": 1.5,
        },
    ),
    "regressor": (SequenceRegressor, ("lstm", 2, 4), {"input_size": I, "target_scale": 2.0}),
    "regressor-steps": (
        SequenceRegressor,
        ("gru", 2, 4),
        {"vocab": V, "each_step": True, "target_center": [0.5, -1.0], "bidirectional": True},
    ),
    "lm-lstm": (LanguageModel, ("lstm", V, 5), {"embedding_size": 3}),
    "lm-gru-tied": (LanguageModel, ("gru", V, 4), {"tied": True, "num_layers": 2}),
    "lm-rnn": (LanguageModel, ("rnn", V, [5, 4]), {"nonlinearity": "relu"}),
}
# and these a pair.
PAIRS: dict[str, tuple[type[Model], tuple[Any, ...], dict[str, Any]]] = {
    "s2s-lstm": (Seq2Seq, ("lstm", V, V + 1, 4), {"embedding_size": 3}),
    "s2s-peek": (
        Seq2Seq,
        ("gru", V, V, 4),
        {"bidirectional_encoder": False, "num_layers": 2, "peek": True, "reverse_source": True},
    ),
    "s2s-rnn-tied": (Seq2Seq, ("rnn", V, V, 4), {"tied": True, "bidirectional_encoder": False}),
    "s2s-additive": (Seq2Seq, ("gru", V, V + 1, 4), {"attention": "additive"}),
    "s2s-sizes": (
        Seq2Seq,
        ("lstm", V, V + 1, 4),
        {"decoder_size": 5, "decoder_layers": 2, "embedding_size": 3, "attention": "general"},
    ),
    "s2s-flat": (
        Seq2Seq,
        ("gru", V, V, 4),
        {
            "decoder_size": 3,
            "num_layers": 2,
            "decoder_layers": 1,
            "bidirectional_encoder": False,
            "peek": True,
        },
    ),
    "s2s-rnn-additive": (
        Seq2Seq,
        ("rnn", V, V, 7),
        {"attention": "additive", "num_layers": 2, "peek": True},
    ),
    "s2s-rnn-dot": (
        Seq2Seq,
        ("rnn", V, V, 7),
        {"attention": "dot", "query": "current", "bidirectional_encoder": False},
    ),
    "s2s-dot": (
        Seq2Seq,
        ("lstm", V, V, 4),
        {"attention": "dot", "query": "current", "num_layers": 2, "tied": True},
    ),
    "s2s-general": (
        Seq2Seq,
        ("gru", V, V, 4),
        {"attention": "general", "query": "current", "input_feed": False, "peek": True},
    ),
}
ZOO = SINGLE | PAIRS
# These generate sentences: dialogue models,
W = 10
DIALOGUE_MODELS: dict[str, tuple[type[Model], tuple[Any, ...], dict[str, Any]]] = {
    "hred-gru": (HRED, ("gru", W, 4), {"context_size": 3}),
    "hred-lstm-init": (
        HRED,
        ("lstm", W, 4),
        {"context_size": 3, "decoder_input": "init", "bidirectional_utterance": False},
    ),
    "hred-rnn-gated": (
        HRED,
        ("rnn", W, 4),
        {"context_size": 3, "decoder_input": "gated", "embedding_size": 3},
    ),
    "hred-gru-attention": (
        HRED,
        ("gru", W, 4),
        {"context_size": 3, "attention": True, "decoder_size": 5},
    ),
    "hred-lstm-attention": (
        HRED,
        ("lstm", W, 4),
        {"context_size": 3, "attention": True, "decoder_input": "init", "speakers": 2},
    ),
    "vhred-gru-bag": (VHRED, ("gru", W, 4, 2), {"bag_of_words": 0.5}),
    "vhred-lstm-init": (
        VHRED,
        ("lstm", W, 4, 2),
        {"decoder_input": "init", "bidirectional_utterance": False},
    ),
    "vhred-rnn-gated": (VHRED, ("rnn", W, 4, 2), {"decoder_input": "gated", "free_bits": 0.01}),
    "vhred-gru-attention": (
        VHRED,
        ("gru", W, 4, 2),
        {"attention": True, "context_size": 3, "speakers": 3},
    ),
}
# with an empty turn in the middle, a dialogue of one turn, and one of none;
DIALOGUES = [[2, 3, 1], [3], [1, 0, 2, 4], []]
# and the autoencoder of sentences.
SENTENCES: dict[str, tuple[type[Model], tuple[Any, ...], dict[str, Any]]] = {
    "svae-gru": (SequenceVAE, ("gru", 9, 4, 3), {}),
    "svae-lstm-init-bi": (
        SequenceVAE,
        ("lstm", 9, 4, 3),
        {"decoder_input": "init", "bidirectional": True},
    ),
    "svae-rnn-gated": (
        SequenceVAE,
        ("rnn", 9, 4, 3),
        {"decoder_input": "gated", "embedding_size": 3},
    ),
    "svae-lstm-gated": (
        SequenceVAE,
        ("lstm", 9, 4, 3),
        {"decoder_input": "gated", "free_bits": 0.02},
    ),
}
DECODING = DIALOGUE_MODELS | SENTENCES
EVERY = ZOO | DECODING


def make(name: str, **more: Any) -> Any:
    cls, args, options = EVERY[name]
    args = (more.pop("cell", args[0]), *args[1:])
    options = {"dtype": np.float64, "rng": np.random.default_rng(8)} | options
    return cls(*args, **(options | more))


def batch_for(model: Any, rng: Any, steps: int = T, rows: int = N, lengths: Any = None) -> Any:
    """Inputs and targets as the model takes them, ragged if there are lengths.

    The targets of pairs have EOS at their ends, and lengths of their own.
    """
    if isinstance(model, Seq2Seq):
        x = rng.integers(0, V, (steps, rows))
        targets = rng.integers(4, V, (steps + 1, rows))
        targets[-1] = EOS
        if lengths is None:
            return x, targets
        targets[lengths[::-1], np.arange(rows)] = EOS
        return x, targets, lengths, lengths[::-1] + 1
    if "embedding" in model.params:
        x = rng.integers(0, V, (steps, rows))
    else:
        x = rng.standard_normal((steps, rows, I)).astype(model.dtype)
    labels = V if isinstance(model, LanguageModel) else C
    config = model.config
    whole = isinstance(model, SequenceClassifier) or config.get("each_step") is False
    shape = (rows,) if whole else (steps, rows)
    targets = rng.integers(0, labels, shape)
    if isinstance(model, SequenceRegressor):
        targets = rng.standard_normal((*shape, config["outputs"]))
    if config.get("batch_first"):
        x = x.swapaxes(0, 1)
        targets = targets if whole else targets.swapaxes(0, 1)
    return (x, targets) if lengths is None else (x, targets, lengths)


def dialogues(rng: Any, shape: Any = DIALOGUES) -> list[list[np.ndarray]]:
    return [[rng.integers(4, W, length) for length in talk] for talk in shape]


def sentences(rng: Any, lengths: Any = (4, 0, 5, 1)) -> tuple[np.ndarray, np.ndarray]:
    return rng.integers(4, 9, (max(lengths), len(lengths))), np.asarray(lengths)


def token_batch(model: Any, rng: Any, shape: Any = None) -> tuple[Any, ...]:
    """What a model that says sentences takes, and a weight of the divergence if it has a code."""
    if isinstance(model, SequenceVAE):
        return *sentences(rng, *([] if shape is None else [shape])), 0.7
    batch = pack_dialogues(dialogues(rng, *([] if shape is None else [shape])))
    return batch if isinstance(model, HRED) else (*batch, 0.7)


def flat(params: Any) -> dict[str, np.ndarray]:
    """The arrays of a nested dict by dotted names."""
    found: dict[str, np.ndarray] = {}
    for name, entry in params.items():
        if isinstance(entry, dict):
            found |= {f"{name}.{inner}": array for inner, array in flat(entry).items()}
        else:
            found[name] = entry
    return found
