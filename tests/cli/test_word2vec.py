"""Why: from a text file to vectors that other programs read, in one command; and its mistakes."""

import signal
import subprocess
from pathlib import Path

import numpy as np
import pytest
from helpers.commands import COMMAND, TIMEOUT, only_line, run
from helpers.processes import environment

import fastrnn
from fastrnn.data import WordVectors


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    rng = np.random.default_rng(0)
    lines = [" ".join(f"{g}{i}" for i in rng.integers(0, 6, 8)) for g in "ab" for _ in range(200)]
    path = tmp_path / "corpus.txt"
    path.write_text("\n".join(lines))
    return path


@pytest.mark.parametrize("name", ["v.bin", "v.txt", "v.safetensors"])
def test_vectors_of_a_file(corpus: Path, tmp_path: Path, name: str) -> None:
    out = tmp_path / name
    done = run(
        "word2vec", str(corpus), "--out", str(out), "--vector-size", "8", "--method", "skipgram",
        "--sample", "0", "--near", "a0", "--deterministic", "--epochs", "3",
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    assert "12 words of 8 numbers" in done.stdout
    assert "words/s" in done.stdout
    assert done.stdout.splitlines()[-1].startswith("a0: a")
    if out.suffix == ".safetensors":
        wv = fastrnn.models.Word2Vec.load(out).wv
    else:
        wv = WordVectors.load_word2vec_format(out, binary=out.suffix == ".bin")
    assert len(wv) == 12
    assert wv.similarity("a0", "a1") > wv.similarity("a0", "b1")


@pytest.mark.parametrize(
    ("arguments", "code", "named"),
    [
        (["nowhere.txt", "--out", "v.bin"], 1, "nowhere.txt"),
        (["{corpus}", "--out", "v.xyz"], 1, "must end in one of"),
        (["{corpus}", "--out", "nowhere/v.bin"], 1, "folder"),
        (["{corpus}", "--out", "v.bin", "--min-count", "9999"], 1, "min_count must leave"),
        (["{corpus}"], 2, "--out"),
        (["{corpus}", "--out", "v.bin", "--method", "glove"], 2, "glove"),
    ],
)
def test_mistakes_end_in_one_line(
    corpus: Path, arguments: list[str], code: int, named: str
) -> None:
    done = run("word2vec", *(word.format(corpus=corpus) for word in arguments))
    assert done.returncode == code
    assert named in done.stderr
    if code == 1:
        only_line(done.stderr)


def test_interrupt_ends_with_130_and_leaves_no_file(corpus: Path, tmp_path: Path) -> None:
    out = tmp_path / "v.bin"
    words = [*COMMAND, "word2vec", str(corpus), "--out", str(out), "--epochs", "1000000"]
    with subprocess.Popen(
        words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment({})
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline().startswith("epoch 1")
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=TIMEOUT)
    assert process.returncode == 130
    assert only_line(said) == "fastrnn: interrupted"
    assert not out.exists()
