"""Why: the demo of word vectors claims to reach a known optimum; and it must cut texts right."""

from pathlib import Path

import numpy as np
import pytest

import word2vec


def test_the_optimum_is_reached_and_not_missed() -> None:
    r, error, (products, truth) = word2vec.known(0, 50_000, 40)
    assert r > 0.99
    assert error < 0.1
    assert np.sqrt(np.square(products - truth).mean()) == error
    assert word2vec.known(0, 50_000, 1)[1] > 2 * error


def test_sentences_of_a_text(tmp_path: Path) -> None:
    path = tmp_path / "t.txt"
    path.write_text("The cat's mat.  One; two THREE!\n\nAlone\n\nAnd so 4 on")
    assert word2vec.text(path) == ("t.txt", ["the cat's mat", "two three", "and so on"])


def test_a_short_run(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    path = tmp_path / "t.txt"
    path.write_text("the quick brown fox jumps over the lazy sleeping dogs. " * 200)
    word2vec.run(quick=True, text_file=path, plot=tmp_path)
    said = capsys.readouterr().out
    assert "words/s" in said
    assert "quick: " in said
    assert (tmp_path / "word2vec_optimum.png").is_file()
    assert (tmp_path / "word2vec.png").read_bytes().startswith(b"\x89PNG")
