"""Why: a bench of an hour that is stopped must leave what it measured, and a row that was measured
beside other programs must not be printed as a result.
"""

import json
import os
import signal
import sys
from pathlib import Path
from typing import Any, ClassVar, Self

import pytest

pytest.importorskip("matplotlib")
ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT)] if str(ROOT) not in sys.path else []

from bench import cases, grid, machine, picture, report, table  # noqa: E402 - a folder beside the tests

SPEED = report.measured(grid.RESULTS)[0]


class Team:
    """Measures nothing: hands out records of an earlier run, as busy as a test says."""

    busy: ClassVar[list[float]] = []
    stop_after = 10**9

    def __init__(self, *_: Any) -> None:
        self.calls = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def measure(self, *_: Any) -> table.Record:
        if self.calls == self.stop_after:
            os.kill(os.getpid(), signal.SIGTERM)
        self.calls += 1
        record = dict(SPEED["records"][0])
        record["foreign_cpu"] = self.busy.pop(0) if self.busy else 0.0
        return record


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Any:
    found = machine.describe()
    monkeypatch.setattr(machine, "measure", lambda _: found)
    monkeypatch.setattr(grid, "peak_moved", lambda _: None)
    monkeypatch.setattr(grid, "about", lambda *_: SPEED | {"records": []})
    monkeypatch.setattr(grid, "rated", lambda record, *_: record)
    monkeypatch.setattr(grid, "Team", Team)
    monkeypatch.setattr(Team, "busy", [])
    monkeypatch.setattr(Team, "stop_after", 10**9)
    out = tmp_path / "speed.json"
    selected = cases.uses(1)[:3]
    return lambda: (grid.run(selected, SPEED["peers"], 1, 0.0, out=out), out)


def test_a_row_is_measured_again_where_others_were_at_work(run: Any, capsys: Any) -> None:
    Team.busy[:] = [0.5, 0.2, 0.01]
    results, _ = run()
    assert len(results["records"]) == 3
    assert not any("left_out" in record for record in results["records"])
    assert "left out" not in capsys.readouterr().out


def test_a_row_that_is_never_quiet_has_no_ratios(run: Any, capsys: Any, tmp_path: Path) -> None:
    Team.busy[:] = [0.5] * grid.ATTEMPTS
    results, out = run()
    first, second, _ = results["records"]
    assert table.ratios(first) == {}
    assert table.ratios(second)
    said = capsys.readouterr().out
    assert "left out: other programs took 50% of the CPUs" in said
    assert report.named({**SPEED, "records": [first]}) == []
    assert json.loads(out.read_text("utf-8"))["records"][0]["left_out"]
    picture.heat_map(results, tmp_path / "heat.png")
    assert (tmp_path / "heat.png").stat().st_size > 1000


def test_sigterm_keeps_the_rows(run: Any) -> None:
    before = signal.getsignal(signal.SIGTERM)
    Team.stop_after = 2
    results, out = run()
    assert results["interrupted"]
    assert len(results["records"]) == 2
    assert len(json.loads(out.read_text("utf-8"))["records"]) == 2
    assert grid.store(results, out) == 130
    assert out.with_suffix(".png").exists()
    assert signal.getsignal(signal.SIGTERM) is before


def test_each_named_use_is_shown_by_its_name(run: Any, capsys: Any) -> None:
    run()
    said = capsys.readouterr().out
    assert said.index("time / fastrnn's") < said.index("case") < said.index("character model:")


def test_the_picture_of_the_readme_can_be_drawn(tmp_path: Path) -> None:
    picture.bars(report.named(SPEED), SPEED, tmp_path / "speed.png")
    assert (tmp_path / "speed.png").stat().st_size > 1000


@pytest.mark.parametrize(
    ("ms", "text"), [(0.0123, "12.3 µs"), (0.1, "0.100 ms"), (123.4, "123 ms")]
)
def test_short_times_are_microseconds(ms: float, text: str) -> None:
    assert table.duration(ms) == text


def test_the_table_of_fewer_bits_has_a_column_for_everybody() -> None:
    peers = {"fastrnn": {"min_ms": 0.5}, "fastrnn int8": {"min_ms": 0.125}, "onednn int8": {}}
    record = {
        "cell": "lstm", "T": 50, "N": 1, "I": 64, "H": 64, "layers": 1, "dtype": "float32",
        "bidirectional": False, "ragged": False, "stream": False, "training": False, "threads": 2,
        "peers": peers,
    }  # fmt: skip
    result = {
        "machine": {"cpu": "CPU"}, "isa": "avx2", "date": "2026-01-01", "peers": list(peers),
        "versions": {"fastrnn": "1", "fastrnn int8": "1", "onednn int8": "3"},
        "records": [record, record | {"left_out": "busy"}, record | {"threads": 1}],
    }  # fmt: skip
    lines = report.few_bits(result).splitlines()
    assert lines[0] == "| layer | fastrnn | fastrnn int8 | oneDNN int8 |"
    assert lines[2] == "| lstm T50 N1 I64 H64 (inference) | 0.500 ms | 0.125 ms | – |"
    assert lines[3] == ""
    assert lines[4].startswith("CPU, avx2, 2 threads; fastrnn 1, onednn 3; 2026-01-01. ")
    assert len(lines) == 5
