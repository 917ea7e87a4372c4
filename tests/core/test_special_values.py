"""Why: one bad number may not spoil a batch, and masks made by multiplication let NaN through.

NaN and Inf do what IEEE says within their row and never leave it; saturated gates stay finite.
"""

import numpy as np
import pytest
from helpers.cases import CELLS, Case, Problem, draw
from helpers.compare import assert_identical, row_results
from helpers.runners import core_forward, run_core, run_twin
from helpers.tolerances import FORWARD, assert_close

PLANS = [(1, "rows"), (2, "rows"), (2, "units")]
CASE = {"T": 6, "N": 7, "I": 9, "H": 17}


def poisoned(problem: Problem, name: str, row: int, value: float) -> Problem:
    """One number of one row replaced."""
    array = getattr(problem, name).copy()
    array[(2, row, 1) if array.ndim == 3 else (row, 1)] = value
    return problem.replace(**{name: array})


@pytest.mark.check(14)
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("name", ["x", "h0", "c0", "dy", "dh_n", "dc_n"])
@pytest.mark.parametrize("lengths", ["none", "ragged"])
@pytest.mark.parametrize("cell", CELLS)
def test_a_bad_row_stays_alone(cell: str, lengths: str, name: str, value: float, isa: str) -> None:
    problem = draw(Case(cell, **CASE, lengths=lengths)).astype(np.float32)
    if getattr(problem, name) is None:
        return  # no c in this cell; the cells that have one are in the same parametrisation
    row = int(np.argmax(problem.row_lengths()))
    others = np.delete(np.arange(CASE["N"]), row)
    clean = row_results(run_core(problem))
    for threads, split in PLANS:
        bad = row_results(
            run_core(poisoned(problem, name, row, value), threads=threads, split=split)
        )
        kept = {key: array[others] for key, array in bad.items()}
        assert_identical(kept, {k: v[others] for k, v in clean.items()}, f"{isa} {split}")
    if np.isnan(value):
        reached = "y" if name in ("x", "h0", "c0") else "dx"
        assert np.isnan(bad[reached][row]).any(), f"NaN in {name} vanished"


@pytest.mark.check(14)
@pytest.mark.parametrize("cell", CELLS)
def test_nan_masks_equal_the_twins(cell: str, isa: str, dtype: np.dtype) -> None:
    """NaN appears in exactly the elements in which it appears in the twin, gradients included."""
    problem = draw(Case(cell, **CASE, lengths="ragged"))
    row = int(np.argmax(problem.row_lengths()))
    for name in ("x", "h0", "dy"):
        bad = poisoned(problem, name, row, np.nan)
        with np.errstate(invalid="ignore"):
            expected = run_twin(bad)
        actual = run_core(bad.astype(dtype))
        for key, array in expected.items():
            where = f"{isa} {key} after NaN in {name}"
            assert np.array_equal(np.isnan(actual[key]), np.isnan(array)), where


@pytest.mark.parametrize("name", ["w_ih", "w_hh", "b_ih", "w_peephole"])
@pytest.mark.parametrize("cell", CELLS)
def test_nan_in_a_weight_is_not_hidden(cell: str, name: str, isa: str) -> None:
    problem = draw(Case(cell, **CASE))
    if getattr(problem, name) is None:
        return
    weight = getattr(problem, name).copy()
    weight.flat[0] = np.nan
    outputs = core_forward(problem.replace(**{name: weight}))
    assert np.isnan(outputs["y"][-1]).any(axis=-1).all(), f"{isa}: every row must show it"


@pytest.mark.parametrize("cell", [c for c in CELLS if c not in ("rnn_relu", "rnn_linear")])
def test_saturated_units_stay_finite(cell: str, isa: str, dtype: np.dtype) -> None:
    problem = draw(Case(cell, **CASE))
    huge = problem.replace(x=np.sign(problem.x) * 1e30)
    with np.errstate(over="ignore", under="ignore"):
        expected = run_twin(huge)
    actual = run_core(huge.astype(dtype))
    for name in ("y", "h_n"):
        assert np.isfinite(actual[name]).all(), f"{isa} {name}"
        assert_close(f"{isa} {name}", actual[name], expected[name], FORWARD[dtype])
    assert np.isfinite(actual["dx"]).all(), f"{isa} dx"


@pytest.mark.check(14)
def test_infinite_gates_are_exact(isa: str, dtype: np.dtype) -> None:
    """tanh of +-Inf is +-1 and sigmoid is 1 or 0: an open or closed gate is not nearly so."""
    for cell, low in (("rnn_tanh", -1.0), ("rnn_sigmoid", 0.0)):
        problem = draw(Case(cell, T=1, N=2, I=1, H=1, projected=True, state="none", bias="none"))
        x = np.array([[[np.inf], [-np.inf]]])
        y = core_forward(problem.replace(x=x).astype(dtype))["y"]
        assert y.ravel().tolist() == [1.0, low], isa
