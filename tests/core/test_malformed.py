"""Why: recurrent operators are a live source of memory errors from bad arguments (onnxruntime
#28052, #28003, #29595, #32348; pytorch #173946, #106769). Here thousands of calls, each wrong in
one argument, must end in TypeError, ValueError or MemoryError that names it, touch nothing, and
leave the next good call right.
"""

import ast
import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers import malformed
from helpers.cases import CELLS, INPUTS, Case, Problem, draw
from helpers.compare import assert_identical
from helpers.malformed import Subject
from helpers.runners import choices_of, core_forward, run_core, run_functions

import fastrnn
from fastrnn import _core

SHAPE = {"T": 5, "N": 3, "I": 4, "H": 6, "lengths": "ragged"}
LEAST = 5000  # calls in this file


def problem_of(cell: str, dtype: Any) -> Problem:
    return draw(Case(cell, **SHAPE)).astype(dtype)


def core_call(problem: Problem) -> dict[str, Any]:
    """Arguments of a good _core.rnn_forward with everything given."""
    case = problem.case
    state = np.zeros((case.N, case.H), problem.dtype)
    return {
        "cell": getattr(_core.Cell, case.cell),
        **{name: getattr(problem, name) for name in (*INPUTS, "lengths")},
        "y": np.zeros((case.T, case.N, case.H), problem.dtype),
        "h_n": state.copy(),
        "c_n": state.copy() if case.spec.cell_state else None,
        "reverse": False,
        "num_threads": 1,
        "choices": choices_of(problem),
    }


def forward_of_the_core(cell: str, dtype: Any) -> Subject:
    problem = problem_of(cell, dtype)
    good = core_call(problem)
    spec, shape = problem.case.spec, (SHAPE["N"], SHAPE["H"])
    wrong: dict[str, Any] = {
        "cell": malformed.of("lstm", 4, None, _core.Cell),
        "lengths": malformed.lengths(good["lengths"], SHAPE["T"], strict=True),
        "reverse": malformed.of(*malformed.NO_FLAGS),
        "num_threads": malformed.of(*malformed.NO_COUNTS, None),
        "tape": malformed.of("tape", 1, object(), good["x"]),
        "packed": malformed.of("packed", 1, good["w_hh"], *_foreign_packs(problem)),
        "choices": malformed.of("lstm", 1, good["w_hh"], *_foreign_choices(problem)),
    }
    for name in ("x", "h0", "c0"):
        if good[name] is not None:
            required = name == "x"
            wrong[name] = malformed.array(
                good[name], required=required, strict=True, unit_last=True
            )
    for name in ("w_ih", "w_hh", "b_ih", "b_hh", "w_peephole"):
        if good[name] is not None:
            required = name not in ("b_ih", "b_hh")
            wrong[name] = malformed.array(good[name], required=required, strict=True)
    for name in ("y", "h_n", "c_n"):
        if good[name] is not None:
            wrong[name] = malformed.output(good[name])
    if not spec.cell_state:
        wrong["c0"] = wrong["c_n"] = [("unasked", np.zeros(shape, dtype))]
    if not spec.peephole and not (spec.general and spec.cell_state):
        wrong["w_peephole"] = [("unasked", np.zeros((3, SHAPE["H"]), dtype))]
    return Subject(f"_core.rnn_forward {cell}", _core.rnn_forward, good, wrong, strict=True)


def _foreign_choices(problem: Problem) -> list[Any]:
    """Choices of the other family, and some or none where it is the other way round."""
    spec = problem.case.spec
    lstm = _core.Choices(("sigmoid", "tanh", "tanh"))
    gru = _core.Choices(("sigmoid", "tanh"))
    if not spec.general:
        return [lstm, gru]
    return [None, gru if spec.cell_state else lstm]


def _foreign_packs(problem: Problem) -> list[Any]:
    """Packed weights of another cell, size and dtype; and good ones beside plain weights."""
    other = "gru_after" if problem.case.cell != "gru_after" else "lstm"
    found = []
    for cell, changes in ((other, {}), (problem.case.cell, {"H": 7})):
        drawn = draw(Case(cell, **(SHAPE | changes))).astype(problem.dtype)
        weights = (drawn.w_ih, drawn.w_hh, drawn.b_ih, drawn.b_hh, drawn.w_peephole)
        found.append(_core.PackedWeights(getattr(_core.Cell, cell), *weights))
    weights = (problem.w_ih, problem.w_hh, problem.b_ih, problem.b_hh, problem.w_peephole)
    found.append(_core.PackedWeights(getattr(_core.Cell, problem.case.cell), *weights))
    return found


