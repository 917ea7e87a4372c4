"""Malformed values: from one good argument, everything that is wrong with it in exactly one way."""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import as_strided

Mutation = tuple[str, Any]  # what is wrong, and the wrong value

REFUSED_DTYPES = ("float16", "longdouble", "int8", "int32", "int64", "uint64", "bool")
REFUSED_DTYPES += ("complex64", "complex128", "object", "U8", "S8", "M8[s]", "V4")


def dtypes(a: np.ndarray) -> Iterator[Mutation]:
    """The same shape in every dtype that may not come in."""
    other = np.float64 if a.dtype == np.float32 else np.float32
    yield "dtype other float", a.astype(other)
    for name in REFUSED_DTYPES:
        dtype = np.dtype(name)
        yield f"dtype {name}", np.zeros(a.shape, dtype)
    yield "dtype record", np.zeros(a.shape, [("re", a.dtype), ("im", a.dtype)])


def ranks(a: np.ndarray) -> Iterator[Mutation]:
    """One axis more, and fewer."""
    yield "rank + first", a[None]
    yield "rank + last", a[..., None]
    yield "rank 0", np.array(0.5, a.dtype)
    if a.ndim > 1:
        yield "rank 1", a.ravel()


def shapes(a: np.ndarray, free: tuple[int, ...] = ()) -> Iterator[Mutation]:
    """Every axis shorter, longer and empty, and every two axes swapped; `free` axes may grow."""
    for axis, size in enumerate(a.shape):
        for new in {0, size - 1, size + 1, 2 * size} - {size}:
            if axis not in free:
                yield (
                    f"shape axis {axis} {new}",
                    np.resize(a, (*a.shape[:axis], new, *a.shape[axis + 1 :])),
                )
        for second in range(axis):
            swapped = np.ascontiguousarray(a.swapaxes(axis, second))
            if swapped.shape != a.shape and not {axis, second} <= set(free):
                yield f"shape swapped {second} {axis}", swapped


def huge(a: np.ndarray) -> Iterator[Mutation]:
    """Sizes that no memory holds, by zero strides; and an axis whose product overflows."""
    for size in (2**31, 2**40, 2**55):
        for axis in range(a.ndim):
            shape = (*a.shape[:axis], size, *a.shape[axis + 1 :])
            strides = tuple(0 if i == axis else s for i, s in enumerate(a.strides))
            yield f"huge axis {axis}", as_strided(a, shape, strides, writeable=False)


def no_arrays(required: bool, lists: bool) -> Iterator[Mutation]:
    """Things that are no array."""
    yield "a string", "text"
    yield "an object", object()
    yield "a dict", {"a": 1}
    yield "a set", {1.0}
    yield "a function", len
    yield "a generator", (i for i in range(3))
    yield "a number", 1.5
    yield "a ragged list", [[1.0], [1.0, 2.0]]
    yield "a list of strings", ["a", "b"]
    if not lists:
        yield "a list", [[1.0, 2.0], [3.0, 4.0]]
    if required:
        yield "absent", None


def masked(a: np.ndarray) -> Iterator[Mutation]:
    """Masked arrays, with something masked or nothing."""
    yield "masked", np.ma.masked_array(a, np.arange(a.size).reshape(a.shape) % 2 == 0)
    yield "masked nothing", np.ma.masked_array(a)


def strict_layouts(a: np.ndarray, *, unit_last: bool) -> Iterator[Mutation]:
    """Layouts that the friendly layer converts and the strict core must refuse."""
    yield "layout foreign order", a.astype(a.dtype.newbyteorder())
    raw = np.zeros(a.nbytes + 1, np.uint8)
    yield "layout unaligned", raw[1:].view(a.dtype).reshape(a.shape)
    if unit_last:
        yield "layout fortran", np.asfortranarray(a) if a.ndim > 1 else np.repeat(a, 2)[::2]
        yield "layout every second", np.repeat(a, 2, axis=-1)[..., ::2]
        yield "layout mirrored", a[..., ::-1]


def array(
    a: np.ndarray,
    *,
    required: bool = True,
    strict: bool = False,
    unit_last: bool = False,
    free: tuple[int, ...] = (),
    vector: bool = False,
) -> Iterator[Mutation]:
    """All of the above for one floating input; `vector`: a 1-D array may serve every row."""
    yield from dtypes(a)
    yield from (m for m in ranks(a) if not (vector and a.shape[0] == 1))
    yield from shapes(a, free)
    yield from (m for m in huge(a) if strict or not free)
    yield from no_arrays(required, lists=not strict)
    yield from masked(a)
    if strict:
        yield from strict_layouts(a, unit_last=unit_last)


