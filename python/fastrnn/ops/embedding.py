"""embedding: rows of a table by number, as a primitive of autograd.

The gradient is an array in the shape of the table, or where `value_and_grad(rows=…)` asks for it
the rows that were looked up; autograd's own sparse one becomes dense as soon as it meets another.
"""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from fastrnn import _core
from fastrnn._call import twins
from fastrnn._checks import Array, allocate, as_rows, integer, integers, leading, unit_stride
from fastrnn._quantize import Matrix
from fastrnn.ops._primitive import Call, differentiable, row_gradient


def embedding(w: ArrayLike, ids: ArrayLike, *, padding_idx: int | None = None) -> Array:
    """Return the rows of w that ids name.

    Parameters
    ----------
    w : array_like, (V, E)
        float32 or float64.
    ids : array_like of int, (…,)
        Each in 0..V-1, in any shape.
    padding_idx : int or None
        A row that is looked up like the others, but has no gradient.

    Returns
    -------
    ndarray, (…, E)

    Raises
    ------
    TypeError
        w is no floating array, or ids or padding_idx are no integers.
    ValueError
        A shape does not fit, or an id is not in 0..V-1; the message says which.
    MemoryError
        The result does not fit.
    NotImplementedError
        While autograd differentiates it a second time.

    Notes
    -----
    ``y = w[ids]``; the gradient of a row is the sum over its places, in order:
    ``dw[v] = Σ dy[m]`` over the m with ``ids[m] = v``. It comes as an array of the shape of w,
    or as its rows (`value_and_grad`).

    References
    ----------
    docs/maths/embedding.md; `fastrnn.reference.embedding` is the twin.

    Examples
    --------
    >>> import autograd, numpy as np
    >>> from fastrnn import ops
    >>> w = np.array([[1.0, 2.0], [3.0, 4.0]])
    >>> ops.embedding(w, [1, 1, 0])
    array([[3., 4.],
           [3., 4.],
           [1., 2.]])
    >>> autograd.grad(lambda w: ops.embedding(w, [1, 1, 0]).sum())(w)
    array([[1., 1.],
           [2., 2.]])
    """
    table: Any = w
    if isinstance(table, Matrix):  # of a quantised model
        return _rows(table, integers("ids", ids))
    return _embedding(w, ids=ids, padding_idx=padding_idx)  # type: ignore[no-any-return]


def _rows(w: Matrix, ids: Array) -> Array:
    """Return rows of a quantised table, which has no gradient."""
    wrong = (ids < 0) | (ids >= w.shape[0])
    if wrong.any():
        raise ValueError(f"ids must lie in 0..V-1 = 0..{w.shape[0] - 1}, got {ids[wrong][0]}")
    return w[ids]


def _forward(call: Call, w: Any, *, ids: Any, padding_idx: Any) -> Array:
    w, dtype = leading("w", w)
    if w.ndim != 2:
        raise ValueError(f"w must have shape (V, E), got {w.shape}")
    ids = integers("ids", ids)
    if padding_idx is not None:
        padding_idx = integer("padding_idx", padding_idx, 0, len(w) - 1)
    y = allocate("y", (*ids.shape, w.shape[1]), dtype)
    # The core looks at the ids before it writes, for the twin as well.
    _core.embedding_forward(ids.ravel(), unit_stride("w", w), as_rows("y", y), call.num_threads)
    call.kept = (w, ids, padding_idx)
    return y if call.core else twins().embedding(w, ids, padding_idx=padding_idx)


def _backward(call: Call, dy: Array) -> tuple[Any]:
    w, ids, padding_idx = call.kept
    if not call.core:
        return (twins().embedding_backward(dy, w, ids, padding_idx=padding_idx),)
    dy = as_rows("dy", dy)

    def add(dw: Array, places: Array, skipped: int = -1) -> None:
        _core.embedding_backward(dy, places, dw, skipped, call.num_threads)

    if padding_idx is None and (rows := row_gradient(w, ids, add)) is not None:
        return (rows,)
    dw = np.zeros(w.shape, w.dtype)
    add(dw, ids.ravel(), -1 if padding_idx is None else padding_idx)
    return (dw,)


_embedding = differentiable("embedding", _forward, _backward)
