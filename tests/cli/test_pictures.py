"""Why: what a picture shows must be the numbers that were given, in the right panel and place."""

from typing import Any

import numpy as np
import pytest

import fastrnn
from fastrnn import plot


def test_curves_hold_their_numbers_and_leave_gaps() -> None:
    figure = plot.curves({"a": [1, 2, np.nan, -1], "b": [3.0] + 3 * [-1]}, title="t", log=True)
    (axes,) = figure.axes
    first, second = axes.get_lines()
    np.testing.assert_array_equal(first.get_ydata(), [1, 2, np.nan, np.nan])
    np.testing.assert_array_equal(second.get_xydata()[0], [0, 3])
    assert (first.get_marker(), second.get_marker()) == ("None", "o")  # a line of one is a point
    assert legend(axes) == ["a", "b"]
    assert (figure.get_suptitle(), axes.get_yscale()) == ("t", "log")
    (axes,) = plot.curves({"a": [1, -1]}, title="t", xlabel="x").axes
    np.testing.assert_array_equal(axes.get_lines()[0].get_ydata(), [1, -1])
    assert axes.get_xlabel() == "x"


def legend(axes: Any) -> list[str]:
    """What the legend of a panel says."""
    return [text.get_text() for text in axes.get_legend().get_texts()]


def test_runs_are_a_mean_in_a_band_and_smoothing_looks_back() -> None:
    runs = np.array([[1.0, 3, 5], [3, 5, 7]])
    (axes,) = plot.curves({"a": runs}, title="t", x=[10, 20, 40], smooth=2).axes
    np.testing.assert_array_equal(axes.get_lines()[0].get_xydata(), [[10, 2], [20, 3], [40, 5]])
    (band,) = axes.collections
    corners = band.get_paths()[0].vertices
    for x, low, high in ((10, 1, 3), (20, 2, 4), (40, 4, 6)):
        assert set(corners[corners[:, 0] == x, 1]) == {low, high}
    assert not plot.curves({"a": runs}, title="t", band=False).axes[0].collections


def test_levels_are_named_lines_and_the_legend_hides_no_curve() -> None:
    figure = plot.curves({"a": [1.0, 0.2]}, title="t", levels={"chance": 0.25})
    (axes,) = figure.axes
    np.testing.assert_array_equal(axes.get_lines()[1].get_ydata(), [0.25, 0.25])
    assert legend(axes) == ["a", "chance: 0.25"]
    figure.draw_without_rendering()
    assert axes.get_legend().get_window_extent().y1 < axes.get_window_extent().y0


def test_every_task_has_its_panel() -> None:
    named = {"adding": {"LSTM": [1.0, 2.0]}, "order": {"LSTM": [3.0, 4.0], "GRU": [5.0, 6.0]}}
    figure = plot.curves(
        named, title="both", levels={"order": {"chance": 2.5}}, ylabel={"adding": "error"}
    )
    assert [axes.get_title() for axes in figure.axes] == ["adding", "order"]
    assert [axes.get_ylabel() for axes in figure.axes] == ["error", ""]
    assert [legend(axes) for axes in figure.axes] == [["LSTM"], ["LSTM", "GRU", "chance: 2.5"]]
    assert figure.get_suptitle() == "both"


def test_bars_are_means_with_their_deviation_and_every_run() -> None:
    (axes,) = plot.bars(
        {"a": [1.0, 3.0], "b": [5.0]}, title="t", levels={"chance": 4.0}, xlabel="nats"
    ).axes
    assert [bar.get_width() for bar in axes.patches] == [2, 5]
    spread = axes.collections[0].get_segments()[0]
    np.testing.assert_allclose(spread[:, 0], [2 - 2**0.5, 2 + 2**0.5])
    dots = [line.get_xdata() for line in axes.get_lines() if line.get_marker() == "o"]
    np.testing.assert_array_equal(np.concatenate(dots), [1, 3, 5])
    assert [label.get_text() for label in axes.get_yticklabels()] == ["a", "b"]
    assert (legend(axes), axes.get_xlabel()) == (["chance: 4"], "nats")


def test_three_panels_stand_one_below_the_other_each_with_its_names_and_unit() -> None:
    units = {"time": "ms", "size": "MB", "error": "nats"}
    named = {panel: {"a": [1.0], "b": [2.0]} for panel in units}
    figure = plot.bars(named, title="t", xlabel=units)
    assert [axes.get_xlabel() for axes in figure.axes] == list(units.values())
    for axes in figure.axes:
        assert [label.get_text() for label in axes.get_yticklabels()] == ["a", "b"]
    figure.draw_without_rendering()
    places = [axes.get_window_extent() for axes in figure.axes]
    assert places[0].y0 > places[1].y1 > places[1].y0 > places[2].y1
    assert len({place.x0 for place in places}) == 1


