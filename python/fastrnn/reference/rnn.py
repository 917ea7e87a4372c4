"""The simple recurrent network, and its backward as docs/maths/rnn.md derives it."""

from typing import Any, Unpack

import numpy as np
from numpy.typing import ArrayLike

from fastrnn.cells import Masks, RNNGrads, RNNOptions, RNNSpec, takes
from fastrnn.reference._call import Call, Tape, enter_call, open_tape
from fastrnn.reference._checks import threads
from fastrnn.reference._math import Array, limited, squash, sum_outer


@takes(RNNOptions)
def rnn(
    x: ArrayLike,
    w_ih: ArrayLike | None,
    w_hh: ArrayLike,
    b_ih: ArrayLike | None = None,
    b_hh: ArrayLike | None = None,
    h0: ArrayLike | None = None,
    *,
    lengths: ArrayLike | None = None,
    reverse: bool = False,
    batch_first: bool = False,
    num_threads: int | None = None,
    masks: Masks | None = None,
    **options: Unpack[RNNOptions],
) -> tuple[Array, Array]:
    """Run one simple recurrent layer in one direction, in plain NumPy; also under `autograd.numpy`.

    Parameters
    ----------
    x : array_like, (T, N, I)
        Input; (N, T, I) with `batch_first`; (T, I) is one sequence, and every result loses N.
    w_ih : array_like or None, (H, I)
        None: x is W_ih x already, without bias, (T, N, H).
    w_hh : array_like, (H, H)
    b_ih, b_hh : array_like or None, (H,)
    h0 : array_like or None, (N, H) or (H,)
        Initial state, zeros if None; (H,) serves every row.
    **options
    lengths : array_like of int or None, (N,)
        Steps that exist in each row, 0..T in any order. What x holds after them is never read.
    reverse : bool
        Start at each row's last existing step; y stays in input order.
    batch_first : bool
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
    With h the previous state::

        h' = φ(W_ih x + b_ih + W_hh h + b_hh)

    References
    ----------
    Elman, "Finding Structure in Time", 1990, figure 2.

    Examples
    --------
    >>> import numpy as np
    >>> from fastrnn import reference
    >>> y, h_n = reference.rnn(np.ones((3, 1, 1)), np.eye(1), np.eye(1), nonlinearity="linear")
    >>> y[:, 0, 0]
    array([1., 2., 3.])
    """
    threads(num_threads)
    layout = (lengths, reverse, batch_first)
    call = enter_call(RNNSpec.of(options), layout, x, w_ih, w_hh, b_ih, b_hh, h0, masks=masks)
    h, _, _ = rnn_sweep(call)
    return call.y(h), call.seq.state_out(h[-1])


@takes(RNNOptions)
def rnn_forward(
    x: ArrayLike,
    w_ih: ArrayLike | None,
    w_hh: ArrayLike,
    b_ih: ArrayLike | None = None,
    b_hh: ArrayLike | None = None,
    h0: ArrayLike | None = None,
    *,
    lengths: ArrayLike | None = None,
    reverse: bool = False,
    batch_first: bool = False,
    num_threads: int | None = None,
    masks: Masks | None = None,
    **options: Unpack[RNNOptions],
) -> tuple[Array, Array, Tape]:
    """Run `rnn`, with its arguments and errors, and keep what `rnn_backward` needs.

    Parameters
    ----------
    x, w_ih, w_hh, b_ih, b_hh, h0, lengths, reverse, batch_first, num_threads, …
        As `rnn`.

    Returns
    -------
    y : ndarray, (T, N, H)
        Read-only.
    h_n : ndarray, (N, H)
    tape : Tape
        For one `rnn_backward`; shows ``gates`` (T, N, 1, H), which are h, and ``nbytes``.

    Raises
    ------
    TypeError, ValueError
        As `rnn`; TypeError also if autograd traces an argument, which `rnn` is for.

    References
    ----------
    As `rnn`.

    Examples
    --------
    >>> import numpy as np
    >>> from fastrnn import reference
    >>> y, h_n, tape = reference.rnn_forward(np.ones((3, 1)), np.eye(1), np.eye(1))
    >>> tape.gates.shape, bool((tape.gates[:, 0] == y).all()), y.flags.writeable
    ((3, 1, 1), True, False)
    """
    threads(num_threads)
    layout = (lengths, reverse, batch_first)
    call = enter_call(RNNSpec.of(options), layout, x, w_ih, w_hh, b_ih, b_hh, h0, masks=masks)
    h, _, gates = rnn_sweep(call)
    tape = Tape("rnn", call, gates, h)
    y = call.y(h)
    y.setflags(write=False)
    return y, call.seq.state_out(h[-1]), tape


