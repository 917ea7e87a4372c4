"""Tapes and refusals of the twins: used directly, they must not answer a question nobody asked.

A backward from a stale tape, or an option that is quietly ignored, would make the specification
agree with a wrong core.
"""

import inspect
from typing import Any

import autograd
import numpy as np
import pytest
from helpers.cases import CELLS, Case, draw
from helpers.twins import call, inputs

from fastrnn import reference

SPECS = {name: spec for name, spec in CELLS.items() if name in ("rnn_tanh", "lstm", "gru_after")}
each_family = pytest.mark.parametrize("cell", SPECS)
FAMILIES = [spec.family for spec in SPECS.values()]


def backward_of(cell: str) -> Any:
    return getattr(reference, f"{CELLS[cell].family}_backward")


@each_family
@pytest.mark.parametrize("reverse", [False, True], ids=["forward", "reverse"])
def test_the_tape_shows_gates_and_cells_in_time_order(cell: str, reverse: bool) -> None:
    case = Case(cell, T=5, N=3, I=2, H=7, lengths="ragged", reverse=reverse, batch_first=True)
    problem = draw(case)
    y, state, tape = call(problem, "_forward", inputs(problem))
    y, gates = y.swapaxes(0, 1), tape.gates
    assert gates.shape == (5, 3, case.spec.gates, 7)
    assert not gates[~problem.exists()].any()
    # What the gates must give: the recurrence of h (and c) from one step to the one after it.
    order = range(5)[::-1] if reverse else range(5)
    h, c = problem.h0, problem.c0
    for t in order:
        exists = problem.exists()[t][:, None]
        if case.spec.family == "lstm":
            i, f, g, o = np.moveaxis(gates[t], 1, 0)
            c = np.where(exists, f * c + i * g, c)
            h_t = o * np.tanh(c)
            np.testing.assert_allclose(tape.c[t], np.where(exists, c, 0.0), rtol=1e-13)
        elif case.spec.family == "gru":
            _, z, n = np.moveaxis(gates[t], 1, 0)
            h_t = (1.0 - z) * n + z * h
        else:
            h_t = gates[t][:, 0]
        np.testing.assert_allclose(y[t], np.where(exists, h_t, 0.0), rtol=1e-13)
        h = np.where(exists, h_t, h)
    np.testing.assert_allclose(state[0] if case.spec.cell_state else state, h, rtol=1e-13)
    assert not gates.flags.writeable
    assert not y.flags.writeable
    assert tape.gates is gates


def test_reset_gate_is_the_first_of_the_gru() -> None:
    problem = draw(Case("gru_after", T=1, N=2, I=2, H=7))
    _, _, tape = call(problem, "_forward", inputs(problem))
    both = problem.x[0] @ problem.w_ih.T + problem.b_ih + problem.h0 @ problem.w_hh.T + problem.b_hh
    np.testing.assert_allclose(tape.gates[0, :, 0], 1.0 / (1.0 + np.exp(-both[:, :7])), rtol=1e-13)


@each_family
def test_a_tape_serves_one_backward(cell: str) -> None:
    problem = draw(Case(cell, T=5, N=2, I=2, H=5))
    _, _, tape = call(problem, "_forward", inputs(problem))
    states = 2 if CELLS[cell].cell_state else 1
    assert tape.nbytes == 8 * 2 * 5 * (5 * CELLS[cell].gates + 6 * states)
    backward_of(cell)(tape, problem.dy)
    assert tape.nbytes == 0
    with pytest.raises(ValueError, match=r"tape.*spent"):
        backward_of(cell)(tape, problem.dy)
    with pytest.raises(ValueError, match=r"tape\.gates.*spent"):
        _ = tape.gates


@each_family
def test_gates_seen_before_backward_stay(cell: str) -> None:
    problem = draw(Case(cell, T=5, N=2, I=2, H=5))
    _, _, tape = call(problem, "_forward", inputs(problem))
    before = tape.gates.copy()
    backward_of(cell)(tape, problem.dy)
    np.testing.assert_array_equal(tape.gates, before)


@each_family
def test_a_refused_backward_leaves_the_tape_good(cell: str) -> None:
    problem = draw(Case(cell, T=5, N=2, I=2, H=5))
    _, _, tape = call(problem, "_forward", inputs(problem))
    for wrong in ({"dy": problem.dy[1:]}, {"dh_n": problem.dh_n[:1]}, {"dh_n": problem.dh_n[0]}):
        (name,) = wrong
        with pytest.raises(ValueError, match=f"{name} must have shape"):
            backward_of(cell)(tape, **wrong)
    for option in ("truncate", "clip_step"):
        with pytest.raises(ValueError, match=f"{option} must be"):
            backward_of(cell)(tape, **{option: 0})
    assert backward_of(cell)(tape, problem.dy).x.any()


@each_family
def test_no_upstream_is_zero_upstream(cell: str) -> None:
    problem = draw(Case(cell, T=5, N=2, I=2, H=5))
    _, _, tape = call(problem, "_forward", inputs(problem))
    grads = backward_of(cell)(tape)
    for name, array in inputs(problem).items():
        gradient = getattr(grads, name)
        assert gradient.shape == array.shape
        assert not gradient.any()


