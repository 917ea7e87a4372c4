"""Why: who reports a broken installation can run two commands at least, and help must say which
options take a value.
"""

import re

import pytest
from helpers.commands import run
from helpers.processes import run_python

import fastrnn
from fastrnn.cli import main

MISSING = """
import sys
for name in ("typer", "rich", "threadpoolctl", "autograd", "safetensors"):
    sys.modules[name] = None
from fastrnn.cli import main
sys.exit(main())
"""


@pytest.mark.parametrize("word", ["--version", "info"])
def test_version_and_info_need_numpy_alone(word: str) -> None:
    done = run_python(MISSING, word)
    assert (done.returncode, done.stderr) == (0, "")
    assert re.match(rf"fastrnn +{re.escape(fastrnn.__version__)}\n", done.stdout)


@pytest.mark.parametrize("args", [("train", "x.toml"), ("--version", "x"), ()])
def test_the_others_say_what_is_missing(args: tuple[str, ...]) -> None:
    done = run_python(MISSING, *args)
    assert (done.returncode, done.stdout) == (1, "")
    assert 'needs rich: pip install "fastrnn[cli]"' in done.stderr


@pytest.mark.parametrize(
    ("args", "flags"),
    [
        ((), ("--version", "--help")),
        (("train",), ("--resume", "--help")),
        (("demo",), ("--quick", "--no-speed")),
        (("demo", "reber"), ("--quick", "--help")),
    ],
)
def test_flags_show_no_value(args: tuple[str, ...], flags: tuple[str, ...]) -> None:
    pytest.importorskip("typer")
    done = run(*args, "--help", COLUMNS="110", NO_COLOR="1", TERM="dumb")
    assert done.returncode == 0
    assert "bool" not in done.stdout.lower()
    for flag in flags:
        assert re.search(rf"{flag}\s+[A-Z]\w* ", done.stdout), done.stdout


def test_options_with_values_still_show_them(capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("typer")
    assert main(["generate", "--help"]) == 0
    assert re.search(r"--prompt\s+TEXT", capsys.readouterr().out)
