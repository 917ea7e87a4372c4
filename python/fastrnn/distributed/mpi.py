"""Ranks that are processes under an MPI launcher; mpi4py is imported only there."""

import atexit
import faulthandler
import os
import sys
import threading
import warnings
from collections.abc import Container, Iterator
from contextlib import contextmanager
from math import inf
from pathlib import Path
from time import monotonic, sleep
from types import TracebackType
from typing import Any

import numpy as np

from fastrnn import runtime
from fastrnn._checks import Array, positive
from fastrnn.distributed.comm import Comm, RankEndedError, RankSilentError, SerialComm

# What MPICH and Intel MPI, Open MPI and PMIx (so Slurm too), and MVAPICH tell their processes.
_RANKS = ("PMI_RANK", "OMPI_COMM_WORLD_RANK", "PMIX_RANK", "MV2_COMM_WORLD_RANK")
_SLURM = "SLURM_STEP_NUM_TASKS"  # of srun, which another launcher may have called: asked last
_SIZES = ("PMI_SIZE", "OMPI_COMM_WORLD_SIZE", "MV2_COMM_WORLD_SIZE", _SLURM)
_TORCHRUN = "TORCHELASTIC_RUN_ID"
_ENDED, _PRESENT = 0, 1  # what a message says of the rank that sends it
_SPIN = 0.002  # seconds; what takes longer than that may wait for the next look
_GRACE = 2.0  # seconds in which a rank that waits answers, and MPI ends a process
_MOST = 2**30  # elements of one call: MPI counts in 32 bits
NEEDED = 'pip install "fastrnn[mpi]" mpich gives it to you; on a cluster, with its own MPI: mpi4py'

_world: "MPIComm | None" = None


class MPIComm(Comm):
    """The ranks of an MPI communicator.

    Parameters
    ----------
    comm : mpi4py.MPI.Intracomm
        Which is duplicated, so that no message of yours is mistaken for one of ours.

    Raises
    ------
    TypeError
        comm is no communicator.

    Examples
    --------
    >>> from mpi4py import MPI  # doctest: +SKIP
    >>> MPIComm(MPI.COMM_WORLD).size  # doctest: +SKIP
    2
    """

    def __init__(self, comm: Any) -> None:
        if not hasattr(comm, "Dup"):
            raise TypeError(f"comm must be a communicator of mpi4py, got {type(comm).__name__}")
        self._mpi = comm.Dup()
        self.rank, self.size = comm.rank, comm.size
        self._ends = _Ends(self._mpi) if self.size > 1 else None
        self.timeout_s: float | None = None  # how long a rank may let the others wait

    def allreduce_(self, array: Array) -> None:
        """Replace an array by the sum of all ranks' arrays, in place.

        Parameters
        ----------
        array : ndarray
            C-contiguous, of one shape and dtype on all ranks.
        """
        from mpi4py import MPI

        self.barrier()
        row = array.reshape(-1)
        for start in range(0, row.size, _MOST):
            self._all("Allreduce", MPI.IN_PLACE, row[start : start + _MOST])

    def allgatherv(self, array: Array) -> list[Array]:
        """Return the arrays of all ranks, by rank.

        Parameters
        ----------
        array : ndarray, (n,)
            C-contiguous, of one dtype; together less than 2³¹ elements.

        Returns
        -------
        list of ndarray
        """
        self.barrier()
        counts = np.empty(self.size, np.int64)
        self._all("Allgather", np.array([array.size]), counts)
        gathered = np.empty(int(counts.sum()), array.dtype)
        self._all("Allgatherv", array, (gathered, counts.tolist()))
        return np.split(gathered, np.cumsum(counts)[:-1])

    def alltoall(self, array: Array) -> Array:
        """Return what all ranks have for this one: part k of an array goes to rank k.

        Parameters
        ----------
        array : ndarray, (size, n)
            C-contiguous, of one shape and dtype on all ranks; less than 2³¹ elements.

        Returns
        -------
        ndarray, (size, n)
        """
        self.barrier()
        received = np.empty_like(array)
        self._all("Alltoall", array, received)
        return received

    def broadcast_(self, array: Array) -> None:
        """Replace an array by that of rank 0, in place.

        Parameters
        ----------
        array : ndarray
            C-contiguous, of one shape and dtype on all ranks.
        """
        self.barrier()
        row = array.reshape(-1)
        for start in range(0, row.size, _MOST):
            self._all("Bcast", row[start : start + _MOST])

    def barrier(self) -> None:
        """Wait until all ranks have come here, as every call does first.

        Raises
        ------
        RuntimeError
            A rank has ended and will never come, or does not answer in time.
        """
        if self._ends is not None:
            self._ends.meet(self.timeout_s)

    def _all(self, name: str, *arrays: Any) -> None:
        """Make a call of MPI that all ranks make, where it matters without blocking in it."""
        if self._ends is None or self.timeout_s is None:
            getattr(self._mpi, name)(*arrays)
        else:
            self._ends.wait(getattr(self._mpi, f"I{name.lower()}")(*arrays), self.timeout_s)

    def abort(self, status: int = 1) -> None:
        """End the processes of all ranks at once.

        Parameters
        ----------
        status : int
            The exit code.
        """
        sys.stdout.flush()
        sys.stderr.flush()
        with Path(os.devnull).open("rb") as nowhere:  # a traceback is not wanted
            # MPICH never comes back, with the GIL, where it has data for a rank out of reach.
            faulthandler.dump_traceback_later(_GRACE, exit=True, file=nowhere)
            self._mpi.Abort(status)


