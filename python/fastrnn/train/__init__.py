"""Training: optimisers over nested dicts of arrays, clipping, learning rates, and the trainer."""

from typing import Any

from fastrnn._elsewhere import TRAIN_NAMES, no_name
from fastrnn._row_gradient import RowGradient
from fastrnn.train import schedule
from fastrnn.train.callbacks import Callback, TensorBoard
from fastrnn.train.checkpoint import Checkpoints, load_latest
from fastrnn.train.clip import clip_grad_norm, clip_grad_value, global_norm
from fastrnn.train.history import History
from fastrnn.train.optim import SGD, Adagrad, Adam, AdamW, Optimiser, RMSprop
from fastrnn.train.trainer import Trainer

__all__ = [
    "SGD",
    "Adagrad",
    "Adam",
    "AdamW",
    "Callback",
    "Checkpoints",
    "History",
    "Optimiser",
    "RMSprop",
    "RowGradient",
    "TensorBoard",
    "Trainer",
    "clip_grad_norm",
    "clip_grad_value",
    "global_norm",
    "load_latest",
    "schedule",
]


def __getattr__(name: str) -> Any:
    raise no_name("fastrnn.train", name, TRAIN_NAMES)
