"""The functions of fastrnn: one layer, one direction, explicit arrays, in and out."""

from fastrnn._calls.cells import gru_cell, lstm_cell, rnn_cell
from fastrnn._calls.grads import GRUGrads, LSTMGrads, RNNGrads
from fastrnn._calls.gru import gru, gru_backward, gru_forward
from fastrnn._calls.lstm import lstm, lstm_backward, lstm_forward
from fastrnn._calls.rnn import rnn, rnn_backward, rnn_forward
from fastrnn._calls.tape import Tape

__all__ = [
    "GRUGrads",
    "LSTMGrads",
    "RNNGrads",
    "Tape",
    "gru",
    "gru_backward",
    "gru_cell",
    "gru_forward",
    "lstm",
    "lstm_backward",
    "lstm_cell",
    "lstm_forward",
    "rnn",
    "rnn_backward",
    "rnn_cell",
    "rnn_forward",
]
