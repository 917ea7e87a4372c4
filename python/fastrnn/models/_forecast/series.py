"""Series of numbers as people have them, and the forecast of one: samples of its next steps."""

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from fastrnn._checks import FLOAT64, Array


class Given(NamedTuple):
    """Series that were given, and the form in which the answer is.

    Attributes
    ----------
    values : list of ndarray of float64, (T_i,)
    names : list
        Of the series: columns of a DataFrame, else numbers.
    indices : list
        Of each series what pandas calls its index, None where there is none.
    one : bool
        Whether it was one series alone.
    """

    values: list[Array]
    names: list[Any]
    indices: list[Any]
    one: bool


def given(series: Any, *, counts: bool) -> Given:
    """Return series as arrays.

    Parameters
    ----------
    series : array_like (T,) or (n, T); list of (T_i,); Series; DataFrame, a column each
    counts : bool
        Whether they must be whole numbers of at least 0.

    Raises
    ------
    TypeError, ValueError
        They are something else; the message names the series.
    """
    if hasattr(series, "columns"):
        names, index = list(series.columns), [series.index] * series.shape[1]
        parts = [series.iloc[:, k].to_numpy() for k in range(series.shape[1])]
        one = False
    elif hasattr(series, "iloc"):
        names, index, parts, one = [series.name], [series.index], [series.to_numpy()], True
    elif isinstance(series, (list, tuple)) and len(series) and np.ndim(series[0]) == 1:
        parts = [part.to_numpy() if hasattr(part, "iloc") else np.asarray(part) for part in series]
        index = [getattr(part, "index", None) if hasattr(part, "iloc") else None for part in series]
        names, one = list(range(len(parts))), False
    else:
        whole = np.asarray(series)
        if whole.ndim not in (1, 2):
            raise ValueError(f"series must have shape (T,) or (n, T), got {whole.shape}")
        one = whole.ndim == 1
        parts = [whole] if one else list(whole)
        names, index = list(range(len(parts))), [None] * len(parts)
    if not parts:
        raise ValueError("series must hold at least one series, got none")
    values = [_values(name, part, counts) for name, part in zip(names, parts, strict=True)]
    for name, each in zip(names, index, strict=True):
        if each is not None and not each.is_unique:
            twice = each[each.duplicated()][0]
            raise ValueError(f"series {name!r} must have an index without doubles, got {twice}")
    return Given(values, names, index, one)


def _values(name: Any, part: Any, counts: bool) -> Array:
    """Return one series as float64."""
    if part.ndim != 1 or part.dtype.kind not in "fiub":
        raise TypeError(f"series {name!r} must be numbers (T,), got {part.dtype} {part.shape}")
    if len(part) < 2:
        raise ValueError(f"series {name!r} must have at least two values, got {len(part)}")
    values: Array = part.astype(FLOAT64)
    lost = np.flatnonzero(~np.isfinite(values))
    if len(lost):
        raise ValueError(f"series {name!r} must be finite, got {values[lost[0]]} at {lost[0]}")
    if counts and ((values < 0) | (values != np.floor(values))).any():
        raise ValueError(f"series {name!r} must be counts, whole numbers of at least 0")
    return values


def covariates_of(covariates: Any, series: Given, columns: int, further: int) -> list[Array]:
    """Return the covariates of each series, (T_i + further, C), further steps ahead included.

    Raises
    ------
    TypeError, ValueError
        There are none where there must be some, or too few; the message names the series.
    """
    if not columns:
        if covariates is not None:
            raise ValueError("covariates were given to a Forecaster made with covariates=0")
        return [np.empty((len(part) + further, 0)) for part in series.values]
    if covariates is None:
        raise ValueError(f"covariates must be given to a Forecaster made with {columns} of them")
    parts = [covariates] if series.one else list(covariates)
    if len(parts) != len(series.values):
        raise ValueError(f"covariates must be of {len(series.values)} series, got {len(parts)}")
    result = []
    for name, part, values in zip(series.names, parts, series.values, strict=True):
        array = np.asarray(part)
        if array.ndim != 2 or array.shape[1] != columns or array.dtype.kind not in "fiub":
            raise ValueError(
                f"covariates of series {name!r} must be numbers (T, {columns}), got {array.dtype} "
                f"{array.shape}"
            )
        if len(array) < len(values) + further:
            raise ValueError(
                f"covariates of series {name!r} end before the horizon: it has {len(values)} "
                f"values and {further} to come, and they {len(array)} rows"
            )
        if not np.isfinite(array).all():
            raise ValueError(f"covariates of series {name!r} must be finite")
        result.append(array[: len(values) + further].astype(FLOAT64))
    return result


def continued(name: Any, index: Any, horizon: int) -> Any:
    """Return the index of the next `horizon` steps; None where there is none.

    Raises
    ------
    ValueError
        Its steps are not alike, so that nobody knows how it goes on.
    """
    if index is None:
        return None
    import pandas as pd

    if isinstance(index, pd.PeriodIndex):
        return pd.period_range(index[-1] + 1, periods=horizon, freq=index.freq)
    if isinstance(index, pd.DatetimeIndex):
        freq = index.freq or (pd.infer_freq(index) if len(index) > 2 else None)
        if freq is not None:
            return pd.date_range(index[-1], periods=horizon + 1, freq=freq)[1:]
    elif index.dtype.kind in "iuf":
        steps = np.diff(index.to_numpy())
        if (steps == steps[0]).all():
            return pd.Index(index[-1] + steps[0] * np.arange(1, horizon + 1))
    raise ValueError(
        f"series {name!r} must have an index with equal steps, so that it can be continued"
    )


@dataclass(frozen=True)
class Forecast:
    """Samples of the next steps of one series.

    Attributes
    ----------
    samples : ndarray, (S, horizon)
        Each row is one way in which it may go on.
    index : Index of pandas or None, (horizon,)
        When, where the series had an index.
    name : object
        Of the series.

    Examples
    --------
    >>> import numpy as np
    >>> from fastrnn.models import Forecast
    >>> forecast = Forecast(np.array([[1.0, 2.0], [3.0, 6.0]]))
    >>> forecast.mean, forecast.quantile(0.5)
    (array([2., 4.]), array([2., 4.]))
    """

    samples: Array
    index: Any = None
    name: Any = None

    @property
    def mean(self) -> Array:
        """The mean of the samples, (horizon,)."""
        result: Array = self.samples.mean(axis=0)
        return result

    def quantile(self, q: ArrayLike) -> Array:
        """Return below which value each step stays with probability q.

        Parameters
        ----------
        q : float, or array_like (k,)
            In 0..1.

        Returns
        -------
        ndarray, (horizon,), or (k, horizon)

        Raises
        ------
        TypeError, ValueError
            q is no number, or outside of 0..1.
        """
        try:
            levels = np.asarray(q, np.float64)
        except (TypeError, ValueError):
            raise TypeError(f"q must be a number or several, got {q!r}") from None
        if not ((levels >= 0) & (levels <= 1)).all():
            raise ValueError(f"q must lie in 0..1, got {q!r}")
        result: Array = np.quantile(self.samples, levels, axis=0)
        return result
