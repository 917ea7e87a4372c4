"""What ranks do together in a training of word vectors: each has its pieces, and rows are averaged.

Of the words of a text the one at place k comes about 1/k times as often as the first, by G. K.
Zipf's law, so after each round the first sixteenth of all rows is averaged, after every second
round twice as many, and after every sixteenth all: any row is averaged when it has changed about as
often as any other. A row is set to the mean of those ranks that have changed it. A mean of n
changes is one n-th of their sum, so n ranks learn with n times the learning rate: P. Goyal et al.,
Accurate, large minibatch SGD, 2017, section 2.1.
"""

import hashlib
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastrnn.distributed.comm import Comm, SerialComm

_ROUNDS = 16  # until all rows have been averaged; at least so many are in an epoch
_AT_ONCE = 1 << 22  # numbers of one sum


class Ranks:
    """The ranks of one training of word vectors.

    Parameters
    ----------
    comm : Comm or None
        None: this process alone.

    Attributes
    ----------
    size : int
        How many they are.
    alone, first : bool
        Whether there is no other rank, and whether this is rank 0, which shows.
    """

    def __init__(self, comm: Comm | None) -> None:
        if comm is not None and not isinstance(comm, Comm):
            raise TypeError(
                "dist must be what fastrnn.distributed.init() returns, or another Comm, "
                f"got {type(comm).__name__}"
            )
        self._comm = SerialComm() if comm is None else comm
        self.size = self._comm.size
        self.alone, self.first = self.size == 1, self._comm.rank == 0

    def begin(
        self,
        words: Sequence[str],
        counts: NDArray[np.int64],
        work: tuple[int, int],
        matrices: list[NDArray[np.float32]],
    ) -> None:
        """Begin with the vectors of rank 0.

        Parameters
        ----------
        words, counts
            Of the vocabulary.
        work : tuple of int
            Epochs, and how many words of the text the vocabulary has.
        matrices : list of ndarray
            The most frequent rows first.

        Raises
        ------
        ValueError
            The ranks have different words or work.
        """
        if self.alone:
            return
        packed = f"{work} ".encode() + counts.tobytes() + "\n".join(words).encode()
        digest = hashlib.blake2b(packed).digest()
        parts = self._comm.allgatherv(np.frombuffer(digest, np.uint8))
        if any(part.tobytes() != digest for part in parts):
            raise ValueError("text, vocabulary and epochs must be the same on all ranks")
        self._matrices, self._round = matrices, 0
        for rows in matrices:
            same = np.ascontiguousarray(rows)
            self._comm.broadcast_(same)
            rows[...] = same
        self._before = [rows.copy() for rows in matrices]

    def pieces_at_once(self, pieces: int, words: int, threads: int) -> int:
        """Return how many pieces of a text of so many words all ranks take in a round."""
        V, per_piece = len(self._matrices[0]), max(words / max(pieces, 1), 1)
        wanted = min(8 * V * self.size, words / _ROUNDS) / per_piece
        return max(int(wanted), int(self.summed(threads)[0]), self.size)

    def own(self, begin: int, end: int) -> tuple[int, int]:
        """Return this rank's part of some pieces."""
        r, n = self._comm.rank, self.size
        return begin + (end - begin) * r // n, begin + (end - begin) * (r + 1) // n

    def summed(self, *numbers: float) -> list[float]:
        """Return the sums of what each rank has."""
        if not self.alone:
            self._comm.allreduce_(sums := np.array(numbers, np.float64))
            return [float(each) for each in sums]
        return list(numbers)

    def average(self, everything: bool) -> None:
        """Average the rows whose turn it is after a round, or all."""
        if self.alone:
            return
        self._round += 1
        share = _ROUNDS if everything else min(self._round & -self._round, _ROUNDS)
        for rows, before in zip(self._matrices, self._before, strict=True):
            step = max(1, _AT_ONCE // rows.shape[1])
            end = -(-len(rows) * share // _ROUNDS)
            for start in range(0, end, step):
                part = slice(start, min(start + step, end))
                _average(self._comm, rows[part], before[part])


def _average(comm: Comm, rows: Any, before: Any) -> None:
    """Set rows to the mean of the ranks that have changed them, as `before` then is, too."""
    changes = np.empty((len(rows), rows.shape[1] + 1), np.float32)
    np.subtract(rows, before, out=changes[:, :-1])
    changes[:, -1] = (changes[:, :-1] != 0).any(axis=1)  # how many ranks have changed a row
    comm.allreduce_(changes)
    before += changes[:, :-1] / np.maximum(changes[:, -1:], 1)
    rows[...] = before
