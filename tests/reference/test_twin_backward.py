"""The twins are the specification, so their hand-derived backward must be right on its own.

Two judges that share nothing with it: central differences, which know only the values of forward,
and autograd through the text of forward. Every input and weight, every layout and direction.
"""

import autograd
import numpy as np
import pytest
from helpers.cases import CELLS, Case, Problem, check_trusted, draw
from helpers.pairwise import pairwise
from helpers.tolerances import assert_close, assert_same_bits
from helpers.twins import backward, central_differences, inputs, loss

# h^2 f''' / 6 = 1e-11 f''' and eps |loss| / h = 2e-11 |loss| at h = 1e-5, |loss| < 100: the
# gradients are about 1, and 1e-6 of their root mean square leaves room for the smallest tensors.
STEP, DIFFERENCES = 1e-5, 1e-6
# Both sum the same few hundred products, in another order.
AUTOGRAD = 1e-10

SLOPES = [
    {"T": 5, "N": 3, "I": 2, "H": 5},
    {"T": 2, "N": 2, "I": 7, "H": 8, "batch_first": True},
    {"T": 5, "N": 3, "I": 1, "H": 2, "lengths": "ragged"},
    {"T": 7, "N": 2, "I": 2, "H": 2, "lengths": "ragged", "reverse": True, "batch_first": True},
    {"T": 2, "N": 1, "I": 1, "H": 1, "reverse": True, "bias": "ih"},
    {"T": 1, "N": 2, "I": 5, "H": 7, "bias": "none"},
    {"T": 2, "N": 2, "H": 2, "projected": True, "bias": "hh", "upstream": "state"},
    {"T": 5, "N": 2, "I": 2, "H": 2, "state": "none", "upstream": "dy", "reverse": True},
]
GRID = pairwise(
    {
        "T": (2, 5, 7),
        "N": (1, 2, 5, 8),
        "I": (1, 2, 5, 7),
        "H": (1, 2, 5, 7, 8),
        "lengths": ("none", "ragged", "full"),
        "reverse": (False, True),
        "batch_first": (False, True),
        "bias": ("both", "ih", "hh", "none"),
        "projected": (False, True),
        "state": ("given", "none"),
        "upstream": ("all", "dy", "state"),
    }
)


def by_autograd(problem: Problem) -> dict[str, np.ndarray]:
    return autograd.grad(lambda arrays: loss(problem, arrays))(inputs(problem))


def compare(gradients: dict, expected: dict, bound: float) -> None:
    assert gradients.keys() == expected.keys()
    for name, gradient in gradients.items():
        assert_close(f"d{name}", gradient, expected[name], bound)


@pytest.mark.check(3)
@pytest.mark.parametrize("case", [Case(c, **s) for c in CELLS for s in SLOPES], ids=str)
def test_backward_is_the_slope_of_forward(case: Case) -> None:
    problem = draw(case)
    compare(backward(problem), central_differences(problem, STEP), DIFFERENCES)


@pytest.mark.parametrize("case", [Case(c, **s) for c in CELLS for s in SLOPES + GRID], ids=str)
def test_backward_equals_autograd_through_forward(case: Case) -> None:
    problem = draw(case)
    expected = by_autograd(problem)
    if case.lengths != "ragged":  # an empty row's gradients are zeros by right
        check_trusted(problem, {f"d{name}": gradient for name, gradient in expected.items()})
    compare(backward(problem), expected, AUTOGRAD)


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("reverse", [False, True], ids=["forward", "reverse"])
def test_nan_in_padding_reaches_no_gradient(cell: str, reverse: bool) -> None:
    problem = draw(Case(cell, T=5, N=7, I=2, H=5, lengths="ragged", reverse=reverse))
    padding = ~problem.exists()[:, :, None]
    poisoned = problem.replace(
        x=np.where(padding, np.nan, problem.x), dy=np.where(padding, np.nan, problem.dy)
    )
    zeroed = problem.replace(
        x=np.where(padding, 0.0, problem.x), dy=np.where(padding, 0.0, problem.dy)
    )
    expected = backward(zeroed)
    for name, gradient in backward(poisoned).items():
        assert_same_bits(f"d{name}", gradient, expected[name])
    # y is 0 in padding, so a loss that weighs it with NaN is NaN: autograd gets x alone poisoned.
    expected = by_autograd(zeroed)
    for name, gradient in by_autograd(zeroed.replace(x=poisoned.x)).items():
        assert_same_bits(f"autograd's d{name}", gradient, expected[name])
    assert not expected["x"][~problem.exists()].any()


@pytest.mark.parametrize("cell", CELLS)
def test_nan_in_the_state_of_an_empty_row_stays_there(cell: str) -> None:
    problem = draw(Case(cell, T=5, N=5, I=2, H=5, lengths="ragged"))
    empty = problem.lengths == 0
    assert empty.any()
    names = ("h0", "c0") if problem.c0 is not None else ("h0",)
    poisoned = problem.replace(
        **{name: np.where(empty[:, None], np.nan, getattr(problem, name)) for name in names}
    )
    for judge in (backward, by_autograd):
        expected = judge(problem)
        for name, gradient in judge(poisoned).items():
            assert_same_bits(f"d{name}", gradient, expected[name])


@pytest.mark.parametrize("cell", CELLS)
def test_a_state_shared_by_all_rows_collects_their_gradients(cell: str) -> None:
    problem = draw(Case(cell, T=2, N=5, I=2, H=5))
    names = ("h0", "c0") if problem.c0 is not None else ("h0",)
    shared = problem.replace(**{name: getattr(problem, name)[0] for name in names})
    repeated = problem.replace(
        **{name: np.repeat(getattr(problem, name)[:1], 5, axis=0) for name in names}
    )
    gradients, expected = backward(shared), backward(repeated)
    for name in names:
        assert_close(f"d{name}", gradients[name], expected[name].sum(axis=0), AUTOGRAD)
    compare(gradients, by_autograd(shared), AUTOGRAD)


@pytest.mark.parametrize("T", [1, 2, 7])
def test_the_jacobian_of_a_linear_rnn_is_a_matrix_power(T: int) -> None:
    problem = draw(Case("rnn_linear", T=T, N=2, I=1, H=5, upstream="state"))
    power = np.linalg.matrix_power(problem.w_hh, T)
    assert_close("dh0", backward(problem)["h0"], problem.dh_n @ power, AUTOGRAD)
