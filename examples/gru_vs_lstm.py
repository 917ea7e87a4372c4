"""GRU against LSTM: three quarters of the recurrent parameters, and the same results.

Chung et al. (2014) compared the two on music and speech. Here: parameters counted, the time of a
forward and a backward pass, and the results of both on tasks whose bounds are known exactly.
"""

from time import perf_counter

import numpy as np

import fastrnn
from _readout import Readout, softmax
from _script import Plot, Quick, Seeds, save, spread, standalone
from fastrnn.data import contiguous_streams, one_hot
from fastrnn.plot import curves
from toys import tasks

CELLS = {"LSTM": fastrnn.LSTM, "GRU": fastrnn.GRU, "tanh RNN": fastrnn.RNN}


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


def markov(kind, seed, hidden=32, size=8, n=100_000, epochs=2, rate=1e-2):
    """Nats above the entropy rate of a Markov source, on text it never saw; and the losses."""
    rng = np.random.default_rng(seed)
    p, _ = tasks.markov_chain(rng, size)
    model = Readout(kind(size, hidden, rng=rng), size, rate=rate, rng=rng)
    losses, streams = [], contiguous_streams(tasks.markov_source(rng, p, n), 32, 32)
    for _ in range(epochs):
        state = None
        for x, targets in streams:
            value, state = model.update(one_hot(x, size), softmax(targets), state=state)
            losses.append(value)
    x, targets = next(iter(contiguous_streams(tasks.markov_source(rng, p, n), 100, n)))
    scores, _ = model.scores(one_hot(x, size))
    best = softmax(targets)(np.log(np.maximum(p, 1e-300))[x])
    return float(softmax(targets)(scores) - best), losses


def run(quick: Quick = False, plot: Plot = None, seeds: Seeds = 3) -> None:
    """GRU against LSTM: parameters, time, and results on sources of known entropy."""
    seeds = 1 if quick else seeds
    times = {name: milliseconds(kind) for name, kind in CELLS.items()}
    heads = f"{'parameters':>11}{'of LSTM':>9}{'fwd + bwd':>11}{'of LSTM':>9}   nats too many"
    print(f"{'':<10}{heads}")
    pictures = {}
    for name, kind in CELLS.items():
        parameters, whole = count(kind(256, 256)), count(fastrnn.LSTM(256, 256))
        excess = []
        for seed in range(seeds):
            above, losses = markov(kind, seed)
            excess.append(above)
            pictures.setdefault(name, np.convolve(losses, np.ones(10) / 10, "valid"))
        print(
            f"{name:<10}{parameters:>11,}{parameters / whole:>9.3f}{times[name]:>8.2f} ms"
            f"{times[name] / times['LSTM']:>9.2f}   {spread(excess)}"
        )
    if plot is not None:
        figure = curves(pictures, xlabel="update", ylabel="training loss, nats")
        save(figure, plot, "gru_vs_lstm")


if __name__ == "__main__":
    standalone(run)
