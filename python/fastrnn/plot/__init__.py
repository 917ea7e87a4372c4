"""Pictures of numbers that are tested elsewhere; matplotlib loads on first use."""

import io
import os
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from fastrnn.plot._attention import attention
from fastrnn.plot._comparisons import bars, curves, gradient_norms, level_lines
from fastrnn.plot._forecast import forecast
from fastrnn.plot._gates import gate_activations
from fastrnn.plot._latent import image_grid, latent_map
from fastrnn.plot._matplotlib import require_matplotlib
from fastrnn.plot._words import word_map

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from fastrnn.train import History

__all__ = [
    "attention",
    "bars",
    "curves",
    "forecast",
    "gate_activations",
    "gradient_norms",
    "image_grid",
    "latent_map",
    "loss_curve",
    "require_matplotlib",
    "save",
    "word_map",
]


_FEW = 40  # points, each of which gets a mark: a line would not show one that stands alone


def loss_curve(
    train: "History | tuple[Sequence[float], Sequence[float]]",
    held_out: tuple[Sequence[float], Sequence[float]] = ((), ()),
    *,
    levels: Mapping[str, float] | None = None,
    title: str = "",
    xlabel: str | None = None,
    ylabel: str = "loss",
) -> "Figure":
    """Draw how a loss fell: every point that is given.

    Parameters
    ----------
    train : History, or (x, y), two sequences of floats of one length
        What a training returns, of which the losses over the updates are drawn, or the training
        loss. A line, with a mark at each point where there are few.
    held_out : (x, y), two sequences of floats of one length
        The loss on held-out data, drawn as points; a `History` has its own.
    levels : dict of str to float, optional
        Losses to compare with, drawn as labelled horizontal lines.
    title, xlabel, ylabel : str
        What is written above and beside the picture; xlabel by default "updates" for a `History`,
        else "seconds of training".

    Returns
    -------
    matplotlib.figure.Figure
        `save` writes it.

    Raises
    ------
    ImportError
        matplotlib is missing; the message says how to get it.
    TypeError
        There are a History and held_out.
    ValueError
        x and y differ in length, or there is nothing to draw.

    Notes
    -----
    Positive losses that span more than a factor of ten stand on a logarithmic axis: the first few
    updates would otherwise press all the rest together.

    Examples
    --------
    >>> from fastrnn.plot import loss_curve
    >>> figure = loss_curve(([1, 2, 3], [4.0, 3.0, 2.5]), ([3], [2.6]), levels={"bz2": 2.0})
    >>> [label.get_text() for label in figure.axes[0].get_legend().get_texts()]
    ['training', 'held-out: 2.600', 'bz2: 2']
    """
    if isinstance(train, tuple | list):
        xlabel = "seconds of training" if xlabel is None else xlabel
    else:
        if len(held_out[0]):
            raise TypeError("held_out must be left out where train is a History, which has its own")
        history, train = train, train.column("loss")
        held_out = history.column("validation_loss")
        xlabel = "updates" if xlabel is None else xlabel
    for name, (x, y) in {"train": train, "held_out": held_out}.items():
        shapes = np.shape(x), np.shape(y)
        if len(shapes[0]) != 1 or shapes[0] != shapes[1]:
            raise ValueError(
                f"{name} must hold two sequences of one length, got shapes {shapes[0]}, {shapes[1]}"
            )
    if not len(train[0]):
        raise ValueError("train must hold at least one point, got none")
    levels = levels or {}
    figure = require_matplotlib()(figsize=(8, 4.5), dpi=120, layout="constrained")
    axes = figure.add_subplot()
    few = "o" if len(train[0]) <= _FEW else ""
    axes.plot(*train, color="tab:blue", marker=few, markersize=3, label="training")
    if len(held_out[0]):
        label = f"held-out: {held_out[1][-1]:.3f}"
        axes.plot(*held_out, "o", color="tab:red", markersize=5, label=label)
    level_lines(levels, axes.axhline)
    drawn = np.array([*train[1], *held_out[1], *levels.values()], np.float64)
    drawn = drawn[np.isfinite(drawn)]
    if len(drawn) and drawn.min() > 0 and drawn.max() > 10 * drawn.min():
        axes.set_yscale("log")
    axes.set(title=title, xlabel=xlabel, ylabel=ylabel)
    axes.grid(alpha=0.25)
    axes.legend(frameon=False)
    return figure


def save(figure: "Figure", path: str | os.PathLike[str]) -> None:
    """Write a figure to a PNG file, which is there whole or is the old one.

    Parameters
    ----------
    figure : matplotlib.figure.Figure
        What the other functions here return.
    path : path
        The file; its folder must exist.

    Raises
    ------
    OSError
        The file could not be written.

    Examples
    --------
    >>> from fastrnn import plot
    >>> plot.save(plot.loss_curve(([1, 2], [4.0, 3.0])), "loss.png")
    """
    from fastrnn.io._files import atomic_write

    picture = io.BytesIO()
    figure.savefig(picture, format="png")
    with atomic_write(path) as file:
        file.write(picture.getvalue())
