"""The functions of fastrnn: one layer, one direction, explicit arrays, in and out."""

from collections.abc import Mapping
from typing import Any, Unpack

import numpy as np
from numpy.typing import ArrayLike

from fastrnn._call import Part, Tape, backward, call, check_weights, step
from fastrnn._checks import Array
from fastrnn.cells import (
    GRUGrads,
    GRUOptions,
    GRUSpec,
    LSTMGrads,
    LSTMOptions,
    LSTMSpec,
    Masks,
    RNNGrads,
    RNNOptions,
    RNNSpec,
    takes,
)

__all__ = [
    "GRUGrads",
    "LSTMGrads",
    "RNNGrads",
    "Tape",
    "gru",
    "gru_backward",
    "gru_cell",
    "gru_forward",
    "lstm",
    "lstm_backward",
    "lstm_cell",
    "lstm_forward",
    "rnn",
    "rnn_backward",
    "rnn_cell",
    "rnn_forward",
]

Pair = tuple[Array, Array]


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
    **options
    lengths : array_like of int or None, (N,)
        Steps that exist in each row, 0..T in any order. What x holds after them is never read.
    reverse : bool
        Start at each row's last existing step and walk back; y stays in input order.
    batch_first : bool
        x and y are (N, T, ·); nothing is copied for it. States stay (N, H).
    num_threads : int or None
        Upper bound for this call; None: `get_num_threads`. Results do not depend on it.
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
    part = check_weights(RNNSpec.of(options), reverse, w_ih, w_hh, b_ih, b_hh)
    y, h_n, _, _ = call(
        part, x, h0, None, lengths, batch_first, num_threads, keep=False, masks=masks
    )
    return y, h_n


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
    part = check_weights(RNNSpec.of(options), reverse, w_ih, w_hh, b_ih, b_hh)
    y, h_n, _, tape = call(
        part, x, h0, None, lengths, batch_first, num_threads, keep=True, masks=masks
    )
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


