"""Why: who waits wants to see loss, speed and time left: on a terminal, in a log, without rich."""

import builtins
import re
import sys
from typing import Any

import pytest
from helpers.toy import Shuffled, Toy, batches, trainer

from fastrnn.train._loop import shown

pytest.importorskip("autograd")

LINE = r"update \d+  loss \d\.\d{4}  gradient [\d.e-]+  [\d,]+ tokens/s  \d+ s left"


def train(**options: Any) -> None:
    made = trainer(Toy(), progress=True, log_every=10)
    made.fit(Shuffled(), updates=30, validation=batches(1), validate_every=20, **options)


def test_a_pipe_gets_lines(capsys: pytest.CaptureFixture[str]) -> None:
    train()
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[1] for line in lines] == ["10", "20", "20", "30", "30"]
    assert re.fullmatch(LINE, lines[0])
    validation = r"update 20  epoch 2  validation: loss \d\.\d{4}  worst \d\.\d{4}"
    assert re.fullmatch(validation, lines[2])


def test_a_terminal_gets_a_bar(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("rich")
    for name, value in {"TERM": "xterm-256color", "COLUMNS": "120"}.items():
        monkeypatch.setenv(name, value)
    for name in ("NO_COLOR", "FORCE_COLOR", "TTY_COMPATIBLE", "TTY_INTERACTIVE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True, raising=False)
    train()
    out = re.sub(r"\x1b\[[\d;?]*[A-Za-z]", "", capsys.readouterr().out)
    assert re.search(rf"━+ {LINE}", out)
    assert out.count("validation: loss") == 2
    assert "update 10 " not in out.split("━")[0]


def test_without_rich_there_are_lines(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    real = builtins.__import__

    def no_rich(name: str, *args: Any, **kwargs: Any) -> Any:
        if name.partition(".")[0] == "rich":
            raise ImportError(name)
        return real(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", no_rich)
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True, raising=False)
    train()
    assert re.fullmatch(LINE, capsys.readouterr().out.splitlines()[0])


def test_nothing_is_said_if_nobody_wants_to_know(capsys: pytest.CaptureFixture[str]) -> None:
    trainer(Toy()).fit(batches(), updates=12, validation=batches(1))
    assert capsys.readouterr().out == ""


def test_time_left_is_known_from_epochs_too(capsys: pytest.CaptureFixture[str]) -> None:
    trainer(Toy(), progress=True).fit(batches(), epochs=2)
    assert " s left" in capsys.readouterr().out
    trainer(Toy(), progress=True).fit(Uncounted(), epochs=2)
    assert capsys.readouterr().out.splitlines()[0].endswith("tokens/s")


class Uncounted:
    """Batches of which nobody knows how many there are."""

    def __iter__(self) -> Any:
        return iter(batches())


def test_figures_of_a_diverged_model_stay_readable() -> None:
    assert [shown(value) for value in (0.5, -2.0, 9e5)] == ["0.5000", "-2.0000", "900000.0000"]
    assert [shown(value) for value in (1e300, float("inf"), float("nan"))] == [
        "1.000e+300", "inf", "nan",
    ]  # fmt: skip
