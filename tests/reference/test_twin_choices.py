"""The twins of the general cells: their backward against autograd and central differences, what
each choice means, and `clip_step`, for which autograd gets a node that clips what comes back.
"""

import dataclasses
from typing import Any
from unittest.mock import patch

import autograd
import numpy as np
import pytest
from autograd.extend import defvjp, primitive
from helpers.cases import CELLS, Case, Problem, draw
from helpers.chosen import cases, draw_smooth
from helpers.tolerances import assert_close
from helpers.twins import backward, central_differences, forward, inputs, loss

from fastrnn import cells, reference
from fastrnn.reference import _math

# As in test_twin_backward.py.
STEP, DIFFERENCES, AUTOGRAD = 1e-5, 1e-6, 1e-10
LIMIT = 0.2


def by_autograd(problem: Problem) -> dict:
    with np.errstate(over="ignore"):  # autograd's tanh divides by a cosh, which may overflow
        return autograd.grad(lambda arrays: loss(problem, arrays))(inputs(problem))


def compare(found: dict, expected: dict, bound: float) -> None:
    assert found.keys() == expected.keys()
    for name, gradient in found.items():
        assert_close(f"d{name}", gradient, expected[name], bound)


@pytest.mark.parametrize("lengths", ["none", "ragged"])
@pytest.mark.parametrize("case", cases(T=4, N=3, I=2, H=3, reverse=True), ids=str)
def test_backward_equals_autograd_through_forward(case: Case, lengths: str) -> None:
    problem = draw_smooth(dataclasses.replace(case, lengths=lengths))
    compare(backward(problem), by_autograd(problem), AUTOGRAD)


@pytest.mark.parametrize("case", cases(T=3, N=2, I=1, H=2), ids=str)
def test_backward_is_the_slope_of_forward(case: Case) -> None:
    problem = draw_smooth(case, margin=100 * STEP)
    compare(backward(problem), central_differences(problem, STEP), DIFFERENCES)


def with_choices(problem: Problem, choices: dict) -> Problem:
    """The same arrays, other choices."""
    return problem.replace(case=dataclasses.replace(problem.case, choices=tuple(choices.items())))


@primitive
def clipping(x: Any) -> Any:
    """x, whose gradient is clipped on its way back."""
    return x


defvjp(clipping, lambda _, __: lambda g: np.clip(g, -LIMIT, LIMIT))


def clipped_by_autograd(problem: Problem) -> dict:
    """Gradients through the twin, each of whose pre-activations passes `clipping`."""
    case, spec = problem.case, problem.case.spec
    defaults = ("sigmoid", "tanh", "tanh") if spec.cell_state else ("sigmoid", "tanh")
    given = dict(spec.options).get("activations", defaults)
    if spec.family == "rnn":
        given = (dict(spec.options)["nonlinearity"],)

    def clipped(name: str) -> _math.Activation:
        function, way_back = _math.squash(name)
        return lambda xp, x: function(xp, clipping(x)), way_back

    # Under names of their own: h takes c, which is no pre-activation.
    table = {f"clipped {name}": clipped(name) for name in set(given[:2])}
    names = tuple(f"clipped {name}" for name in given[:2]) + given[2:]
    option = {"nonlinearity": names[0]} if spec.family == "rnn" else {"activations": names}
    known = (*cells.ACTIVATIONS, *table)
    with (
        patch.dict(_math.ACTIVATIONS, table),
        patch.object(cells, "ACTIVATIONS", known),
    ):
        return by_autograd(with_choices(problem, {**dict(case.choices), **option}))


CLIPPED = [Case(cell, T=5, N=3, I=2, H=4) for cell in CELLS if cell != "rnn_relu"]
CLIPPED += cases(T=5, N=3, I=2, H=4)


