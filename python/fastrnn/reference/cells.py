"""One step of each cell, as a sequence of one step: what `stream` and decoders repeat."""

from typing import Any, Unpack

from numpy.typing import ArrayLike

from fastrnn.cells import GRUOptions, LSTMOptions, RNNOptions, takes
from fastrnn.reference._math import Array, as_array
from fastrnn.reference.gru import gru
from fastrnn.reference.lstm import lstm
from fastrnn.reference.rnn import rnn


def _one_step(x_t: Any, w_hh: Any) -> Any:
    x_t = as_array(x_t, as_array(w_hh))
    if x_t.ndim not in (1, 2):
        raise ValueError(f"x_t must have shape (N, I) or (I,), got {x_t.shape}")
    return x_t[None]


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
    """Run one step of a simple recurrent network.

    Parameters
    ----------
    x_t : array_like, (N, I) or (I,)
        (I,) is one row, and the result loses N.
    h : array_like or None, (N, H) or (H,)
        None: zeros.
    w_ih, w_hh, b_ih, b_hh, num_threads
        As `rnn`.
    **options

    Returns
    -------
    h : ndarray, (N, H)

    Raises
    ------
    TypeError, ValueError
        As `rnn`.

    References
    ----------
    As `rnn`.

    Examples
    --------
    >>> import numpy as np
    >>> from fastrnn import reference
    >>> reference.rnn_cell(np.ones(1), np.ones(1), np.eye(1), np.eye(1), nonlinearity="linear")
    array([2.])
    """
    _, h_n = rnn(
        _one_step(x_t, w_hh),
        w_ih,
        w_hh,
        b_ih,
        b_hh,
        h,
        num_threads=num_threads,
        **options,
    )
    return h_n


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
    """Run one step of a GRU.

    Parameters
    ----------
    x_t : array_like, (N, I) or (I,)
        (I,) is one row, and the result loses N.
    h : array_like or None, (N, H) or (H,)
        None: zeros.
    w_ih, w_hh, b_ih, b_hh, num_threads
        As `gru`.
    **options

    Returns
    -------
    h : ndarray, (N, H)

    Raises
    ------
    TypeError, ValueError
        As `gru`.

    References
    ----------
    As `gru`.

    Examples
    --------
    >>> import numpy as np
    >>> from fastrnn import reference
    >>> reference.gru_cell(np.ones(1), np.ones(2), np.zeros((6, 1)), np.zeros((6, 2)))
    array([0.5, 0.5])
    """
    _, h_n = gru(
        _one_step(x_t, w_hh),
        w_ih,
        w_hh,
        b_ih,
        b_hh,
        h,
        num_threads=num_threads,
        **options,
    )
    return h_n


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
    """Run one step of an LSTM.

    Parameters
    ----------
    x_t : array_like, (N, I) or (I,)
        (I,) is one row, and the results lose N.
    state : tuple (h, c) or None
        (N, H) or (H,) each; None: zeros.
    w_ih, w_hh, b_ih, b_hh, w_peephole, w_hr, num_threads
        As `lstm`.
    **options

    Returns
    -------
    (h, c) : tuple of ndarray, (N, H)

    Raises
    ------
    TypeError, ValueError
        As `lstm`.

    References
    ----------
    As `lstm`.

    Examples
    --------
    >>> import numpy as np
    >>> from fastrnn import reference
    >>> w_ih, w_hh = np.zeros((8, 3)), np.zeros((8, 2))
    >>> h, c = reference.lstm_cell(np.ones(3), (np.zeros(2), np.ones(2)), w_ih, w_hh)
    >>> c
    array([0.5, 0.5])
    """
    h, c = (None, None) if state is None else state
    _, state_n = lstm(
        _one_step(x_t, w_hh),
        w_ih,
        w_hh,
        b_ih,
        b_hh,
        h,
        c,
        w_peephole=w_peephole,
        w_hr=w_hr,
        num_threads=num_threads,
        **options,
    )
    return state_n
