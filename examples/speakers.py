"""Who speaks? Nine speakers say the vowels /ae/: 12 cepstrum coefficients over 7 to 29 frames.

JapaneseVowels: 270 series to train, 370 to test, as they were published (Kudo et al. 1999), here
from the wheel of the package aeon. Each channel is standardised with the mean and deviation of the
training series. The network reads a ragged batch and answers from its last states. With so few
series it learns them by heart; noise on the inputs, of 0.4 deviations, and dropout of the features
keep it from that. Both, and the learning rate, were chosen by cross-validation on the training set.
Kudo et al. had 94.1 % of the test right, and 96.2 % with a hidden Markov model of five states.
"""

from time import perf_counter

import numpy as np

import fastrnn
from _packages import Data, read
from _readout import Readout, fit
from _script import PICTURES, Plot, Quick, Seeds, plural, save, spread, standalone
from fastrnn.data import pad
from fastrnn.plot import bars
from fastrnn.train.schedule import linear

FILE = "aeon/datasets/data/JapaneseVowels/JapaneseVowels_{}.ts"
MODELS = {  # name: layer class, bidirectional
    "LSTM-100": (fastrnn.LSTM, False),
    "GRU-100": (fastrnn.GRU, False),
    "bidirectional LSTM-100": (fastrnn.LSTM, True),
    "bidirectional GRU-100": (fastrnn.GRU, True),
}
OTHERS = {"Kudo et al.": 0.059, "hidden Markov model": 0.038}  # their errors


def parse(text):
    """Series (T_n, 12) and classes 0..8 of a .ts file: channels by colons, values by commas."""
    series, labels = [], []
    for line in text.decode().partition("@data")[2].split():
        *channels, label = line.split(":")
        series.append(np.array([c.split(",") for c in channels], np.float32).T)
        labels.append(int(label) - 1)
    return series, np.array(labels)


def standardised(train, test):
    """Both with the mean and the deviation of `train`, channel by channel."""
    frames = np.concatenate(train)
    mean, deviation = frames.mean(0), frames.std(0)
    return [[(s - mean) / deviation for s in series] for series in (train, test)]


def train(kind, bidirectional, series, labels, seed, *, epochs=60, rate=5e-3, N=32):
    """A layer of 100 units over 12 channels, its last states, 9 scores; and the losses."""
    rng = np.random.default_rng(seed)
    layer = kind(12, 100, bidirectional=bidirectional, rng=rng)
    schedule = linear(rate, rate / 100, epochs * -(-len(series) // N))
    model = Readout(layer, 9, rate=schedule, rng=rng, last=True, dropout=0.5)
    return model, fit(model, series, labels, epochs=epochs, batch_size=N, seed=seed, noise=0.4)


def answers(model, series):
    """The class of each series, all in one ragged batch."""
    x, lengths = pad(series)
    return model.scores(x, lengths=lengths)[0].argmax(1)


def run(quick: Quick = False, plot: Plot = PICTURES, seeds: Seeds = 5, data: Data = None) -> None:
    """Speakers by their vowels: ragged real series, LSTM and GRU, one and two directions."""
    texts = [read("aeon", FILE.format(part), data) for part in ("TRAIN", "TEST")]
    (series, labels), (test, right) = parse(texts[0]), parse(texts[1])
    series, test = standardised(series, test)
    seeds, epochs = (1, 15) if quick else (seeds, 60)
    runs = plural(seeds, "seed")
    print(f"JapaneseVowels: {len(series)} series to train, {len(test)} to test; {runs}")
    print("published: " + ", ".join(f"{name} {1 - error:.3f}" for name, error in OTHERS.items()))
    found = {}
    for name, (kind, bidirectional) in MODELS.items():
        shares, seconds = [], 0.0
        for seed in range(seeds):
            began = perf_counter()
            model, _ = train(kind, bidirectional, series, labels, seed, epochs=epochs)
            seconds += (perf_counter() - began) / seeds
            shares.append((answers(model, test) == right).mean())
        found[name] = 1 - np.array(shares)
        count = sum(w.size for w in model.layer.params.values())
        print(
            f"{name:<24}{count:>8,} recurrent parameters   accuracy "
            f"{spread(shares)}   {seconds:.1f} s a run"
        )
    title = f"Who speaks? {len(test)} vowels of nine speakers, {runs}"
    figure = bars(found, title=title, levels=OTHERS, xlabel="share of wrong speakers")
    save(figure, plot, "speakers")


if __name__ == "__main__":
    standalone(run)
