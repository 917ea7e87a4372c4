"""Why: an option of backward that goes wrong in one split, chunk or direction is a wrong gradient
that still trains. Truncation and clipping, every cell, against the twin and against themselves.
"""

import itertools

import numpy as np
import pytest
from helpers.cases import CELLS, INPUTS, Case, Problem, draw
from helpers.chunks import truncated
from helpers.compare import assert_equals_twin, assert_identical
from helpers.runners import (
    core_forward,
    forced_isa,
    isas_under_test,
    run_core,
    run_functions,
    run_twin,
)
from helpers.slopes import difference
from helpers.tolerances import DIFFERENCE_ABSOLUTE, DIFFERENCE_RELATIVE

SHAPES = [
    {"T": 9, "N": 5, "I": 9, "H": 17, "lengths": "ragged", "reverse": True, "batch_first": True},
    {"T": 9, "N": 5, "I": 7, "H": 33, "lengths": "ragged", "bias": "ih"},
    {"T": 8, "N": 26, "I": 3, "H": 8, "state": "none", "upstream": "dy"},
]
IDS = ["reverse", "ragged", "whole"]
OPTIONS = [{"truncate": 1}, {"truncate": 3}, {"clip_step": 0.05}, {"truncate": 2, "clip_step": 0.2}]
PLANS = [(0, 1, "rows"), (0, 2, "units"), (1, 2, "rows"), (3, 3, "units")]  # chunk, threads, split


@pytest.mark.every_isa
@pytest.mark.parametrize("shape", SHAPES, ids=IDS)
@pytest.mark.parametrize("cell", CELLS)
def test_core_equals_twin(cell: str, shape: dict) -> None:
    problem = draw(Case(cell, **shape))
    plain = run_twin(problem)
    for options in OPTIONS:
        expected = run_twin(problem, **options)
        assert abs(expected["dw_hh"] - plain["dw_hh"]).max() > 1e-3, "the option did nothing"
        for isa, dtype in itertools.product(isas_under_test(), (np.float32, np.float64)):
            single, first = problem.astype(dtype), None
            with forced_isa(isa):
                for chunk, threads, split in PLANS:
                    plan = {"chunk": chunk, "threads": threads, "split": split}
                    found = run_core(single, **plan, **options)
                    if first is None:
                        first = found
                        assert_equals_twin(found, expected, dtype, f"{isa} {options}")
                    assert_identical(found, first, f"{isa} {options} {plan}")


@pytest.mark.check(3)
@pytest.mark.parametrize("cell", CELLS)
def test_truncation_is_the_slope_chunk_by_chunk(cell: str, isa: str) -> None:
    problem = draw(Case(cell, T=5, N=3, I=2, H=3, lengths="ragged", reverse=True))

    def slopes(piece: Problem) -> dict:
        names = (name for name in INPUTS if getattr(piece, name) is not None)
        return {name: difference(piece, name) for name in names}

    expected = truncated(problem, 2, core_forward, slopes)
    found = run_core(problem, truncate=2)
    for name, gradient in expected.items():
        np.testing.assert_allclose(
            found[f"d{name}"], gradient, DIFFERENCE_RELATIVE, DIFFERENCE_ABSOLUTE, err_msg=name
        )


@pytest.mark.check(7)
@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("cell", CELLS)
def test_a_row_is_cut_as_if_it_were_alone(cell: str, reverse: bool) -> None:
    case = Case(cell, T=11, N=7, I=5, H=20, lengths="ragged", reverse=reverse)
    problem = draw(case).astype(np.float32)
    batch = run_core(problem, truncate=3, clip_step=0.3)
    for n in range(7):
        alone = run_core(problem.rows([n]), truncate=3, clip_step=0.3)
        mine = {"dx": batch["dx"][:, [n]], "dh0": batch["dh0"][[n]]}
        assert_identical(alone, mine, f"row {n}", names=mine)


@pytest.mark.parametrize("cell", CELLS)
def test_what_has_no_effect_changes_no_bit(cell: str) -> None:
    problem = draw(Case(cell, T=6, N=4, I=5, H=9, lengths="ragged")).astype(np.float32)
    plain = run_core(problem)
    for options in ({"truncate": 6}, {"truncate": 2**63 - 1}, {"clip_step": 1e300}):
        assert_identical(run_core(problem, **options), plain, str(options))


# Without relu, whose inactive units multiply Inf by 0.
@pytest.mark.parametrize("cell", [c for c in CELLS if c != "rnn_relu"])
def test_clipping_bounds_inf_and_lets_nan_through(cell: str) -> None:
    problem = draw(Case(cell, T=3, N=3, I=4, H=5, upstream="dy", bias="ih")).astype(np.float32)
    dy = problem.dy.copy()
    dy[1, 0], dy[1, 1] = np.inf, np.nan
    found = run_core(problem.replace(dy=dy), clip_step=0.5)
    one = problem.rows([0])
    bound = 0.5 * np.abs(one.w_ih).sum(axis=0)
    dx = run_core(one.replace(dy=dy[:, :1]), clip_step=0.5)["dx"]
    assert (np.abs(dx[1]) <= bound * 1.001).all()
    assert np.isnan(found["dx"][1, 1]).all()
    assert np.isfinite(found["dx"][:, 2]).all()


@pytest.mark.parametrize("cell", CELLS)
def test_the_functions_hand_both_on(cell: str, backend: str) -> None:
    problem = draw(Case(cell, T=6, N=4, I=5, H=9, lengths="ragged", reverse=True))
    options = {"truncate": np.int32(2), "clip_step": np.float32(0.25)}
    found = run_functions(problem, backward=options)
    assert_equals_twin(found, run_twin(problem, truncate=2, clip_step=0.25), np.float64)
