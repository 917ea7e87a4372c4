"""Copying: ten symbols, a pause of fifty steps, and the same ten symbols again.

A hard test for a network without an external memory: all ten symbols have to stand in the state at
once. Who knows when to answer, but not what, needs 10 ln 8 / (T + 20) nats a step; at pauses of 300
and more an LSTM does not get below that (Arjovsky, Shah and Bengio 2016), and nothing is claimed.
While learning, every update draws its pause from 1 to 50 steps; what counts is fifty.
"""

from time import perf_counter

import numpy as np

from _readout import softmax
from _script import PICTURES, Plot, Quick, Seeds, plural, save, spread, standalone
from fastrnn.data import one_hot
from fastrnn.plot import curves
from long_lag import network
from toys import tasks

LAG, UPDATES = 50, 8000
PAUSES = (LAG, 1, 10, 20, 30, 40, 60, 70, 80)  # of the test, what counts first


def train(cell, seed, updates, hidden=128, rate=5e-3, N=8):
    """Return the nats a step of fresh data after each of the pauses."""
    rng = np.random.default_rng(seed)
    options = {"last": False, "hidden": hidden, "rate": rate}
    model = network(cell, 10, 10, LAG + 20, rng, updates, **options)
    for _ in range(updates):
        pause = int(rng.integers(1, LAG + 1))
        x, targets, _ = tasks.copy_memory(rng, N, pause)
        model.update(one_hot(x, 10), softmax(targets))
    found = []
    for pause in PAUSES:
        x, targets, _ = tasks.copy_memory(rng, 500, pause)
        found.append(float(softmax(targets)(model.scores(one_hot(x, 10))[0])))
    return found


def run(quick: Quick = False, plot: Plot = PICTURES, seeds: Seeds = 1) -> None:
    """Copying ten symbols after fifty steps: nats a step beside those of no memory."""
    updates, found = 300 if quick else UPDATES, {}
    baseline, order = tasks.copy_baseline(LAG), np.argsort(PAUSES)
    least = np.array([tasks.copy_baseline(pause) for pause in PAUSES])
    print(f"without memory: {baseline:.4f} nats a step")
    for cell in ("LSTM", "GRU"):
        began = perf_counter()
        nats = np.array([train(cell, seed, updates) for seed in range(seeds)])
        found[cell], seconds = (nats / least)[:, order], (perf_counter() - began) / seeds
        print(
            f"{cell}: {spread(nats[:, 0])} nats a step, "
            f"{spread(100 * nats[:, 0] / baseline, 1)} % of it; {seconds:.0f} s a run"
        )
    count = plural(seeds, "seed")
    figure = curves(
        found, title=f"Ten symbols copied, learned with pauses up to {LAG}, {count}",
        x=np.sort(PAUSES), levels={"without memory": 1.0}, log=True, xlabel="pause, steps",
        ylabel="loss, as a share of that without memory",
    )  # fmt: skip
    save(figure, plot, "copy_memory")


if __name__ == "__main__":
    standalone(run)
