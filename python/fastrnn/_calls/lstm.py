"""The functions of the LSTM: one layer, one direction, explicit arrays."""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from fastrnn._calls import kinds
from fastrnn._calls.call import sequence
from fastrnn._calls.choices import GATES, LSTM_ACTIVATIONS, Squash, lstm_choices
from fastrnn._calls.grads import LSTMGrads
from fastrnn._calls.masks import Masks
from fastrnn._calls.tape import Tape, backward
from fastrnn._checks import Array

Pair = tuple[Array, Array]


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
) -> tuple[Array, Pair]:
    """Run an LSTM over a batch of sequences.

    All floating arrays are float32 or all are float64; lists take the dtype of w_hh. Weights are
    PyTorch's: gates in the order i f g o.

    Parameters
    ----------
    x : array_like, (T, N, I)
        Input; (N, T, I) with `batch_first`; (T, I) is one sequence, and every result loses N.
    w_ih : array_like or None, (4·H, I)
        None: x is the projected input already, (T, N, 4·H) without bias.
    w_hh : array_like, (4·H, H)
        (4·H, P) with projection; y, h0 and h_n then have P columns in the place of H.
    b_ih, b_hh : array_like or None, (4·H,)
    h0, c0 : array_like or None, (N, H) or (H,)
        Initial states, zeros if None; (H,) serves every row.
    w_peephole : array_like or None, (3, H) or (3·H, H)
        Diagonals of the peephole matrices in the order i f o, or the whole matrices.
    w_hr : array_like or None, (P, H)
        Projection, P ≤ H: h' is W_hr times the cell's output.
    lengths : array_like of int or None, (N,)
        Steps that exist in each row, 0..T in any order. What x holds after them is never read.
    reverse : bool
        Start at each row's last existing step and walk back; y stays in input order.
    batch_first : bool
        x and y are (N, T, ·); nothing is copied for it. States stay (N, H).
    num_threads : int or None
        Upper bound for this call; None: `get_num_threads`. Results do not depend on it.
    activations : tuple of str or tuple
        ONNX's f, g, h, of the gates, the candidate and the cell's output, each one of sigmoid,
        tanh, relu, linear, softsign, softplus, or, with the numbers that ``("elu", 0.5)`` gives in
        the order alpha, beta and ONNX's defaults: hard_sigmoid (0.2, 0.5), affine (1, 0),
        leaky_relu (0.01), thresholded_relu (1), scaled_tanh (1, 1), elu (1). ONNX's spelling
        serves too. docs/maths/lstm.md has the formulas.
    clip : float or None
        What f and g are applied to is first limited to ±clip; the gradient is 0 where that acts.
    masks : Masks or None
        Recurrent dropout and zoneout as arrays; None: neither.
    input_forget : bool
        Couple the two gates: f = 1 − i.
    gates : str
        The gates that exist, letters of "ifo"; one that does not is the constant 1. "io" is the
        LSTM of 1997, "" the bare constant error carousel.

    Returns
    -------
    y : ndarray, (T, N, H)
        h after every step, 0 where a row has none.
    (h_n, c_n) : tuple of ndarray, (N, H)
        States after each row's last step; the initial ones for length 0.

    Raises
    ------
    TypeError
        An argument is no array, or has the wrong dtype, or is masked; a flag is no bool.
    ValueError
        A shape or a value breaks its rule, a name is unknown, or input_forget lacks one of its
        gates.
    MemoryError
        The result does not fit.

    Notes
    -----
    With h, c the previous states and ∘ the product element by element::

        i = σ(W_ii x + b_ii + W_hi h + b_hi + p_i ∘ c)
        f = σ(W_if x + b_if + W_hf h + b_hf + p_f ∘ c)
        g = tanh(W_ig x + b_ig + W_hg h + b_hg)
        c' = f ∘ c + i ∘ g
        o = σ(W_io x + b_io + W_ho h + b_ho + p_o ∘ c')
        h' = o ∘ tanh(c')                                 W_hr (o ∘ tanh(c')) with projection

    `activations` put f in the place of σ, g in that of the first tanh and h of the second. Rows of
    weights, biases and w_peephole of a gate that does not exist, or of a coupled forget gate, are
    there but have no effect; their gradients are exactly 0.

    References
    ----------
    S. Hochreiter, J. Schmidhuber, "Long Short-Term Memory", 1997, section 4; the forget gate:
    F. Gers et al., "Learning to Forget", 2000, section 3; peepholes: F. Gers et al., "Learning
    Precise Timing with LSTM Recurrent Networks", 2002, section 3, with whole matrices A. Graves,
    "Generating Sequences With Recurrent Neural Networks", 2013, equations 7 to 11; projection:
    H. Sak et al., "Long Short-Term Memory Based Recurrent Neural Network Architectures for Large
    Vocabulary Speech Recognition", 2014, equations 7 and 8.

    Examples
    --------
    >>> import numpy as np
    >>> import fastrnn
    >>> rng = np.random.default_rng(0)
    >>> x = rng.standard_normal((5, 2, 3))
    >>> w_ih, w_hh = rng.standard_normal((16, 3)), rng.standard_normal((16, 4))
    >>> y, (h_n, c_n) = fastrnn.lstm(x, w_ih, w_hh, lengths=[5, 2])
    >>> y.shape, bool((y[1, 1] == h_n[1]).all()), bool((y[2:, 1] == 0).all())
    ((5, 2, 4), True, True)
    """
    kind = kind_of(activations, gates, input_forget, clip, w_peephole, w_hr)
    y, h_n, c_n, _ = sequence(
        kind, x, (w_ih, w_hh, b_ih, b_hh, w_peephole, w_hr), h0, c0, lengths, reverse, batch_first,
        num_threads, masks=masks,
    )  # fmt: skip
    return y, (h_n, c_n)  # type: ignore[return-value]


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
) -> tuple[Array, Pair, Tape]:
    """Run `lstm`, with its arguments and errors, and keep what `lstm_backward` needs.

    Returns
    -------
    y : ndarray, (T, N, H)
        Read-only, because the tape refers to it; ``y.copy()`` is yours.
    (h_n, c_n) : tuple of ndarray, (N, H)
    tape : Tape
        Serves one `lstm_backward`, with the same `num_threads`. It refers to x, the weights and
        the initial states: do not change them in place before.

    Raises
    ------
    TypeError, ValueError, MemoryError
        As `lstm`.

    Examples
    --------
    >>> import numpy as np
    >>> import fastrnn
    >>> w = np.full((4, 1), 0.5)
    >>> y, (h_n, c_n), tape = fastrnn.lstm_forward(np.ones((5, 1)), w, w)
    >>> tape.gates.shape, bool(tape.c[-1] == c_n), y.flags.writeable
    ((5, 4, 1), True, False)
    """
    kind = kind_of(activations, gates, input_forget, clip, w_peephole, w_hr)
    y, h_n, c_n, tape = sequence(
        kind, x, (w_ih, w_hh, b_ih, b_hh, w_peephole, w_hr), h0, c0, lengths, reverse, batch_first,
        num_threads, keep=True, masks=masks,
    )  # fmt: skip
    return y, (h_n, c_n), tape  # type: ignore[return-value]


