"""Differentiable operations: each is a C++ kernel and its gradient, one node for `autograd`."""

from fastrnn.ops._leaves import value_and_grad
from fastrnn.ops.linear import linear
from fastrnn.ops.recurrent import gru, lstm, rnn

__all__ = ["gru", "linear", "lstm", "rnn", "value_and_grad"]