def backward_of_the_core(cell: str, dtype: Any) -> Subject:
    problem, tape = problem_of(cell, dtype), _core.Tape()
    core_forward(problem, tape=tape)
    given = problem.floats()
    outputs = {f"d{name}": np.zeros_like(given[name]) for name in INPUTS if name in given}
    good = {name: given.get(name) for name in ("dy", "dh_n", "dc_n")}
    good |= {f"d{name}": outputs.get(f"d{name}") for name in INPUTS}
    wrong: dict[str, Any] = {
        "tape": malformed.of(None, "tape", 1, _core.Tape(), _spent(problem)),
        "num_threads": malformed.of(*malformed.NO_COUNTS, None),
        "truncate": malformed.of(0, -1, 2**70, 1.5, True, "2"),
        "clip_step": malformed.of(0.0, -1.0, 1, np.float32(1), float("nan"), True, "1"),
    }
    for name in ("dy", "dh_n", "dc_n"):
        if name in given:
            wrong[name] = malformed.array(given[name], required=False, strict=True, unit_last=True)
    for name, array in outputs.items():
        wrong[name] = malformed.output(array, required=False, packed=True)
    if not problem.case.spec.cell_state:
        state = np.zeros((SHAPE["N"], SHAPE["H"]), dtype)
        wrong["dc_n"] = wrong["dc0"] = [("unasked", state)]
    if not problem.case.spec.peephole:
        wrong["dw_peephole"] = [("unasked", np.zeros((3, SHAPE["H"]), dtype))]
    good |= {"tape": tape, "num_threads": 1}
    return Subject(f"_core.rnn_backward {cell}", _core.rnn_backward, good, wrong, strict=True)


def _spent(problem: Problem) -> Any:
    tape = _core.Tape()
    core_forward(problem, tape=tape)
    _core.rnn_backward(tape, *[None] * 11)
    return tape


def packing(cell: str, dtype: Any) -> Subject:
    problem = problem_of(cell, dtype)
    names = ("w_ih", "w_hh", "b_ih", "b_hh", "w_peephole")
    good = {"cell": getattr(_core.Cell, cell)} | {n: getattr(problem, n) for n in names}
    wrong: dict[str, Any] = {"cell": malformed.of("lstm", 4, None)}
    for name in names:
        if good[name] is not None:
            required = name in ("w_hh", "w_peephole")
            free = (1,) if name == "w_ih" else ()  # any number of inputs will do
            wrong[name] = malformed.array(good[name], required=required, strict=True, free=free)
    if "w_ih" in wrong:  # a free axis cannot be too long, only too long for memory
        wrong["w_ih"] = [m for m in wrong["w_ih"] if m[0] != "huge axis 1"]
    return Subject(f"_core.PackedWeights {cell}", _core.PackedWeights, good, wrong, strict=True)


def public_forward(cell: str, dtype: Any, suffix: str) -> Subject:
    problem = problem_of(cell, dtype)
    spec = problem.case.spec
    good = {name: getattr(problem, name) for name in INPUTS if getattr(problem, name) is not None}
    good |= {"lengths": problem.lengths, **dict(spec.options)}
    wrong: dict[str, Any] = {
        "lengths": malformed.lengths(problem.lengths, SHAPE["T"], strict=False),
        "reverse": malformed.of(*malformed.NO_FLAGS),
        "batch_first": malformed.of(*malformed.NO_FLAGS),
        "num_threads": malformed.of(*malformed.NO_COUNTS, 0, True),
        "clip": malformed.of(0.0, -1.0, "no", True),
    }
    wrong |= {
        "rnn": {"nonlinearity": malformed.of("tanhs", "selu", "", None, 3, b"tanh", ["tanh"])},
        "gru": {
            "reset_after": malformed.of(*malformed.NO_FLAGS),
            "activations": malformed.of(("relu",), ("tanh", "selu"), ("tanh", 3), "tanh", None, 3),
        },
        "lstm": {
            "w_hr": malformed.of(np.ones((2, 6), dtype), 1.0, "w"),
            "activations": malformed.of(("relu",), ("tanh", "selu", "tanh"), "tanh", None, 3),
            "input_forget": malformed.of(1, None, "x"),
            "gates": malformed.of("ifox", "ii", "O", None, 3, ("i", "o")),
        },
    }[spec.family]
    for name in INPUTS:
        if name in good:
            wrong[name] = malformed.array(
                good[name],
                required=name in ("x", "w_ih", "w_hh"),
                free=(0,) if name == "x" else (),
                vector=name in ("h0", "c0"),
            )
    shorter = problem.x[: int(problem.lengths.max()) - 1]
    wrong["x"] = [*wrong["x"], ("shape too short for lengths", shorter)]
    name = spec.family + suffix
    return Subject(f"{name} {cell}", getattr(fastrnn, name), good, wrong)


