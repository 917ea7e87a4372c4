"""Why: a conversation in the terminal must remember, end, and fail in one clear line."""

import subprocess
from pathlib import Path

import numpy as np
import pytest
from helpers.commands import COMMAND, TIMEOUT, only_line
from helpers.processes import environment

from fastrnn.data import Vocabulary, pack_dialogues
from fastrnn.models import HRED, VHRED, Seq2Seq, SequenceTagger
from fastrnn.train import Adam

TALKS = [
    ["i am ann", "hello ann", "who am i", "you are ann"],
    ["i am bob", "hello bob", "who am i", "you are bob"],
]


def converse(path: Path, lines: str, *options: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*COMMAND, "reply", str(path), *options],
        input=lines, capture_output=True, text=True, timeout=TIMEOUT, env=environment({}),
        check=False,
    )  # fmt: skip


@pytest.fixture(scope="module")
def words() -> Vocabulary:
    return Vocabulary.from_texts([turn for talk in TALKS for turn in talk], level="word")


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory, words: Vocabulary) -> Path:
    made = HRED("gru", words, 24, rng=np.random.default_rng(0))
    batch = pack_dialogues([[words.encode(turn) for turn in talk] for talk in TALKS])
    made.fit([batch], Adam(lr=0.02), updates=150, progress=False)
    path = tmp_path_factory.mktemp("reply") / "model"
    made.save(path)
    return path


def test_it_remembers_and_an_empty_line_begins_anew(model: Path) -> None:
    done = converse(model, "i am ann\nwho am i\n\ni am bob\nwho am i\n")
    assert (done.returncode, done.stderr) == (0, "")
    said = ["hello ann", "you are ann", "hello bob", "you are bob"]
    assert done.stdout.splitlines() == said
    done = converse(model, "i am ann", "--temperature", "0.5", "--seed", "3", "--max-length", "1")
    assert (done.returncode, done.stdout) == (0, "hello\n")


def test_odd_lines_are_answered(model: Path) -> None:
    """Unknown words, a conversation far longer than those it learned, a last line without end."""
    done = converse(model, "what ever\n" + "i am bob\nhello bob\n" * 30 + "who am i")
    assert (done.returncode, done.stderr) == (0, "")
    said = done.stdout.split("\n")
    assert len(said) == 63, "one answer a line, and the end of the last one"
    known = {word for talk in TALKS for turn in talk for word in turn.split()}
    assert {word for line in said for word in line.split()} <= known
    done = converse(model, "  I am BOB\n", "--plain")
    assert (done.returncode, done.stdout) == (0, "hello bob\n")
    done = converse(model, "\n\n  \n")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", ""), "nothing was said"


def test_bytes_that_are_no_text_are_one_line(model: Path) -> None:
    done = subprocess.run(
        [*COMMAND, "reply", str(model)], input=b"i am \xff\n", capture_output=True,
        timeout=TIMEOUT, env=environment({}), check=False,
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (1, b"")
    assert "standard input is not UTF-8: byte 0xff in line 1" in only_line(done.stderr.decode())


def test_a_latent_code_is_drawn_with_the_seed(tmp_path: Path, words: Vocabulary) -> None:
    VHRED("gru", words, 8, 2, rng=np.random.default_rng(0)).save(tmp_path / "model")
    one, same = (converse(tmp_path / "model", "who am i\n", "--seed", "1") for _ in range(2))
    assert one.returncode == 0
    assert one.stdout == same.stdout


def test_a_translator_answers_each_line(tmp_path: Path, words: Vocabulary) -> None:
    model = Seq2Seq("gru", words, words, 24, rng=np.random.default_rng(0))
    data = model.pairs(*zip(*(talk[k : k + 2] for talk in TALKS for k in (0,)), strict=True), 2)
    model.fit(data, Adam(lr=0.02), updates=60, progress=False)
    model.save(tmp_path / "model")
    done = converse(tmp_path / "model", "i am bob\nwhat\ni am ann\n", "--beam", "2")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines()[::2] == ["hello bob", "hello ann"]
    drawn = ["--temperature", "0.2", "--seed", "1", "--top-k", "3", "--max-length", "1"]
    done = converse(tmp_path / "model", "i am bob\n", *drawn)
    assert (done.returncode, done.stdout) == (0, "hello\n")
    done = converse(tmp_path / "model", "i am bob\n", "--top-k", "3")
    assert (done.returncode, done.stdout) == (1, "")
    assert "need a temperature above 0" in only_line(done.stderr)


@pytest.mark.parametrize(
    ("made", "message"),
    [
        (lambda: SequenceTagger("gru", 2, 2, input_size=1), "it holds a SequenceTagger"),
        (lambda: HRED("gru", 9, 4), "the model has no vocabulary"),
        (lambda: Seq2Seq("gru", 9, 9, 4), "no vocabulary, so it knows numbers"),
        (None, "No such file"),
    ],
)
def test_what_cannot_talk_says_so_in_one_line(made, message: str, tmp_path: Path) -> None:
    path = tmp_path / "model"
    if made is not None:
        made().save(path)
    done = converse(path, "hello\n")
    assert (done.returncode, done.stdout) == (1, "")
    assert message in only_line(done.stderr)
