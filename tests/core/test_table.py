"""Why: of embedded symbols the core reads rows of a table by number and adds their gradients up
there. Both must be what the gathered rows give: forward to the last bit, the sums in one order.
"""

import itertools
from typing import Any

import numpy as np
import pytest
from helpers.cases import CELLS, Case, Problem, draw
from helpers.compare import assert_identical
from helpers.runners import (
    Results,
    choices_of,
    core_forward,
    forced_isa,
    forced_plan,
    isas_under_test,
    run_core,
)

from fastrnn import _core

V = 5
PLANS = [(1, 0, "rows"), (2, 3, "rows"), (2, 0, "units"), (3, 1, "units")]  # threads, chunk, split


def table_call(
    problem: Problem, table: Any, ids: Any, threads: int, tape: Any = None
) -> tuple[Results, Any]:
    """_core.rnn_forward on rows of the table, and the tape's gradient of it if there is a tape."""
    outputs = {name: np.full_like(a, np.nan) for name, a in core_forward(problem).items()}
    weights = {name: getattr(problem, name) for name in ("w_hh", "b_ih", "b_hh", "w_peephole")}
    _core.rnn_forward(
        getattr(_core.Cell, problem.case.cell), table, None, **weights,
        h0=problem.h0, c0=problem.c0, lengths=problem.lengths, **{"c_n": None, **outputs},
        reverse=problem.case.reverse, num_threads=threads, tape=tape,
        choices=choices_of(problem), ids=ids,
    )  # fmt: skip
    if tape is None:
        return outputs, None
    dtable = np.full_like(table, np.nan)
    given = problem.floats()
    upstream = [given.get(name) for name in ("dy", "dh_n", "dc_n")]
    _core.rnn_backward(tape, *upstream, dtable, *[None] * 7, num_threads=threads)
    return outputs, dtable


def drawn(cell: str, dtype: Any, **shape: Any) -> tuple[Problem, Any, Any]:
    """A problem whose projected x is rows of a table, the table (1, V, G·H), and ids (T, N)."""
    problem = draw(Case(cell, **{"T": 6, "N": 4, "H": 19, "projected": True, **shape}))
    problem = problem.astype(dtype)
    T, N, columns = problem.x.shape
    rng = np.random.default_rng(T + N)
    ids = rng.integers(0, V - 1, (T, N))  # the last symbol never comes
    table = (rng.standard_normal((1, V, columns)) / 2).astype(dtype)
    return problem.replace(x=np.ascontiguousarray(table[0][ids])), table, ids


@pytest.mark.every_isa
@pytest.mark.parametrize("shape", [{}, {"lengths": "ragged", "reverse": True}], ids=["", "ragged"])
@pytest.mark.parametrize("cell", CELLS)
def test_rows_of_a_table_are_the_gathered_rows(cell: str, shape: dict[str, Any]) -> None:
    for isa, dtype in itertools.product(isas_under_test(), (np.float32, np.float64)):
        problem, table, ids = drawn(cell, dtype, **shape)
        with forced_isa(isa):
            expected = run_core(problem)
            dx = expected["dx"].astype(np.float64)
            sums = np.zeros(table.shape[1:])
            np.add.at(sums, ids, dx)
            forward = {name: expected[name] for name in ("y", "h_n", "c_n") if name in expected}
            first = None
            for threads, chunk, split in PLANS:
                with forced_plan(split, chunk):
                    assert_identical(table_call(problem, table, ids, threads)[0], forward, isa)
                    found, dtable = table_call(problem, table, ids, threads, _core.Tape())
                assert_identical(found, forward, isa)
                assert not dtable[0, V - 1].any(), "a symbol that never came has no gradient"
                near = 50 * np.finfo(dtype).eps * np.abs(dx).sum(axis=(0, 1)).max()
                assert np.abs(dtable[0] - sums).max() <= near
                first = dtable if first is None else first
                assert dtable.tobytes() == first.tobytes(), f"{isa}: threads or chunks show"


@pytest.mark.parametrize(("T", "N"), [(0, 3), (3, 0)])
def test_a_table_of_nothing(T: int, N: int) -> None:
    problem, table, ids = drawn("lstm", np.float32, T=T, N=N)
    _, dtable = table_call(problem, table, ids, 2, _core.Tape())
    assert not dtable.any()


def test_what_a_table_is_refused_for() -> None:
    problem, table, ids = drawn("gru_after", np.float32)

    def refused(text: str, error: type = ValueError, *, table: Any = table, ids: Any = ids) -> None:
        with pytest.raises(error, match=text):
            table_call(problem, table, ids, 1)

    for wrong in (-1, V, 2**62):
        bad = ids.copy()
        bad[-1, -1] = wrong
        refused(rf"ids must lie in 0..V-1 = 0..4, got {wrong}", ids=bad)
    refused("ids must", TypeError, ids=ids.astype(np.int32))
    refused("ids must", ids=ids[0])
    refused("y must", ids=np.zeros((7, 4), np.int64))
    refused("x must", table=np.repeat(table, 2, axis=0))
    refused("x must", table=np.ascontiguousarray(table[:, :, 1:]))
    refused("x must", table=table[0])
    full = draw(Case("gru_after", T=6, N=4, I=3, H=19)).astype(np.float32)
    out, x = core_forward(full), np.zeros((1, V, 3), np.float32)
    rest = (full.w_ih, full.w_hh, *[None] * 6, out["y"], out["h_n"], None)
    with pytest.raises(ValueError, match="ids need a projected x"):
        _core.rnn_forward(_core.Cell.gru_after, x, *rest, ids=ids)
