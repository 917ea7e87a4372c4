"""The steps of the LSTM and their mirror image, as docs/maths/lstm.md writes them."""

from typing import Any

import numpy as np

from fastrnn._calls.choices import Choices
from fastrnn.reference._call import Call
from fastrnn.reference._math import Array, limited, split_gates, squash, sum_outer
from fastrnn.reference._norm import contiguous_gates, normalised


def lstm_sweep(call: Call) -> tuple[list[Any], list[Any], list[Any]]:
    """All steps: T+1 states h, T+1 states c (slot 0 is the initial one) and T gates."""
    seq, xp = call.seq, call.xp
    pre_x = call.pre_x()
    h = [seq.state_in("h0", call.h0, call.w_hh.dtype)]
    c = [seq.state_in("c0", call.c0, call.w_hh.dtype)]
    gates = []
    for t in range(seq.T):
        # A row without this step computes on zeros and keeps its state, so that nothing in it,
        # NaN included, reaches a gradient through the result that is thrown away.
        h_prev, c_prev = seq.select(t, h[t], 0.0), seq.select(t, c[t], 0.0)
        pre = pre_x[t] + call.pre_h(h_prev)
        m_t, c_t, gates_t = lstm_step(xp, pre, c_prev, call.w_peephole, call.option, call.norm)
        h_t = call.projected(m_t)
        h_t, c_t = call.zoned(t, h_t, h_prev, c_t, c_prev)
        h.append(seq.select(t, h_t, h[t]))
        c.append(seq.select(t, c_t, c[t]))
        gates.append(gates_t)
    return h, c, gates


def peep(w_peephole: Any, row: int, c: Any, transposed: bool = False) -> Any:
    """Return what a gate, i f o by its row, sees of c; or its mirror, what c gets from it."""
    H = c.shape[1]
    if w_peephole.shape[0] == 3:
        return w_peephole[row] * c
    block = w_peephole[row * H : (row + 1) * H]
    # Each row by itself: a product of many rows may round one differently.
    return (c[:, None, :] @ (block if transposed else block.T))[:, 0]


def lstm_step(
    xp: Any, pre: Any, c: Any, w_peephole: Any, choices: Choices, norm: Any = None
) -> tuple[Any, Any, Any]:
    """One step: the output before projection, c and gates (N, 4·H), from the pre-activations
    (N, 4·H) and the previous c.
    """
    f_name, g_name, h_name = choices.activations
    squash_f, squash_g = squash(f_name, choices.clip)[0], squash(g_name, choices.clip)[0]
    one = xp.ones(c.shape, c.dtype)
    i, f, g, o = split_gates(pre, 4) if norm is None else contiguous_gates(pre, 4)
    if w_peephole is not None:
        i = i + peep(w_peephole, 0, c)
        f = f + peep(w_peephole, 1, c)
    i = squash_f(xp, i) if "i" in choices.gates else one
    g = squash_g(xp, g)
    own_f = squash_f(xp, f) if "f" in choices.gates else one
    f = 1.0 - i if choices.input_forget else own_f
    c = f * c + i * g
    if w_peephole is not None:
        o = o + peep(w_peephole, 2, c)
    o = squash_f(xp, o) if "o" in choices.gates else one
    seen = c if norm is None else norm.of_c(xp, c)
    return o * squash(h_name)[0](xp, seen), c, xp.concatenate([i, f, g, o], axis=1)


