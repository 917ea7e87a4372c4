"""Why: pybind11's default silently copies and casts (its issue #2455), so a write into a strided or
foreign array vanishes. Every layout a caller can have must give the bits of the contiguous call,
through the public functions; the strict core must take views as they are or refuse by name.
"""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers.cases import CELLS, INPUTS, UPSTREAM, Case, Problem, draw
from helpers.compare import assert_equals_twin, assert_identical
from helpers.runners import core_forward, run_core, run_functions

CASE = {"T": 5, "N": 4, "I": 7, "H": 9, "lengths": "ragged"}


def _fortran(a: np.ndarray) -> np.ndarray:
    return np.asfortranarray(a)


def _every_third(a: np.ndarray) -> np.ndarray:
    wide = np.full([3 * n for n in a.shape], np.nan if a.dtype.kind == "f" else -1, a.dtype)
    view = wide[(slice(1, None, 3),) * a.ndim]
    view[...] = a
    return view


def _backwards(a: np.ndarray) -> np.ndarray:
    turn = (slice(None, None, -1),) * a.ndim
    return a[turn].copy()[turn]


def _unaligned(a: np.ndarray) -> np.ndarray:
    raw = np.zeros(a.nbytes + 1, np.uint8)
    view = raw[1:].view(a.dtype).reshape(a.shape)
    view[...] = a
    assert a.size == 0 or not view.flags.aligned
    return view


def _foreign_order(a: np.ndarray) -> np.ndarray:
    return a.astype(a.dtype.newbyteorder())


def _read_only(a: np.ndarray) -> np.ndarray:
    copy = a.copy()
    copy.flags.writeable = False
    return copy


class _Matrix(np.ndarray):
    """A subclass that would break code which trusts operators."""

    def __mul__(self, other: object) -> Any:
        raise AssertionError("an input's operator was used")

    __rmul__ = __add__ = __radd__ = __matmul__ = __mul__


def _subclass(a: np.ndarray) -> np.ndarray:
    return a.view(_Matrix)


LAYOUTS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "fortran": _fortran,
    "every_third": _every_third,
    "backwards": _backwards,
    "unaligned": _unaligned,
    "foreign_order": _foreign_order,
    "read_only": _read_only,
    "subclass": _subclass,
}


def changed(problem: Problem, layout: Callable, names: tuple[str, ...]) -> Problem:
    """The problem with some arrays in another layout; what was there must stay as it was."""
    present = {name: getattr(problem, name) for name in names}
    return problem.replace(**{k: layout(v) for k, v in present.items() if v is not None})


@pytest.mark.check(11)
@pytest.mark.parametrize("batch_first", [False, True], ids=["time", "batch"])
@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("cell", CELLS)
def test_layouts_of_all_arguments(
    cell: str, layout: str, batch_first: bool, backend: str, dtype: np.dtype
) -> None:
    problem = draw(Case(cell, **CASE, batch_first=batch_first)).astype(dtype)
    expected = run_functions(problem)
    other = changed(problem, LAYOUTS[layout], (*INPUTS, *UPSTREAM, "lengths"))
    before = {name: a.tobytes() for name, a in other.floats().items()}
    if backend == "core":
        assert_identical(run_functions(other), expected, layout)
    else:  # NumPy's products may add up in another order for another layout
        assert_equals_twin(run_functions(other), expected, dtype, layout)
    assert {name: a.tobytes() for name, a in other.floats().items()} == before


@pytest.mark.check(11)
@pytest.mark.parametrize("name", [*INPUTS, *UPSTREAM, "lengths"])
@pytest.mark.parametrize("layout", LAYOUTS)
def test_layouts_of_one_argument(layout: str, name: str, isa: str) -> None:
    for cell in ("lstm_peephole", "gru_before"):
        problem = draw(Case(cell, **CASE)).astype(np.float32)
        other = changed(problem, LAYOUTS[layout], (name,))
        assert_identical(run_functions(other), run_functions(problem), f"{isa} {cell}")


@pytest.mark.check(11)
def test_memory_mapped_input(tmp_path: Path) -> None:
    problem = draw(Case("lstm", **CASE)).astype(np.float32)
    np.save(tmp_path / "x.npy", problem.x)
    mapped = np.load(tmp_path / "x.npy", mmap_mode="r")
    other = problem.replace(x=mapped)
    assert_identical(run_functions(other), run_functions(problem))


@pytest.mark.check(11)
@pytest.mark.parametrize("cell", CELLS)
def test_broadcast_inputs(cell: str, isa: str) -> None:
    """Zero strides: one row's input, state and upstream gradient for the whole batch."""
    problem = draw(Case(cell, **CASE)).astype(np.float32)
    changes = {}
    for name in ("x", "h0", "c0", "dy", "dh_n", "dc_n"):
        array = getattr(problem, name)
        if array is not None:
            one = array[:, :1] if array.ndim == 3 else array[:1]
            changes[name] = np.broadcast_to(one, array.shape)
    broadcast = problem.replace(**changes)
    copies = problem.replace(**{k: v.copy() for k, v in changes.items()})
    for run in (run_core, run_functions):
        assert_identical(run(broadcast), run(copies), isa)


