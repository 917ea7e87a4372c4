"""dropout: elements dropped at random, as a primitive of autograd."""

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from fastrnn import _core
from fastrnn._call import draw_key, twins
from fastrnn._checks import Array, allocate, generator, leading, probability
from fastrnn.ops._primitive import Call, differentiable

if TYPE_CHECKING:
    from numpy.random import Generator


def dropout(x: ArrayLike, p: float = 0.5, *, rng: "Generator | None" = None) -> Array:
    """Return x with elements dropped at random and the others scaled up, for training.

    Parameters
    ----------
    x : array_like, of any shape
        float32 or float64.
    p : float
        0..1: how probable it is that an element becomes 0. The others are divided by ``1 - p``, so
        that the expectation stays; at inference leave the call out.
    rng : numpy.random.Generator or None
        8 bytes are drawn from it, whatever the size of x; None: fresh entropy.

    Returns
    -------
    ndarray, in the shape of x

    Raises
    ------
    TypeError
        x is no floating array, p no number, or rng no Generator.
    ValueError
        p is not in 0..1.
    MemoryError
        The result does not fit.
    NotImplementedError
        While autograd differentiates it a second time.

    Notes
    -----
    Whether element i stays is a hash of i and of the bytes drawn: the mask is the same in both
    precisions and for any number of threads, and backward computes it again instead of keeping it.

    References
    ----------
    Srivastava et al., "Dropout", 2014, section 10 (scaled in training); docs/maths/dropout.md;
    `fastrnn.reference.dropout` is the twin.

    Examples
    --------
    >>> import numpy as np
    >>> from fastrnn import ops
    >>> ops.dropout(np.ones(6), rng=np.random.default_rng(0))
    array([0., 2., 2., 2., 2., 2.])
    """
    return _dropout(x, p=probability("p", p), key=draw_key(generator(rng)))  # type: ignore[no-any-return]


def _forward(call: Call, x: Any, *, p: float, key: int) -> Array:
    x, _ = leading("x", x)
    call.kept = (p, key)
    return _masked(call, x)


def _backward(call: Call, dy: Array) -> tuple[Array]:
    return (_masked(call, dy),)


def _masked(call: Call, x: Array) -> Array:
    p, key = call.kept
    if not call.core:
        return twins("dropout").masked(x, p, key)  # type: ignore[no-any-return]
    y = allocate("y", x.shape, x.dtype)
    _core.dropout(np.ascontiguousarray(x).reshape(-1), y.reshape(-1), p, key, call.num_threads)
    return y


_dropout = differentiable("dropout", _forward, _backward)
