"""What the experiments share: a recurrent layer, a linear read-out, explicit gradients, Adam."""

import numpy as np

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

    def update(self, x, loss, *, lengths=None, state=None):
        """One update: `loss` turns scores into (value, gradient). Returns value and final state."""
        y, state, tape = self.layer.forward(x, state, lengths=lengths)
        features = self._features(y, state)
        w, keep = self.params["w"], np.ones(features.shape, features.dtype)
        if self.dropout:
            keep[self.rng.random(keep.shape) < self.dropout] = 0
            keep /= keep.dtype.type(1 - self.dropout)
        value, dscores = loss((features * keep) @ w.T + self.params["b"])
        dfeatures, flat = (dscores @ w) * keep, dscores.reshape(-1, len(w))
        grads = {"w": flat.T @ (features * keep).reshape(len(flat), -1), "b": flat.sum(0)}
        if self.last:
            directions = (dfeatures.shape[0], -1, self.layer.hidden_size)
            dh = dfeatures.reshape(directions).transpose(1, 0, 2)
            dstate = (dh, None) if isinstance(state, tuple) else dh
            grads["rnn"] = self.layer.backward(tape, dstate=dstate).params
        else:
            grads["rnn"] = self.layer.backward(tape, dfeatures).params
        clip_grad_norm(grads, self.max_norm)
        self.optimiser.update(self.params, grads)
        return value, state

    def scores(self, x, *, lengths=None, state=None):
        """Scores (T, N, outputs), or (N, outputs) of the last states; and the final state."""
        self.layer.repack()  # the updates changed the weights in place
        y, state = self.layer(x, state, lengths=lengths)
        return self._features(y, state) @ self.params["w"].T + self.params["b"], state

    def _features(self, y, state):
        if not self.last:
            return y
        h = state[0] if isinstance(state, tuple) else state
        return h.transpose(1, 0, 2).reshape(h.shape[1], -1)


def fit(model, series, labels, *, epochs, batch_size, seed):
    """Train on series (T_n, I) of classes 0..K-1 for some epochs; returns the losses."""
    losses = []
    loader = batches([len(s) for s in series], batch_size, seed=seed)
    for _ in range(epochs):
        for rows in loader:
            x, lengths = pad([series[i] for i in rows])
            losses.append(model.update(x, softmax(labels[rows]), lengths=lengths)[0])
    return losses


def squared(targets):
    """Mean squared error of scores (N, 1) against targets (N,), and its gradient."""

    def loss(scores):
        error = scores - targets[:, None]
        return float(np.mean(error**2)), (2 / len(error)) * error

    return loss


def softmax(targets):
    """Mean cross-entropy in nats where targets are not negative, and its gradient by the scores."""

    def loss(scores):
        p = np.exp(scores - scores.max(-1, keepdims=True))
        p /= p.sum(-1, keepdims=True)
        at, counted = np.maximum(targets, 0)[..., None], (targets >= 0)[..., None]
        nats = -np.log(np.take_along_axis(p, at, -1))
        np.put_along_axis(p, at, np.take_along_axis(p, at, -1) - 1, -1)
        return float(nats[counted].mean()), p * counted / p.dtype.type(counted.sum())

    return loss


def sigmoid(targets, counted):
    """Mean cross-entropy of independent yes-or-no targets (T, N, V) at the counted steps (T, N)."""

    def loss(scores):
        z = 0.5 + 0.5 * np.tanh(0.5 * scores)
        weight = counted[..., None] / scores.dtype.type(counted.sum())
        nats = np.logaddexp(0, scores) - targets * scores
        return float((nats * weight).sum()), (z - targets) * weight

    return loss
