"""Collective calls between ranks: the few that data-parallel training needs."""

import threading
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import numpy as np

from fastrnn._checks import MAX_THREADS, Array, function, integer

R = TypeVar("R")
SILENT = "not answered for"  # by these words `fastrnn launch` knows that a rank was lost


class RankEndedError(RuntimeError):
    """A rank has ended, by ``sys.exit(0)`` or as its program did, and others wait for it.

    Attributes
    ----------
    ended : set of int
        The ranks that are known to have ended.
    """

    def __init__(self, ended: set[int]) -> None:
        self.ended = ended
        who = f"rank {min(ended)} has" if len(ended) == 1 else f"ranks {sorted(ended)} have"
        super().__init__(
            f"{who} ended while others wait for it: all ranks must make the same calls"
        )


class RankSilentError(RankEndedError):
    """A rank has not come to a call for longer than the job allows, and does not answer.

    Attributes
    ----------
    ended : set of int
        The ranks that do not answer.
    """

    def __init__(self, silent: set[int], seconds: float) -> None:
        super().__init__(silent)
        who = f"rank {min(silent)} has" if len(silent) == 1 else f"ranks {sorted(silent)} have"
        rule = "timeout_s must be longer than what one rank does alone, such as a validation"
        self.args = (f"{who} {SILENT} {seconds:g} s; {rule}",)


class Comm:
    """What every communicator can do. All ranks must make the same calls in the same order.

    A call raises `RuntimeError` where a rank that has ended will never make it.

    Attributes
    ----------
    rank, size : int
        Which one of how many processes this is, 0..size−1.
    """

    rank: int
    size: int

    def allreduce_(self, array: Array) -> None:
        """Replace an array by the sum of all ranks' arrays, in place.

        Parameters
        ----------
        array : ndarray
            C-contiguous, of one shape and dtype on all ranks.
        """
        raise NotImplementedError

    def allgatherv(self, array: Array) -> list[Array]:
        """Return the arrays of all ranks, by rank.

        Parameters
        ----------
        array : ndarray, (n,)
            C-contiguous, of one dtype; n may differ from rank to rank.

        Returns
        -------
        list of ndarray
        """
        raise NotImplementedError

    def alltoall(self, array: Array) -> Array:
        """Return what all ranks have for this one: part k of an array goes to rank k.

        Parameters
        ----------
        array : ndarray, (size, n)
            C-contiguous, of one shape and dtype on all ranks.

        Returns
        -------
        ndarray, (size, n)
            By the rank that it is from.
        """
        raise NotImplementedError

    def broadcast_(self, array: Array) -> None:
        """Replace an array by that of rank 0, in place.

        Parameters
        ----------
        array : ndarray
            C-contiguous, of one shape and dtype on all ranks.
        """
        raise NotImplementedError

    def barrier(self) -> None:
        """Wait until all ranks have come here."""
        raise NotImplementedError

    def abort(self, status: int = 1) -> None:
        """End all ranks: this one cannot go on.

        Parameters
        ----------
        status : int
            The exit code.

        Raises
        ------
        SystemExit
            Where leaving this rank's own work is enough: in one process, whose other ranks, if any,
            are threads that stop with it.
        """
        raise SystemExit(status)


class SerialComm(Comm):
    """One process alone.

    Examples
    --------
    >>> import numpy as np
    >>> from fastrnn.distributed import SerialComm
    >>> comm, x = SerialComm(), np.ones(3)
    >>> comm.allreduce_(x)
    >>> comm.rank, comm.size, x
    (0, 1, array([1., 1., 1.]))
    """

    rank, size = 0, 1

    def allreduce_(self, array: Array) -> None:
        """Leave the array as it is: the sum of one."""

    def allgatherv(self, array: Array) -> list[Array]:
        """Return a list of a copy of the array alone.

        Parameters
        ----------
        array : ndarray, (n,)

        Returns
        -------
        list of ndarray
        """
        return [array.copy()]

    def alltoall(self, array: Array) -> Array:
        """Return a copy of the array.

        Parameters
        ----------
        array : ndarray, (1, n)

        Returns
        -------
        ndarray, (1, n)
        """
        return array.copy()

    def broadcast_(self, array: Array) -> None:
        """Leave the array as it is."""

    def barrier(self) -> None:
        """Wait for nobody."""


