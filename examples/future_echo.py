"""Future echo: name the symbol that will come three steps later.

The symbols are independent, so whoever reads forward only is right once in four times, whatever its
size; a network that reads in both directions can always be right (Schuster and Paliwal 1997).
"""

from time import perf_counter

import numpy as np

import fastrnn
from _readout import Readout, softmax
from _script import PICTURES, Plot, Quick, Seeds, plural, save, spread, standalone
from fastrnn.data import one_hot
from fastrnn.plot import bars
from toys import tasks

V, AHEAD = 4, 3


def train(seed, bidirectional, updates, rate=1e-2):
    """Return the share of right steps on fresh sequences of twice the length.

    Either way there are some 7,600 weights.
    """
    rng = np.random.default_rng(seed)
    layer = fastrnn.GRU(V, 32 if bidirectional else 47, bidirectional=bidirectional, rng=rng)
    model = Readout(layer, V, rate=rate, rng=rng)
    for _ in range(updates):
        x, targets, _ = tasks.future_echo(rng, 32, 30, AHEAD, V)
        model.update(one_hot(x, V), softmax(targets))
    x, targets, _ = tasks.future_echo(rng, 1000, 60, AHEAD, V)
    scores, _ = model.scores(one_hot(x, V))
    return (scores.argmax(-1) == targets)[targets >= 0].mean()


def run(quick: Quick = False, plot: Plot = PICTURES, seeds: Seeds = 3) -> None:
    """Future echo: what only a bidirectional network can know."""
    seeds, updates = (1, 150) if quick else (seeds, 400)
    print(f"symbol {AHEAD} steps ahead of {V} equally likely ones: chance {1 / V:.3f}")
    shares = {}
    for bidirectional, name in ((True, "both directions"), (False, "forward only")):
        began = perf_counter()
        shares[name] = found = [train(seed, bidirectional, updates) for seed in range(seeds)]
        seconds = (perf_counter() - began) / seeds
        print(f"{name:<16}{spread(found)}   {seconds:.1f} s a run")
    figure = bars(
        shares, title=f"{AHEAD} steps ahead: only both directions know, {plural(seeds, 'seed')}",
        levels={"chance": 1 / V}, xlabel="share of right symbols",
    )  # fmt: skip
    save(figure, plot, "future_echo")


if __name__ == "__main__":
    standalone(run)
