"""Why: a kernel is right at some sizes and wrong at others. Tails of vectors and tiles, one-step
chunks, splits over rows or units, absent arguments and directions go wrong in combinations.

Every two values of every factor in `cases.FACTORS` meet for each cell, with every instruction
set, both precisions, and every forced plan: left alone, the planner would run these sizes on one
thread in one chunk. Plans must agree bit by bit, except that the weights' gradients are summed
chunk by chunk; one plan for each chunk length is held against the float64 twin.
"""

import dataclasses
import itertools

import numpy as np
import pytest
from helpers.cases import CELLS, Case, check_trusted, draw, grid
from helpers.compare import assert_equals_twin, assert_identical
from helpers.runners import (
    core_forward,
    forced_isa,
    forced_plan,
    isas_under_test,
    run_core,
    run_twin,
)

GRID = [case for cell in CELLS for case in grid(cell)]
PLANS = list(itertools.product((0, 1), (1, 2), ("rows", "units")))  # chunk, threads, split
# Float64 takes half of them, in which every two settings still meet.
HALF = [(0, 1, "rows"), (0, 2, "units"), (1, 1, "units"), (1, 2, "rows")]


@pytest.mark.every_isa
@pytest.mark.check(2)
@pytest.mark.parametrize("case", GRID, ids=str)
def test_core_equals_twin(case: Case) -> None:
    expected = run_twin(draw(case))
    check_trusted(draw(case), expected)
    for isa, dtype in itertools.product(isas_under_test(), (np.float32, np.float64)):
        problem = draw(case).astype(dtype)
        with forced_isa(isa):
            first = {}
            for chunk, threads, split in PLANS if dtype == np.float32 else HALF:
                plan = {"chunk": chunk, "threads": threads, "split": split}
                found = run_core(problem, **plan)
                if chunk not in first:
                    first[chunk] = found
                    assert_equals_twin(found, expected, dtype, f"{isa} {plan}")
                assert_identical(found, first[chunk], f"{isa} {plan}")
                if dtype == np.float32 and threads == 2:
                    with forced_plan(split, chunk):
                        bare = core_forward(problem, threads=threads)
                    assert_identical(bare, found, f"{isa} {plan} without a tape", names=bare)
            assert_identical(first[1], first[0], isa)


@pytest.mark.every_isa
@pytest.mark.check(2, quick=4, full=130)
@pytest.mark.parametrize("cell", CELLS)
def test_other_grids(cell: str, count: int) -> None:
    """Other rows in which every two settings meet as well, and other numbers in them."""
    for number, case in enumerate(itertools.islice(itertools.cycle(grid(cell, 1)), count)):
        problem = draw(dataclasses.replace(case, seed=1 + number))
        expected = run_twin(problem)
        check_trusted(problem, expected)
        chunk, threads, split = PLANS[number % len(PLANS)]
        with forced_isa(isas_under_test()[number % len(isas_under_test())]):
            for dtype in (np.float32, np.float64):
                found = run_core(problem.astype(dtype), chunk=chunk, threads=threads, split=split)
                assert_equals_twin(found, expected, dtype, str(problem.case))


@pytest.mark.check(2)
@pytest.mark.parametrize("cell", CELLS)
def test_left_alone_the_planner_agrees_with_every_forced_plan(cell: str, isa: str) -> None:
    # Large enough for the planner to want two threads and several chunks.
    problem = draw(Case(cell, T=40, N=24, I=33, H=96, lengths="ragged")).astype(np.float32)
    automatic = run_core(problem, threads=2)
    for chunk, threads, split in PLANS:
        forced = run_core(problem, threads=threads, split=split, chunk=chunk)
        assert_identical(forced, automatic, f"{isa} {chunk} {threads} {split}")
    assert_equals_twin(automatic, run_twin(draw(problem.case)), np.float32, isa)


@pytest.mark.check(2)
@pytest.mark.parametrize("reverse", [False, True], ids=["forward", "reverse"])
@pytest.mark.parametrize("lengths", ["none", "ragged"])
@pytest.mark.parametrize("cell", CELLS)
def test_inference_in_many_chunks(cell: str, lengths: str, reverse: bool, isa: str) -> None:
    """Without a tape the gates of one chunk are all there is; threads may be in different ones."""
    case = Case(cell, T=40, N=24, I=33, H=96, lengths=lengths, reverse=reverse)
    problem = draw(case).astype(np.float32)
    kept = run_core(problem)
    for split, chunk in itertools.product((None, "rows", "units"), (0, 1, 2, 3, 7)):
        for turn in range(3):  # whatever the threads' timing
            with forced_plan(split, chunk):
                bare = core_forward(problem, threads=2 + turn)
            assert_identical(bare, kept, f"{isa} {split} {chunk}", names=bare)