class ThreadComm(Comm):
    """One of several ranks that are threads of this process: for tests, not for speed.

    Only one rank computes at a time, the others wait for their turn. Sums are made in the order of
    the ranks, so results are the same bit for bit in every run. `run` makes the ranks.

    Examples
    --------
    >>> import numpy as np
    >>> from fastrnn.distributed import ThreadComm
    >>> def job(comm):
    ...     x = np.array([float(comm.rank + 1)])
    ...     comm.allreduce_(x)
    ...     return x
    >>> ThreadComm.run(3, job)
    [array([6.]), array([6.]), array([6.])]
    """

    def __init__(self, rank: int, meeting: "_Meeting") -> None:
        self.rank, self.size = rank, meeting.size
        self._meeting = meeting

    @staticmethod
    def run(size: int, job: Callable[["ThreadComm"], R]) -> list[R]:
        """Run a function once a rank, each in a thread of its own.

        Parameters
        ----------
        size : int
            How many ranks.
        job : callable
            Called with the communicator of each rank.

        Returns
        -------
        list
            What the calls returned, by rank.

        Raises
        ------
        BaseException
            What the first rank that failed has raised; the others are stopped then. RuntimeError,
            where they wait for a rank that has returned, or ended by ``sys.exit(0)``.
        """
        function("job", job)
        meeting = _Meeting(integer("size", size, 1, MAX_THREADS))
        results: list[Any] = [None] * size

        def work(rank: int) -> None:
            with meeting.turn:
                try:
                    results[rank] = job(ThreadComm(rank, meeting))
                    meeting.leave(rank)
                except SystemExit as error:
                    if error.code in (None, 0):
                        meeting.leave(rank)
                    else:
                        meeting.fail(error)
                except BaseException as error:  # noqa: BLE001  raised in the caller's thread
                    meeting.fail(error)

        threads = [threading.Thread(target=work, args=(rank,)) for rank in range(size)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        if meeting.error is not None:
            raise meeting.error
        return results

    def allreduce_(self, array: Array) -> None:
        """Replace an array by the sum of all ranks' arrays, added in the order of the ranks.

        Parameters
        ----------
        array : ndarray
        """
        first, *others = self._meeting.exchange(self.rank, array)
        total = first.copy()
        for other in others:
            total += other
        array[...] = total

    def allgatherv(self, array: Array) -> list[Array]:
        """Return the arrays of all ranks, by rank.

        Parameters
        ----------
        array : ndarray, (n,)

        Returns
        -------
        list of ndarray
        """
        return [each.copy() for each in self._meeting.exchange(self.rank, array)]

    def alltoall(self, array: Array) -> Array:
        """Return what all ranks have for this one: part k of an array goes to rank k.

        Parameters
        ----------
        array : ndarray, (size, n)

        Returns
        -------
        ndarray, (size, n)
        """
        return np.stack([each[self.rank] for each in self._meeting.exchange(self.rank, array)])

    def broadcast_(self, array: Array) -> None:
        """Replace an array by that of rank 0.

        Parameters
        ----------
        array : ndarray
        """
        array[...] = self._meeting.exchange(self.rank, array)[0]

    def barrier(self) -> None:
        """Wait until all ranks have come here."""
        self._meeting.exchange(self.rank, np.empty(0))

    def abort(self, status: int = 1) -> None:
        """End all ranks: this one cannot go on.

        Parameters
        ----------
        status : int
            The exit code.

        Raises
        ------
        SystemExit
            In this rank, and out of `run`.
        """
        error = SystemExit(status)
        self._meeting.fail(error)
        raise error


class _Meeting:
    """Where the threads hand over arrays; the one whose turn it is computes."""

    def __init__(self, size: int) -> None:
        self.size = size
        self.error: BaseException | None = None
        self.turn = threading.Lock()
        self._all = threading.Barrier(size)
        self._ended: set[int] = set()
        self._waits = [0] * size  # how often each rank has begun to wait
        self._brought: list[Any] = [None] * size

    def exchange(self, rank: int, array: Array) -> Sequence[Array]:
        """Hand over a copy, and return the copies of all, which are to be read only."""
        self._brought[rank] = array.copy()
        self._wait(rank)
        arrays = list(self._brought)
        self._wait(rank)  # nobody brings the next array before all have seen this one
        return arrays

    def leave(self, rank: int) -> None:
        """Say that a rank makes no more calls, which ends those that wait for it."""
        self._ended.add(rank)
        if max(self._waits) > self._waits[rank]:
            self.fail(RankEndedError({rank}))

    def _wait(self, rank: int) -> None:
        self._waits[rank] += 1
        absent = {other for other in self._ended if self._waits[other] < self._waits[rank]}
        if absent:
            raise RankEndedError(absent)
        self.turn.release()
        try:
            self._all.wait()
        except threading.BrokenBarrierError:
            raise RuntimeError("another rank has failed") from None
        finally:
            self.turn.acquire()

    def fail(self, error: BaseException) -> None:
        """Remember the first error, and wake those that wait."""
        if self.error is None:
            self.error = error
        self._all.abort()
