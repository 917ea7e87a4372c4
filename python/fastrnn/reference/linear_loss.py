"""Softmax cross-entropy of an affine map, and its backward: the two operations in a row."""

from typing import Any

from numpy.typing import ArrayLike

from fastrnn.reference._math import Array
from fastrnn.reference.linear import linear, linear_backward
from fastrnn.reference.loss import softmax_cross_entropy, softmax_cross_entropy_backward


def linear_cross_entropy(
    x: ArrayLike, w: ArrayLike, b: ArrayLike | None, targets: ArrayLike, **options: Any
) -> Any:
    """Return the cross-entropy of the classes that an affine map scores, in plain NumPy.

    Parameters
    ----------
    x : array_like, (…, I)
    w : array_like, (V, I)
    b : array_like or None, (V,)
    targets : array_like of int, (…,)
        The right classes, each in 0..V-1 or `ignore_index`.
    **options
        ignore_index, label_smoothing and reduction of `softmax_cross_entropy`.

    Returns
    -------
    number, or ndarray (…,) for ``"none"``

    Raises
    ------
    IndexError
        A target is V or more.
    ValueError
        A shape does not fit.

    References
    ----------
    docs/maths/linear_cross_entropy.md.

    Examples
    --------
    >>> import numpy as np
    >>> from fastrnn import reference
    >>> float(reference.linear_cross_entropy(np.ones((1, 2)), np.zeros((4, 2)), None, [2]))
    1.3862943611198906
    """
    return softmax_cross_entropy(linear(x, w, b), targets, **options)


def linear_cross_entropy_backward(
    dloss: Any, x: Array, w: Array, b: Array | None, targets: ArrayLike, **options: Any
) -> tuple[Array, Array, Array]:
    """Return the gradients of `linear_cross_entropy` by x, w and b, given that by its result.

    Parameters
    ----------
    dloss : number, or ndarray (…,) for ``"none"``
    x, w, b, targets, **options
        As forward had them.

    Returns
    -------
    dx : ndarray, (…, I)
    dw : ndarray, (V, I)
    db : ndarray, (V,)

    Raises
    ------
    IndexError
        A target is V or more.

    References
    ----------
    docs/maths/linear_cross_entropy.md.

    Examples
    --------
    >>> import numpy as np
    >>> from fastrnn import reference
    >>> x, w = np.ones((1, 1)), np.zeros((2, 1))
    >>> reference.linear_cross_entropy_backward(1.0, x, w, None, [0])
    (array([[0.]]), array([[-0.5],
           [ 0.5]]), array([-0.5,  0.5]))
    """
    dlogits = softmax_cross_entropy_backward(dloss, linear(x, w, b), targets, **options)
    return linear_backward(dlogits, x, w)
