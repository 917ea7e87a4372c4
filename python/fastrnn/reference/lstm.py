"""The LSTM, with and without peepholes, and its backward as docs/maths/lstm.md derives it.

First the functions, then all their steps and the mirror image of each.
"""

from typing import Any, Unpack

import numpy as np
from numpy.typing import ArrayLike

from fastrnn.cells import LSTMGrads, LSTMOptions, LSTMSpec, Masks, Spec, takes
from fastrnn.reference._call import Call, Tape, enter_call, open_tape
from fastrnn.reference._checks import threads
from fastrnn.reference._math import Array, limited, split_gates, squash, sum_outer
from fastrnn.reference._norm import contiguous_gates, normalised


@takes(LSTMOptions)
def lstm(
    x: ArrayLike,
    w_ih: ArrayLike | None,
    w_hh: ArrayLike,
    b_ih: ArrayLike | None = None,
    b_hh: ArrayLike | None = None,
    h0: ArrayLike | None = None,
    c0: ArrayLike | None = None,
    *,
    w_peephole: ArrayLike | None = None,
    w_hr: ArrayLike | None = None,
    lengths: ArrayLike | None = None,
    reverse: bool = False,
    batch_first: bool = False,
    num_threads: int | None = None,
    masks: Masks | None = None,
    **options: Unpack[LSTMOptions],
) -> tuple[Array, tuple[Array, Array]]:
    """Run one LSTM layer in one direction, in plain NumPy; also under `autograd.numpy`.

    Parameters
    ----------
    x : array_like, (T, N, I)
        Input; (N, T, I) with `batch_first`; (T, I) is one sequence, and every result loses N.
    w_ih : array_like or None, (4·H, I)
        Rows i f g o. None: x is W_ih x already, without bias, (T, N, 4·H).
    w_hh : array_like, (4·H, H)
        (4·H, P) with w_hr; y, h0 and h_n then have P columns.
    b_ih, b_hh : array_like or None, (4·H,)
    h0, c0 : array_like or None, (N, H) or (H,)
        Initial states, zeros if None; (H,) serves every row.
    w_peephole : array_like or None, (3, H) or (3·H, H)
        Diagonals of the peephole matrices, rows i f o, or the whole matrices.
    w_hr : array_like or None, (P, H)
        Projection.
    lengths : array_like of int or None, (N,)
        Steps that exist in each row, 0..T in any order. What x holds after them is never read.
    reverse : bool
        Start at each row's last existing step; y stays in input order.
    batch_first : bool
    num_threads : int or None
        Checked, without effect here.
    **options
    masks : Masks or None
        Recurrent dropout and zoneout: h∘h_mask enters the recurrent product, and the parts h_keep
        of h, and c_keep of c, stay as they were.

    Returns
    -------
    y : ndarray, (T, N, H)
        h at every step, 0 where a row has none; (N, T, H) with `batch_first`.
    (h_n, c_n) : tuple of ndarray, (N, H) each
        States after each row's last step; the initial ones for length 0.

    Raises
    ------
    TypeError
        lengths or num_threads are not integers, or a flag is not a bool.
    ValueError
        A shape does not fit, lengths are not in 0..T, or an option is wrong.

    Notes
    -----
    With h and c the previous states, ∘ element by element::

        i = σ(W_ii x + b_ii + W_hi h + b_hi + p_i ∘ c)
        f = σ(W_if x + b_if + W_hf h + b_hf + p_f ∘ c)
        g = tanh(W_ig x + b_ig + W_hg h + b_hg)
        c' = f ∘ c + i ∘ g
        o = σ(W_io x + b_io + W_ho h + b_ho + p_o ∘ c')
        h' = o ∘ tanh(c')                                 W_hr (o ∘ tanh(c')) with projection

    with `activations` f for σ, g for the first tanh and h for the second.

    References
    ----------
    Hochreiter and Schmidhuber, "Long Short-Term Memory", 1997, section 4; f: Gers, Schmidhuber and
    Cummins, "Learning to Forget", 2000, section 3; p: Gers, Schraudolph and Schmidhuber, "Learning
    Precise Timing with LSTM Recurrent Networks", 2002, section 3.

    Examples
    --------
    >>> import numpy as np
    >>> from fastrnn import reference
    >>> x, w_ih, w_hh = np.ones((5, 2, 3)), np.full((16, 3), 0.1), np.full((16, 4), 0.1)
    >>> y, (h_n, c_n) = reference.lstm(x, w_ih, w_hh, lengths=[5, 2])
    >>> y.shape, h_n.shape, bool((y[1, 1] == h_n[1]).all()), bool((y[2:, 1] == 0).all())
    ((5, 2, 4), (2, 4), True, True)
    """
    threads(num_threads)
    arrays = (x, w_ih, w_hh, b_ih, b_hh, h0, c0, w_peephole, w_hr)
    layout = (lengths, reverse, batch_first)
    call = enter_call(LSTMSpec.of(options), layout, *arrays, masks=masks)
    h, c, _ = lstm_sweep(call)
    return call.y(h), (call.seq.state_out(h[-1]), call.seq.state_out(c[-1]))


