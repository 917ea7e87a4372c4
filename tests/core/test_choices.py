"""Why: a general cell decides at run time, so each choice is a branch that may be wrong by itself.
Every set of gates and every activation against the twin, and what must hold exactly.
"""

import dataclasses
import itertools
from typing import Any

import numpy as np
import pytest
from helpers.cases import Case, Problem, draw
from helpers.chosen import cases, draw_smooth
from helpers.compare import assert_equals_twin, assert_identical
from helpers.runners import (
    core_forward,
    forced_isa,
    isas_under_test,
    run_core,
    run_functions,
    run_twin,
)
from helpers.slopes import assert_slopes
from helpers.tolerances import DIFFERENCE_STEP

import fastrnn
from fastrnn import _core
from fastrnn.cells import GRUSpec, LSTMSpec

PLANS = [(0, 1, "rows"), (0, 2, "units"), (1, 2, "rows"), (3, 3, "units")]  # chunk, threads, split
# A kink must be further away than a float32 pre-activation of these sizes is off.
MARGIN = 1e-5
SHAPES = itertools.cycle([
    {"lengths": "ragged", "reverse": True, "batch_first": True},
    {"lengths": "ragged", "bias": "ih"},
    {"state": "none", "upstream": "dy"},
    {"projected": True, "lengths": "full"},
])  # fmt: skip
OPTIONS = itertools.cycle([{}, {"truncate": 2}, {"clip_step": 0.3}])


@pytest.mark.every_isa
@pytest.mark.check(2)
@pytest.mark.parametrize(
    ("case", "options"),
    [
        (dataclasses.replace(case, **next(SHAPES)), next(OPTIONS))
        for case in cases(T=5, N=4, I=7, H=9)
    ],
    ids=str,
)
def test_core_equals_twin(case: Case, options: dict[str, Any]) -> None:
    problem = draw_smooth(case, MARGIN)
    expected = run_twin(problem, **options)
    for isa, dtype in itertools.product(isas_under_test(), (np.float32, np.float64)):
        single, first = problem.astype(dtype), None
        with forced_isa(isa):
            for chunk, threads, split in PLANS:
                plan = {"chunk": chunk, "threads": threads, "split": split}
                found = run_core(single, **plan, **options)
                if first is None:
                    first = found
                    assert_equals_twin(found, expected, dtype, isa)
                assert_identical(found, first, f"{isa} {plan}")


@pytest.mark.check(3)
@pytest.mark.parametrize("case", cases(T=3, N=2, I=2, H=3)[::3], ids=str)
def test_every_gradient_is_the_slope(case: Case, isa: str) -> None:
    problem = draw_smooth(
        dataclasses.replace(case, lengths="ragged", reverse=True), 100 * DIFFERENCE_STEP
    )
    assert_slopes(problem, run_core(problem), f"by {isa}")


USUAL = {
    "lstm": ("lstm_general", (("activations", ("sigmoid", "tanh", "tanh")), ("gates", "ifo"))),
    "gru_after": ("gru_after_general", (("activations", ("sigmoid", "tanh")),)),
    "gru_before": ("gru_before_general", (("activations", ("sigmoid", "tanh")),)),
}


@pytest.mark.parametrize("cell", [*USUAL, "lstm_peephole"])
def test_the_usual_choices_give_the_bits_of_the_plain_cell(
    cell: str, isa: str, dtype: np.dtype
) -> None:
    general, choices = USUAL[cell.removesuffix("_peephole")]
    plain = draw(Case(cell, T=6, N=5, I=4, H=19, lengths="ragged", reverse=True)).astype(dtype)
    case = dataclasses.replace(
        plain.case, cell=general, choices=choices, peephole=cell == "lstm_peephole"
    )
    other = plain.replace(case=case)
    for options in ({}, {"truncate": 2, "clip_step": 0.1}):
        assert_identical(run_core(other, **options), run_core(plain, **options), isa)
    assert_identical(core_forward(other, threads=2), core_forward(plain, threads=2), isa)


def test_the_usual_choices_choose_the_plain_cell() -> None:
    usual = {"activations": ["sigmoid", "tanh", "tanh"], "gates": "ofi", "input_forget": np.False_}
    assert [LSTMSpec.of(usual, peephole).core for peephole in (False, True)] == [
        "lstm", "lstm_peephole",
    ]  # fmt: skip
    usual = {"activations": ["sigmoid", "tanh"]}
    found = [GRUSpec.of({**usual, "reset_after": after}).core for after in (True, False)]
    assert found == ["gru_after", "gru_before"]


