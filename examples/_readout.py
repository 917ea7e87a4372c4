"""What the experiments share: a recurrent layer, a linear read-out, explicit gradients, Adam."""

import numpy as np

from fastrnn.train import Adam, clip_grad_norm


class Readout:
    """scores = y w' + b at every step, or after each row's last one, with y from `layer`."""

    def __init__(self, layer, outputs, *, rate, rng, max_norm=1.0):
        width, bound = layer.hidden_size, layer.hidden_size**-0.5
        self.layer, self.max_norm, self.optimiser = layer, max_norm, Adam(rate)
        w = rng.uniform(-bound, bound, (outputs, width)).astype(layer.dtype)
        self.params = {"rnn": layer.params, "w": w, "b": np.zeros(outputs, layer.dtype)}

    def update(self, x, loss, *, lengths=None, state=None, last=False):
        """One update: `loss` turns scores into (value, gradient). Returns value and final state."""
        y, state, tape = self.layer.forward(x, state, lengths=lengths)
        ends = self._ends(y, lengths) if last else slice(None)
        features, w = y[ends], self.params["w"]
        value, dscores = loss(features @ w.T + self.params["b"])
        dy = np.zeros_like(y)
        dy[ends] = dscores @ w
        flat = dscores.reshape(-1, len(w))
        grads = {
            "rnn": self.layer.backward(tape, dy).params,
            "w": flat.T @ features.reshape(len(flat), -1),
            "b": flat.sum(0),
        }
        clip_grad_norm(grads, self.max_norm)
        self.optimiser.update(self.params, grads)
        return value, state

    def scores(self, x, *, lengths=None, state=None, last=False):
        """Scores (T, N, outputs), or (N, outputs) after the last steps; and the final state."""
        self.layer.repack()  # the updates changed the weights in place
        y, state = self.layer(x, state, lengths=lengths)
        features = y[self._ends(y, lengths)] if last else y
        return features @ self.params["w"].T + self.params["b"], state

    @staticmethod
    def _ends(y, lengths):
        T, N, _ = y.shape
        return (np.full(N, T) if lengths is None else lengths) - 1, np.arange(N)


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
        z, weight = 1 / (1 + np.exp(-scores)), counted[..., None] / scores.dtype.type(counted.sum())
        nats = np.logaddexp(0, scores) - targets * scores
        return float((nats * weight).sum()), (z - targets) * weight

    return loss
