"""RowGradient: the gradient of a table of which a batch uses few rows, as these rows alone."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastrnn._checks import Array

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
    ValueError
        values are not so many rows of E numbers.

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
        if np.shape(values) != (len(rows), *shape[1:]):
            raise ValueError(
                f"values must have shape {(len(rows), *shape[1:])}, got {np.shape(values)}"
            )
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
