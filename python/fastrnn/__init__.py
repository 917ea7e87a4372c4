"""Recurrent networks on the CPU: RNN, LSTM and GRU on NumPy arrays, forward and backward."""

from importlib import import_module
from typing import Any

from fastrnn import functional, runtime
from fastrnn.cells import Masks
from fastrnn.embedding import Embedding
from fastrnn.functional import (
    GRUGrads,
    LSTMGrads,
    RNNGrads,
    Tape,
    gru,
    gru_backward,
    gru_cell,
    gru_forward,
    lstm,
    lstm_backward,
    lstm_cell,
    lstm_forward,
    rnn,
    rnn_backward,
    rnn_cell,
    rnn_forward,
)
from fastrnn.recurrent import GRU, LSTM, RNN, LayerGrads, LayerTape
from fastrnn.runtime import (
    available_isas,
    get_num_threads,
    isa,
    set_debug,
    set_isa,
    set_num_threads,
    show_config,
    threads,
    use_backend,
)
from fastrnn.stream import Stream

__version__ = "0.1.0"

# Loaded on first use: what a plain call does not need must not slow down the import.
_LAZY = (
    "data", "decode", "distributed", "init", "io", "metrics", "models", "ops", "plot", "reference",
    "sklearn", "testing", "torch", "train",
)  # fmt: skip

__all__ = [
    "GRU",
    "LSTM",
    "RNN",
    "AttentionStep",
    "CheckpointError",
    "Embedding",
    "GRUGrads",
    "LSTMGrads",
    "LayerGrads",
    "LayerTape",
    "Masks",
    "RNNGrads",
    "Stream",
    "Tape",
    "available_isas",
    "data",
    "distributed",
    "functional",
    "get_num_threads",
    "gru",
    "gru_backward",
    "gru_cell",
    "gru_forward",
    "init",
    "io",
    "isa",
    "lstm",
    "lstm_backward",
    "lstm_cell",
    "lstm_forward",
    "ops",
    "reference",
    "rnn",
    "rnn_backward",
    "rnn_cell",
    "rnn_forward",
    "runtime",
    "set_debug",
    "set_isa",
    "set_num_threads",
    "show_config",
    "testing",
    "threads",
    "train",
    "use_backend",
]


def __getattr__(name: str) -> Any:
    if name in _LAZY:
        return import_module(f"fastrnn.{name}")
    if name == "AttentionStep":
        return import_module("fastrnn.attention_step").AttentionStep
    if name == "CheckpointError":
        return import_module("fastrnn.io").CheckpointError
    raise AttributeError(f"module 'fastrnn' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__, *_LAZY})
