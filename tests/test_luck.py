"""Why: a test that draws other numbers in every run is red one day, and nobody can repeat it."""

import random
from pathlib import Path

import luck
import numpy as np
import pytest

import fastrnn

AT_IMPORT = np.random.default_rng().random()


def drawn() -> list[float]:
    """What a layer without `rng`, NumPy and `random` draw without a seed."""
    layer = fastrnn.RNN(1, 1)
    found = [layer.params["weight_ih_l0"].item(), np.random.default_rng().random()]
    return [*found, random.random(), np.random.rand()]  # noqa: NPY002 - others use it


def test_draws_depend_on_the_name_of_the_test(request: pytest.FixtureRequest) -> None:
    first = drawn()
    luck.start(request.node.nodeid)
    assert drawn() == first
    assert len(set(first + drawn())) == 8
    luck.start("another test")
    assert not set(drawn()) & set(first)


def test_a_file_draws_the_same_whatever_was_imported_before(request: pytest.FixtureRequest) -> None:
    luck.start(request.node.parent.nodeid)
    assert np.random.default_rng().random() == AT_IMPORT


def test_pytorch_draws_by_the_name_too() -> None:
    torch = pytest.importorskip("torch")
    first = [torch.rand(1).item() for _ in range(2) if luck.start("x") is None]
    assert first[0] == first[1]


def test_a_seed_is_still_a_seed() -> None:
    assert luck.default_rng(3).random() == np.random.default_rng(3).random() == 0.08564916714362436


def test_switches_are_put_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = luck.switches()
    fastrnn.set_num_threads(fastrnn.get_num_threads() + 1)
    fastrnn.set_isa(fastrnn.available_isas()[0])
    monkeypatch.chdir(tmp_path)
    assert luck.switches() != before
    luck.put_back(before)
    assert luck.switches() == before
