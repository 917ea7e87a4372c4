"""The demo's training: its schedule, its limit of time, and that it learns."""

import itertools

import numpy as np
import pytest

from fastrnn.cli.commands import demo
from fastrnn.data import Vocabulary
from fastrnn.models import LanguageModel
from fastrnn.train import _loop


def model(text: str, H: int, rng: np.random.Generator) -> LanguageModel:
    return LanguageModel("lstm", Vocabulary.from_texts([text], level="character"), H, rng=rng)


@pytest.fixture
def ticking(monkeypatch: pytest.MonkeyPatch) -> None:
    """A clock that moves on by a tenth of a second whenever somebody looks at it."""
    ticks = itertools.count()
    monkeypatch.setattr(_loop, "perf_counter", lambda: next(ticks) / 10)
    monkeypatch.setattr(demo, "RECORD_EVERY", 1)


@pytest.mark.usefixtures("ticking")
def test_rate_is_constant_then_falls_in_a_line(rng: np.random.Generator) -> None:
    text = "abcde" * 60
    history = demo.train(model(text, 6, rng), text, text, 5.0)
    seconds, rates = map(np.array, history.column("lr", by="seconds"))
    # A record has the rate of the next update, at the part of the time that is up by now.
    expected = demo.RATE * np.clip(1 - 0.99 * (seconds - 2.5) / 2.5, 0.01, 1)
    np.testing.assert_allclose(rates, expected, atol=0.1 * demo.RATE)
    assert rates[0] == demo.RATE
    assert rates[-1] < 0.1 * demo.RATE


@pytest.mark.usefixtures("ticking")
def test_time_limit_counts_updates_and_not_evaluations(
    rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(demo, "VALIDATE_EVERY", 20)
    text = "abcde" * 60
    history = demo.train(model(text, 6, rng), text, text, 5.0)
    seconds, updates = history.column("update", by="seconds")
    assert seconds[-1] == pytest.approx(5.0)
    assert updates[-1] == 50
    assert history.column("validation_bits")[0] == [20, 40, 50]


@pytest.mark.usefixtures("ticking")
def test_one_update_is_made_however_short_the_time(rng: np.random.Generator) -> None:
    text = "abcde" * 60
    history = demo.train(model(text, 6, rng), text, text, 1e-3)
    assert history["update"] == [1, 1]
    assert len(history["validation_bits"]) == 1


def test_too_short_a_text_is_refused(rng: np.random.Generator) -> None:
    with pytest.raises(ValueError, match=r"at least N \+ 1 = 33, got 5"):
        demo.train(model("abcde", 6, rng), "abcde", "abcde", 1.0)


@pytest.mark.usefixtures("ticking")
def test_it_learns_what_can_be_predicted(rng: np.random.Generator) -> None:
    # The next character is certain from the last two: a working model gets far below the
    # log2(3) bits of one that has only learned how often each character comes.
    text = "abacbc" * 600
    history = demo.train(model(text, 16, rng), text, text[:100], 20.0)
    assert history["loss"][0] > 0.9
    assert history["validation_bits"][-1] < 0.2
