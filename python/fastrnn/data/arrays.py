"""From symbols and ragged sequences to arrays: one-hot rows, k-mer ids, padded batches."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, DTypeLike, NDArray

from fastrnn._checks import dtype_of, flag, integer, items

Ids = NDArray[np.int64]
_MOST_KMERS = 2**24  # ids beyond it have no use: no table of that size is trained


def as_ids(name: str, value: ArrayLike, size: int) -> Ids:
    """Return `value` as int64, each in 0..size−1.

    Raises
    ------
    TypeError
        It holds anything but integers.
    ValueError
        One of them is negative or too large.
    """
    array = np.asarray(value)
    if array.size == 0 and not isinstance(value, np.ndarray):
        array = array.astype(np.int64)
    if array.dtype.kind not in "iu":
        raise TypeError(f"{name} must hold integers, got {array.dtype}")
    wrong = (array < 0) | (array >= size)
    if wrong.any():
        raise ValueError(f"{name} must lie in 0..{size - 1}, got {array[wrong].flat[0]}")
    return array.astype(np.int64, copy=False)


def one_hot(ids: ArrayLike, size: int, dtype: DTypeLike = np.float32) -> NDArray[Any]:
    """Return rows that are 1 at one place and 0 elsewhere.

    Parameters
    ----------
    ids : array_like of int, any shape
        The places, each in 0..size−1.
    size : int
        V, the length of a row.
    dtype : dtype
        Of the result.

    Returns
    -------
    ndarray, shape of ids + (V,)

    Raises
    ------
    TypeError
        ids holds anything but integers.
    ValueError
        An id is outside of 0..V−1.

    Examples
    --------
    >>> from fastrnn.data import one_hot
    >>> one_hot([2, 0], 3)
    array([[0., 0., 1.],
           [1., 0., 0.]], dtype=float32)
    """
    size = integer("size", size, 1)
    places = as_ids("ids", ids, size)
    rows = np.zeros((*places.shape, size), dtype_of("dtype", dtype))
    np.put_along_axis(rows, places[..., None], 1, axis=-1)
    return rows


def kmers(sequence: str, k: int, alphabet: str = "ACGT") -> Ids:
    """Return the ids of all overlapping k-mers of a sequence.

    Parameters
    ----------
    sequence : str
        n letters.
    k : int
        Letters of a k-mer.
    alphabet : str
        A distinct letters. Upper and lower case are different.

    Returns
    -------
    ndarray of int64, (max(n − k + 1, 0),)
        1 + the k-mer read as a number to the base A, most significant letter first: 1..Aᵏ. A k-mer
        with a letter outside of the alphabet (an ambiguous base) has the id 0.

    Raises
    ------
    TypeError
        sequence or alphabet is no str, or k no integer.
    ValueError
        k is less than 1, a letter stands twice in the alphabet, or Aᵏ exceeds 2²⁴.

    Examples
    --------
    >>> from fastrnn.data import kmers
    >>> kmers("AACGN", 2)
    array([1, 2, 7, 0])
    """
    k = integer("k", k, 1)
    for name, text in (("sequence", sequence), ("alphabet", alphabet)):
        if not isinstance(text, str):
            raise TypeError(f"{name} must be a str, got {text!r}")
    A = len(alphabet)
    if not A or len(set(alphabet)) < A:
        raise ValueError(f"alphabet must hold distinct letters, got {alphabet!r}")
    if A > 1 and k * np.log2(A) > np.log2(_MOST_KMERS):
        raise ValueError(f"alphabet and k allow {A}^{k} k-mers, more than 2^24")
    place = {letter: i for i, letter in enumerate(alphabet)}
    digits = np.array([place.get(letter, -1) for letter in sequence], np.int64)
    if len(digits) < k:
        return np.empty(0, np.int64)
    parts = np.lib.stride_tricks.sliding_window_view(digits, k)
    numbers = parts @ A ** np.arange(k - 1, -1, -1)
    return np.where((parts < 0).any(axis=1), 0, numbers + 1)


def pad(
    sequences: Sequence[ArrayLike],
    value: float = 0,
    *,
    dtype: DTypeLike | None = None,
    batch_first: bool = False,
) -> tuple[NDArray[Any], Ids]:
    """Put sequences of different lengths side by side into one array.

    Parameters
    ----------
    sequences : sequence of N array_like, (T_n, …)
        All with the same axes after the first.
    value : number
        What stands after the end of a shorter one. The layers never read it.
    dtype : dtype, optional
        Of the result; default: the one that holds them all.
    batch_first : bool
        Return (N, T, …).

    Returns
    -------
    x : ndarray, (T, N, …)
        T is the length of the longest.
    lengths : ndarray of int64, (N,)

    Raises
    ------
    TypeError
        There is nothing to go through, or dtype is none.
    ValueError
        There is no sequence, their further axes differ, or value does not fit the dtype.

    Examples
    --------
    >>> from fastrnn.data import pad
    >>> x, lengths = pad([[1, 2, 3], [4]])
    >>> x.tolist(), lengths.tolist()
    ([[1, 4], [2, 0], [3, 0]], [3, 1])
    """
    arrays = [np.asarray(sequence) for sequence in items("sequences", sequences)]
    if not arrays:
        raise ValueError("sequences must hold at least one sequence, got none")
    further = arrays[0].shape[1:]
    for n, array in enumerate(arrays):
        if array.ndim == 0:
            raise ValueError(f"sequences must hold sequences, got {array} as number {n}")
        if array.shape[1:] != further:
            raise ValueError(
                f"sequences must have shapes (T_n, …) that differ in T_n alone, got "
                f"{arrays[0].shape} and, as number {n}, {array.shape}"
            )
    lengths = [len(array) for array in arrays]
    kind = dtype_of("dtype", np.result_type(*arrays) if dtype is None else dtype)
    N, T = len(arrays), max(lengths)
    shape = (N, T) if flag("batch_first", batch_first) else (T, N)
    try:
        x = np.full((*shape, *further), value, kind)
    except (TypeError, ValueError, OverflowError):
        raise ValueError(f"value must fit {kind}, got {value!r}") from None
    rows = x if batch_first else x.swapaxes(0, 1)
    for row, length, array in zip(rows, lengths, arrays, strict=True):
        row[:length] = array
    return x, np.array(lengths, np.int64)
