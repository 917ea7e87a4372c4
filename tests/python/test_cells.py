"""Why: one step alone must be the same step that runs inside a sequence, bit for bit; a decoder
that calls the cell and a trainer that calls the sequence would otherwise disagree.
"""

from typing import Any

import numpy as np
import pytest
from helpers.cases import CELLS, Case, Problem, draw

import fastrnn

T, N, I, H = 4, 3, 5, 17


def step_of(problem: Problem, x_t: Any, state: Any, **more: Any) -> Any:
    """One step by the public cell."""
    spec = problem.case.spec
    options = dict(spec.options) | more
    if problem.w_peephole is not None:
        options["w_peephole"] = problem.w_peephole
    weights = (problem.w_ih, problem.w_hh, problem.b_ih, problem.b_hh)
    return getattr(fastrnn, f"{spec.family}_cell")(x_t, state, *weights, **options)


def sequence_of(problem: Problem, x: Any, state: Any) -> Any:
    """y and the final state by the public function."""
    spec = problem.case.spec
    options = dict(spec.options)
    if problem.w_peephole is not None:
        options["w_peephole"] = problem.w_peephole
    weights = (problem.w_ih, problem.w_hh, problem.b_ih, problem.b_hh)
    states = state if isinstance(state, tuple) else (state,)
    return getattr(fastrnn, spec.family)(x, *weights, *states, **options)


@pytest.mark.parametrize("cell", CELLS)
def test_steps_make_the_sequence(cell: str, backend: str, dtype: np.dtype) -> None:
    problem = draw(Case(cell, T=T, N=N, I=I, H=H)).astype(dtype)
    pair = problem.case.spec.cell_state
    start = (problem.h0, problem.c0) if pair else problem.h0
    state, steps = start, []
    for x_t in problem.x:
        state = step_of(problem, x_t, state)
        steps.append(state[0] if pair else state)
    y, final = sequence_of(problem, problem.x, start)
    np.testing.assert_array_equal(np.stack(steps), y)
    np.testing.assert_array_equal(state, final)


@pytest.mark.parametrize("cell", CELLS)
def test_one_row_and_no_state(cell: str, backend: str) -> None:
    problem = draw(Case(cell, T=1, N=1, I=I, H=H))
    zero = np.zeros((1, H))
    pair = problem.case.spec.cell_state
    batch = step_of(problem, problem.x[0], (zero, zero) if pair else zero)
    single = step_of(problem, problem.x[0, 0], None)
    listed = step_of(problem, problem.x[0, 0].tolist(), None, num_threads=2)
    assert np.shape(single) == ((2, H) if pair else (H,))
    np.testing.assert_array_equal(np.reshape(single, -1), np.reshape(batch, -1))
    np.testing.assert_array_equal(listed, single)


def test_half_a_state_and_a_state_for_all_rows(backend: str) -> None:
    problem = draw(Case("lstm", T=1, N=N, I=I, H=H))
    c = problem.c0[0]
    expected = step_of(problem, problem.x[0], (np.zeros((N, H)), np.tile(c, (N, 1))))
    np.testing.assert_array_equal(step_of(problem, problem.x[0], (None, c)), expected)
    np.testing.assert_array_equal(step_of(problem, problem.x[0], [None, c]), expected)


def test_the_state_that_came_in_is_left_alone(backend: str) -> None:
    problem = draw(Case("gru_after", T=1, N=N, I=I, H=H))
    before = problem.h0.copy()
    h = step_of(problem, problem.x[0], problem.h0)
    assert not np.shares_memory(h, problem.h0)
    np.testing.assert_array_equal(problem.h0, before)


def test_a_projected_step(backend: str) -> None:
    problem = draw(Case("gru_before", T=1, N=N, I=I, H=H))
    expected = step_of(problem, problem.x[0], problem.h0)
    projected = problem.replace(w_ih=None)
    h = step_of(projected, problem.x[0] @ problem.w_ih.T, problem.h0)
    np.testing.assert_allclose(h, expected, rtol=1e-12)
