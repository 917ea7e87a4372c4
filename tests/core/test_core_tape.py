"""Why: a tape that is read twice, or outlives its arrays, corrupts gradients without a word.

What a tape shows must equal the twin's gates and cells; a spent tape must refuse; and references
are held, so that the caller's arrays may go out of scope.
"""

import gc
import weakref

import numpy as np
import pytest
from helpers.cases import CELLS, Case, Problem, draw
from helpers.compare import assert_identical, assert_same_bits
from helpers.memory import Arena
from helpers.runners import core_backward, core_forward, core_inputs, run_core, run_functions
from helpers.tolerances import FORWARD, assert_close

import fastrnn
from fastrnn import _core, reference

CASE = {"T": 6, "N": 5, "I": 9, "H": 17, "lengths": "ragged"}


def forward(problem: Problem) -> tuple:
    """The public forward: y, state and tape."""
    spec = problem.case.spec
    states = [problem.h0, problem.c0] if spec.cell_state else [problem.h0]
    options = dict(spec.options) | ({"w_peephole": problem.w_peephole} if spec.peephole else {})
    weights = (problem.w_ih, problem.w_hh, problem.b_ih, problem.b_hh)
    call = {"lengths": problem.lengths, "reverse": problem.case.reverse} | options
    return tuple(
        getattr(space, f"{spec.family}_forward")(problem.x, *weights, *states, **call)
        for space in (fastrnn, reference)
    )


@pytest.mark.parametrize("reverse", [False, True], ids=["forward", "reverse"])
@pytest.mark.parametrize("cell", CELLS)
def test_gates_and_cells_equal_the_twins(cell: str, reverse: bool, isa: str) -> None:
    problem = draw(Case(cell, **CASE, reverse=reverse))
    (_, _, tape), (_, _, twin) = forward(problem)
    bound = FORWARD[np.dtype(np.float64)]
    assert tape.gates.shape == (6, 5, problem.case.spec.gates, 17)
    assert_close(f"{isa} gates", tape.gates, twin.gates, bound)
    assert not tape.gates.flags.writeable
    if problem.case.spec.cell_state:
        assert_close(f"{isa} c", tape.c, twin.c, bound)
        assert not tape.c.flags.writeable


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("cell", CELLS)
def test_dx_is_added_to_what_is_there(cell: str, threads: int, isa: str) -> None:
    problem = draw(Case(cell, **CASE))
    alone = run_core(problem, threads=threads)["dx"]
    start = np.random.default_rng(0).standard_normal(problem.x.shape)
    for before in (np.zeros_like(start), start):
        tape, dx = _core.Tape(), before.copy()
        core_forward(problem, tape=tape)
        _core.rnn_backward(
            tape, problem.dy, problem.dh_n, problem.dc_n, dx, *[None] * 6,
            dw_peephole=None, num_threads=threads, add_dx=True,
        )  # fmt: skip
        np.testing.assert_allclose(dx, before + alone, rtol=0, atol=1e-13, err_msg=isa)
        for n, length in enumerate(problem.lengths):  # padding stays as it was
            assert_same_bits("padding", dx[length:, n], before[length:, n])


def test_dx_of_a_projected_input_is_not_added() -> None:
    tape = _core.Tape()
    problem = draw(Case("lstm", **CASE))
    outputs = [np.empty((6, 5, 17)), np.empty((5, 17)), np.empty((5, 17))]
    x = np.zeros((6, 5, 4 * 17))
    _core.rnn_forward(
        _core.Cell.lstm,
        x,
        None,
        problem.w_hh,
        None,
        None,
        None,
        None,
        None,
        None,
        *outputs,
        tape=tape,
    )
    with pytest.raises(ValueError, match="add_dx cannot be set: x came projected"):
        _core.rnn_backward(tape, None, None, None, x.copy(), *[None] * 7, add_dx=True)


