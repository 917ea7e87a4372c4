"""The LSTM, with and without peepholes, and its backward as docs/maths/lstm.md derives it."""

from numpy.typing import ArrayLike

from fastrnn._calls.choices import GATES, LSTM_ACTIVATIONS, Squash, lstm_choices
from fastrnn._calls.grads import LSTMGrads
from fastrnn._calls.masks import Masks
from fastrnn.reference._call import check_threads, enter_call
from fastrnn.reference._lstm_step import lstm_sweep, lstm_sweep_backward
from fastrnn.reference._math import Array
from fastrnn.reference._tape import Tape, open_tape


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
    activations: tuple[Squash, Squash, Squash] = LSTM_ACTIVATIONS,
    clip: float | None = None,
    input_forget: bool = False,
    gates: str = GATES,
    num_threads: int | None = None,
    masks: Masks | None = None,
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
    activations : tuple of str or tuple
        f, g, h of the gates, the candidate and the cell's output, as `fastrnn.lstm` has them.
    clip : float or None
        What f and g are applied to is limited to ±clip.
    input_forget : bool
        f = 1 − i.
    gates : str
        The gates that exist, letters of "ifo"; one that does not is the constant 1.
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
    check_threads(num_threads)
    choices = lstm_choices(activations, gates, input_forget, clip)
    arrays = (x, w_ih, w_hh, b_ih, b_hh, h0, c0, w_peephole, w_hr)
    layout = (lengths, reverse, batch_first)
    h, c, _ = lstm_sweep(call := enter_call(4, layout, *arrays, option=choices, masks=masks))
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
    activations: tuple[Squash, Squash, Squash] = LSTM_ACTIVATIONS,
    clip: float | None = None,
    input_forget: bool = False,
    gates: str = GATES,
    num_threads: int | None = None,
    masks: Masks | None = None,
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
    check_threads(num_threads)
    choices = lstm_choices(activations, gates, input_forget, clip)
    arrays = (x, w_ih, w_hh, b_ih, b_hh, h0, c0, w_peephole, w_hr)
    layout = (lengths, reverse, batch_first)
    call = enter_call(4, layout, *arrays, option=choices, masks=masks)
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
