"""The functions of fastrnn: one layer, one direction, explicit arrays, in and out."""

from fastrnn._cells import gru_cell, lstm_cell, rnn_cell
from fastrnn._grads import GRUGrads, LSTMGrads, RNNGrads
from fastrnn._gru import gru, gru_backward, gru_forward
from fastrnn._lstm import lstm, lstm_backward, lstm_forward
from fastrnn._rnn import rnn, rnn_backward, rnn_forward
from fastrnn._tape import Tape

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
