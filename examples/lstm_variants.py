"""Which of the LSTM's gates does it need? Every subset of them on the adding problem.

At the end of a hundred steps the network has to add the two numbers that were marked. Beside the
subsets of the input, forget and output gate (none of them is the bare constant error carousel;
input and output are the LSTM of 1997): coupled gates, i = 1 − f, peepholes, and a linear squashing
of the output. Cells begin with memories of 1 to T steps. Only the input gate is missed here.
"""

from time import perf_counter

import numpy as np

from _readout import Readout, squared
from _script import PICTURES, Plot, Quick, Seeds, plural, save, spread, standalone
from fastrnn.plot import bars
from fastrnn.train.schedule import chain, linear
from long_lag import lstm
from toys import tasks

N, HIDDEN, RATE = 32, 16, 1e-2
SUBSETS = ("ifo", "if", "io", "fo", "i", "f", "o", "")
VARIANTS = {
    **{f"gates {gates or 'none'}": {"gates": gates} for gates in SUBSETS},
    "coupled, i = 1 - f": {"input_forget": True},
    "peepholes": {"peephole": True},
    "linear output": {"activations": ("sigmoid", "tanh", "linear")},
}


def train(options, seed, updates, T=100):
    """Losses of a variant, and the mean squared error on 2,000 fresh sequences."""
    rng = np.random.default_rng(seed)
    layer = lstm(2, HIDDEN, rng, T, **options)
    schedule = chain(RATE, updates // 2, linear(RATE, RATE / 100, updates // 2))
    model, losses = Readout(layer, 1, rate=schedule, rng=rng, last=True), []
    for _ in range(updates):
        x, targets, _ = tasks.adding(rng, N, T)
        losses.append(model.update(x, squared(targets))[0])
    x, targets, _ = tasks.adding(rng, 2000, T)
    return losses, float(squared(targets)(model.scores(x)[0]))


def run(quick: Quick = False, plot: Plot = PICTURES, seeds: Seeds = 3) -> None:
    """LSTM variants: subsets of the gates, coupled gates, peepholes, on the adding problem."""
    seeds, updates = (1, 200) if quick else (seeds, 2000)
    print(f"adding, 100 steps, {HIDDEN} cells, {updates:,} updates of {N}, {plural(seeds, 'seed')}")
    print("mean squared error on fresh data (the mean alone: 0.167)")
    found = {}
    for name, options in VARIANTS.items():
        began = perf_counter()
        found[name] = errors = [train(options, seed, updates)[1] for seed in range(seeds)]
        seconds = (perf_counter() - began) / seeds
        print(f"{name:<20}{spread(errors)}   {seconds:.1f} s a run")
    learned = [name for name, errors in found.items() if max(errors) < 0.01]
    print(f"learned by every seed of: {', '.join(learned) or 'none'}")
    figure = bars(
        found, title=f"Adding over 100 steps without some of the gates, {plural(seeds, 'seed')}",
        levels={"the mean alone": 1 / 6}, xlabel="mean squared error on fresh data", log=True,
    )  # fmt: skip
    save(figure, plot, "lstm_variants")


if __name__ == "__main__":
    standalone(run)
