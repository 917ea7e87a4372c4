"""Truncated BPTT spelled out: each row alone, chunk after chunk, the states handed on.

This is what `truncate` promises to equal, computed without it: no gradient can cross a chunk's
edge, since each chunk is a call of its own that gets numbers for its initial state.
"""

import dataclasses
from collections.abc import Callable, Iterator

import numpy as np

from helpers.cases import Problem

Arrays = dict[str, np.ndarray]


def truncated(
    problem: Problem,
    every: int,
    forward: Callable[[Problem], Arrays],
    gradients: Callable[[Problem], Arrays],
) -> Arrays:
    """The gradient by every input, by its name; `gradients` gives those of one chunk."""
    names = ("x", "w_ih", "w_hh", "b_ih", "b_hh", "w_peephole", "h0", "c0")
    given = {name: getattr(problem, name) for name in names}
    total = {name: np.zeros_like(a) for name, a in given.items() if a is not None}
    for n, length in enumerate(problem.row_lengths()):
        if length == 0:
            for name, upstream in (("h0", problem.dh_n), ("c0", problem.dc_n)):
                if name in total and upstream is not None:
                    total[name][n] = upstream[n]
        for begin, times, piece in _pieces(problem, n, int(length), every, forward):
            for name, gradient in gradients(piece).items():
                if name == "x":
                    total["x"][times, n] = gradient[:, 0]
                elif name not in ("h0", "c0"):
                    total[name] += gradient
                elif begin == 0 and name in total:
                    total[name][n] = gradient[0]
    return total


def _pieces(
    problem: Problem, n: int, length: int, every: int, forward: Callable[[Problem], Arrays]
) -> Iterator[tuple[int, np.ndarray, Problem]]:
    """The chunks of row n in the order of processing: first own step, times, and the call."""
    case, row = problem.case, problem.rows([n])
    zeros = np.zeros((1, case.H))
    state = {"h0": zeros if row.h0 is None else row.h0}
    if case.spec.cell_state:
        state["c0"] = zeros if row.c0 is None else row.c0
    for begin in range(0, length, every):
        end = min(begin + every, length)
        times = np.arange(length - end, length - begin) if case.reverse else np.arange(begin, end)
        last = end == length
        piece = row.replace(
            case=dataclasses.replace(case, T=end - begin, N=1, lengths="none"),
            x=row.x[times],
            lengths=None,
            dy=None if row.dy is None else row.dy[times],
            dh_n=row.dh_n if last else None,
            dc_n=row.dc_n if last else None,
            **state,
        )
        yield begin, times, piece
        after = forward(piece)
        state = {name: after[f"{name[0]}_n"] for name in state}
