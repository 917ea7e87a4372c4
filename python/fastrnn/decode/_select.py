"""The arithmetic of a search: normalisers of scores, and the best of many in a fixed order."""

import numpy as np
from numpy.typing import NDArray

from fastrnn import _core
from fastrnn._checks import Array
from fastrnn.runtime import backend, team

Ids = NDArray[np.int64]
Floats = NDArray[np.float64]

_NOTHING = -1


def log_normalisers(scores: Array) -> Floats:
    """Return ln Σ exp of each row of contiguous (M, V), which must have finite maxima.

    Raises
    ------
    ValueError
        A row has a NaN or +Inf, or nothing but −Inf.
    """
    M = len(scores)
    if backend.get() == "core":
        loss, kept = np.empty(M, scores.dtype), np.empty((M, 2), scores.dtype)
        first = np.zeros(M, np.int64)
        # A row's normaliser is a by-product of its cross-entropy: its maximum, and 1 / Σ.
        _core.softmax_cross_entropy_forward(
            scores, first, loss, kept, _NOTHING, 0.0, team.get()
        )
        top, total = kept[:, 0].astype(np.float64), -np.log(kept[:, 1].astype(np.float64))
    else:
        top = scores.max(axis=1).astype(np.float64)
        with np.errstate(invalid="ignore"):
            total = np.log(np.exp(scores - top[:, None]).sum(axis=1))
    log_sum: Floats = top + total
    if not np.isfinite(log_sum).all():
        raise ValueError("scores must have no NaN, no +Inf and a finite number in each row")
    return log_sum


def best_of(rows: Array, count: int) -> tuple[Array, Ids]:
    """Return the largest numbers of each row, the largest first, and their places.

    Parameters
    ----------
    rows : ndarray, (A, W)
        No NaN.
    count : int
        1..W.

    Returns
    -------
    values : ndarray, (A, count)
    places : ndarray of int64, (A, count)
        Of equal numbers the one that stands first comes first.
    """
    if backend.get() != "core":
        places = np.argsort(-rows, axis=1, kind="stable")[:, :count]
        return np.take_along_axis(rows, places, axis=1), places
    values = np.empty((len(rows), count), rows.dtype)
    places = np.empty(values.shape, np.int64)
    _core.largest(np.ascontiguousarray(rows), values, places, team.get())
    return values, places