@takes(GRUOptions)
def gru(
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
    **options: Unpack[GRUOptions],
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
    **options
    lengths : array_like of int or None, (N,)
        Steps that exist in each row, 0..T in any order. What x holds after them is never read.
    reverse : bool
        Start at each row's last existing step and walk back; y stays in input order.
    batch_first : bool
        x and y are (N, T, ·); nothing is copied for it. States stay (N, H).
    num_threads : int or None
        Upper bound for this call; None: `get_num_threads`. Results do not depend on it.
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
    part = check_weights(GRUSpec.of(options), reverse, w_ih, w_hh, b_ih, b_hh)
    y, h_n, _, _ = call(
        part, x, h0, None, lengths, batch_first, num_threads, keep=False, masks=masks
    )
    return y, h_n


@takes(GRUOptions)
def gru_forward(
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
    **options: Unpack[GRUOptions],
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
    part = check_weights(GRUSpec.of(options), reverse, w_ih, w_hh, b_ih, b_hh)
    y, h_n, _, tape = call(
        part, x, h0, None, lengths, batch_first, num_threads, keep=True, masks=masks
    )
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
    **options
    masks : Masks or None
        Recurrent dropout and zoneout as arrays; None: neither.

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
    part = _lstm_part(options, w_ih, w_hh, b_ih, b_hh, w_peephole, w_hr, reverse)
    y, h_n, c_n, _ = call(
        part, x, h0, c0, lengths, batch_first, num_threads, keep=False, masks=masks
    )
    return y, (h_n, c_n)  # type: ignore[return-value]


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
    part = _lstm_part(options, w_ih, w_hh, b_ih, b_hh, w_peephole, w_hr, reverse)
    y, h_n, c_n, tape = call(
        part, x, h0, c0, lengths, batch_first, num_threads, keep=True, masks=masks
    )
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


@takes(RNNOptions)
def rnn_cell(
    x_t: ArrayLike,
    h: ArrayLike | None,
    w_ih: ArrayLike | None,
    w_hh: ArrayLike,
    b_ih: ArrayLike | None = None,
    b_hh: ArrayLike | None = None,
    *,
    num_threads: int | None = None,
    **options: Unpack[RNNOptions],
) -> Array:
    """Run one step of a simple RNN; equal bit for bit to the same step inside `rnn`.

    Parameters
    ----------
    x_t : array_like, (N, I) or (I,)
        (I,) is one row, and the result loses N.
    h : array_like or None, (N, H) or (H,)
        The previous state; None: zeros.
    w_ih, w_hh, b_ih, b_hh, num_threads
        As `rnn`.
    **options

    Returns
    -------
    h : ndarray, (N, H)

    Raises
    ------
    TypeError, ValueError, MemoryError
        As `rnn`.

    Examples
    --------
    >>> import numpy as np
    >>> import fastrnn
    >>> w = np.eye(2)
    >>> fastrnn.rnn_cell(np.ones(2), np.array([1.0, -2.0]), w, w, nonlinearity="relu")
    array([2., 0.])
    """
    part = check_weights(RNNSpec.of(options), False, w_ih, w_hh, b_ih, b_hh)
    return step(part, x_t, h, None, num_threads)[0]


@takes(GRUOptions)
def gru_cell(
    x_t: ArrayLike,
    h: ArrayLike | None,
    w_ih: ArrayLike | None,
    w_hh: ArrayLike,
    b_ih: ArrayLike | None = None,
    b_hh: ArrayLike | None = None,
    *,
    num_threads: int | None = None,
    **options: Unpack[GRUOptions],
) -> Array:
    """Run one step of a GRU; equal bit for bit to the same step inside `gru`.

    Parameters
    ----------
    x_t : array_like, (N, I) or (I,)
        (I,) is one row, and the result loses N.
    h : array_like or None, (N, H) or (H,)
        The previous state; None: zeros.
    w_ih, w_hh, b_ih, b_hh, num_threads
        As `gru`.
    **options

    Returns
    -------
    h : ndarray, (N, H)

    Raises
    ------
    TypeError, ValueError, MemoryError
        As `gru`.

    Examples
    --------
    >>> import numpy as np
    >>> import fastrnn
    >>> fastrnn.gru_cell(np.ones(3), np.ones(2), np.zeros((6, 3)), np.zeros((6, 2)))
    array([0.5, 0.5])
    """
    part = check_weights(GRUSpec.of(options), False, w_ih, w_hh, b_ih, b_hh)
    return step(part, x_t, h, None, num_threads)[0]


@takes(LSTMOptions)
def lstm_cell(
    x_t: ArrayLike,
    state: tuple[ArrayLike | None, ArrayLike | None] | None,
    w_ih: ArrayLike | None,
    w_hh: ArrayLike,
    b_ih: ArrayLike | None = None,
    b_hh: ArrayLike | None = None,
    *,
    w_peephole: ArrayLike | None = None,
    w_hr: ArrayLike | None = None,
    num_threads: int | None = None,
    **options: Unpack[LSTMOptions],
) -> tuple[Array, Array]:
    """Run one step of an LSTM; equal bit for bit to the same step inside `lstm`.

    Parameters
    ----------
    x_t : array_like, (N, I) or (I,)
        (I,) is one row, and the results lose N.
    state : tuple (h, c) or None
        (N, H) or (H,) each, P columns of h with w_hr; None: zeros.
    w_ih, w_hh, b_ih, b_hh, w_peephole, w_hr, num_threads
        As `lstm`.
    **options

    Returns
    -------
    (h, c) : tuple of ndarray, (N, H)

    Raises
    ------
    TypeError, ValueError, MemoryError
        As `lstm`; state is neither None nor a pair.

    Examples
    --------
    >>> import numpy as np
    >>> import fastrnn
    >>> w_ih, w_hh = np.zeros((8, 3)), np.zeros((8, 2))
    >>> h, c = fastrnn.lstm_cell(np.ones(3), (np.zeros(2), np.ones(2)), w_ih, w_hh)
    >>> c
    array([0.5, 0.5])
    """
    if state is None:
        state = (None, None)
    elif not isinstance(state, (tuple, list)):
        raise TypeError(f"state must be a tuple (h, c) or None, got {type(state).__name__}")
    elif len(state) != 2:
        raise ValueError(f"state must be a tuple (h, c), got {len(state)} elements")
    part = _lstm_part(options, w_ih, w_hh, b_ih, b_hh, w_peephole, w_hr, False)
    h, c = step(part, x_t, *state, num_threads)
    return h, c  # type: ignore[return-value]


def _lstm_part(
    options: Mapping[str, Any], w_ih: Any, w_hh: Any, b_ih: Any, b_hh: Any, w_peephole: Any,
    w_hr: Any, reverse: Any,
) -> Part:  # fmt: skip
    """Return the weights of a call, from whose number it follows which LSTM it is."""
    peephole: Any = w_peephole is not None
    if peephole:
        full = len(w_peephole) != 3 if isinstance(w_peephole, (list, tuple)) else False
        if isinstance(w_peephole, np.ndarray) and w_peephole.ndim == 2:
            full = w_peephole.shape[0] != 3
        peephole = "full" if full else True
    spec = LSTMSpec.of(options, peephole, projection=w_hr is not None)
    return check_weights(spec, reverse, w_ih, w_hh, b_ih, b_hh, w_peephole, w_hr)
