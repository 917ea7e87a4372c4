"""Files: whole or not at all, in safe formats, checked before they are believed."""

from importlib import import_module
from typing import Any

from fastrnn.io._error import CheckpointError
from fastrnn.io.arrays import load, save
from fastrnn.io.checkpoint import Checkpoint, load_checkpoint, load_weights, save_checkpoint

__all__ = [
    "Checkpoint",
    "CheckpointError",
    "OnnxNode",
    "load",
    "load_checkpoint",
    "load_onnx",
    "load_weights",
    "save",
    "save_checkpoint",
]


def __getattr__(name: str) -> Any:
    if name in ("OnnxNode", "load_onnx"):  # they stand on the layers, which files do without
        return getattr(import_module("fastrnn.io.onnx"), name)
    raise AttributeError(f"module 'fastrnn.io' has no attribute {name!r}")
