"""The arithmetic of a search: normalisers of scores, and the best of many in a fixed order."""

import numpy as np
from numpy.typing import NDArray

from fastrnn import _core
from fastrnn._checks import Array
from fastrnn.runtime import backend, team

Ids = NDArray[np.int64]
Floats = NDArray[np.float64]

_BLOCK = 64
_NOTHING = -1


def log_normalisers(scores: Array) -> Floats:
    """Return ln Σ exp of each row of (M, V), which must have finite maxima.

    Raises
    ------
    ValueError
        A row has a NaN or +Inf, or nothing but −Inf.
    """
    M = len(scores)
    if backend.get() == "core" and scores.flags.c_contiguous:
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
    found: Floats = top + total
    if not np.isfinite(found).all():
        raise ValueError("scores must have no NaN, no +Inf and a finite number in each row")
    return found


def best_of(rows: Array, count: int) -> Ids:
    """Return the places of the largest numbers of each row, the largest first.

    Parameters
    ----------
    rows : ndarray, (A, W)
    count : int
        At least 1.

    Returns
    -------
    ndarray of int64, (A, min(count, W))
        Of equal numbers the one that stands first comes first.

    Notes
    -----
    In long rows only the blocks with the largest maxima are sorted. Every number outside of them
    has `count` numbers before it, one in each of these blocks.
    """
    A, W = rows.shape
    count = min(count, W)
    if count == 1:
        largest: Ids = rows.argmax(axis=1)[:, None]
        return largest
    blocks = W // _BLOCK
    if blocks <= 2 * count:
        return np.argsort(-rows, axis=1, kind="stable")[:, :count]
    whole = rows[:, : blocks * _BLOCK].reshape(A, blocks, _BLOCK)
    chosen = np.argsort(-whole.max(axis=2), axis=1, kind="stable")[:, :count]
    chosen = np.sort(chosen, axis=1)
    places = (chosen[:, :, None] * _BLOCK + np.arange(_BLOCK)).reshape(A, -1)
    rest = np.broadcast_to(np.arange(blocks * _BLOCK, W), (A, W - blocks * _BLOCK))
    places = np.concatenate([places, rest], axis=1)
    order = np.argsort(-np.take_along_axis(rows, places, axis=1), axis=1, kind="stable")
    found: Ids = np.take_along_axis(places, order[:, :count], axis=1)
    return found
