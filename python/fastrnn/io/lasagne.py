"""Weights with one array for each gate, under Lasagne's names, with learned initial states."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from fastrnn._checks import Array
from fastrnn.io._assemble import array, assemble, family

if TYPE_CHECKING:
    from fastrnn.recurrent import Layer

L = TypeVar("L", bound="Layer")

# Our gates in order, as Lasagne calls them.
_GATES = {
    "LSTM": ("ingate", "forgetgate", "cell", "outgate"),
    "GRU": ("resetgate", "updategate", "hidden_update"),
    "RNN": ("hid",),
}
_PEEPHOLES = tuple(f"W_cell_to_{gate}" for gate in ("ingate", "forgetgate", "outgate"))
_STATES = {"LSTM": ("hid_init", "cell_init"), "GRU": ("hid_init",), "RNN": ("hid_init",)}
_RECURRENT = {  # how RecurrentLayer spells it
    "input_to_hidden.W": "W_in_to_hid",
    "hidden_to_hidden.W": "W_hid_to_hid",
    "input_to_hidden.b": "b_hid",
}


def from_lasagne(
    cls: type[L], params: Any, prefix: str, options: dict[str, Any]
) -> tuple[L, Any]:
    """Return a layer and its learned initial state, None if there is none."""
    if not isinstance(params, Mapping):
        raise TypeError(f"params must be a mapping of names, got {type(params).__name__}")
    name = family(cls)
    own = {key[len(prefix) :]: value for key, value in params.items() if key.startswith(prefix)}
    own = {_RECURRENT.get(key, key): value for key, value in own.items()} if name == "RNN" else own
    gates = _GATES[name]
    w_ih, w_hh, b = (
        [f"{head}{gate}" for gate in gates] for head in ("W_in_to_", "W_hid_to_", "b_")
    )
    optional = [*b, *(_PEEPHOLES if name == "LSTM" else ()), *_STATES[name]]
    absent = [key for key in (*w_ih, *w_hh) if key not in own]
    extra = [prefix + key for key in own if key not in {*w_ih, *w_hh, *optional}]
    if absent or extra:
        wrong = [f"lacks {absent}"] if absent else []
        wrong += [f"has {extra} too many"] if extra else []
        raise ValueError(f"params {' and '.join(wrong)} for {cls.__name__}")
    H = array(w_hh[0], own[w_hh[0]], (None, None), "(H, H)").shape[0]
    weights: dict[str, Any] = {
        "w_ih": _stack(own, w_ih, (None, H), "(I, H)", name),
        "w_hh": _stack(own, w_hh, (H, H), "(H, H)", name),
        "b_ih": _some(own, b, (H,), name),
    }
    if name == "LSTM":
        peepholes = _some(own, list(_PEEPHOLES), (H,), "")
        weights["w_peephole"] = None if peepholes is None else peepholes.reshape(3, H)
    layer = assemble(cls, [weights], 1, **options)
    return layer, _state(own, _STATES[name], H, layer)


def _stack(
    own: Mapping[str, Any], names: list[str], shape: tuple[int | None, ...], words: str, name: str
) -> Array:
    """Return the gates' arrays as rows, one below the other."""
    parts = [array(key, own[key], shape, words).T for key in names]
    if name == "GRU":
        # h' = z∘n + (1 − z)∘h there; 1 − σ(a) = σ(−a), so its z is ours with another sign.
        parts[1] = -parts[1]
    return np.concatenate(parts)


def _some(
    own: Mapping[str, Any], names: list[str], shape: tuple[int, ...], name: str
) -> Array | None:
    """Return the same of vectors that are all there or all absent."""
    absent = [key for key in names if own.get(key) is None]
    if len(absent) == len(names):
        return None
    if absent:
        raise ValueError(f"params lacks {absent}, and has others of their kind")
    return _stack(own, names, shape, "(H,)", name)


def _state(own: Mapping[str, Any], names: tuple[str, ...], H: int, layer: "Layer") -> Any:
    """Return the learned initial state in the form of the layer's, for N = 1."""
    if all(own.get(key) is None for key in names):
        return None
    parts = []
    for key in names:
        value = own.get(key)
        value = np.zeros((1, H), layer.dtype) if value is None else value
        parts.append(array(key, value, (1, H), "(1, H)").astype(layer.dtype)[None])
    return tuple(parts) if len(parts) == 2 else parts[0]
