"""Why: an acceptance bench that calls a skipped task passed, or a missed gate reached, is a lie."""

import importlib
import json
import re
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT)] if str(ROOT) not in sys.path else []

from bench.acceptance import __main__ as command  # noqa: E402 - not installed
from bench.acceptance import _frame  # noqa: E402


def measure(bench: _frame.Frame) -> None:
    """A task with a good figure, a poor one, one of absent data, and a budget that nobody keeps."""
    text = bench.read("here.txt", lines=2)
    for seed in bench.seeds:
        with bench.run("all", seed, updates=3) as note:
            note["characters"] = len(text)
        bench.record("good", seed, 0.99 + seed / 1000)
        bench.record("poor", seed, 0.5 + seed / 10)
    with bench.part("more"):
        bench.record("never", 0, len(bench.read("absent.txt")))
    bench.gate("good", at_least=0.98)
    bench.gate("poor", at_most=0.65, calibrated=False)
    bench.gate("never", at_least=1)


def run(tmp_path: Path, *more: str) -> tuple[int, dict]:
    argv = ["--out", str(tmp_path), "--threads", "1", *more]
    code = _frame.main("sample", "A task.", measure, argv=argv, budget=-1)
    return code, json.loads((tmp_path / "acceptance-sample.json").read_text())


def test_a_result_says_what_was_read_measured_reached_and_skipped(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "here.txt").write_bytes(b"a\nb\n")
    code, result = run(tmp_path, "--data", str(tmp_path), "--seeds", "0,1,2")
    assert code == 1  # poor: its mean 0.6 is below 0.65, but not by two standard errors
    assert (result["status"], result["task"]) == ("ran", "sample")
    assert result["verdicts"] == {"passed": 1, "failed": 1, "skipped": 1}
    good, poor = result["metrics"]["good"], result["metrics"]["poor"]
    assert good["mean"] == pytest.approx(0.991)
    assert good["sd"] == pytest.approx(0.001)
    assert (good["verdict"], poor["verdict"]) == ("passed", "failed")
    assert poor["gate"] == {"at_most": 0.65, "calibrated": False}
    assert result["metrics"]["never"]["verdict"] == "skipped"
    assert "mean" not in result["metrics"]["never"]
    (reason,) = result["skipped"]
    assert reason.startswith("more: absent.txt is not here (")
    (file,) = result["files"]
    assert file["lines"] == 2
    assert file["sha256"].startswith("911169ddaaf146af")
    assert [note["seed"] for note in result["runs"]] == [0, 1, 2]
    assert not any(note["within_budget"] for note in result["runs"])
    assert result["runs"][0]["characters"] == 4
    assert result["runs"][0]["cpu_seconds"] >= 0
    assert {"python", "numpy", "fastrnn", "torch"} <= set(result["versions"])
    assert result["machine"]["cpu"]
    assert result["threads"] == 1
    said = capsys.readouterr().out
    assert "skipped: more: absent.txt" in said
    assert "at most 0.65, an estimate: failed" in said


def test_a_task_without_its_data_is_skipped_and_not_passed(tmp_path: Path) -> None:
    for more in ((), ("--data", str(tmp_path))):
        code, result = run(tmp_path, *more)
        assert code == 0
        assert result["status"] == "skipped"
        assert result["metrics"] == {}
        assert "FASTRNN_DATA" in result["skipped"][0]
    (tmp_path / "here.txt").write_bytes(b"a\n")
    with pytest.raises(ValueError, match=r"here\.txt must have 2 lines, got 1"):
        run(tmp_path, "--data", str(tmp_path))


def test_one_seed_is_judged_by_its_figure_and_a_nan_fails() -> None:
    one = {"mean": 0.5, "sd": None, "per_seed": {"0": 0.5}}
    assert _frame.verdict(one, {"at_least": 0.5}) == "passed"
    assert _frame.verdict({**one, "mean": float("nan")}, {"at_most": 1.0}) == "failed"


def test_the_summary_counts(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "here.txt").write_bytes(b"a\nb\n")
    run(tmp_path, "--data", str(tmp_path))
    capsys.readouterr()
    assert command.main(["--summary", "--out", str(tmp_path)]) == 0
    last = capsys.readouterr().out.splitlines()[-1]
    assert last == "tasks: 1 ran, 0 skipped; gates: 1 passed, 1 failed, 1 skipped"
    with pytest.raises(SystemExit) as wrong:
        command.main(["nothing", "--summary"])
    assert wrong.value.code == 2