class _Ends:
    """Who has ended: a rank that leaves tells the others how many calls it has made.

    MPI lets a process that ends with code 0 wait for the others in its last function, and these
    wait for it in theirs.
    """

    def __init__(self, comm: Any) -> None:
        from mpi4py import MPI

        self._mpi, self._comm, self._end = MPI, comm, comm.Dup()
        self._calls = 0
        self._made: dict[int, int] = {}  # calls of the ranks that have ended
        self._sent: list[Any] = []  # kept until they have arrived
        self._message, self._process = np.zeros(2, np.int64), os.getpid()
        self._listen()
        atexit.register(self._leave)

    def meet(self, timeout_s: float | None) -> None:
        """Wait until all ranks have come to their call of this number, or one never will."""
        self._calls += 1
        self._check()
        self.wait(self._comm.Ibarrier(), timeout_s)

    def wait(self, arrived: Any, timeout_s: float | None) -> None:
        """Wait for a request of the current call."""
        if timeout_s is None:
            while self._mpi.Request.Waitany([arrived, self._next]) != 0:
                self._received()
                self._check()
            return
        began, asked, present = monotonic(), inf, {self._comm.rank}
        while True:
            which, done = self._mpi.Request.Testany([arrived, self._next])
            if done and which == 0:
                return
            if done:
                self._received()
                self._check()
            self._receive_present(present)
            now = monotonic()
            if asked == inf and (now - began > timeout_s or len(present) > 1):
                self._send_present()
                asked = now
            if now - asked > _GRACE:
                silent = {*range(self._comm.size)} - present - {*self._made}
                if silent:
                    raise RankSilentError(silent, timeout_s)
                began, asked, present = now, inf, {self._comm.rank}
            if now - began > _SPIN:
                sleep(0.0005)

    def _send_present(self) -> None:
        """Tell all others that this rank waits in its call of this number."""
        mine = np.array([self._comm.rank, self._calls])
        for rank in range(self._comm.size):
            if rank != self._comm.rank:
                self._sent.append((mine, self._end.Isend(mine, dest=rank, tag=_PRESENT)))

    def _receive_present(self, present: set[int]) -> None:
        """Add the ranks that wait in the same call; those of earlier calls came after all."""
        message = np.zeros(2, np.int64)
        while self._end.Iprobe(source=self._mpi.ANY_SOURCE, tag=_PRESENT):
            self._end.Recv(message, source=self._mpi.ANY_SOURCE, tag=_PRESENT)
            rank, calls = message.tolist()
            if calls == self._calls:
                present.add(rank)

    def _check(self) -> None:
        absent = {rank for rank, calls in self._made.items() if calls < self._calls}
        if absent:
            raise RankEndedError(absent)

    def _listen(self) -> None:
        self._next = self._end.Irecv(self._message, source=self._mpi.ANY_SOURCE, tag=_ENDED)

    def _received(self) -> None:
        rank, calls = self._message.tolist()
        self._made[rank] = calls
        if len(self._made) < self._comm.size - 1:
            self._listen()

    def _leave(self) -> None:
        """Tell all others, and hear of them, as MPI's last function would wait for them, too."""
        if self._process != os.getpid() or self._mpi.Is_finalized():
            return  # a child made by fork, or too late
        mine = np.array([self._comm.rank, self._calls])
        others = [rank for rank in range(self._comm.size) if rank != self._comm.rank]
        sent = [self._end.Isend(mine, dest=rank, tag=_ENDED) for rank in others]
        while len(self._made) < len(others):
            if self._next.Test():
                self._received()
            else:
                sleep(0.01)
        self._mpi.Request.Waitall(sent)


