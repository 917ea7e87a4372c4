"""A forward and a backward become one node of autograd: the only file that knows how.

An operation is two functions. ``forward(call, *arrays, **options)`` returns an array, a number or a
tuple of arrays, and leaves in ``call.kept`` what ``backward(call, g)`` needs, which returns one
gradient per array, None where ``call.wanted`` says that nobody asks.
"""

from collections.abc import Callable
from typing import Any

import numpy as np

from fastrnn.runtime import backend, team

try:
    from autograd.extend import Box, defvjp_argnums, primitive
except ImportError as error:
    raise ImportError(
        'fastrnn.ops needs the package autograd; install it with: pip install "fastrnn[train]"'
    ) from error

_ndarray = np.ndarray
_box_types = Box.types


class Call:
    """What one call of an operation carries from forward to backward.

    Attributes
    ----------
    wanted : tuple of bool
        Which arrays are being differentiated; backward need not return the others' gradients.
    core : bool
        Whether the C++ core runs it; otherwise the twin does. Both directions use the same one.
    num_threads : int
        The `fastrnn.threads` block's number, 0 outside of one.
    kept : Any
        What forward leaves for backward; leave it alone where `traced` is False.
    """

    __slots__ = ("core", "kept", "num_threads", "wanted")

    def __init__(self, wanted: tuple[bool, ...]) -> None:
        self.wanted = wanted
        self.core = backend.get() == "core"
        self.num_threads = team.get()
        self.kept: Any = None

    @property
    def traced(self) -> bool:
        """Whether anything is being differentiated, so that backward may follow."""
        return True in self.wanted


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

    def raw(*arrays: Any, call: Call, options: dict[str, Any], **_: Any) -> Any:
        return forward(call, *arrays, **options)

    raw.__name__ = raw.__qualname__ = name
    node = primitive(raw)

    def vjps(argnums: tuple[int, ...], result: Any, args: tuple[Any, ...], keywords: Any) -> Any:
        def vjp(g: Any) -> tuple[Any, ...]:
            if any(type(value) in _box_types for value in (g, *args)):
                raise NotImplementedError(
                    f"fastrnn.ops.{name} can be differentiated once; its twin "
                    f"fastrnn.reference.{name} can be to any order"
                )
            gradients = backward(keywords["call"], _like(g, result))
            return tuple(gradients[i] for i in argnums)

        return vjp

    defvjp_argnums(node, vjps)

    def run(*arrays: Any, **options: Any) -> Any:
        call = Call(tuple(type(array) in _box_types for array in arrays))
        return node(*arrays, call=call, options=options)

    return run


def _like(g: Any, result: Any) -> Any:
    """Return g in the dtype of the result, C-contiguous: autograd may bring it otherwise."""
    if type(result) is tuple:
        return tuple(_like(*pair) for pair in zip(g, result, strict=True))
    if type(g) is _ndarray and g.dtype is result.dtype and g.flags.c_contiguous:
        return g
    return np.asarray(g, result.dtype, order="C")
