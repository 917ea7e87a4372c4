"""The GRU, reset after and reset before, and its backward as docs/maths/gru.md derives it."""

from numpy.typing import ArrayLike

from fastrnn._calls.choices import GRU_ACTIVATIONS, Squash
from fastrnn._calls.grads import GRUGrads
from fastrnn._calls.masks import Masks
from fastrnn.reference._call import check_threads, enter_call
from fastrnn.reference._gru_step import gru_option, gru_sweep, gru_sweep_backward
from fastrnn.reference._math import Array
from fastrnn.reference._tape import Tape, open_tape


def gru(
    x: ArrayLike,
    w_ih: ArrayLike | None,
    w_hh: ArrayLike,
    b_ih: ArrayLike | None = None,
    b_hh: ArrayLike | None = None,
    h0: ArrayLike | None = None,
    *,
    reset_after: bool = True,
    lengths: ArrayLike | None = None,
    reverse: bool = False,
    batch_first: bool = False,
    activations: tuple[Squash, Squash] = GRU_ACTIVATIONS,
    clip: float | None = None,
    num_threads: int | None = None,
    masks: Masks | None = None,
) -> tuple[Array, Array]:
    """Run one GRU layer in one direction, in plain NumPy; also under `autograd.numpy`.

    Parameters
    ----------
    x : array_like, (T, N, I)
        Input; (N, T, I) with `batch_first`; (T, I) is one sequence, and every result loses N.
    w_ih : array_like or None, (3·H, I)
        Rows r z n. None: x is W_ih x already, without bias, (T, N, 3·H).
    w_hh : array_like, (3·H, H)
    b_ih, b_hh : array_like or None, (3·H,)
    h0 : array_like or None, (N, H) or (H,)
        Initial state, zeros if None; (H,) serves every row.
    reset_after : bool
        Whether r multiplies W_hn h + b_hn, or h before the product (Cho et al.).
    lengths : array_like of int or None, (N,)
        Steps that exist in each row, 0..T in any order. What x holds after them is never read.
    reverse : bool
        Start at each row's last existing step; y stays in input order.
    batch_first : bool
    activations : tuple of str or tuple
        f, g of the gates and the candidate, each one of those of `lstm`.
    clip : float or None
        What the activations are applied to is limited to ±clip.
    masks : Masks or None
        Recurrent dropout and zoneout: h∘h_mask enters the recurrent product, and the parts h_keep
        of h, and c_keep of c, stay as they were.
    num_threads : int or None
        Checked, without effect here.

    Returns
    -------
    y : ndarray, (T, N, H)
        h at every step, 0 where a row has none; (N, T, H) with `batch_first`.
    h_n : ndarray, (N, H)
        State after each row's last step; the initial one for length 0.

    Raises
    ------
    TypeError
        lengths or num_threads are not integers, or a flag is not a bool.
    ValueError
        A shape does not fit, lengths are not in 0..T, or an option is wrong.

    Notes
    -----
    With h the previous state, ∘ element by element::

        r = σ(W_ir x + b_ir + W_hr h + b_hr)
        z = σ(W_iz x + b_iz + W_hz h + b_hz)
        n = tanh(W_in x + b_in + r ∘ (W_hn h + b_hn))      reset after
        n = tanh(W_in x + b_in + W_hn (r ∘ h) + b_hn)      reset before
        h' = (1 - z) ∘ n + z ∘ h

    with `activations` f for σ and g for tanh.

    References
    ----------
    Cho et al., "Learning Phrase Representations using RNN Encoder-Decoder for Statistical Machine
    Translation", 2014, equations 5 to 8, which are reset before without biases.

    Examples
    --------
    >>> import numpy as np
    >>> from fastrnn import reference
    >>> y, h_n = reference.gru(np.ones((3, 1)), np.ones((3, 1)), np.ones((3, 1)))
    >>> y.shape, bool(y[-1] == h_n)
    ((3, 1), True)
    """
    check_threads(num_threads)
    layout, option = (lengths, reverse, batch_first), gru_option(reset_after, activations, clip)
    call = enter_call(3, layout, x, w_ih, w_hh, b_ih, b_hh, h0, option=option, masks=masks)
    h, _ = gru_sweep(call)
    return call.y(h), call.seq.state_out(h[-1])


