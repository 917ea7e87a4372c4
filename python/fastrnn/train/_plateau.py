"""A learning rate that depends on how a loss goes on, and so has a state."""

from collections.abc import Mapping
from math import inf
from typing import Any

import numpy as np

from fastrnn._checks import Array, integer, number


class ReduceOnPlateau:
    """A learning rate that falls when a loss has not become better for some time.

    Tell it every new loss by `observe`. What it remembers is part of the optimiser's `state_dict`.

    Parameters
    ----------
    lr : float
        At first.
    factor : float
        What the rate is multiplied by.
    patience : int
        How many losses in a row may be no better than the best one; the next one lowers the rate.
    threshold : float
        A loss is better if it is below ``best · (1 - threshold)``, or for a negative best below
        ``best · (1 + threshold)``.
    lowest : float
        The rate never falls below.

    Raises
    ------
    TypeError
        An argument is of the wrong type.
    ValueError
        A number is out of its range.

    Examples
    --------
    >>> from fastrnn.train import schedule
    >>> lr = schedule.ReduceOnPlateau(1.0, factor=0.5, patience=1)
    >>> for loss in (3.0, 2.0, 2.0, 2.0):
    ...     lr.observe(loss)
    >>> lr(0)
    0.5
    """

    def __init__(
        self,
        lr: float,
        *,
        factor: float = 0.1,
        patience: int = 10,
        threshold: float = 1e-4,
        lowest: float = 0.0,
    ) -> None:
        self._rate = number("lr", lr, 0)
        self._factor = number("factor", factor, 0, 1)
        self._patience = integer("patience", patience, 0)
        self._threshold = number("threshold", threshold, 0, 1)
        self._lowest = number("lowest", lowest, 0)
        self._best, self._bad = inf, 0

    def __call__(self, _: int) -> float:
        """Return the learning rate; the number of updates has no part in it."""
        return self._rate

    def observe(self, loss: float) -> None:
        """Take note of a loss, lower being better; NaN is no better than any.

        Parameters
        ----------
        loss : float

        Examples
        --------
        >>> from fastrnn.train import schedule
        >>> schedule.ReduceOnPlateau(0.1).observe(2.5)
        """
        loss = float(loss)
        if loss < self._best - self._threshold * abs(self._best if self._best < inf else 0.0):
            self._best, self._bad = loss, 0
            return
        self._bad += 1
        if self._bad > self._patience:
            self._rate = max(self._rate * self._factor, min(self._lowest, self._rate))
            self._bad = 0

    def state_dict(self) -> dict[str, Array]:
        """Return what `observe` has changed, by name: ``rate``, ``best``, ``bad``."""
        return {
            "rate": np.array(self._rate),
            "best": np.array(self._best),
            "bad": np.array(self._bad, np.int64),
        }

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Go on from what `state_dict` returned.

        Raises
        ------
        TypeError, ValueError
            A name is missing or too many, or an entry is no proper number. Nothing has been
            changed then.
        """
        if state_dict.keys() != {"rate", "best", "bad"}:
            raise ValueError(f"state_dict must have rate, best and bad, got {sorted(state_dict)}")
        rate, best, bad = (np.asarray(state_dict[name])[()] for name in ("rate", "best", "bad"))
        checked = number("rate", rate, 0), float(best), integer("bad", bad, 0)
        self._rate, self._best, self._bad = checked
