"""Why: a tokeniser that loses a character, or prints what no text spells, spoils every answer."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastrnn.data import BOS, BPE, EOS, PAD, UNK, Vocabulary

pytest.importorskip("tokenizers", reason="tokenizers is not installed")

TEXTS = [
    "the lower the newest, the lowest — the new low's nets",
    "日本語のテキストも、全部もとに戻る。",
    "tab\there\r\n  two  spaces \x00 <pad> <unk> [UNK] </s> e\u0301 é 👩🏽‍🔬",
] * 3


@pytest.fixture(scope="module")
def pieces() -> BPE:
    return BPE.from_texts(TEXTS, max_size=320)


@given(st.text(st.characters(codec="utf-8"), max_size=60))
def test_every_text_comes_back(pieces: BPE, text: str) -> None:
    ids = pieces.encode(text, bos=True, eos=True)
    assert (ids[0], ids[-1]) == (BOS, EOS)
    assert (ids[1:-1] > EOS).all()
    assert pieces.decode(ids) == text
    assert pieces.decode([*ids, PAD, PAD]) == text


def test_frequent_pieces_are_joined(pieces: BPE) -> None:
    assert len(pieces) == 320
    assert pieces.cut("the low") == ["the", "Ġlow"]
    for text in TEXTS:
        assert len(pieces.encode(text)) < 0.8 * len(text.encode())
    rare = BPE.from_texts(["abcd"], min_count=2)
    assert len(rare) == 260
    assert BPE.from_texts(["abcd"], min_count=1).cut("abcd") == ["abcd"]


def test_specials_and_half_characters_are_never_printed(pieces: BPE) -> None:
    ids = pieces.encode("the 語")
    assert pieces.decode([BOS, PAD, *ids, EOS, *ids]) == "the 語"
    assert pieces.decode([*ids, UNK, *ids], unknown="?") == "the 語?the 語"
    first_byte = pieces.encode("\u0416")[:1]  # two bytes that were never joined
    assert pieces.decode(first_byte) == "\ufffd"
    with pytest.raises(ValueError, match="surrogate"):
        pieces.encode("\ud800")


def test_a_saved_one_is_the_same_and_a_model_may_hold_it(pieces: BPE, tmp_path: Path) -> None:
    pieces.save(tmp_path / "v.json")
    loaded = Vocabulary.load(tmp_path / "v.json")
    assert isinstance(loaded, BPE)
    assert loaded == pieces
    assert loaded.sha256 == pieces.sha256
    assert loaded.encode(TEXTS[0]).tolist() == pieces.encode(TEXTS[0]).tolist()
    assert BPE(pieces.tokens, pieces.merges[:-1]) != pieces


def test_learning_is_reproducible_in_another_process(pieces: BPE) -> None:
    code = (
        "from fastrnn.data import BPE; import json, sys;"
        "print(BPE.from_texts(json.load(sys.stdin), max_size=320).sha256)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], input=json.dumps(TEXTS), capture_output=True, text=True,
        check=True,
    )  # fmt: skip
    assert done.stdout.strip() == pieces.sha256


def wrong(change: str, content: dict) -> dict:
    merges, tokens = content["merges"], content["tokens"]
    return {
        "no merges": {**content, "merges": None},
        "no pair": {**content, "merges": [*merges, ["t"]]},
        "no strings": {**content, "merges": [*merges, [1, 2]]},
        "no token": {**content, "merges": [*merges, ["語", "x"]]},
        "a byte too few": {**content, "tokens": [t for t in tokens if t != "!"], "merges": []},
        "a token twice": {**content, "tokens": [*tokens, tokens[0]]},
        "merges of words": {**content, "level": "word"},
    }[change]


@pytest.mark.parametrize(
    "change",
    [
        "no merges", "no pair", "no strings", "no token", "a byte too few", "a token twice",
        "merges of words",
    ],
)  # fmt: skip
def test_a_foreign_file_is_refused(change: str, pieces: BPE, tmp_path: Path) -> None:
    pieces.save(tmp_path / "v.json")
    content = json.loads((tmp_path / "v.json").read_bytes())
    (tmp_path / "v.json").write_text(json.dumps(wrong(change, content)))
    with pytest.raises(ValueError, match=r"v\.json"):
        Vocabulary.load(tmp_path / "v.json")


def test_bad_arguments_are_refused() -> None:
    with pytest.raises(ValueError, match="max_size"):
        BPE.from_texts(TEXTS, max_size=259)
    with pytest.raises(ValueError, match="min_count"):
        BPE.from_texts(TEXTS, min_count=0)
    with pytest.raises(ValueError, match="level"):
        BPE.from_texts(TEXTS, level="word")
    with pytest.raises(ValueError, match="level"):
        Vocabulary.from_texts(TEXTS, level="bpe")
    with pytest.raises(TypeError, match="strings"):
        BPE.from_texts([1])  # type: ignore[list-item]


def test_without_the_package_it_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "tokenizers", None)
    with pytest.raises(ImportError, match=r"fastrnn\[text\]"):
        BPE.from_texts(TEXTS)