def test_a_tape_of_another_cell_is_refused() -> None:
    problem = draw(Case("lstm", T=2, N=2, I=2, H=5))
    _, _, tape = call(problem, "_forward", inputs(problem))
    with pytest.raises(ValueError, match="tape must come from gru_forward"):
        reference.gru_backward(tape)
    with pytest.raises(TypeError, match="tape must come from rnn_forward"):
        reference.rnn_backward("tape")
    _, _, tape = reference.rnn_forward(np.ones((1, 1)), np.eye(1), np.eye(1))
    with pytest.raises(ValueError, match=r"tape\.c: an LSTM has it"):
        _ = tape.c


@each_family
def test_a_traced_argument_has_no_tape(cell: str) -> None:
    problem = draw(Case(cell, T=2, N=2, I=2, H=5))
    run = getattr(reference, f"{CELLS[cell].family}_forward")
    with pytest.raises(TypeError, match="differentiate"):
        autograd.grad(lambda x: run(x, problem.w_ih, problem.w_hh)[0].sum())(problem.x)


REFUSED = {
    "lstm": {
        "w_hr": np.ones((1, 5)),
        "clip": 0.0,
        "w_peephole": np.ones((14, 5)),
    },
    "gru": {"clip": 0.0},
    "rnn": {"clip": 0.0},
}
MALFORMED: list[tuple[dict[str, Any], type, str]] = [
    ({"num_threads": 0}, ValueError, "num_threads"),
    ({"num_threads": 1.0}, TypeError, "num_threads"),
    ({"num_threads": True}, TypeError, "num_threads"),
    ({"reverse": 1}, TypeError, "reverse"),
    ({"batch_first": "yes"}, TypeError, "batch_first"),
    ({"lengths": [1.0, 2.0]}, TypeError, "lengths"),
    ({"lengths": [1]}, ValueError, "lengths"),
    ({"lengths": 2}, ValueError, "lengths"),
    ({"lengths": [1, 4]}, ValueError, "lengths"),
    ({"lengths": [-1, 3]}, ValueError, "lengths"),
    ({"x": np.ones(2)}, ValueError, "x must"),
    ({"x": np.ones((3, 2, 5))}, ValueError, "w_ih"),
    ({"w_ih": None}, ValueError, "x "),
    ({"w_ih": np.ones((1, 2))}, ValueError, "w_ih"),
    ({"w_hh": np.ones((5, 1))}, ValueError, "w_hh"),
    ({"w_hh": np.ones((0, 0))}, ValueError, "w_hh"),
    ({"b_ih": np.ones(1)}, ValueError, "b_ih"),
    ({"b_hh": np.ones((1, 1))}, ValueError, "b_hh"),
    ({"h0": np.ones((2, 1))}, ValueError, "h0"),
    ({"h0": np.ones((1, 7))}, ValueError, "h0"),
]


@each_family
@pytest.mark.parametrize("suffix", ["", "_forward"], ids=["plain", "forward"])
def test_what_is_wrong_is_refused_by_name(cell: str, suffix: str) -> None:
    problem = draw(Case(cell, T=3, N=2, I=2, H=5))
    run = getattr(reference, CELLS[cell].family + suffix)
    for name, value in REFUSED[CELLS[cell].family].items():
        with pytest.raises(ValueError, match=f"^{name} must "):
            run(problem.x, problem.w_ih, problem.w_hh, **{name: value})
    if cell == "rnn_tanh":
        with pytest.raises(ValueError, match=r"^nonlinearity must be one of .*'selu'"):
            run(problem.x, problem.w_ih, problem.w_hh, nonlinearity="selu")


@each_family
@pytest.mark.parametrize(("wrong", "error", "word"), MALFORMED, ids=str)
def test_malformed_arguments(cell: str, wrong: dict, error: type, word: str) -> None:
    problem = draw(Case(cell, T=3, N=2, I=2, H=7))
    good = {"x": problem.x, "w_ih": problem.w_ih, "w_hh": problem.w_hh}
    with pytest.raises(error, match=word):
        getattr(reference, CELLS[cell].family)(**good | wrong)


def test_num_threads_is_accepted() -> None:
    y, _ = reference.rnn(np.ones((1, 1)), np.eye(1), np.eye(1), num_threads=np.int64(2))
    assert y.shape == (1, 1)


@pytest.mark.parametrize("suffix", ["", "_forward", "_backward", "_cell"])
@pytest.mark.parametrize("family", FAMILIES)
def test_twins_take_the_arguments_of_the_functions(family: str, suffix: str) -> None:
    from fastrnn import functional

    def told(function: Any) -> list[tuple[str, Any, Any]]:
        parameters = inspect.signature(function).parameters.values()
        return [(p.name, p.kind, p.default) for p in parameters]

    assert told(getattr(reference, family + suffix)) == told(getattr(functional, family + suffix))