def lstm_backward(
    tape: Tape,
    dy: ArrayLike | None = None,
    dh_n: ArrayLike | None = None,
    dc_n: ArrayLike | None = None,
    *,
    truncate: int | None = None,
    clip_step: float | None = None,
) -> LSTMGrads:
    """Backpropagate through time over the call that made the tape.

    Parameters
    ----------
    tape : Tape
        From `lstm_forward`; used up by this call.
    dy : array_like or None, in the shape of y
        Gradient of the loss by y, zeros if None; padding is never read.
    dh_n, dc_n : array_like or None, in the shape of h_n and c_n
        Gradients of the loss by the final states, zeros if None.
    truncate : int or None
        Cut the recurrent gradient every k steps of a row, counted from 0 where it starts (its
        last step with `reverse`): nothing flows from its steps k, 2k, … into the h and c before
        them. That is truncated BPTT over chunks of k steps that hand on their states. None: no cut.
    clip_step : float or None
        Limit each step's gradients by the gates' pre-activations to ±clip_step, element by
        element, before anything is derived from them. None: no limit.

    Returns
    -------
    LSTMGrads
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
    docs/maths/lstm.md. clip_step: A. Graves, "Generating Sequences With Recurrent Neural Networks",
    2013, section 2.1.

    Examples
    --------
    >>> import numpy as np
    >>> import fastrnn
    >>> x, w = np.ones((5, 1)), np.full((4, 1), 0.5)
    >>> y, state, tape = fastrnn.lstm_forward(x, w, w)
    >>> grads = fastrnn.lstm_backward(tape, dy=np.ones((5, 1)))
    >>> grads.x.shape, grads.w_hh.shape, grads.h0 is None
    ((5, 1), (4, 1), True)
    """
    return backward(
        tape, "lstm", LSTMGrads, dy, dh_n, dc_n, truncate=truncate, clip_step=clip_step
    )



def kind_of(
    activations: Any, gates: Any, input_forget: Any, clip: Any, w_peephole: Any, w_hr: Any
) -> kinds.Kind:
    """Return the cell of a call."""
    choices = lstm_choices(activations, gates, input_forget, clip)
    if w_peephole is None and w_hr is None:
        return kinds.lstm(choices, peephole=False)
    rows = len(w_peephole) if isinstance(w_peephole, (list, tuple)) else 3
    if isinstance(w_peephole, np.ndarray) and w_peephole.ndim == 2:
        rows = w_peephole.shape[0]
    full = rows != 3
    return kinds.lstm(choices, w_peephole is not None, general=full or w_hr is not None)
