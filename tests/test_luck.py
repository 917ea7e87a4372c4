"""Why: a test that draws other numbers in every run is red one day, and nobody can repeat it."""

import os
import random
import signal
import subprocess
import sys
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


@pytest.mark.skipif(sys.platform == "win32", reason="signals are POSIX")
def test_signals_reach_programs_whoever_started_the_tests(tmp_path: Path) -> None:
    """A shell's & leaves Ctrl-C ignored, and nohup SIGHUP; what a program inherits so, it keeps."""
    (tmp_path / "test_signals.py").write_text(
        "import signal, subprocess, sys\n"
        "def test_not_ignored():\n"
        "    show = 'import signal; print(repr(signal.getsignal({})))'\n"
        "    for number in (signal.SIGINT, signal.SIGHUP):\n"
        "        command = [sys.executable, '-c', show.format(int(number))]\n"
        "        found = subprocess.run(command, capture_output=True, text=True, check=True)\n"
        "        assert 'SIG_IGN' not in found.stdout\n",
        "utf-8",
    )
    options = ["-q", "-c", os.devnull, "-p", "conftest"]
    command = [sys.executable, "-m", "pytest", *options, str(tmp_path)]

    def ignoring() -> None:
        for number in (signal.SIGINT, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)

    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parent)}
    result = subprocess.run(
        command, preexec_fn=ignoring, env=environment, capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stdout
