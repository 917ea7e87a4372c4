"""Matrices of int8 rows and of bfloat16: the one place where weights are rounded.

Both stand for a float32 matrix (R, K), and are frozen: nobody edits them.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from operator import is_
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from fastrnn import _core
from fastrnn._checks import FLOAT32, Array

LARGEST = 127  # of the int8 values: -128 has no counterpart
MOST_COLUMNS = (2**31 - 1) // LARGEST**2  # of which 32 bits hold the sums of products


class _Packable(ABC):
    """A matrix that is packed for products once an instruction set, when it is first needed."""

    __slots__ = ("_ready", "_together")

    _ready: _core.PackedMatrix | None
    _together: tuple[tuple[Any, ...], Any, _core.DecoderWeights] | None

    def __init__(self) -> None:
        self._ready = self._together = None

    def packed_with(
        self, others: tuple[Any, ...], kind: Any, pack: Callable[[], _core.DecoderWeights]
    ) -> _core.DecoderWeights:
        """Return what `pack` makes of this matrix and others, kept while they are the same."""
        kind, kept = (_core.isa(), kind), self._together
        if kept is None or kept[1] != kind or not all(map(is_, kept[0], others)):
            kept = self._together = others, kind, pack()
        return kept[2]

    def packed(self) -> _core.PackedMatrix:
        """Return the matrix in the order that the kernels of the instruction set in use read."""
        ready = self._ready
        if ready is None or ready.isa != _core.isa():
            ready = self._ready = _core.PackedMatrix(*self._arrays())
        return ready

    @abstractmethod
    def _arrays(self) -> tuple[Array, ...]:
        """Return what the core packs."""


class Int8Rows(_Packable):
    """A matrix (R, K) whose row r is about ``scale[r] * values[r]``.

    Attributes
    ----------
    values : ndarray of int8, (R, K)
        In -127..127.
    scale : ndarray of float32, (R,)
        The largest absolute value of the row over 127.
    """

    precision: ClassVar[str] = "int8"
    __slots__ = ("scale", "values")

    values: NDArray[np.int8]
    scale: NDArray[np.float32]

    def __init__(self, values: NDArray[np.int8], scale: Array) -> None:
        super().__init__()
        self.values, self.scale = _frozen(values), _frozen(scale)

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.values, self.scale)

    def _arrays(self) -> tuple[Array, ...]:
        return self.values, self.scale

    @classmethod
    def of(cls, name: str, w: Array) -> Self:
        """Return a matrix of float32, or of numbers that are, rounded half to even.

        Raises
        ------
        ValueError
            It holds NaN or Inf, or has too many columns; the message names it.
        """
        w = finite(name, w)
        if w.shape[1] > MOST_COLUMNS:
            raise ValueError(
                f"{name} must have at most {MOST_COLUMNS} columns for int8, got {w.shape[1]}"
            )
        scale = np.max(np.abs(w), axis=1, initial=0) / np.float32(LARGEST)
        # What has no normal scale is zero: the kernels flush such numbers.
        scale[scale < np.finfo(np.float32).tiny] = 0
        divisor = np.where(scale == 0, np.float32(np.inf), scale)[:, None]
        return cls(np.rint(w / divisor).astype(np.int8), scale)

    @property
    def shape(self) -> tuple[int, ...]:
        """(R, K)."""
        return self.values.shape

    @property
    def size(self) -> int:
        """R·K."""
        return self.values.size

    @property
    def nbytes(self) -> int:
        """Bytes of the values and their scales."""
        return self.values.nbytes + self.scale.nbytes

    def operand(self) -> tuple[Array, Array]:
        """Return what the twin takes: values and scales."""
        return self.values, self.scale

    def __getitem__(self, rows: Any) -> Array:
        """Return rows in float32, (…, K), by their numbers, or a slice."""
        vectors: Array = self.values[rows] * self.scale[rows][..., None]
        return vectors

    def below(self, rows: int) -> Self:
        """Return the matrix under so many rows of zeros."""
        return type(self)(_below(self.values, rows), _below(self.scale, rows))

    def tensors(self, name: str) -> dict[str, Array]:
        """Return what a file holds of it."""
        return {name: self.values, f"{name}.scale": self.scale}

    @classmethod
    def from_tensors(
        cls, name: str, shape: tuple[int, ...], tensors: Mapping[str, Array]
    ) -> Self:
        """Return what `tensors` wrote, checked.

        Raises
        ------
        ValueError
            A tensor is missing, or is not as `of` makes it.
        """
        values = tensor(name, shape, np.int8, tensors)
        scale = tensor(f"{name}.scale", shape[:1], np.float32, tensors)
        if values.size and values.min() < -LARGEST:
            raise ValueError(f"{name} must lie in -127..127, got -128")
        if not (np.isfinite(scale) & (scale >= 0)).all():
            raise ValueError(f"{name}.scale must be finite and not negative")
        return cls(values, scale)


class Bfloat16(_Packable):
    """A matrix (R, K) of bfloat16: the upper half of a float32's bits.

    Attributes
    ----------
    bits : ndarray of uint16, (R, K)
    """

    precision: ClassVar[str] = "bfloat16"
    __slots__ = ("bits",)

    bits: NDArray[np.uint16]

    def __init__(self, bits: NDArray[np.uint16]) -> None:
        super().__init__()
        self.bits = _frozen(bits)

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.bits,)

    def _arrays(self) -> tuple[Array, ...]:
        return (self[:],)

    @classmethod
    def of(cls, name: str, w: Array) -> Self:
        """Return a matrix of float32 rounded to nearest, half to even.

        Raises
        ------
        ValueError
            It holds NaN or Inf, or what rounds to Inf; the message names it.
        """
        whole = np.ascontiguousarray(finite(name, w)).view(np.uint32)
        bits = ((whole + 0x7FFF + (whole >> 16 & 1)) >> 16).astype(np.uint16)
        made = cls(bits)
        if not np.isfinite(made[:]).all():
            raise ValueError(f"{name} holds a value that is Inf in bfloat16")
        return made

    @property
    def shape(self) -> tuple[int, ...]:
        """(R, K)."""
        return self.bits.shape

    @property
    def size(self) -> int:
        """R·K."""
        return self.bits.size

    @property
    def nbytes(self) -> int:
        """Bytes of the values."""
        return self.bits.nbytes

    def operand(self) -> Array:
        """Return what the twin, and the core's packer, take: the values in float32."""
        return self[:]

    def __getitem__(self, rows: Any) -> Array:
        """Return rows in float32, (…, K), by their numbers, or a slice."""
        vectors: Array = (self.bits[rows].astype(np.uint32) << 16).view(np.float32)
        return vectors

    def below(self, rows: int) -> Self:
        """Return the matrix under so many rows of zeros."""
        return type(self)(_below(self.bits, rows))

    def tensors(self, name: str) -> dict[str, Array]:
        """Return what a file holds of it: safetensors' NumPy half knows no bfloat16."""
        return {f"{name}.bits": self.bits}

    @classmethod
    def from_tensors(
        cls, name: str, shape: tuple[int, ...], tensors: Mapping[str, Array]
    ) -> Self:
        """Return what `tensors` wrote, checked.

        Raises
        ------
        ValueError
            A tensor is missing, or is not as `of` makes it.
        """
        made = cls(tensor(f"{name}.bits", shape, np.uint16, tensors))
        if not np.isfinite(made.operand()).all():
            raise ValueError(f"{name} must hold neither NaN nor Inf")
        return made


