"""What a case must give: the NumPy twin's answer in float64, and how far others may be from it."""

import dataclasses
import functools

import numpy as np

from bench.baselines import Twin, problem
from bench.cases import Array, Case

# Relative errors are |d| / max(|expected|, rms(expected)), element by element. Rounding grows like
# the root of the sums' lengths: H + I <= 3,520 terms for y, T·N <= 12,800 for weight gradients, on
# top of which a cell chains T <= 200 steps. In float32 (eps 1.2e-7) that is about 1e-5 and 5e-5;
# other libraries sum in other orders and have coarser tanh, so all get four times as much. A wrong
# gate order, sign or mask is wrong by more than 1e-1.
FORWARD = {"float32": 4e-5, "float64": 1e-12}
GRADIENT = {"float32": 2e-4, "float64": 1e-11}


@functools.lru_cache(maxsize=4)
def expected(case: Case) -> dict[str, Array]:
    """The twin's answer in float64 to the case's own, possibly rounded, numbers."""
    numbers = problem(case)
    exact = dataclasses.replace(
        numbers,
        case=dataclasses.replace(case, dtype="float64"),
        x=numbers.x.astype(np.float64),
        weights={k: v.astype(np.float64) for k, v in numbers.weights.items()},
        dy=numbers.dy.astype(np.float64),
    )
    return Twin().prepare(exact).answer()


def relative_error(actual: Array, reference: Array) -> float:
    """Worst |actual - reference| / max(|reference|, rms(reference)); inf where not finite."""
    if actual.size == 0:
        return 0.0
    scale = np.maximum(np.abs(reference), np.sqrt(np.mean(np.square(reference))))
    error = np.abs(actual - reference) / np.maximum(scale, np.finfo(np.float64).tiny)
    return float(np.max(np.where(np.isfinite(error), error, np.inf)))


def check(case: Case, found: dict[str, Array]) -> float:
    """Compare an answer with the twin's and return its worst relative error.

    Raises
    ------
    AssertionError
        When an array is missing, has another shape or dtype, or is further from the twin's than
        `FORWARD` or `GRADIENT` allow; names the array.
    """
    reference = expected(case)
    assert found.keys() == reference.keys(), f"{case.id}: {sorted(found)}, {sorted(reference)}"
    worst = 0.0
    for name, want in reference.items():
        got = found[name]
        assert got.shape == want.shape, f"{case.id}: {name} {got.shape}, expected {want.shape}"
        assert got.dtype == case.dtype, f"{case.id}: {name} is {got.dtype}"
        allowed = (FORWARD if name == "y" else GRADIENT)[case.dtype]
        error = relative_error(got, want)
        assert error <= allowed, f"{case.id}: {name} is off by {error:.1e}, allowed {allowed:.1e}"
        worst = max(worst, error)
    return worst
