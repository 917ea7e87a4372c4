"""Training: optimisers over nested dicts of arrays, clipping of gradients, learning rates."""

from fastrnn.train import schedule
from fastrnn.train.clip import clip_grad_norm, clip_grad_value, global_norm
from fastrnn.train.optim import SGD, Adagrad, Adam, AdamW, Optimiser, RMSprop

__all__ = [
    "SGD",
    "Adagrad",
    "Adam",
    "AdamW",
    "Optimiser",
    "RMSprop",
    "clip_grad_norm",
    "clip_grad_value",
    "global_norm",
    "schedule",
]
