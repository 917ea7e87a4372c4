"""gradcheck: compare gradients with central differences, entry by entry; check_cell beside it."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from fastrnn._checks import FLOAT64, Array, number
from fastrnn.testing._check_cell import check_cell

__all__ = ["check_cell", "gradcheck"]


def gradcheck(
    function: Callable[..., Any],
    arrays: Mapping[str, Array],
    gradients: Mapping[str, Array],
    *,
    eps: float = 1e-6,
    atol: float = 1e-7,
    rtol: float = 1e-5,
) -> float:
    """Check gradients of a scalar function of float64 arrays; raise if one entry is wrong.

    Parameters
    ----------
    function : callable
        ``function(**arrays)`` returns a number. It must not keep or change what it is given.
    arrays : dict of str to ndarray
        float64, of any shapes.
    gradients : dict of str to ndarray
        What you believe the gradients at `arrays` are; the names that are checked.
    eps : float
        Half the distance of the two points of each difference.
    atol, rtol : float
        An entry passes if it is within ``atol + rtol · |difference|``.

    Returns
    -------
    float
        The largest error, as a multiple of what is allowed; at most 1.

    Raises
    ------
    TypeError
        An array is not float64.
    ValueError
        A gradient has another shape than its array, or no array.
    AssertionError
        A gradient is wrong; the message names the worst entry.

    Notes
    -----
    The difference of entry k is ``(f(a + eps·e_k) - f(a - eps·e_k)) / (2·eps)``, e_k being 1 at k
    and 0 elsewhere. Its own error is of order eps², plus rounding of f divided by eps.

    Examples
    --------
    >>> import numpy as np
    >>> from fastrnn.testing import gradcheck
    >>> a = np.array([1.0, 2.0])
    >>> gradcheck(lambda a: (a**2).sum(), {"a": a}, {"a": 2 * a}) < 1
    True
    >>> gradcheck(lambda a: (a**2).sum(), {"a": a}, {"a": np.array([2.0, 5.0])})
    Traceback (most recent call last):
    AssertionError: gradient of a at (1,) is 5, the central difference is 4
    """
    if not callable(function):
        raise TypeError(f"function must be a function, got {function!r}")
    for name, given in (("arrays", arrays), ("gradients", gradients)):
        if not isinstance(given, Mapping):
            raise TypeError(f"{name} must be a dict of arrays, got {given!r}")
    eps, atol, rtol = number("eps", eps), number("atol", atol, 0), number("rtol", rtol, 0)
    if eps <= 0:
        raise ValueError(f"eps must be above 0, got {eps}")
    for name, array in arrays.items():
        if not isinstance(array, np.ndarray) or array.dtype != FLOAT64:
            raise TypeError(f"{name} must be a float64 ndarray, got {array!r}")
    worst, message = 0.0, ""
    for name, gradient in gradients.items():
        if name not in arrays:
            raise ValueError(f"there is a gradient of {name}, but no such array")
        if np.shape(gradient) != arrays[name].shape:
            raise ValueError(
                f"the gradient of {name} must have shape {arrays[name].shape}, "
                f"got {np.shape(gradient)}"
            )
        difference = _central(function, arrays, name, eps)
        # `not <=` counts NaN as wrong.
        error = np.abs(gradient - difference) / (atol + rtol * np.abs(difference))
        error = np.where(np.isnan(error), np.inf, error)
        if error.size and error.max() > worst:
            worst = float(error.max())
            at = tuple(int(i) for i in np.unravel_index(error.argmax(), error.shape))
            message = (
                f"gradient of {name} at {at} is {float(gradient[at]):.8g}, "
                f"the central difference is {float(difference[at]):.8g}"
            )
    if worst > 1:
        raise AssertionError(message)
    return worst


def _central(
    function: Callable[..., Any], arrays: Mapping[str, Array], name: str, eps: float
) -> Array:
    """Return the central differences by each entry of one array."""
    difference = np.empty(arrays[name].shape)
    for at in np.ndindex(difference.shape):
        values = []
        for sign in (eps, -eps):
            moved = arrays[name].copy()
            moved[at] += sign
            values.append(float(function(**{**arrays, name: moved})))
        difference[at] = (values[0] - values[1]) / (2 * eps)
    return difference