def test_the_bare_carousel_passes_the_gradient_on_unchanged(isa: str, dtype: np.dtype) -> None:
    """gates="" and w_hh = 0: dc_T/dc_0 is the identity, to the last bit, over any distance."""
    T, N, H = 200, 3, 21
    rng = np.random.default_rng(3)
    x, dc_n = rng.standard_normal((T, N, 4)), rng.standard_normal((N, H))
    w_ih, w_hh = rng.standard_normal((4 * H, 4)), np.zeros((4 * H, H))
    arrays = [array.astype(dtype) for array in (x, w_ih, w_hh)]
    for h in ("linear", "tanh"):
        options = {"gates": "", "activations": ("sigmoid", "linear", h)}
        zeros = np.zeros((N, H), dtype)
        _, (_, c_n), tape = fastrnn.lstm_forward(*arrays, h0=zeros, c0=zeros, **options)
        grads = fastrnn.lstm_backward(tape, dc_n=dc_n.astype(dtype))
        np.testing.assert_array_equal(grads.c0, dc_n.astype(dtype))
        np.testing.assert_array_equal(grads.h0, 0)
        again = fastrnn.lstm(*arrays, h0=zeros, c0=zeros, **options)[1][1]
        np.testing.assert_array_equal(again, c_n)


def test_the_linear_rnn_with_the_identity_passes_it_on_too(isa: str, dtype: np.dtype) -> None:
    T, N, H = 200, 3, 21
    rng = np.random.default_rng(4)
    x, dh_n = rng.standard_normal((T, N, H)).astype(dtype), rng.standard_normal((N, H))
    identity, zeros = np.eye(H, dtype=dtype), np.zeros((N, H), dtype)
    arrays = (x, identity, identity, None, None, zeros)
    tape = fastrnn.rnn_forward(*arrays, nonlinearity="linear")[-1]
    grads = fastrnn.rnn_backward(tape, dh_n=dh_n.astype(dtype))
    np.testing.assert_array_equal(grads.h0, dh_n.astype(dtype))
    np.testing.assert_array_equal(grads.x, np.broadcast_to(dh_n.astype(dtype), x.shape))


def test_a_cell_that_overflows_is_no_nan_for_want_of_peepholes(isa: str) -> None:
    """Without w_peephole nothing multiplies c, so an infinite c leaves the gates alone."""
    w, x = np.zeros((4, 1)), np.zeros((2, 1))
    choices = {"activations": ("sigmoid", "linear", "tanh"), "gates": "io"}
    y, (_, c_n), tape = fastrnn.lstm_forward(
        x, w, w, None, None, None, np.array([np.inf]), **choices
    )
    np.testing.assert_array_equal(y[:, 0], [0.5, 0.5])
    assert c_n[0] == np.inf
    np.testing.assert_array_equal(tape.gates[:, 0, 0], 0.5)


def both_backends(problem: Problem, **options: Any) -> None:
    expected = run_twin(problem, **options)
    for backend in ("core", "reference"):
        with fastrnn.use_backend(backend):
            assert_equals_twin(run_functions(problem, backward=options), expected, np.float64)


@pytest.mark.parametrize("case", cases(T=4, N=3, I=5, H=6, lengths="ragged")[::4], ids=str)
def test_the_functions_hand_the_choices_on(case: Case) -> None:
    both_backends(draw_smooth(case), truncate=3, clip_step=0.4)


@pytest.mark.parametrize("case", cases(T=4, N=3, I=5, H=6)[::4], ids=str)
def test_one_step_by_the_cell_functions(case: Case) -> None:
    problem, spec = draw_smooth(case), case.spec
    options = dict(spec.options) | ({"w_peephole": problem.w_peephole} if spec.peephole else {})
    weights = (problem.w_ih, problem.w_hh, problem.b_ih, problem.b_hh)
    states = (problem.h0, problem.c0) if spec.cell_state else (problem.h0,)
    _, state = getattr(fastrnn, spec.family)(problem.x, *weights, *states, **options)
    now: Any = states if spec.cell_state else problem.h0
    for x_t in problem.x:
        now = getattr(fastrnn, f"{spec.family}_cell")(x_t, now, *weights, **options)
    np.testing.assert_array_equal(now, state)


def test_malformed_choices() -> None:
    for arguments, word in (
        (((),), "activations"), ((("tanh",) * 4,), "activations"),
        ((("tanh", "elu"),), "activations"), ((("tanh", 1),), "activations"),
        ((("tanh",) * 3, "x"), "gates"), ((("tanh",) * 3, "ii"), "gates"),
        ((("tanh",) * 3, "io", True), "gates"), ((("tanh",) * 2, "io"), "activations"),
        ((("tanh",) * 2, "ifo", True), "activations"),
    ):  # fmt: skip
        with pytest.raises((TypeError, ValueError), match=f"^{word} must "):
            _core.Choices(*arguments)
    for number, word in (
        ({"clip": 0.0}, "clip"), ({"clip": -1.0}, "clip"), ({"clip": float("nan")}, "clip"),
        ({"clip": 1}, "clip"), ({"clip": None}, "clip"), ({"clap": 1.0}, "numbers"),
        ({"clap": 1}, "numbers"),
    ):  # fmt: skip
        with pytest.raises((TypeError, ValueError), match=f"^{word} must "):
            _core.Choices(("tanh",) * 3, **number)
