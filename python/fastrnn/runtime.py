"""The switches of a running process: instruction set, threads, backend, debug checks."""

import os
import platform
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

import numpy as np

from fastrnn import _core
from fastrnn._checks import MAX_THREADS, flag, integer

BACKENDS = ("core", "reference")
THREAD_VARIABLES = ("FASTRNN_NUM_THREADS", "OMP_NUM_THREADS")  # what may say how many

# Context variables, not globals: a with block in one thread does not reach the others.
backend: ContextVar[str] = ContextVar("fastrnn_backend", default="core")
team: ContextVar[int] = ContextVar("fastrnn_threads", default=0)

_fork = os.environ.get("FASTRNN_FORK", "")
if _fork not in ("", "serial"):  # now, rather than in a child that was forked hours later
    raise ImportError(f"FASTRNN_FORK must be 'serial' or unset, got {_fork!r}")
debug_checks = os.environ.get("FASTRNN_DEBUG", "0") not in ("", "0")  # see set_debug


def isa() -> str:
    """Return the name of the instruction set in use.

    Returns
    -------
    str
        ``"baseline"``, ``"avx2"`` or ``"avx512"``; an element of `available_isas`.

    Examples
    --------
    >>> import fastrnn
    >>> fastrnn.isa() in fastrnn.available_isas()
    True
    """
    return _core.isa()


def available_isas() -> list[str]:
    """Return the instruction sets that this machine and this build have, weakest first.

    Returns
    -------
    list of str
        Each one is accepted by `set_isa`.

    Examples
    --------
    >>> import fastrnn
    >>> fastrnn.available_isas()[0]
    'baseline'
    """
    return _core.available_isas()


def set_isa(name: str) -> None:
    """Choose the instruction set for all further calls of this process.

    The environment variable ``FASTRNN_ISA`` does the same before the import. Packed weights of
    layers are packed again on their next use. Results agree between instruction sets to rounding.

    Parameters
    ----------
    name : str
        An element of `available_isas`.

    Raises
    ------
    TypeError
        name is not a string.
    ValueError
        This machine or this build does not have it; the message lists what there is.

    Examples
    --------
    >>> import fastrnn
    >>> before = fastrnn.isa()
    >>> fastrnn.set_isa("baseline")
    >>> fastrnn.isa()
    'baseline'
    >>> fastrnn.set_isa(before)
    """
    if not isinstance(name, str):
        raise TypeError(f"name must be a string, got {type(name).__name__}")
    if name not in _core.available_isas():
        raise ValueError(f"name must be one of {_core.available_isas()}, got {name!r}")
    _core.set_isa(name)


def get_num_threads() -> int:
    """Return how many threads a call may use at most.

    Returns
    -------
    int
        The innermost `threads` block's number, else `set_num_threads`', else the smallest of
        ``FASTRNN_NUM_THREADS``, ``OMP_NUM_THREADS``, the affinity mask and the cgroup quota.
        `threadpoolctl.threadpool_limits` lowers all but the block's.

    Examples
    --------
    >>> import fastrnn
    >>> with fastrnn.threads(2):
    ...     fastrnn.get_num_threads()
    2
    """
    return team.get() or _core.num_threads()


def set_num_threads(num_threads: int) -> None:
    """Set how many threads calls of this process may use at most.

    A call takes fewer where more would not be faster. Results do not depend on the number, bit for
    bit. `threads` sets it for a block, and the ``num_threads`` argument for one call.

    Parameters
    ----------
    num_threads : int
        1 to 1024; it may exceed the number of cores.

    Raises
    ------
    TypeError
        num_threads is not an integer.
    ValueError
        num_threads is out of range.

    Examples
    --------
    >>> import fastrnn
    >>> before = fastrnn.get_num_threads()
    >>> fastrnn.set_num_threads(1)
    >>> fastrnn.get_num_threads()
    1
    >>> fastrnn.set_num_threads(before)
    """
    _core.set_num_threads(integer("num_threads", num_threads, 1, MAX_THREADS))


