"""Looking at autograd's record of a computation."""

from collections.abc import Callable
from typing import Any

from autograd.tracer import Box
from autograd.util import toposort


def count_nodes(differentiate: Callable[[Callable[..., Any]], Any], function: Any) -> int:
    """How many nodes lead to the result of `function`, which `differentiate` is called with."""
    count = 0

    def counted(*args: Any) -> Any:
        nonlocal count
        result = function(*args)
        assert isinstance(result, Box)
        count = len(list(toposort(result._node)))
        return result

    differentiate(counted)
    return count
