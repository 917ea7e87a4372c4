"""linear: an affine map of the last axis, as a primitive of autograd."""

from typing import Any

from numpy.typing import ArrayLike

from fastrnn import _core
from fastrnn._call import twins
from fastrnn._checks import FLOAT32, Array, allocate, as_rows, floats, leading
from fastrnn._quantize import Matrix
from fastrnn.ops._primitive import Call, differentiable


def linear(x: ArrayLike, w: ArrayLike, b: ArrayLike | None = None) -> Array:
    """Return ``x·wᵀ + b`` for every row of x.

    Parameters
    ----------
    x : array_like, (…, I)
        Any leading axes, none included.
    w : array_like, (O, I)
        float32 or float64; its dtype is that of the call.
    b : array_like or None, (O,)

    Returns
    -------
    ndarray, (…, O)

    Raises
    ------
    TypeError
        An argument is no floating array of the dtype of w.
    ValueError
        A shape does not fit.
    MemoryError
        The result or the workspace does not fit.
    NotImplementedError
        While autograd differentiates it a second time.

    Notes
    -----
    The gradients are ``dx = dy·w``, ``dw = dyᵀ·x`` over all rows, and ``db`` the sum of dy's rows.

    References
    ----------
    docs/maths/linear.md; `fastrnn.reference.linear` is the twin.

    Examples
    --------
    >>> import autograd, numpy as np
    >>> from fastrnn import ops
    >>> x, w = np.array([[1.0, 2.0]]), np.array([[3.0, 4.0], [5.0, 6.0]])
    >>> ops.linear(x, w, np.array([0.5, 0.0]))
    array([[11.5, 17. ]])
    >>> autograd.grad(lambda w: ops.linear(x, w).sum())(w)
    array([[1., 2.],
           [1., 2.]])
    """
    return _linear(x, w, b)  # type: ignore[no-any-return]


def checked_map(x: Any, w: Any, b: Any, rows: str = "O") -> tuple[Array, Array, Array | None]:
    """Return what an affine map is of, as arrays of one dtype and of shapes that fit."""
    w, dtype = leading("w", w)
    if w.ndim != 2:
        raise ValueError(f"w must have shape ({rows}, I), got {w.shape}")
    x, b = _checked_rows(x, w, b, dtype, rows)
    return x, w, b


def _checked_rows(x: Any, w: Any, b: Any, dtype: Any, rows: str) -> tuple[Array, Array | None]:
    """Return what w (O, I) maps, and what is added, of this dtype and of shapes that fit."""
    O, I = w.shape
    x = floats("x", x, dtype)
    if x.ndim == 0 or x.shape[-1] != I:
        raise ValueError(f"x must have shape (…, I) = (…, {I}) for w of {w.shape}, got {x.shape}")
    if b is not None:
        b = floats("b", b, dtype)
        if b.shape != (O,):
            raise ValueError(
                f"b must have shape ({rows},) = ({O},) for w of {w.shape}, got {b.shape}"
            )
    return x, b


def _forward(call: Call, x: Any, w: Any, b: Any) -> Array:
    if isinstance(w, Matrix):
        return _by_matrix(call, x, w, b)
    x, w, b = checked_map(x, w, b)
    call.kept = (x, w)
    if not call.core:
        return twins().linear(x, w, b)  # type: ignore[no-any-return]
    y = allocate("y", (*x.shape[:-1], len(w)), w.dtype)
    _core.linear_forward(as_rows("x", x), w, b, as_rows("y", y), call.num_threads)
    return y


def _by_matrix(call: Call, x: Any, w: Matrix, b: Any) -> Array:
    """Return ``x·wᵀ + b`` by a matrix of fewer bits, of a quantised model: x is rounded as well."""
    if call.traced:
        raise TypeError("linear has no gradients where w is quantised")
    x, b = _checked_rows(x, w, b, FLOAT32, "O")
    y = allocate("y", (*x.shape[:-1], w.shape[0]), FLOAT32)
    rows = as_rows("y", y)
    if call.core:
        _core.linear_packed(as_rows("x", x), w.packed(), b, rows, call.num_threads)
    else:
        rows[...] = twins("quantized").linear(as_rows("x", x), w.operand(), b)
    return y


def _backward(call: Call, dy: Array) -> tuple[Array | None, ...]:
    x, w = call.kept
    if not call.core:
        return twins().linear_backward(dy, x, w)  # type: ignore[no-any-return]
    want_x, want_w, want_b = call.wanted
    dx = allocate("dx", x.shape, w.dtype) if want_x else None
    dw = allocate("dw", w.shape, w.dtype) if want_w else None
    db = allocate("db", w.shape[:1], w.dtype) if want_b else None
    dx_rows = None if dx is None else as_rows("dx", dx)
    _core.linear_backward(as_rows("dy", dy), as_rows("x", x), w, dx_rows, dw, db, call.num_threads)
    return dx, dw, db


_linear = differentiable("linear", _forward, _backward)
