"""Why: the twin and the core could share a wrong derivation. Central differences know no calculus:
they push every number of every input and weight through the core's own forward, in float64.
"""

import numpy as np
import pytest
from helpers.cases import CELLS, Case, check_trusted, draw
from helpers.runners import run_core
from helpers.slopes import assert_slopes

SHAPES = [
    {"T": 3, "N": 2, "I": 3, "H": 5},
    {"T": 4, "N": 3, "I": 2, "H": 4, "lengths": "ragged"},
    {"T": 4, "N": 3, "I": 2, "H": 3, "lengths": "ragged", "reverse": True, "batch_first": True},
    {"T": 3, "N": 2, "I": 3, "H": 4, "projected": True},
]


@pytest.mark.check(3)
@pytest.mark.parametrize("shape", SHAPES, ids=["whole", "ragged", "reverse", "projected"])
@pytest.mark.parametrize("cell", CELLS)
def test_every_gradient_is_the_slope(cell: str, shape: dict, isa: str) -> None:
    problem = draw(Case(cell, **shape))
    gradients = run_core(problem)
    check_trusted(problem, gradients)
    assert_slopes(problem, gradients, f"by {isa}")


@pytest.mark.check(3, quick=2, full=20)
@pytest.mark.parametrize("cell", CELLS)
def test_more_shapes(cell: str, seeds: list[int]) -> None:
    for seed in seeds:
        rng = np.random.default_rng([20, seed])
        T, N, I, H = (int(n) for n in rng.integers(1, 6, 4))
        problem = draw(Case(cell, T=T, N=N, I=I, H=H, lengths="ragged", seed=seed))
        assert_slopes(problem, run_core(problem), f"of {problem.case}")