@pytest.mark.check(12, quick=3, full=21)
@pytest.mark.parametrize("name", ["x", "h0", "c0", "w_hh", "b_hh"])
@pytest.mark.parametrize("out", ["y", "h_n", "c_n"])
def test_output_over_input_of_the_strict_core(
    name: str, out: str, isa: str, count: int
) -> None:
    """Right as if there were no overlap, or refused by name and nothing written."""
    from fastrnn import _core

    problem = draw(Case("lstm", T=4, N=4, I=8, H=8)).astype(np.float32)
    expected = core_forward(problem)
    size = {"y": 128, "h_n": 32, "c_n": 32}[out]
    source = getattr(problem, name)
    for shift in (0, 8, -8, *range(1, 8), *range(9, 20))[:count]:
        block = np.full(source.size + size + 16, 0.5, np.float32)
        start = max(0, min(8 + shift, block.size - size))
        inside = block[8 : 8 + source.size].reshape(source.shape)
        inside[...] = source
        target = block[start : start + size].reshape(expected[out].shape)
        arrays = {n: getattr(problem, n) for n in (*INPUTS, "lengths")} | {name: inside}
        outputs = {key: np.zeros_like(a) for key, a in expected.items()} | {out: target}
        before = block.copy()
        message = ""
        try:
            _core.rnn_forward(_core.Cell.lstm, **arrays, **outputs)
        except ValueError as error:
            message = str(error)
        if message:
            assert re.search(rf"\b({out}|{name})\b", message), message
            assert np.array_equal(block, before)
        else:
            assert_identical(outputs, expected, f"{isa} {out} over {name} {shift}")


@pytest.mark.check(12)
@pytest.mark.parametrize("pair", [("y", "h_n"), ("h_n", "c_n"), ("y", "c_n")])
def test_output_over_output_is_refused(pair: tuple[str, str]) -> None:
    from fastrnn import _core

    problem = draw(Case("lstm", T=1, N=4, I=8, H=8)).astype(np.float32)
    shapes = {"y": (1, 4, 8), "h_n": (4, 8), "c_n": (4, 8)}
    outputs = {key: np.zeros(shape, np.float32) for key, shape in shapes.items()}
    outputs[pair[1]] = outputs[pair[0]].reshape(shapes[pair[1]])
    arrays = {name: getattr(problem, name) for name in (*INPUTS, "lengths")}
    with pytest.raises(ValueError) as raised:
        _core.rnn_forward(_core.Cell.lstm, **arrays, **outputs)
    assert any(name in str(raised.value) for name in pair)


BACKWARD_PAIRS = [("dx", "dy"), ("dh0", "dh_n"), ("dc0", "dc_n"), ("dx", "x"), ("dw_hh", "w_hh")]
BACKWARD_PAIRS += [("db_ih", "db_hh"), ("dw_ih", "dw_hh"), ("dh0", "dc0"), ("dx", "y")]


@pytest.mark.check(12)
@pytest.mark.parametrize("pair", BACKWARD_PAIRS, ids="-over-".join)
def test_gradient_over_something_else_of_the_strict_core(pair: tuple[str, str], isa: str) -> None:
    """MXNet #17898: dy overwritten. Right as if there were no overlap, or refused by name."""
    from fastrnn import _core

    problem = draw(Case("lstm", T=4, N=4, I=8, H=8)).astype(np.float32)
    expected, tape = run_core(problem), _core.Tape()
    arrays = {name: getattr(problem, name) for name in (*INPUTS, "lengths")}
    forward = {key: np.empty_like(expected[key]) for key in ("y", "h_n", "c_n")}
    _core.rnn_forward(_core.Cell.lstm, **arrays, **forward, tape=tape)
    gradients = {f"d{name}": expected.get(f"d{name}") for name in INPUTS}
    gradients = {k: None if a is None else np.zeros_like(a) for k, a in gradients.items()}
    upstream = {name: getattr(problem, name).copy() for name in UPSTREAM}
    place, other = pair
    target = (gradients | upstream | arrays | forward)[other]
    gradients[place] = target.reshape(expected[place].shape)
    before, message = target.copy(), ""
    try:
        _core.rnn_backward(tape, **upstream, **gradients)
    except ValueError as error:
        message = str(error)
    if message:
        assert re.search(rf"\b({place}|{other})\b", message), message
        assert np.array_equal(target, before)
        assert not tape.spent
    else:
        found = {key: array for key, array in gradients.items() if array is not None}
        assert_identical(found, expected, isa, names=found)
