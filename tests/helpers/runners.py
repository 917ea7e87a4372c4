"""Runners: one problem through the strict core, the twin, the public functions or PyTorch.

All return the same dictionary, time-major: y, h_n, c_n and the gradients dx, dw_ih, dw_hh, db_ih,
db_hh, dw_peephole, dh0, dc0, as far as the problem has them.
"""

import contextlib
import os
from collections.abc import Iterator
from types import ModuleType
from typing import Any

import numpy as np

import fastrnn
from fastrnn import _core, reference
from helpers.cases import INPUTS, OUTPUTS, Problem
from helpers.memory import Arena

Results = dict[str, np.ndarray]


def isas_under_test() -> list[str]:
    """The instruction sets of this machine, or the one that FASTRNN_ISA pins the run to."""
    pinned = os.environ.get("FASTRNN_ISA")
    return [pinned] if pinned else _core.available_isas()


@contextlib.contextmanager
def forced_isa(name: str) -> Iterator[None]:
    """One instruction set, proven by the name inside its own object file."""
    before = _core.isa()
    _core.set_isa(name)
    assert [_core.compiled_isa(dtype) for dtype in ("float32", "float64")] == [name, name]
    try:
        yield
    finally:
        _core.set_isa(before)


@contextlib.contextmanager
def forced_plan(split: str | None, chunk: int) -> Iterator[None]:
    """The core's private override of split and chunk length, for this thread."""
    _core.force_plan(split, chunk)
    try:
        yield
    finally:
        _core.force_plan()


def cell_of(problem: Problem) -> Any:
    """The entry of _core.Cell."""
    return getattr(_core.Cell, problem.case.cell)


def choices_of(problem: Problem) -> Any:
    """What the core is told beside the cell: None, or a _core.Choices."""
    spec = problem.case.spec
    names = ("activations", "gates", "input_forget")
    chosen = {name: value for name, value in spec.options if name in names}
    if spec.family == "rnn" and spec.general:
        chosen = {"activations": (dict(spec.options)["nonlinearity"],)}
    return _core.Choices(**chosen) if spec.general else None


def core_inputs(problem: Problem, layouts: dict[str, str] | None = None) -> dict[str, Any]:
    """The input arrays of _core.rnn_forward; `layouts` names a memory layout per argument."""
    arrays = {name: getattr(problem, name) for name in (*INPUTS, "lengths")}
    if problem.case.batch_first:
        arrays["x"] = np.ascontiguousarray(arrays["x"].swapaxes(0, 1)).swapaxes(0, 1)
    arena = Arena(problem.dtype)
    for name, layout in (layouts or {}).items():
        if arrays.get(name) is not None:
            arrays[name] = arena.copy(arrays[name], layout)
    return arrays


def core_outputs(problem: Problem, arena: Arena, layouts: dict[str, str]) -> Results:
    """Poisoned y, h_n and, for an LSTM, c_n."""
    case = problem.case
    shapes = {"y": (case.T, case.N, case.H), "h_n": (case.N, case.H), "c_n": (case.N, case.H)}
    default = {"y": "swap" if case.batch_first else "c"}
    names = [name for name in OUTPUTS if name != "c_n" or case.spec.cell_state]
    return {
        name: arena.empty(shapes[name], layouts.get(name, default.get(name, "c"))) for name in names
    }


def core_forward(
    problem: Problem,
    *,
    threads: int = 1,
    tape: Any = None,
    packed: Any = None,
    layouts: dict[str, str] | None = None,
) -> Results:
    """_core.rnn_forward into guarded, NaN-filled outputs."""
    arrays = core_inputs(problem, layouts)
    if packed is not None:
        arrays |= dict.fromkeys(("w_ih", "w_hh", "b_ih", "b_hh", "w_peephole"))
    arena = Arena(problem.dtype)
    outputs = core_outputs(problem, arena, layouts or {})
    before = {name: None if a is None else a.copy() for name, a in arrays.items()}
    _core.rnn_forward(
        cell_of(problem),
        **arrays,
        y=outputs["y"],
        h_n=outputs["h_n"],
        c_n=outputs.get("c_n"),
        reverse=problem.case.reverse,
        num_threads=threads,
        tape=tape,
        packed=packed,
        choices=choices_of(problem),
    )
    arena.check()
    for name, array in arrays.items():
        assert array is None or array.tobytes() == before[name].tobytes(), f"{name} was written to"
    return outputs


