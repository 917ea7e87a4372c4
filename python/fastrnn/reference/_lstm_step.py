"""One step of the LSTM and its mirror image, as docs/maths/lstm.md writes them."""

from typing import Any

import numpy as np

from fastrnn._choices import Choices
from fastrnn.reference._math import ACTIVATIONS, Array, limited, split_gates


def lstm_step(xp: Any, pre: Any, c: Any, w_peephole: Any, choices: Choices) -> tuple[Any, Any, Any]:
    """One step: h, c and gates (N, 4·H) from the pre-activations (N, 4·H) and the previous c."""
    squash_f, squash_g, squash_h = (ACTIVATIONS[name][0] for name in choices.activations)
    one = xp.ones(c.shape, c.dtype)
    i, f, g, o = split_gates(pre, 4)
    if w_peephole is not None:
        i = i + w_peephole[0] * c
        f = f + w_peephole[1] * c
    i = squash_f(xp, i) if "i" in choices.gates else one
    g = squash_g(xp, g)
    own_f = squash_f(xp, f) if "f" in choices.gates else one
    f = 1.0 - i if choices.input_forget else own_f
    c = f * c + i * g
    if w_peephole is not None:
        o = o + w_peephole[2] * c
    o = squash_f(xp, o) if "o" in choices.gates else one
    return o * squash_h(xp, c), c, xp.concatenate([i, f, g, o], axis=1)


def lstm_step_backward(
    gates: Array,
    c_prev: Array,
    c: Array,
    dh: Array,
    dc: Array,
    w_peephole: Any,
    choices: Choices,
    limit: float | None,
) -> tuple[Array, Array]:
    """One step back: the gradients by the pre-activations (N, 4·H) and by the previous c.

    dh and dc are those by this step's h and c, the latter without the road through h.
    """
    through_f, through_g, through_h = (ACTIVATIONS[name][1] for name in choices.activations)
    i, f, g, o = split_gates(gates, 4)
    zero = np.zeros_like(c)
    h_c = ACTIVATIONS[choices.activations[2]][0](np, c)
    do = limited(through_f(o, dh * h_c), limit) if "o" in choices.gates else zero
    dc = dc + through_h(h_c, dh * o)
    if w_peephole is not None:
        dc = dc + w_peephole[2] * do
    by_i = g - c_prev if choices.input_forget else g
    own_f = "f" in choices.gates and not choices.input_forget
    di = limited(through_f(i, dc * by_i), limit) if "i" in choices.gates else zero
    df = limited(through_f(f, dc * c_prev), limit) if own_f else zero
    dg = limited(through_g(g, dc * i), limit)
    dc = dc * f
    if w_peephole is not None:
        dc = dc + w_peephole[0] * di + w_peephole[1] * df
    return np.concatenate([di, df, dg, do], axis=1), dc