def rnn_backward(
    tape: Tape,
    dy: ArrayLike | None = None,
    dh_n: ArrayLike | None = None,
    *,
    truncate: int | None = None,
    clip_step: float | None = None,
) -> RNNGrads:
    """Backpropagate through time over the call that `rnn_forward` recorded.

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
    RNNGrads
        Each in the shape of its argument, None for what was not given.

    Raises
    ------
    TypeError
        tape is no tape, or an option is no number.
    ValueError
        tape is spent or another cell's, a shape does not fit, or an option is out of range.

    References
    ----------
    Werbos, "Backpropagation Through Time: What It Does and How to Do It", 1990; docs/maths/rnn.md.

    Examples
    --------
    >>> import numpy as np
    >>> from fastrnn import reference
    >>> x, w = np.ones((3, 1)), np.full((1, 1), 2.0)
    >>> y, h_n, tape = reference.rnn_forward(x, w, w, h0=np.zeros(1), nonlinearity="linear")
    >>> reference.rnn_backward(tape, dh_n=np.ones(1)).h0
    array([8.])
    """
    call, kept = open_tape("rnn", tape)
    every, limit = call.backward_options(truncate, clip_step)
    dy = call.dy(dy)
    dh = call.seq.dstate_in("dh_n", dh_n, call.w_hh.dtype)
    tape.spend()
    grads = rnn_sweep_backward(call, kept, dy, dh, every, limit)
    grads.pop("w_norm")
    return RNNGrads(**grads)


def rnn_sweep(call: Call) -> tuple[list[Any], None, list[Any]]:
    """All steps: T+1 states h, slot 0 the initial one, no c, and T activated sums."""
    seq, xp = call.seq, call.xp
    activation, _ = squash(call.spec.nonlinearity, call.spec.limit)
    pre_x = call.pre_x()
    h = [seq.state_in("h0", call.h0, call.w_hh.dtype)]
    gates: list[Any] = []
    for t in range(seq.T):
        # A row without this step computes on zeros and keeps its state, so that nothing in it,
        # NaN included, reaches a gradient through the result that is thrown away.
        h_prev = seq.select(t, h[t], 0.0)
        gates.append(activation(xp, pre_x[t] + call.pre_h(h_prev)))
        h_t, _ = call.zoned(t, gates[t], h_prev)
        h.append(seq.select(t, h_t, h[t]))
    return h, None, gates


def rnn_sweep_backward(
    call: Call, kept: dict[str, Array], dy: Array, dh: Array, every: int | None, limit: float | None
) -> dict[str, Any]:
    """All steps back; return the gradients by name."""
    seq, gates = call.seq, kept["gates"]
    _, activation_backward = squash(call.spec.nonlinearity, call.spec.limit)
    h_prev = seq.existing(kept["h"][:-1])
    dgates, d_hh = np.empty_like(gates), np.empty_like(gates)
    for t in reversed(range(seq.T)):
        stays = call.stays(t, dh + dy[t])
        da = limited(activation_backward(gates[t], dh + dy[t] - stays), limit)
        dgates[t] = seq.select(t, da, 0.0)
        d_hh[t], dh_t = call.back_h(h_prev[t], dgates[t])
        (dh,) = seq.forget(t, every, seq.select(t, dh_t + stays, dh))
    seen = call.recurrent_h(h_prev)
    return call.gradients(dgates, dgates, sum_outer(d_hh, call.as_operand(seen))) | {
        "w_norm": call.gain_gradient(dgates, dgates, seen),
        "h0": seq.dstate_out(dh, call.h0),
    }
