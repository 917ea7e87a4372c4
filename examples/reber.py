"""Reber's grammar: one long dependence in every string, then strings without end and without resets.

Embedded: the last symbol but one repeats the second, some ten symbols before (Hochreiter and
Schmidhuber 1997, section 5.1). Continual: the strings follow each other in one endless stream, so
the network has to reset itself. Without a forget gate its cells grow until nothing gets through;
with one they stay small (Gers, Schmidhuber and Cummins 2000, section 4).
"""

from time import perf_counter

import numpy as np

import fastrnn
from fastrnn.cli.demos import Plot, Quick, Seeds, save, standalone
from fastrnn.data import one_hot, tasks
from fastrnn.examples._readout import Readout, sigmoid
from fastrnn.plot import gate_activations

V = len(tasks.REBER)


def right(scores, targets, counted):
    """Where the k largest scores are the k symbols that may come next: (T, N)."""
    allowed, forbidden = targets > 0, (targets == 0)
    worst = np.where(allowed, scores, np.inf).min(-1)
    return (worst > np.where(forbidden, scores, -np.inf).max(-1)) | ~counted


def mask(lengths, T):
    """Which steps exist, (T, N)."""
    return np.arange(T)[:, None] < lengths


def embedded(seed, strings=10_000, N=16, hidden=20, check=500):
    """Train on strings one batch after the other; return how many it took until 500 were right."""
    rng = np.random.default_rng(seed)
    model = Readout(fastrnn.LSTM(V, hidden, rng=rng), V, rate=1e-2, rng=rng)
    fresh = tasks.embedded_reber(np.random.default_rng(10_000 + seed), check)
    counted = mask(fresh.lengths, len(fresh.x))
    for seen in range(N, strings + 1, N):
        x, targets, lengths = tasks.embedded_reber(rng, N)
        model.update(one_hot(x, V), sigmoid(targets, mask(lengths, len(x))), lengths=lengths)
        if seen % (10 * N) == 0:
            scores, _ = model.scores(one_hot(fresh.x, V), lengths=fresh.lengths)
            if right(scores, fresh.targets, counted).all():
                return seen
    return None


def continual(seed, forget, updates=600, N=16, T=50, hidden=20, test=3000):
    """Train on endless streams; return the share of right steps, the largest |c|, a layer's gates."""
    rng = np.random.default_rng(seed)
    bias = 1.0 if forget else 0.0
    layer = fastrnn.LSTM(V, hidden, forget_bias=bias, rng=rng)
    model, state, everywhere = Readout(layer, V, rate=1e-2, rng=rng), None, np.ones((T, N), bool)
    whole = tasks.continual_reber(rng, N, updates * T)
    for start in range(0, updates * T, T):
        x, targets = whole.x[start : start + T], whole.targets[start : start + T]
        _, state = model.update(one_hot(x, V), sigmoid(targets, everywhere), state=state)
    fresh = tasks.continual_reber(rng, 4, test)
    scores, (_, c) = model.scores(one_hot(fresh.x, V))
    share = right(scores, fresh.targets, np.ones(fresh.x.shape, bool)).mean()
    _, _, tape = layer.forward(one_hot(fresh.x[:60, :1], V))
    return share, np.abs(c).max(), tape
