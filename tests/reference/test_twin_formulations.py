"""The conventions a docstring can only claim, each held against a twin written the other way.

These formulations are separate programs: one row and one step at a time, one named matrix per gate,
Python's own `math` instead of NumPy's functions. They settle which way z, the peepholes, `lengths`
and `reverse` work.
"""

import math
from collections.abc import Callable

import numpy as np
import pytest
from helpers.cases import CELLS, Case, Problem, draw
from helpers.tolerances import FORWARD, GRADIENT, assert_close
from helpers.twins import backward, forward, inputs

from fastrnn import reference

VALUES, GRADIENTS = FORWARD[np.dtype(np.float64)], GRADIENT[np.dtype(np.float64)]
Step = Callable[[np.ndarray, list[np.ndarray]], list[np.ndarray]]

SHAPES = [
    {"T": 5, "N": 3, "I": 2, "H": 7},
    {"T": 7, "N": 5, "I": 5, "H": 8, "lengths": "ragged"},
    {"T": 7, "N": 5, "I": 1, "H": 2, "lengths": "ragged", "reverse": True},
    {"T": 5, "N": 2, "I": 7, "H": 1, "reverse": True, "batch_first": True},
]


def sigmoid(values: np.ndarray) -> np.ndarray:
    return np.array([1.0 / (1.0 + math.exp(-value)) for value in values])


def tanh(values: np.ndarray) -> np.ndarray:
    return np.array([math.tanh(value) for value in values])


def walk(problem: Problem, step: Step) -> dict[str, np.ndarray]:
    """Run `step` over each row's own steps, one after the other, in the order the case asks for."""
    states = [problem.h0] if problem.c0 is None else [problem.h0, problem.c0]
    y = np.zeros((problem.case.T, problem.case.N, problem.case.H))
    finals = []
    for n, length in enumerate(problem.row_lengths()):
        row = [state[n] for state in states]
        for t in reversed(range(length)) if problem.case.reverse else range(length):
            row = step(problem.x[t, n], row)
            y[t, n] = row[0]
        finals.append(row)
    names = ("h_n", "c_n")[: len(states)]
    return {"y": y} | {name: np.array([f[k] for f in finals]) for k, name in enumerate(names)}


def named(problem: Problem, letters: str) -> dict[str, np.ndarray]:
    """One matrix and one bias per gate: W_i…, U_i…, b_i… (input side), c_i… (recurrent side)."""
    arrays = {"W": problem.w_ih, "U": problem.w_hh, "b": problem.b_ih, "c": problem.b_hh}
    return {
        f"{kind}{letter}": block
        for kind, array in arrays.items()
        for letter, block in zip(letters, np.split(array, len(letters)), strict=True)
    }


def check(problem: Problem, expected: dict[str, np.ndarray]) -> None:
    outputs = forward(problem, inputs(problem))
    assert outputs.keys() == expected.keys()
    for name, output in outputs.items():
        assert_close(name, output, expected[name], VALUES)


def gru_other_polarity(problem: Problem, reset_after: bool) -> Step:
    """h' = (1 - z) ∘ h + z ∘ n, where z says how much is new (Chung et al. 2014)."""
    p = named(problem, "rzn")

    def step(x: np.ndarray, state: list[np.ndarray]) -> list[np.ndarray]:
        (h,) = state
        r = sigmoid(p["Wr"] @ x + p["br"] + p["Ur"] @ h + p["cr"])
        z = sigmoid(p["Wz"] @ x + p["bz"] + p["Uz"] @ h + p["cz"])
        seen = r * (p["Un"] @ h + p["cn"]) if reset_after else p["Un"] @ (r * h) + p["cn"]
        n = tanh(p["Wn"] @ x + p["bn"] + seen)
        return [(1.0 - z) * h + z * n]

    return step


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("cell", ["gru_after", "gru_before"])
def test_the_other_polarity_of_z_is_ours_with_its_rows_negated(cell: str, shape: dict) -> None:
    problem = draw(Case(cell, **shape))
    H = problem.case.H
    sign = np.repeat([1.0, -1.0, 1.0], H)
    negated = problem.replace(
        w_ih=problem.w_ih * sign[:, None],
        w_hh=problem.w_hh * sign[:, None],
        b_ih=problem.b_ih * sign,
        b_hh=problem.b_hh * sign,
    )
    check(problem, walk(problem, gru_other_polarity(negated, cell == "gru_after")))


def lstm_full_peepholes(problem: Problem) -> Step:
    """Peepholes as the full matrices P_i, P_f, P_o, here diagonal ones."""
    p = named(problem, "ifgo")
    P_i, P_f, P_o = (np.diag(row) for row in problem.w_peephole)

    def step(x: np.ndarray, state: list[np.ndarray]) -> list[np.ndarray]:
        h, c = state
        i = sigmoid(p["Wi"] @ x + p["bi"] + p["Ui"] @ h + p["ci"] + P_i @ c)
        f = sigmoid(p["Wf"] @ x + p["bf"] + p["Uf"] @ h + p["cf"] + P_f @ c)
        g = tanh(p["Wg"] @ x + p["bg"] + p["Ug"] @ h + p["cg"])
        c = f * c + i * g
        o = sigmoid(p["Wo"] @ x + p["bo"] + p["Uo"] @ h + p["co"] + P_o @ c)
        return [o * tanh(c), c]

    return step


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_peepholes_are_the_diagonals_of_full_matrices(shape: dict) -> None:
    problem = draw(Case("lstm_peephole", **shape))
    check(problem, walk(problem, lstm_full_peepholes(problem)))


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_zero_peepholes_are_none(shape: dict) -> None:
    problem = draw(Case("lstm", **shape))
    with_zeros = problem.replace(w_peephole=np.zeros((3, problem.case.H)))
    expected = walk(problem, lstm_full_peepholes(with_zeros))
    check(problem, expected)
    check(with_zeros, expected)


