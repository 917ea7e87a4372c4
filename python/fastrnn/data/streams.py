"""Batches out of one long run of tokens: contiguous streams, or windows in shuffled order.

Both read slices only, so the tokens may be an array or a `TokenFile` larger than memory.
"""

from typing import TYPE_CHECKING, Any, Protocol, Self

import numpy as np
from numpy.typing import NDArray

from fastrnn._checks import integer
from fastrnn.data.loader import Loader, no_rows
from fastrnn.data.shuffle import permuted

if TYPE_CHECKING:
    from fastrnn.distributed import Comm

Ids = NDArray[np.int64]
Pair = tuple[Ids, Ids]


class Tokens(Protocol):
    """A flat run of token ids."""

    def __len__(self) -> int:
        """Return how many there are."""

    def __getitem__(self, part: slice, /) -> NDArray[Any]:
        """Return those of a slice."""


def _checked(tokens: Tokens) -> Tokens:
    """Return tokens, of which the first must be an integer: copying would cut a fraction off."""
    try:
        first = np.asarray(tokens[:1])
    except (TypeError, IndexError, KeyError):
        raise TypeError(f"tokens must be a flat run of integers, got {tokens!r}") from None
    if first.dtype.kind == "U":
        raise TypeError("tokens must hold integers, got text: encode it with a Vocabulary")
    if first.ndim != 1:
        raise ValueError(f"tokens must have shape (n,), got {first.ndim} axes")
    if first.dtype.kind not in "iu" and len(first):
        raise TypeError(f"tokens must hold integers, got {first.dtype}")
    return tokens


def _gather(tokens: Tokens, starts: Ids, T: int) -> Pair:
    """Return x and targets, (T, N): T tokens from each start, and the same one token later."""
    chunk = np.empty((len(starts), T + 1), np.int64)
    for row, start in zip(chunk, starts.tolist(), strict=True):
        row[:] = tokens[start : start + T + 1]
    columns = chunk.T
    return np.ascontiguousarray(columns[:-1]), np.ascontiguousarray(columns[1:])


class Streams(Loader[Pair]):
    """N streams side by side, T steps a batch; see `contiguous_streams`."""

    def __init__(self, tokens: Tokens, N: int, T: int) -> None:
        super().__init__(0)
        self.N, self.T = integer("N", N, 1), integer("T", T, 1)
        self._tokens = _checked(tokens)
        self._steps = (len(tokens) - 1) // self.N
        if self._steps < 1:
            raise ValueError(f"tokens must be at least N + 1 = {N + 1}, got {len(tokens)}")

    def shard(self, comm: "Comm") -> Self:
        """Return a loader of one rank's streams.

        Parameters
        ----------
        comm : fastrnn.distributed.Comm
            Stream n goes to rank n mod size.

        Returns
        -------
        Streams

        Raises
        ------
        ValueError
            There are fewer streams than ranks.
        """
        integer("N", self.N, comm.size)
        return super().shard(comm)

    def __len__(self) -> int:
        return (self._steps + self.T - 1) // self.T

    def _get(self, epoch: int, batch: int) -> Pair:  # noqa: ARG002  every epoch is the same
        begin = batch * self.T
        starts = np.arange(self.N)[self._share] * self._steps + begin
        return _gather(self._tokens, starts, min(self.T, self._steps - begin))


def contiguous_streams(tokens: Tokens, N: int, T: int) -> Streams:
    """Cut tokens into N streams that stand side by side, for truncated backpropagation.

    Parameters
    ----------
    tokens : array of int, (n,), or TokenFile
        One long text.
    N : int
        Streams.
    T : int
        Steps of a batch; the last one of an epoch may be shorter.

    Returns
    -------
    Streams
        Gives (x, targets), each (T, N): targets are x one token later, and row n of a batch goes
        on where row n of the one before ended. Carry the state from batch to batch, and start
        again from zero when ``.batch`` is 1, the first of an epoch. The last ``(n − 1) mod N``
        tokens are not used.

    Raises
    ------
    TypeError
        tokens hold anything but integers.
    ValueError
        tokens have another shape, or there are too few for one step.

    Examples
    --------
    >>> import numpy as np
    >>> from fastrnn.data import contiguous_streams
    >>> for x, targets in contiguous_streams(np.arange(11), N=2, T=3):
    ...     print(x.T.tolist(), targets.T.tolist())
    [[0, 1, 2], [5, 6, 7]] [[1, 2, 3], [6, 7, 8]]
    [[3, 4], [8, 9]] [[4, 5], [9, 10]]
    """
    return Streams(tokens, N, T)


class Windows(Loader[Pair]):
    """Windows in shuffled order; see `windows`."""

    carries = False

    def __init__(self, tokens: Tokens, N: int, T: int, *, seed: int = 0) -> None:
        super().__init__(seed)
        self.N, self.T = integer("N", N, 1), integer("T", T, 1)
        self._tokens = _checked(tokens)
        self._count = max(len(tokens) - 1, 0) // self.T
        if not self._count:
            raise ValueError(f"tokens must be at least T + 1 = {T + 1}, got {len(tokens)}")

    def __len__(self) -> int:
        return (self._count + self.N - 1) // self.N

    def _get(self, epoch: int, batch: int) -> Pair:
        places = np.arange(batch * self.N, min((batch + 1) * self.N, self._count))[self._share]
        if not len(places):
            nothing: Pair = no_rows()
            return nothing
        numbers = permuted(self._count, places, self.seed, epoch)
        return _gather(self._tokens, numbers * self.T, self.T)


def windows(tokens: Tokens, N: int, T: int, *, seed: int = 0) -> Windows:
    """Cut tokens into windows of T steps and give N of them at a time, in shuffled order.

    Parameters
    ----------
    tokens : array of int, (n,), or TokenFile
        One long text, of which windows are independent examples: a model begins each from zero.
    N : int
        Windows of a batch; the last one of an epoch may have fewer.
    T : int
        Steps of a window; windows do not overlap.
    seed : int
        With the epoch, it decides the order.

    Returns
    -------
    Windows
        Gives (x, targets), each (T, N), targets one token later than x. The last
        ``(n − 1) mod T`` tokens are not used.

    Raises
    ------
    TypeError
        tokens hold anything but integers.
    ValueError
        tokens have another shape, or there are too few for one window.

    Notes
    -----
    Each epoch has an order of its own of all windows, in which a window may stand anywhere: it does
    not matter whether a corpus is sorted by topic. The order is computed place by place and takes
    no memory; a `TokenFile` is read in many places for a batch.

    Examples
    --------
    >>> import numpy as np
    >>> from fastrnn.data import windows
    >>> sorted(row.tolist() for x, _ in windows(np.arange(9), N=3, T=2) for row in x.T)
    [[0, 1], [2, 3], [4, 5], [6, 7]]
    """
    return Windows(tokens, N, T, seed=seed)
