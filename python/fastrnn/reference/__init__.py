"""The specification: every operation of fastrnn in plain NumPy, written to be read.

The functions have the names, arguments and results of those in `fastrnn`, and their text also runs
under `autograd.numpy`, so that each can be differentiated to any order.
"""

from fastrnn.reference.attention import attention, attention_backward
from fastrnn.reference.attention_decoder import attention_decoder, attention_decoder_backward
from fastrnn.reference.cells import gru_cell, lstm_cell, rnn_cell
from fastrnn.reference.clipping import gradient_clipping
from fastrnn.reference.dropout import dropout, dropout_backward
from fastrnn.reference.embedding import embedding, embedding_backward
from fastrnn.reference.gaussian import (
    gaussian_kl,
    gaussian_kl_backward,
    reparameterise,
    reparameterise_backward,
)
from fastrnn.reference.gru import gru, gru_backward, gru_forward
from fastrnn.reference.linear import linear, linear_backward
from fastrnn.reference.linear_loss import (
    linear_cross_entropy,
    linear_cross_entropy_backward,
)
from fastrnn.reference.loss import softmax_cross_entropy, softmax_cross_entropy_backward
from fastrnn.reference.lstm import lstm, lstm_backward, lstm_forward
from fastrnn.reference.optimisers import adagrad, adam, rmsprop, sgd
from fastrnn.reference.rnn import rnn, rnn_backward, rnn_forward
from fastrnn.reference.sampled_softmax import sampled_softmax
from fastrnn.reference.word2vec import word2vec_step

__all__ = [
    "adagrad",
    "adam",
    "attention",
    "attention_backward",
    "attention_decoder",
    "attention_decoder_backward",
    "dropout",
    "dropout_backward",
    "embedding",
    "embedding_backward",
    "gaussian_kl",
    "gaussian_kl_backward",
    "gradient_clipping",
    "gru",
    "gru_backward",
    "gru_cell",
    "gru_forward",
    "linear",
    "linear_backward",
    "linear_cross_entropy",
    "linear_cross_entropy_backward",
    "lstm",
    "lstm_backward",
    "lstm_cell",
    "lstm_forward",
    "reparameterise",
    "reparameterise_backward",
    "rmsprop",
    "rnn",
    "rnn_backward",
    "rnn_cell",
    "rnn_forward",
    "sampled_softmax",
    "sgd",
    "softmax_cross_entropy",
    "softmax_cross_entropy_backward",
    "word2vec_step",
]
