"""Why: the grid holds the sizes somebody thought of. Random sizes and memory layouts find the rest.

Two sweeps: random cases against the twin, whose table of worst errors `-rP` shows, and, by
hypothesis, random layouts of every argument, which must not change one bit of any result.
"""

from typing import Any

import hypothesis
import numpy as np
import pytest
from helpers.cases import CELLS, WEIGHTS, Case, draw
from helpers.compare import assert_equals_twin, assert_identical
from helpers.memory import LAYOUTS, WEIGHT_LAYOUTS
from helpers.runners import run_core, run_twin
from helpers.sweep import Sweep
from hypothesis import strategies as st

SIZES = st.integers(1, 20)
ROWS = ("x", "h0", "c0", "dy", "dh_n", "dc_n", "y", "h_n", "c_n")


@pytest.mark.every_isa
@pytest.mark.check(1, quick=100, full=10_000)
@pytest.mark.parametrize("cell", CELLS)
def test_random_cases_equal_the_twin(cell: str, seeds: list[int]) -> None:
    sweep = Sweep(cell).run(seeds)
    print(sweep.table())
    assert not sweep.failures, "\n".join(sweep.failures[:20])


@st.composite
def cases(draw_from: st.DrawFn) -> Case:
    """A case whose sizes shrink towards 1."""
    return Case(
        draw_from(st.sampled_from(list(CELLS))),
        T=draw_from(st.integers(0, 7)),
        N=draw_from(st.integers(0, 7)),
        I=draw_from(SIZES),
        H=draw_from(SIZES),
        lengths=draw_from(st.sampled_from(("none", "ragged"))),
        reverse=draw_from(st.booleans()),
        bias=draw_from(st.sampled_from(("both", "ih", "hh", "none"))),
        projected=draw_from(st.booleans()),
        state=draw_from(st.sampled_from(("given", "none"))),
    )


@st.composite
def layouts(draw_from: st.DrawFn) -> dict[str, str]:
    """A memory layout for every argument."""
    chosen: dict[str, Any] = {name: draw_from(st.sampled_from(LAYOUTS)) for name in ROWS}
    return chosen | {name: draw_from(st.sampled_from(WEIGHT_LAYOUTS)) for name in WEIGHTS}


@hypothesis.given(case=cases(), layout=layouts(), single=st.booleans(), threads=st.integers(1, 3))
@hypothesis.settings(max_examples=600)
def test_memory_layout_is_not_seen(
    case: Case, layout: dict[str, str], single: bool, threads: int
) -> None:
    dtype = np.float32 if single else np.float64
    problem = draw(case).astype(dtype)
    plain = run_core(problem)
    assert_identical(run_core(problem, layouts=layout, threads=threads), plain, f"{layout}")
    assert_equals_twin(plain, run_twin(draw(case)), dtype)
