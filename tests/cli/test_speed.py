"""The speed table: systems must agree before they are timed, and each cell shows what was read."""

import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

import fastrnn
from fastrnn.cli import _speed, main
from fastrnn.cli._speed import CELLS, Case, measure

SMALL = [Case(5, 3, 4, training) for training in (False, True)]


class Shifted(_speed.Fastrnn):
    """A system that is wrong by a constant."""

    name = "shifted"

    def prepare(self, *args: object) -> Callable[[], np.ndarray]:
        call = super().prepare(*args)
        return lambda: call() + np.float32(1e-3)


@pytest.fixture(autouse=True)
def short_bursts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_speed, "BURST", 1e-4)
    monkeypatch.setattr(_speed, "PAUSE", 0.0)


@pytest.mark.parametrize("case", SMALL)
@pytest.mark.parametrize("cell", CELLS)
def test_every_installed_system_agrees_with_fastrnn(cell: type, case: Case) -> None:
    systems, _ = _speed.installed_systems()
    seconds = measure(cell, case, systems, rounds=1)
    assert len(seconds) == len(systems) >= 2
    for system, own in zip(systems, seconds, strict=True):
        cannot = case.training and (system.name.startswith("ONNX") or "int8" in system.name)
        assert np.isnan(own) if cannot else own > 0


def test_a_system_that_computes_something_else_is_not_timed() -> None:
    with pytest.raises(RuntimeError, match="shifted and fastrnn disagree on a GRU"):
        measure(fastrnn.GRU, SMALL[0], [_speed.Fastrnn(), Shifted()], rounds=1)


def test_the_best_of_the_rounds_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    readings = iter([0.5, 1.0, 9.0, 1.0, 0.7, 4.0])
    monkeypatch.setattr(_speed, "_seconds", lambda _: next(readings))
    systems = [_speed.Fastrnn(), _speed.Twin()]
    assert measure(fastrnn.RNN, SMALL[0], systems, rounds=3) == [0.5, 1.0]


def test_the_twin_runs_on_the_reference_backend(monkeypatch: pytest.MonkeyPatch) -> None:
    layer, x = fastrnn.RNN(4, 4), np.ones((5, 3, 4), np.float32)
    used: list[str] = []
    enter = fastrnn.use_backend

    def recording(name: str) -> object:
        used.append(name)
        return enter(name)

    monkeypatch.setattr(fastrnn, "use_backend", recording)
    _speed.Twin().prepare(layer, x, None)()
    assert used == ["reference"]
    _speed.Fastrnn().prepare(layer, x, None)()
    assert used == ["reference"]


def test_the_table_has_a_line_for_each_cell_and_case(monkeypatch: pytest.MonkeyPatch) -> None:
    present = [_speed.Fastrnn(), _speed.Twin()]
    monkeypatch.setattr(_speed, "installed_systems", lambda: (present, ["PyTorch"]))
    monkeypatch.setattr(_speed, "measure", lambda *_: [0.002, float("nan")])
    file = io.StringIO()
    _speed.report_speed(Console(file=file, width=80), rounds=1)
    text = file.getvalue()
    lines = [line.split() for line in text.splitlines()]
    rows = [line for line in lines if line and line[0] in {"RNN", "GRU", "LSTM"}]
    assert len(rows) == 9
    assert all(line[-2:] == ["2.00", "–"] for line in rows)
    assert "not importable here: PyTorch" in text


def test_no_figure_is_cut_however_narrow_the_output(monkeypatch: pytest.MonkeyPatch) -> None:
    present = [_speed.Fastrnn()] + [_speed.Twin()] * 4
    monkeypatch.setattr(_speed, "installed_systems", lambda: (present, []))
    monkeypatch.setattr(_speed, "measure", lambda *_: [1.23456] + [123.456] * 4)
    file = io.StringIO()
    _speed.report_speed(Console(file=file, width=60), rounds=1)
    (row, *_) = [line for line in file.getvalue().splitlines() if line.lstrip().startswith("LSTM")]
    assert row.split() == ["LSTM", "forward", "32", "1234.56", *["123456.00", "100.0×"] * 4]


def test_a_ratio_says_how_many_times_slower() -> None:
    assert _speed._beside(0.006, 0.002).split() == ["6.00", "3.0×"]
    assert _speed._beside(0.0005, 0.002).split() == ["0.50", "0.25×"]


def test_bench_prints_the_table_and_draws_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("matplotlib", reason="needs matplotlib")
    present = [_speed.Fastrnn(), _speed.Twin()]
    monkeypatch.setattr(_speed, "installed_systems", lambda: (present, []))
    monkeypatch.setattr(_speed, "measure", lambda *_: [0.002, float("nan")])
    out = tmp_path / "new" / "folder"
    with fastrnn.threads(1):
        assert main(["bench", "--quick", "--out", str(out)]) == 0
    text = capsys.readouterr().out
    assert text.count("LSTM") == 3
    assert "1 threads" in text
    assert (out / "speed.png").read_bytes().startswith(b"\x89PNG")
    assert main(["bench", "--threads", "0"]) == 2
    (tmp_path / "file").touch()
    assert main(["bench", "--out", str(tmp_path / "file")]) == 1
    assert len(capsys.readouterr().err.strip().splitlines()[-1]) > 0
