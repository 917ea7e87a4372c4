"""Softmax cross-entropy and its backward, as docs/maths/softmax_cross_entropy.md derives it."""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from fastrnn.reference._math import Array, array_module, as_array, constant


def softmax_cross_entropy(
    logits: ArrayLike,
    targets: ArrayLike,
    *,
    ignore_index: int | None = -100,
    label_smoothing: float = 0.0,
    reduction: str = "mean",
) -> Any:
    """Return the cross-entropy of classes, in plain NumPy; also under `autograd.numpy`.

    Parameters
    ----------
    logits : array_like, (…, V)
    targets : array_like of int, (…,)
        The right classes, each in 0..V-1 or `ignore_index`.
    ignore_index : int or None
        Rows with this target have no loss and no gradient.
    label_smoothing : float
        0..1: so much of the target is spread evenly over all classes.
    reduction : {"mean", "sum", "none"}
        The mean is over the rows that are not ignored; NaN if there is none.

    Returns
    -------
    number, or ndarray (…,) for ``"none"``

    Raises
    ------
    IndexError
        A target is V or more.

    References
    ----------
    docs/maths/softmax_cross_entropy.md.

    Examples
    --------
    >>> import numpy as np
    >>> from fastrnn import reference
    >>> float(reference.softmax_cross_entropy(np.zeros((3, 4)), [0, 3, -100]))
    1.3862943611198906
    """
    x: Any = as_array(logits)
    xp = array_module(x)
    classes = np.asarray(targets)
    used = classes != ignore_index
    # A row that is ignored computes on zeros: nothing in it reaches a gradient.
    x = xp.where(used[..., None], x, 0.0)
    shifted = x - np.max(constant(x), axis=-1, keepdims=True, initial=-np.inf)
    log_p = shifted - xp.log(xp.sum(xp.exp(shifted), axis=-1, keepdims=True))
    right = _right(xp, log_p, np.where(used, classes, 0))
    loss = -right
    if label_smoothing:
        loss = loss + label_smoothing * (right - xp.mean(log_p, axis=-1))
    loss = xp.where(used, loss, 0.0)
    if reduction == "none":
        return loss
    total = xp.sum(loss)
    return total if reduction == "sum" else total * _weight(used, total)


def softmax_cross_entropy_backward(
    dloss: Any,
    logits: Array,
    targets: ArrayLike,
    *,
    ignore_index: int | None = -100,
    label_smoothing: float = 0.0,
    reduction: str = "mean",
) -> Array:
    """Return the gradient of `softmax_cross_entropy` by logits, given that by its result.

    Parameters
    ----------
    dloss : number, or ndarray (…,) for ``"none"``
    logits : ndarray, (…, V)
    targets, ignore_index, label_smoothing, reduction
        As forward had them.

    Returns
    -------
    ndarray, (…, V)
        Exactly 0 in ignored rows.

    Raises
    ------
    IndexError
        A target is V or more.

    References
    ----------
    docs/maths/softmax_cross_entropy.md.

    Examples
    --------
    >>> import numpy as np
    >>> from fastrnn import reference
    >>> reference.softmax_cross_entropy_backward(1.0, np.zeros((1, 4)), [2])
    array([[ 0.25,  0.25, -0.75,  0.25]])
    """
    classes = np.asarray(targets)
    used = classes != ignore_index
    x = np.where(used[..., None], logits, 0.0)
    p = np.exp(x - np.max(x, axis=-1, keepdims=True, initial=-np.inf))
    p /= p.sum(axis=-1, keepdims=True)
    right = np.arange(p.shape[-1]) == np.where(used, classes, 0)[..., None]
    wanted = (1.0 - label_smoothing) * right + label_smoothing / max(p.shape[-1], 1)
    weight = dloss * (_weight(used, p) if reduction == "mean" else 1.0)
    slopes = np.where(used, weight, 0.0)[..., None] * (p - wanted)
    return np.where(used[..., None], slopes, 0.0).astype(logits.dtype)


def _right(xp: Any, log_p: Any, targets: Array) -> Any:
    """The log-probability of each row's right class, of any number of leading axes."""
    V = log_p.shape[-1]
    flat = xp.reshape(log_p, (targets.size, V))
    return xp.reshape(flat[np.arange(targets.size), targets.ravel()], targets.shape)


def _weight(used: Array, like: Any) -> Any:
    """1 / the number of rows that are used, in the dtype of the loss."""
    count = int(np.count_nonzero(used))
    return constant(like).dtype.type(1.0 / count if count else np.nan)