Matrix = Int8Rows | Bfloat16
PRECISIONS: dict[str, type[Int8Rows] | type[Bfloat16]] = {
    kind.precision: kind for kind in (Int8Rows, Bfloat16)
}


def checked_precision(precision: Any) -> str:
    """Return the precision, or say which there are."""
    if not isinstance(precision, str) or precision not in PRECISIONS:
        raise ValueError(f"precision must be one of {list(PRECISIONS)}, got {precision!r}")
    return str(precision)


def finite(name: str, w: Array) -> Array:
    """Return weights that can be quantised, or stay beside such; the errors name them."""
    if w.dtype != FLOAT32:
        raise TypeError(f"{name} must be float32 to be quantised, got {w.dtype}")
    if not np.isfinite(w).all():
        raise ValueError(f"{name} holds NaN or Inf, which cannot be quantised")
    return w


def _below(array: Array, rows: int) -> Array:
    return np.concatenate([np.zeros((rows, *array.shape[1:]), array.dtype), array])


def _frozen(array: Array) -> Any:
    array = np.ascontiguousarray(array)
    array.setflags(write=False)
    return array


def tensor(name: str, shape: tuple[int, ...], dtype: Any, tensors: Mapping[str, Array]) -> Array:
    """Return one of a file's tensors, or say that it is missing or another one."""
    if name not in tensors:
        raise ValueError(f"it lacks {name}")
    array = tensors[name]
    if array.shape != shape or array.dtype != dtype:
        raise ValueError(
            f"{name} must be {np.dtype(dtype)} {shape}, got {array.dtype} {array.shape}"
        )
    return array
