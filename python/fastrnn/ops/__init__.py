"""Differentiable operations: each is a C++ kernel and its gradient, one node for `autograd`."""

from fastrnn.ops._primitive import value_and_grad
from fastrnn.ops.attention import attention
from fastrnn.ops.attention_decoder import attention_decoder
from fastrnn.ops.dropout import dropout
from fastrnn.ops.embedding import embedding
from fastrnn.ops.gaussian import gaussian_kl, reparameterise
from fastrnn.ops.linear import linear
from fastrnn.ops.loss import linear_cross_entropy, softmax_cross_entropy
from fastrnn.ops.recurrent import gru, lstm, rnn
from fastrnn.ops.sampled_softmax import sampled_softmax

__all__ = [
    "attention",
    "attention_decoder",
    "dropout",
    "embedding",
    "gaussian_kl",
    "gru",
    "linear",
    "linear_cross_entropy",
    "lstm",
    "reparameterise",
    "rnn",
    "sampled_softmax",
    "softmax_cross_entropy",
    "value_and_grad",
]
