"""``fastrnn verify``: whether a file holds what was written, and computes what the twin does."""

from pathlib import Path
from typing import Any

import numpy as np

import fastrnn
from fastrnn.cli.commands.selftest import relative_error
from fastrnn.io import CheckpointError, load_checkpoint, load_weights
from fastrnn.models._parts.model import model_file
from fastrnn.models._parts.reader import with_weights

MOST = 1e-3  # float32, a few layers and steps: far above rounding, far below a wrong gate


def run_verify(path: Path) -> None:
    """Print what the file holds, or raise what is wrong with it."""
    path = model_file(path)
    if path.suffix in (".bin", ".idx", ".json"):
        _tokens(path.with_suffix(".bin"))
        return
    try:
        checkpoint = load_checkpoint(path)
    except CheckpointError as error:
        if "its format is" not in str(error):
            raise
        tensors = load_weights(path)
        _finite(path, tensors)
        print(f"{path}: {_size(tensors)}, all finite; it has no checksum of ours to compare with")
        return
    print(f"{path}: {_size(checkpoint.tensors)}; the SHA-256 is right")
    _finite(path, checkpoint.tensors)
    if checkpoint.state.get("format") == "fastrnn-model":
        from fastrnn import models

        model = models.load(path)
        print(f"{type(model).__name__} with {model.parameter_count} parameters, all finite")
        layer = getattr(getattr(model, "_reader", None), "layer", None)
        if layer is not None:
            weights = model.params["rnn" if "rnn" in model.params else "encoder"]
            print(f"core and twin agree to {_agreement(layer, weights):.1e}")


def _tokens(path: Path) -> None:
    from fastrnn.data import TokenFile

    if path.exists() and not path.with_suffix(".json").exists():
        raise ValueError(f"{path}: it is no token file, which has a .json of its name beside it")
    with TokenFile(path) as file:
        file.verify()
        print(f"{path}: {len(file)} tokens; both SHA-256 are right")


def _finite(path: Path, tensors: dict[str, Any]) -> None:
    for name, array in tensors.items():
        if array.dtype.kind == "f" and not np.isfinite(array).all():
            count = int((~np.isfinite(array)).sum())
            raise ValueError(f"{path}: {name} has {count} numbers that are not finite")


def _size(tensors: dict[str, Any]) -> str:
    return f"{len(tensors)} tensors, {sum(array.nbytes for array in tensors.values())} bytes"


def _agreement(layer: Any, weights: dict[str, Any]) -> float:
    """Return the largest relative difference of core and twin on random input."""
    layer = with_weights(layer, weights)
    x = np.random.default_rng(0).standard_normal((8, 2, layer.input_size)).astype(layer.dtype)
    y, _ = layer(x)
    with fastrnn.use_backend("reference"):
        expected, _ = layer(x)
    error = relative_error(y, expected)
    if error > MOST:
        raise ValueError(f"core and twin differ by {error:.1e}, relative to the largest output")
    return error
