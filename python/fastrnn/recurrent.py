"""The layers: many steps, many layers, both directions, weights under PyTorch's names."""

from fastrnn._layers.gru import GRU
from fastrnn._layers.lstm import LSTM
from fastrnn._layers.record import LayerGrads, LayerTape
from fastrnn._layers.rnn import RNN

__all__ = ["GRU", "LSTM", "RNN", "LayerGrads", "LayerTape"]
