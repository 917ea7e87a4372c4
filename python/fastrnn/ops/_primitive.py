"""Operations and value_and_grad on autograd: the only file that knows its extension interface.

An operation is two functions. ``forward(call, *arrays, **options)`` returns an array, a number or a
tuple of arrays, and leaves in ``call.kept`` what ``backward(call, g)`` needs, which returns one
gradient per array, None where ``call.wanted`` says that nobody asks. For a tuple g is one too, None
where nobody used the result.

The node is made by hand: autograd's own `primitive` takes three times as long, knows results one at
a time only, and fills those that nobody used with zeros on the way back.

`value_and_grad` makes each array of a nested dict a leaf of its own. autograd's own takes the dict
for one argument: each look-up of an entry is then a node, whose gradient is a whole dict of zeros
with one entry filled.
"""

from collections.abc import Callable, Mapping
from contextvars import ContextVar
from functools import cache
from itertools import compress
from typing import Any

import numpy as np

from fastrnn._checks import Array
from fastrnn._row_gradient import LARGE, RowGradient, plus
from fastrnn.runtime import backend, team

try:
    from autograd.core import add_outgrads
    from autograd.extend import Box, VJPNode, VSpace
    from autograd.tracer import getval, new_box, trace_stack
except ImportError as error:
    raise ImportError(
        'fastrnn.ops needs the package autograd; install it with: pip install "fastrnn[train]"'
    ) from error

_ndarray = np.ndarray
_box_types = Box.types
_new_node = VJPNode.__new__  # its constructor would look the vjp up by function
_NO_PARENTS: list[Any] = []
# How the gradients of tables come while a `Tracing` goes back: None, "exact" or "lazy".
_row_mode: ContextVar[str | None] = ContextVar("row_mode", default=None)


class Call:
    """What one call of an operation carries from forward to backward.

    Attributes
    ----------
    wanted : list of bool
        Which arrays are being differentiated; backward need not return the others' gradients.
    traced : bool
        Whether any of them is, so that backward may follow.
    core : bool
        Whether the C++ core runs it; otherwise the twin does. Both directions use the same one.
    num_threads : int
        The `fastrnn.threads` block's number, 0 outside of one.
    kept : Any
        What forward leaves for backward; leave it alone where `traced` is False.
    """

    __slots__ = ("core", "kept", "num_threads", "traced", "wanted")

    def __init__(self, wanted: list[bool], traced: bool) -> None:
        self.wanted = wanted
        self.traced = traced
        self.core = backend.get() == "core"
        self.num_threads = team.get()
        self.kept: Any = None


class _Gradients(dict[int, Any]):
    """Gradients by those results of one call that were used, by number."""

    __slots__ = ()


class _GradientSpace(VSpace):  # type: ignore[misc]
    """How autograd puts gradients by several results of one call together."""

    def _add(self, a: _Gradients, b: _Gradients) -> _Gradients:
        return _Gradients(a | b)  # each result hands its own on once, so no number comes twice

    _mut_add = _add


_GradientSpace.register(_Gradients)
_plain = {_ndarray, _Gradients}  # what stands for a sum of one part as it is

Forward = Callable[..., Any]
Backward = Callable[[Call, Any], tuple[Any, ...]]


def differentiable(name: str, forward: Forward, backward: Backward) -> Callable[..., Any]:
    """Return ``run(*arrays, **options)``, which autograd differentiates by `backward`, once.

    Parameters
    ----------
    name : str
        The operation's name in `fastrnn.ops` and of its twin in `fastrnn.reference`.
    forward, backward : callable
        As the module says. They see plain arrays, and backward gets the gradient by forward's
        result in its shape and dtype, C-contiguous, for reading only.
    """

    # One loop and plain look-ups: for small arrays this is as much work as the operation itself.
    def run(*arrays: Any, **options: Any) -> Any:
        trace: int | None = None
        values: list[Any] = []
        wanted: list[bool] = []
        parents: list[Any] = []
        for array in arrays:
            if type(array) not in _box_types:
                wanted.append(False)
                values.append(array)
                continue
            node, value = array._node, array._value
            if trace is None:
                trace = array._trace
            if type(node) is not VJPNode or array._trace != trace or type(value) in _box_types:
                raise _refusal(name, node)
            wanted.append(True)
            values.append(value)
            parents.append(node)
        call = Call(wanted, trace is not None)
        result = forward(call, *values, **options)
        if trace is None:
            return result

        def vjp(g: Any) -> list[Any]:
            return list(compress(backward(call, _upstream(name, g, result)), wanted))

        node = _node(parents, vjp)
        if type(result) is not tuple:
            return new_box(result, trace, node)
        parents, boxes = [node], []
        for k, each in enumerate(result):
            boxes.append(new_box(each, trace, _node(parents, _handing_on(k))))
        return tuple(boxes)

    return run


def _node(parents: list[Any], vjp: Callable[[Any], Any]) -> Any:
    """Return a node of autograd."""
    node = _new_node(VJPNode)
    node.parents, node.vjp = parents, vjp
    return node


def _no_gradients(_: Any) -> tuple[Any, ...]:
    """Be the vjp of a leaf."""
    return ()


@cache
def _handing_on(k: int) -> Callable[[Any], Any]:
    """Return the vjp of result number k of a call: what comes is handed on under its number."""
    return lambda g: [_Gradients({k: g})]


def _refusal(name: str, node: Any) -> NotImplementedError:
    """Word why an operation cannot take a box: only the first order of reverse mode is there."""
    if type(node) is VJPNode:
        return _once(name)
    return NotImplementedError(
        f"fastrnn.ops.{name} has no forward mode; its twin fastrnn.reference.{name} has"
    )


