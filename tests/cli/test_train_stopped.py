"""Why: whoever trains with the defaults counts on it that neither kill -9 nor a scheduler, a closed
terminal or Ctrl-C costs more than the last minutes, and that the end is the same, bit for bit.
"""

import sys
from pathlib import Path

import numpy as np
import pytest
from helpers.kills import SIGNALS, moments, stop_command

pytest.importorskip("autograd")
pytest.importorskip("safetensors")
pytest.importorskip("typer")
pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="signals are POSIX")

UPDATES = 60
CONFIG = """
[model]
kind = "LanguageModel"
cell = "lstm"
hidden_size = 8
dropout = 0.2

[data]
text = "text.txt"
N = 4
T = 8

[training]
folder = "run"
updates = 60
"""


def weights(folder: Path) -> dict[str, bytes]:
    """All that the model's file holds, and the checkpoint but for its seconds."""
    from fastrnn.io import load_weights
    from fastrnn.train import load_latest

    latest = load_latest(folder / "run")
    assert latest.state["run"]["update"] == UPDATES
    del latest.tensors["history"]
    found = load_weights(folder / "run" / "model.safetensors")
    return {name: array.tobytes() for name, array in {**latest.tensors, **found}.items()}


def config(folder: Path) -> Path:
    folder.mkdir()
    text = np.random.default_rng(0).choice(list("abcd "), 1200)
    (folder / "text.txt").write_text("".join(text))
    (folder / "config.toml").write_text(CONFIG)
    return folder / "config.toml"


@pytest.mark.check(34)
def test_a_training_with_the_defaults_may_be_stopped(tmp_path: Path, long: bool) -> None:
    """Each signal twice; in the long tier 50 more moments, five in each of ten trainings."""
    stop_command(config(tmp_path / "whole"), tmp_path / "whole" / "run", [])
    whole = weights(tmp_path / "whole")
    names = list(SIGNALS)
    plans = [[(names[k], 5 + k), (names[k - 1], 30 + 3 * k)] for k in range(4)]
    if long:
        plans += [moments(seed, 5, UPDATES) for seed in range(10)]
    for number, stops in enumerate(plans):
        folder = tmp_path / str(number)
        stop_command(config(folder), folder / "run", stops)
        assert weights(folder) == whole, stops
