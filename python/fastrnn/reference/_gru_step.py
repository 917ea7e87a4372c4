"""One step of the GRU and its mirror image, as docs/maths/gru.md writes them."""

from typing import Any, NamedTuple

import numpy as np

from fastrnn import _checks
from fastrnn._calls.choices import gru_choices
from fastrnn.reference._call import Call, back_seen, from_seen, rz_n
from fastrnn.reference._math import (
    Activation,
    Array,
    limited,
    split_gates,
    squash,
    sum_outer,
)
from fastrnn.reference._norm import contiguous_gates


class GRUOption(NamedTuple):
    """What a step has to know beside arrays; f is for the gates, g for the candidate."""

    reset_after: bool
    f: Activation
    g: Activation


def gru_option(reset_after: Any, activations: Any, clip: Any = None) -> GRUOption:
    """Return them, checked."""
    choices = gru_choices(activations, clip)
    f, g = (squash(chosen, choices.clip) for chosen in choices.activations)
    return GRUOption(_checks.flag("reset_after", reset_after), f, g)


def gru_step(call: Call, pre_x: Any, h: Any) -> tuple[Any, Any]:
    """One step: the next h and the gates (N, 3·H) from W_ih x + b_ih (N, 3·H) and h."""
    xp, (reset_after, (squash_f, _), (squash_g, _)) = call.xp, call.option
    split = split_gates if call.norm is None else contiguous_gates
    rows_rz, rows_n = rz_n(call.seq.H)
    x_r, x_z, x_n = split(pre_x, 3)
    masked = call.recurrent_h(h)
    h_r, h_z = split(from_seen(call, masked, rows_rz), 2)
    r, z = squash_f(xp, x_r + h_r), squash_f(xp, x_z + h_z)
    if reset_after:
        h_n = r * from_seen(call, masked, rows_n)
    else:
        h_n = from_seen(call, r * masked, rows_n)
    n = squash_g(xp, x_n + h_n)
    return (1.0 - z) * n + z * h, xp.concatenate([r, z, n], axis=1)


def gru_step_backward(
    call: Call, gates: Array, h: Array, hn: Array | None, dh: Array, limit: float | None
) -> tuple[Array, Array, Array]:
    """One step back, from the gradient by the next h.

    h is the state the step saw; hn is W_hn h + b_hn with reset after, None with reset before.
    Returns the gradients by W_ih x + b_ih (N, 3·H), by the products of W_hh (N, 3·H), and by h.
    """
    rows_rz, rows_n = rz_n(call.seq.H)
    _, (_, through_f), (_, through_g) = call.option
    r, z, n = split_gates(gates, 3)
    seen = call.recurrent_h(h)
    dn = limited(through_g(n, dh * (1.0 - z)), limit)
    dz = limited(through_f(z, dh * (h - n)), limit)
    if hn is not None:
        dr = limited(through_f(r, dn * hn), limit)
        d_product_n, through_n = back_seen(call, seen, dn * r, rows_n)
    else:
        d_product_n, drh = back_seen(call, r * seen, dn, rows_n)
        dr = limited(through_f(r, drh * seen), limit)
        through_n = drh * r
    d_rz = np.concatenate([dr, dz], axis=1)
    d_product_rz, through_rz = back_seen(call, seen, d_rz, rows_rz)
    dh = dh * z + call.recurrent_h(through_rz + through_n)
    d_products = np.concatenate([d_product_rz, d_product_n], axis=1)
    return np.concatenate([d_rz, dn], axis=1), d_products, dh


def gru_sweep(call: Call) -> tuple[list[Any], list[Any]]:
    """All steps: T+1 states h (slot 0 is the initial one) and T gates."""
    seq = call.seq
    pre_x = call.pre_x()
    h = [seq.state_in("h0", call.h0, call.w_hh.dtype)]
    gates = []
    for t in range(seq.T):
        # A row without this step computes on zeros and keeps its state, so that nothing in it,
        # NaN included, reaches a gradient through the result that is thrown away.
        h_prev = seq.select(t, h[t], 0.0)
        h_t, gates_t = gru_step(call, pre_x[t], h_prev)
        h_t, _ = call.zoned(t, h_t, h_prev)
        h.append(seq.select(t, h_t, h[t]))
        gates.append(gates_t)
    return h, gates


def gru_sweep_backward(
    call: Call, kept: dict[str, Array], dy: Array, dh: Array, every: int | None, limit: float | None
) -> dict[str, Any]:
    """All steps back; return the gradients by name."""
    seq, gates, after = call.seq, kept["gates"], call.option.reset_after
    h_prev = seq.existing(kept["h"][:-1])
    seen, r = call.recurrent_h(h_prev), gates[:, :, : seq.H]
    rows_rz, rows_n = rz_n(call.seq.H)
    hn = from_seen(call, seen, rows_n) if after else [None] * seq.T
    d_ih, d_products = np.empty_like(gates), np.empty_like(gates)
    for t in reversed(range(seq.T)):
        stays = call.stays(t, dh + dy[t])
        *both, dh_t = gru_step_backward(call, gates[t], h_prev[t], hn[t], dh + dy[t] - stays, limit)
        d_ih[t], d_products[t] = (seq.select(t, d_t, 0.0) for d_t in both)
        (dh,) = seq.forget(t, every, seq.select(t, dh_t + stays, dh))
    seen_n, d_hh = seen, d_ih
    if after:
        d_hh = np.concatenate([d_ih[:, :, rows_rz], d_ih[:, :, rows_n] * r], axis=2)
    else:
        seen_n = r * seen
    parts = ((d_products[:, :, rows_rz], seen), (d_products[:, :, rows_n], seen_n))
    dw_hh = np.concatenate([sum_outer(d, operand) for d, operand in parts])
    return call.gradients(d_ih, d_hh, dw_hh) | {
        "w_norm": call.gain_gradient(d_ih, d_hh, seen, seen_n),
        "h0": seq.dstate_out(dh, call.h0),
    }
