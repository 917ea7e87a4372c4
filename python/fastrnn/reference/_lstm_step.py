"""One step of the LSTM and its mirror image, as docs/maths/lstm.md writes them."""

from typing import Any

import numpy as np

from fastrnn.reference._math import (
    Array,
    limited,
    sigmoid,
    sigmoid_backward,
    split_gates,
    tanh_backward,
)


def lstm_step(xp: Any, pre: Any, c: Any, w_peephole: Any) -> tuple[Any, Any, Any]:
    """One step: h, c and gates (N, 4·H) from the pre-activations (N, 4·H) and the previous c."""
    i, f, g, o = split_gates(pre, 4)
    if w_peephole is not None:
        i = i + w_peephole[0] * c
        f = f + w_peephole[1] * c
    i, f, g = sigmoid(xp, i), sigmoid(xp, f), xp.tanh(g)
    c = f * c + i * g
    if w_peephole is not None:
        o = o + w_peephole[2] * c
    o = sigmoid(xp, o)
    return o * xp.tanh(c), c, xp.concatenate([i, f, g, o], axis=1)


def lstm_step_backward(
    gates: Array,
    c_prev: Array,
    c: Array,
    dh: Array,
    dc: Array,
    w_peephole: Any,
    limit: float | None,
) -> tuple[Array, Array]:
    """One step back: the gradients by the pre-activations (N, 4·H) and by the previous c.

    dh and dc are those by this step's h and c, the latter without the road through h.
    """
    i, f, g, o = split_gates(gates, 4)
    tanh_c = np.tanh(c)
    do = limited(sigmoid_backward(o, dh * tanh_c), limit)
    dc = dc + tanh_backward(tanh_c, dh * o)
    if w_peephole is not None:
        dc = dc + w_peephole[2] * do
    di = limited(sigmoid_backward(i, dc * g), limit)
    df = limited(sigmoid_backward(f, dc * c_prev), limit)
    dg = limited(tanh_backward(g, dc * i), limit)
    dc = dc * f
    if w_peephole is not None:
        dc = dc + w_peephole[0] * di + w_peephole[1] * df
    return np.concatenate([di, df, dg, do], axis=1), dc
