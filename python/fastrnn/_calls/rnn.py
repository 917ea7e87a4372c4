"""The functions of the simple RNN: one layer, one direction, explicit arrays."""

from numpy.typing import ArrayLike

from fastrnn._calls import kinds
from fastrnn._calls.call import sequence
from fastrnn._calls.choices import Squash, rnn_choices
from fastrnn._calls.grads import RNNGrads
from fastrnn._calls.kinds import Kind
from fastrnn._calls.masks import Masks
from fastrnn._calls.tape import Tape, backward
from fastrnn._checks import Array


def rnn(
    x: ArrayLike,
    w_ih: ArrayLike | None,
    w_hh: ArrayLike,
    b_ih: ArrayLike | None = None,
    b_hh: ArrayLike | None = None,
    h0: ArrayLike | None = None,
    *,
    nonlinearity: Squash = "tanh",
    lengths: ArrayLike | None = None,
    reverse: bool = False,
    batch_first: bool = False,
    clip: float | None = None,
    num_threads: int | None = None,
    masks: Masks | None = None,
) -> tuple[Array, Array]:
    """Run a simple (Elman) RNN over a batch of sequences.

    All floating arrays are float32 or all are float64; lists take the dtype of w_hh.

    Parameters
    ----------
    x : array_like, (T, N, I)
        Input; (N, T, I) with `batch_first`; (T, I) is one sequence, and every result loses N.
    w_ih : array_like or None, (H, I)
        None: x is the projected input already, (T, N, H) without bias.
    w_hh : array_like, (H, H)
    b_ih, b_hh : array_like or None, (H,)
    h0 : array_like or None, (N, H) or (H,)
        Initial state, zeros if None; (H,) serves every row.
    nonlinearity : {"tanh", "relu", "sigmoid", "linear"}, or another activation of `lstm`
    lengths : array_like of int or None, (N,)
        Steps that exist in each row, 0..T in any order. What x holds after them is never read.
    reverse : bool
        Start at each row's last existing step and walk back; y stays in input order.
    batch_first : bool
        x and y are (N, T, ·); nothing is copied for it. States stay (N, H).
    num_threads : int or None
        Upper bound for this call; None: `get_num_threads`. Results do not depend on it.
    clip : float or None
        What the activations are applied to is first limited to ±clip; the gradient is 0 where that
        acts.
    masks : Masks or None
        Recurrent dropout and zoneout as arrays; None: neither.

    Returns
    -------
    y : ndarray, (T, N, H)
        h after every step, 0 where a row has none.
    h_n : ndarray, (N, H)
        State after each row's last step; the initial one for length 0.

    Raises
    ------
    TypeError
        An argument is no array, or has the wrong dtype, or is masked; a flag is no bool.
    ValueError
        A shape or a value breaks its rule.
    MemoryError
        The result does not fit.

    Notes
    -----
    With h the previous state and φ the nonlinearity::

        h' = φ(W_ih x + b_ih + W_hh h + b_hh)

    References
    ----------
    J. Elman, "Finding Structure in Time", 1990, section "Networks with memory".

    Examples
    --------
    >>> import numpy as np
    >>> import fastrnn
    >>> x, w = np.ones((4, 1)), np.eye(1)
    >>> y, h_n = fastrnn.rnn(x, w, w, nonlinearity="linear")
    >>> y.ravel(), h_n
    (array([1., 2., 3., 4.]), array([4.]))
    """
    y, h_n, _, _ = sequence(
        kind_of(nonlinearity, clip), x, (w_ih, w_hh, b_ih, b_hh, None, None), h0, None, lengths,
        reverse, batch_first, num_threads, masks=masks,
    )  # fmt: skip
    return y, h_n


