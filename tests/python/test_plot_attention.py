"""The attention map: what is drawn is what was given, and bad input is refused."""

import numpy as np
import pytest

from fastrnn import plot
from fastrnn.plot import _matplotlib

pytest.importorskip("matplotlib")


def test_what_is_drawn_is_what_was_given() -> None:
    weights = np.array([[0.9, 0.1, 0.0], [0.2, 0.3, 0.5]])
    (axes, *_) = plot.attention(weights, ["a", " ", "c"], ["x", "y"], title="t").axes
    (image,) = axes.get_images()
    np.testing.assert_array_equal(image.get_array(), weights)
    assert image.get_clim() == (0, 1)
    assert [label.get_text() for label in axes.get_xticklabels()] == ["a", "␣", "c"]
    assert [label.get_text() for label in axes.get_yticklabels()] == ["x", "y"]
    assert axes.get_title() == "t"
    (axes, *_) = plot.attention(np.full((1, 200), 0.005)).axes
    assert axes.get_xlim() == (-0.5, 199.5)


@pytest.mark.parametrize(
    ("weights", "names", "match"),
    [
        (np.zeros(3), (), r"\(T, S\), got \(3,\)"),
        (np.zeros((0, 3)), (), r"\(T, S\)"),
        ([[1.5]], (), "in 0..1"),
        ([[np.nan]], (), "in 0..1"),
        ([[0.5]], ("ab",), "source must have 1 names as weights, got 2"),
        ([[0.5]], ("a", "bc"), "target must have 1 names as weights, got 2"),
    ],
)
def test_bad_input(weights: object, names: tuple[str, ...], match: str) -> None:
    with pytest.raises(ValueError, match=match):
        plot.attention(weights, *names)


def test_letters_that_no_font_has_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_matplotlib, "_WIDE", ())
    assert _matplotlib.families() == ["DejaVu Sans"]
    assert _matplotlib.boxes("naïve 日本 day") == "日本"
    assert _matplotlib.boxes("") == ""
    # A font that is there is used for what the first one lacks.
    monkeypatch.setattr(_matplotlib, "_WIDE", ("No Such Font", "STIXGeneral", "DejaVu Serif"))
    assert _matplotlib.families() == ["DejaVu Sans", "STIXGeneral"]
