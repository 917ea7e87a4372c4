"""Why: an id that means another word after loading makes a good model talk nonsense."""

import json
from pathlib import Path

import numpy as np
import pytest

from fastrnn.data import BOS, EOS, PAD, UNK, Vocabulary

TEXTS = ["the cat and the dog", "the dog", "a cat"]


def test_counts_decide_what_stays_and_its_order() -> None:
    words = Vocabulary.from_texts(TEXTS, level="word")
    assert words.tokens == ("the", "cat", "dog", "a", "and")
    assert Vocabulary.from_texts(TEXTS, level="word", min_count=2).tokens == ("the", "cat", "dog")
    assert Vocabulary.from_texts(TEXTS, level="word", max_size=6).tokens == ("the", "cat")
    assert len(words) == 9
    assert Vocabulary.from_texts("abba b", level="character").tokens == ("b", "a", " ")


def test_characters_come_back_exactly() -> None:
    text = "Ünï — 漢字\n\t x  \x00🙂"
    letters = Vocabulary.from_texts(text, level="character")
    ids = letters.encode(text, bos=True, eos=True)
    assert ids.dtype == np.int64
    assert (ids[0], ids[-1]) == (BOS, EOS)
    assert letters.decode(ids) == text


def test_words_come_back_with_uniform_white_space() -> None:
    words = Vocabulary.from_texts(TEXTS, level="word")
    assert words.decode(words.encode("  the\tcat \n dog")) == "the cat dog"


def test_specials_are_never_printed() -> None:
    words = Vocabulary.from_texts(TEXTS, level="word")
    ids = [BOS, *words.encode("the bird"), PAD, *words.encode("dog"), EOS, *words.encode("cat")]
    assert words.encode("bird").tolist() == [UNK]
    assert words.decode(ids) == "the \ufffd dog"
    assert words.decode(ids, unknown="?") == "the ? dog"
    assert words.encode("<pad> <unk> PAD").tolist() == [UNK] * 3
    assert words.decode([]) == ""


@pytest.mark.parametrize("ids", [[9], [-1], [[4]], [0.5], ["a"]])
def test_decode_refuses_what_is_no_id(ids: list) -> None:
    with pytest.raises((TypeError, ValueError), match="ids must"):
        Vocabulary.from_texts(TEXTS, level="word").decode(ids)


def test_a_saved_vocabulary_is_the_same(tmp_path: Path) -> None:
    for level in ("word", "character"):
        made = Vocabulary.from_texts([*TEXTS, 'ü "\\ 漢'], level=level)
        made.save(tmp_path / "v.json")
        loaded = Vocabulary.load(tmp_path / "v.json")
        assert loaded == made
        assert hash(loaded) == hash(made)
        assert loaded.sha256 == made.sha256
    assert loaded != Vocabulary.from_texts(TEXTS, level="character")


GOOD = {"format": "fastrnn-vocabulary", "version": 1, "level": "word", "tokens": ["a", "b"]}
WRONG = {
    "no json": b"{",
    "not utf-8": json.dumps(GOOD).encode().replace(b'"a"', b'"\xff"'),
    "a number": b"3",
    "another format": json.dumps({**GOOD, "format": "x"}).encode(),
    "another version": json.dumps({**GOOD, "version": 2}).encode(),
    "a key too many": json.dumps({**GOOD, "more": 1}).encode(),
    "a key too few": json.dumps({k: v for k, v in GOOD.items() if k != "level"}).encode(),
    "a key twice": json.dumps(GOOD).encode()[:-1] + b', "level": "word"}',
    "another level": json.dumps({**GOOD, "level": "byte"}).encode(),
    "tokens as text": json.dumps({**GOOD, "tokens": "ab"}).encode(),
    "a token twice": json.dumps({**GOOD, "tokens": ["a", "a"]}).encode(),
    "a token of two": json.dumps({**GOOD, "tokens": ["a b"]}).encode(),
    "an empty token": json.dumps({**GOOD, "tokens": [""]}).encode(),
    "a token that is a number": json.dumps({**GOOD, "tokens": [1]}).encode(),
    "half a character": json.dumps({**GOOD, "tokens": ["\ud800"]}).encode(),
    "two letters": json.dumps({**GOOD, "level": "character", "tokens": ["ab"]}).encode(),
    "deep": b"[" * 100_000,
}


@pytest.mark.parametrize("name", WRONG)
def test_a_foreign_file_is_refused(name: str, tmp_path: Path) -> None:
    path = tmp_path / "v.json"
    path.write_bytes(json.dumps(GOOD).encode())
    assert Vocabulary.load(path).tokens == ("a", "b")
    path.write_bytes(WRONG[name])
    with pytest.raises(ValueError, match=r"v\.json"):
        Vocabulary.load(path)


def test_bad_arguments_are_refused() -> None:
    with pytest.raises(ValueError, match="level"):
        Vocabulary(["a"], level="byte")  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="sequence of strings"):
        Vocabulary("ab", level="character")
    with pytest.raises(ValueError, match="min_count"):
        Vocabulary.from_texts(TEXTS, level="word", min_count=0)
    with pytest.raises(ValueError, match="max_size"):
        Vocabulary.from_texts(TEXTS, level="word", max_size=3)
    for level in ("word", "character"):
        table = Vocabulary.from_texts(TEXTS, level=level)
        for text in (None, b"ab", ["a", "b"]):
            with pytest.raises(TypeError, match="must be a string"):
                table.encode(text)  # type: ignore[arg-type]
            with pytest.raises(TypeError, match="must be a string"):
                Vocabulary.from_texts([text], level=level)  # type: ignore[list-item]
