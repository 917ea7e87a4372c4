"""GRU against LSTM: three quarters of the recurrent parameters, and results alike.

Chung et al. (2014) compared the two on music and speech. Here: parameters counted, the time of a
forward and a backward pass, and two tasks that need a memory of 50 steps, on which a tanh network
fails: adding, and the order of two symbols. All three get the same updates on the same data; first
weights are those of long_lag.py, in which both gated cells begin with memories of 1 to T steps.
"""

from time import perf_counter

import numpy as np

import fastrnn
from _script import PICTURES, Plot, Quick, Seeds, plural, save, spread, standalone
from fastrnn.plot import bars
from long_lag import adding, temporal_order

KINDS = {"LSTM": fastrnn.LSTM, "GRU": fastrnn.GRU, "tanh RNN": fastrnn.RNN}
T, UPDATES = 50, 1200


def count(layer):
    """Recurrent parameters: two weight matrices and two biases for each gate."""
    return sum(w.size for w in layer.params.values())


def milliseconds(kind, hidden=256, T=64, N=32, repeats=20):
    """The best time of a forward and a backward pass."""
    rng = np.random.default_rng(0)
    layer, best = kind(hidden, hidden, rng=rng), np.inf
    x = rng.standard_normal((T, N, hidden), np.float32)
    for _ in range(repeats):
        began = perf_counter()
        y, _, tape = layer.forward(x)
        layer.backward(tape, y)
        best = min(best, perf_counter() - began)
    return 1e3 * best


def run(quick: Quick = False, plot: Plot = PICTURES, seeds: Seeds = 5) -> None:
    """GRU against LSTM: parameters, time, and two tasks on which a tanh network fails."""
    seeds, updates = (1, UPDATES // 4) if quick else (seeds, UPDATES)
    times = {name: milliseconds(kind) for name, kind in KINDS.items()}
    heads = f"{'parameters':>11}{'of LSTM':>9}{'fwd + bwd':>11}{'of LSTM':>9}"
    print(f"{'':<10}{heads}   adding: MSE     order: right")
    labels = {
        "recurrent parameters": "thousands", "adding": "mean squared error",
        "order of two": "share of wrong answers",
    }  # fmt: skip
    found = {panel: {} for panel in labels}
    whole = count(fastrnn.LSTM(256, 256))
    for name, kind in KINDS.items():
        parameters = count(kind(256, 256))
        errors = [adding(name, seed, updates, T=T)[1][0] for seed in range(seeds)]
        right = [temporal_order(name, seed, updates, T=T)[1][0] for seed in range(seeds)]
        for panel, runs in zip(found, ([parameters / 1000], errors, 1 - np.array(right))):
            found[panel][name] = runs
        print(
            f"{name:<10}{parameters:>11,}{parameters / whole:>9.3f}{times[name]:>8.2f} ms"
            f"{times[name] / times['LSTM']:>9.2f}   {spread(errors)}   {spread(right)}"
        )
    print(f"chance: MSE {1 / 6:.3f}, 0.250 right; {updates:,} updates, {plural(seeds, 'seed')}")
    figure = bars(
        found, title=f"GRU: three quarters of the parameters, alike over {T} steps, "
        + plural(seeds, "seed"),
        xlabel=labels,
        levels={"adding": {"the mean alone": 1 / 6}, "order of two": {"chance": 0.75}},
    )  # fmt: skip
    save(figure, plot, "gru_vs_lstm")


if __name__ == "__main__":
    standalone(run)
