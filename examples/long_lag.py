"""Long time lags: adding and temporal order with LSTM, GRU and a plain tanh network.

Tests of memory of Hochreiter and Schmidhuber (1997): whatever decides the answer lies up to a
hundred steps of distraction back. Examples are generated anew for every update, and all networks
get as many. LSTM and GRU begin with memories of 1 to T steps (Tallec and Ollivier 2018); the tanh
network has no gate that could.
"""

from time import perf_counter

import numpy as np

import fastrnn
from _readout import Readout, softmax, squared
from _script import PICTURES, Plot, Quick, Seeds, plural, save, spread, standalone
from fastrnn.data import one_hot
from fastrnn.plot import curves
from fastrnn.train.schedule import chain, linear
from toys import tasks


def lstm(inputs, hidden, rng, T, **options):
    """An LSTM whose cells begin with memories of 1 to T steps (Tallec and Ollivier 2018)."""
    layer = fastrnn.LSTM(inputs, hidden, rng=rng, **options)
    b, layer.params["bias_hh_l0"][:] = layer.params["bias_ih_l0"], 0
    b[:] = 0
    b[hidden : 2 * hidden] = np.log(rng.uniform(1, T - 1, hidden))  # of the forget gates
    b[:hidden] = -b[hidden : 2 * hidden]
    return layer


def gru(inputs, hidden, rng, T):
    """A GRU that begins in the same way: its update gate z keeps."""
    layer = fastrnn.GRU(inputs, hidden, rng=rng)
    b, layer.params["bias_hh_l0"][:] = layer.params["bias_ih_l0"], 0
    b[:] = 0
    b[hidden : 2 * hidden] = np.log(rng.uniform(1, T - 1, hidden))
    return layer


ADDING, ORDER = 2000, 1500  # updates
CELLS = {
    "LSTM": lstm,
    "GRU": gru,
    "tanh RNN": lambda inputs, hidden, rng, _: fastrnn.RNN(inputs, hidden, rng=rng),
}


def network(cell, inputs, outputs, T, rng, updates, *, last=True, hidden=32, rate=1e-2):
    """A layer with a read-out; its learning rate falls to 1 % over the second half."""
    layer = CELLS[cell](inputs, hidden, rng, T)
    schedule = chain(rate, updates // 2, linear(rate, rate / 100, updates // 2))
    return Readout(layer, outputs, rate=schedule, rng=rng, last=last)


def adding(cell, seed, updates, T=100):
    """Losses; of fresh data MSE, share within 0.04, and RMSE at four times the length."""
    rng = np.random.default_rng(seed)
    model = network(cell, 2, 1, T, rng, updates)
    losses = []
    for _ in range(updates):
        x, targets, _ = tasks.adding(rng, 64, int(rng.integers(T // 2, 3 * T // 2)))
        losses.append(model.update(x, squared(targets))[0])
    errors = []
    for length in (T, 4 * T):
        x, targets, _ = tasks.adding(rng, 2000, length)
        errors.append(np.abs(model.scores(x)[0][:, 0] - targets))
    figures = (errors[0] ** 2).mean(), (errors[0] < 0.04).mean(), (errors[1] ** 2).mean() ** 0.5
    return losses, np.array(figures)


def temporal_order(cell, seed, updates, relevant=2, T=100):
    """Losses, and the share of right classes of 2,000 fresh sequences."""
    rng = np.random.default_rng(seed)
    model = network(cell, 8, 2**relevant, T, rng, updates)
    losses = []
    for _ in range(updates):
        x, targets, lengths = tasks.temporal_order(rng, 32, T, relevant)
        losses.append(model.update(one_hot(x, 8), softmax(targets), lengths=lengths)[0])
    x, targets, lengths = tasks.temporal_order(rng, 2000, T, relevant)
    scores, _ = model.scores(one_hot(x, 8), lengths=lengths)
    return losses, np.array([(scores.argmax(1) == targets).mean()])


def run(quick: Quick = False, plot: Plot = PICTURES, seeds: Seeds = 3) -> None:
    """Long time lags: the adding problem and temporal order over 100 steps, three cells."""
    shrink, seeds = (4, 1) if quick else (1, seeds)
    pictures, levels = {}, {}
    plan = (
        ("adding", adding, ADDING, {}, 1 / 6),
        ("order of 2", temporal_order, ORDER, {"relevant": 2}, np.log(4)),
        ("order of 3", temporal_order, ORDER, {"relevant": 3}, np.log(8)),
    )
    print("adding: MSE, share within 0.04, RMSE at T = 400 (the mean alone: MSE 0.167)")
    print("temporal order: share of right classes (chance: 0.250 and 0.125)")
    for title, task, updates, options, level in plan:
        levels[title], pictures[title] = {"without memory": level}, {}
        for cell in CELLS:
            began, found = perf_counter(), []
            for seed in range(seeds):
                losses, figures = task(cell, seed, updates // shrink, **options)
                found.append(figures)
                pictures[title].setdefault(cell, []).append(losses)
            words = "   ".join(map(spread, np.transpose(found)))
            print(f"{title:<11}{cell:<9}{words}   {(perf_counter() - began) / seeds:.1f} s a run")
    units = {name: "squared error" if name == "adding" else "nats" for name in pictures}
    figure = curves(
        pictures, title=f"What comes a hundred steps later: equal updates, {plural(seeds, 'seed')}",
        levels=levels, smooth=25, log=True, xlabel="updates",
        ylabel={name: f"{unit}, fresh data" for name, unit in units.items()},
    )  # fmt: skip
    save(figure, plot, "long_lag")


if __name__ == "__main__":
    standalone(run)
