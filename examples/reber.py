"""Reber's grammar: one long dependence in every string, then strings without end or resets.

Embedded: the last symbol but one repeats the second, some ten symbols before (Hochreiter and
Schmidhuber 1997, section 5.1). Continual: the strings follow each other in one endless stream, so
the network has to reset itself. With a forget gate its cells stay small (Gers, Schmidhuber and
Cummins 2000, section 4). Without one they grow as long as the stream goes on, about half a unit a
step here, and nothing gets through, if errors flow through the cells alone, as in both papers. With
the whole gradient six of ten first weights learn it all the same, and seven of ten with a forget
gate: of a cell that has grown too large to change, tanh(c) leaves the output gate, which is a unit
of a plain recurrent network, and ten steps are not too many for that one.
"""

from time import perf_counter

import autograd.numpy as anp
import numpy as np

import fastrnn
from _readout import Readout, sigmoid
from _script import PICTURES, Plot, Quick, Seeds, plural, save, spread, standalone
from fastrnn import ops
from fastrnn.data import one_hot
from fastrnn.plot import bars, gate_activations
from fastrnn.train.schedule import chain, linear
from toys import tasks

V = len(tasks.REBER)
CONTINUAL = (
    ("ifo", False, "with a forget gate"),
    ("io", False, "without one"),
    ("io", True, "without one, by the whole gradient"),
)


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


class Truncated(Readout):
    """Errors go back through the cells alone: what enters by the recurrent weights is given.

    So it is learned in the papers of 1997 (appendix A.1) and 2000. The outputs before count as
    inputs of a layer without recurrent weights, whose values are the same.
    """

    def _loss(self, params, x, loss, lengths, state):  # noqa: ARG002  as in the base class
        weights, size = list(params["rnn"].values()), (1, x.shape[1], self.layer.hidden_size)
        h, c = (np.zeros(size, x.dtype), None) if state is None else state
        y, self._state = self.layer(x, state)
        x = np.concatenate([x, np.concatenate([h, y[:-1]])], -1)
        none = np.zeros(weights[1].shape, x.dtype)
        y, _ = ops.lstm(
            x, anp.concatenate(weights[:2], 1), none, *weights[2:], None,
            None if c is None else c[0], gates=self.layer.gates,
        )  # fmt: skip
        return loss(ops.linear(y, params["w"], params["b"]))


def continual(seed, gates, updates=8000, T=50, hidden=16, *, whole=False, streams=16, test=4000):
    """Train on one endless stream; return the share of right steps, of all of them and of those
    that hang on the second symbol of their string (chance: 0.5); the largest |c|; symbols, gates.

    The test is many streams that begin without a state. `whole` lets errors go back by all ways.
    """
    rng = np.random.default_rng(seed)
    layer = fastrnn.LSTM(V, hidden, gates=gates, rng=rng)
    schedule = chain(1e-2, updates // 2, linear(1e-2, 1e-4, updates // 2))
    model, state = (Readout if whole else Truncated)(layer, V, rate=schedule, rng=rng), None
    stream = tasks.continual_reber(rng, 1, updates * T)
    everywhere = np.ones((T, 1), bool)
    for start in range(0, updates * T, T):
        x, targets = stream.x[start : start + T], stream.targets[start : start + T]
        _, state = model.update(one_hot(x, V), sigmoid(targets, everywhere), state=state)
    fresh = tasks.continual_reber(rng, streams, test)
    scores, (_, c) = model.scores(one_hot(fresh.x, V))
    good = right(scores, fresh.targets, np.ones(fresh.x.shape, bool))
    far = (fresh.targets[..., 1] + fresh.targets[..., 2] == 1) & (fresh.targets.sum(-1) == 1)
    weights = list(layer.params.values())
    first = fresh.x[:80, 0]
    _, _, tape = fastrnn.lstm_forward(one_hot(first[:, None], V), *weights, gates=gates)
    read = [tasks.REBER[i] for i in first]
    return good.mean(), good[far].mean(), np.abs(c).max(), read, tape.gates


def run(quick: Quick = False, plot: Plot = PICTURES, seeds: Seeds = 10) -> None:
    """Reber's grammar, embedded and without end: what the forget gate is for."""
    seeds, updates = (1, 800) if quick else (seeds, 8000)
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
    shares = {}
    for gates, whole, name in CONTINUAL:
        began, runs = perf_counter(), max(1, seeds // 2)
        found = [continual(seed, gates, updates, whole=whole) for seed in range(runs)]
        every, far, cells = zip(*(f[:3] for f in found))
        print(
            f"continual, {name}: right steps {spread(every)}, where the "
            f"second symbol decides {spread(far)}, largest |c| "
            f"{np.mean(cells):.0f}; {(perf_counter() - began) / runs:.1f} s a run"
        )
        shares[name] = far
        if gates == "ifo":
            read, activations = found[0][3:]
    title = "A network with a forget gate reads the endless strings"
    save(gate_activations(activations, symbols=read, title=title), plot, "reber_gates")
    title = f"Strings without end: what the forget gate is for, {plural(runs, 'seed')}"
    label = "share right, where the second symbol of a string decides"
    save(bars(shares, title=title, levels={"chance": 0.5}, xlabel=label), plot, "reber")


if __name__ == "__main__":
    standalone(run)
