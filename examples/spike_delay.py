"""Spike delays: at each spike, say how long ago the last one came, from 30 to 60 steps.

Peepholes were proposed for such tasks (Gers, Schraudolph and Schmidhuber 2002). On delays this
short an LSTM without them does as well. The figure is the share of the variance of the delays that
the network explains; the mean alone explains 0.
"""

from time import perf_counter

import autograd.numpy as anp
import numpy as np

import fastrnn
from _readout import Readout
from _script import PICTURES, Plot, Quick, Seeds, plural, save, spread, standalone
from fastrnn.plot import bars
from toys import tasks


def at_spikes(targets):
    """Mean squared error of scores (T, N, 1) at the spikes that have a delay."""
    steps, rows = np.nonzero(targets >= 0)
    return lambda scores: anp.mean((scores[steps, rows, 0] - targets[steps, rows]) ** 2)


def explained(scores, targets):
    """1 - (mean squared error) / variance, at the spikes."""
    counted = targets >= 0
    error = scores[..., 0][counted] - targets[counted]
    return 1 - (error**2).mean() / targets[counted].var()


def train(seed, peephole, updates, *, hidden=16, rate=1e-2, **sizes):
    """Return the share of variance explained on fresh data, and the losses."""
    rng = np.random.default_rng(seed)
    layer = fastrnn.LSTM(1, hidden, peephole=peephole, forget_bias=2.0, rng=rng)
    model, losses = Readout(layer, 1, rate=rate, rng=rng), []
    for _ in range(updates):
        x, targets, _ = tasks.spike_delay(rng, 32, **sizes)
        losses.append(model.update(x, at_spikes(targets))[0])
    x, targets, _ = tasks.spike_delay(rng, 1000, **sizes)
    return explained(model.scores(x)[0], targets), losses


def difference(some, others):
    """How much larger the first mean is, and the standard error of that; of one run unknown."""
    gain = np.mean(some) - np.mean(others)
    if len(some) == 1:
        return gain, np.inf
    return gain, ((np.var(some, ddof=1) + np.var(others, ddof=1)) / len(some)) ** 0.5


def run(quick: Quick = False, plot: Plot = PICTURES, seeds: Seeds = 7) -> None:
    """Spike delays of 30 to 60 steps, with and without peepholes."""
    seeds, updates = (1, 300) if quick else (seeds, 1000)
    shares = {}
    for peephole, name in ((True, "with peepholes"), (False, "without")):
        began = perf_counter()
        shares[name] = found = [train(seed, peephole, updates)[0] for seed in range(seeds)]
        print(
            f"{name:<15} variance explained {spread(found, 3)}, at least "
            f"0.65 in {sum(f >= 0.65 for f in found)} of {seeds}; "
            f"{(perf_counter() - began) / seeds:.1f} s a run"
        )
    gain, error = difference(*shares.values())
    print(f"gain from peepholes {gain:.3f} ± {error:.3f} (standard error)", end="")
    print(": none here" if gain < 2 * error else "")
    title = f"Delays of 30 to 60 steps with and without peepholes, {plural(seeds, 'seed')}"
    save(bars(shares, title=title, xlabel="share of the variance explained"), plot, "spike_delay")


if __name__ == "__main__":
    standalone(run)
