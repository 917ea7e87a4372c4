"""Why: what a picture shows must be the numbers that were given, in the right panel and place."""

import numpy as np
import pytest

import fastrnn
from fastrnn import plot


def test_curves_hold_their_numbers_and_leave_gaps() -> None:
    figure = plot.curves({"a": [1, 2, np.nan, -1], "b": [3.0]}, title="t", xlabel="x", log=True)
    (axes,) = figure.axes
    first, second = axes.get_lines()
    np.testing.assert_array_equal(first.get_ydata(), [1, 2, np.nan, np.nan])
    np.testing.assert_array_equal(second.get_xydata(), [[0, 3]])
    assert (first.get_marker(), second.get_marker()) == ("None", "o")  # a line of one is a point
    assert [text.get_text() for text in axes.get_legend().get_texts()] == ["a", "b"]
    assert (axes.get_title(), axes.get_xlabel(), axes.get_yscale()) == ("t", "x", "log")
    (axes,) = plot.curves({"a": [1, -1]}).axes
    np.testing.assert_array_equal(axes.get_lines()[0].get_ydata(), [1, -1])


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


def test_one_sequence_needs_no_row() -> None:
    gates = np.random.default_rng(0).random((6, 4, 3))
    image = plot.gate_activations(gates).axes[2].get_images()[0]
    np.testing.assert_array_equal(image.get_array(), gates[:, 2].T)


def test_bad_input_is_refused() -> None:
    with pytest.raises(TypeError, match="named must be a dict of curves by name, got list"):
        plot.curves([1, 2])
    with pytest.raises(ValueError, match="at least one curve"):
        plot.curves({})
    with pytest.raises(ValueError, match=r"a must have shape \(n,\)"):
        plot.curves({"a": [[1]]})
    with pytest.raises(ValueError, match="gates must have shape"):
        plot.gate_activations(np.zeros((3, 2, 2, 4)))
    with pytest.raises(ValueError, match=r"row must lie in 0\.\.1"):
        plot.gate_activations(np.zeros((3, 2, 4, 4)), row=2)
