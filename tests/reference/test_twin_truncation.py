"""Truncation is defined by what it replaces: a call per chunk that starts from mere numbers. Chunks
are differentiated by judges that know no hand-derived backward: autograd and central differences.
"""

import autograd
import numpy as np
import pytest
from helpers.cases import CELLS, Case, Problem, draw
from helpers.chunks import truncated
from helpers.tolerances import assert_close, assert_same_bits
from helpers.twins import backward, central_differences, forward, inputs, loss

SHAPES = [
    {"T": 7, "N": 2, "I": 2, "H": 5},
    {"T": 6, "N": 4, "I": 2, "H": 3, "lengths": "ragged"},
    {"T": 6, "N": 4, "I": 2, "H": 3, "lengths": "ragged", "reverse": True, "batch_first": True},
    {"T": 5, "N": 2, "I": 1, "H": 2, "state": "none", "upstream": "dy", "reverse": True},
]
# Sums of a few hundred products in another order.
AUTOGRAD = 1e-10
# As in test_twin_backward.py.
STEP, DIFFERENCES = 1e-5, 1e-6


def values(problem: Problem) -> dict:
    return forward(problem, inputs(problem))


def by_autograd(problem: Problem) -> dict:
    return autograd.grad(lambda arrays: loss(problem, arrays))(inputs(problem))


@pytest.mark.parametrize("shape", SHAPES, ids=["whole", "ragged", "reverse", "from_dy"])
@pytest.mark.parametrize("cell", CELLS)
def test_truncation_equals_autograd_chunk_by_chunk(cell: str, shape: dict) -> None:
    problem = draw(Case(cell, **shape))
    whole = backward(problem)
    for every in (1, 2, 3):
        expected = truncated(problem, every, values, by_autograd)
        found = backward(problem, truncate=every)
        assert found.keys() == expected.keys()
        for name, gradient in found.items():
            assert_close(f"d{name} at {every}", gradient, expected[name], AUTOGRAD)
        assert abs(found["w_hh"] - whole["w_hh"]).max() > 1e-3, "nothing was cut"


@pytest.mark.parametrize("cell", CELLS)
def test_truncation_is_the_slope_chunk_by_chunk(cell: str) -> None:
    problem = draw(Case(cell, T=5, N=3, I=1, H=2, lengths="ragged", reverse=True))
    expected = truncated(problem, 2, values, lambda piece: central_differences(piece, STEP))
    for name, gradient in backward(problem, truncate=2).items():
        assert_close(f"d{name}", gradient, expected[name], DIFFERENCES)


@pytest.mark.parametrize("cell", CELLS)
def test_a_chunk_as_long_as_the_sequence_cuts_nothing(cell: str) -> None:
    problem = draw(Case(cell, T=5, N=3, I=2, H=4, lengths="ragged", reverse=True))
    whole = backward(problem)
    for every in (5, 6, 10**30):
        for name, gradient in backward(problem, truncate=every).items():
            assert_same_bits(f"d{name}", gradient, whole[name])


def test_nothing_reaches_the_initial_state_from_beyond_the_first_chunk() -> None:
    problem = draw(Case("lstm", T=9, N=2, I=2, H=3, upstream="dy"))
    late = problem.replace(dy=np.where(np.arange(9)[:, None, None] < 4, 0.0, problem.dy))
    found = backward(late, truncate=4)
    assert not found["h0"].any()
    assert not found["c0"].any()
    assert not found["x"][:4].any()
    assert found["x"][4:].all()
