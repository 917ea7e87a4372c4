"""Why: machines go down without asking. Whatever moment it is, a checkpoint loads, and the training
that goes on from it ends with the very bits of one that nobody killed.
"""

import sys
from pathlib import Path

import pytest
from kills import kill_savers, kill_training, outcome, train

pytest.importorskip("autograd")
pytest.importorskip("safetensors")
pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="kill -9 is POSIX")


def test_killed_while_saving(tmp_path: Path) -> None:
    kill_savers(tmp_path / "a.safetensors", times=5, seed=0)


def test_killed_while_training(tmp_path: Path) -> None:
    whole = outcome(train(tmp_path / "whole", 120, threads=1))
    assert kill_training(tmp_path / "killed", 120, times=3, seed=1) == whole
