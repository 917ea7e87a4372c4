"""Arguments that several operations take: integers, rows, arrays of one shape."""

from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastrnn._checks import INT64, Array, floats, leading, unit_stride, unmasked


def as_rows(name: str, array: Array) -> Array:
    """Return the array as (M, columns) with unit stride along the columns."""
    if array.ndim != 2:
        array = array.reshape(prod(array.shape[:-1]), array.shape[-1])
    return unit_stride(name, array)


def integers(name: str, value: Any) -> NDArray[np.int64]:
    """Return an array of integers, of whatever shape, as contiguous int64.

    Raises
    ------
    TypeError
        It holds anything but integers.
    """
    if type(value) is np.ndarray and value.dtype is INT64 and value.flags.c_contiguous:
        return value
    unmasked(name, value)
    array = np.asarray(value)
    if array.size == 0 and isinstance(value, (list, tuple)):
        array = array.astype(np.int64)
    if array.dtype.kind not in "iu":
        raise TypeError(f"{name} must hold integers, got {array.dtype}")
    if array.dtype == np.uint64 and array.size and array.max() > np.iinfo(np.int64).max:
        raise ValueError(f"{name} must fit int64, got {array.max()}")
    return np.require(array, INT64, ["C", "A"])


def alike(first: str, value: Any, /, **others: Any) -> tuple[Array, ...]:
    """Return floating arrays of one dtype and one shape, that of the first.

    Raises
    ------
    TypeError
        One is no floating array of that dtype.
    ValueError
        One has another shape.
    """
    array, dtype = leading(first, value)
    result = [array]
    for name, other in others.items():
        result.append(floats(name, other, dtype))
        if result[-1].shape != array.shape:
            raise ValueError(
                f"{name} must have the shape of {first}, {array.shape}, got {result[-1].shape}"
            )
    return tuple(result)
