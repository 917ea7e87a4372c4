"""Why: what one command writes another must read, and a text must survive the way and back."""

import subprocess
from pathlib import Path

import pytest
from helpers.commands import COMMAND, TIMEOUT, only_line, run
from helpers.processes import environment

from fastrnn.data import TokenFile, Vocabulary

TEXT = "the lower the better\n\n  the lowest é 日本\nthe lower the lowest\n"


@pytest.mark.parametrize("level", ["character", "word", "bpe"])
def test_learn_encode_decode(level: str, tmp_path: Path) -> None:
    if level == "bpe":
        pytest.importorskip("tokenizers", reason="tokenizers is not installed")
    (tmp_path / "text").write_text(TEXT, encoding="utf-8")
    table, text = str(tmp_path / "v.json"), str(tmp_path / "text")
    learned = run("tokenize", table, text, "--learn", level)
    assert (learned.returncode, learned.stderr) == (0, "")
    expected = "3 of 4 lines" if level == "word" else "4 of 4 lines"
    assert expected in learned.stdout
    ids = run("tokenize", table, text)
    assert len(ids.stdout.splitlines()) == 4
    (tmp_path / "ids").write_text(ids.stdout)
    back = run("tokenize", table, str(tmp_path / "ids"), "--decode")
    assert back.stdout == (TEXT.replace("  the", "the") if level == "word" else TEXT)
    shown = run("tokenize", table, text, "--pieces").stdout.splitlines()
    assert shown[0].startswith("'t' 'h' 'e' ' '" if level == "character" else "'the' '")
    written = run("tokenize", table, text, "--out", str(tmp_path / "t.bin"))
    assert written.returncode == 0
    with TokenFile(tmp_path / "t.bin") as tokens:
        assert tokens.lengths().tolist() == [len(line.split()) for line in ids.stdout.splitlines()]
    assert Vocabulary.load(table).level == level


@pytest.mark.parametrize(
    ("arguments", "code", "named"),
    [
        (["--decode", "--pieces"], 1, "--decode, --pieces and --out"),
        (["--size", "9"], 1, "--size and --min-count"),
        (["--learn", "word", "--decode"], 1, "--learn"),
        (["--decode"], 1, "line 1 must hold ids"),
        (["absent.txt"], 1, "absent.txt"),
        (["--learn", "syllable"], 2, "--learn"),
    ],
)
def test_what_is_wrong_is_said(arguments: list, code: int, named: str, tmp_path: Path) -> None:
    Vocabulary.from_texts([TEXT], level="word").save(tmp_path / "v.json")
    (tmp_path / "text").write_text(TEXT, encoding="utf-8")
    files = [] if "absent.txt" in arguments else [str(tmp_path / "text")]
    done = run("tokenize", str(tmp_path / "v.json"), *files, *arguments)
    assert (done.returncode, done.stdout) == (code, "")
    assert named in (only_line(done.stderr) if code == 1 else done.stderr)


@pytest.mark.parametrize("locale", ["C", "C.UTF-8"])
def test_standard_input_is_utf_8_in_every_locale(locale: str, tmp_path: Path) -> None:
    Vocabulary.from_texts(["é"], level="character").save(tmp_path / "v.json")
    for given, code, ids in ((b"\xc3\xa9\n", 0, b"4\n"), (b"\xe9\n", 1, b"")):
        done = subprocess.run(
            [*COMMAND, "tokenize", str(tmp_path / "v.json")], input=given, capture_output=True,
            timeout=TIMEOUT, env=environment({"LC_ALL": locale}), check=False,
        )  # fmt: skip
        assert (done.returncode, done.stdout) == (code, ids)
        assert (b"standard input is not UTF-8: byte 0xe9 in line 1" in done.stderr) == bool(code)
