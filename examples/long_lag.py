"""Long time lags: adding, temporal order and copying, with LSTM, GRU and a plain tanh network.

The tests of memory of Hochreiter and Schmidhuber (1997): whatever decides the answer lies up to a
hundred steps of distraction back. Examples are generated anew for every update.
"""

from time import perf_counter

import numpy as np

import fastrnn
from fastrnn.cli.demos import Plot, Quick, Seeds, save, standalone
from fastrnn.data import one_hot, tasks
from fastrnn.examples._readout import Readout, softmax, squared
from fastrnn.plot import curves

CELLS = {
    "LSTM": lambda i, h, rng: fastrnn.LSTM(i, h, forget_bias=1.0, rng=rng),
    "GRU": lambda i, h, rng: fastrnn.GRU(i, h, rng=rng),
    "tanh RNN": lambda i, h, rng: fastrnn.RNN(i, h, rng=rng),
}


def adding(cell, seed, updates, T=100, hidden=32, rate=1e-2):
    """Losses, then on fresh data: MSE, share within 0.04, and RMSE at four times the length."""
    rng = np.random.default_rng(seed)
    model = Readout(CELLS[cell](2, hidden, rng), 1, rate=fall(rate, updates), rng=rng)
    losses = []
    for _ in range(updates):
        x, targets, _ = tasks.adding(rng, 64, T)
        losses.append(model.update(x, squared(targets), last=True)[0])
    errors = []
    for length in (T, 4 * T):
        x, targets, _ = tasks.adding(rng, 2000, length)
        errors.append(model.scores(x, last=True)[0][:, 0] - targets)
    return losses, np.mean(errors[0] ** 2), np.mean(abs(errors[0]) < 0.04), np.mean(errors[1]**2) ** 0.5


def temporal_order(cell, seed, updates, relevant=2, T=100, hidden=32, rate=1e-2):
    """Losses, the share of right classes of 2,000 fresh sequences, and sequences seen."""
    rng = np.random.default_rng(seed)
    model = Readout(CELLS[cell](8, hidden, rng), 2**relevant, rate=fall(rate, updates), rng=rng)
    losses = []
    for _ in range(updates):
        x, targets, lengths = tasks.temporal_order(rng, 32, T, relevant)
        losses.append(model.update(one_hot(x, 8), softmax(targets), lengths=lengths, last=True)[0])
    x, targets, lengths = tasks.temporal_order(rng, 2000, T, relevant)
    scores, _ = model.scores(one_hot(x, 8), lengths=lengths, last=True)
    return losses, np.mean(scores.argmax(1) == targets)


def copying(cell, seed, updates, lag=50, hidden=64, rate=5e-3):
    """Losses in nats a step, and that of fresh data."""
    rng = np.random.default_rng(seed)
    model = Readout(CELLS[cell](10, hidden, rng), 10, rate=fall(rate, updates), rng=rng)
    losses = []
    for _ in range(updates):
        x, targets, _ = tasks.copy_memory(rng, 64, lag)
        losses.append(model.update(one_hot(x, 10), softmax(targets))[0])
    x, targets, _ = tasks.copy_memory(rng, 1000, lag)
    return losses, softmax(targets)(model.scores(one_hot(x, 10))[0])[0]


def fall(rate, updates):
    """A learning rate that stays for half of the updates and then falls to 1 % in a line."""
    return lambda step: rate * min(1.0, max(0.01, 2 * (1 - step / updates)))


def run(quick: Quick = False, plot: Plot = None, seeds: Seeds = 5) -> None:
    """Long time lags: x."""


if __name__ == "__main__":
    standalone(run)
