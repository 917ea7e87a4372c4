"""The LSTM, with and without peepholes, and its backward as docs/maths/lstm.md derives it."""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from fastrnn._choices import GATES, LSTM_ACTIVATIONS, lstm_choices
from fastrnn._grads import LSTMGrads
from fastrnn.reference._call import Call, check_options, enter_call
from fastrnn.reference._lstm_step import lstm_step, lstm_step_backward
from fastrnn.reference._math import Array, affine, sum_outer
from fastrnn.reference._tape import Tape, open_tape

OPTIONS = {"w_hr": None, "clip": None}


def _sweep(call: Call) -> tuple[list[Any], list[Any], list[Any]]:
    """All steps: T+1 states h, T+1 states c (slot 0 is the initial one) and T gates."""
    seq, xp = call.seq, call.xp
    pre_x = affine(xp, seq.enter(call.x), call.w_ih, call.b_ih)
    h = [seq.state_in("h0", call.h0, call.w_hh.dtype)]
    c = [seq.state_in("c0", call.c0, call.w_hh.dtype)]
    gates = []
    for t in range(seq.T):
        # A row without this step computes on zeros and keeps its state, so that nothing in it,
        # NaN included, reaches a gradient through the result that is thrown away.
        h_prev, c_prev = seq.select(t, h[t], 0.0), seq.select(t, c[t], 0.0)
        pre = pre_x[t] + affine(xp, h_prev, call.w_hh, call.b_hh)
        h_t, c_t, gates_t = lstm_step(xp, pre, c_prev, call.w_peephole, call.option)
        h.append(seq.select(t, h_t, h[t]))
        c.append(seq.select(t, c_t, c[t]))
        gates.append(gates_t)
    return h, c, gates


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
    activations: tuple[str, str, str] = LSTM_ACTIVATIONS,
    clip: float | None = None,
    input_forget: bool = False,
    gates: str = GATES,
    num_threads: int | None = None,
) -> tuple[Array, tuple[Array, Array]]:
    """Run one LSTM layer in one direction, in plain NumPy; also under `autograd.numpy`.

    Parameters
    ----------
    x : array_like, (T, N, I)
        Input; (N, T, I) with `batch_first`; (T, I) is one sequence, and every result loses N.
    w_ih : array_like or None, (4·H, I)
        Rows i f g o. None: x is W_ih x already, without bias, (T, N, 4·H).
    w_hh : array_like, (4·H, H)
    b_ih, b_hh : array_like or None, (4·H,)
    h0, c0 : array_like or None, (N, H) or (H,)
        Initial states, zeros if None; (H,) serves every row.
    w_peephole : array_like or None, (3, H)
        Diagonals of the peephole matrices, rows i f o.
    lengths : array_like of int or None, (N,)
        Steps that exist in each row, 0..T in any order. What x holds after them is never read.
    reverse : bool
        Start at each row's last existing step; y stays in input order.
    batch_first : bool
    num_threads : int or None
        Checked, without effect here.
    activations : tuple of str
        f, g, h of the gates, the candidate and the cell's output, each one of sigmoid, tanh, relu,
        linear and hard_sigmoid.
    input_forget : bool
        f = 1 − i.
    gates : str
        The gates that exist, letters of "ifo"; one that does not is the constant 1.
    w_hr, clip
        Not supported yet: anything but None raises.

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
        A shape does not fit, lengths are not in 0..T, or an option is wrong or not supported yet.

    Notes
    -----
    With h and c the previous states, ∘ element by element::

        i = σ(W_ii x + b_ii + W_hi h + b_hi + p_i ∘ c)
        f = σ(W_if x + b_if + W_hf h + b_hf + p_f ∘ c)
        g = tanh(W_ig x + b_ig + W_hg h + b_hg)
        c' = f ∘ c + i ∘ g
        o = σ(W_io x + b_io + W_ho h + b_ho + p_o ∘ c')
        h' = o ∘ tanh(c')

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
    check_options(OPTIONS, (w_hr, clip), num_threads)
    choices = lstm_choices(activations, gates, input_forget)
    arrays = (x, w_ih, w_hh, b_ih, b_hh, h0, c0, w_peephole)
    call = enter_call(4, (lengths, reverse, batch_first), *arrays, option=choices)
    h, c, _ = _sweep(call)
    return call.y(h), (call.seq.state_out(h[-1]), call.seq.state_out(c[-1]))


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
    activations: tuple[str, str, str] = LSTM_ACTIVATIONS,
    clip: float | None = None,
    input_forget: bool = False,
    gates: str = GATES,
    num_threads: int | None = None,
) -> tuple[Array, tuple[Array, Array], Tape]:
    """Run `lstm`, with its arguments and errors, and keep what `lstm_backward` needs.

    Parameters
    ----------
    x, w_ih, w_hh, b_ih, b_hh, h0, c0, w_peephole, lengths, reverse, batch_first, num_threads, …
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
    check_options(OPTIONS, (w_hr, clip), num_threads)
    choices = lstm_choices(activations, gates, input_forget)
    arrays = (x, w_ih, w_hh, b_ih, b_hh, h0, c0, w_peephole)
    call = enter_call(4, (lengths, reverse, batch_first), *arrays, option=choices)
    h, c, kept_gates = _sweep(call)
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
    seq, w_peephole, dtype = call.seq, call.w_peephole, call.w_hh.dtype
    dy = call.dy(dy)
    dh, dc = seq.dstate_in("dh_n", dh_n, dtype), seq.dstate_in("dc_n", dc_n, dtype)
    tape.spend()
    c_prev, c = seq.existing(kept["c"][:-1]), seq.existing(kept["c"][1:])
    dgates = np.empty_like(kept["gates"])
    for t in reversed(range(seq.T)):
        da, dc_t = lstm_step_backward(
            kept["gates"][t], c_prev[t], c[t], dh + dy[t], dc, w_peephole, call.option, limit
        )
        dgates[t] = seq.select(t, da, 0.0)
        dh = seq.select(t, dgates[t] @ call.w_hh, dh)
        dh, dc = seq.forget(t, every, dh, seq.select(t, dc_t, dc))
    dw_hh = sum_outer(dgates, seq.existing(kept["h"][:-1]))
    return LSTMGrads(
        **call.gradients(dgates, dgates, dw_hh),
        h0=seq.dstate_out(dh, call.h0),
        c0=seq.dstate_out(dc, call.c0),
        w_peephole=None if w_peephole is None else _peephole_gradient(dgates, c_prev, c),
        w_hr=None,
    )


def _peephole_gradient(dgates: Array, c_prev: Array, c: Array) -> Array:
    """Return (3, H): i and f saw the previous c, o the new one."""
    di, df, _, do = np.split(dgates, 4, axis=2)
    return np.stack([(d * s).sum(axis=(0, 1)) for d, s in ((di, c_prev), (df, c_prev), (do, c))])
