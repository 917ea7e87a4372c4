"""Named results side by side: curves over an axis, and bars with the spread of several runs."""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fastrnn._checks import flag, integer
from fastrnn.plot._matplotlib import families, require_matplotlib

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Named = Mapping[str, ArrayLike] | Mapping[str, Mapping[str, ArrayLike]]
Levels = Mapping[str, float] | Mapping[str, Mapping[str, float]]
Label = str | Mapping[str, str]  # of all panels, or by panel
Arrays = dict[str, NDArray[np.float64]]


def curves(
    named: Named,
    *,
    title: str,
    x: ArrayLike | None = None,
    levels: Levels | None = None,
    band: bool = True,
    smooth: int = 1,
    xlabel: str = "",
    ylabel: Label = "",
    log: bool = False,
) -> "Figure":
    """Draw several curves over one axis, each with its name, or the mean and spread of its runs.

    Parameters
    ----------
    named : dict of str to array_like, (n,) or (K, n)
        One curve, or K runs, whose mean is drawn. Not finite numbers leave gaps; so do, if `log`,
        those that are not positive. A number between two gaps is a point. A dict of such dicts
        has one panel for each.
    title : str
    x : array_like or None, (n,)
        Where the values stand; None: at 0, 1, 2, …
    levels : dict of str to float, optional
        Values to compare with, drawn as named horizontal lines; a dict of dicts by panel.
    band : bool
        Shade from the lowest of K runs to the highest.
    smooth : int
        Each value becomes the mean of the last so many.
    xlabel, ylabel : str
        ylabel may be a dict by panel.
    log : bool
        Logarithmic y axis.

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    ImportError
        matplotlib is missing; the message says how to get it.
    TypeError
        named is no dict, or mixes curves and panels.
    ValueError
        There is no curve, one has another shape, or x another length.

    Examples
    --------
    >>> from fastrnn.plot import curves
    >>> figure = curves({"halved": [4, 2, 1]}, title="Halving", levels={"least": 1.0}, log=True)
    >>> figure.axes[0].get_yscale()
    'log'
    """
    smooth = integer("smooth", smooth, 1)
    band = flag("band", band)
    figure, panels = _panels(named, title, levels)
    for axes, panel, arrays, lines in panels:
        for i, (name, values) in enumerate(arrays.items()):
            if values.ndim not in (1, 2):
                raise ValueError(f"{name} must have shape (n,) or (K, n), got {values.shape}")
            runs = np.array([_smoothed(run, smooth) for run in np.atleast_2d(values)])
            mean = runs.mean(axis=0)
            places = np.arange(len(mean)) if x is None else np.asarray(x)
            if places.shape != mean.shape:
                raise ValueError(f"x must have shape {mean.shape} as {name}, got {places.shape}")
            shown = np.isfinite(mean) & ((mean > 0) | (not log))
            style = ("-", "--", "-.", ":")[i // 10 % 4]  # ten colours, then another kind of line
            beside = np.pad(shown, 1)
            points = np.flatnonzero(shown & ~beside[:-2] & ~beside[2:])  # no line would show them
            y = np.where(shown, mean, np.nan)
            line = axes.plot(places, y, style, label=name, linewidth=1.5)[0]
            if len(points):  # else the legend would show a mark that no curve has
                line.set(marker="o", markevery=points.tolist())
            if band and len(runs) > 1:
                ends, colour = (runs.min(axis=0), runs.max(axis=0)), line.get_color()
                axes.fill_between(places, *ends, where=shown, alpha=0.2, linewidth=0, color=colour)
        if log:
            axes.set_yscale("log")
        axes.set(xlabel=xlabel, ylabel=_of_panel(ylabel, panel))
        _finish(axes, lines, axes.axhline)
    return figure


def bars(
    named: Named, *, title: str, levels: Levels | None = None, xlabel: Label = "", log: bool = False
) -> "Figure":
    """Draw a bar for the mean of each result, its sample deviation, and a dot for every run.

    Parameters
    ----------
    named : dict of str to array_like, (K,)
        The K runs of each. A dict of such dicts has one panel for each.
    title : str
    levels : dict of str to float, optional
        Values to compare with, drawn as named lines; a dict of dicts by panel.
    xlabel : str
        What was measured, with its unit; may be a dict by panel.
    log : bool
        Logarithmic axis.

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    ImportError, TypeError, ValueError
        As for `curves`.

    Examples
    --------
    >>> from fastrnn.plot import bars
    >>> figure = bars({"LSTM": [0.9, 1.0], "GRU": [0.8]}, title="Right answers")
    >>> [text.get_text() for text in figure.axes[0].texts]  # the means
    ['0.95', '0.8']
    """
    figure, panels = _panels(named, title, levels, row=0.45)
    names: list[str] = []
    for axes, panel, arrays, lines in panels:
        for i, (name, runs) in enumerate(arrays.items()):
            if runs.ndim != 1 or not len(runs):
                raise ValueError(f"{name} must have shape (K,) with K >= 1, got {runs.shape}")
            mean, spread = runs.mean(), runs.std(ddof=1) if len(runs) > 1 else None
            axes.barh(i, mean, xerr=spread, color=f"C{i % 10}", alpha=0.7, capsize=4)
            axes.plot(runs, np.full(len(runs), i), "o", color="0.2", markersize=3)
            beside = axes.get_yaxis_transform()
            axes.text(1.01, i, f"{mean:.3g}", transform=beside, va="center", fontsize=8)
        first = axes.get_subplotspec().is_first_col()  # type: ignore[union-attr]
        named_before = list(arrays) == names and not first  # in the panel to the left
        names = list(arrays)
        axes.set_yticks(range(len(names)), labels=[] if named_before else names)
        axes.invert_yaxis()
        if log:
            axes.set_xscale("log")
            axes.margins(x=0.3)
        axes.set(xlabel=_of_panel(xlabel, panel))
        _finish(axes, lines, axes.axvline)
    return figure


def gradient_norms(norms: Named, *, title: str = "") -> "Figure":
    """Draw how gradients vanish, stay or explode on their way back through time.

    Parameters
    ----------
    norms : dict of str to array_like, (n,)
        ‖∂L/∂h_(T−k)‖ for the lags k = 0, 1, …, by name of the network; a dict of such dicts has
        one panel for each.
    title : str

    Returns
    -------
    matplotlib.figure.Figure
        The norms on a logarithmic axis: what vanishes exponentially is a falling straight line.

    Raises
    ------
    ImportError, ValueError
        As for `curves`.

    References
    ----------
    Bengio et al., "Learning long-term dependencies with gradient descent is difficult", 1994.

    Examples
    --------
    >>> from fastrnn.plot import gradient_norms
    >>> gradient_norms({"vanishes": [1, 0.5, 0.25]}).axes[0].get_xlabel()
    'lag k'
    """
    return curves(norms, title=title, xlabel="lag k", ylabel="‖∂L/∂h(T−k)‖", log=True)


def _by_panel(named: Any) -> dict[str, Arrays]:
    """Return the arrays of each panel; of a dict without panels, one without a name."""
    if not isinstance(named, Mapping):
        raise TypeError(f"named must be a dict of arrays by name, got {type(named).__name__}")
    nested = {isinstance(value, Mapping) for value in named.values()}
    if len(nested) > 1:
        raise TypeError("named must hold arrays by name or dicts of them, one a panel, not both")
    panels = named if True in nested else {"": named}
    if not panels or not all(panels.values()):
        raise ValueError("named must hold at least one array, and so must each panel, got none")
    return {
        panel: {name: np.asarray(values, np.float64) for name, values in arrays.items()}
        for panel, arrays in panels.items()
    }


def _panels(
    named: Any, title: str, levels: Any, row: float = 0.0
) -> tuple["Figure", Iterator[tuple["Axes", str, Arrays, Mapping[str, float]]]]:
    """Return a figure, as high as its rows, and of each panel axes, name, arrays and levels."""
    contents, levels = _by_panel(named), levels or {}
    count = len(contents)
    down, across = (1, count) if count < 3 else (count, 1)  # three side by side could not be read
    high = 1.6 + row * max(map(len, contents.values())) if row else 4.5 if down == 1 else 3.2
    size = 8 if across == 1 else 5 * across, high * down
    figure = require_matplotlib()(figsize=size, dpi=120, layout="constrained")
    figure.suptitle(title, fontfamily=families())
    axes = figure.subplots(down, across, squeeze=False).ravel().tolist()
    for one, panel in zip(axes, contents, strict=True):
        one.set_title(panel, fontsize=10)
    nested = any(isinstance(level, Mapping) for level in levels.values())
    lines = [levels.get(panel, {}) if nested else levels for panel in contents]
    return figure, zip(axes, contents, contents.values(), lines, strict=True)


def _of_panel(label: Label, panel: str) -> str:
    return label.get(panel, "") if isinstance(label, Mapping) else label


def _smoothed(values: NDArray[np.float64], window: int) -> NDArray[np.float64]:
    """Return the mean of each value and of those before it, `window` at most together."""
    if window == 1:
        return values
    sums = np.convolve(values, np.ones(window))[: len(values)]
    return sums / np.minimum(np.arange(1, len(values) + 1), window)


def level_lines(levels: Mapping[str, float], draw: Any) -> None:
    """Draw levels by ``axes.axhline`` or ``axes.axvline``, each with its name and value."""
    for i, (name, level) in enumerate(levels.items()):
        style = ("--", ":", "-.")[i % 3]
        label = f"{name}: {level:.4g}"
        draw(level, color="0.35", linestyle=style, linewidth=1.2, label=label)


def _finish(axes: "Axes", levels: Mapping[str, float], draw: Any) -> None:
    """Draw the levels and the grid, and a legend under the axes, where it hides no curve."""
    level_lines(levels, draw)
    axes.grid(alpha=0.25)
    if axes.get_legend_handles_labels()[1]:
        axes.legend(
            loc="upper center", bbox_to_anchor=(0.5, 0), borderaxespad=4, fontsize=9,
            ncols=3 if len(axes.figure.axes) == 1 else 2, frameon=False,
        )  # fmt: skip
