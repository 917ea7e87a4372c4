"""Every check of an argument: accept it as it is, convert its layout, or say what is wrong.

A check of an array first asks `fits` of the core, which looks at the common case alone; whatever
fails that takes the slow road, which converts or explains. Nothing here ever changes a dtype
silently.
"""

import math
import os
from collections.abc import Iterator, Sequence
from math import prod
from operator import index
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from fastrnn._core import fits

if TYPE_CHECKING:
    from numpy.random import Generator

Array = NDArray[Any]
DType = np.dtype[Any]

FLOAT32: DType = np.dtype(np.float32)
FLOAT64: DType = np.dtype(np.float64)
INT64: DType = np.dtype(np.int64)
MAX_THREADS = 1024

_ndarray = np.ndarray


def exact(
    name: str,
    value: Any,
    shape: tuple[int, ...],
    dtype: DType,
    symbols: str,
    title: str,
    hidden: int,
    *,
    weight: bool = False,
) -> Array:
    """Return value as an aligned native array of this dtype and shape, copied only if it must be.

    Parameters
    ----------
    name, symbols, title, hidden : str, str, str, int
        Words for the message: the argument, its shape in symbols, the cell, its H.
    weight : bool
        Weights may have any strides; everything else needs a last axis of unit stride.

    Raises
    ------
    TypeError
        value is no array, or its dtype is not `dtype`.
    ValueError
        value has another shape.
    """
    if fits(value, shape, dtype):
        return value
    array = floats(name, value, dtype)
    if array.shape != shape:
        raise shape_error(name, symbols, shape, f"{title} with H = {hidden}", array.shape)
    return array if weight else unit_stride(name, array)


def shape_error(
    name: str, symbols: str, shape: tuple[int, ...], context: str, got: tuple[int, ...]
) -> ValueError:
    """Word the mismatch of one shape, with a hint when the array looks transposed."""
    hint = "; did you pass its transpose?" if len(got) == 2 and got == shape[::-1] else ""
    return ValueError(f"{name} must have shape {symbols} = {shape} for {context}, got {got}{hint}")


def leading(name: str, value: Any) -> tuple[Array, DType]:
    """Return the array that decides the dtype of a call (w_hh), and that dtype."""
    if type(value) is _ndarray:
        dtype = value.dtype
        if (dtype is FLOAT32 or dtype is FLOAT64) and value.flags.aligned:
            return value, dtype
    array = _as_ndarray(name, value)
    if array.dtype.kind == "f" and array.dtype.itemsize in (4, 8):
        dtype = FLOAT32 if array.dtype.itemsize == 4 else FLOAT64
    elif isinstance(value, Sequence) and array.dtype.kind in "iu":
        dtype = FLOAT64
    else:
        raise TypeError(f"{name} must be float32 or float64, got {array.dtype}")
    return _native(name, array, dtype), dtype


def floats(name: str, value: Any, dtype: DType) -> Array:
    """Return value as an aligned native array of this dtype; its strides are the caller's."""
    if type(value) is _ndarray and value.dtype is dtype and value.flags.aligned:
        return value
    array = _as_ndarray(name, value)
    came = array.dtype
    if isinstance(value, Sequence):
        if came.kind not in "fiu" or (came.kind == "f" and came.itemsize > 8):
            raise TypeError(f"{name} must hold floating numbers, got a sequence of {came}")
    elif came.kind != "f" or came.itemsize not in (4, 8):
        raise TypeError(f"{name} must be float32 or float64, got {came}")
    elif came.itemsize != dtype.itemsize:
        raise TypeError(
            f"{name} must be {dtype} as the other arrays of this call are, got {came}; "
            f"convert one side with astype"
        )
    return _native(name, array, dtype)


def unit_stride(name: str, array: Array) -> Array:
    """Return array, or a copy of it where its last axis is not contiguous."""
    if array.shape[-1] <= 1 or array.size == 0 or array.strides[-1] == array.itemsize:
        return array
    fresh = allocate(name, array.shape, array.dtype)
    fresh[...] = array
    return fresh


