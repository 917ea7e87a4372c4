"""The list of bench cases: a cell without a bench, or two of one name, would go unseen."""

import re
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT)] if str(ROOT) not in sys.path else []

from bench import baselines, cases  # noqa: E402 - the benches are a folder beside the tests, not installed


def listed_cells() -> list[str]:
    """Names in THE LIST of the core."""
    text = (ROOT / "cpp/fastrnn/cells/list.h").read_text()
    return re.findall(r"^\s*X\((\w+),", text, re.MULTILINE)


@pytest.mark.parametrize("listing", [cases.smoke, cases.uses, cases.full])
def test_every_cell_of_the_core_has_a_bench_row(listing):
    cells = listed_cells()
    assert len(cells) >= 8
    assert {case.cell for case in listing(1)} == set(cells)


def test_the_small_list_trains_every_cell():
    rows = {(case.cell, case.training) for case in cases.smoke(1)}
    assert rows == {(cell, training) for cell in listed_cells() for training in (False, True)}


def test_no_two_cases_have_one_name():
    names = [f"{case.use}-{case.id}" for n in (1, 2) for case in cases.full(n)]
    assert len(names) == len(set(names))


def test_flops_follow_the_formula_and_the_lengths():
    dense = cases.Case("test", "gru_after", T=7, N=3, I=5, H=4, training=True)
    assert dense.flops() == 3 * 7 * 3 * (2 * 3 * 4 * (5 + 4))
    ragged = cases.Case("test", "lstm", T=7, N=3, I=5, H=4, ragged=True)
    assert ragged.flops() == int(ragged.lengths().sum()) * 2 * 4 * 4 * (5 + 4)
    assert ragged.lengths().max() == 7
    assert ragged.active_rows().tolist() == [(ragged.lengths() > t).sum() for t in range(7)]


def test_the_grid_is_whole():
    grid = cases.grid()
    assert len(grid) == 3 * 5 * 4 * 2 * 2
    assert {case.T for case in grid if case.N * case.H > 65536} == {50}


FEW_BITS = [
    (name, case)
    for name in baselines.FEW_BITS
    for training in (False, True)
    for case in (cases.Case("grid", cell, 6, 3, 16, 16, training) for cell in ("lstm", "gru_after"))
    if baselines.peer_class(name).refusal(case) is None
]


@pytest.mark.parametrize(("name", "case"), FEW_BITS)
def test_with_fewer_bits_everybody_computes_about_the_same(name: str, case: cases.Case) -> None:
    peer = baselines.peer_class(name)
    if not peer.importable():
        pytest.skip(f"{' or '.join(peer.packages)} is not installed")
    problem = baselines.problem(case)
    wanted = baselines.peer_class("fastrnn")().prepare(problem).answer()
    found = peer().prepare(problem).answer()
    assert found.keys() == wanted.keys()
    for key, array in wanted.items():
        assert found[key].shape == array.shape
        assert 0 < abs(found[key] - array).max() < 0.05 * max(1, abs(array).max())
