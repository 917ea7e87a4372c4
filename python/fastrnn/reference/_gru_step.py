"""One step of the GRU and its mirror image, as docs/maths/gru.md writes them."""

from typing import Any, NamedTuple

import numpy as np

from fastrnn import _checks
from fastrnn._choices import gru_choices
from fastrnn.reference._call import Call
from fastrnn.reference._math import Activation, Array, affine, limited, split_gates, squash


class GRUOption(NamedTuple):
    """What a step has to know beside arrays; f is for the gates, g for the candidate."""

    reset_after: bool
    f: Activation
    g: Activation


def gru_option(reset_after: Any, activations: Any, clip: Any) -> GRUOption:
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
    h_r, h_z = split_gates(affine(xp, masked, w_rz, b_rz), 2)
    r, z = squash_f(xp, x_r + h_r), squash_f(xp, x_z + h_z)
    seen = r * affine(xp, masked, w_n, b_n) if reset_after else affine(xp, r * masked, w_n, b_n)
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
