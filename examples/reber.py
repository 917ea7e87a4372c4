"""Reber's grammar: one long dependence in every string, then strings without end or resets.

Embedded: the last symbol but one repeats the second, some ten symbols before (Hochreiter and
Schmidhuber 1997, section 5.1). Continual: the strings follow each other in one endless stream, so
the network has to reset itself. With a forget gate its cells stay small (Gers, Schmidhuber and
Cummins 2000, section 4). Without one they grow as long as the stream goes on, about half a unit a
step here; in the paper nothing gets through then, but some first weights learn it all the same.
"""

from time import perf_counter

import numpy as np

import fastrnn
from fastrnn.cli.demos import Plot, Quick, Seeds, plural, save, spread, standalone
from fastrnn.data import one_hot, tasks
from fastrnn.examples._readout import Readout, sigmoid
from fastrnn.plot import gate_activations
from fastrnn.train.schedule import chain, linear

V = len(tasks.REBER)


def right(scores, targets, counted):
    """Where the k largest scores are the k symbols that may come next: (T, N)."""
    allowed, forbidden = targets > 0, (targets == 0)
    worst = np.where(allowed, scores, np.inf).min(-1)
    return (worst > np.where(forbidden, scores, -np.inf).max(-1)) | ~counted


def mask(lengths, T):
    """Which steps exist, (T, N)."""
    return np.arange(T)[:, None] < lengths


def embedded(seed, strings=10_000, N=2, hidden=20, check=500):
    """Train on fresh strings; return how many it took until 500 others were right throughout."""
    rng = np.random.default_rng(seed)
    model = Readout(fastrnn.LSTM(V, hidden, rng=rng), V, rate=1e-2, rng=rng)
    fresh = tasks.embedded_reber(np.random.default_rng(10_000 + seed), check)
    counted = mask(fresh.lengths, len(fresh.x))
    for seen in range(N, strings + 1, N):
        x, targets, lengths = tasks.embedded_reber(rng, N)
        model.update(one_hot(x, V), sigmoid(targets, mask(lengths, len(x))), lengths=lengths)
        if seen % 200 == 0:
            scores, _ = model.scores(one_hot(fresh.x, V), lengths=fresh.lengths)
            if right(scores, fresh.targets, counted).all():
                return seen
    return None


def continual(seed, gates, updates=4000, N=16, T=50, hidden=12, test=4000):
    """Train on endless streams; return the share of right steps, of all of them and of those that
    hang on the second symbol of their string (chance: 0.5); the largest |c|; and gates.

    Sixteen streams, not eight: a mean over eight is too noisy a gradient for some first weights,
    with a forget bias of 3 (three of five seeds did not learn it) as with one of 1 (two of five).
    """
    rng = np.random.default_rng(seed)
    layer = fastrnn.LSTM(V, hidden, gates=gates, forget_bias=3.0, rng=rng)
    schedule = chain(1e-2, updates // 2, linear(1e-2, 1e-4, updates // 2))
    model, state = Readout(layer, V, rate=schedule, rng=rng), None
    whole = tasks.continual_reber(rng, N, updates * T)
    for start in range(0, updates * T, T):
        x, targets = whole.x[start : start + T], whole.targets[start : start + T]
        everywhere = np.ones(x.shape, bool)
        _, state = model.update(one_hot(x, V), sigmoid(targets, everywhere), state=state)
    fresh = tasks.continual_reber(rng, N, test)
    scores, (_, c) = model.scores(one_hot(fresh.x, V))
    good = right(scores, fresh.targets, np.ones(fresh.x.shape, bool))
    far = (fresh.targets[..., 1] + fresh.targets[..., 2] == 1) & (fresh.targets.sum(-1) == 1)
    weights = list(layer.params.values())
    _, _, tape = fastrnn.lstm_forward(one_hot(fresh.x[:80, :1], V), *weights, gates=gates)
    return good.mean(), good[far].mean(), np.abs(c).max(), tape.gates


def run(quick: Quick = False, plot: Plot = None, seeds: Seeds = 10) -> None:
    """Reber's grammar, embedded and without end: what the forget gate is for."""
    seeds, updates = (1, 800) if quick else (seeds, 4000)
    began = perf_counter()
    needed = [embedded(seed) for seed in range(seeds)]
    solved = [n for n in needed if n is not None]
    after = ""
    if solved:
        after = f", after {spread(solved, 0)} strings ({min(solved):,} to {max(solved):,})"
    print(
        f"embedded: {len(solved)} of {plural(seeds, 'seed')} right on 500 fresh strings{after}; "
        f"{(perf_counter() - began) / seeds:.1f} s a run"
    )
    for gates, name in (("ifo", "with a forget gate"), ("io", "without one")):
        began, runs = perf_counter(), max(1, seeds // 2)
        found = [continual(seed, gates, updates) for seed in range(runs)]
        every, far, cells = zip(*(f[:3] for f in found))
        print(
            f"continual, {name}: right steps {spread(every)}, where the "
            f"second symbol decides {spread(far)}, largest |c| "
            f"{np.mean(cells):.0f}; {(perf_counter() - began) / runs:.1f} s a run"
        )
        if plot is not None:
            figure = gate_activations(found[0][3], title=f"Reber strings, {name}")
            save(figure, plot, f"reber_{gates}")


if __name__ == "__main__":
    standalone(run)
