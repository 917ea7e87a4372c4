"""Why: a table of series is what people have; what it cannot hold must be said with its line."""

from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("typer")
pytest.importorskip("autograd")

from fastrnn import cli
from fastrnn.models import Forecaster, load


def table(path: Path, dates: bool = False) -> Path:
    t = np.arange(90)
    rows = ["date,a,b" if dates else "a,b"]
    for k in t:
        cells = [f"{np.sin(k / 2):.4f}", f"{k}" if k < 70 else ""]
        rows.append(",".join([f"2024-01-{k}", *cells] if dates else cells))
    path.write_text("\n".join(rows) + "\n")
    return path


@pytest.mark.parametrize("dates", [False, True])
def test_a_table_in_and_a_table_out(dates: bool, tmp_path: Path) -> None:
    given = table(tmp_path / "series.csv", dates)
    out, model, picture = tmp_path / "out.csv", tmp_path / "model", tmp_path / "picture.png"
    options = ["--horizon", "3", "--updates", "5", "--season", "12", "--hidden", "4"]
    more = ["--quantile", "0.25", "--save", str(model), "--out", str(out)]
    assert cli.main(["forecast", str(given), *options, *more, "--picture", str(picture)]) == 0
    lines = out.read_text().splitlines()
    assert lines[0] == "series,step,mean,q0.25"
    assert [line.split(",")[:2] for line in lines[1:]] == [
        [name, str(step)] for name in "ab" for step in (1, 2, 3)
    ]
    assert picture.read_bytes()[:4] == b"\x89PNG"
    back = load(model)
    assert isinstance(back, Forecaster)
    assert back.config["lags"] == [1, 12]
    again = tmp_path / "again.csv"
    options = ["--horizon", "2", "--model", str(model), "--out", str(again)]
    assert cli.main(["forecast", str(given), *options]) == 0
    assert len(again.read_text().splitlines()) == 5


def test_only_the_table_goes_to_the_standard_output(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    given = table(tmp_path / "series.csv")
    assert cli.main(["forecast", str(given), "--horizon", "2", "--updates", "3"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("series,step,mean,")
    assert len(lines) == 5


def test_a_backtest_stands_beside_the_naive_forecast(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    given = table(tmp_path / "series.csv")
    options = ["--horizon", "4", "--updates", "5", "--season", "12", "--backtest"]
    assert cli.main(["forecast", str(given), *options]) == 0
    title, own, naive = capsys.readouterr().out.splitlines()[-3:]
    assert title.split() == ["MASE", "sMAPE", "CRPS"]
    assert (own.split()[0], naive.split()[0]) == ("forecast", "naive")
    assert all(float(word) > 0 for line in (own, naive) for word in line.split()[1:])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a\n1\n", "at least two rows"),
        ("a,b\n1,2\n3,x\n4,5\n", "line 3: 'b' has 'x', no number"),
        ("a,b\n1,2\n,3\n4,5\n", "line 3: 'a' has '', no number"),
        ("a\n1\n2,3\n", "line 3: 2 cells for 1 names"),
        ("a\nx\ny\n", "no column holds numbers"),
        ("a,b\n1,2\n3,\n", "series 'b' is too short"),
        ("\xff\n".encode("latin-1"), "is not UTF-8: byte 0xff in line 1"),
    ],
)
def test_tables_that_are_none(
    text: str, message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "series.csv"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    assert cli.main(["forecast", str(path), "--horizon", "2", "--updates", "1"]) == 1
    assert message in capsys.readouterr().err
