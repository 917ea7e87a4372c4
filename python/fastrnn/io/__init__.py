"""Files: whole or not at all, in safe formats, checked before they are believed."""

from fastrnn.io._error import CheckpointError
from fastrnn.io.checkpoint import Checkpoint, load_checkpoint, load_weights, save_checkpoint

__all__ = ["Checkpoint", "CheckpointError", "load_checkpoint", "load_weights", "save_checkpoint"]
