"""A forecast after its history: the mean, and bands in which a share of the samples lies."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from fastrnn.plot._matplotlib import require_matplotlib

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def forecast(
    history: ArrayLike,
    forecast: Any,
    *,
    bands: Sequence[float] = (0.5, 0.9),
    actual: ArrayLike | None = None,
    last: int | None = None,
    title: str = "",
) -> "Figure":
    """Draw a series, the mean of what may come, and bands around it.

    Parameters
    ----------
    history : array_like, (T,)
        The values before; of a pandas Series the index is drawn, too, if the forecast has one.
    forecast : fastrnn.models.Forecast
        Of `horizon` steps.
    bands : sequence of float
        Shares of the samples, within 0..1: each band has as many samples above as below it.
    actual : array_like or None, (horizon,)
        What came, drawn as points.
    last : int or None
        How many values of the history are drawn; None: three times the horizon, at least 50.
    title : str

    Returns
    -------
    matplotlib.figure.Figure
        `save` writes it.

    Raises
    ------
    ImportError
        matplotlib is missing; the message says how to get it.
    ValueError
        history or actual have another shape, or a band is outside of 0..1.

    Examples
    --------
    >>> import numpy as np
    >>> from fastrnn.models import Forecast
    >>> from fastrnn.plot import forecast
    >>> figure = forecast([1, 2, 3], Forecast(np.array([[4.0, 5.0], [4.0, 7.0]])))
    >>> figure.axes[0].get_lines()[1].get_ydata().tolist()
    [4.0, 6.0]
    """
    values = np.asarray(history, np.float64)
    mean = forecast.mean
    horizon = len(mean)
    if values.ndim != 1 or not len(values):
        raise ValueError(f"history must have shape (T,) with T >= 1, got {values.shape}")
    came = None if actual is None else np.asarray(actual, np.float64)
    if came is not None and came.shape != (horizon,):
        raise ValueError(f"actual must have shape ({horizon},), got {came.shape}")
    if not all(0 < band < 1 for band in bands):
        raise ValueError(f"bands must lie within 0..1, got {list(bands)}")
    shown = min(len(values), max(50, 3 * horizon) if last is None else last)
    index: Any = getattr(history, "index", None)
    dated = forecast.index is not None and index is not None
    if dated:
        before, after = index[len(values) - shown :], forecast.index
    else:
        before, after = np.arange(-shown + 1, 1), np.arange(1, horizon + 1)
    figure = require_matplotlib()(figsize=(8, 4.5), dpi=120, layout="constrained")
    axes = figure.add_subplot()
    axes.plot(before, values[len(values) - shown :], color="0.3", label="history")
    axes.plot(after, mean, color="tab:blue", label="mean")
    for band in sorted(bands, reverse=True):
        low, high = forecast.quantile([0.5 - band / 2, 0.5 + band / 2])
        axes.fill_between(
            after, low, high, color="tab:blue", alpha=0.2, linewidth=0, label=f"{band:.0%}"
        )
    if came is not None:
        axes.plot(after, came, "o", color="tab:red", markersize=3, label="what came")
    axes.set(title=title, xlabel="" if dated else "steps from the end of the history")
    axes.grid(alpha=0.25)
    axes.legend(frameon=False)
    return figure
