"""How good forecasts are: MASE, sMAPE, and CRPS of samples."""

import numpy as np
from numpy.typing import ArrayLike

from fastrnn._checks import FLOAT64, Array, integer


def _series(name: str, value: ArrayLike) -> Array:
    array = np.asarray(value, FLOAT64)
    if array.ndim != 1 or not len(array):
        raise ValueError(f"{name} must have shape (T,) with T >= 1, got {array.shape}")
    return array


def _pair(actual: ArrayLike, forecast: ArrayLike) -> tuple[Array, Array]:
    a, f = _series("actual", actual), _series("forecast", forecast)
    if a.shape != f.shape:
        raise ValueError(f"forecast must have shape {a.shape} as actual has, got {f.shape}")
    return a, f


def seasonal_error(history: ArrayLike, season: int = 1) -> float:
    """Return the mean absolute error of the seasonal naive forecast inside of a series.

    Parameters
    ----------
    history : array_like, (T,)
    season : int
        m, steps of a season: y(t) is forecast by y(t − m).

    Returns
    -------
    float

    Raises
    ------
    TypeError, ValueError
        history is no longer than a season.

    Examples
    --------
    >>> from fastrnn.metrics import seasonal_error
    >>> seasonal_error([1, 2, 4])
    1.5
    """
    values, m = _series("history", history), integer("season", season, 1)
    if len(values) <= m:
        raise ValueError(f"history must be longer than season = {m}, got {len(values)} values")
    return float(np.abs(values[m:] - values[:-m]).mean())


def mase(actual: ArrayLike, forecast: ArrayLike, history: ArrayLike, season: int = 1) -> float:
    """Return the mean absolute scaled error of a forecast.

    Parameters
    ----------
    actual, forecast : array_like, (h,)
    history : array_like, (T,)
        The values before, whose `seasonal_error` is the unit.
    season : int
        m, steps of a season.

    Returns
    -------
    float
        Infinite, or NaN for an exact forecast, where the history repeats itself exactly.

    Raises
    ------
    TypeError, ValueError
        The shapes do not fit.

    References
    ----------
    R. Hyndman, A. Koehler, "Another look at measures of forecast accuracy", 2006, section 3.

    Examples
    --------
    >>> from fastrnn.metrics import mase
    >>> mase([5, 6], [4, 6], history=[1, 2, 3, 4])
    0.5
    """
    a, f = _pair(actual, forecast)
    with np.errstate(divide="ignore", invalid="ignore"):
        return float(np.abs(a - f).mean() / np.float64(seasonal_error(history, season)))


def smape(actual: ArrayLike, forecast: ArrayLike) -> float:
    """Return the symmetric mean absolute percentage error of a forecast, 0..200.

    Parameters
    ----------
    actual, forecast : array_like, (h,)

    Returns
    -------
    float
        ``200·mean(|a − f| / (|a| + |f|))``; a step where both are 0 has no error.

    Raises
    ------
    ValueError
        The shapes do not fit.

    References
    ----------
    S. Makridakis et al., "The M4 Competition", 2020, section 3.

    Examples
    --------
    >>> from fastrnn.metrics import smape
    >>> smape([1, 2], [3, 2])
    50.0
    """
    a, f = _pair(actual, forecast)
    total = np.abs(a) + np.abs(f)
    return float(200 * (np.abs(a - f) / np.where(total > 0, total, 1)).mean())


def crps(actual: ArrayLike, samples: ArrayLike) -> float:
    """Return the continuous ranked probability score of samples, the mean over the steps.

    Parameters
    ----------
    actual : array_like, (h,)
    samples : array_like, (S, h)

    Returns
    -------
    float
        In the units of the values; of one sample the mean absolute error.

    Raises
    ------
    ValueError
        The shapes do not fit.

    Notes
    -----
    ``E|X − a| − ½·E|X − X′|`` over the samples, the second from the sorted ones.

    References
    ----------
    T. Gneiting, A. Raftery, "Strictly proper scoring rules", 2007, equation 21.

    Examples
    --------
    >>> from fastrnn.metrics import crps
    >>> crps([1.0], [[0.0], [2.0]])
    0.5
    """
    a, x = _series("actual", actual), np.asarray(samples, FLOAT64)
    if x.ndim != 2 or x.shape[1:] != a.shape or not len(x):
        raise ValueError(f"samples must have shape (S, {len(a)}), got {x.shape}")
    S = len(x)
    ordered = np.sort(x, axis=0)
    weights = (2 * np.arange(1, S + 1) - S - 1)[:, None]
    spread = (weights * ordered).sum(axis=0) / S**2
    return float((np.abs(x - a).mean(axis=0) - spread).mean())
