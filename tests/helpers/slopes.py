"""Whether gradients are slopes: central differences of a problem, by each of its arguments."""

import numpy as np

from helpers.cases import INPUTS, OUTPUTS, UPSTREAM, Problem
from helpers.runners import core_forward
from helpers.tolerances import DIFFERENCE_ABSOLUTE, DIFFERENCE_RELATIVE, DIFFERENCE_STEP


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
