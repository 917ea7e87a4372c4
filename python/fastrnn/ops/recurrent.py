"""rnn, gru and lstm for autograd: a whole sequence is one node, forward and backward in C++."""

from collections.abc import Callable
from typing import Any

from fastrnn import functional
from fastrnn._call import gradients
from fastrnn.ops._primitive import Call, differentiable

_BACK = ("truncate", "clip_step")  # options that are the backward function's


def rnn(
    x: Any,
    w_ih: Any,
    w_hh: Any,
    b_ih: Any = None,
    b_hh: Any = None,
    h0: Any = None,
    **options: Any,
) -> tuple[Any, Any]:
    """Run `fastrnn.rnn`, differentiable under autograd by every array.

    Parameters
    ----------
    x, w_ih, w_hh, b_ih, b_hh, h0
        As `fastrnn.rnn`: (T, N, I), (H, I), (H, H), (H,), (H,) and (N, H). With ``w_ih=None`` the
        gradient by x is that of the projected input.
    **options
        Keywords of `fastrnn.rnn` (nonlinearity, lengths, reverse, batch_first, num_threads) and of
        `fastrnn.rnn_backward` (truncate, clip_step).

    Returns
    -------
    y : ndarray, (T, N, H)
        Read-only while something is being differentiated.
    h_n : ndarray, (N, H)

    Raises
    ------
    TypeError, ValueError, MemoryError
        As `fastrnn.rnn`.
    NotImplementedError
        A second derivative is asked for, or forward mode; `fastrnn.reference.rnn` has both.

    Notes
    -----
    A call is one node of autograd, however many steps it has. It keeps a tape only while something
    is being differentiated, and the backward pass uses it up.

    References
    ----------
    As `fastrnn.rnn` and `fastrnn.rnn_backward`.

    Examples
    --------
    >>> import numpy as np
    >>> from autograd import grad
    >>> from fastrnn import ops
    >>> x, w = np.ones((5, 2, 1)), np.full((1, 1), 0.5)
    >>> grad(lambda w: ops.rnn(x, None, w, nonlinearity="linear")[1].sum())(w)
    array([[6.5]])
    """
    y, h_n = _rnn(x, w_ih, w_hh, b_ih, b_hh, h0, **options)
    return y, h_n


def gru(
    x: Any,
    w_ih: Any,
    w_hh: Any,
    b_ih: Any = None,
    b_hh: Any = None,
    h0: Any = None,
    **options: Any,
) -> tuple[Any, Any]:
    """Run `fastrnn.gru`, differentiable under autograd by every array.

    Parameters
    ----------
    x, w_ih, w_hh, b_ih, b_hh, h0
        As `fastrnn.gru`: (T, N, I), (3·H, I), (3·H, H), (3·H,), (3·H,) and (N, H). With
        ``w_ih=None`` the gradient by x is that of the projected input.
    **options
        Keywords of `fastrnn.gru` (reset_after, lengths, reverse, batch_first, num_threads) and of
        `fastrnn.gru_backward` (truncate, clip_step).

    Returns
    -------
    y : ndarray, (T, N, H)
        Read-only while something is being differentiated.
    h_n : ndarray, (N, H)

    Raises
    ------
    TypeError, ValueError, MemoryError
        As `fastrnn.gru`.
    NotImplementedError
        A second derivative is asked for, or forward mode; `fastrnn.reference.gru` has both.

    Notes
    -----
    A call is one node of autograd, however many steps it has. It keeps a tape only while something
    is being differentiated, and the backward pass uses it up.

    References
    ----------
    As `fastrnn.gru` and `fastrnn.gru_backward`.

    Examples
    --------
    >>> import numpy as np
    >>> from autograd import grad
    >>> from fastrnn import ops
    >>> x, w_ih, w_hh = np.ones((5, 2, 1)), np.zeros((6, 1)), np.zeros((6, 2))
    >>> grad(lambda h0: ops.gru(x, w_ih, w_hh, h0=h0)[1].sum())(np.ones(2)) == 2 * 0.5**5
    array([ True,  True])
    """
    y, h_n = _gru(x, w_ih, w_hh, b_ih, b_hh, h0, **options)
    return y, h_n


def lstm(
    x: Any,
    w_ih: Any,
    w_hh: Any,
    b_ih: Any = None,
    b_hh: Any = None,
    h0: Any = None,
    c0: Any = None,
    *,
    w_peephole: Any = None,
    w_hr: Any = None,
    **options: Any,
) -> tuple[Any, tuple[Any, Any]]:
    """Run `fastrnn.lstm`, differentiable under autograd by every array.

    Parameters
    ----------
    x, w_ih, w_hh, b_ih, b_hh, h0, c0, w_peephole, w_hr
        As `fastrnn.lstm`: (T, N, I), (4·H, I), (4·H, H), (4·H,), (4·H,), (N, H), (N, H), (3, H).
        With ``w_ih=None`` the gradient by x is that of the projected input.
    **options
        Keywords of `fastrnn.lstm` (lengths, reverse, batch_first, activations, clip, input_forget,
        gates, num_threads) and of `fastrnn.lstm_backward` (truncate, clip_step).

    Returns
    -------
    y : ndarray, (T, N, H)
        Read-only while something is being differentiated.
    (h_n, c_n) : tuple of ndarray, (N, H)

    Raises
    ------
    TypeError, ValueError, MemoryError
        As `fastrnn.lstm`.
    NotImplementedError
        A second derivative is asked for, or forward mode; `fastrnn.reference.lstm` has both.

    Notes
    -----
    A call is one node of autograd, however many steps it has. It keeps a tape only while something
    is being differentiated, and the backward pass uses it up.

    References
    ----------
    As `fastrnn.lstm` and `fastrnn.lstm_backward`.

    Examples
    --------
    >>> import numpy as np
    >>> from autograd import grad
    >>> from fastrnn import ops
    >>> x, w = np.ones((3, 1)), np.zeros((4, 1))
    >>> def loss(c0):
    ...     y, (h_n, c_n) = ops.lstm(x, w, w, c0=c0)
    ...     return c_n.sum()
    >>> grad(loss)(np.ones(1))
    array([0.125])
    """
    y, h_n, c_n = _lstm(x, w_ih, w_hh, b_ih, b_hh, h0, c0, w_peephole, w_hr, **options)
    return y, (h_n, c_n)


def _operation(name: str) -> Callable[..., Any]:
    """Return the cell's function of arrays as an operation of autograd."""
    is_lstm, keeping = name == "lstm", f"{name}_forward"

    def forward(call: Call, *arrays: Any, **options: Any) -> tuple[Any, ...]:
        back = {key: options.pop(key) for key in _BACK if key in options} if options else {}
        if is_lstm:
            options["w_peephole"], options["w_hr"] = arrays[7:]
        if call.traced:
            y, state, tape = getattr(functional, keeping)(*arrays[:7], **options)
            call.kept = tape, back
        else:
            y, state = getattr(functional, name)(*arrays[:7], **options)
        return (y, *state) if is_lstm else (y, state)

    def backward(call: Call, g: tuple[Any, ...]) -> tuple[Any, ...]:
        tape, options = call.kept
        dy, dh_n, dc_n = g if is_lstm else (*g, None)
        result = gradients(tape, name, dy, dh_n, dc_n, want_x=call.wanted[0], **options)
        return result if is_lstm else result[:6]

    return differentiable(name, forward, backward)


_rnn, _gru, _lstm = map(_operation, ("rnn", "gru", "lstm"))
