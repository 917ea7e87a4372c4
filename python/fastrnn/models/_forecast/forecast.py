"""Forecast: what may come, as samples of the next steps of one series."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from fastrnn._checks import Array


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
        ValueError
            q is outside of 0..1.
        """
        levels = np.asarray(q, np.float64)
        if not ((levels >= 0) & (levels <= 1)).all():
            raise ValueError(f"q must lie in 0..1, got {q!r}")
        result: Array = np.quantile(self.samples, levels, axis=0)
        return result