@takes(LSTMOptions)
def lstm_forward(
    x: ArrayLike,
    w_ih: ArrayLike | None,
    w_hh: ArrayLike,
    b_ih: ArrayLike | None = None,
    b_hh: ArrayLike | None = None,
    h0: ArrayLike | None = None,
    c0: ArrayLike | None = None,
    *,
    w_peephole: ArrayLike | None = None,
    w_hr: ArrayLike | None = None,
    lengths: ArrayLike | None = None,
    reverse: bool = False,
    batch_first: bool = False,
    num_threads: int | None = None,
    masks: Masks | None = None,
    **options: Unpack[LSTMOptions],
) -> tuple[Array, tuple[Array, Array], Tape]:
    """Run `lstm`, with its arguments and errors, and keep what `lstm_backward` needs.

    Parameters
    ----------
    x, w_ih, w_hh, b_ih, b_hh, h0, c0, w_peephole, w_hr, lengths, reverse, batch_first, …
        As `lstm`.

    Returns
    -------
    y : ndarray, (T, N, H)
        Read-only.
    (h_n, c_n) : tuple of ndarray, (N, H) each
    tape : Tape
        For one `lstm_backward`; shows ``gates`` (T, N, 4, H), ``c`` (T, N, H) and ``nbytes``.

    Raises
    ------
    TypeError, ValueError
        As `lstm`; TypeError also if autograd traces an argument, which `lstm` is for.

    References
    ----------
    As `lstm`.

    Examples
    --------
    >>> import numpy as np
    >>> from fastrnn import reference
    >>> x, w = np.ones((5, 1)), np.full((4, 1), 0.1)
    >>> y, (h_n, c_n), tape = reference.lstm_forward(x, w, w)
    >>> tape.gates.shape, bool(tape.c[-1] == c_n), y.flags.writeable
    ((5, 4, 1), True, False)
    """
    threads(num_threads)
    arrays = (x, w_ih, w_hh, b_ih, b_hh, h0, c0, w_peephole, w_hr)
    layout = (lengths, reverse, batch_first)
    call = enter_call(LSTMSpec.of(options), layout, *arrays, masks=masks)
    h, c, kept_gates = lstm_sweep(call)
    tape = Tape("lstm", call, kept_gates, h, c)
    y = call.y(h)
    y.setflags(write=False)
    return y, (call.seq.state_out(h[-1]), call.seq.state_out(c[-1])), tape


def lstm_backward(
    tape: Tape,
    dy: ArrayLike | None = None,
    dh_n: ArrayLike | None = None,
    dc_n: ArrayLike | None = None,
    *,
    truncate: int | None = None,
    clip_step: float | None = None,
) -> LSTMGrads:
    """Backpropagate through time over the call that `lstm_forward` recorded.

    Parameters
    ----------
    tape : Tape
        Spent by this call.
    dy : array_like or None, in the shape of y
        Gradient of the loss by y; what it holds where a row has no step is never read.
    dh_n, dc_n : array_like or None, in the shapes of h_n and c_n
    truncate : int or None
        Cut the recurrent gradient every k steps of a row, counted from 0 where it starts (its
        last step with `reverse`): nothing flows from its steps k, 2k, … into the h and c before
        them. That is truncated BPTT over chunks of k steps that hand on their states.
    clip_step : float or None
        Limit each step's gradients by the pre-activations to ±clip_step, element by element,
        before anything is derived from them.

    Returns
    -------
    LSTMGrads
        Each in the shape of its argument, None for what was not given.

    Raises
    ------
    TypeError
        tape is no tape, or an option is no number.
    ValueError
        tape is spent or another cell's, a shape does not fit, or an option is out of range.

    References
    ----------
    Werbos, "Backpropagation Through Time: What It Does and How to Do It", 1990; docs/maths/lstm.md.

    Examples
    --------
    >>> import numpy as np
    >>> from fastrnn import reference
    >>> x, w = np.ones((5, 1)), np.full((4, 1), 0.1)
    >>> y, _, tape = reference.lstm_forward(x, w, w)
    >>> grads = reference.lstm_backward(tape, dy=np.ones((5, 1)))
    >>> grads.x.shape, grads.w_hh.shape, grads.h0 is None
    ((5, 1), (4, 1), True)
    """
    call, kept = open_tape("lstm", tape)
    every, limit = call.backward_options(truncate, clip_step)
    finals = [
        call.seq.dstate_in(name, value, call.w_hh.dtype)
        for name, value in (("dh_n", dh_n), ("dc_n", dc_n))
    ]
    dy = call.dy(dy)
    tape.spend()
    grads = lstm_sweep_backward(call, kept, dy, finals, every, limit)
    del grads["w_norm"]  # a layer's; this call has none
    return LSTMGrads(**grads)


