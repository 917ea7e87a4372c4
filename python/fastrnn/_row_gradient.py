"""RowGradient: the gradient of a table of which a batch uses few rows, as these rows alone."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastrnn._checks import Array, flag, integer

LARGE = 1024  # so many rows make a table worth the trouble


class RowGradient:
    """Some rows of a gradient; the others are 0.

    Parameters
    ----------
    rows : ndarray of int64, (U,)
        Which they are, ascending, no two alike.
    values : ndarray, (U, E)
    shape : (int, int)
        V and E of the table.
    lazy : bool
        Whether an update leaves the rows that are not there alone, with what the optimiser keeps
        of them; otherwise it does what it does for a gradient of 0.

    Raises
    ------
    TypeError, ValueError
        rows are not ascending int64 below V, or values not so many rows of E floats.

    Examples
    --------
    >>> import numpy as np
    >>> from fastrnn.train import SGD, RowGradient
    >>> params = {"w": np.ones((4, 2))}
    >>> g = RowGradient(np.array([1, 3]), np.array([[1.0, 2.0], [3.0, 4.0]]), (4, 2))
    >>> SGD(lr=0.5).update(params, {"w": g})
    >>> params["w"]
    array([[ 1. ,  1. ],
           [ 0.5,  0. ],
           [ 1. ,  1. ],
           [-0.5, -1. ]])
    """

    __slots__ = ("lazy", "rows", "shape", "values")

    def __init__(
        self, rows: NDArray[np.int64], values: Array, shape: tuple[int, ...], lazy: bool = False
    ) -> None:
        if type(shape) is not tuple or len(shape) != 2:
            raise TypeError(f"shape must be a tuple of two integers, got {shape!r}")
        V, E = (integer("shape", size, 0) for size in shape)
        if type(rows) is not np.ndarray or rows.dtype != np.int64 or rows.ndim != 1:
            raise TypeError(f"rows must be an ndarray of int64, (U,), got {rows!r}")
        if len(rows) and (rows[0] < 0 or rows[-1] >= V or (np.diff(rows) <= 0).any()):
            raise ValueError(f"rows must ascend from 0 to {V - 1} at most, no two alike")
        if type(values) is not np.ndarray or values.dtype.kind != "f":
            raise TypeError(f"values must be an ndarray of floats, got {values!r}")
        if values.shape != (len(rows), E):
            raise ValueError(f"values must have shape {(len(rows), E)}, got {values.shape}")
        flag("lazy", lazy)
        self.rows, self.values, self.shape, self.lazy = rows, values, shape, lazy

    @property
    def dtype(self) -> Any:
        """The dtype of the values."""
        return self.values.dtype

    def dense(self) -> Array:
        """Return the whole gradient, (V, E).

        Returns
        -------
        ndarray
        """
        whole = np.zeros(self.shape, self.dtype)
        whole[self.rows] = self.values
        return whole


def values_of(gradient: Any) -> Array:
    """Return the numbers of a gradient that are there, to be changed in place."""
    return gradient.values if type(gradient) is RowGradient else gradient


def times(gradient: Any, factor: Any) -> Any:
    """Return a new gradient, that number times this one."""
    values = np.asarray(values_of(gradient) * factor)
    if type(gradient) is not RowGradient:
        return values
    return RowGradient(gradient.rows, values, gradient.shape, gradient.lazy)


def summed(parts: "list[RowGradient]") -> RowGradient:
    """Return the sum of several parts of one table, in their order."""
    rows = np.unique(np.concatenate([part.rows for part in parts]))
    values = np.zeros((len(rows), *parts[0].values.shape[1:]), parts[0].dtype)
    for part in parts:
        values[np.searchsorted(rows, part.rows)] += part.values
    return RowGradient(rows, values, parts[0].shape, parts[0].lazy)


def plus(a: Any, b: Any, into: bool) -> Any:
    """Return the sum of two gradients of one array, whole ones or rows; `into` may change a."""
    if isinstance(a, RowGradient):
        if isinstance(b, RowGradient):
            return summed([a, b])
        a, b, into = b, a, False
    if not isinstance(b, RowGradient):
        return np.add(a, b, out=a if into else None)
    whole = a if into else a.copy()
    whole[b.rows] += b.values
    return whole
