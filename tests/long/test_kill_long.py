"""Why: the promise of a resume at the numbers the project names: 50 killed trainings, ten of them
compared bit by bit with one that was never stopped.
"""

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers.kills import outcome, start, stop_training, toy

pytest.importorskip("autograd")
pytest.importorskip("safetensors")
pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="kill -9 is POSIX")


@pytest.mark.check(34)
def test_killed_or_interrupted_while_training(tmp_path: Path) -> None:
    whole = outcome(toy(tmp_path / "whole", 300)(2))
    for kills in (True, False):
        folders = [tmp_path / f"{k}-{kills}" for k in range(10)]
        ends = [
            stop_training(folder, toy(folder, 300), times=5, seed=seed, kills=kills)
            for seed, folder in enumerate(folders)
        ]
        assert ends == [whole] * 10


CONFIG = """
[model]
kind = "LanguageModel"
cell = "lstm"
hidden_size = 48
dropout = 0.2
[data]
text = "text.txt"
[optimiser]
kind = "AdamW"
weight_decay = 0.01
[schedule]
kind = "ReduceOnPlateau"
lr = 0.01
patience = 1
[training]
folder = "run"
updates = 150
validate_every = 10
save_every = 4
patience = 100
max_norm = 0.5
"""


@pytest.mark.check(34)
@pytest.mark.parametrize("kills", [True, False])
def test_the_command_is_stopped(tmp_path: Path, kills: bool) -> None:
    """The whole of it: recurrent kernels, dropout, plateaus and best weights, on 1 or 2 threads."""
    from fastrnn.io import load_weights
    from fastrnn.train import load_latest

    pytest.importorskip("typer")
    text = np.random.default_rng(0).choice(list("abc "), 60_000)
    for name in ("whole", "stopped"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "text.txt").write_text("".join(text))
        (tmp_path / name / "config.toml").write_text(CONFIG)

    def begin(name: str, threads: int) -> Any:
        config = str(tmp_path / name / "config.toml")
        return start("-m", "fastrnn.cli", "train", config, "--resume", threads=threads)

    outcome(begin("whole", 1))
    stop_training(
        tmp_path / "stopped" / "run", lambda n: begin("stopped", n), times=6, seed=5, kills=kills
    )
    tensors = []
    for name in ("whole", "stopped"):
        latest = load_latest(tmp_path / name / "run")
        del latest.tensors["history"]  # which has seconds in it
        weights = load_weights(tmp_path / name / "run" / "model.safetensors")
        tensors.append({k: v.tobytes() for k, v in {**latest.tensors, **weights}.items()})
    assert tensors[0] == tensors[1]
