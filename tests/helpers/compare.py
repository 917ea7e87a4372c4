"""Comparing two results: against the twin with derived bounds, or bit by bit."""

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from helpers.cases import OUTPUTS
from helpers.tolerances import FORWARD, GRADIENT, assert_close, assert_same_bits

# What belongs to single rows of the batch, with the axis of the rows.
ROW_AXES = {"y": 1, "h_n": 0, "c_n": 0, "dx": 1, "dh0": 0, "dc0": 0}


def bound_of(name: str, dtype: Any) -> float:
    """The bound for one result, by its kind and precision."""
    return (FORWARD if name in OUTPUTS else GRADIENT)[np.dtype(dtype)]


def assert_equals_twin(
    actual: Mapping[str, np.ndarray],
    expected: Mapping[str, np.ndarray],
    dtype: Any,
    where: str = "",
    factor: float = 1.0,
) -> None:
    """Every result within its bound, in the right dtype; none missing, none extra."""
    assert set(actual) == set(expected), f"{where}: {sorted(actual)}, not {sorted(expected)}"
    for name, array in actual.items():
        assert array.dtype == dtype, f"{where} {name}: {array.dtype}, not {dtype}"
        assert_close(f"{where} {name}", array, expected[name], factor * bound_of(name, dtype))


def assert_identical(
    actual: Mapping[str, np.ndarray],
    expected: Mapping[str, np.ndarray],
    where: str = "",
    names: Iterable[str] | None = None,
) -> None:
    """Every result (or those in `names`) equal bit by bit."""
    for name in expected if names is None else names:
        assert_same_bits(f"{where} {name}", actual[name], expected[name])


def row_results(results: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The results that belong to single rows, rows first."""
    return {
        name: np.moveaxis(results[name], axis, 0)
        for name, axis in ROW_AXES.items()
        if name in results
    }
