"""Clipping of gradients as a pure function: what `fastrnn.train.clip_grad_norm` does in place."""

from typing import Any

import numpy as np

from fastrnn.reference._math import Array


def gradient_clipping(grad: Any, threshold: float) -> Any:
    """Return a gradient scaled to a norm of at most a threshold; nothing is changed in place.

    Parameters
    ----------
    grad : ndarray, or nested dict of str to ndarray
        The gradient. The norm of a dict is that of all its arrays taken as one vector.
    threshold : float
        θ, the largest norm that is left alone.

    Returns
    -------
    ndarray, or nested dict of str to ndarray
        ``θ/‖g‖·g`` if ``‖g‖ > θ``, else what was given.

    Raises
    ------
    ValueError
        The norm is not finite.

    References
    ----------
    Pascanu, Mikolov and Bengio, "On the difficulty of training recurrent neural networks", 2013,
    algorithm 1.

    Examples
    --------
    >>> import numpy as np
    >>> from fastrnn import reference
    >>> reference.gradient_clipping(np.array([3.0, 4.0]), 1.0)
    array([0.6, 0.8])
    >>> reference.gradient_clipping({"w": np.array([3.0]), "b": np.array([4.0])}, 5.0)
    {'w': array([3.]), 'b': array([4.])}
    """
    total = norm(grad)
    if not np.isfinite(total):
        raise ValueError(f"grad must have a finite norm, got {total}")
    return _scaled(grad, threshold / total) if total > threshold else grad


def norm(grad: Any) -> float:
    """Return the Euclidean norm of an array, or of all arrays of a nested dict, in float64."""
    with np.errstate(over="ignore"):  # an infinite norm is an answer
        return float(np.sqrt(_sum_of_squares(grad)))


def _sum_of_squares(grad: Any) -> float:
    """Add up in float64, array by array."""
    if isinstance(grad, dict):
        return sum(_sum_of_squares(part) for part in grad.values())
    array: Array = np.asarray(grad)
    return float(np.sum(np.square(array, dtype=np.float64)))


def _scaled(grad: Any, factor: float) -> Any:
    """Return every array times a number, in its own dtype."""
    if isinstance(grad, dict):
        return {name: _scaled(part, factor) for name, part in grad.items()}
    return np.asarray(grad) * factor
