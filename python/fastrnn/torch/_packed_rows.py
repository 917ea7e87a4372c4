"""Rows packed time by time, PyTorch's PackedSequence: where each one lies in a padded array."""

import numpy as np

from fastrnn._checks import Array, allocate


class PackedRows:
    """Which (t, n) of a padded (T, N, ·) each row of packed data is.

    Parameters
    ----------
    batch_sizes : ndarray of int, (T,)
        How many sequences have a step t; never rises, because the longest sequence comes first.

    Attributes
    ----------
    steps, rows : int
        T and N.
    lengths : ndarray of int64, (N,)
        Steps of each sequence; None where all have T.
    """

    __slots__ = ("_at", "lengths", "rows", "steps")

    def __init__(self, batch_sizes: Array) -> None:
        sizes = np.asarray(batch_sizes, np.int64)
        self.steps = len(sizes)
        self.rows = N = int(sizes[0])
        self.lengths: Array | None = None
        self._at: Array | None = None
        if sizes[-1] < N:
            # Sequence n has as many steps as there are sizes above n.
            self.lengths = np.searchsorted(-sizes, -np.arange(N), side="left").astype(np.int64)
            starts = np.cumsum(sizes) - sizes
            self._at = np.repeat(np.arange(self.steps) * N - starts, sizes)
            self._at += np.arange(len(self._at))

    def pad(self, data: Array) -> Array:
        """Return packed data as (T, N, ·); what no sequence has is not initialised."""
        width = data.shape[1]
        if self._at is None:
            return data.reshape(self.steps, self.rows, width)
        padded = allocate("a padded batch", (self.steps, self.rows, width), data.dtype)
        padded.reshape(-1, width)[self._at] = data
        return padded

    def pick(self, padded: Array) -> Array:
        """Return what the sequences have of a padded array as packed data, the inverse of `pad`."""
        flat = padded.reshape(-1, padded.shape[2])
        return flat if self._at is None else flat[self._at]
