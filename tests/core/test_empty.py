"""Why: other libraries refuse T = 0 and length 0 (pytorch #11514, #4582, #60269). Here they are
legal, at every place where a zero can stand, and zeros are the subject of this file.
"""

import numpy as np
import pytest
from helpers.cases import CELLS, Case, Problem, draw
from helpers.compare import assert_equals_twin
from helpers.pairwise import pairwise
from helpers.runners import run_core, run_functions, run_twin

import fastrnn

OPTIONS = pairwise(
    {
        "lengths": ("none", "ragged"),
        "reverse": (False, True),
        "batch_first": (False, True),
        "projected": (False, True),
        "state": ("given", "none"),
    }
)


def check(problem: Problem, dtype: np.dtype, where: str) -> dict[str, np.ndarray]:
    """All roads agree with the twin; returns what the planner's own choice gives."""
    expected = run_twin(problem)
    problem = problem.astype(dtype)
    left_alone = run_core(problem)
    forced = run_core(problem, threads=2, split="units", chunk=1)
    for found in (left_alone, forced, run_functions(problem)):
        assert_equals_twin(found, expected, dtype, where)
    return left_alone


@pytest.mark.check(13)
@pytest.mark.parametrize(("T", "N"), [(0, 0), (0, 1), (0, 5), (1, 0), (5, 0)])
@pytest.mark.parametrize("cell", CELLS)
def test_no_steps_or_no_rows(cell: str, T: int, N: int, isa: str, dtype: np.dtype) -> None:
    for options in OPTIONS:
        problem = draw(Case(cell, T=T, N=N, **options))
        where = f"{isa} {problem.case}"
        found = check(problem, dtype, where)
        assert found["y"].shape == (T, N, problem.case.H)
        for name in ("dw_ih", "dw_hh", "db_ih", "db_hh", "dw_peephole"):
            assert name not in found or not found[name].any(), f"{where} {name}"
        if problem.h0 is not None:
            wanted = {"h_n": problem.h0, "c_n": problem.c0}
            wanted |= {"dh0": problem.dh_n, "dc0": problem.dc_n}
            for name, array in wanted.items():
                assert array is None or np.array_equal(found[name], array), f"{where} {name}"


@pytest.mark.check(13)
@pytest.mark.parametrize("reverse", [False, True], ids=["forward", "reverse"])
@pytest.mark.parametrize("lengths", [[0, 0, 0], [0, 4, 0], [4, 0, 0], [0, 0, 1], [1, 4, 0]])
@pytest.mark.parametrize("cell", CELLS)
def test_rows_of_length_zero(
    cell: str, lengths: list[int], reverse: bool, isa: str, dtype: np.dtype
) -> None:
    """y is 0, h_n is h0, dx is 0 and dh0 is dh_n there, exactly, NaN in the padding or not."""
    problem = draw(Case(cell, T=4, N=3, I=5, H=9, reverse=reverse))
    problem = problem.replace(lengths=np.array(lengths))
    found = check(problem, dtype, f"{isa} {lengths}")
    outside = ~problem.exists()
    x, dy = problem.x.copy(), problem.dy.copy()
    x[outside], dy[outside] = np.nan, np.nan
    poisoned = run_core(problem.replace(x=x, dy=dy).astype(dtype))
    for name, array in found.items():
        assert np.array_equal(array, poisoned[name]), f"{isa} {name} saw the padding"
    empty = np.flatnonzero(np.array(lengths) == 0)
    for result, given in (("h_n", "h0"), ("c_n", "c0"), ("dh0", "dh_n"), ("dc0", "dc_n")):
        if result in found:
            expected = getattr(problem, given)[empty].astype(dtype)
            assert np.array_equal(found[result][empty], expected), f"{isa} {result}"
    assert not found["y"][:, empty].any()
    assert not found["dx"][:, empty].any()


@pytest.mark.check(13)
@pytest.mark.parametrize("cell", CELLS)
def test_input_of_no_features(cell: str, isa: str, dtype: np.dtype) -> None:
    """I = 0: only state and biases drive the layer; dx and dw_ih are empty."""
    problem = draw(Case(cell, T=4, N=3, I=5, H=9))
    problem = problem.replace(x=problem.x[..., :0], w_ih=problem.w_ih[:, :0])
    found = check(problem, dtype, isa)
    assert found["dx"].shape == (4, 3, 0)
    assert cell == "rnn_relu" or found["y"].all()


@pytest.mark.check(13)
@pytest.mark.parametrize("cell", CELLS)
def test_everything_absent(cell: str, isa: str) -> None:
    """No weights of the input, no bias, no state, and backward without any upstream gradient."""
    problem = draw(Case(cell, T=3, N=2, H=9, projected=True, bias="none", state="none"))
    problem = problem.replace(dy=None, dh_n=None, dc_n=None)
    found = check(problem, np.dtype(np.float64), isa)
    for name, array in found.items():
        if name.startswith("d"):
            assert not array.any(), f"{isa} {name}"


@pytest.mark.check(13)
def test_no_hidden_units_are_refused() -> None:
    with pytest.raises(ValueError, match="w_hh"):
        fastrnn.rnn(np.ones((2, 1, 3)), np.ones((0, 3)), np.ones((0, 0)))
    with pytest.raises(ValueError, match="hidden_size"):
        fastrnn.LSTM(3, 0)
