"""The operations of fastrnn.ops as the tests see them: how to draw arguments, and what to run.

An operation is called as ``function(*arrays, **options)``; the arrays are what is differentiated.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from types import ModuleType
from typing import Any

import autograd
import numpy as np
from autograd.builtins import tuple as traced_tuple

Arrays = dict[str, np.ndarray]
Draw = Callable[..., tuple[Arrays, dict[str, Any]]]


@dataclass(frozen=True)
class Operation:
    """One row of the table: its name, how to draw a call of some sizes, and the sizes."""

    name: str
    draw: Draw  # (rng, **sizes) -> arrays in float64, options
    sizes: list[dict[str, Any]]
    rows: str | None = None  # the array whose first axis counts independent rows, if there is one
    small: list[dict[str, Any]] = field(default_factory=list)  # for finite differences


def normal(rng: np.random.Generator, *shape: int) -> np.ndarray:
    return rng.normal(size=shape)


def draw_linear(
    rng: np.random.Generator, x: tuple[int, ...], O: int, bias: bool = True
) -> tuple[Arrays, dict[str, Any]]:
    arrays = {"x": normal(rng, *x), "w": normal(rng, O, x[-1])}
    return arrays | ({"b": normal(rng, O)} if bias else {}), {}


LINEAR = Operation(
    "linear",
    draw_linear,
    [
        {"x": (1, 1), "O": 1},
        {"x": (7, 5), "O": 3, "bias": False},
        {"x": (2, 3, 17), "O": 65},
        {"x": (33,), "O": 9},
        {"x": (300, 65), "O": 31},  # rows in more than one list, k in more than one block
        {"x": (5, 600), "O": 130},
        {"x": (0, 4), "O": 3},
        {"x": (3, 0), "O": 2},
        {"x": (3, 2), "O": 0},
    ],
    rows="x",
    small=[{"x": (3, 2), "O": 2}, {"x": (2, 1, 3), "O": 2, "bias": False}],
)

OPERATIONS = {operation.name: operation for operation in (LINEAR,)}


def cases(sizes: str = "sizes") -> list[tuple[Operation, dict[str, Any]]]:
    """Each operation at each of its sizes."""
    return [(op, s) for op in OPERATIONS.values() for s in getattr(op, sizes)]


def name_of(value: Any) -> str:
    """The words of a test id."""
    if isinstance(value, Operation):
        return value.name
    return "-".join(f"{key}{size}" for key, size in value.items()).replace(" ", "")


def cast(arrays: Arrays, dtype: Any) -> Arrays:
    return {name: array.astype(dtype) for name, array in arrays.items()}


def run(
    namespace: ModuleType, operation: Operation, arrays: Arrays, options: dict[str, Any]
) -> Any:
    """The operation's result: an array, or a tuple of them."""
    return getattr(namespace, operation.name)(*arrays.values(), **fresh(options))


def fresh(options: dict[str, Any]) -> dict[str, Any]:
    """The options, with a new generator for each seed: a generator that was used is another one."""
    return {
        name: np.random.default_rng(value) if name == "rng" else value
        for name, value in options.items()
    }


def cotangent(rng: np.random.Generator, result: Any) -> Any:
    """A random gradient by a result, in float64."""
    if isinstance(result, tuple):
        return tuple(cotangent(rng, part) for part in result)
    return rng.normal(size=np.shape(result))


def gradients(
    namespace: ModuleType,
    operation: Operation,
    arrays: Arrays,
    options: dict[str, Any],
    g: Any,
) -> Arrays:
    """The gradients of ``sum(g · result)`` by autograd: the primitive's, or through the twin."""
    vjp, _ = autograd.make_vjp(
        lambda values: run(
            namespace, operation, dict(zip(arrays, values, strict=True)), options
        )
    )(traced_tuple(tuple(arrays.values())))
    dtype = next(iter(arrays.values())).dtype
    return dict(zip(arrays, vjp(_as(g, dtype)), strict=True))


def _as(g: Any, dtype: np.dtype) -> Any:
    return tuple(_as(part, dtype) for part in g) if isinstance(g, tuple) else np.asarray(g, dtype)