def lstm_step_backward(
    gates: Array,
    c_prev: Array,
    c: Array,
    dm: Array,
    dc: Array,
    w_peephole: Any,
    choices: Choices,
    limit: float | None,
    norm: Any = None,
) -> tuple[Array, Array]:
    """One step back: the gradients by the pre-activations (N, 4·H) and by the previous c.

    dm and dc are those by this step's output and c, the latter without the road through the former.
    """
    f_name, g_name, h_name = choices.activations
    through_f, through_g = squash(f_name, choices.clip)[1], squash(g_name, choices.clip)[1]
    squash_h, through_h = squash(h_name)
    i, f, g, o = split_gates(gates, 4)
    zero = np.zeros_like(c)
    h_c = squash_h(np, c if norm is None else norm.of_c(np, c))
    do = limited(through_f(o, dm * h_c), limit) if "o" in choices.gates else zero
    dseen = through_h(h_c, dm * o)
    dc = dc + (dseen if norm is None else norm.of_c_backward(c, dseen))
    if w_peephole is not None:
        dc = dc + peep(w_peephole, 2, do, transposed=True)
    by_i = g - c_prev if choices.input_forget else g
    own_f = "f" in choices.gates and not choices.input_forget
    di = limited(through_f(i, dc * by_i), limit) if "i" in choices.gates else zero
    df = limited(through_f(f, dc * c_prev), limit) if own_f else zero
    dg = limited(through_g(g, dc * i), limit)
    dc = dc * f
    if w_peephole is not None:
        dc = dc + peep(w_peephole, 0, di, transposed=True)
        dc = dc + peep(w_peephole, 1, df, transposed=True)
    return np.concatenate([di, df, dg, do], axis=1), dc


def lstm_sweep_backward(
    call: Call,
    kept: dict[str, Array],
    dy: Array,
    finals: list[Array],
    every: int | None,
    limit: float | None,
) -> dict[str, Any]:
    """All steps back; return the gradients by name."""
    seq, w_peephole, w_hr, norm = call.seq, call.w_peephole, call.w_hr, call.norm
    h_prev, c_prev = seq.existing(kept["h"][:-1]), seq.existing(kept["c"][:-1])
    i, f, g, o = np.split(kept["gates"], 4, axis=2)
    c = f * c_prev + i * g  # before zoneout
    h_c = squash(call.option.activations[2])[0](np, c if norm is None else norm.of_c(np, c))
    m = o * h_c
    dh, dc = finals
    dgates, dh_each = np.empty_like(kept["gates"]), np.zeros_like(h_prev)
    d_hh, dm_each = dgates.copy(), np.zeros_like(c)
    for t in reversed(range(seq.T)):
        dh_t = dh + dy[t]
        h_stays, c_stays = call.stays(t, dh_t), call.stays(t, dc, "c_keep")
        dh_each[t] = seq.select(t, dh_t - h_stays, 0.0)
        dm = dh_t - h_stays if w_hr is None else call.projected(dh_each[t], back=True)
        da, dc_t = lstm_step_backward(
            kept["gates"][t], c_prev[t], c[t], dm, dc - c_stays, w_peephole, call.option, limit,
            norm,
        )  # fmt: skip
        dgates[t], dm_each[t] = seq.select(t, da, 0.0), seq.select(t, dm, 0.0)
        d_hh[t], dh_t = call.back_h(h_prev[t], dgates[t])
        dh = seq.select(t, dh_t + h_stays, dh)
        dh, dc = seq.forget(t, every, dh, seq.select(t, dc_t + c_stays, dc))
    seen = call.recurrent_h(h_prev)
    dw_norm = call.gain_gradient(dgates, dgates, seen)
    if norm is not None:
        dseen = squash(call.option.activations[2])[1](h_c, dm_each * o)
        c_rows = [(dseen * normalised(np, c, seq.H)).sum((0, 1)), dseen.sum((0, 1))]
        dw_norm = np.concatenate([dw_norm, c_rows])
    return call.gradients(dgates, dgates, sum_outer(d_hh, seen)) | {
        "w_norm": dw_norm,
        "h0": seq.dstate_out(dh, call.h0),
        "c0": seq.dstate_out(dc, call.c0),
        "w_peephole": None if w_peephole is None else _peepholes(call, dgates, c_prev, c),
        "w_hr": None if w_hr is None else sum_outer(dh_each, m),
    }


def _peepholes(call: Call, dgates: Array, c_prev: Array, c: Array) -> Array:
    """Return the gradient by w_peephole: i and f saw the previous c, o the new one."""
    di, df, _, do = np.split(dgates, 4, axis=2)
    pairs = (di, c_prev), (df, c_prev), (do, c)
    if call.w_peephole.shape[0] == 3:
        return np.stack([(d * s).sum(axis=(0, 1)) for d, s in pairs])
    return np.concatenate([sum_outer(d, s) for d, s in pairs])