@pytest.mark.parametrize("task", command.names())
def test_every_bench_has_its_help(task: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as done:
        importlib.import_module(f"bench.acceptance.{task}").main(["--help"])
    assert done.value.code == 0
    assert "--budget" in capsys.readouterr().out


def test_the_split_is_read_with_several_references_and_cut_by_words() -> None:
    pytest.importorskip("autograd", reason="autograd is not installed")
    g2p = importlib.import_module("bench.acceptance.g2p")
    text = "READ\tR EH D\nREAD\tR IY D\nAN'T\tAE N T\nREAD\tR IY D\n"
    assert g2p.table(text) == {"read": ["R EH D", "R IY D"], "an't": ["AE N T"]}
    words = [f"w{i}" for i in range(50)]
    assert g2p.by_hash(words) == g2p.by_hash(words[::-1])
    assert g2p.by_hash(words) != words


def test_the_table_of_benches_names_every_bench_and_every_result() -> None:
    folder = Path(command.__file__).parents[1]
    table = (folder / "README.md").read_text()
    runnable = [p.stem for p in folder.glob("*.py") if "__main__" in p.read_text()]
    wanted = [f"bench.{name}`" for name in runnable if name != "worker"]  # grid starts that one
    wanted += [f"`{task}`" for task in command.names()]
    assert not [name for name in wanted if name not in table]
    kinds = (*re.findall(r"`(\w+-)\*`", table), *(f"acceptance-{t}" for t in command.names()))
    results = [path.name for path in (folder / "results").iterdir()]
    assert not [name for name in results if not name.startswith(kinds)]


def test_a_cell_alone_is_held_beside_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("autograd", reason="autograd is not installed")
    char_lm = importlib.import_module("bench.acceptance.char_lm")
    monkeypatch.setattr(char_lm.example, "markov", lambda _: (1.01, 1.0))
    trained = SimpleNamespace(parameter_count=3), (1.5, 1.6), None
    monkeypatch.setattr(char_lm.example, "fit", lambda *_, **__: trained)
    (tmp_path / "tinyshakespeare").mkdir()
    (tmp_path / "tinyshakespeare" / "input.txt").write_text("a\n" * 40_000)
    where = ["--data", str(tmp_path), "--out", str(tmp_path)]
    assert char_lm.main([*where, "--runs", "gru", "--seeds", "0"]) == 0
    metrics = json.loads((tmp_path / "acceptance-char_lm.json").read_text())["metrics"]
    assert metrics["gru: nats a character"]["mean"] == 1.5
    assert metrics["gru: nats more than lstm"]["verdict"] == "skipped"
    assert "nats a character: 1.5000 (1 seed)" in capsys.readouterr().out


def test_series_of_a_table_end_at_empty_cells_and_figures_are_those_of_the_competition() -> None:
    pytest.importorskip("autograd", reason="autograd is not installed")
    forecast = importlib.import_module("bench.acceptance.forecast")
    text = '"V1","V2","V3","V4"\n"H1","1","2","4"\n"H2","5","6",\n'
    assert [list(series) for series in forecast.series_of(text)] == [[1, 2, 4], [5, 6]]
    train = [[1.0, 2.0] * 24, [0.0, 3.0] * 24]  # a season of 24 repeats exactly but for the last
    train = [[*values, values[-24] + 1] for values in train]
    mase, smape = forecast.figures(train, [[2.0], [2.0]], [[4.0], [2.0]])
    assert mase == pytest.approx((2 * 25 + 0) / 2)
    assert smape == pytest.approx(200 * 2 / 6 / 2)


def test_both_sides_of_the_classifiers_learn_the_same_network() -> None:
    pytest.importorskip("sklearn", reason="scikit-learn is not installed")
    pytest.importorskip("autograd", reason="autograd is not installed")
    classify = importlib.import_module("bench.acceptance.classify")
    series, labels = classify.parse(b"x\n@data\n1,2,3:4,5,6:a\n7,8:9,0:b\n")
    assert [part.tolist() for part in series] == [[[1, 4], [2, 5], [3, 6]], [[7, 9], [8, 0]]]
    assert labels.tolist() == ["a", "b"]
    assert set(classify.own(series * 4, list(labels) * 4, series, 0, 1)) <= {"a", "b"}
