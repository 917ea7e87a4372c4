"""Nested dicts of arrays as flat dicts, each array named by its keys, joined by dots.

A carried state, however its model nests it, becomes named arrays and a skeleton that JSON can hold.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np

from fastrnn._checks import FLOAT32, FLOAT64, Array, leading
from fastrnn._row_gradient import RowGradient


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


_ndarray = np.ndarray


def flatten(
    name: str, tree: Any, *, scalars: bool = False, rows: bool = False
) -> dict[str, Any]:
    """Return the float arrays of a nested dict by the dotted names of their places, in order.

    Parameters
    ----------
    name : str
        The argument, for messages.
    tree : nested mapping of str to ndarray
    scalars : bool
        Accept NumPy's scalars too, which arithmetic makes of arrays without axes.
    rows : bool
        Accept a RowGradient too.

    Raises
    ------
    TypeError
        Something is neither a mapping nor an array of float32 or float64, or a key is no string.
    ValueError
        Two arrays have the same name, because a key has a dot in it.
    """
    if type(tree) is not dict and not isinstance(tree, Mapping):
        raise TypeError(f"{name} must be a dict of arrays, got {type(tree).__name__}")
    leaves: dict[str, Array] = {}
    _collect(name, tree, "", leaves, scalars, rows)
    return leaves


def nested(tree: Mapping[str, Any], flat: Mapping[str, Array], prefix: str = "") -> dict[str, Any]:
    """Return flat arrays in the form of a nested dict."""
    return {
        key: nested(entry, flat, f"{prefix}{key}.")
        if isinstance(entry, Mapping)
        else flat[prefix + key]
        for key, entry in tree.items()
    }


def _collect(
    name: str,
    tree: Mapping[Any, Any],
    prefix: str,
    leaves: dict[str, Any],
    scalars: bool,
    rows: bool,
) -> None:
    for key, entry in tree.items():
        if type(key) is not str:
            raise TypeError(f"{name} must have strings as keys, got {key!r}")
        path = prefix + key
        value = entry
        if type(entry) is not _ndarray:
            if type(entry) is dict or isinstance(entry, Mapping):
                _collect(name, entry, f"{path}.", leaves, scalars, rows)
                continue
            if rows and type(entry) is RowGradient:
                leaves[path] = entry
                continue
            if scalars and isinstance(entry, np.floating):
                value = np.asarray(entry)
        if path in leaves:
            raise ValueError(f"{name} has two arrays of the name {path!r}")
        if type(value) is not _ndarray or value.dtype not in (FLOAT32, FLOAT64):
            raise _no_float_array(place(name, path), value)
        leaves[path] = value


def place(name: str, path: str) -> str:
    """Say where in an argument an array is; without a path it is the argument."""
    return f"{name}[{path!r}]" if path else name


def contiguous(array: Array) -> Array:
    """Return an array, or a copy of it if the core could not read it as one row."""
    flags = array.flags
    return array if flags.c_contiguous and flags.aligned else np.array(array, order="C")


def same_names(name: str, got: Mapping[str, Any], of: str, want: Mapping[str, Any]) -> None:
    """Refuse a set of names that is not the expected one, naming some that are too few or many."""
    if got.keys() == want.keys():
        return
    absent = _some([path for path in want if path not in got])
    extra = _some([path for path in got if path not in want])
    raise ValueError(
        f"{name} must have the arrays of {of}; it lacks {absent}, {extra} are too many"
    )


def writable(name: str, arrays: Mapping[str, Array]) -> None:
    """Refuse arrays that the core could not change in place."""
    for path, array in arrays.items():
        flags = array.flags
        if not flags.carray:
            rule = "C-contiguous and aligned" if flags.writeable else "writable"
            raise ValueError(f"{place(name, path)} must be {rule}, because it is changed in place")


def alike(name: str, got: Any, of: str, want: Array) -> None:
    """Refuse another shape or dtype than that of the array it belongs to."""
    if got.shape != want.shape:
        raise ValueError(f"{name} must have the shape {want.shape} of {of}, got {got.shape}")
    if got.dtype != want.dtype:
        raise TypeError(f"{name} must have the dtype {want.dtype} of {of}, got {got.dtype}")


def gradients_of(arrays: dict[str, Array], grads: Mapping[str, Any]) -> list[Any]:
    """Return the gradients in the order of the arrays, contiguous, of their shapes and dtypes."""
    leaves = flatten("grads", grads, scalars=True, rows=True)
    same_names("grads", leaves, "params", arrays)
    gradients: list[Any] = []
    for path, array in arrays.items():
        gradient = leaves[path]
        if gradient.shape != array.shape or gradient.dtype is not array.dtype:
            alike(place("grads", path), gradient, "params", array)
        if type(gradient) is RowGradient:
            gradients.append(gradient)
            continue
        gradients.append(gradient if gradient.flags.carray else contiguous(gradient))
    return gradients


def kept_arrays(
    entries: Mapping[str, Any], slots: tuple[str, ...]
) -> dict[str, tuple[Array, ...]]:
    """Return copies of the arrays named ``slot.path``, by path and in the order of the slots."""
    leaves: dict[str, dict[str, Array]] = {}
    for name, value in entries.items():
        slot, _, path = name.partition(".")
        if slot not in slots or not path:
            raise ValueError(f"state_dict has {name!r} too many")
        array, _ = leading(f"state_dict[{name!r}]", value)
        leaves.setdefault(path, {})[slot] = np.array(array, order="C")
    for path, beside in leaves.items():
        for slot in slots:
            if slot not in beside:
                raise ValueError(f"state_dict lacks '{slot}.{path}'")
            alike(f"state_dict['{slot}.{path}']", beside[slot], slots[0], beside[slots[0]])
    return {path: tuple(beside[slot] for slot in slots) for path, beside in leaves.items()}


def _no_float_array(name: str, value: Any) -> TypeError:
    if type(value) is not _ndarray:
        return TypeError(f"{name} must be a numpy.ndarray, got {type(value).__name__}")
    return TypeError(f"{name} must be float32 or float64 in native byte order, got {value.dtype}")


def _some(names: list[str]) -> str:
    """Spell out the first few of many names."""
    more = f" and {len(names) - 4} more" if len(names) > 4 else ""
    return f"[{', '.join(map(repr, names[:4]))}]{more}"
