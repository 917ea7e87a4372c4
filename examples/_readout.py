"""What the experiments share: a recurrent layer, a linear read-out, Adam, and losses of scores."""

import autograd.numpy as anp
import numpy as np
from autograd.tracer import getval

from fastrnn import ops
from fastrnn.data import batches, pad
from fastrnn.train import Adam, clip_grad_norm


class Readout:
    """scores = features w' + b; the features are y at every step, or the last states of each row.

    The last states of a bidirectional layer are those at the end of its road: of the backward
    direction that is the first step.
    """

    def __init__(self, layer, outputs, *, rate, rng, last=False, max_norm=1.0, dropout=0.0):
        width = layer.hidden_size * (2 if layer.bidirectional else 1)
        w = rng.uniform(-(width**-0.5), width**-0.5, (outputs, width)).astype(layer.dtype)
        self.params = {"rnn": layer.params, "w": w, "b": np.zeros(outputs, layer.dtype)}
        self.layer, self.last, self.rng = layer, last, rng
        self.optimiser, self.max_norm, self.dropout = Adam(rate), max_norm, dropout
        self._differentiate = ops.value_and_grad(self._loss)

    def update(self, x, loss, *, lengths=None, state=None):
        """One update by a loss of the scores. Returns its value and the final state."""
        value, grads = self._differentiate(self.params, x, loss, lengths, state)
        clip_grad_norm(grads, self.max_norm)
        self.optimiser.update(self.params, grads)
        return float(value), self._state

    def _loss(self, params, x, loss, lengths, state):
        y, state = self.layer.apply(params["rnn"], x, state, lengths=lengths)
        lstm = isinstance(state, tuple)
        self._state = tuple(map(getval, state)) if lstm else getval(state)
        features = self._features(y, state)
        if self.dropout:
            features = ops.dropout(features, self.dropout, rng=self.rng)
        return loss(ops.linear(features, params["w"], params["b"]))

    def scores(self, x, *, lengths=None, state=None):
        """Scores (T, N, outputs), or (N, outputs) of the last states; and the final state."""
        y, state = self.layer(x, state, lengths=lengths)
        return ops.linear(self._features(y, state), self.params["w"], self.params["b"]), state

    def _features(self, y, state):
        if not self.last:
            return y
        h = state[0] if isinstance(state, tuple) else state
        return anp.reshape(anp.transpose(h, (1, 0, 2)), (h.shape[1], -1))


def fit(model, series, labels, *, epochs, batch_size, seed, noise=0.0):
    """Train on series (T_n, I) of classes 0..K-1 for some epochs; returns the losses.

    Normal noise of this deviation is added to the inputs, new in every update.
    """
    losses = []
    loader = batches([len(s) for s in series], batch_size, seed=seed)
    for _ in range(epochs):
        for rows in loader:
            x, lengths = pad([series[i] for i in rows])
            if noise:
                x += noise * model.rng.standard_normal(x.shape, x.dtype)
            losses.append(model.update(x, softmax(labels[rows]), lengths=lengths)[0])
    return losses


def squared(targets):
    """Mean squared error of scores (N, 1) against targets (N,)."""
    return lambda scores: anp.mean((scores - targets[:, None]) ** 2)


def softmax(targets):
    """Mean cross-entropy in nats where targets are not negative."""
    return lambda scores: ops.softmax_cross_entropy(scores, targets, ignore_index=-1)


def sigmoid(targets, counted):
    """Mean cross-entropy of independent yes-or-no targets (T, N, V) at the counted steps (T, N)."""

    def loss(scores):
        weight = counted[..., None] / scores.dtype.type(counted.sum())
        return anp.sum((anp.logaddexp(0, scores) - targets * scores) * weight)

    return loss
