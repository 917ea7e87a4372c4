"""Spanish accents: text without any diacritics goes in, the marks come out, letter by letter.

Which mark a letter wants often depends on what follows (esta, está; solo, sólo), so a network that
reads in both directions must win over one of the same size that reads forward only. Text: the Reina
Valera of 1909 (Debian package sword-text-sparv), the last tenth of its verses for the test. Acute,
diaeresis and the tilde of ñ are taken away. Figures: right words, and F1 on words with a mark.
"""

import re
import struct
import unicodedata
import zlib
from pathlib import Path
from time import perf_counter

import numpy as np

from fastrnn.cli.demos import Plot, Quick, Seeds, save, standalone
from fastrnn.data import Vocabulary, batches, pad
from fastrnn.examples._packages import Data
from fastrnn.models import SequenceTagger
from fastrnn.plot import curves
from fastrnn.train import Adam
from fastrnn.train.schedule import linear

MARKS = ("", "\u0301", "\u0308", "\u0303")  # none, acute, diaeresis, tilde
PLACE = "sword/modules/texts/ztext/spaRV1909eb"


def verses(folder):
    """The verses of a SWORD module in its compressed form, without markup, in order."""
    found = []
    for part in ("ot", "nt"):
        index, places, packed = ((folder / f"{part}.bz{end}").read_bytes() for end in "svz")
        spans = struct.iter_unpack("<3I", index)
        blocks = [zlib.decompress(packed[begin : begin + size]) for begin, size, _ in spans]
        for block, start, length in struct.iter_unpack("<2IH", places):
            text = blocks[block][start : start + length].decode() if length else ""
            text = " ".join(re.sub(r"<[^>]*>", " ", text).split())
            found += [unicodedata.normalize("NFC", text)] if text else []
    return found


def bare(text):
    """The letters without their marks, and the number of each one's mark."""
    letters, marks = [], []
    for part in unicodedata.normalize("NFD", text):
        if part in MARKS[1:] and marks:
            marks[-1] = MARKS.index(part)
        else:
            letters.append(part)
            marks.append(0)
    return "".join(letters), np.array(marks)


def marked(letters, marks):
    """The text of letters with these marks."""
    parts = (letter + MARKS[mark] for letter, mark in zip(letters, marks))
    return unicodedata.normalize("NFC", "".join(parts))


def figures(wanted, given):
    """Share of right words, and F1 on words with a mark, of lists of texts."""
    pairs = [pair for a, b in zip(wanted, given) for pair in zip(a.split(), b.split())]
    wrong = [(a, b) for a, b in pairs if a != b]
    found = sum(bare(a)[0] != a for a, b in pairs if a == b)
    misses = sum((bare(a)[0] != a) + (bare(b)[0] != b) for a, b in wrong)
    return 1 - len(wrong) / len(pairs), 2 * found / max(2 * found + misses, 1)


def train(bidirectional, ids, marks, V, seed, *, epochs, hidden=128, rate=1e-2, N=8):
    """Return the trained model and its losses."""
    rng = np.random.default_rng(seed)

    def make(rows):
        x, lengths = pad([ids[i] for i in rows])
        return x, pad([marks[i] for i in rows])[0], lengths

    loader = batches([len(i) for i in ids], N, seed=seed, make=make)
    model = SequenceTagger(
        "lstm", len(MARKS), hidden, vocab=V, bidirectional=bidirectional, forget_bias=1.0, rng=rng
    )
    optimiser = Adam(linear(rate, rate / 100, epochs * len(loader)))
    history = model.fit(loader, optimiser, max_norm=1.0, epochs=epochs, rng=rng, progress=False)
    return model, history.column("loss")[1]


def restore(model, letters, ids):
    """The texts with the marks that the model gives them."""
    given = []
    for start in range(0, len(ids), 256):
        marks = model.predict(*pad(ids[start : start + 256]))
        given += [marked(text, marks[:, n]) for n, text in enumerate(letters[start : start + 256])]
    return given


def run(quick: Quick = False, plot: Plot = None, seeds: Seeds = 1, data: Data = None) -> None:
    """Spanish accents: proof-reading letter by letter, forward only and in both directions."""
    folder = (data or Path("/usr/share")) / PLACE
    if not folder.is_dir():
        print(f"skipped: no {folder} (apt install sword-text-sparv; --data takes its usr/share)")
        return
    texts, epochs = verses(folder)[:: 8 if quick else 1], 1 if quick else 2
    (letters, marks), cut = zip(*map(bare, texts)), len(texts) * 9 // 10
    table = Vocabulary.from_texts(letters[:cut], level="character")
    ids, V, pictures = [table.encode(text) for text in letters], len(table), {}
    left, _ = figures(texts[cut:], letters[cut:])
    print(f"{len(texts):,} verses, {V} symbols; words that are right when left bare: {left:.4f}")
    for bidirectional, name in ((True, "both directions"), (False, "forward only")):
        began, found = perf_counter(), []
        for seed in range(seeds):
            model, losses = train(bidirectional, ids[:cut], marks[:cut], V, seed, epochs=epochs)
            found.append(figures(texts[cut:], restore(model, letters[cut:], ids[cut:])))
            pictures.setdefault(name, losses)
        words, f1, seconds = *np.mean(found, 0), (perf_counter() - began) / seeds
        print(f"LSTM-128, {name:<16} words {words:.4f}   F1 {f1:.4f}   {seconds:.0f} s a run")
    if plot is not None:
        figure = curves(pictures, xlabel="hundreds of updates", ylabel="nats", log=True)
        save(figure, plot, "diacritics")


if __name__ == "__main__":
    standalone(run)
