"""Keras' weights, of versions 2 and 3 and of its CuDNN layers, in and out."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from fastrnn._checks import Array, flag
from fastrnn.cells import Squash
from fastrnn.io._assemble import GATES, array, assemble, blocks, family, refuse

if TYPE_CHECKING:
    from fastrnn.recurrent import Layer

L = TypeVar("L", bound="Layer")

# Keras' blocks of columns, in the order of our rows: LSTM i f c o, GRU z r h.
_ORDER = {"RNN": (0,), "LSTM": (0, 1, 2, 3), "GRU": (1, 0, 2)}
# Keras' activations by name; hard_sigmoid is that of versions 1 and 2.
_ACTIVATIONS: dict[str, Squash] = {
    name: name
    for name in ("sigmoid", "tanh", "relu", "linear", "elu", "softsign", "softplus", "hard_sigmoid")
}
_ACTIVATIONS["leaky_relu"] = ("leaky_relu", 0.2)  # type: ignore[assignment]
_HARD_SIGMOID_3: Squash = ("hard_sigmoid", 1 / 6, 0.5)


def from_keras(
    cls: type[L],
    weights: Any,
    bidirectional: bool,
    bias: bool,
    activation: Squash,
    recurrent_activation: Squash,
    options: dict[str, Any],
) -> L:
    """Return a layer with the arrays of ``get_weights``, all layers and directions in a row."""
    if callable(getattr(weights, "get_weights", None)):
        return _from_layer(cls, weights, options)
    if not isinstance(weights, Sequence):
        raise TypeError(
            f"weights must be a list of arrays as get_weights returns it, "
            f"got {type(weights).__name__}"
        )
    per, D = 3 if flag("bias", bias) else 2, 2 if flag("bidirectional", bidirectional) else 1
    if not weights or len(weights) % (per * D):
        raise ValueError(
            f"weights must be {per} arrays for each layer and direction, kernel, recurrent_kernel"
            f"{' and bias' if bias else ''}, so a multiple of {per * D}; got {len(weights)}"
        )
    name = family(cls)
    options = options | _choices(name, activation, recurrent_activation)
    each = []
    after = True
    for k in range(0, len(weights), per):
        entry, after = _one(name, weights[k : k + per], k)
        each.append(entry)
    if name == "GRU":
        given = options.setdefault("reset_after", after)
        if bias and given != after:
            raise ValueError(
                f"weights[2] is the bias of a GRU with reset_after={after}, "
                f"and reset_after={given!r} was asked for"
            )
    return assemble(cls, each, D, **options)


def _from_layer(cls: type[L], layer: Any, options: dict[str, Any]) -> L:
    """Return the same of a layer of Keras, whose configuration says what its arrays do not."""
    config: dict[str, Any] = layer.get_config()
    merge: dict[str, Any] = {}
    inner = layer
    if "merge_mode" in config:
        merge = {"merge_mode": config["merge_mode"]}
        inner = layer.forward_layer
        config = inner.get_config()
        _same_both_ways(inner, layer.backward_layer)
    name = type(inner).__name__
    if {"SimpleRNN": "RNN"}.get(name, name) != family(cls):
        raise TypeError(f"{cls.__name__}.from_keras cannot read a {name}")
    if config.get("go_backwards"):
        raise ValueError("go_backwards=True turns the output round too; reverse the input instead")
    chosen: list[Squash] = [config["activation"], config.get("recurrent_activation", "sigmoid")]
    if ".src." in type(inner).__module__:  # Keras 3
        chosen = [_HARD_SIGMOID_3 if name == "hard_sigmoid" else name for name in chosen]
    g, f = chosen
    own = dict(merge)
    if family(cls) == "GRU":  # a bias would say it too, but there may be none
        own["reset_after"] = config.get("reset_after", False)
    return from_keras(
        cls, layer.get_weights(), bool(merge), config["use_bias"], g, f, own | options
    )


def _same_both_ways(forward: Any, backward: Any) -> None:
    """Refuse a Bidirectional whose backward_layer is another kind of layer than its layer."""
    one, other = (
        {"class": type(each).__name__, **each.get_config()} for each in (forward, backward)
    )
    names = (
        "class", "units", "activation", "recurrent_activation", "use_bias", "reset_after", "cell",
    )  # fmt: skip
    for name in names:
        if one.get(name) != other.get(name):
            raise ValueError(
                f"both directions of a Bidirectional must be alike, got {name} "
                f"{one.get(name)!r} forward and {other.get(name)!r} backward"
            )


def _one(name: str, given: Sequence[Any], k: int) -> tuple[dict[str, Any], bool]:
    """Return one layer and direction, and whether its bias is that of a reset gate after."""
    G, order = GATES[name], _ORDER[name]
    words = "H" if G == 1 else f"{G}·H"
    R = array(f"weights[{k + 1}]", given[1], (None, None), f"(H, {words})")
    H = R.shape[0]
    R = array(f"weights[{k + 1}]", given[1], (H, G * H), f"(H, {words})")
    W = array(f"weights[{k}]", given[0], (None, G * H), f"(I, {words})")
    weights: dict[str, Any] = {"w_ih": blocks(W.T, order), "w_hh": blocks(R.T, order)}
    if len(given) < 3:
        return weights, True
    value, label = given[2], f"weights[{k + 2}]"
    # CuDNN's layers and the GRU with its reset gate after have one bias for each product.
    if np.ndim(value) == 2 and name == "GRU":
        both = array(label, value, (2, G * H), f"(2, {words})")
    elif np.size(value) == 2 * G * H != G * H and name != "RNN":
        both = array(label, value, (2 * G * H,), f"({2 * G}·H,)").reshape(2, -1)
        weights = {"w_ih": blocks(_cudnn(W, G), order), "w_hh": blocks(_cudnn(R, G), order)}
    else:
        weights["b_ih"] = blocks(array(label, value, (G * H,), f"({words},)"), order)
        return weights, name != "GRU"
    return weights | {"b_ih": blocks(both[0], order), "b_hh": blocks(both[1], order)}, True


def _cudnn(kernel: Array, G: int) -> Array:
    """Return the rows (G·H, ·) of a kernel of CuDNN's layers.

    Their columns of one gate, (·, H), are CuDNN's matrix (H, ·) in the order of its memory: only
    the shape is that of the other layers.
    """
    return np.concatenate([gate.reshape(gate.shape[::-1]) for gate in np.hsplit(kernel, G)])


def _choices(name: str, activation: Squash, recurrent_activation: Squash) -> dict[str, Any]:
    """Return the layer's options that say the same."""
    names = []
    for label, value in (
        ("activation", activation), ("recurrent_activation", recurrent_activation)
    ):  # fmt: skip
        if isinstance(value, str) and value not in _ACTIVATIONS:
            raise ValueError(f"{label} must be one of {list(_ACTIVATIONS)}, got {value!r}")
        names.append(_ACTIVATIONS[value] if isinstance(value, str) else value)
    g, f = names
    if name == "RNN":
        if f != "sigmoid":
            raise ValueError("recurrent_activation exists for LSTM and GRU only")
        return {"nonlinearity": g}
    return {"activations": (f, g, g) if name == "LSTM" else (f, g)}


def to_keras(layer: "Layer") -> list[Array]:
    """Return the arrays that ``set_weights`` takes, all layers and directions in a row."""
    name = family(type(layer))
    refuse(
        layer, f"Keras' {name}", "bias", "batch_first", "bidirectional", "merge_mode",
        "activations", "nonlinearity", "reset_after", "compute_dtype",
    )  # fmt: skip
    inverse = np.argsort(_ORDER[name]).tolist()
    params, result = layer.state_dict(), []
    for direction in layer._weights.each():
        own = {argument: params[key] for argument, key in direction.names.items()}
        result += [
            np.ascontiguousarray(blocks(own[argument], inverse).T) for argument in ("w_ih", "w_hh")
        ]
        if not layer.bias:
            continue
        b_ih, b_hh = blocks(own["b_ih"], inverse), blocks(own["b_hh"], inverse)
        if getattr(layer, "reset_after", False):
            result.append(np.stack([b_ih, b_hh]))
        else:
            result.append(b_ih + b_hh)
    return result