@contextmanager
def threads(num_threads: int) -> Iterator[None]:
    """Use at most this many threads inside a with block, in this thread (or task) of Python only.

    Parameters
    ----------
    num_threads : int
        1 to 1024.

    Raises
    ------
    TypeError
        num_threads is not an integer.
    ValueError
        num_threads is out of range.

    Examples
    --------
    >>> import fastrnn
    >>> with fastrnn.threads(1):
    ...     fastrnn.get_num_threads()
    1
    """
    token = team.set(integer("num_threads", num_threads, 1, MAX_THREADS))
    try:
        yield
    finally:
        team.reset(token)


@contextmanager
def use_backend(name: str) -> Iterator[None]:
    """Run all functions and layers on another backend inside a with block, in this thread only.

    Parameters
    ----------
    name : {"core", "reference"}
        The C++ kernels, or their plain NumPy twins, which are slow and easy to read. Arguments
        are checked alike. A tape remembers its backend.

    Raises
    ------
    ValueError
        There is no such backend.

    Examples
    --------
    >>> import numpy as np
    >>> import fastrnn
    >>> x, w = np.ones((3, 1, 1)), np.ones((1, 1))
    >>> with fastrnn.use_backend("reference"):
    ...     y, h_n = fastrnn.rnn(x, w, w, nonlinearity="linear")
    >>> y.ravel()
    array([1., 2., 3.])
    """
    if name not in BACKENDS:
        raise ValueError(f"name must be one of {BACKENDS}, got {name!r}")
    token = backend.set(name)
    try:
        yield
    finally:
        backend.reset(token)


def debug() -> bool:
    """Return whether debug checks are on.

    Examples
    --------
    >>> import fastrnn
    >>> fastrnn.runtime.debug()
    False
    """
    return debug_checks


def set_debug(on: bool) -> None:
    """Switch debug checks on or off for tapes made from now on, in the whole process.

    A tape then keeps a hash of each array that it refers to, and backward raises `ValueError`
    naming the first one whose content has changed since forward. ``FASTRNN_DEBUG=1`` in the
    environment switches it on from the start. It costs a pass over the arrays per call.

    Parameters
    ----------
    on : bool

    Raises
    ------
    TypeError
        on is not a bool.

    Examples
    --------
    >>> import numpy as np
    >>> import fastrnn
    >>> fastrnn.set_debug(True)
    >>> x, w = np.ones((3, 1, 1)), np.ones((1, 1))
    >>> y, h_n, tape = fastrnn.rnn_forward(x, w, w)
    >>> x[0] = 2.0
    >>> fastrnn.rnn_backward(tape, dy=np.ones((3, 1, 1)))
    Traceback (most recent call last):
    ValueError: x was changed between forward and backward; the tape keeps it by reference
    >>> fastrnn.set_debug(False)
    """
    global debug_checks
    debug_checks = flag("on", on)


def config() -> dict[str, str]:
    """Return what `show_config` prints, as a dict of strings.

    Examples
    --------
    >>> from fastrnn import runtime
    >>> runtime.config()["fastrnn"]
    '0.1.0'
    """
    return {
        "fastrnn": _core.__version__,
        "python": platform.python_version(),
        "numpy": np.__version__,
        "platform": f"{sys.platform} {platform.machine()}",
        **_core.build_info(),
        "isa": _core.isa(),
        "available isas": ", ".join(_core.available_isas()),
        "threads": str(get_num_threads()),
        "backend": backend.get(),
    }


def show_config() -> None:
    """Print compiler, flags, instruction sets, threads and versions; it opens every bug report.

    Examples
    --------
    >>> import fastrnn
    >>> fastrnn.show_config()  # doctest: +ELLIPSIS
    fastrnn         0.1.0
    python          3...
    """
    for name, value in config().items():
        print(f"{name:<15} {value}")