def rnn_forward(
    x: ArrayLike,
    w_ih: ArrayLike | None,
    w_hh: ArrayLike,
    b_ih: ArrayLike | None = None,
    b_hh: ArrayLike | None = None,
    h0: ArrayLike | None = None,
    *,
    nonlinearity: Squash = "tanh",
    lengths: ArrayLike | None = None,
    reverse: bool = False,
    batch_first: bool = False,
    clip: float | None = None,
    num_threads: int | None = None,
    masks: Masks | None = None,
) -> tuple[Array, Array, Tape]:
    """Run `rnn`, with its arguments and errors, and keep what `rnn_backward` needs.

    Returns
    -------
    y : ndarray, (T, N, H)
        Read-only, because the tape refers to it; ``y.copy()`` is yours.
    h_n : ndarray, (N, H)
    tape : Tape
        Serves one `rnn_backward`, with the same `num_threads`. It refers to x, the weights and the
        initial state: do not change them in place before.

    Raises
    ------
    TypeError, ValueError, MemoryError
        As `rnn`.

    Examples
    --------
    >>> import numpy as np
    >>> import fastrnn
    >>> w = np.full((1, 1), 0.5)
    >>> y, h_n, tape = fastrnn.rnn_forward(np.ones((5, 1)), w, w)
    >>> bool((tape.gates[:, 0] == y).all()), y.flags.writeable
    (True, False)
    """
    y, h_n, _, tape = sequence(
        kind_of(nonlinearity, clip), x, (w_ih, w_hh, b_ih, b_hh, None, None), h0, None, lengths,
        reverse, batch_first, num_threads, keep=True, masks=masks,
    )  # fmt: skip
    return y, h_n, tape  # type: ignore[return-value]


def rnn_backward(
    tape: Tape,
    dy: ArrayLike | None = None,
    dh_n: ArrayLike | None = None,
    *,
    truncate: int | None = None,
    clip_step: float | None = None,
) -> RNNGrads:
    """Backpropagate through time over the call that made the tape.

    Parameters
    ----------
    tape : Tape
        From `rnn_forward`; used up by this call.
    dy : array_like or None, in the shape of y
        Gradient of the loss by y, zeros if None; padding is never read.
    dh_n : array_like or None, in the shape of h_n
        Gradient of the loss by the final state, zeros if None.
    truncate : int or None
        Cut the recurrent gradient every k steps of a row, counted from 0 where it starts (its
        last step with `reverse`): nothing flows from its steps k, 2k, … into the h before them.
        That is truncated BPTT over chunks of k steps that hand on their states. None: no cut.
    clip_step : float or None
        Limit each step's gradients by the pre-activations to ±clip_step, element by
        element, before anything is derived from them. None: no limit.

    Returns
    -------
    RNNGrads
        Each gradient in the shape of its argument, None for what was not given; no two share
        memory. Exactly 0 in padding.

    Raises
    ------
    TypeError
        tape is no tape, a gradient is no array of the tape's dtype, or an option is no number.
    ValueError
        tape has been used or is another function's, a gradient has the wrong shape, truncate is
        below 1, or clip_step is not above 0. The tape stays good, unless it had been used.
    MemoryError
        The gradients do not fit; the tape stays good if backward could not begin.

    References
    ----------
    P. Werbos, "Backpropagation Through Time: What It Does and How to Do It", 1990; equations in
    docs/maths/rnn.md. clip_step: A. Graves, "Generating Sequences With Recurrent Neural Networks",
    2013, section 2.1.

    Examples
    --------
    >>> import numpy as np
    >>> import fastrnn
    >>> x, w = np.ones((4, 1)), np.eye(1)
    >>> y, h_n, tape = fastrnn.rnn_forward(x, w, w, nonlinearity="linear")
    >>> fastrnn.rnn_backward(tape, dh_n=np.ones(1)).w_ih
    array([[4.]])
    """
    return backward(
        tape, "rnn", RNNGrads, dy, dh_n, None, truncate=truncate, clip_step=clip_step
    )


def kind_of(nonlinearity: Squash, clip: float | None = None) -> Kind:
    """Return the cell of a nonlinearity, or say which ones there are."""
    if clip is None and isinstance(nonlinearity, str) and nonlinearity in kinds.RNN:
        return kinds.RNN[nonlinearity]
    return kinds.rnn(rnn_choices(nonlinearity, clip))
