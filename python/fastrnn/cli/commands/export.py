"""``fastrnn export``: a model or a layer's weights as an ONNX file."""

from pathlib import Path
from typing import Any

import fastrnn
from fastrnn.io import load_checkpoint, load_weights
from fastrnn.models._parts.model import model_file

LAYERS: dict[str, Any] = {"rnn": fastrnn.RNN, "gru": fastrnn.GRU, "lstm": fastrnn.LSTM}


def run_export(
    path: Path, out: Path, *, cell: str | None, prefix: str, state: bool, lengths: bool
) -> None:
    """Write the ONNX file and say what is in it; the parameters are the command's options."""
    if prefix and cell is None:
        raise ValueError("--prefix is for the weights of a layer: name it with --cell")
    path = model_file(path)
    if cell is not None:
        layer = LAYERS[cell].from_torch(load_weights(path), prefix)
        layer.to_onnx(out, state=state, lengths=lengths)
        what = repr(layer)
    else:
        from fastrnn import models
        from fastrnn.io._onnx_model import write_model

        if load_checkpoint(path).state.get("format") != "fastrnn-model":
            raise ValueError(f"{path} holds no model; name the layer of its weights with --cell")
        model = models.load(path)
        write_model(model, out, state, lengths)
        what = type(model).__name__
    print(f"{out}: {what}, {out.stat().st_size} bytes")
