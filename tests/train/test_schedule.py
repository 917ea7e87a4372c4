"""Why: a learning rate that is off by one step, or jumps at a seam, spoils training silently."""

from typing import Any

import numpy as np
import pytest

from fastrnn.train import schedule
from fastrnn.train.schedule import ReduceOnPlateau


@pytest.mark.parametrize(
    ("rate", "steps", "expected"),
    [
        (schedule.constant(0.3), (0, 7), (0.3, 0.3)),
        (schedule.step_decay(1.0, 3), (0, 2, 3, 6), (1, 1, 0.1, 0.01)),
        (schedule.exponential(2.0, 0.5), (0, 1, 3), (2, 1, 0.25)),
        (schedule.linear(1.0, 0.2, 4), (0, 1, 2, 4, 5), (1, 0.8, 0.6, 0.2, 0.2)),
        (schedule.linear(0.0, 1.0, 4), (0, 1, 4), (0, 0.25, 1)),
        (schedule.cosine(1.0, 3, 0.1), (0, 1, 2, 3, 4), (1, 0.775, 0.325, 0.1, 0.1)),
        (schedule.inverse_sqrt(1.0, 4), (0, 4, 16, 64), (1, 1, 0.5, 0.25)),
        (schedule.warmup(1.0, 0), (0, 1), (1, 1)),
        (schedule.warmup(schedule.exponential(1.0, 0.5), 1), (0, 1, 2), (0.5, 0.5, 0.25)),
        (schedule.chain(3, 2, schedule.linear(2.0, 0.0, 2)), (0, 1, 2, 3, 4), (3, 3, 2, 1, 0)),
    ],
)
def test_values(rate: Any, steps: tuple[int, ...], expected: tuple[float, ...]) -> None:
    assert [rate(step) for step in steps] == pytest.approx(list(expected), rel=1e-12, abs=1e-15)


def test_they_compose() -> None:
    rate = schedule.chain(
        schedule.warmup(0.1, 9), 10, schedule.chain(schedule.cosine(0.1, 10), 10, 0.001)
    )
    rates = [rate(step) for step in range(30)]
    assert rates[0] == pytest.approx(0.01)
    assert max(rates) == rates[9] == rates[10] == pytest.approx(0.1)
    assert np.diff(rates[:10]) == pytest.approx(0.01)
    assert rates[20:] == [0.001] * 10


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: schedule.constant(-1), "lr must be at least 0, got -1"),
        (lambda: schedule.step_decay(1, 0), "every must be at least 1"),
        (lambda: schedule.exponential(1, np.nan), "gamma must be finite"),
        (lambda: schedule.linear(1, 0, 0), "steps must be at least 1"),
        (lambda: schedule.cosine(1, 2.5), "steps must be an integer"),
        (lambda: schedule.inverse_sqrt(1, 0), "steps must be at least 1, got 0"),
        (lambda: schedule.warmup("1", 3), "schedule must be a real number"),
        (lambda: schedule.chain(1, -1, 2), "steps must be at least 0"),
        (lambda: schedule.chain(1, 1, None), "then must be a real number"),
        (lambda: ReduceOnPlateau(1, factor=1.0), "factor must be at least 0 and below 1"),
        (lambda: ReduceOnPlateau(1, patience=-1), "patience must be at least 0"),
    ],
)
def test_mistakes_are_named(make: Any, words: str) -> None:
    with pytest.raises((TypeError, ValueError), match=words):
        make()


def test_plateau_waits_then_falls_to_its_floor() -> None:
    rate = ReduceOnPlateau(1.0, factor=0.1, patience=2, threshold=0.1, lowest=0.05)
    rates = []
    for loss in (5, 4, 3.9, 3.8, 3.7, 3.0, 9, np.nan, 3.0, 9, 9, 9):
        rate.observe(loss)
        rates.append(rate(0))
    # 3.9, 3.8, 3.7 are no better than 4 by a tenth; 3.0 is; three bad ones follow, twice.
    assert rates == pytest.approx([1, 1, 1, 1, 0.1, 0.1, 0.1, 0.1, 0.05, 0.05, 0.05, 0.05])


def test_plateau_takes_negative_losses() -> None:
    rate = ReduceOnPlateau(1.0, factor=0.5, patience=0, threshold=0.1)
    for loss in (-10.0, -10.5, -11.5):
        rate.observe(loss)
    assert rate(0) == 0.5


def test_plateau_state_goes_round_and_is_strict() -> None:
    rate, other = ReduceOnPlateau(1.0, patience=1), ReduceOnPlateau(1.0, patience=1)
    for loss in (2.0, 3.0):
        rate.observe(loss)
    other.load_state_dict(rate.state_dict())
    for one in (rate, other):
        one.observe(3.0)
    assert rate(0) == other(0) == 0.1
    with pytest.raises(ValueError, match="must have rate, best and bad"):
        other.load_state_dict({"rate": 1.0})
    with pytest.raises(TypeError, match="bad must be an integer"):
        other.load_state_dict({"rate": 1.0, "best": 1.0, "bad": 0.5})
    assert other(0) == 0.1


def test_they_pickle_and_print_as_they_were_made() -> None:
    import pickle

    inner = schedule.chain(0.1, 50, schedule.cosine(0.1, 50))
    rate = schedule.follow("percent", schedule.warmup(inner, 3))
    again = pickle.loads(pickle.dumps(rate))
    for each in (rate, again):
        each.progress(percent=75.0)
    assert again(0) == rate(0) == pytest.approx(0.05)
    assert repr(schedule.linear(1, 0, 4)) == "linear(lr=1.0, last=0.0, steps=4)"
