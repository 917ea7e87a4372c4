"""A carried state, however its model nests it, as named arrays and a skeleton that JSON can say."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from fastrnn._checks import Array


def detached(nest: Any) -> Any:
    """Return the nest with plain arrays where autograd has put its boxes."""
    from autograd.tracer import getval

    if isinstance(nest, dict):
        return {key: detached(inner) for key, inner in nest.items()}
    if isinstance(nest, (list, tuple)):
        return type(nest)(detached(inner) for inner in nest)
    while (value := getval(nest)) is not nest:
        nest = value
    return nest


def take_apart(nest: Any, prefix: str, arrays: dict[str, Array]) -> Any:
    """Put the arrays of the nest into `arrays` under numbered names; return what holds them.

    Raises
    ------
    TypeError
        Something is neither an array, None, dict, list nor tuple.
    """
    if nest is None:
        return None
    if isinstance(nest, (np.ndarray, np.generic)):
        name = f"{prefix}{len(arrays)}"
        arrays[name] = np.asarray(nest)
        return name
    if isinstance(nest, dict):
        return {"dict": {key: take_apart(inner, prefix, arrays) for key, inner in nest.items()}}
    if isinstance(nest, (list, tuple)):
        kind = "list" if isinstance(nest, list) else "tuple"
        return {kind: [take_apart(inner, prefix, arrays) for inner in nest]}
    raise TypeError(
        f"a carried state must be made of arrays, None, dict, list and tuple, got {type(nest)}"
    )


def put_together(skeleton: Any, arrays: Mapping[str, Array]) -> Any:
    """Return the nest that `take_apart` took apart; KeyError or ValueError if it cannot be."""
    if skeleton is None:
        return None
    if isinstance(skeleton, str):
        return arrays[skeleton]
    pairs = list(skeleton.items()) if isinstance(skeleton, dict) else []
    kind, content = pairs[0] if len(pairs) == 1 else ("", None)
    if kind == "dict" and isinstance(content, dict):
        return {key: put_together(inner, arrays) for key, inner in content.items()}
    if kind not in ("list", "tuple") or not isinstance(content, list):
        raise ValueError("the skeleton of the carried state is not one")
    inner = [put_together(each, arrays) for each in content]
    return inner if kind == "list" else tuple(inner)
