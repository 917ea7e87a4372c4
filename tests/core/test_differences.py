"""Why: the twin and the core could share a wrong derivation. Central differences know no calculus:
they push every number of every input and weight through the core's own forward, in float64.
"""

import numpy as np
import pytest
from cases import CELLS, INPUTS, OUTPUTS, UPSTREAM, Case, Problem, check_trusted, draw
from runners import core_forward, run_core
from tolerances import DIFFERENCE_ABSOLUTE, DIFFERENCE_RELATIVE, DIFFERENCE_STEP

SHAPES = [
    {"T": 3, "N": 2, "I": 3, "H": 5},
    {"T": 4, "N": 3, "I": 2, "H": 4, "lengths": "ragged"},
    {"T": 4, "N": 3, "I": 2, "H": 3, "lengths": "ragged", "reverse": True, "batch_first": True},
    {"T": 3, "N": 2, "I": 3, "H": 4, "projected": True},
]


def loss(problem: Problem) -> float:
    """The scalar that the upstream gradients stand for: <y, dy> + <h_n, dh_n> + <c_n, dc_n>."""
    outputs = core_forward(problem)
    upstream = {name: getattr(problem, name) for name in UPSTREAM}
    pairs = zip(OUTPUTS, upstream.values(), strict=True)
    return float(sum((outputs[name] * d).sum() for name, d in pairs if d is not None))


def difference(problem: Problem, name: str) -> np.ndarray:
    """The gradient of `loss` with respect to one argument by central differences."""
    values = getattr(problem, name)
    gradient = np.empty_like(values)
    for index in np.ndindex(values.shape):
        ends = []
        for step in (DIFFERENCE_STEP, -DIFFERENCE_STEP):
            moved = values.copy()
            moved[index] += step
            ends.append(loss(problem.replace(**{name: moved})))
        gradient[index] = (ends[0] - ends[1]) / (2 * DIFFERENCE_STEP)
    return gradient


def assert_slopes(problem: Problem, gradients: dict[str, np.ndarray], words: str) -> None:
    """Every gradient of a problem is the slope that its differences find."""
    for name in (name for name in INPUTS if getattr(problem, name) is not None):
        np.testing.assert_allclose(
            gradients[f"d{name}"],
            difference(problem, name),
            rtol=DIFFERENCE_RELATIVE,
            atol=DIFFERENCE_ABSOLUTE,
            err_msg=f"d{name} {words}",
        )


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
