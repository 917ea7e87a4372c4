"""The loss picture: what is drawn is what was given, and bad input is refused."""

import sys

import numpy as np
import pytest

from fastrnn import plot
from fastrnn.train import History

SECONDS, BITS = [0.1, 0.5, 1.0, 2.0], [6.7, 4.0, 3.0, 2.4]
HELD_OUT = ([1.0, 2.0], [3.1, 2.5])
LEVELS = {"bz2 -9": 2.0046, "xz -9e": 2.0079}


def test_everything_given_is_drawn_and_in_sight() -> None:
    figure = plot.loss_curve((SECONDS, BITS), HELD_OUT, levels=LEVELS, title="t", ylabel="bits")
    (axes,) = figure.axes
    line, points, *levels = axes.get_lines()
    np.testing.assert_array_equal(line.get_xydata(), np.transpose([SECONDS, BITS]))
    np.testing.assert_array_equal(points.get_xydata(), np.transpose(HELD_OUT))
    assert [level.get_ydata()[0] for level in levels] == list(LEVELS.values())
    labels = [text.get_text() for text in axes.get_legend().get_texts()]
    expected = ["training", "held-out: 2.500", "bz2 -9: 2.005", "xz -9e: 2.008"]
    assert labels == expected
    assert (axes.get_title(), axes.get_xlabel(), axes.get_ylabel()) == (
        "t",
        "seconds of training",
        "bits",
    )
    bottom, top = axes.get_ylim()
    assert bottom < min(LEVELS.values())
    assert max(*HELD_OUT[1], BITS[-1]) < top < max(BITS) + 0.5
    assert axes.get_xlim()[1] >= SECONDS[-1]


def test_a_curve_alone_is_enough() -> None:
    (axes,) = plot.loss_curve((SECONDS, BITS)).axes
    assert len(axes.get_lines()) == 1
    assert axes.get_ylim()[0] < min(BITS) < max(BITS) < axes.get_ylim()[1]


@pytest.mark.parametrize("losses", [[500.0, 3.0, -1.0], [500.0, 3.0, 0.5], [2.0]])
def test_every_point_is_in_sight(losses: list[float]) -> None:
    updates = list(range(1, len(losses) + 1))
    (axes,) = plot.loss_curve((updates, losses), (updates[-1:], [0.4])).axes
    (left, right), (bottom, top) = axes.get_xlim(), axes.get_ylim()
    assert left < updates[0] <= updates[-1] < right
    assert bottom < min(*losses, 0.4) <= max(losses) < top
    assert axes.get_yscale() == ("log" if len(losses) == 3 and min(losses) > 0 else "linear")
    assert axes.get_lines()[0].get_marker() == "o"  # a line would not show a point alone


def test_a_history_is_drawn_over_the_updates() -> None:
    records: list[dict[str, float | None]] = [
        {"update": 5, "loss": 3.0}, {"update": 10, "loss": 2.0},
        {"update": 10, "validation_loss": 2.5},
    ]  # fmt: skip
    history = History(records)
    (axes,) = plot.loss_curve(history).axes
    train, held_out = axes.get_lines()
    np.testing.assert_array_equal(train.get_xydata(), [[5, 3], [10, 2]])
    np.testing.assert_array_equal(held_out.get_xydata(), [[10, 2.5]])
    assert axes.get_xlabel() == "updates"
    with pytest.raises(TypeError, match="held_out must be left out"):
        plot.loss_curve(history, HELD_OUT)


def test_bad_input_is_refused() -> None:
    with pytest.raises(ValueError, match="held_out must hold two sequences of one length"):
        plot.loss_curve((SECONDS, BITS), ([1.0], []))
    with pytest.raises(ValueError, match=r"train must hold two sequences .*got shapes \(\), \(\)"):
        plot.loss_curve([1.0, 2.0])
    with pytest.raises(ValueError, match="train must hold at least one point"):
        plot.loss_curve(([], []))


def test_missing_matplotlib_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(ImportError, match=r'pip install "fastrnn\[plot\]"'):
        plot.loss_curve((SECONDS, BITS))
