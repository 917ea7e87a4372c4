"""The gradients that one backward call returns: one frozen dataclass per cell."""

from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray


# eq=False: comparing arrays gives arrays, so a generated == could only raise.
@dataclass(frozen=True, eq=False)
class RNNGrads:
    """Gradients of one RNN layer, as `rnn_backward` returns them.

    A field is None when its argument was not given, and no two fields share memory: clipping them
    in place scales each one once. H is the hidden size and I the input size.

    Attributes
    ----------
    x : ndarray
        In the shape of x; with ``w_ih=None`` the gradient of the projected input.
    w_ih : ndarray or None, (H, I)
    w_hh : ndarray, (H, H)
    b_ih, b_hh : ndarray or None, (H,)
    h0 : ndarray or None
        In the shape of h0; summed over the batch where one (H,) state served every row.

    Examples
    --------
    >>> import numpy as np
    >>> from fastrnn import reference
    >>> y, h_n, tape = reference.rnn_forward(np.ones((2, 1, 1)), np.eye(1), np.eye(1))
    >>> grads = reference.rnn_backward(tape, dh_n=np.ones((1, 1)))
    >>> grads.w_ih.shape, grads.b_ih is None
    ((1, 1), True)
    """

    x: NDArray[Any]
    w_ih: NDArray[Any] | None
    w_hh: NDArray[Any]
    b_ih: NDArray[Any] | None
    b_hh: NDArray[Any] | None
    h0: NDArray[Any] | None


@dataclass(frozen=True, eq=False)
class GRUGrads:
    """Gradients of one GRU layer, as `gru_backward` returns them.

    A field is None when its argument was not given, and no two fields share memory: clipping them
    in place scales each one once. Rows of weights and biases are in the gate order r z n.

    Attributes
    ----------
    x : ndarray
        In the shape of x; with ``w_ih=None`` the gradient of the projected input.
    w_ih : ndarray or None, (3·H, I)
    w_hh : ndarray, (3·H, H)
    b_ih, b_hh : ndarray or None, (3·H,)
        They differ in their n rows when ``reset_after=True``.
    h0 : ndarray or None
        In the shape of h0; summed over the batch where one (H,) state served every row.

    Examples
    --------
    >>> import numpy as np
    >>> from fastrnn import reference
    >>> y, h_n, tape = reference.gru_forward(np.ones((2, 1, 1)), np.ones((3, 1)), np.ones((3, 1)))
    >>> grads = reference.gru_backward(tape, dh_n=np.ones((1, 1)))
    >>> grads.w_ih.shape, grads.b_ih is None
    ((3, 1), True)
    """

    x: NDArray[Any]
    w_ih: NDArray[Any] | None
    w_hh: NDArray[Any]
    b_ih: NDArray[Any] | None
    b_hh: NDArray[Any] | None
    h0: NDArray[Any] | None


@dataclass(frozen=True, eq=False)
class LSTMGrads:
    """Gradients of one LSTM layer, as `lstm_backward` returns them.

    A field is None when its argument was not given, and no two fields share memory: clipping them
    in place scales each one once. Rows of weights and biases are in the gate order i f g o.

    Attributes
    ----------
    x : ndarray
        In the shape of x; with ``w_ih=None`` the gradient of the projected input.
    w_ih : ndarray or None, (4·H, I)
    w_hh : ndarray, (4·H, H)
    b_ih, b_hh : ndarray or None, (4·H,)
        Equal numbers in two arrays.
    h0, c0 : ndarray or None
        In the shapes of h0 and c0; summed over the batch where one (H,) state served every row.
    w_peephole : ndarray or None, (3, H) or (3·H, H)
        Rows i f o.
    w_hr : ndarray or None, (P, H)

    Examples
    --------
    >>> import numpy as np
    >>> from fastrnn import reference
    >>> x, w = np.ones((2, 1, 1)), np.ones((4, 1))
    >>> y, (h_n, c_n), tape = reference.lstm_forward(x, w, w, c0=np.zeros((1, 1)))
    >>> grads = reference.lstm_backward(tape, dc_n=np.ones((1, 1)))
    >>> grads.c0.shape, grads.h0 is None
    ((1, 1), True)
    """

    x: NDArray[Any]
    w_ih: NDArray[Any] | None
    w_hh: NDArray[Any]
    b_ih: NDArray[Any] | None
    b_hh: NDArray[Any] | None
    h0: NDArray[Any] | None
    c0: NDArray[Any] | None
    w_peephole: NDArray[Any] | None
    w_hr: NDArray[Any] | None
