"""Why: machines go down without asking. Whatever moment it is, a checkpoint loads, and the training
that goes on from it ends with the very bits of one that nobody killed.
"""

import sys
from pathlib import Path

import pytest
from helpers.kills import kill_savers, outcome, stop_training, toy

pytest.importorskip("autograd")
pytest.importorskip("safetensors")
pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="kill -9 is POSIX")


@pytest.mark.check(31, quick=20, full=200)
def test_killed_while_saving(tmp_path: Path, count: int) -> None:
    kill_savers(tmp_path / "a.safetensors", times=count, seed=0)


@pytest.mark.check(34)
def test_killed_or_interrupted_while_training(tmp_path: Path) -> None:
    whole = outcome(toy(tmp_path / "whole", 90)(1))
    for kills in (True, False):
        folder = tmp_path / str(kills)
        assert stop_training(folder, toy(folder, 90), times=2, seed=1, kills=kills) == whole