def output(a: np.ndarray, *, required: bool = True, packed: bool = False) -> Iterator[Mutation]:
    """What may not be written to; `packed`: must be C-contiguous."""
    yield from array(a, required=required, strict=True, unit_last=True)
    frozen = a.copy()
    frozen.flags.writeable = False
    yield "read-only", frozen
    if a.ndim > 1:
        strides = (0, *a.strides[1:])
        yield "zero stride", as_strided(a.copy(), a.shape, strides)
    if packed and a.ndim > 1:
        yield "gaps", np.repeat(a, 2, axis=0)[::2]


def lengths(a: np.ndarray, steps: int, *, strict: bool) -> Iterator[Mutation]:
    """Bad lengths: type, size, range."""
    for name in ("float64", "float32", "bool", "complex128", "object", "U8", "M8[s]"):
        yield f"lengths {name}", np.ones(a.shape, name)
    yield "lengths NaN", np.full(a.shape, np.nan)
    for value in (-1, steps + 1, 2**31, np.iinfo(np.int64).max, np.iinfo(np.int64).min):
        for row in range(a.size):
            wrong = a.copy()
            wrong[row] = value
            yield f"lengths {value} in row {row}", wrong
    yield "lengths too many", np.append(a, 1)
    yield "lengths too few", a[:-1]
    yield "lengths none", a[:0]
    yield "lengths 2-D", a[None]
    yield "lengths column", a[:, None]
    yield "lengths 0-D", np.array(2)
    yield from masked(a)
    yield "lengths text", "abc"
    yield "lengths object", object()
    yield "lengths number", 3.0
    if strict:
        yield "lengths int32", a.astype(np.int32)
        yield "lengths uint64", a.astype(np.uint64)
        yield "lengths list", a.tolist()
        yield from strict_layouts(a, unit_last=False)
    else:
        yield "lengths floats", [1.0] * a.size
        yield "lengths strings", ["1"] * a.size
        yield "lengths 2^63", np.full(a.shape, 2**63, np.uint64)


def of(*values: Any) -> Iterator[Mutation]:
    """Values listed one by one."""
    return ((f"{value!r}", value) for value in values)


NO_FLAGS = ("yes", 1, 0.0, None, (), b"x")
NO_COUNTS = (-1, 2**40, -(2**70), 2**70, 1.5, "2", (1,), float("nan"), 1j)


@dataclass(frozen=True)
class Subject:
    """A function, a good call of it, and what can be wrong with each argument."""

    name: str
    function: Callable[..., Any]
    good: Mapping[str, Any]
    wrong: Mapping[str, Iterable[Mutation]]
    strict: bool = False

    def run(self) -> int:
        """Make every malformed call; returns how many."""
        count, failures = 0, []
        for argument, mutations in self.wrong.items():
            for label, value in mutations:
                count += 1
                try:
                    self._refused(argument, label, value)
                except AssertionError as error:
                    failures.append(str(error))
        assert not failures, "\n".join([f"{len(failures)} of {count} calls", *failures[:20]])
        return count

    def _refused(self, argument: str, label: str, value: Any) -> None:
        call = {**self.good, argument: value}
        arrays = {k: v for k, v in call.items() if isinstance(v, np.ndarray)}
        before = {k: v.tobytes() for k, v in arrays.items() if v.nbytes < 2**20}
        where = f"{self.name}({argument}: {label})"
        try:
            self.function(**call)
        except (TypeError, ValueError, MemoryError) as error:
            message = str(error)
        else:
            raise AssertionError(f"{where} was accepted")
        after = {k: v.tobytes() for k, v in arrays.items() if v.nbytes < 2**20}
        assert after == before, f"{where} changed an array"
        # A shape or dtype contradicts another argument, and either may be named.
        related = label.split(maxsplit=1)[0] in (
            "shape",
            "dtype",
            "rank",
            "huge",
            "absent",
            "layout",
        )
        names = list(self.good) if related else [argument]
        # What does not fit into memory may be a result or a weight, which the message then names.
        named = any(re.search(rf"\b{name}\b", message) for name in names)
        assert named or "does not fit" in message, f"{where}: {message}"
        dump = "incompatible function arguments" in message and isinstance(value, np.ndarray)
        assert not dump, f"{where} is not explained: {message}"
