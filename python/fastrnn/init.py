"""Initial weights: where training starts from."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from math import prod
from typing import TYPE_CHECKING

from fastrnn._checks import FLOAT32, Array, DType, allocate, generator

if TYPE_CHECKING:
    from numpy.random import Generator

__all__ = ["at_most", "generator", "normal", "reserve", "uniform"]

_left: ContextVar[int | None] = ContextVar("bytes left for weights", default=None)


@contextmanager
def at_most(nbytes: int) -> Iterator[None]:
    """Let the weights that are drawn inside have so many bytes together, and refuse more.

    For a description that nobody vouches for, such as a file's: it is refused before memory is
    taken for it.

    Parameters
    ----------
    nbytes : int

    Examples
    --------
    >>> import numpy as np
    >>> from fastrnn import init
    >>> with init.at_most(100):
    ...     init.uniform((10, 10), 1.0, np.random.default_rng(0))
    Traceback (most recent call last):
    ValueError: the weights need more than the bytes there are; (10, 10) is too much
    """
    token = _left.set(nbytes)
    try:
        yield
    finally:
        _left.reset(token)


def reserve(shape: tuple[int, ...], dtype: DType) -> None:
    """Say that a weight is about to be drawn; `uniform` and `normal` do it themselves.

    Parameters
    ----------
    shape : tuple of int
    dtype : dtype

    Raises
    ------
    ValueError
        It needs more than `at_most` allows.

    Examples
    --------
    >>> import numpy as np
    >>> from fastrnn import init
    >>> init.reserve((10**9, 10**9), np.dtype(np.float32))  # outside of at_most nothing is refused
    """
    left = _left.get()
    if left is None:
        return
    left -= prod(shape) * dtype.itemsize
    if left < 0:
        raise ValueError(f"the weights need more than the bytes there are; {shape} is too much")
    _left.set(left)


def uniform(
    shape: tuple[int, ...], bound: float, rng: "Generator", dtype: DType = FLOAT32
) -> Array:
    """Return an array drawn uniformly from [-bound, bound).

    Parameters
    ----------
    shape : tuple of int
    bound : float
        1/√H for the layers of this package, as in PyTorch.
    rng : numpy.random.Generator
    dtype : dtype
        float32 or float64; drawn in this precision.

    Returns
    -------
    ndarray

    Raises
    ------
    MemoryError
        The array does not fit.
    ValueError
        It needs more than `at_most` allows.

    Examples
    --------
    >>> import numpy as np
    >>> from fastrnn import init
    >>> w = init.uniform((16, 4), 0.5, np.random.default_rng(0))
    >>> w.dtype, bool((abs(w) <= 0.5).all())
    (dtype('float32'), True)
    """
    reserve(shape, dtype)
    array = allocate("an initial weight", shape, dtype)
    rng.random(out=array, dtype=dtype.type)
    array *= 2 * bound
    array -= bound
    return array


def normal(
    shape: tuple[int, ...], rng: "Generator", dtype: DType = FLOAT32, drawn: DType | None = None
) -> Array:
    """Return an array drawn from the standard normal distribution, as tables of vectors begin.

    Parameters
    ----------
    shape : tuple of int
    rng : numpy.random.Generator
    dtype : dtype
        float32 or float64.
    drawn : dtype or None
        The precision that it is drawn in; None: that of `dtype`.

    Returns
    -------
    ndarray

    Raises
    ------
    MemoryError
        The array does not fit.
    ValueError
        It needs more than `at_most` allows.

    Examples
    --------
    >>> import numpy as np
    >>> from fastrnn import init
    >>> init.normal((1000, 4), np.random.default_rng(0)).std().round(1)
    np.float32(1.0)
    """
    reserve(shape, dtype)
    array = allocate("an initial weight", shape, dtype if drawn is None else drawn)
    rng.standard_normal(out=array, dtype=array.dtype.type)
    return array.astype(dtype, copy=False)
