"""Counting: an LSTM learns a^n b^n and a^n b^n c^n from n <= 10, and goes on beyond.

At each symbol the network says which symbols may come next; a string is accepted if it is right at
every one of them. Peepholes let the gates see the counter (Gers and Schmidhuber, 2001). What counts
are the weights at the end, after the learning rate has fallen to 1 %. The rates were chosen with
seeds 0 to 4; runs have others.
"""

from time import perf_counter

import numpy as np

import fastrnn
from _readout import Readout, sigmoid
from _script import PICTURES, Plot, Quick, Seeds, plural, save, spread, standalone
from fastrnn.data import one_hot
from fastrnn.plot import bars
from fastrnn.train.schedule import chain, linear
from toys import tasks

LARGEST, MOST, UPDATES = 10, 200, 4000  # n in training, and in the test
LANGUAGES = {2: "aⁿbⁿ", 3: "aⁿbⁿcⁿ"}
RATES, FIRST = {2: 1e-2, 3: 2e-2}, 100  # the first seed


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


def train(seed, letters, updates):
    """Train on batches of all n <= 10; return how far the final weights count."""
    rng = np.random.default_rng(seed)
    layer = fastrnn.LSTM(letters + 2, 4, peephole=True, forget_bias=1.0, rng=rng)
    rate = RATES[letters]
    schedule = chain(rate, updates // 2, linear(rate, rate / 100, updates // 2))
    model = Readout(layer, letters + 2, rate=schedule, rng=rng)
    x, targets, lengths = tasks.counting(np.arange(1, LARGEST + 1), letters)
    counted = np.arange(len(x))[:, None] < lengths
    for _ in range(updates):
        model.update(one_hot(x, letters + 2), sigmoid(targets, counted), lengths=lengths)
    return reach(model, letters)


def run(quick: Quick = False, plot: Plot = PICTURES, seeds: Seeds = 10) -> None:
    """Counting: a^n b^n and a^n b^n c^n, learned from n <= 10."""
    seeds, updates = (1, 1000) if quick else (seeds, UPDATES)
    found = {}
    for letters, name in LANGUAGES.items():
        began = perf_counter()
        found[name] = reached = [train(FIRST + seed, letters, updates) for seed in range(seeds)]
        print(
            f"{name}: trained on n = 1..{LARGEST}, right up to n = {spread(reached, 0)}, "
            f"{sorted(reached)} (at most {MOST}); {(perf_counter() - began) / seeds:.1f} s a run"
        )
    figure = bars(
        found, title=f"Counting beyond the strings of the training, {plural(seeds, 'seed')}",
        levels={"longest in training": LARGEST, "longest in the test": MOST},
        xlabel="all strings right up to n, by the weights at the end",
    )  # fmt: skip
    save(figure, plot, "counting")


if __name__ == "__main__":
    standalone(run)
