"""Ranks that PyTorch has started: by torchrun, Ray, or Spark's barrier mode; over gloo."""

import atexit
import os
import sys
from collections.abc import Callable
from datetime import timedelta
from types import TracebackType
from typing import Any

import numpy as np

from fastrnn._checks import Array, positive
from fastrnn.distributed.comm import Comm, RankEndedError


class RankLostError(RankEndedError):
    """A rank has ended or does not answer, and PyTorch cannot say which one."""

    def __init__(self, reason: str) -> None:
        super().__init__(set())
        self.args = (f"a rank has ended, or does not answer: {reason}",)


class TorchComm(Comm):
    """All processes of ``torch.distributed``, as the ranks of a training.

    ``torch.distributed.init_process_group`` comes first, with any backend. All processes make one
    together: the ranks get connections of their own, by gloo, whatever else PyTorch sends. When the
    program ends, it destroys the process groups that are left.

    When a rank ends early, or does not answer, each of the others ends with an error of one line
    and exit code 1, unless it catches the RuntimeError. The line cannot name the rank, as that of
    `MPIComm` does.

    Parameters
    ----------
    timeout_s : float or None
        Seconds that the ranks wait for one of them, the same on all. It must be longer than a
        validation of rank 0. None: half an hour, as PyTorch has it.

    Raises
    ------
    ImportError
        There is no PyTorch.
    RuntimeError
        ``init_process_group`` has not been called, or this PyTorch has no gloo.
    TypeError, ValueError
        timeout_s is no number above 0.

    Examples
    --------
    >>> import torch.distributed  # doctest: +SKIP
    >>> torch.distributed.init_process_group("gloo")  # doctest: +SKIP
    >>> TorchComm(timeout_s=600).size  # doctest: +SKIP
    2
    """

    def __init__(self, timeout_s: float | None = None) -> None:
        seconds = None if timeout_s is None else positive("timeout_s", timeout_s)
        try:
            from torch import distributed
        except ImportError as error:
            raise ImportError("TorchComm needs PyTorch: pip install torch") from error
        if not distributed.is_available() or not distributed.is_gloo_available():
            raise RuntimeError("this PyTorch is built without gloo, by which the ranks would send")
        if not distributed.is_initialized():
            raise RuntimeError("torch.distributed.init_process_group comes before TorchComm")
        timeout = None if seconds is None else timedelta(seconds=seconds)
        self._torch = distributed
        self._waits = False
        self._group = self._together(distributed.new_group, backend="gloo", timeout=timeout)
        self.rank, self.size = distributed.get_rank(), distributed.get_world_size()
        if self.size > 1:
            atexit.register(self._join_threads)
            _end_in_one_line()

    def allreduce_(self, array: Array) -> None:
        """Replace an array by the sum of all ranks' arrays, in place.

        Parameters
        ----------
        array : ndarray
            C-contiguous, of one shape and dtype on all ranks.
        """
        if array.size:
            self._call("all_reduce", _tensor(array.reshape(-1)))

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
        counts = np.empty((self.size, 1), np.int64)
        self._call("all_gather", list(map(_tensor, counts)), _tensor(np.array([array.size])))
        longest = int(counts.max())
        if not longest:
            return [array.copy() for _ in counts]
        # gloo gathers parts of one length.
        own = np.zeros(longest, array.dtype)
        own[: array.size] = array
        parts = np.empty((self.size, longest), array.dtype)
        self._call("all_gather", list(map(_bytes, parts)), _bytes(own))
        return [part[:count].copy() for part, count in zip(parts, counts.flat, strict=True)]

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
        received = np.empty_like(array)
        if array.size:
            self._call("all_to_all_single", _bytes(received), _bytes(array))
        return received

    def broadcast_(self, array: Array) -> None:
        """Replace an array by that of rank 0, in place.

        Parameters
        ----------
        array : ndarray
            C-contiguous, of one shape and dtype on all ranks.
        """
        if array.size:
            self._call("broadcast", _bytes(array), 0)

    def barrier(self) -> None:
        """Wait until all ranks have come here."""
        self._call("barrier")

    def abort(self, status: int = 1) -> None:
        """End this process at once; the others end when they wait for it.

        Parameters
        ----------
        status : int
            The exit code.
        """
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)

    def _call(self, name: str, *arguments: Any) -> None:
        self._together(getattr(self._torch, name), *arguments, group=self._group)

    def _together(self, call: Callable[..., Any], *arguments: Any, **options: Any) -> Any:
        """Make a call of PyTorch that all ranks make."""
        self._waits = True
        try:
            result = call(*arguments, **options)
        except RuntimeError as error:
            raise RankLostError(str(error).partition("\n")[0]) from error
        self._waits = False
        return result

    def _join_threads(self) -> None:
        """Destroy PyTorch's groups before Python ends: their threads may still let go of tensors.

        A thread that does so without Python aborts the process. After a call that failed or was
        interrupted, a thread may wait for a rank that is gone, and nobody must wait for it.
        """
        self._group = None
        if self._torch.is_initialized() and not self._waits:
            self._torch.destroy_process_group()


def _tensor(array: Array) -> Any:
    """Return a tensor in the same memory, which may be one that cannot be written to."""
    import torch

    return torch.from_numpy(array if array.flags.writeable else array.copy())


def _bytes(array: Array) -> Any:
    """Return the bytes of an array as a tensor: gloo has not all types of NumPy."""
    return _tensor(array.reshape(-1).view(np.uint8))


def _end_in_one_line() -> None:
    """Have the loss of a rank that nobody catches end this one with a line, not a traceback."""
    before = sys.excepthook

    def hook(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        if isinstance(error, RankLostError):
            sys.stderr.write(f"fastrnn: {error}\n")
        else:
            before(kind, error, trace)

    sys.excepthook = hook
