"""Training against the clock: schedule, time limit, and that it learns."""

import itertools

import numpy as np
import pytest

from fastrnn.cli.demo import training
from fastrnn.cli.demo.training import History, Recipe, train
from fastrnn.models import LanguageModel

RECIPE = Recipe(rows=4, steps=8)


def model(V: int, H: int, rng: np.random.Generator) -> LanguageModel:
    return LanguageModel("lstm", V, H, rng=rng)


class Counter:
    """A reporter that counts."""

    def __init__(self) -> None:
        self.updates = self.evaluations = 0

    def update(self, history: History) -> None:
        self.updates += 1
        assert len(history.bits) == len(history.seconds) == self.updates

    def held_out(self, history: History) -> None:
        self.evaluations += 1
        assert len(history.held_out_bits) == self.evaluations


@pytest.fixture
def ticking(monkeypatch: pytest.MonkeyPatch) -> None:
    """A clock that moves on by a tenth of a second whenever somebody looks at it."""
    ticks = itertools.count()
    monkeypatch.setattr(training, "perf_counter", lambda: next(ticks) / 10)


def test_rate_is_constant_then_falls_in_a_line() -> None:
    rates = [Recipe(learning_rate=1.0).rate_at(f) for f in (0, 0.5, 0.75, 0.9, 1.0, 1.2)]
    assert rates == pytest.approx([1, 1, 0.5, 0.2, 0.01, 0.01])


@pytest.mark.usefixtures("ticking")
def test_time_limit_counts_updates_and_not_evaluations(rng: np.random.Generator) -> None:
    tokens, reporter = rng.integers(5, size=400), Counter()
    history = train(
        model(5, 6, rng), tokens[:300], tokens[300:], seconds=5.0, reporter=reporter, recipe=RECIPE
    )
    assert 4.7 <= history.seconds[-1] <= 5.0
    assert reporter.updates > 35
    np.testing.assert_allclose(np.diff(history.seconds), 0.1, atol=0.11)
    assert reporter.evaluations == pytest.approx(RECIPE.evaluations, abs=1)
    assert history.held_out_seconds[-1] == history.seconds[-1]
    assert history.characters == reporter.updates * 4 * 8
    assert history.rate == pytest.approx(history.characters / history.seconds[-1])


@pytest.mark.usefixtures("ticking")
def test_one_update_is_made_however_short_the_time(rng: np.random.Generator) -> None:
    tokens, reporter = rng.integers(5, size=100), Counter()
    train(model(5, 6, rng), tokens, tokens, seconds=1e-3, reporter=reporter, recipe=RECIPE)
    assert (reporter.updates, reporter.evaluations) == (1, 1)


def test_too_short_a_text_is_refused(rng: np.random.Generator) -> None:
    short = np.zeros(4, np.intp)
    with pytest.raises(ValueError, match=r"at least N \+ 1 = 5, got 4"):
        train(model(5, 6, rng), short, short, seconds=1, reporter=Counter(), recipe=RECIPE)


@pytest.mark.usefixtures("ticking")
def test_it_learns_what_can_be_predicted(rng: np.random.Generator) -> None:
    # The next character is certain from the last two: a working model gets far below the
    # log2(3) bits of one that has only learned how often each character comes.
    text = np.tile([0, 1, 0, 2, 1, 2], 200)
    history = train(
        model(3, 16, rng), text, text[:100], seconds=30, reporter=Counter(), recipe=RECIPE
    )
    assert history.bits[0] > 1.3
    assert history.held_out_bits[-1] < 0.2
    assert history.held_out_bits[-1] < history.held_out_bits[0]
