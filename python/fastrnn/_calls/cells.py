"""One step of each cell, for loops that need its result to choose the next input."""

from numpy.typing import ArrayLike

from fastrnn._calls import kinds
from fastrnn._calls.call import step
from fastrnn._calls.choices import (
    GATES,
    GRU_ACTIVATIONS,
    LSTM_ACTIVATIONS,
    Squash,
    gru_choices,
)
from fastrnn._calls.lstm import kind_of as lstm_kind
from fastrnn._calls.rnn import kind_of
from fastrnn._checks import Array, flag


def rnn_cell(
    x_t: ArrayLike,
    h: ArrayLike | None,
    w_ih: ArrayLike | None,
    w_hh: ArrayLike,
    b_ih: ArrayLike | None = None,
    b_hh: ArrayLike | None = None,
    *,
    nonlinearity: Squash = "tanh",
    clip: float | None = None,
    num_threads: int | None = None,
) -> Array:
    """Run one step of a simple RNN; equal bit for bit to the same step inside `rnn`.

    Parameters
    ----------
    x_t : array_like, (N, I) or (I,)
        (I,) is one row, and the result loses N.
    h : array_like or None, (N, H) or (H,)
        The previous state; None: zeros.
    w_ih, w_hh, b_ih, b_hh, nonlinearity, clip, num_threads
        As `rnn`.

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
    kind = kind_of(nonlinearity, clip)
    return step(kind, x_t, h, None, (w_ih, w_hh, b_ih, b_hh, None, None), num_threads)[0]


def gru_cell(
    x_t: ArrayLike,
    h: ArrayLike | None,
    w_ih: ArrayLike | None,
    w_hh: ArrayLike,
    b_ih: ArrayLike | None = None,
    b_hh: ArrayLike | None = None,
    *,
    reset_after: bool = True,
    activations: tuple[Squash, Squash] = GRU_ACTIVATIONS,
    clip: float | None = None,
    num_threads: int | None = None,
) -> Array:
    """Run one step of a GRU; equal bit for bit to the same step inside `gru`.

    Parameters
    ----------
    x_t : array_like, (N, I) or (I,)
        (I,) is one row, and the result loses N.
    h : array_like or None, (N, H) or (H,)
        The previous state; None: zeros.
    w_ih, w_hh, b_ih, b_hh, reset_after, activations, clip, num_threads
        As `gru`.

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
    kind = kinds.gru(gru_choices(activations, clip), flag("reset_after", reset_after))
    return step(kind, x_t, h, None, (w_ih, w_hh, b_ih, b_hh, None, None), num_threads)[0]


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
    activations: tuple[Squash, Squash, Squash] = LSTM_ACTIVATIONS,
    clip: float | None = None,
    input_forget: bool = False,
    gates: str = GATES,
    num_threads: int | None = None,
) -> tuple[Array, Array]:
    """Run one step of an LSTM; equal bit for bit to the same step inside `lstm`.

    Parameters
    ----------
    x_t : array_like, (N, I) or (I,)
        (I,) is one row, and the results lose N.
    state : tuple (h, c) or None
        (N, H) or (H,) each, P columns of h with w_hr; None: zeros.
    w_ih, w_hh, b_ih, b_hh, w_peephole, w_hr, activations, clip, input_forget, gates, num_threads
        As `lstm`.

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
    kind = lstm_kind(activations, gates, input_forget, clip, w_peephole, w_hr)
    h, c = step(kind, x_t, *state, (w_ih, w_hh, b_ih, b_hh, w_peephole, w_hr), num_threads)
    return h, c  # type: ignore[return-value]