def core_backward(
    problem: Problem,
    tape: Any,
    *,
    threads: int = 1,
    wanted: set[str] | None = None,
    layouts: dict[str, str] | None = None,
    **options: Any,
) -> Results:
    """_core.rnn_backward into guarded, NaN-filled gradients; `wanted` leaves the others out."""
    arena, given = Arena(problem.dtype), problem.floats()
    gradients: dict[str, np.ndarray | None] = {}
    for name in INPUTS:
        skip = name not in given or (wanted is not None and f"d{name}" not in wanted)
        gradients[f"d{name}"] = None if skip else arena.empty(given[name].shape, "c")
    upstream = {name: given.get(name) for name in ("dy", "dh_n", "dc_n")}
    layouts = layouts or {}
    for name, array in upstream.items():
        if array is not None:
            default = "swap" if problem.case.batch_first and name == "dy" else "c"
            upstream[name] = arena.copy(array, layouts.get(name, default))
    _core.rnn_backward(tape, **upstream, **gradients, num_threads=threads, **options)
    arena.check()
    for name, array in upstream.items():
        assert array is None or np.array_equal(array, given[name], equal_nan=True), (
            f"{name} changed"
        )
    return {name: array for name, array in gradients.items() if array is not None}


def run_core(
    problem: Problem,
    *,
    threads: int = 1,
    split: str | None = None,
    chunk: int = 0,
    layouts: dict[str, str] | None = None,
    **options: Any,
) -> Results:
    """Forward with a tape, then every gradient, through the strict core; options of backward."""
    tape = _core.Tape()
    with forced_plan(split, chunk):
        outputs = core_forward(problem, threads=threads, tape=tape, layouts=layouts)
        return outputs | core_backward(
            problem, tape, threads=threads, layouts=layouts, **options
        )


def run_functions(
    problem: Problem,
    namespace: ModuleType = fastrnn,
    backward: dict[str, Any] | None = None,
    **options: Any,
) -> Results:
    """The public functions (or the twins of the same names) in `namespace`."""
    spec, case = problem.case.spec, problem.case

    def turned(array: np.ndarray | None) -> np.ndarray | None:
        return array.swapaxes(0, 1) if case.batch_first and array is not None else array

    states = [problem.h0, problem.c0] if spec.cell_state else [problem.h0]
    forward = getattr(namespace, f"{spec.family}_forward")
    options |= dict(spec.options) | ({"w_peephole": problem.w_peephole} if spec.peephole else {})
    weights = (problem.w_ih, problem.w_hh, problem.b_ih, problem.b_hh)
    y, state, tape = forward(
        turned(problem.x),
        *weights,
        *states,
        lengths=problem.lengths,
        reverse=case.reverse,
        batch_first=case.batch_first,
        **options,
    )
    upstream = {"dy": turned(problem.dy), "dh_n": problem.dh_n}
    upstream |= {"dc_n": problem.dc_n} if spec.cell_state else {}
    grads = getattr(namespace, f"{spec.family}_backward")(tape, **upstream, **backward or {})
    results = {"y": turned(y), **dict(zip(("h_n", "c_n"), _tuple(state), strict=False))}
    for name in (name for name in INPUTS if hasattr(grads, name)):
        gradient = getattr(grads, name)
        assert (gradient is None) == (getattr(problem, name) is None), f"gradient of {name}"
        if gradient is not None:
            results[f"d{name}"] = turned(gradient) if name == "x" else gradient
    return results


def _tuple(state: Any) -> tuple[np.ndarray, ...]:
    return state if isinstance(state, tuple) else (state,)


def run_twin(problem: Problem, **backward: Any) -> Results:
    """The specification: fastrnn.reference in float64; options of backward."""
    return run_functions(problem.astype(np.float64), reference, backward)
