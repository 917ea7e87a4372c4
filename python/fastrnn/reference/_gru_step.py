"""One step of the GRU and its mirror image, as docs/maths/gru.md writes them."""

from typing import Any, NamedTuple

import numpy as np

from fastrnn import _checks
from fastrnn._calls.choices import gru_choices
from fastrnn.reference._call import Call
from fastrnn.reference._math import (
    Activation,
    Array,
    affine,
    limited,
    split_gates,
    squash,
    sum_outer,
)
from fastrnn.reference._normed import contiguous_gates


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


def recurrent(call: Call) -> tuple[Any, Any, Any, Any]:
    """Return w_hh and b_hh, each cut into its rows r z and its rows n."""
    w_hh, b_hh, cut = call.w_hh, call.b_hh, 2 * call.seq.H
    if b_hh is None:
        return w_hh[:cut], w_hh[cut:], None, None
    return w_hh[:cut], w_hh[cut:], b_hh[:cut], b_hh[cut:]


def gru_step(call: Call, pre_x: Any, h: Any) -> tuple[Any, Any]:
    """One step: the next h and the gates (N, 3·H) from W_ih x + b_ih (N, 3·H) and h."""
    xp, (reset_after, (squash_f, _), (squash_g, _)) = call.xp, call.option
    w_rz, w_n, b_rz, b_n = recurrent(call)
    x_r, x_z, x_n = split_gates(pre_x, 3)
    masked = call.recurrent_h(h)
    h_n = None
    if call.norm is None:
        h_r, h_z = split_gates(affine(xp, masked, w_rz, b_rz), 2)
    else:
        x_r, x_z, x_n = contiguous_gates(pre_x, 3)
        h_r, h_z, h_n = contiguous_gates(call.pre_h(h), 3)
    r, z = squash_f(xp, x_r + h_r), squash_f(xp, x_z + h_z)
    if reset_after:
        seen = r * (affine(xp, masked, w_n, b_n) if h_n is None else h_n)
    else:
        seen = affine(xp, r * masked, w_n, b_n)
    n = squash_g(xp, x_n + seen)
    return (1.0 - z) * n + z * h, xp.concatenate([r, z, n], axis=1)


def gru_step_backward(
    call: Call, gates: Array, h: Array, hn: Array | None, dh: Array, limit: float | None
) -> tuple[Array, Array]:
    """One step back: the gradients by W_ih x + b_ih (N, 3·H) and by h, from that by the next h.

    h is the state the step saw; hn is W_hn h + b_hn with reset after, None with reset before.
    """
    w_rz, w_n, _, _ = recurrent(call)
    _, (_, through_f), (_, through_g) = call.option
    r, z, n = split_gates(gates, 3)
    dn = limited(through_g(n, dh * (1.0 - z)), limit)
    dz = limited(through_f(z, dh * (h - n)), limit)
    if hn is not None:
        dr = limited(through_f(r, dn * hn), limit)
        through_n = (dn * r) @ w_n
    else:
        drh = dn @ w_n
        dr = limited(through_f(r, drh * call.recurrent_h(h)), limit)
        through_n = drh * r
    through_products = np.concatenate([dr, dz], axis=1) @ w_rz + through_n
    dh = dh * z + call.recurrent_h(through_products)
    return np.concatenate([dr, dz, dn], axis=1), dh


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
    seq, gates, norm = call.seq, kept["gates"], call.norm
    h_prev = seq.existing(kept["h"][:-1])
    _, w_n, _, b_n = recurrent(call)
    seen = call.recurrent_h(h_prev)
    after = call.option.reset_after
    if norm is not None:
        hn = call.pre_h(h_prev)[..., 2 * seq.H :]
    else:
        hn = affine(np, seen, w_n, b_n) if after else [None] * seq.T
    r = gates[:, :, : seq.H]
    d_ih, d_products = np.empty_like(gates), np.empty_like(gates)
    for t in reversed(range(seq.T)):
        stays = call.stays(t, dh + dy[t])
        d_t, dh_t = gru_step_backward(call, gates[t], h_prev[t], hn[t], dh + dy[t] - stays, limit)
        d_ih[t] = seq.select(t, d_t, 0.0)
        if norm is not None:
            through = np.concatenate([d_t[:, : 2 * seq.H], d_t[:, 2 * seq.H :] * r[t]], axis=1)
            d_products[t], dh_h = call.back_h(h_prev[t], seq.select(t, through, 0.0))
            dh_t = (dh + dy[t] - stays) * gates[t][:, seq.H : 2 * seq.H] + dh_h
        (dh,) = seq.forget(t, every, seq.select(t, dh_t + stays, dh))
    d_rz, d_n = d_ih[:, :, : 2 * seq.H], d_ih[:, :, 2 * seq.H :]
    d_hh = np.concatenate([d_rz, d_n * r], axis=2) if after else d_ih
    if after:
        dw_hh = sum_outer(d_hh if norm is None else d_products, seen)
    else:
        dw_hh = np.concatenate([sum_outer(d_rz, seen), sum_outer(d_n, r * seen)])
    return call.gradients(d_ih, d_hh, dw_hh) | {
        "w_norm": None if norm is None else call.gain_gradient(d_ih, d_hh, h_prev),
        "h0": seq.dstate_out(dh, call.h0),
    }
