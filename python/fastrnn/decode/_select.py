"""The arithmetic of a search: normalisers of scores, and the best of many in a fixed order."""

import numpy as np
from numpy.typing import NDArray

from fastrnn import _core
from fastrnn._checks import Array
from fastrnn.runtime import backend, team

Ids = NDArray[np.int64]
Floats = NDArray[np.float64]

_BLOCK = 64
_FEW = 8  # so many are taken one by one: 5 of 225 numbers in 200 rows in 43 us instead of 405
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
        Of equal numbers the one that stands first comes first; of −Inf it may be any.

    Notes
    -----
    In a long row only the blocks with the largest maxima are looked at: if the next block's maximum
    is smaller, every number outside of them has `count` larger ones, one in each of these blocks.
    """
    W = rows.shape[1]
    count = min(count, W)
    if count == 1:
        largest: Ids = rows.argmax(axis=1)[:, None]
        return largest
    blocks = W // _BLOCK
    if blocks <= 2 * count:
        return _sorted(rows, count)
    # Block b holds every blocks-th number from b on, so that its maximum is one of vectors.
    maxima = rows[:, : blocks * _BLOCK].reshape(-1, _BLOCK, blocks).max(axis=1)
    chosen = _sorted(maxima, count + 1)
    last, following = (np.take_along_axis(maxima, chosen[:, [k]], axis=1) for k in (-2, -1))
    places = (np.arange(_BLOCK)[:, None] * blocks + chosen[:, None, :count]).reshape(len(rows), -1)
    rest = np.broadcast_to(np.arange(blocks * _BLOCK, W), (len(rows), W - blocks * _BLOCK))
    places = np.sort(np.concatenate([places, rest], axis=1), axis=1)
    found = np.take_along_axis(
        places, _sorted(np.take_along_axis(rows, places, axis=1), count), axis=1
    )
    tied = np.flatnonzero((last == following) & (last > -np.inf))
    if len(tied):
        found[tied] = np.argsort(-rows[tied], axis=1, kind="stable")[:, :count]
    return found


def _sorted(rows: Array, count: int) -> Ids:
    """Return what `best_of` does, by looking at whole rows."""
    W = rows.shape[1]
    if count <= _FEW:
        return _taken(rows, count)
    if count == W:
        return np.argsort(-rows, axis=1, kind="stable")
    parts = np.argpartition(rows, (W - count - 1, W - count), axis=1)[:, W - count - 1 :]
    # In the order of their places, so that a stable sort keeps the first of equal ones first.
    following, own = parts[:, :1], np.sort(parts[:, 1:], axis=1)
    values = np.take_along_axis(rows, own, axis=1)
    found = np.take_along_axis(own, np.argsort(-values, axis=1, kind="stable"), axis=1)
    next_value = np.take_along_axis(rows, following, axis=1)[:, 0]
    tied = np.flatnonzero((values.min(axis=1) == next_value) & (next_value > -np.inf))
    if len(tied):
        found[tied] = np.argsort(-rows[tied], axis=1, kind="stable")[:, :count]
    return found


def _taken(rows: Array, count: int) -> Ids:
    """Return what `_sorted` does: the first of the largest numbers, then the next, and so on."""
    left, every = rows.copy(), np.arange(len(rows))
    found = np.empty((len(rows), count), np.int64)
    for k in range(count):
        found[:, k] = left.argmax(axis=1)
        last = left[every, found[:, k]]
        left[every, found[:, k]] = -np.inf
    short = np.flatnonzero((last == -np.inf) & (rows[every, found[:, 0]] > -np.inf))
    if len(short):  # fewer than count are numbers, and the first has been found again
        found[short] = np.argsort(-rows[short], axis=1, kind="stable")[:, :count]
    return found
