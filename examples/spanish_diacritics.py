"""Spanish accents: text without any diacritics goes in, the marks come out, letter by letter.

Which mark a letter wants often depends on what follows (esta, está; solo, sólo), so a network that
reads in both directions must win over one of as many weights that reads forward only. Text: the
Reina Valera of 1909 (Debian package sword-text-sparv), the last tenth of its verses for the test.
Acute, diaeresis and the tilde of ñ are taken away. Beside each letter the network sees how often
the training text marks it in this word. Figures: right words, and F1 on words with a mark.
"""

import re
import struct
import unicodedata
import zlib
from collections import Counter, defaultdict
from time import perf_counter

import numpy as np

from _packages import Data, debian
from _script import PICTURES, Plot, Quick, Seeds, plural, save, spread, standalone
from _translator import as_many
from fastrnn.data import Vocabulary, batches, pad
from fastrnn.models import SequenceTagger
from fastrnn.plot import bars
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


class Habits:
    """How words are marked in a text of letters and marks to learn from."""

    def __init__(self, letters, marks):
        self._counts = defaultdict(Counter)
        for text, own in zip(letters, marks):
            for span, word in self._words(text):
                self._counts[word][tuple(own[span])] += 1

    @staticmethod
    def _words(text):
        for match in re.finditer(r"\S+", text):
            yield slice(*match.span()), match[0].lower()

    def shares(self, text, own=None):
        """Of each letter the share of each mark, and whether its word is unknown: (n, 5).

        `own` are the marks of a text that was learned from: itself it does not count.
        """
        found = np.zeros((len(text), len(MARKS) + 1), np.float32)
        for span, word in self._words(text):
            counts = self._counts.get(word, Counter())
            if own is not None:
                counts = counts - Counter([tuple(own[span])])
            found[span, -1] = not counts
            for marks, n in counts.items():
                found[np.arange(span.start, span.stop), marks] += n / counts.total()
        return found


class Verses:
    """Texts as inputs of the network."""

    def __init__(self, table, habits, letters, marks=None):
        self.ids, self.V = [table.encode(text) for text in letters], len(table)
        own = [None] * len(letters) if marks is None else marks
        self.shares = [habits.shares(*pair) for pair in zip(letters, own)]
        self.letters, self.marks = letters, marks

    def inputs(self, rows):
        """Letters as one-hot and their shares, (T, N, V + 5), and the lengths."""
        ids, lengths = pad([self.ids[i] for i in rows])
        x = np.zeros((*ids.shape, self.V + len(MARKS) + 1), np.float32)
        np.put_along_axis(x, ids[..., None], 1, -1)
        x[..., self.V :] = pad([self.shares[i] for i in rows])[0]
        return x, lengths

    def batch(self, rows):
        """Inputs, marks and lengths."""
        x, lengths = self.inputs(rows)
        return x, pad([self.marks[i] for i in rows])[0], lengths


def made(bidirectional, learned, seed, hidden):
    """An untrained model: hidden units each way, or as many weights in one direction."""

    def make(hidden, both=False):
        return SequenceTagger(
            "lstm", len(MARKS), hidden, input_size=learned.V + len(MARKS) + 1,
            bidirectional=both, forget_bias=1.0, rng=np.random.default_rng(seed),
        )  # fmt: skip

    both = make(hidden, True)
    return both if bidirectional else as_many(make, both.parameter_count)


def train(bidirectional, learned, seed, *, epochs, hidden=128, rate=1e-2, N=8):
    """Return the trained model and its losses."""
    model, rng = made(bidirectional, learned, seed, hidden), np.random.default_rng(seed)
    loader = batches([len(i) for i in learned.ids], N, seed=seed, make=learned.batch)
    optimiser = Adam(linear(rate, rate / 100, epochs * len(loader)))
    history = model.fit(loader, optimiser, max_norm=1.0, epochs=epochs, rng=rng, progress=False)
    return model, history.column("loss")[1]


def restore(model, test):
    """The texts with the marks that the model gives them."""
    given = []
    for start in range(0, len(test.ids), 64):
        rows = range(start, min(start + 64, len(test.ids)))
        marks = model.predict(*test.inputs(rows))
        given += [marked(test.letters[i], marks[:, n]) for n, i in enumerate(rows)]
    return given


def prepare(texts):
    """The verses to learn from, those of the test, and how the latter are written."""
    (letters, marks), cut = zip(*map(bare, texts)), len(texts) * 9 // 10
    table = Vocabulary.from_texts(letters[:cut], level="character")
    habits = Habits(letters[:cut], marks[:cut])
    learned = Verses(table, habits, letters[:cut], marks[:cut])
    return learned, Verses(table, habits, letters[cut:]), texts[cut:]


def run(quick: Quick = False, plot: Plot = PICTURES, seeds: Seeds = 1, data: Data = None) -> None:
    """Spanish accents: proof-reading letter by letter, forward only and in both directions."""
    whole = verses(debian("sword-text-sparv", PLACE, data))
    texts, epochs = whole[:: 8 if quick else 1], 1
    (learned, test, wanted), errors = prepare(texts), {}
    left, _ = figures(wanted, test.letters)
    print(f"{len(texts):,} verses, {learned.V} symbols; words right when left bare: {left:.4f}")
    for bidirectional, name in ((True, "both directions"), (False, "forward only")):
        began, found = perf_counter(), []
        for seed in range(seeds):
            model, _ = train(bidirectional, learned, seed, epochs=epochs)
            found.append(figures(wanted, restore(model, test)))
        errors[name] = [1 - words for words, _ in found]
        (words, f1), seconds = map(spread, zip(*found)), (perf_counter() - began) / seeds
        print(
            f"LSTM, {model.parameter_count:,} weights, {name:<16} words {words}   "
            f"F1 {f1}   {seconds:.0f} s a run"
        )
    figure = bars(
        errors, title=f"Spanish accents at equal parameters, {plural(seeds, 'seed')}",
        levels={"words left bare": 1 - left}, xlabel="share of wrong words",
    )  # fmt: skip
    save(figure, plot, "spanish_diacritics")


if __name__ == "__main__":
    standalone(run)