def allocate(name: str, shape: tuple[int, ...], dtype: DType) -> Array:
    """Return an uninitialised array, or raise MemoryError that names what did not fit."""
    try:
        return np.empty(shape, dtype)
    except (MemoryError, ValueError, OverflowError):
        raise MemoryError(f"{name} of shape {shape} and dtype {dtype} does not fit") from None


def lengths(
    value: Any,
    steps: int,
    rows: int,
    single: bool,
    name: str = "lengths",
    symbols: tuple[str, str] = ("N", "T"),
) -> NDArray[np.int64]:
    """Return lengths as contiguous int64 of shape (N,), each in 0..T; or what these are called.

    Raises
    ------
    TypeError
        lengths holds anything but integers.
    ValueError
        lengths has another shape (one sequence may give a number), or a value outside of 0..T.
    """
    array = _as_ndarray(name, value if not single or np.ndim(value) else [value])
    if array.dtype.kind not in "iu" and not (array.size == 0 and isinstance(value, Sequence)):
        raise TypeError(f"{name} must hold integers, got {array.dtype}")
    if array.shape != (rows,):
        raise ValueError(f"{name} must have shape ({symbols[0]},) = ({rows},), got {array.shape}")
    wrong = (array < 0) | (array > steps)
    if wrong.any():
        row = int(wrong.argmax())
        bounds = f"0..{symbols[1]} = 0..{steps}"
        raise ValueError(f"{name} must lie in {bounds}, got {array[row]} in row {row}")
    return np.require(array, INT64, ["C", "A"])


def flag(name: str, value: Any) -> bool:
    """Return a truth value that was given as bool; a stray array or string is a mistake."""
    if value is True or value is False:
        return bool(value)
    if isinstance(value, np.bool_):
        return bool(value)
    raise TypeError(f"{name} must be True or False, got {value!r}")


def choice(name: str, value: Any, choices: Sequence[str]) -> str:
    """Return a word that must be one of few."""
    if value not in choices:
        raise ValueError(f"{name} must be one of {list(choices)}, got {value!r}")
    return str(value)


def file_path(name: str, value: Any) -> Path:
    """Return the path of a file or folder; a number, an open file or bytes are none."""
    if not isinstance(value, (str, os.PathLike)):
        raise TypeError(f"{name} must be a path, a str or os.PathLike, got {value!r}")
    return Path(value)


def integer(name: str, value: Any, least: int, most: int | None = None) -> int:
    """Return an integer between bounds; bool and float are refused."""
    if isinstance(value, (bool, np.bool_)):
        raise TypeError(f"{name} must be an integer, got {value!r}")
    try:
        number = index(value)
    except TypeError:
        raise TypeError(f"{name} must be an integer, got {value!r}") from None
    if number < least or (most is not None and number > most):
        bounds = f"at least {least}" if most is None else f"in {least}..{most}"
        raise ValueError(f"{name} must be {bounds}, got {number}")
    return number


def threads(num_threads: Any) -> int:
    """Return how many threads a call asks for, 0 where it leaves that to the setting."""
    return 0 if num_threads is None else integer("num_threads", num_threads, 1, MAX_THREADS)


def number(name: str, value: Any, least: float = -math.inf, below: float = math.inf) -> float:
    """Return a real number in ``[least, below)`` as float; bool, strings and NaN are refused."""
    if isinstance(value, (bool, np.bool_)) or not isinstance(value, (int, float, np.number)):
        raise TypeError(f"{name} must be a real number, got {value!r}")
    if isinstance(value, np.complexfloating):
        raise TypeError(f"{name} must be a real number, got {value!r}")
    try:
        result = float(value)
    except OverflowError:
        result = math.inf
    if not math.isfinite(result):
        raise ValueError(f"{name} must be finite, got {value!r}")
    if not least <= result < below:
        bounds = f"at least {least:g}" + (f" and below {below:g}" if below < math.inf else "")
        raise ValueError(f"{name} must be {bounds}, got {value!r}")
    return result


def positive(name: str, value: Any) -> float:
    """Return a number above 0, which may be infinite."""
    if value == math.inf:
        return math.inf
    limit = number(name, value, 0)
    if limit == 0:
        raise ValueError(f"{name} must be above 0, got {value!r}")
    return limit


