"""Why: a corpus is encoded by the portion; one id that differs from `encode` is found by nobody."""

import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from fastrnn.data import BPE, EOS, TokenFile, Vocabulary, _encoder
from fastrnn.data._encoder import Encoder
from fastrnn.data.bpe import stretches
from fastrnn.data.token_file import write_portions

TEXT = "the low lower lowest newest it's don't 12 34,5 é 日本 — !? 👩🏽‍🔬"
TEXTS = [TEXT[i:] + " " + TEXT[:i] for i in range(0, len(TEXT), 4)]
# Everything that is white to Python or to Unicode, and what else may stand beside it.
ODD = "".join(c for c in map(chr, range(sys.maxunicode + 1)) if c.isspace()) + "\u200b\x00a1'!é日"
LINES = st.lists(st.text(st.sampled_from(ODD + "   abc" * 5), max_size=20), max_size=6)


def table(level: str) -> Vocabulary:
    if level == "bpe":
        pytest.importorskip("tokenizers", reason="tokenizers is not installed")
        return BPE.from_texts(TEXTS * 2, max_size=300)
    return Vocabulary.from_texts(TEXTS, level=level, max_size=20)


@pytest.fixture(scope="module", params=["character", "word", "bpe"])
def vocabulary(request: pytest.FixtureRequest) -> Vocabulary:
    return table(request.param)


@given(texts=LINES, eos=st.booleans())
@example(texts=[], eos=True)
@example(texts=["", "", "the  low\t\t low "], eos=True)
def test_portions_are_encoded_as_texts_alone(
    vocabulary: Vocabulary, texts: list[str], eos: bool
) -> None:
    encoder = Encoder(vocabulary, eos)
    for _ in range(2):  # the second time, all is remembered
        ids, lengths = encoder(texts)
        wanted = [vocabulary.encode(text, eos=eos) for text in texts]
        assert (ids.dtype, lengths.tolist()) == (np.int64, [len(each) for each in wanted])
        assert ids.tolist() == [i for each in wanted for i in each.tolist()]


def test_what_was_forgotten_is_cut_again(monkeypatch: pytest.MonkeyPatch) -> None:
    pieces = table("bpe")
    monkeypatch.setattr(_encoder, "_MOST", 3)
    encoder = Encoder(pieces)
    for texts in (TEXTS[:4], TEXTS[4:], TEXTS[:2], TEXTS):
        ids, _ = encoder(texts)
        assert ids.tolist() == [i for text in texts for i in pieces.encode(text).tolist()]
        assert encoder._numbers.keys() == {part for text in texts for part in stretches(text)}


@pytest.mark.parametrize(
    "mould", ["a{0}b", "a{0} b", "a {0}b", "{0}{0}b", "!{0}!", "a{0}{0}", "{0}"]
)
def test_no_piece_crosses_the_end_of_a_stretch(mould: str) -> None:
    pieces = table("bpe")
    # One pair of all neighbours that the moulds make: a piece that could cross would.
    eager = BPE.from_texts([mould.format(c) for c in ODD] * 3, max_size=4000, min_count=1)
    for character in ODD:
        text = mould.format(character)
        parts = stretches(text)
        assert "".join(parts) == text
        for made in (pieces, eager):
            assert [p for part in parts for p in made.cut(part)] == made.cut(text), repr(text)


def test_portions_make_the_file_that_sequences_make(tmp_path: Path) -> None:
    words = table("word")
    TokenFile.write(tmp_path / "one.bin", map(words.encode, TEXTS), vocabulary=words)
    encoder = Encoder(words)
    write_portions(
        tmp_path / "two.bin", map(encoder, (TEXTS[:3], [], TEXTS[3:])), vocabulary=words
    )
    for ending in ("bin", "idx", "json"):
        one, two = (tmp_path / f"{name}.{ending}" for name in ("one", "two"))
        assert one.read_bytes() == two.read_bytes()
    with pytest.raises(ValueError, match="sequence 0 must lie in"):
        write_portions(
            tmp_path / "two.bin", [(np.array([EOS, 99]), np.array([1, 1]))], vocabulary=words
        )
