"""Why: texts from the street are empty, broken or huge; the answer is one clear error, no crash."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fastrnn import CheckpointError, _core
from fastrnn.data import UnknownWordError, WordVectors
from fastrnn.models import Word2Vec


@pytest.mark.parametrize("text", ["", "\n\n \t\n"])
def test_empty_corpus(tmp_path: Path, text: str) -> None:
    path = tmp_path / "empty.txt"
    path.write_text(text)
    with pytest.raises(ValueError, match="at least one word, got none"):
        Word2Vec(corpus_file=path)
    with pytest.raises(ValueError, match="at least one word, got none"):
        Word2Vec([[]])
    with pytest.raises(ValueError, match="at least one word, got none"):
        Word2Vec([])


def test_no_word_is_frequent_enough(tmp_path: Path) -> None:
    path = tmp_path / "rare.txt"
    path.write_text("all words are different here\n")
    for options in ({"corpus_file": path}, {"sentences": [["a", "b"]]}):
        with pytest.raises(ValueError, match="min_count must leave at least one word, got 5"):
            Word2Vec(**options)


def test_a_line_of_ten_megabytes(tmp_path: Path) -> None:
    path = tmp_path / "long.txt"
    words = 10_000_000 // 5
    path.write_bytes(b"aaaa bbbb cccc dddd " * (words // 4))
    model = Word2Vec(corpus_file=path, vector_size=4, min_count=1, epochs=1, sample=0)
    assert model.wv.counts is not None
    assert model.wv.counts.sum() == words
    assert np.isfinite(model.wv.vectors).all()


def test_a_word_of_ten_megabytes(tmp_path: Path) -> None:
    path = tmp_path / "word.txt"
    path.write_bytes(b"short " * 100_000 + b"x" * 10_000_000)
    with pytest.raises(ValueError, match="a word of more than 65536 bytes at byte"):
        Word2Vec(corpus_file=path)


@pytest.mark.parametrize(
    "word", [b"na\xefve", b"\xc0\xaf", b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b"\xe2\x82", b"\x80"]
)
def test_invalid_utf8(tmp_path: Path, word: bytes) -> None:
    path = tmp_path / "latin1.txt"
    path.write_bytes(b"na\xc3\xafve " + word + b" noir\n")
    with pytest.raises(ValueError, match=r"must be UTF-8, got the word '.*\\x"):
        Word2Vec(corpus_file=path, min_count=1)


def test_every_character_of_unicode_is_a_word(tmp_path: Path) -> None:
    spaces = {chr(c) for c in (*range(9, 14), 32)}
    characters = [chr(c) for c in range(1, 0x110000, 7) if not 0xD800 <= c < 0xE000]
    characters = [c for c in characters if c not in spaces]
    path = tmp_path / "unicode.txt"
    path.write_bytes(" ".join(characters).encode())
    lines, _, total, _ = _core.word2vec_count(str(path).encode(), 1, 2)
    assert total == len(characters)
    assert sorted(lines.decode().split("\n")[:-1]) == sorted(characters)


@pytest.mark.parametrize(
    ("options", "error", "match"),
    [
        ({"sentences": "a string"}, TypeError, "got a string; split it"),
        ({"sentences": ["a b", "c"]}, TypeError, "got a string among them"),
        ({"sentences": [[1, 2]]}, TypeError, "got a int"),
        ({"sentences": [["a", "b\nc"]]}, ValueError, "without line breaks"),
        ({"sentences": [["a"]], "corpus_file": "x"}, TypeError, "either"),
        ({"corpus_file": "/nowhere/text.txt"}, FileNotFoundError, "nowhere"),
        ({"vector_size": 0}, ValueError, "vector_size must be at least 1"),
        ({"window": 0}, ValueError, "window"),
        ({"negative": -1}, ValueError, "negative"),
        ({"sg": 2}, ValueError, "sg must be in 0..1"),
        ({"alpha": -0.1}, ValueError, "alpha"),
        ({"alpha": float("nan")}, ValueError, "alpha must be finite"),
        ({"workers": 0}, ValueError, "workers"),
        ({"epochs": 1.5}, TypeError, "epochs must be an integer"),
        ({"size": 100}, TypeError, "size"),
        ({"sentences": [[str(i)] for i in range(5000)], "negative": 0, "min_count": 1}, ValueError,
         "negative must be above 0"),
    ],
)  # fmt: skip
def test_wrong_arguments(options: dict[str, Any], error: type[Exception], match: str) -> None:
    with pytest.raises(error, match=match):
        Word2Vec(**options)


def test_training_without_words_or_known_words() -> None:
    with pytest.raises(ValueError, match="call build_vocab"):
        Word2Vec().train([["a"]])
    model = Word2Vec([["a", "b"]], min_count=1)
    with pytest.raises(ValueError, match="words of the vocabulary, got none"):
        model.train([["x", "y"]])


@pytest.mark.parametrize("kind", [{}, {"sg": 1}, {"negative": 0}, {"negative": 0, "hs": 1}])
def test_a_training_that_diverges_says_so(kind: dict[str, int]) -> None:
    model = Word2Vec(vector_size=8, min_count=1, alpha=1e6, workers=1, **kind)
    with pytest.raises(FloatingPointError, match="not finite after epoch 1; a lower alpha"):
        model.fit([["a", "b", "c", "d"], ["e", "f", "g", "h"]] * 200)
    assert model.losses == []


def test_unknown_words_are_named() -> None:
    wv = WordVectors(["a", "b"], np.eye(2))
    for ask in (
        lambda: wv["zebra"],
        lambda: wv.most_similar("zebra"),
        lambda: wv.similarity("a", "zebra"),
        lambda: wv.doesnt_match(["a", "zebra"]),
        lambda: wv[["a", "zebra"]],
    ):
        with pytest.raises(UnknownWordError, match="'zebra' has no vector"):
            ask()
    for ask in (lambda: wv[3], lambda: wv.most_similar(3)):
        with pytest.raises(UnknownWordError, match="the word 3 has no vector"):
            ask()
    for ask in (lambda: wv[3.5], lambda: wv.most_similar(3.5)):
        with pytest.raises(TypeError, match="words must be a str, or a list"):
            ask()
    assert issubclass(UnknownWordError, KeyError)
    assert issubclass(UnknownWordError, ValueError)
    assert "zebra" not in wv
    with pytest.raises(ValueError, match="at least one word"):
        wv.most_similar([])


@pytest.mark.check(33)
@pytest.mark.parametrize("binary", [False, True])
def test_a_file_cut_anywhere_is_refused(tmp_path: Path, binary: bool) -> None:
    whole = tmp_path / "whole"
    rng = np.random.default_rng(0)
    WordVectors([f"w{i}" for i in range(5)], rng.random((5, 3), np.float32)).save_word2vec_format(
        whole, binary=binary
    )
    content = whole.read_bytes()
    cut = tmp_path / "cut"
    for length in range(len(content) - binary):  # a binary file need not end a line
        cut.write_bytes(content[:length])
        with pytest.raises(CheckpointError, match="cut: "):
            WordVectors.load_word2vec_format(cut, binary=binary)
    cut.write_bytes(content + b"more")
    with pytest.raises(CheckpointError, match="goes on"):
        WordVectors.load_word2vec_format(cut, binary=binary)


@pytest.mark.check(30)
@pytest.mark.parametrize("head", [b"99999999999 100\n", b"2\n", b"-1 3\n", b"2 0\n", b"x y\n"])
@pytest.mark.parametrize("binary", [False, True])
def test_a_first_line_that_lies_allocates_nothing(
    tmp_path: Path, head: bytes, binary: bool
) -> None:
    path = tmp_path / "v"
    path.write_bytes(head + b"a 1 2 3\n")
    with pytest.raises(CheckpointError):
        WordVectors.load_word2vec_format(path, binary=binary)


@pytest.mark.parametrize("binary", [False, True])
def test_other_spaces_are_part_of_a_word(tmp_path: Path, binary: bool) -> None:
    """A text of the street has them, and what was learned from it must not be lost at the end."""
    words = ["no\u00a0break", "next\u0085line", "\u2028", "\u3000"]
    WordVectors(words, np.eye(4)).save_word2vec_format(tmp_path / "v", binary=binary)
    back = WordVectors.load_word2vec_format(tmp_path / "v", binary=binary)
    assert back.index_to_key == words
    assert (back.vectors == np.eye(4)).all()


def test_words_that_the_format_cannot_hold(tmp_path: Path) -> None:
    for words in (["new york"], [""], ["a\nb"]):
        with pytest.raises(ValueError, match="no white space"):
            WordVectors(words, np.eye(1)).save_word2vec_format(tmp_path / "v")
    assert not (tmp_path / "v").exists()