@pytest.mark.parametrize("cell", CELLS)
def test_looking_at_the_gates_changes_no_gradient(cell: str, isa: str) -> None:
    problem = draw(Case(cell, **CASE)).astype(np.float32)
    tape, case, spec = _core.Tape(), problem.case, problem.case.spec
    core_forward(problem, tape=tape)
    arena = Arena(np.float32)
    tape.gates(arena.empty((case.T, case.N, spec.gates, case.H)))
    if spec.cell_state:
        tape.c(arena.empty((case.T, case.N, case.H)))
    arena.check()
    found = core_backward(problem, tape)
    assert_identical(found, run_core(problem), isa, names=found)


def test_spent_and_empty_tapes_refuse() -> None:
    problem = draw(Case("lstm", **CASE))
    tape = _core.Tape()
    with pytest.raises(ValueError, match="tape"):
        core_backward(problem, tape)
    core_forward(problem, tape=tape)
    assert not tape.spent
    assert tape.nbytes >= problem.row_lengths().sum() * 17 * 5 * 8
    core_backward(problem, tape)
    assert tape.spent
    with pytest.raises(ValueError, match="tape"):
        core_backward(problem, tape)
    with pytest.raises(ValueError, match="tape"):
        tape.gates(np.empty((6, 5, 4, 17)))
    with pytest.raises(ValueError, match="tape"):
        tape.c(np.empty((6, 5, 17)))


def test_a_refused_backward_does_not_spend_the_tape() -> None:
    problem = draw(Case("gru_after", **CASE))
    tape = _core.Tape()
    core_forward(problem, tape=tape)
    with pytest.raises(ValueError, match="dy"):
        core_backward(problem.replace(dy=problem.dy[:-1]), tape)
    assert not tape.spent
    found = core_backward(problem, tape)
    assert_identical(found, run_core(problem), names=found)


def test_a_spent_public_tape_refuses() -> None:
    y, state, tape = fastrnn.rnn_forward(np.ones((3, 2, 1)), np.ones((4, 1)), np.eye(4))
    assert tape.nbytes > 0
    fastrnn.rnn_backward(tape, np.ones_like(y), np.ones_like(state))
    with pytest.raises(ValueError, match="tape"):
        fastrnn.rnn_backward(tape, np.ones_like(y))
    with pytest.raises(ValueError, match="tape"):
        _ = tape.gates


def test_the_tape_keeps_its_arrays_alive() -> None:
    problem = draw(Case("lstm", **CASE))
    tape, arrays = _core.Tape(), core_inputs(problem)
    case = problem.case
    arrays = {k: None if a is None else a.copy() for k, a in arrays.items()}
    out = [np.empty((case.T, case.N, case.H)), *(np.empty((case.N, case.H)) for _ in range(2))]
    _core.rnn_forward(_core.Cell.lstm, **arrays, y=out[0], h_n=out[1], c_n=out[2], tape=tape)
    watched = weakref.ref(arrays["x"])
    expected = run_core(problem)
    del arrays, out
    gc.collect()
    assert watched() is not None, "the tape lets go of x before backward"
    rubbish = [np.full((case.T, case.N, case.H), np.nan) for _ in range(50)]
    found = core_backward(problem, tape)
    assert_identical(found, expected, names=found)
    del tape, rubbish
    gc.collect()
    assert watched() is None, "x is never let go"


def test_backward_runs_where_forward_ran() -> None:
    """A tape belongs to the instruction set that made it, whatever is active by then."""
    problem = draw(Case("lstm", **CASE)).astype(np.float32)
    before = _core.isa()
    try:
        _core.set_isa("baseline")
        expected, tape = run_core(problem), _core.Tape()
        core_forward(problem, tape=tape)
        _core.set_isa(_core.available_isas()[-1])
        found = core_backward(problem, tape)
    finally:
        _core.set_isa(before)
    assert_identical(found, expected, names=found)


def test_forward_y_is_read_only_and_inference_y_is_not() -> None:
    x, w = np.ones((3, 2, 1)), np.ones((4, 1))
    assert not fastrnn.rnn_forward(x, w, np.eye(4))[0].flags.writeable
    assert fastrnn.rnn(x, w, np.eye(4))[0].flags.writeable
    results = run_functions(draw(Case("lstm", **CASE)))
    owners = [a for name, a in results.items() if name.startswith("d")]
    for i, one in enumerate(owners):
        assert not any(np.shares_memory(one, other) for other in owners[i + 1 :])
