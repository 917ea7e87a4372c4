"""Why: a score on words needs marks that come off and go on again without a trace."""

import struct
import zlib
from pathlib import Path

import numpy as np
import pytest

import spanish_diacritics as example

TEXT = "¿Está el pingüino aquí? Sí: el niño Él — ¡AÑO!"


def module(folder: Path, verses: list[str]) -> None:
    """Write verses as a compressed SWORD module, two blocks a part, markup and all."""
    folder.mkdir(parents=True)
    for part, own in (("ot", verses[:-1]), ("nt", verses[-1:])):
        blocks, places, spans, packed = [b"", b""], b"", b"", b""
        for i, verse in enumerate(own):
            content = f"<verse>{verse}<w>".encode()
            places += struct.pack("<2IH", i % 2, len(blocks[i % 2]), len(content))
            blocks[i % 2] += content
        for block in blocks:
            data = zlib.compress(block)
            spans += struct.pack("<3I", len(packed), len(data), len(block))
            packed += data
        for end, content in (("s", spans), ("v", places), ("z", packed)):
            (folder / f"{part}.bz{end}").write_bytes(content)


def test_marks_come_off_and_go_on_again() -> None:
    letters, marks = example.bare(TEXT)
    assert letters == "¿Esta el pinguino aqui? Si: el nino El — ¡ANO!"
    assert len(letters) == len(marks)
    assert np.bincount(marks).tolist() == [len(letters) - 7, 4, 1, 2]
    assert example.marked(letters, marks) == TEXT


def test_figures_count_words_and_marks() -> None:
    assert example.figures([TEXT], [TEXT]) == (1, 1)
    words, f1 = example.figures(["está solo sólo ano"], ["está sólo solo ano"])
    assert (words, f1) == (0.5, 0.5)  # one found, one missed, one invented
    assert example.figures([TEXT], [example.bare(TEXT)[0]])[1] == 0


def test_a_module_is_read(tmp_path: Path) -> None:
    wanted = [f"él está aquí {i} veces" for i in range(4)]
    module(tmp_path / example.PLACE, wanted)
    assert sorted(example.verses(tmp_path / example.PLACE)) == wanted


def test_both_directions_see_what_follows() -> None:
    """The word is ``ese`` before an a and ``esé`` before an o: forward only cannot know."""
    rng = np.random.default_rng(0)
    texts = ["ese a" if one else "esé o" for one in rng.integers(0, 2, 300)]
    learned, test, wanted = example.prepare(texts)
    shares, weights = [], []
    for bidirectional in (True, False):
        model, _ = example.train(bidirectional, learned, 0, epochs=12, hidden=16, rate=2e-2, N=16)
        shares.append(example.figures(wanted, example.restore(model, test))[0])
        weights.append(model.parameter_count)
    assert weights[1] == pytest.approx(weights[0], rel=0.05)
    assert shares[0] == 1
    assert shares[1] < 0.9


def test_habits_count_how_a_word_is_marked_elsewhere() -> None:
    pairs = [example.bare(text) for text in ("Él solo", "él sólo", "sólo aquí")]
    letters, marks = zip(*pairs, strict=True)
    habits = example.Habits(letters, marks)
    shares = habits.shares("solo EL")
    assert shares[1] == pytest.approx([1 / 3, 2 / 3, 0, 0, 0])
    assert shares[4].tolist() == [0, 0, 0, 0, 0]  # no word
    assert shares[5].tolist() == [0, 1, 0, 0, 0]
    # Of what was learned from, the own occurrence does not count.
    own = habits.shares(letters[1], marks[1])
    assert own[4].tolist() == [0.5, 0.5, 0, 0, 0]
    assert habits.shares(letters[2], marks[2])[5:].tolist() == [[0, 0, 0, 0, 1]] * 4
