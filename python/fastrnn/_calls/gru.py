"""The functions of the GRU: one layer, one direction, explicit arrays."""

from numpy.typing import ArrayLike

from fastrnn._calls import kinds
from fastrnn._calls.call import sequence
from fastrnn._calls.choices import GRU_ACTIVATIONS, Squash, gru_choices
from fastrnn._calls.grads import GRUGrads
from fastrnn._calls.masks import Masks
from fastrnn._calls.tape import Tape, backward
from fastrnn._checks import Array, flag


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
    """Run a GRU over a batch of sequences.

    All floating arrays are float32 or all are float64; lists take the dtype of w_hh. Weights are
    PyTorch's: gates in the order r z n.

    Parameters
    ----------
    x : array_like, (T, N, I)
        Input; (N, T, I) with `batch_first`; (T, I) is one sequence, and every result loses N.
    w_ih : array_like or None, (3·H, I)
        None: x is the projected input already, (T, N, 3·H) without bias.
    w_hh : array_like, (3·H, H)
    b_ih, b_hh : array_like or None, (3·H,)
    h0 : array_like or None, (N, H) or (H,)
        Initial state, zeros if None; (H,) serves every row.
    reset_after : bool
        True: the reset gate acts on the recurrent product (PyTorch, Keras, cuDNN). False: on the
        state before the product (the 2014 paper, ONNX by default).
    lengths : array_like of int or None, (N,)
        Steps that exist in each row, 0..T in any order. What x holds after them is never read.
    reverse : bool
        Start at each row's last existing step and walk back; y stays in input order.
    batch_first : bool
        x and y are (N, T, ·); nothing is copied for it. States stay (N, H).
    num_threads : int or None
        Upper bound for this call; None: `get_num_threads`. Results do not depend on it.
    activations : tuple of str or tuple
        ONNX's f, g, of the gates and the candidate, each one of those of `lstm`.
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
        A shape or a value breaks its rule, or a name is unknown.
    MemoryError
        The result does not fit.

    Notes
    -----
    With h the previous state and ∘ the product element by element::

        r = σ(W_ir x + b_ir + W_hr h + b_hr)
        z = σ(W_iz x + b_iz + W_hz h + b_hz)
        n = tanh(W_in x + b_in + r ∘ (W_hn h + b_hn))     reset_after=True
        n = tanh(W_in x + b_in + W_hn (r ∘ h) + b_hn)     reset_after=False
        h' = (1 − z) ∘ n + z ∘ h

    `activations` put f in the place of σ and g in that of tanh.

    Where another text has h' = z ∘ n + (1 − z) ∘ h, negate the z rows of all weights and biases.

    References
    ----------
    K. Cho et al., "Learning Phrase Representations using RNN Encoder-Decoder for Statistical
    Machine Translation", 2014, section 2.3, equations 5 to 8.

    Examples
    --------
    >>> import numpy as np
    >>> import fastrnn
    >>> rng = np.random.default_rng(0)
    >>> x = rng.standard_normal((5, 2, 3))
    >>> w_ih, w_hh = rng.standard_normal((12, 3)), rng.standard_normal((12, 4))
    >>> y, h_n = fastrnn.gru(x, w_ih, w_hh)
    >>> y.shape, bool((y[-1] == h_n).all())
    ((5, 2, 4), True)
    """
    kind = kinds.gru(gru_choices(activations, clip), flag("reset_after", reset_after))
    y, h_n, _, _ = sequence(
        kind, x, (w_ih, w_hh, b_ih, b_hh, None, None), h0, None, lengths, reverse, batch_first,
        num_threads, masks=masks,
    )  # fmt: skip
    return y, h_n


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

    Returns
    -------
    y : ndarray, (T, N, H)
        Read-only, because the tape refers to it; ``y.copy()`` is yours.
    h_n : ndarray, (N, H)
    tape : Tape
        Serves one `gru_backward`, with the same `num_threads`. It refers to x, the weights and the
        initial state: do not change them in place before.

    Raises
    ------
    TypeError, ValueError, MemoryError
        As `gru`.

    Examples
    --------
    >>> import numpy as np
    >>> import fastrnn
    >>> w = np.full((3, 1), 0.5)
    >>> y, h_n, tape = fastrnn.gru_forward(np.ones((5, 1)), w, w)
    >>> tape.gates.shape, y.flags.writeable
    ((5, 3, 1), False)
    """
    kind = kinds.gru(gru_choices(activations, clip), flag("reset_after", reset_after))
    y, h_n, _, tape = sequence(
        kind, x, (w_ih, w_hh, b_ih, b_hh, None, None), h0, None, lengths, reverse, batch_first,
        num_threads, keep=True, masks=masks,
    )  # fmt: skip
    return y, h_n, tape  # type: ignore[return-value]


def gru_backward(
    tape: Tape,
    dy: ArrayLike | None = None,
    dh_n: ArrayLike | None = None,
    *,
    truncate: int | None = None,
    clip_step: float | None = None,
) -> GRUGrads:
    """Backpropagate through time over the call that made the tape.

    Parameters
    ----------
    tape : Tape
        From `gru_forward`; used up by this call.
    dy : array_like or None, in the shape of y
        Gradient of the loss by y, zeros if None; padding is never read.
    dh_n : array_like or None, in the shape of h_n
        Gradient of the loss by the final state, zeros if None.
    truncate : int or None
        Cut the recurrent gradient every k steps of a row, counted from 0 where it starts (its
        last step with `reverse`): nothing flows from its steps k, 2k, … into the h before them.
        That is truncated BPTT over chunks of k steps that hand on their states. None: no cut.
    clip_step : float or None
        Limit each step's gradients by the gates' pre-activations to ±clip_step, element by
        element, before anything is derived from them. None: no limit.

    Returns
    -------
    GRUGrads
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
    docs/maths/gru.md. clip_step: A. Graves, "Generating Sequences With Recurrent Neural Networks",
    2013, section 2.1.

    Examples
    --------
    >>> import numpy as np
    >>> import fastrnn
    >>> x, w = np.ones((5, 1)), np.full((3, 1), 0.5)
    >>> y, h_n, tape = fastrnn.gru_forward(x, w, w)
    >>> grads = fastrnn.gru_backward(tape, dy=np.ones((5, 1)))
    >>> grads.x.shape, grads.w_hh.shape, grads.h0 is None
    ((5, 1), (3, 1), True)
    """
    return backward(
        tape, "gru", GRUGrads, dy, dh_n, None, truncate=truncate, clip_step=clip_step
    )