def init(timeout_s: float | None = None) -> Comm:
    """Return the ranks of this job: MPI's under ``mpiexec`` or ``srun``, else this process alone.

    Under a launcher the processes of one machine share its cores: each takes its part as
    `fastrnn.set_num_threads` does, unless ``FASTRNN_NUM_THREADS`` or ``OMP_NUM_THREADS`` says how
    many. An exception that nobody catches ends all ranks, not only the one it came to; a rank that
    ends while others wait for it ends them, too, whatever its exit code. May be called again, and
    returns the same ranks.

    Parameters
    ----------
    timeout_s : float or None
        Seconds that the ranks wait for one of them, the same on all: one that neither comes nor
        answers, because it hangs, is stopped or cannot be reached, then ends the job with a line
        that names it. It must be longer than a validation of rank 0. None: as long as it takes.

    Returns
    -------
    Comm
        For the argument ``dist`` of `fastrnn.train.Trainer`.

    Raises
    ------
    ImportError
        A launcher started this process, and mpi4py is missing.
    RuntimeError
        mpi4py belongs to another MPI than the launcher, or ``srun`` started several tasks without
        MPI, so the ranks cannot find each other; or torchrun did, which is for `TorchComm`.
    TypeError, ValueError
        timeout_s is no number above 0.

    Examples
    --------
    >>> from fastrnn import distributed
    >>> dist = distributed.init()
    >>> dist.rank, dist.size
    (0, 1)
    """
    global _world
    seconds = None if timeout_s is None else positive("timeout_s", timeout_s)
    if _world is not None:
        _world.timeout_s = seconds
        return _world
    if not any(name in os.environ for name in _RANKS):
        tasks = int(os.environ.get(_SLURM, "1"))
        if tasks > 1:
            raise RuntimeError(
                f"srun started {tasks} tasks, and none is told of the others: srun --mpi=pmix, or "
                "what `srun --mpi=list` names, or else mpiexec, starts them as ranks"
            )
        processes = int(os.environ.get("WORLD_SIZE", "1")) if _TORCHRUN in os.environ else 1
        if processes > 1:
            raise RuntimeError(
                f"torchrun started {processes} processes, which MPI knows nothing of: "
                "fastrnn.distributed.TorchComm() makes ranks of them"
            )
        return SerialComm()
    try:
        from mpi4py import MPI
    except ImportError as error:
        raise ImportError(
            f"a launcher of MPI started this, and mpi4py is missing: {NEEDED}"
        ) from error
    wanted = next((int(os.environ[name]) for name in _SIZES if name in os.environ), None)
    if wanted is not None and wanted != MPI.COMM_WORLD.size:
        raise RuntimeError(
            f"the launcher started {wanted} ranks, and mpi4py sees {MPI.COMM_WORLD.size}: they "
            "belong to different MPI installations; fastrnn launch takes the one beside Python"
        )
    _world = MPIComm(MPI.COMM_WORLD)
    _world.timeout_s = seconds
    if _world.size > 1:
        _end_all_on_error()
        _share_cores(MPI.COMM_WORLD.Split_type(MPI.COMM_TYPE_SHARED))
    return _world


@contextmanager
def ending_all(status: int, ended: Container[int] = (), pause: float = 0.5) -> Iterator[None]:
    """Say what went wrong in the block, then end all ranks if this process is one of several.

    What goes wrong on all of them is said once: the others give the first of those that have not
    ended time to end them, `pause` in seconds.
    """
    together = _world is not None and _world.size > 1
    if _world is not None and any(rank not in ended for rank in range(_world.rank)):
        sleep(pause)
    yield
    if _world is not None and together:
        _world.abort(status)


def _end_all_on_error() -> None:
    """Have an exception that nobody catches end all ranks: the others would wait for ever."""
    before, before_of_threads = sys.excepthook, threading.excepthook

    def hook(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        if isinstance(error, RankEndedError):
            late = isinstance(error, RankSilentError)  # the first may have to wait for MPI's end
            with ending_all(1, error.ended, _GRACE + 0.5 if late else 0.5):
                sys.stderr.write(f"fastrnn: {error}\n")
            return
        with ending_all(130 if issubclass(kind, KeyboardInterrupt) else 1):
            before(kind, error, trace)

    def thread_hook(args: threading.ExceptHookArgs) -> None:
        with ending_all(1):
            before_of_threads(args)

    sys.excepthook, threading.excepthook = hook, thread_hook


def _share_cores(node: Any) -> None:
    """Take a share of the cores that several ranks of this machine may run on."""
    if any(name in os.environ for name in runtime.THREAD_VARIABLES):
        return
    if not hasattr(os, "sched_getaffinity"):
        runtime.set_num_threads(max(1, runtime.get_num_threads() // node.size))
        return
    mine = os.sched_getaffinity(0)
    sharing = sum(theirs == mine for theirs in node.allgather(mine))
    if len(mine) == 1 and node.size < (os.cpu_count() or 1) // 2 and node.rank == 0:
        warnings.warn(
            "the launcher binds each rank to one core, and most cores are idle; with Open MPI "
            "--bind-to none or --map-by socket:PE=n gives a rank more",
            stacklevel=3,
        )
    runtime.set_num_threads(max(1, runtime.get_num_threads() // sharing))
