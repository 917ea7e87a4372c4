"""``fastrnn export``: a model or a layer's weights as an ONNX file."""

import inspect
from pathlib import Path
from typing import Any

import fastrnn
from fastrnn.io import load_weights
from fastrnn.io._layer_file import saved_layer
from fastrnn.models._parts.model import model_arrays, model_file

LAYERS: dict[str, Any] = {"rnn": fastrnn.RNN, "gru": fastrnn.GRU, "lstm": fastrnn.LSTM}


def run_export(
    path: Path, out: Path, *, cell: str | None, prefix: str, state: bool, lengths: bool
) -> None:
    """Write the ONNX file and say what is in it; the parameters are the command's options."""
    if prefix and cell is None:
        raise ValueError("--prefix is for the weights of a layer: name it with --cell")
    path, files = model_file(path), [out]
    layer = saved_layer(path, LAYERS.values())
    if layer is not None and (prefix or cell not in {None, type(layer).__name__.lower()}):
        given = f"--prefix {prefix}" if prefix else f"--cell {cell}"
        raise ValueError(f"{path} holds {layer!r} by itself: leave {given} away")
    if layer is None and cell is not None:
        layer = LAYERS[cell].from_torch(load_weights(path), prefix)
    if layer is not None:
        layer.to_onnx(out, state=state, lengths=lengths)
        what = repr(layer)
    else:
        from fastrnn import models

        if model_arrays(path).state.get("format") != "fastrnn-model":
            raise ValueError(f"{path} holds no model; name the layer of its weights with --cell")
        model: Any = models.load(path)
        what = type(model).__name__
        if not hasattr(model, "to_onnx"):
            raise ValueError(f"{path} holds a {what}, which ONNX cannot say")
        takes = inspect.signature(model.__class__.to_onnx).parameters
        wanted = {name: True for name, given in (("state", state), ("lengths", lengths)) if given}
        for name in wanted.keys() - takes.keys():
            raise ValueError(f"--{name} is no option of the graph of a {what}")
        files = model.to_onnx(out, **wanted) or files
    for file in files:
        print(f"{file}: {what}, {file.stat().st_size} bytes")
