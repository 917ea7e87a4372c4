"""Seq2Seq once more, from the twins and autograd.numpy alone, one source after the other.

Each row is a batch of its own, so nothing here is ever padded or masked.
"""

from typing import Any

import autograd.numpy as anp
import numpy as np

from fastrnn import reference

BOS, EOS = 2, 3
NAMES = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")


def layer(cell: str, weights: Any, suffix: str, x: Any, first: Any, reverse: bool) -> Any:
    """One layer and direction: outputs (T, 1, H), final h and c (1, H)."""
    arrays = [weights[f"{name}_l{suffix}"] for name in NAMES]
    y, state = getattr(reference, cell)(x, *arrays, *first, reverse=reverse)
    return y, *(state if cell == "lstm" else (state,))


def encode(model: Any, params: Any, x: np.ndarray) -> Any:
    """Memory, the vector, and the first states of the decoder's layers."""
    config, cell = model.config, model.config["cell"]
    both = config["bidirectional_encoder"]
    y = params["embedding"]["weight"][x[:, None]]
    states = []
    for l in range(config["num_layers"]):
        runs = [
            layer(cell, params["rnn"], f"{l}{suffix}", y, (), bool(suffix))
            for suffix in ("", "_reverse")[: 1 + both]
        ]
        outputs = [run[0] for run in runs]
        y = anp.concatenate(outputs, axis=2)
        if both and config["attention"] == "dot":
            y = outputs[0] + outputs[1]
        states.append(
            [anp.concatenate([run[k] for run in runs], axis=1) for k in range(1, len(runs[0]))]
        )
    vector = states[-1][0]
    L, own = config["num_layers"], config["decoder_layers"] or config["num_layers"]
    states = [states[max(0, L - own + l)] for l in range(own)]  # top layers go together
    if both or config["decoder_size"] not in (None, config["hidden_size"]):
        bridge = params["bridge"]
        states = [
            [
                function(state @ bridge[f"weight_{name}_l{l}"].T + bridge[f"bias_{name}_l{l}"])
                for name, function, state in zip("hc", (anp.tanh, lambda a: a), parts, strict=False)
            ]
            for l, parts in enumerate(states)
        ]
    return y, vector, states


def features(model: Any, params: Any, fed: np.ndarray, encoded: Any) -> Any:
    """What the decoder's top layer puts out, (T, 1, H)."""
    memory, vector, states = encoded
    config, cell = model.config, model.config["cell"]
    y = params["embedding"]["weight"][fed[:, None]]
    if config["peek"]:
        y = anp.concatenate([y, anp.stack([vector] * len(fed))], axis=2)
    below = 0
    if config["attention"] is not None and cell == "rnn":
        y = attending_rnn(config, params["attention"], y, memory, states[0][0])
        below = 1
    elif config["attention"] is not None:
        y, *_ = reference.attention_decoder(
            y, memory, params["attention"], cell=cell, score=config["attention"],
            query=config["query"], input_feed=config["input_feed"], state=tuple(states[0]),
        )  # fmt: skip
        below = 1
    for l, first in enumerate(states[below:]):
        y, *_ = layer(cell, params["rnn"], str(l), y, first, False)
    return y


def attending_rnn(config: Any, p: Any, x: Any, memory: Any, h: Any) -> Any:
    """A simple RNN that attends, by its equations: x (T, 1, E), memory (S, 1, C), h (1, H)."""

    def attend(h: Any) -> Any:
        if not len(memory):
            return np.zeros(memory.shape[1:])
        if config["attention"] == "additive":
            keys = memory[:, 0] @ p["weight_key"].T + p["bias_key"]
            scores = anp.tanh(keys + h @ p["weight_query"].T) @ p["vector"]
        else:
            q = h if config["attention"] == "dot" else h @ p["weight_general"].T
            scores = memory[:, 0] @ q[0]
        weights = anp.exp(scores - anp.max(scores))
        return (weights / anp.sum(weights))[None] @ memory[:, 0]

    before, feeds = config["query"] == "previous", config["input_feed"]
    output, fed = [], anp.zeros(h.shape)
    for x_t in x:
        context = attend(h) if before else None
        seen = [x_t] + ([context if before else fed] if feeds else [])
        pre = anp.concatenate(seen, axis=1) @ p["weight_ih"].T + p["bias_ih"]
        h = anp.tanh(pre + h @ p["weight_hh"].T + p["bias_hh"])
        context = context if before else attend(h)
        both = anp.concatenate([h, context], axis=1)
        fed = anp.tanh(both @ p["weight_output"].T + p["bias_output"])
        output.append(fed)
    return anp.stack(output)


def loss(model: Any, params: Any, batch: Any) -> Any:
    """The mean of −ln p over all targets of all rows, without dropout and smoothing."""
    x, targets, *lengths = batch
    S, T = len(x), len(targets)
    total, count = 0.0, 0
    for n in range(x.shape[1]):
        source = x[: lengths[0][n] if lengths else S, n]
        target = targets[: lengths[1][n] if lengths else T, n]
        if model.config["reverse_source"]:
            source = source[::-1]
        encoded = encode(model, params["encoder"], source)
        vector = encoded[1]
        fed = np.concatenate([[BOS], target[:-1]])
        y = features(model, params["decoder"], fed, encoded)[:, 0]
        if model.config["peek"]:
            y = anp.concatenate([y, anp.concatenate([vector] * len(y))], axis=1)
        own = params["decoder"]["embedding"] if model.config["tied"] else params["out"]
        scores = y @ own["weight"].T + params["out"]["bias"]
        peak = anp.max(scores, axis=1, keepdims=True)
        lse = anp.log(anp.sum(anp.exp(scores - peak), axis=1)) + peak[:, 0]
        total = total + anp.sum(lse - scores[np.arange(len(y)), target])
        count += len(target)
    return total / count