def public_backward(cell: str, dtype: Any, _: str = "") -> Subject:
    problem = problem_of(cell, dtype)
    spec = problem.case.spec
    states = [problem.h0, problem.c0] if spec.cell_state else [problem.h0]
    options = dict(spec.options) | ({"w_peephole": problem.w_peephole} if spec.peephole else {})
    weights = (problem.w_ih, problem.w_hh, problem.b_ih, problem.b_hh)
    forward = getattr(fastrnn, f"{spec.family}_forward")
    tape = forward(problem.x, *weights, *states, lengths=problem.lengths, **options)[-1]
    other = fastrnn.gru_forward if spec.family != "gru" else fastrnn.rnn_forward
    G = 3 if spec.family != "gru" else 1
    foreign = other(np.ones((1, 1, 1)), np.ones((G, 1)), np.ones((G, 1)))[-1]
    good = {"tape": tape, "dy": problem.dy, "dh_n": problem.dh_n}
    good |= {"dc_n": problem.dc_n} if spec.cell_state else {}
    wrong: dict[str, Any] = {"tape": malformed.of(None, "tape", 1, foreign)}
    wrong |= {
        "truncate": malformed.of(0, -1, -(2**70), 1.5, True, "2", (1,), float("nan")),
        "clip_step": malformed.of(0, -1.0, np.nan, np.inf, True, "x", [1.0]),
    }
    for name in ("dy", "dh_n", "dc_n"):
        if name in good:
            wrong[name] = malformed.array(good[name], required=False)
    name = f"{spec.family}_backward"
    return Subject(f"{name} {cell}", getattr(fastrnn, name), good, wrong)


BUILDERS = {
    "core forward": forward_of_the_core,
    "core backward": backward_of_the_core,
    "core packing": packing,
    "function": lambda cell, dtype: public_forward(cell, dtype, ""),
    "forward": lambda cell, dtype: public_forward(cell, dtype, "_forward"),
    "backward": public_backward,
}


@pytest.mark.check(10)
@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("builder", BUILDERS)
def test_malformed_calls_are_refused_by_name(
    builder: str, cell: str, dtype: np.dtype, tally: Callable[[int], None]
) -> None:
    problem = problem_of(cell, dtype)
    expected = run_core(problem)
    tally(BUILDERS[builder](cell, dtype).run())
    assert_identical(run_core(problem), expected, "the next good call")
    assert_identical(run_functions(problem), expected, "the next good call")


@pytest.mark.parametrize(
    ("given", "named", "words"),
    [
        ((), {}, "rnn_forward needs the argument 'cell'"),
        ((1,), {"cell": 2}, "rnn_forward got argument 'cell' twice"),
        ((), {"weight": 1}, "rnn_forward has no argument 'weight'"),
        ((1,) * 27, {}, "rnn_forward takes at most 26 arguments, got 27"),
        ((), {"\udc80": 1}, "surrogates not allowed"),
    ],
)
def test_arguments_that_do_not_fit_the_signature(given: Any, named: Any, words: str) -> None:
    with pytest.raises((TypeError, ValueError), match=words):
        _core.rnn_forward(*given, **named)


@pytest.mark.parametrize("name", ["rnn_forward", "rnn_backward"])
def test_the_signature_is_that_of_the_stub(name: str) -> None:
    stub = ast.parse((Path(fastrnn.__file__).parent / "_core.pyi").read_text("utf-8"))
    function = next(n for n in stub.body if isinstance(n, ast.FunctionDef) and n.name == name)
    arguments = function.args
    parameters = inspect.signature(getattr(_core, name)).parameters
    assert [*parameters] == [a.arg for a in arguments.args]
    defaults = [p.default for p in parameters.values() if p.default is not p.empty]
    assert defaults == [ast.literal_eval(d) for d in arguments.defaults]


def test_enough_calls_are_made() -> None:
    """Counted without making them, so that it does not matter which tests have run."""
    dtypes = (np.dtype(np.float32), np.dtype(np.float64))
    made = [build(cell, dtype) for build in BUILDERS.values() for cell in CELLS for dtype in dtypes]
    calls = sum(1 for subject in made for mutations in subject.wrong.values() for _ in mutations)
    assert calls >= LEAST, f"only {calls} malformed calls"
