"""The models once more, from the twins and autograd.numpy alone: what a model's loss should be.

Nothing of fastrnn.ops, of the layers or of the models' own code is used, so autograd through this
text is a judge of all of them.
"""

from typing import Any

import autograd.numpy as anp
import numpy as np

from fastrnn import reference
from fastrnn.models import Seq2Seq, SequenceClassifier, SequenceRegressor
from helpers import twin_seq2seq

MERGES = {
    "concat": lambda f, b: anp.concatenate([f, b], axis=-1),
    "sum": lambda f, b: f + b,
    "mul": lambda f, b: f * b,
    "ave": lambda f, b: (f + b) / 2,
}


def run_layers(config: dict, weights: Any, x: Any, lengths: Any) -> tuple[Any, Any]:
    """Outputs of the top layer, and what each of its directions ended with (h)."""
    options = {k: config[k] for k in ("reset_after", "nonlinearity") if k in config}
    sizes = config["hidden_size"]
    layers = len(sizes) if isinstance(sizes, list) else config["num_layers"]
    bidirectional = config.get("bidirectional", False)
    for l in range(layers):
        outputs, finals = [], []
        for suffix in ("", "_reverse")[: 2 if bidirectional else 1]:
            names = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
            arrays = [weights[f"{name}_l{l}{suffix}"] for name in names]
            y, state = getattr(reference, config["cell"])(
                x, *arrays, lengths=lengths, reverse=bool(suffix), **options
            )
            outputs.append(y)
            finals.append(state[0] if config["cell"] == "lstm" else state)
        merge = MERGES[config.get("merge_mode", "concat")]
        x = merge(*outputs) if bidirectional else outputs[0]
    return x, merge(*finals) if bidirectional else finals[0]


def pooled(pooling: str, y: Any, last: Any, lengths: np.ndarray) -> Any:
    if pooling == "last":
        return last
    T = y.shape[0]
    rows = []
    for n, length in enumerate(lengths):
        if length == 0:
            rows.append(np.zeros(y.shape[2]))
        else:
            part = y[: min(length, T), n]
            rows.append(anp.mean(part, axis=0) if pooling == "mean" else anp.max(part, axis=0))
    return anp.stack(rows)


def cross_entropy(scores: Any, targets: np.ndarray, weights: Any = None) -> Any:
    """Mean over the rows of scores (M, V), each times the weight of its class."""
    peak = anp.max(scores, axis=1, keepdims=True)
    log_total = anp.log(anp.sum(anp.exp(scores - peak), axis=1)) + peak[:, 0]
    each = log_total - scores[np.arange(len(targets)), targets]
    return anp.mean(each if weights is None else each * np.array(weights)[targets])


def loss(model: Any, params: Any, batch: Any) -> Any:
    """The loss of any model, without dropout."""
    if isinstance(model, Seq2Seq):
        return twin_seq2seq.loss(model, params, batch)
    x, targets, *more = batch
    config = model.config
    whole = isinstance(model, SequenceClassifier) or config.get("each_step") is False
    if config.get("batch_first"):
        x = x.swapaxes(0, 1)
        targets = targets if whole else targets.swapaxes(0, 1)
    T, N = np.shape(x)[:2]
    lengths = np.asarray(more[0]) if more else np.full(N, T)
    exists = np.arange(T)[:, None] < lengths
    if config.get("input_scale") is not None:
        x = (x - np.array(config["input_center"])) / config["input_scale"]
    if "embedding" in params:
        x = params["embedding"]["weight"][np.where(exists, x, 0)]
    y, last = run_layers(config, params["rnn"], x, lengths)
    out = params["out"]
    weight = params["embedding"]["weight"] if config.get("tied") else out["weight"]
    targets = np.asarray(targets)
    if whole:
        features = pooled(config["pooling"], y, last, lengths)
    else:
        assert y.shape[:2] == exists.shape
        features = anp.reshape(y, (T * N, y.shape[2]))[np.flatnonzero(exists)]
        targets = targets[exists]
    said = features @ weight.T + out["bias"]
    if isinstance(model, SequenceRegressor):
        wanted = (targets - np.array(config["target_center"])) / np.array(config["target_scale"])
        return anp.mean((said - wanted) ** 2)
    return cross_entropy(said, targets, config.get("class_weight"))
