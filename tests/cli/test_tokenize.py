"""Why: what one command writes another must read, and a text must survive the way and back."""

import contextlib
import os
import signal
import subprocess
import sys
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from helpers.commands import COMMAND, TIMEOUT, only_line, run
from helpers.processes import environment, output_of, processor_seconds, wait_until

from fastrnn.cli import main
from fastrnn.cli._counts import Counts
from fastrnn.cli.commands import tokenize
from fastrnn.data import BPE, UNK, TokenFile, Vocabulary

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
    # A token file of the same name would put its record in the place of the vocabulary.
    refused = run("tokenize", table, text, "--out", str(tmp_path / "v.bin"))
    assert refused.returncode == 1
    assert "v.json beside it, which is another file" in only_line(refused.stderr)
    assert Vocabulary.load(table).level == level


@pytest.mark.parametrize(
    ("arguments", "code", "named"),
    [
        (["--decode", "--pieces"], 1, "--decode, --pieces and --out"),
        (["--size", "9"], 1, "--size and --min-count"),
        (["--processes", "2"], 1, "--processes is for --learn and --out"),
        (["--processes", "0"], 2, "--processes"),
        (["--learn", "word", "--decode"], 1, "--learn"),
        (["--decode"], 1, "line 1 must hold ids"),
        (["absent.txt"], 1, "absent.txt"),
        (["--out", "text.txt", "text.txt"], 1, "over the text text.txt"),
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


def test_a_text_is_not_replaced_by_a_vocabulary(tmp_path: Path) -> None:
    """Whoever names the text first has told the command to write there."""
    text, table = tmp_path / "text", tmp_path / "v.json"
    text.write_text(TEXT, encoding="utf-8")
    for files in ([table], [text], []):
        done = run("tokenize", str(text), *map(str, files), "--learn", "word")
        assert done.returncode == 1
        assert "over" in only_line(done.stderr)
        assert text.read_text(encoding="utf-8") == TEXT
    for _ in range(2):  # over a vocabulary it may
        assert run("tokenize", str(table), str(text), "--learn", "word").returncode == 0


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


def corpus(lines: int) -> list[str]:
    """Lines of words, of which many come once, with what is white in several ways."""
    rng = np.random.default_rng(3)
    words = [f"w{i}" for i in rng.zipf(1.4, 7 * lines).tolist()]
    joints = [" ", " ", " ", "  ", "\t"]
    return [
        joints[n % 5].join(words[7 * n : 7 * n + n % 8]) + (" é\r" if n % 9 == 0 else "")
        for n in range(lines)
    ]


def write(path: Path, lines: list[str]) -> str:
    path.write_bytes("".join(line + "\n" for line in lines).encode())
    return str(path)


def maker_of(level: str) -> type[Vocabulary]:
    if level == "bpe":
        pytest.importorskip("tokenizers", reason="tokenizers is not installed")
        return BPE
    return Vocabulary


@pytest.mark.parametrize("level", ["character", "word", "bpe"])
def test_what_is_learned_in_small_memory_is_what_all_texts_teach(
    level: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    maker = maker_of(level)
    monkeypatch.setattr(tokenize, "_PORTION", 100)
    monkeypatch.setattr(tokenize, "Counts", partial(Counts, most=20))
    lines = corpus(200)
    text, path = write(tmp_path / "text", lines), tmp_path / "v.json"
    for more in (["--size", "300", "--min-count", "2"], ["--size", "400"]):
        assert main(["tokenize", str(path), text, "--learn", level, *more]) == 0
        size, least = int(more[1]), int(more[-1]) if len(more) > 2 else 1
        wanted = maker.from_texts(lines, level=level, min_count=least, max_size=size)
        assert Vocabulary.load(path) == wanted
        ids = [wanted.encode(line) for line in lines]
        unknown = sum((each == UNK).sum() for each in ids)
        same = sum(wanted.decode(each) == line for each, line in zip(ids, lines, strict=True))
        characters, many = sum(map(len, lines)), sum(map(len, ids))
        assert capsys.readouterr().out == (
            f"{len(wanted):,} ids, the 4 specials included, from 200 lines: {path}\n"
            f"{characters:,} characters are {many:,} ids, {unknown:,} of them unknown; "
            f"{same:,} of 200 lines come back exactly\n"
        )


def test_pairs_of_bytes_are_learned_from_frequent_words(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("tokenizers", reason="tokenizers is not installed")
    monkeypatch.setattr(tokenize, "_BPE_WORDS", 2)
    text = write(tmp_path / "text", ["a low low", "a slow  fast  fast low", "\tnewest"])
    path = tmp_path / "v.json"
    assert main(["tokenize", str(path), text, "--learn", "bpe"]) == 0
    said = "learned from the 2 most frequent of 6 different words"
    assert said in capsys.readouterr().out.splitlines()
    assert Vocabulary.load(path) == BPE.from_texts([" low low low"], max_size=None, min_count=1)


def test_a_pipe_is_learned_from_like_a_file(tmp_path: Path) -> None:
    lines = [line.replace("\r", "") for line in corpus(100)]
    text = write(tmp_path / "text", lines)
    command = [*COMMAND, "tokenize", str(tmp_path / "v.json"), "-", text, "--learn", "word"]
    done = subprocess.run(
        command, input="".join(line + "\n" for line in lines[:70]), capture_output=True, text=True,
        timeout=TIMEOUT, env=environment(), check=False,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    wanted = Vocabulary.from_texts(lines[:70] + lines, level="word")
    assert Vocabulary.load(tmp_path / "v.json") == wanted
    same = sum(" ".join(line.split()) == line for line in lines[:70] + lines)
    assert f"0 of them unknown; {same} of 170 lines come back exactly" in done.stdout
    assert sorted(each.name for each in tmp_path.iterdir()) == ["text", "v.json"]


@pytest.mark.parametrize("level", ["character", "word", "bpe"])
def test_any_number_of_processes_writes_the_same(
    level: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    maker = maker_of(level)
    monkeypatch.setattr(tokenize, "_PORTION", 500)
    lines = corpus(200)
    text, path = write(tmp_path / "text", lines), str(tmp_path / "v.json")
    said = set()
    for processes in ("1", "2", "3"):
        name = tmp_path / f"{processes}.bin"
        learn = ["--learn", level, "--size", "400", "--processes", processes]
        assert main(["tokenize", path, text, *learn]) == 0
        said.add(capsys.readouterr().out)
        write_it = ["--out", str(name), "--eos", "--processes", processes]
        assert main(["tokenize", path, text, *write_it]) == 0
        assert "in 200 sequences" in capsys.readouterr().out
    assert len(said) == 1
    table = Vocabulary.load(path)
    assert type(table) is maker
    TokenFile.write(
        tmp_path / "0.bin", [table.encode(line, eos=True) for line in lines], vocabulary=table
    )
    for ending in ("bin", "idx", "json"):
        assert len({(tmp_path / f"{n}.{ending}").read_bytes() for n in range(4)}) == 1


@pytest.mark.parametrize("processes", ["1", "2"])
def test_a_line_that_is_no_text_leaves_what_was_there(processes: str, tmp_path: Path) -> None:
    table, out = tmp_path / "v.json", tmp_path / "c.bin"
    Vocabulary.from_texts([TEXT], level="word").save(table)
    TokenFile.write(out, [[4]], vocab_size=9)
    before = {each.name: each.read_bytes() for each in tmp_path.iterdir()}
    lines = b"the lower the better\n" * 40_000 + b"\xe9\n"
    done = subprocess.run(
        [*COMMAND, "tokenize", str(table), "--out", str(out), "--processes", processes],
        input=lines, capture_output=True, timeout=TIMEOUT, env=environment(), check=False,
    )  # fmt: skip
    assert done.returncode == 1
    assert b"standard input is not UTF-8: byte 0xe9 in line 40001" in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert {each.name: each.read_bytes() for each in tmp_path.iterdir()} == before


def at_work(pid: int) -> list[int]:
    """The two processes that a command has started, once both are at work."""
    own: list[int] = []

    def both() -> bool:
        every = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        command = b"spawn_main"
        own[:] = [int(n) for n in every if command in Path(f"/proc/{n}/cmdline").read_bytes()]
        return len(own) == 2 and all(processor_seconds(child) > 0.02 for child in own)

    wait_until(both)
    return own


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="looks for processes in /proc")
@pytest.mark.parametrize("end", ["Ctrl-C", "a process is killed", "the command is killed"])
def test_whatever_ends_the_command_nobody_is_left(end: str, tmp_path: Path) -> None:
    table, out = tmp_path / "v.json", tmp_path / "c.bin"
    Vocabulary.from_texts([TEXT], level="word").save(table)
    TokenFile.write(out, [[4]], vocab_size=9)
    before = {each.name: each.read_bytes() for each in tmp_path.iterdir()}
    command = [*COMMAND, "tokenize", str(table), "--out", str(out), "--processes", "2"]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        env=environment(), start_new_session=True,
    ) as process:  # fmt: skip
        assert process.stdin is not None
        process.stdin.write(b"the lower the better\n" * 60_000)  # more than four portions
        process.stdin.flush()
        others = at_work(process.pid)
        if end == "Ctrl-C":
            os.killpg(process.pid, signal.SIGINT)
        elif end == "a process is killed":
            os.kill(others[0], signal.SIGKILL)
            with contextlib.suppress(BrokenPipeError):  # it has noticed already
                process.stdin.write(b"the lower the better\n" * 60_000)
        else:
            process.kill()
        _, said = process.communicate(timeout=TIMEOUT)
    codes = {"Ctrl-C": 130, "a process is killed": 1, "the command is killed": -signal.SIGKILL}
    assert process.returncode == codes[end]
    if end == "the command is killed":
        assert said == b""
    else:
        words = {130: "fastrnn: interrupted", 1: "one of the processes has ended"}
        assert words[process.returncode] in only_line(said.decode())
        assert {each.name: each.read_bytes() for each in tmp_path.iterdir()} == before
    wait_until(lambda: not any(Path(f"/proc/{other}").exists() for other in others))


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads the peak in /proc")
def test_memory_does_not_grow_with_the_text(tmp_path: Path) -> None:
    lines = corpus(2000)
    table = Vocabulary.from_texts(lines, level="word", max_size=500)
    table.save(tmp_path / "v.json")
    code = """
    import sys
    from fastrnn.cli import main
    assert main(["tokenize", *sys.argv[1:]]) == 0
    status = open("/proc/self/status").read().split()
    print(status[status.index("VmHWM:") + 1])
    """
    for more in (["--out", str(tmp_path / "c.bin")], ["--learn", "word", "--size", "500"]):
        peaks = []
        for times in (60, 660):
            text = write(tmp_path / "text", lines * times)
            said = output_of(code, str(tmp_path / "v.json"), text, *more)
            peaks.append(int(said.splitlines()[-1]) << 10)
        assert Path(text).stat().st_size > 17e6
        assert peaks[1] - peaks[0] < 6e6