def _once(name: str) -> NotImplementedError:
    return NotImplementedError(
        f"fastrnn.ops.{name} can be differentiated once; its twin fastrnn.reference.{name} can be "
        f"to any order"
    )


class Tracing:
    """One run of a function with many leaves, and the way back from its result.

    In a ``with`` block the function runs on what `leaf` returned; `back` comes after it.
    """

    def __init__(self) -> None:
        self._leaves: list[VJPNode] = []
        self._block = trace_stack.new_trace()
        self._trace = -1

    def __enter__(self) -> None:
        self._trace = self._block.__enter__()

    def __exit__(self, *error: object) -> None:
        # Not with the error: autograd's block would leave its counter one too high for ever.
        self._block.__exit__(None, None, None)

    def leaf(self, value: Any) -> Any:
        """Return value as something to differentiate by."""
        self._leaves.append(_node(_NO_PARENTS, _no_gradients))
        return new_box(value, self._trace, self._leaves[-1])

    def back(self, result: Any, rows: str | None = None) -> tuple[Any, list[Any]]:
        """Return the value of the result and its gradient by each leaf, None where it has none.

        By `rows` gradients of tables are RowGradient where few rows were used, or lazy ones always.
        """
        ours = type(result) in _box_types and result._trace == self._trace
        value = result._value if ours else result
        plain = np.asarray(getval(value))
        if plain.ndim or plain.dtype.kind != "f":
            raise TypeError(f"the value to differentiate must be a floating number, got {plain!r}")
        token = _row_mode.set(rows)
        try:
            gradients = _accumulated(result._node, np.ones((), plain.dtype)) if ours else {}
        finally:
            _row_mode.reset(token)
        return value, list(map(gradients.get, self._leaves))


def _accumulated(end: Any, g: Any) -> dict[Any, Any]:
    """Return the gradients by all nodes without parents, given that by the end.

    What autograd's own `backward_pass` does, node by node in the same order, in half the time: two
    plain arrays are added at once, where autograd calls a primitive.
    """
    waiting: dict[Any, int] = {}  # how often a node is used; leaves wait for nobody
    stack = [end]
    while stack:
        node = stack.pop()
        if node in waiting:
            waiting[node] += 1
        elif node.parents:
            waiting[node] = 1
            stack.extend(node.parents)
    summed: dict[Any, Any] = {end: g}  # those of leaves stay
    ours: set[Any] = set()  # nodes whose sum was made here, and may be changed
    ready = [end] if end.parents else []
    while ready:
        node = ready.pop()
        g = summed.pop(node)
        if type(g) is RowGradient:  # of a table that was computed
            g = g.dense()
        for parent, part in zip(node.parents, node.vjp(g), strict=False):
            if type(part) in _plain and parent not in summed:  # as for most
                summed[parent] = part
            else:
                _add(summed, ours, parent, part)
            if not parent.parents:
                continue
            if waiting[parent] == 1:
                ready.append(parent)
            else:
                waiting[parent] -= 1
    return summed


def _add(summed: dict[Any, Any], ours: set[Any], node: Any, part: Any) -> None:
    """Add a part to the sum of a node as autograd does, two plain arrays at once."""
    before = summed.get(node)
    rows = type(part) is RowGradient or type(before) is RowGradient
    if before is None and rows:
        summed[node] = part
        return
    if rows or (type(part) is _ndarray and type(before) is _ndarray):
        summed[node] = plus(before, part, node in ours)
        ours.add(node)
        return
    flagged = None if before is None else (before, node in ours)
    summed[node], mine = add_outgrads(flagged, part)
    if mine:
        ours.add(node)


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


def row_gradient(w: Array, ids: Array, values: Callable[[Array, Array], None]) -> Any:
    """Return the gradient of a table by rows, where that is wanted and pays, else None.

    ``values(dw, ids)`` adds to rows of dw (U, E) those of the gradient, ids saying to which.
    """
    mode = _row_mode.get()
    if mode is None or (mode != "lazy" and max(4 * ids.size, LARGE) > len(w)):
        return None
    rows, places = np.unique(ids, return_inverse=True)
    dw = np.zeros((len(rows), *w.shape[1:]), w.dtype)
    values(dw, places.reshape(-1))
    return RowGradient(rows, dw, w.shape, mode == "lazy")


def is_traced(*values: Any) -> bool:
    """Return whether autograd is differentiating by one of the values."""
    return any(type(value) in _box_types for value in values)


def value_of(value: Any) -> Any:
    """Return the plain value of what autograd traces, and anything else as it is."""
    return getval(value)


def opened(value: Any) -> Any:
    """Return value with its tuples and lists as lists, also those that autograd traces as such."""
    if type(value) in _box_types and isinstance(value._value, (tuple, list)):
        return [opened(value[k]) for k in range(len(value))]
    return list(map(opened, value)) if isinstance(value, (tuple, list)) else value


def _upstream(name: str, g: Any, result: Any) -> Any:
    """Return g in the dtype of the result, C-contiguous: autograd may bring it otherwise."""
    if type(g) is _ndarray and g.dtype is result.dtype and g.flags.c_contiguous:
        return g
    if type(g) is _Gradients:
        every: list[Any] = [None] * len(result)
        for k in g:
            every[k] = _upstream(name, g[k], result[k])
        return tuple(every)
    if type(g) in _box_types:
        raise _once(name)
    return np.asarray(g, result.dtype, order="C")
