"""Differentiable operations: each is a C++ kernel and its gradient, one node for `autograd`."""

from fastrnn.ops.linear import linear

__all__ = ["linear"]
