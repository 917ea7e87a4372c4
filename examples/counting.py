"""Counting: an LSTM learns a^n b^n and a^n b^n c^n from n <= 10, and goes on far beyond.

At each symbol the network says which symbols may come next; a string is accepted if it is right at
every one of them. Peepholes let the gates see the counter (Gers and Schmidhuber, 2001).
"""

from time import perf_counter

import numpy as np

import fastrnn
from fastrnn.cli.demos import Plot, Quick, Seeds, save, standalone
from fastrnn.data import one_hot, tasks
from fastrnn.examples._readout import Readout, sigmoid
from fastrnn.plot import curves

LARGEST = 10  # n in training


def accepted(model, n, letters):
    """Whether every prediction along the string is right."""
    x, targets, _ = tasks.counting([n], letters)
    scores, _ = model.scores(one_hot(x, letters + 2))
    return bool(((scores > 0) == (targets > 0)).all())


def reach(model, letters, most=200):
    """The largest n up to which all strings are accepted."""
    n = 0
    while n < most and accepted(model, n + 1, letters):
        n += 1
    return n


def train(seed, letters, updates, hidden=None, rate=1e-2, every=100):
    """Train on batches of all n <= 10; return the best model's reach and its history."""
    rng = np.random.default_rng(seed)
    layer = fastrnn.LSTM(letters + 2, hidden or 4 * (letters - 1), peephole=True, forget_bias=1.0, rng=rng)
    model = Readout(layer, letters + 2, rate=rate, rng=rng)
    x, targets, lengths = tasks.counting(np.arange(1, LARGEST + 1), letters)
    counted = np.arange(len(x))[:, None] < lengths
    history = []
    for i in range(1, updates + 1):
        model.update(one_hot(x, letters + 2), sigmoid(targets, counted), lengths=lengths)
        if i % every == 0:
            history.append(reach(model, letters))
    return history