def lstm_sweep(call: Call) -> tuple[list[Any], Any, list[Any]]:
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
        m_t, c_t, gates_t = lstm_step(xp, pre, c_prev, call.w_peephole, call.spec, call.norm)
        h_t = call.projected(m_t)
        h_t, c_t = call.zoned(t, h_t, h_prev, c_t, c_prev)
        h.append(seq.select(t, h_t, h[t]))
        c.append(seq.select(t, c_t, c[t]))
        gates.append(gates_t)
    return h, c, gates


def peep(w_peephole: Any, row: int, c: Any, transposed: bool = False) -> Any:
    """Return what a gate, i f o by its row, sees of c; or its mirror, what c gets from it.

    w_peephole may be a function of row and c that says it.
    """
    if callable(w_peephole):
        return w_peephole(row, c)
    H = c.shape[1]
    if w_peephole.shape[0] == 3:
        return w_peephole[row] * c
    block = w_peephole[row * H : (row + 1) * H]
    # Each row by itself: a product of many rows may round one differently.
    return (c[:, None, :] @ (block if transposed else block.T))[:, 0]


def lstm_step(
    xp: Any, pre: Any, c: Any, w_peephole: Any, spec: Spec, norm: Any = None
) -> tuple[Any, Any, Any]:
    """One step: the output before projection, c and gates (N, 4·H), from the pre-activations
    (N, 4·H) and the previous c.
    """
    f_name, g_name, h_name = spec.activations
    squash_f, squash_g = squash(f_name, spec.limit)[0], squash(g_name, spec.limit)[0]
    one = xp.ones(c.shape, c.dtype)
    i, f, g, o = split_gates(pre, 4) if norm is None else contiguous_gates(pre, 4)
    if w_peephole is not None:
        i = i + peep(w_peephole, 0, c)
        f = f + peep(w_peephole, 1, c)
    i = squash_f(xp, i) if "i" in spec.gates else one
    g = squash_g(xp, g)
    own_f = squash_f(xp, f) if "f" in spec.gates else one
    f = 1.0 - i if spec.input_forget else own_f
    c = f * c + i * g
    if w_peephole is not None:
        o = o + peep(w_peephole, 2, c)
    o = squash_f(xp, o) if "o" in spec.gates else one
    seen = c if norm is None else norm.of_c(xp, c)
    return o * squash(h_name)[0](xp, seen), c, xp.concatenate([i, f, g, o], axis=1)


def lstm_step_backward(
    gates: Array,
    c_prev: Array,
    c: Array,
    dm: Array,
    dc: Array,
    w_peephole: Any,
    spec: Spec,
    limit: float | None,
    norm: Any = None,
) -> tuple[Array, Array]:
    """One step back: the gradients by the pre-activations (N, 4·H) and by the previous c.

    dm and dc are those by this step's output and c, the latter without the road through the former.
    """
    f_name, g_name, h_name = spec.activations
    through_f, through_g = squash(f_name, spec.limit)[1], squash(g_name, spec.limit)[1]
    squash_h, through_h = squash(h_name)
    i, f, g, o = split_gates(gates, 4)
    zero = np.zeros_like(c)
    h_c = squash_h(np, c if norm is None else norm.of_c(np, c))
    do = limited(through_f(o, dm * h_c), limit) if "o" in spec.gates else zero
    dseen = through_h(h_c, dm * o)
    dc = dc + (dseen if norm is None else norm.of_c_backward(c, dseen))
    if w_peephole is not None:
        dc = dc + peep(w_peephole, 2, do, transposed=True)
    by_i = g - c_prev if spec.input_forget else g
    own_f = "f" in spec.gates and not spec.input_forget
    di = limited(through_f(i, dc * by_i), limit) if "i" in spec.gates else zero
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
    h_c = squash(call.spec.activations[2])[0](np, c if norm is None else norm.of_c(np, c))
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
            kept["gates"][t], c_prev[t], c[t], dm, dc - c_stays, w_peephole, call.spec, limit,
            norm,
        )  # fmt: skip
        dgates[t], dm_each[t] = seq.select(t, da, 0.0), seq.select(t, dm, 0.0)
        d_hh[t], dh_t = call.back_h(h_prev[t], dgates[t])
        dh = seq.select(t, dh_t + h_stays, dh)
        dh, dc = seq.forget(t, every, dh, seq.select(t, dc_t + c_stays, dc))
    seen = call.recurrent_h(h_prev)
    dw_norm = call.gain_gradient(dgates, dgates, seen)
    if norm is not None:
        dseen = squash(call.spec.activations[2])[1](h_c, dm_each * o)
        c_rows = [(dseen * normalised(np, c, seq.H)).sum((0, 1)), dseen.sum((0, 1))]
        dw_norm = np.concatenate([dw_norm, c_rows])
    return call.gradients(dgates, dgates, sum_outer(d_hh, call.as_operand(seen))) | {
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