def gru_forward(
    x: ArrayLike,
    w_ih: ArrayLike | None,
    w_hh: ArrayLike,
    b_ih: ArrayLike | None = None,
    b_hh: ArrayLike | None = None,
    h0: ArrayLike | None = None,
    *,
    reset_after: bool = True,
    lengths: ArrayLike | None = None,
    reverse: bool = False,
    batch_first: bool = False,
    activations: tuple[Squash, Squash] = GRU_ACTIVATIONS,
    clip: float | None = None,
    num_threads: int | None = None,
    masks: Masks | None = None,
) -> tuple[Array, Array, Tape]:
    """Run `gru`, with its arguments and errors, and keep what `gru_backward` needs.

    Parameters
    ----------
    x, w_ih, w_hh, b_ih, b_hh, h0, reset_after, lengths, reverse, batch_first, num_threads, …
        As `gru`.

    Returns
    -------
    y : ndarray, (T, N, H)
        Read-only.
    h_n : ndarray, (N, H)
    tape : Tape
        For one `gru_backward`; shows ``gates`` (T, N, 3, H) and ``nbytes``.

    Raises
    ------
    TypeError, ValueError
        As `gru`; TypeError also if autograd traces an argument, which `gru` is for.

    References
    ----------
    As `gru`.

    Examples
    --------
    >>> import numpy as np
    >>> from fastrnn import reference
    >>> y, h_n, tape = reference.gru_forward(np.ones((3, 1)), np.ones((3, 1)), np.ones((3, 1)))
    >>> tape.gates.shape, y.flags.writeable
    ((3, 3, 1), False)
    """
    check_threads(num_threads)
    layout, option = (lengths, reverse, batch_first), gru_option(reset_after, activations, clip)
    call = enter_call(3, layout, x, w_ih, w_hh, b_ih, b_hh, h0, option=option, masks=masks)
    h, gates = gru_sweep(call)
    tape = Tape("gru", call, gates, h)
    y = call.y(h)
    y.setflags(write=False)
    return y, call.seq.state_out(h[-1]), tape


def gru_backward(
    tape: Tape,
    dy: ArrayLike | None = None,
    dh_n: ArrayLike | None = None,
    *,
    truncate: int | None = None,
    clip_step: float | None = None,
) -> GRUGrads:
    """Backpropagate through time over the call that `gru_forward` recorded.

    Parameters
    ----------
    tape : Tape
        Spent by this call.
    dy : array_like or None, in the shape of y
        Gradient of the loss by y; what it holds where a row has no step is never read.
    dh_n : array_like or None, in the shape of h_n
    truncate : int or None
        Cut the recurrent gradient every k steps of a row, counted from 0 where it starts (its
        last step with `reverse`): nothing flows from its steps k, 2k, … into the h before
        them. That is truncated BPTT over chunks of k steps that hand on their states.
    clip_step : float or None
        Limit each step's gradients by the pre-activations to ±clip_step, element by element,
        before anything is derived from them.

    Returns
    -------
    GRUGrads
        Each in the shape of its argument, None for what was not given.

    Raises
    ------
    TypeError
        tape is no tape, or an option is no number.
    ValueError
        tape is spent or another cell's, a shape does not fit, or an option is out of range.

    References
    ----------
    Werbos, "Backpropagation Through Time: What It Does and How to Do It", 1990; docs/maths/gru.md.

    Examples
    --------
    >>> import numpy as np
    >>> from fastrnn import reference
    >>> y, h_n, tape = reference.gru_forward(np.ones((3, 1)), np.ones((3, 1)), np.ones((3, 1)))
    >>> grads = reference.gru_backward(tape, dh_n=np.ones(1))
    >>> grads.x.shape, grads.w_hh.shape, grads.h0 is None
    ((3, 1), (3, 1), True)
    """
    call, kept = open_tape("gru", tape)
    every, limit = call.backward_options(truncate, clip_step)
    dy = call.dy(dy)
    dh = call.seq.dstate_in("dh_n", dh_n, call.w_hh.dtype)
    tape.spend()
    grads = gru_sweep_backward(call, kept, dy, dh, every, limit)
    del grads["w_norm"]  # a layer's; this call has none
    return GRUGrads(**grads)
