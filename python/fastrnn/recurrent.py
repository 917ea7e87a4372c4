"""The layers: many steps, many layers, both directions, weights under PyTorch's names."""

from fastrnn._gru_layer import GRU
from fastrnn._lstm_layer import LSTM
from fastrnn._record import LayerGrads, LayerTape
from fastrnn._rnn_layer import RNN

__all__ = ["GRU", "LSTM", "RNN", "LayerGrads", "LayerTape"]
