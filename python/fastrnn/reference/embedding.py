"""Rows of a table by number, and their gradients added up, as docs/maths/embedding.md has it."""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from fastrnn.reference._math import Array, array_module, as_array, constant


def embedding(w: ArrayLike, ids: ArrayLike, *, padding_idx: int | None = None) -> Array:
    """Return the rows of w that ids name, in plain NumPy; also under `autograd.numpy`.

    Parameters
    ----------
    w : array_like, (V, E)
    ids : array_like of int, (…,)
        Each in 0..V-1.
    padding_idx : int or None
        The row through which no gradient goes.

    Returns
    -------
    ndarray, (…, E)

    Raises
    ------
    IndexError
        An id is V or more.

    References
    ----------
    docs/maths/embedding.md.

    Examples
    --------
    >>> import numpy as np
    >>> from fastrnn import reference
    >>> reference.embedding(np.array([[1.0, 2.0], [3.0, 4.0]]), [1, 1, 0])
    array([[3., 4.],
           [3., 4.],
           [1., 2.]])
    """
    table: Any = as_array(w)
    places = np.asarray(ids)
    y: Any = table[places]
    if padding_idx is not None:
        there = (places == padding_idx)[..., None]
        y = array_module(table).where(there, constant(table)[places], y)
    return y  # type: ignore[no-any-return]


def embedding_backward(
    dy: Array, w: Array, ids: ArrayLike, *, padding_idx: int | None = None
) -> Array:
    """Return the gradient of `embedding` by w, given that by its result.

    Parameters
    ----------
    dy : ndarray, (…, E)
    w : ndarray, (V, E)
    ids : array_like of int, (…,)
    padding_idx : int or None

    Returns
    -------
    ndarray, (V, E)

    Raises
    ------
    IndexError
        An id is V or more.

    References
    ----------
    docs/maths/embedding.md.

    Examples
    --------
    >>> import numpy as np
    >>> from fastrnn import reference
    >>> reference.embedding_backward(np.ones((3, 1)), np.zeros((2, 1)), [1, 1, 0])
    array([[1.],
           [2.]])
    """
    dw = np.zeros_like(w)
    np.add.at(dw, np.asarray(ids), dy)
    if padding_idx is not None:
        dw[padding_idx] = 0.0
    return dw
