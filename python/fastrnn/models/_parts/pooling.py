"""From the outputs of all steps to one row of features for each sequence."""

from typing import Any

import autograd.numpy as anp
import numpy as np

from fastrnn.ops._primitive import differentiable, value_of

POOLINGS = ("last", "mean", "max")

# (N, W) of (1, N, W), by the name of the cell: autograd's own reshape takes 8 us longer, there and
# back.
_only = {
    name: differentiable(name, lambda _, h: h[0], lambda _, g: (g[None],))
    for name in ("rnn", "gru", "lstm")
}


def pool(pooling: str, y: Any, lengths: Any, exists: Any) -> Any:
    """Return the mean or the largest of the steps that exist, (N, W); 0 where a row has none.

    Parameters
    ----------
    pooling : {"mean", "max"}
    y : array, (T, N, W)
        0 in padding, as the layers leave it.
    lengths : ndarray of int, (N,)
    exists : ndarray of bool, (T, N)
    """
    T, N, W = y.shape
    if T == 0:
        return np.zeros((N, W), y.dtype)
    if pooling == "mean":
        counts = np.maximum(lengths, 1).astype(y.dtype)
        return anp.sum(y, axis=0) / counts[:, None]
    # The place is chosen on plain values, so that the gradient has one address, ties or not.
    chosen = np.where(exists[:, :, None], value_of(y), -np.inf).argmax(axis=0)
    return y[chosen, np.arange(N)[:, None], np.arange(W)]


def last(layer: Any, state: Any) -> Any:
    """Return what the top layer's directions ended with, (N, width), merged as its outputs are."""
    h = state[0] if layer._spec.cell_state else state
    D = 2 if layer.bidirectional else 1
    if isinstance(layer.hidden_size, list):
        h = h[-1]
    if len(h) == D == 1:
        return _only[layer._spec.family](h)
    if len(h) == D and layer.merge_mode == "concat":
        # All there is: to index would cost more on the way back than the reshaping does.
        return anp.reshape(anp.transpose(h, (1, 0, 2)), (h.shape[1], D * h.shape[2]))
    if D == 1:
        return h[-1]
    forward, backward = h[-2], h[-1]
    if layer.merge_mode == "concat":
        return anp.concatenate([forward, backward], axis=1)
    if layer.merge_mode == "mul":
        return forward * backward
    return (forward + backward) * (0.5 if layer.merge_mode == "ave" else 1.0)
