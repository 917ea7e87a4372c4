"""A layer in one file: its options as JSON, its weights under their names."""

import os
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from fastrnn._frozen import (
    FrozenWeights,
    checked_state,
    float32_bytes,
    state_of,
    with_frozen,
)
from fastrnn.init import at_most
from fastrnn.io._assemble import family
from fastrnn.io._error import CheckpointError
from fastrnn.io._json import plain
from fastrnn.io.checkpoint import Checkpoint, load_checkpoint, save_checkpoint

if TYPE_CHECKING:
    from fastrnn.recurrent import Layer

L = TypeVar("L", bound="Layer")

_FORMAT = "fastrnn-layer"
# Not written: what acts on the first weights alone.
_FIRST_WEIGHTS = ("rng", "forget_bias")


def save_layer(layer: "Layer", path: str | os.PathLike[str]) -> None:
    """Write a layer; see its `save`."""
    layer._weights.own(packed=False)  # weights that could not be read do not replace a good file
    name = family(type(layer))  # of what it may be derived from
    names = ("input_size", "hidden_size", "num_layers", "dtype", *layer._options)
    config = {key: plain(getattr(layer, key)) for key in names if key not in _FIRST_WEIGHTS}
    state = {"format": _FORMAT, "layer": name, "config": config}
    if isinstance(layer._weights.params, FrozenWeights):
        state["quantized"] = state_of(layer._weights.params.precision)
        save_checkpoint(path, layer._weights.params.tensors(), state)
    else:
        save_checkpoint(path, layer.params, state)


def load_layer(cls: type[L], path: str | os.PathLike[str]) -> L:
    """Read a layer; see its `load`."""
    return _layer_of(cls, path, load_checkpoint(path))


def saved_layer(path: str | os.PathLike[str], classes: Iterable[type[L]]) -> L | None:
    """Return the layer of one of these classes that `save_layer` wrote; None of any other file."""
    try:
        content = load_checkpoint(path)
    except CheckpointError:  # of another program, or broken: whoever reads it next says so
        return None
    if content.state.get("format") != _FORMAT:
        return None
    for cls in classes:
        if content.state.get("layer") == family(cls):
            return _layer_of(cls, path, content)
    name = content.state.get("layer")
    raise CheckpointError(path, f"it holds a layer {name!r}", "name one of an RNN, GRU or LSTM")


def _layer_of(cls: type[L], path: str | os.PathLike[str], content: Checkpoint) -> L:
    """Return the layer of a file's content."""
    state, config = content.state, content.state.get("config")
    if state.get("format") != _FORMAT or not isinstance(config, dict):
        hint = "fastrnn.models.load reads models, from_torch weights of other programs"
        raise CheckpointError(path, "it holds no layer", hint)
    if state.get("layer") != family(cls):
        name = state.get("layer")
        raise CheckpointError(path, f"it holds a {name}", f"load it with fastrnn.{name}.load")
    options = {
        name: tuple(map(_tuple, value)) if isinstance(value, list) and name != "hidden_size"
        else value
        for name, value in config.items()
    }  # fmt: skip
    maker: Any = cls
    try:
        if wrong := options.keys() & set(_FIRST_WEIGHTS):
            raise ValueError(f"{min(wrong)} is no option that a file keeps")
        quantized = state.get("quantized")
        precision = None if quantized is None else checked_state(quantized)
        # Options that ask for more than the file has are refused before memory is taken for them.
        with at_most(2 * float32_bytes(content.tensors) + 2**16):
            layer: L = maker(**options, rng=np.random.default_rng(0))
        if precision is not None:
            own = FrozenWeights.of(layer, layer._weights.params, precision)
            weights = own.filled(content.tensors)
            if content.tensors:
                raise ValueError(f"it has {sorted(content.tensors)} too many")
            return with_frozen(layer, weights)
        layer.load_state_dict(content.tensors)
    except (TypeError, ValueError) as error:
        raise CheckpointError(
            path, f"it is no {cls.__name__} of this version: {error}", "save the layer again"
        ) from None
    return layer


def _tuple(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value
