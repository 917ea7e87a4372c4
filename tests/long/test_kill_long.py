"""Why: the promises of a resume at the numbers the project names: 200 killed saves, 50 killed
trainings, ten of them compared bit by bit with one that was never stopped.
"""

import sys
from pathlib import Path

import pytest
from kills import kill_savers, outcome, stop_training, train

pytest.importorskip("autograd")
pytest.importorskip("safetensors")
pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="kill -9 is POSIX")


def test_killed_while_saving(tmp_path: Path) -> None:
    kill_savers(tmp_path / "a.safetensors", times=200, seed=0)


def test_killed_or_interrupted_while_training(tmp_path: Path) -> None:
    whole = outcome(train(tmp_path / "whole", 300, threads=2))
    for kills in (True, False):
        folders = [tmp_path / f"{k}-{kills}" for k in range(10)]
        ends = [
            stop_training(folder, 300, times=5, seed=seed, kills=kills)
            for seed, folder in enumerate(folders)
        ]
        assert ends == [whole] * 10
