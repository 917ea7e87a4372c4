"""Clipping of gradients in place: by the norm of all of them together, or value by value."""

from collections.abc import Mapping
from math import isfinite, sqrt
from typing import Any, NamedTuple

import numpy as np

from fastrnn import _core
from fastrnn._call import twins
from fastrnn._checks import Array, positive
from fastrnn._row_gradient import values_of
from fastrnn.runtime import backend, team
from fastrnn.train._trees import contiguous, flatten, place

Gradients = Array | Mapping[str, Any]


def global_norm(grads: Gradients) -> float:
    """Return the Euclidean norm of all gradients taken as one vector.

    The squares are added in float64 and in an order that does not depend on the number of threads.

    Parameters
    ----------
    grads : ndarray, or nested dict of str to ndarray
        float32 or float64, of any shapes and strides; in a dict also `RowGradient`.

    Returns
    -------
    float
        Inf or NaN if an element is, or if the sum of squares is beyond the range of float64.

    Raises
    ------
    TypeError
        Something is no array of floats, or a key is no string.

    Examples
    --------
    >>> import numpy as np
    >>> from fastrnn.train import global_norm
    >>> global_norm({"w": np.array([3.0, 0.0]), "b": np.array([4.0], np.float32)})
    5.0
    """
    return _norm(_arrays(grads, scalars=True))


def clip_grad_norm(grads: Gradients, max_norm: float) -> float:
    """Scale all gradients by one factor, in place, if their norm as one vector is too large.

    Parameters
    ----------
    grads : ndarray, or nested dict of str to ndarray
        float32 or float64, writable, of any shapes and strides; in a dict also `RowGradient`. An
        array that stands in several places counts in each and is scaled once.
    max_norm : float
        θ, the largest norm that is left alone. Infinity only measures.

    Returns
    -------
    float
        ``‖g‖`` before.

    Raises
    ------
    TypeError
        Something is no array of floats, a key is no string, or max_norm is no number.
    ValueError
        max_norm is not positive, an array is read-only or overlaps another one, or the norm is
        not finite. Nothing has been changed then.

    Notes
    -----
    ``g ← (θ/‖g‖)·g`` exactly if ``‖g‖ > θ``: nothing is added to the norm, unlike in PyTorch.

    References
    ----------
    Pascanu, Mikolov and Bengio, "On the difficulty of training recurrent neural networks", 2013,
    algorithm 1; the norm is that of all gradients as in Graves, 2013, and everywhere since.

    Examples
    --------
    >>> import numpy as np
    >>> from fastrnn.train import clip_grad_norm
    >>> grads = {"w": np.array([3.0, 0.0]), "b": np.array([4.0])}
    >>> clip_grad_norm(grads, max_norm=2.5)
    5.0
    >>> grads
    {'w': array([1.5, 0. ]), 'b': array([2.])}
    """
    threshold = positive("max_norm", max_norm)
    arrays = _arrays(grads)
    targets = _targets(arrays)
    norm = _norm(arrays)
    if not isfinite(norm):
        raise ValueError(f"grads must have a finite norm, got {norm}{_culprit(arrays)}")
    if norm > threshold:
        factor = threshold / norm
        _core.scale(targets.names, targets.rows, factor, team.get())
        for array in targets.others:
            np.multiply(array, factor, out=array)
    return norm


def clip_grad_value(grads: Gradients, clip_value: float) -> None:
    """Move every element into ``[-clip_value, clip_value]``, in place; NaN stays NaN.

    Parameters
    ----------
    grads : ndarray, or nested dict of str to ndarray
        float32 or float64, writable, of any shapes and strides; in a dict also `RowGradient`.
    clip_value : float
        The largest magnitude.

    Raises
    ------
    TypeError
        Something is no array of floats, a key is no string, or clip_value is no number.
    ValueError
        clip_value is not positive, or an array is read-only or overlaps another one. Nothing has
        been changed then.

    Examples
    --------
    >>> import numpy as np
    >>> from fastrnn.train import clip_grad_value
    >>> grads = {"w": np.array([3.0, -0.5, -7.0])}
    >>> clip_grad_value(grads, 1.0)
    >>> grads
    {'w': array([ 1. , -0.5, -1. ])}
    """
    limit = positive("clip_value", clip_value)
    targets = _targets(_arrays(grads))
    _core.clamp(targets.names, targets.rows, limit, team.get())
    for array in targets.others:
        np.clip(array, -limit, limit, out=array)


def _arrays(grads: Any, *, scalars: bool = False) -> dict[str, Array]:
    """Return one array, or those of a nested dict, by name."""
    if isinstance(grads, (np.ndarray, np.floating)):
        return flatten("grads", {"": grads}, scalars=scalars)
    leaves = flatten("grads", grads, scalars=scalars, rows=True)
    return {name: values_of(gradient) for name, gradient in leaves.items()}


class _Targets(NamedTuple):
    """Arrays to be changed in place, each once."""

    names: list[str]  # of the rows, for messages
    rows: list[Array]  # for the core: each one stretch of memory
    others: list[Array]  # for NumPy: with gaps, or all where the twins are the backend


def _targets(arrays: dict[str, Array]) -> _Targets:
    """Check that all arrays may be written to, without harm to each other.

    One array may stand for several gradients: autograd hands the gradient of a sum to all terms.
    """
    seen: dict[int, tuple[str, Array]] = {}
    targets = _Targets([], [], [])
    for path, array in arrays.items():
        if id(array) in seen:
            continue
        seen[id(array)] = path, array
        row = array if array.flags.carray else array.T
        if row.flags.carray:
            targets.names.append(path)
            targets.rows.append(row)
        elif array.flags.writeable:
            targets.others.append(array)
        else:
            raise ValueError(f"{place('grads', path)} must be writable: it is changed in place")
    for array in targets.others:
        path = seen[id(array)][0]
        for other_path, other in seen.values():
            if other is not array and np.shares_memory(array, other):
                raise ValueError(
                    f"{place('grads', path)} must not share memory with "
                    f"{place('grads', other_path)}"
                )
    _core.check_apart(targets.names, targets.rows)
    return targets if backend.get() == "core" else _Targets([], [], targets.rows + targets.others)


def _norm(arrays: dict[str, Array]) -> float:
    if backend.get() == "core":
        ready = [a if a.flags.carray else contiguous(a) for a in arrays.values()]
        return sqrt(_core.sum_of_squares(list(arrays), ready, team.get()))
    return float(twins("clipping").norm(arrays))


def _culprit(arrays: dict[str, Array]) -> str:
    """Say which array has an element that is not finite."""
    for path, array in arrays.items():
        if not np.isfinite(array).all():
            return f"; {place('grads', path)} holds NaN or Inf"
    return ""
