"""Counting: an LSTM learns a^n b^n and a^n b^n c^n from n <= 10, and goes on far beyond.

At each symbol the network says which symbols may come next; a string is accepted if it is right at
every one of them. Peepholes let the gates see the counter (Gers and Schmidhuber, 2001).
"""

from time import perf_counter

import numpy as np

import fastrnn
from _readout import Readout, sigmoid
from _script import Plot, Quick, Seeds, save, standalone
from fastrnn.data import one_hot
from fastrnn.plot import curves
from toys import tasks

LARGEST, MOST = 10, 200  # n in training, and in the test
LANGUAGES = {2: "a^n b^n", 3: "a^n b^n c^n"}


def accepted(model, n, letters):
    """Whether every prediction along the string is right."""
    x, targets, _ = tasks.counting([n], letters)
    scores, _ = model.scores(one_hot(x, letters + 2))
    return bool(((scores > 0) == (targets > 0)).all())


def reach(model, letters):
    """The largest n up to which all strings are accepted."""
    n = 0
    while n < MOST and accepted(model, n + 1, letters):
        n += 1
    return n


def train(seed, letters, updates, rate=1e-2):
    """Train on batches of all n <= 10; return how far it counts after every 100 updates."""
    rng = np.random.default_rng(seed)
    layer = fastrnn.LSTM(letters + 2, 4, peephole=True, forget_bias=1.0, rng=rng)
    model = Readout(layer, letters + 2, rate=rate, rng=rng)
    x, targets, lengths = tasks.counting(np.arange(1, LARGEST + 1), letters)
    counted = np.arange(len(x))[:, None] < lengths
    history = []
    for i in range(1, updates + 1):
        model.update(one_hot(x, letters + 2), sigmoid(targets, counted), lengths=lengths)
        if i % 100 == 0:
            history.append(reach(model, letters))
    return history


def run(quick: Quick = False, plot: Plot = None, seeds: Seeds = 5) -> None:
    """Counting: a^n b^n and a^n b^n c^n, learned from n <= 10."""
    seeds = 1 if quick else seeds
    pictures = {}
    for letters, updates in ((2, 2000), (3, 4000)):
        began, reached = perf_counter(), []
        for seed in range(seeds):
            history = train(seed, letters, updates // (4 if quick else 1))
            reached.append(max(history))
            pictures[f"{LANGUAGES[letters]}, seed {seed}"] = history
        print(
            f"{LANGUAGES[letters]}: trained on n = 1..{LARGEST}, right up to n = {reached} "
            f"(at most {MOST} are tried); {(perf_counter() - began) / seeds:.1f} s a run"
        )
    if plot is not None:
        figure = curves(pictures, xlabel="hundreds of updates", ylabel="largest n")
        save(figure, plot, "counting")


if __name__ == "__main__":
    standalone(run)