def test_no_word_of_a_map_hides_another() -> None:
    words = ["triangle", "isosceles", "polygon", "river"]
    figure = plot.word_map(words, [[1, 0], [1, 0.004], [1, 0.02], [0, 1]])
    figure.draw_without_rendering()
    boxes = [text.get_window_extent() for text in figure.axes[0].texts]
    assert [box.count_overlaps(boxes) for box in boxes] == [1] * 4  # itself


def test_gradient_norms_are_drawn_over_the_lag() -> None:
    norms = 0.9 ** np.arange(30)
    (axes,) = plot.gradient_norms({"vanishes": norms}).axes
    np.testing.assert_array_equal(axes.get_lines()[0].get_xydata(), np.stack([range(30), norms], 1))
    assert axes.get_yscale() == "log"


@pytest.mark.parametrize(("kind", "names"), [("LSTM", "ifgo"), ("GRU", "rzn"), ("RNN", "h")])
def test_every_gate_has_its_panel(kind: str, names: str) -> None:
    rng = np.random.default_rng(0)
    G, x = len(names), rng.standard_normal((7, 2, 3))
    w_ih, w_hh = rng.standard_normal((G * 5, 3)), rng.standard_normal((G * 5, 5))
    _, _, tape = getattr(fastrnn, f"{kind.lower()}_forward")(x, w_ih, w_hh)
    figure = plot.gate_activations(tape.gates, row=1, title="gates")
    panels = [axes for axes in figure.axes if axes.get_ylabel().startswith("gate ")]
    assert [axes.get_ylabel() for axes in panels] == [f"gate {name}" for name in names]
    for g, axes in enumerate(panels):
        (image,) = axes.get_images()
        np.testing.assert_array_equal(image.get_array(), tape.gates[:, 1, g].T)
        assert image.get_clim() == (-1, 1)
    assert panels[0].get_title() == "gates"


def test_one_sequence_needs_no_row_and_stands_under_its_symbols() -> None:
    gates = np.random.default_rng(0).random((6, 4, 3))
    figure = plot.gate_activations(gates, symbols="BTXSEE")
    np.testing.assert_array_equal(figure.axes[2].get_images()[0].get_array(), gates[:, 2].T)
    (above,) = figure.axes[0].child_axes
    assert [label.get_text() for label in above.get_xticklabels()] == list("BTXSEE")


def test_bad_input_is_refused() -> None:
    with pytest.raises(TypeError, match="title"):
        plot.curves({"a": [1]})  # type: ignore[call-arg]
    for draw in (plot.curves, plot.bars):
        with pytest.raises(TypeError, match="named must be a dict of arrays by name, got list"):
            draw([1, 2], title="t")  # type: ignore[operator]
        with pytest.raises(TypeError, match="arrays by name or dicts of them"):
            draw({"a": [1], "b": {"c": [1]}}, title="t")  # type: ignore[operator]
        for empty in ({}, {"panel": {}}):
            with pytest.raises(ValueError, match="at least one array"):
                draw(empty, title="t")  # type: ignore[operator]
    for wrong, message in (
        ({"named": {"a": [[[1]]]}}, r"a must have shape \(n,\) or \(K, n\)"),
        ({"x": [1, 2]}, r"x must have shape \(3,\) as a, got \(2,\)"),
        ({"smooth": 0}, "smooth must be at least 1"),
    ):
        with pytest.raises(ValueError, match=message):
            plot.curves(**{"named": {"a": [1, 2, 3]}, "title": "t", **wrong})  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="band must be True or False"):
        plot.curves({"a": [1]}, title="t", band="sd")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=r"a must have shape \(K,\)"):
        plot.bars({"a": [[1]]}, title="t")
    with pytest.raises(ValueError, match="symbols must be 3"):
        plot.gate_activations(np.zeros((3, 2, 4, 4)), symbols="BT")
    with pytest.raises(ValueError, match="gates must have shape"):
        plot.gate_activations(np.zeros((3, 2, 2, 4)))
    with pytest.raises(ValueError, match=r"row must lie in 0\.\.1"):
        plot.gate_activations(np.zeros((3, 2, 4, 4)), row=2)