@pytest.mark.parametrize("case", CLIPPED, ids=str)
def test_clipping_equals_autograd_with_clipping_nodes(case: Case) -> None:
    problem = draw_smooth(dataclasses.replace(case, lengths="ragged", reverse=True))
    found = backward(problem, clip_step=LIMIT)
    compare(found, clipped_by_autograd(problem), AUTOGRAD)
    assert abs(found["x"] - backward(problem)["x"]).max() > 1e-3, "nothing was clipped"


def gates_of(problem: Problem) -> np.ndarray:
    """(T, N, 4, H) of an LSTM."""
    case = problem.case
    options = dict(case.spec.options, w_peephole=problem.w_peephole)
    arrays = (problem.x, problem.w_ih, problem.w_hh, problem.b_ih, problem.b_hh)
    return reference.lstm_forward(*arrays, problem.h0, problem.c0, **options)[2].gates


@pytest.mark.parametrize("case", cases(T=4, N=3, I=2, H=3)[:20], ids=str)
def test_what_gates_and_coupling_mean(case: Case) -> None:
    problem, options = draw_smooth(case), dict(case.choices)
    gates = gates_of(problem)
    for row, letter in ((0, "i"), (1, "f"), (3, "o")):
        if letter not in options["gates"]:
            assert (gates[:, :, row] == 1).all(), letter
    if options.get("input_forget"):
        np.testing.assert_array_equal(gates[:, :, 1], 1 - gates[:, :, 0])


@pytest.mark.parametrize("case", cases(T=4, N=3, I=2, H=3)[:20], ids=str)
def test_rows_of_an_absent_gate_have_no_effect_and_no_gradient(case: Case) -> None:
    problem, options = draw_smooth(case), dict(case.choices)
    before, gradients = forward(problem, inputs(problem)), backward(problem)
    for row, letter, peephole in ((0, "i", 0), (1, "f", 1), (3, "o", 2)):
        coupled = letter == "f" and options.get("input_forget")
        if letter in options["gates"] and not coupled:
            continue
        moved = inputs(problem)
        for name in ("w_ih", "w_hh", "b_ih", "b_hh"):
            moved[name] = moved[name].copy()
            moved[name][row * 3 : (row + 1) * 3] += 1
            assert not gradients[name][row * 3 : (row + 1) * 3].any(), name
        if problem.w_peephole is not None:
            moved["w_peephole"] = moved["w_peephole"].copy()
            moved["w_peephole"][peephole] += 1
            assert not gradients["w_peephole"][peephole].any()
        for name, output in forward(problem, moved).items():
            np.testing.assert_array_equal(output, before[name])


def test_the_activations_of_onnx() -> None:
    x = np.array([-np.inf, -3.0, -2.5, -1.0, 0.0, 1.0, 2.5, 3.0, np.inf, np.nan])
    values = {name: _math.squash(name)[0](np, x) for name in cells.ACTIVATIONS}
    np.testing.assert_allclose(
        values["hard_sigmoid"], [0, 0, 0, 0.3, 0.5, 0.7, 1, 1, 1, np.nan], rtol=1e-15, atol=1e-16
    )
    np.testing.assert_array_equal(values["relu"], [0, 0, 0, 0, 0, 1, 2.5, 3, np.inf, np.nan])
    np.testing.assert_array_equal(values["linear"], x)


def test_the_lstm_of_1997_written_out() -> None:
    classic = {"gates": "io", "activations": ("sigmoid", "tanh", "tanh")}
    problem = with_choices(draw(Case("lstm_general", T=6, N=2, I=3, H=4)), classic)
    h, c = problem.h0, problem.c0
    for x in problem.x:
        both = x @ problem.w_ih.T + problem.b_ih + h @ problem.w_hh.T + problem.b_hh
        i, _, g, o = np.split(both, 4, axis=1)
        c = c + np.tanh(g) / (1 + np.exp(-i))
        h = np.tanh(c) / (1 + np.exp(-o))
    found = forward(problem, inputs(problem))
    np.testing.assert_allclose(found["h_n"], h, rtol=1e-13)
    np.testing.assert_allclose(found["c_n"], c, rtol=1e-13)
