"""The affine map of the last axis, and its backward as docs/maths/linear.md derives it."""

from numpy.typing import ArrayLike

from fastrnn.reference._math import Array, affine, array_module, as_array, rows


def linear(x: ArrayLike, w: ArrayLike, b: ArrayLike | None = None) -> Array:
    """Return ``x·wᵀ + b`` for every row of x, in plain NumPy; also under `autograd.numpy`.

    Parameters
    ----------
    x : array_like, (…, I)
    w : array_like, (O, I)
    b : array_like or None, (O,)

    Returns
    -------
    ndarray, (…, O)

    Raises
    ------
    ValueError
        A shape does not fit.

    References
    ----------
    docs/maths/linear.md.

    Examples
    --------
    >>> import numpy as np
    >>> from fastrnn import reference
    >>> reference.linear(np.ones(2), np.array([[3.0, 4.0]]), np.ones(1))
    array([8.])
    """
    w = as_array(w)
    x, b = as_array(x, w), as_array(b, w)
    return affine(array_module(x, w, b), x, w, b)  # type: ignore[no-any-return]


def linear_backward(dy: Array, x: Array, w: Array) -> tuple[Array, Array, Array]:
    """Return the gradients of `linear` by x, w and b, given that by its result.

    Parameters
    ----------
    dy : ndarray, (…, O)
    x : ndarray, (…, I)
    w : ndarray, (O, I)

    Returns
    -------
    dx : ndarray, (…, I)
    dw : ndarray, (O, I)
    db : ndarray, (O,)

    Raises
    ------
    ValueError
        A shape does not fit.

    References
    ----------
    docs/maths/linear.md.

    Examples
    --------
    >>> import numpy as np
    >>> from fastrnn import reference
    >>> dx, dw, db = reference.linear_backward(np.ones((2, 1)), np.eye(2), np.array([[3.0, 4.0]]))
    >>> dx, dw, db
    (array([[3., 4.],
           [3., 4.]]), array([[1., 1.]]), array([2.]))
    """
    dy_rows, x_rows = rows(dy), rows(x)
    return dy @ w, dy_rows.T @ x_rows, dy_rows.sum(axis=0)