def probability(name: str, value: Any) -> float:
    """Return a number in 0..1."""
    p = number(name, value)
    if not 0 <= p <= 1:
        raise ValueError(f"{name} must lie in 0..1, got {value!r}")
    return p


def truncation(truncate: Any, steps: int) -> int | None:
    """Return every how many steps the gradient is cut, None where it never is."""
    every = integer("truncate", truncate, 1)
    return every if every < steps else None


def step_limit(clip_step: Any) -> float:
    """Return the limit of a step's gradients."""
    limit = number("clip_step", clip_step)
    if limit <= 0:
        raise ValueError(f"clip_step must be above 0, got {clip_step!r}")
    return limit


def items(name: str, value: Any) -> Iterator[Any]:
    """Return an iterator over what holds several things; one that is no iterable is named."""
    try:
        return iter(value)
    except TypeError:
        raise TypeError(f"{name} must be a sequence, got {value!r}") from None


def function(name: str, value: Any) -> None:
    """Refuse what cannot be called."""
    if not callable(value):
        raise TypeError(f"{name} must be a function, got {value!r}")


def generator(rng: Any, name: str = "rng") -> "Generator":
    """Return rng itself, or a Generator with fresh entropy for None.

    Parameters
    ----------
    rng : numpy.random.Generator or None
    name : str
        What the argument is called in the message.

    Raises
    ------
    TypeError
        rng is something else, such as a seed or a RandomState.

    Examples
    --------
    >>> import numpy as np
    >>> from fastrnn import init
    >>> rng = np.random.default_rng(0)
    >>> init.generator(rng) is rng
    True
    """
    from numpy import random

    if rng is None:
        return random.default_rng()
    if not isinstance(rng, random.Generator):
        raise TypeError(
            f"{name} must be a numpy.random.Generator or None, got {rng!r}; "
            f"numpy.random.default_rng(seed) makes one"
        )
    return rng


def dtype_of(name: str, value: Any) -> DType:
    """Return what NumPy takes for a dtype; anything else is named."""
    try:
        dtype: DType = np.dtype(value)
    except TypeError:
        raise TypeError(f"{name} must be a dtype, got {value!r}") from None
    return dtype


def unmasked(name: str, value: Any) -> None:
    """Refuse a masked array: NumPy would hand over what it hides."""
    if isinstance(value, np.ma.MaskedArray):
        raise TypeError(f"{name} must not be a masked array; fill it first")


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


def _as_ndarray(name: str, value: Any) -> Array:
    """Return value as a plain ndarray of whatever dtype it has, without a cast."""
    if type(value) is _ndarray:
        return value
    if isinstance(value, np.ma.MaskedArray):
        raise TypeError(f"{name} must not be a masked array; fill it first, or pass lengths")
    if hasattr(value, "batch_sizes"):
        raise TypeError(
            f"{name} must be an array, got a packed sequence: pass the padded array, and lengths= "
            "beside it; the layers of fastrnn.torch take packed sequences, too"
        )
    try:
        if isinstance(value, (np.ndarray, list, tuple)):
            return np.asarray(value)
        if hasattr(value, "__dlpack__"):
            return np.from_dlpack(value)
        if hasattr(value, "__array__"):
            return np.asarray(value)
    except ValueError as error:
        raise ValueError(f"{name} is no regular array: {error}") from None
    except (TypeError, RuntimeError, BufferError, OverflowError, AttributeError) as error:
        hint = "; pass its detach()" if getattr(value, "requires_grad", False) else ""
        raise TypeError(f"{name} cannot be read as a NumPy array: {error}{hint}") from None
    raise TypeError(f"{name} must be an array, got {type(value).__name__}")


def _native(name: str, array: Array, dtype: DType) -> Array:
    """Return array in native byte order, aligned, with exactly this dtype object."""
    if array.dtype is dtype and array.flags.aligned:
        return array
    if array.dtype == dtype and array.flags.aligned:
        return array.view(dtype)  # only the dtype object may differ, by its metadata
    try:
        return array.astype(dtype)
    except MemoryError:
        raise MemoryError(f"a copy of {name} with shape {array.shape} does not fit") from None
