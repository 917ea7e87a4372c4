"""Small models of every kind, and batches for them."""

from typing import Any

import numpy as np

from fastrnn.models import LanguageModel, Model, SequenceClassifier, SequenceTagger

T, N, V, C, I = 6, 4, 7, 3, 5
LENGTHS = np.array([6, 0, 3, 1])

# Name: class, positional arguments, options.
ZOO: dict[str, tuple[type[Model], tuple[Any, ...], dict[str, Any]]] = {
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
    "lm-lstm": (LanguageModel, ("lstm", V, 5), {"embedding_size": 3}),
    "lm-gru-tied": (LanguageModel, ("gru", V, 4), {"tied": True, "num_layers": 2}),
    "lm-rnn": (LanguageModel, ("rnn", V, [5, 4]), {"nonlinearity": "relu"}),
}


def make(name: str, **more: Any) -> Any:
    cls, args, options = ZOO[name]
    options = {"dtype": np.float64, "rng": np.random.default_rng(8)} | options
    return cls(*args, **(options | more))


def batch_for(model: Any, rng: Any, steps: int = T, rows: int = N, lengths: Any = None) -> Any:
    """Inputs and targets as the model takes them, ragged if there are lengths."""
    if "embedding" in model.params:
        x = rng.integers(0, V, (steps, rows))
    else:
        x = rng.standard_normal((steps, rows, I)).astype(model.dtype)
    labels = V if isinstance(model, LanguageModel) else C
    shape = (rows,) if isinstance(model, SequenceClassifier) else (steps, rows)
    targets = rng.integers(0, labels, shape)
    return (x, targets) if lengths is None else (x, targets, lengths)


def flat(params: Any) -> dict[str, np.ndarray]:
    """The arrays of a nested dict by dotted names."""
    found: dict[str, np.ndarray] = {}
    for name, entry in params.items():
        if isinstance(entry, dict):
            found |= {f"{name}.{inner}": array for inner, array in flat(entry).items()}
        else:
            found[name] = entry
    return found