ACTIVATIONS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "rnn_tanh": tanh,
    "rnn_relu": lambda values: np.array([max(value, 0.0) for value in values]),
    "rnn_sigmoid": sigmoid,
    "rnn_linear": lambda values: values,
}


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("cell", ACTIVATIONS)
def test_rnn_one_row_at_a_time(cell: str, shape: dict) -> None:
    problem = draw(Case(cell, **shape))

    def step(x: np.ndarray, state: list[np.ndarray]) -> list[np.ndarray]:
        pre = problem.w_ih @ x + problem.b_ih + problem.w_hh @ state[0] + problem.b_hh
        return [ACTIVATIONS[cell](pre)]

    check(problem, walk(problem, step))


@pytest.mark.parametrize("cell", CELLS)
def test_reverse_is_forward_over_the_flipped_rows(cell: str) -> None:
    problem = draw(Case(cell, T=7, N=5, I=2, H=5, lengths="ragged", reverse=True))

    def flip(array: np.ndarray) -> np.ndarray:
        """Each row's existing steps the other way round, its padding where it was."""
        rows = [
            np.concatenate([array[:length, n][::-1], array[length:, n]])
            for n, length in enumerate(problem.lengths)
        ]
        return np.stack(rows, axis=1)

    case = Case(cell, T=7, N=5, I=2, H=5, lengths="ragged")
    flipped = problem.replace(case=case, x=flip(problem.x), dy=flip(problem.dy))
    expected = forward(flipped, inputs(flipped))
    expected["y"] = flip(expected["y"])
    check(problem, expected)
    gradients, expected = backward(problem), backward(flipped)
    expected["x"] = flip(expected["x"])
    for name, gradient in gradients.items():
        assert_close(f"d{name}", gradient, expected[name], GRADIENTS)


@pytest.mark.parametrize("cell", CELLS)
def test_two_chained_calls_are_one(cell: str) -> None:
    problem = draw(Case(cell, T=7, N=5, I=2, H=8))
    whole, gradients = forward(problem, inputs(problem)), backward(problem)
    first = problem.replace(x=problem.x[:3], dy=problem.dy[:3])
    between = forward(first, inputs(first))
    state = {"h0": between["h_n"]} | ({"c0": between["c_n"]} if "c_n" in between else {})
    second = problem.replace(x=problem.x[3:], dy=problem.dy[3:], **state)
    last = forward(second, inputs(second))
    assert_close("y", np.concatenate([between["y"], last["y"]]), whole["y"], VALUES)
    for name in last.keys() - {"y"}:
        assert_close(name, last[name], whole[name], VALUES)
    after = backward(second)
    before = backward(first.replace(dh_n=after["h0"], dc_n=after.get("c0")))
    assert_close("dx", np.concatenate([before["x"], after["x"]]), gradients["x"], GRADIENTS)
    for name in gradients.keys() - {"x"}:
        sums = before[name] if name in ("h0", "c0") else before[name] + after[name]
        assert_close(f"d{name}", sums, gradients[name], GRADIENTS)


@pytest.mark.parametrize("cell", CELLS)
def test_a_projected_input_is_the_product_with_w_ih(cell: str) -> None:
    problem = draw(Case(cell, T=5, N=2, I=7, H=5, lengths="ragged"))
    projected = problem.replace(x=problem.x @ problem.w_ih.T, w_ih=None)
    check(problem, forward(projected, inputs(projected)))
    expected, gradients = backward(problem), backward(projected)
    assert_close("dx", gradients["x"] @ problem.w_ih, expected["x"], GRADIENTS)
    dw_ih = np.einsum("tnr,tni->ri", gradients["x"], problem.x)
    assert_close("dw_ih", dw_ih, expected["w_ih"], GRADIENTS)


def test_one_step_at_a_time_is_the_sequence() -> None:
    for cell in CELLS:
        problem = draw(Case(cell, T=5, N=2, I=7, H=5))
        whole = forward(problem, inputs(problem))
        spec = problem.case.spec
        step = getattr(reference, f"{spec.family}_cell")
        options = dict(spec.options) | ({"w_peephole": problem.w_peephole} if spec.peephole else {})
        weights = (problem.w_ih, problem.w_hh, problem.b_ih, problem.b_hh)
        state = (problem.h0, problem.c0) if spec.cell_state else problem.h0
        for t in range(5):
            state = step(problem.x[t], state, *weights, **options)
            h = state[0] if spec.cell_state else state
            assert_close(f"h[{t}]", h, whole["y"][t], VALUES)
        if spec.cell_state:
            assert_close("c", state[1], whole["c_n"], VALUES)
