"""Proof-reading English: which words are misspelt, and what was meant, letter by letter.

Misspellings that people really make (codespell's dictionary) replace 15 % of the words that have
any in the World English Bible (Debian package sword-text-web). Words are split: those misspelt in
the test never are in training, so that what is learned is how people err. The network that finds
them says for every letter of the text what it should become: itself, nothing, another letter,
itself and one more. Beside the letters it sees whether a word is known, that is, stands in the
training text as it is. What was meant is decided by _speller.py.
"""

import re
from collections import Counter
from time import perf_counter
from typing import NamedTuple

import numpy as np

from _packages import Data, debian, read
from _script import PICTURES, Plot, Quick, Seeds, plural, save, standalone
from _speller import KEEP, Channel, Context, Speller, edits, neighbours
from fastrnn.data import Vocabulary, batches, pad
from fastrnn.models import SequenceTagger
from fastrnn.plot import bars
from fastrnn.train import Adam
from fastrnn.train.schedule import linear
from spanish_diacritics import verses

PLACE = "sword/modules/texts/ztext/engWEB2015eb"
SHARE = 0.15
WORD = re.compile(r"[A-Za-z]+")
EPOCHS, SHORTER = (4, 8, 2), (4, 5, 2)
# As many parameters each: finding, what was typed for what, which words are to be expected.
MODELS = (("both directions", True, (96, 96, 64)), ("forward only", False, (142, 137, 124)))


def misspellings(text):
    """Words and how they are misspelt, of lines `wrong->right`: one word, letters only."""
    found = {}
    for line in text.decode().splitlines():
        wrong, _, right = line.partition("->")
        if WORD.fullmatch(wrong) and WORD.fullmatch(right):
            found.setdefault(right.lower(), []).append(wrong.lower())
    return found


def misspelt(text, errors, rng):
    """The text with misspellings, and for each word its place there, and what was right or None."""
    pieces, words, end, length = [" "], [], 0, 1
    for match in WORD.finditer(text):
        right = match[0]
        known = errors.get(right.lower()) if rng.random() < SHARE else None
        wrong = right if known is None else known[rng.integers(len(known))]
        if known is not None and right[0].isupper():
            wrong = wrong.capitalize()
        pieces += [text[end : match.start()], wrong]
        length += match.start() - end
        words.append((length, length + len(wrong), None if known is None else right.lower()))
        length, end = length + len(wrong), match.end()
    return "".join([*pieces, text[end:]]), words


def lowered(text):
    """The words of a text in lower case."""
    return [word.lower() for word in WORD.findall(text)]


class Corpus:
    """Verses with misspellings: letters, which words are known, and the edits as labels."""

    def __init__(self, texts, errors, rng, counts, least):
        found = [misspelt(text, errors, rng) for text in texts]
        self.texts, self.words = zip(*found)
        self.known = [np.zeros(len(text), np.float32) for text in self.texts]
        self.parts = [[KEEP] * len(text) for text in self.texts]
        for text, words, known, parts in zip(self.texts, self.words, self.known, self.parts):
            for begin, end, right in words:
                known[begin:end] = counts[text[begin:end].lower()] >= least
                if right is not None:
                    parts[begin - 1 : end] = edits(text[begin:end].lower(), right)

    def inputs(self, rows, letters):
        """Of some verses (T, N, V + 1) and their lengths: letters as one-hot, and known words."""
        ids, lengths = pad([letters.encode(self.texts[i]) for i in rows])
        known, _ = pad([self.known[i] for i in rows])
        x = np.zeros((*ids.shape, len(letters) + 1), np.float32)
        np.put_along_axis(x, ids[..., None], 1, -1)
        x[..., -1] = known
        return x, lengths

    def batch(self, rows, letters, tags):
        """Inputs, labels and lengths of some verses; an edit that is no tag has no label."""
        x, lengths = self.inputs(rows, letters)
        targets, _ = pad([[tags.get(p, 0) for p in self.parts[i]] for i in rows])
        return x, targets, lengths


def train(make, letters, tags, bidirectional, hidden, seed, *, epochs, rate=1e-2, N=16):
    """Return the trained model and its losses; `make` gives a corpus with new misspellings."""
    rng, losses = np.random.default_rng(seed), []
    model = SequenceTagger(
        "lstm", len(tags), hidden, input_size=len(letters) + 1, bidirectional=bidirectional,
        forget_bias=1.0, rng=rng,
    )  # fmt: skip
    optimiser = None
    for epoch in range(epochs):
        corpus = make(rng)
        lengths = [len(text) for text in corpus.texts]
        loader = batches(
            lengths, N, seed=seed + epoch, make=lambda rows, c=corpus: c.batch(rows, letters, tags)
        )
        if optimiser is None:
            optimiser = Adam(linear(rate, rate / 100, epochs * len(loader)))
        history = model.fit(loader, optimiser, max_norm=1.0, rng=rng, epochs=1, progress=False)
        losses += history.column("loss")[1]
    return model, losses


def f1(flagged, wrong):
    """F1 of flags on what is wrong, both of bool (n,)."""
    return 2 * (flagged & wrong).sum() / max(flagged.sum() + wrong.sum(), 1)


class Task(NamedTuple):
    """What is learned from, and what is tested with."""

    learned: object  # of a generator: a Corpus with new misspellings
    test: Corpus
    counts: Counter  # of the words of the verses to learn from
    tags: dict  # edits and their numbers
    texts: list  # the verses to learn from, as lists of words
    errors: dict  # the misspellings to learn from


def prepare(texts, errors, seed):
    """Split verses and misspellings into what is learned and what is tested."""
    rng, cut = np.random.default_rng(seed), len(texts) * 9 // 10
    counts = Counter(word for text in texts[:cut] for word in lowered(text))
    tested = {word for word in sorted(errors) if rng.random() < 0.2}
    errors = {w: [e for e in errors[w] if e not in counts] for w in sorted(errors)}
    parts = [{w: e for w, e in errors.items() if e and (w in tested) == t} for t in (False, True)]

    def learned(rng):
        # A word of the training text is known if it stands there twice: once would be itself.
        return Corpus(texts[:cut], parts[0], rng, counts, 2)

    found = Counter(part for parts in learned(rng).parts for part in parts)
    tags = {part: i for i, (part, n) in enumerate(found.most_common()) if n >= 5}
    test = Corpus(texts[cut:], parts[1], rng, counts, 1)
    return Task(learned, test, counts, tags, list(map(lowered, texts[:cut])), parts[0])


def look_up(test, counts):
    """F1 of taking unknown words for wrong, and the share of the nearest words that are right."""
    words = [(t[a:b].lower(), right) for t, ws in zip(test.texts, test.words) for a, b, right in ws]
    flags = f1(*(np.array(f) for f in zip(*((not counts[w], r is not None) for w, r in words))))
    wrong = [(w, right) for w, right in words if right is not None]
    best = [max(sorted(neighbours(w)), key=counts.__getitem__) for w, _ in wrong]
    return flags, np.mean([b == right for b, (_, right) in zip(best, wrong)]), len(wrong)


def judge(model, test, letters, tags):
    """F1 of the words flagged: those with a letter that is likelier to change than to stay."""
    flags, wrong = [], []
    for start in range(0, len(test.texts), 64):
        rows = range(start, min(start + 64, len(test.texts)))
        kept = model.predict_proba(*test.inputs(rows, letters))[..., tags[KEEP]]
        stays = np.log(np.maximum(kept, 1e-30))
        for n, i in enumerate(rows):
            for begin, end, right in test.words[i]:
                flags.append(stays[begin - 1 : end, n].sum() < np.log(0.5))
                wrong.append(right is not None)
    return f1(np.array(flags), np.array(wrong))


def speller(task, both, hidden, seed, *, epochs):
    """A trained Speller: hidden units and epochs of the channel and of the context."""
    channel = Channel(task.errors, both, hidden[0], seed, epochs=epochs[0])
    context = Context(task.texts, both, hidden[1], seed, epochs=epochs[1])
    return Speller(channel, context, task.counts)


def put_right(spelling, test):
    """The share of the misspelt words for which the right one is given."""
    found = [
        spelling.put_right(text, place) == right
        for text, words in zip(map(lowered, test.texts), test.words)
        for place, (*_, right) in enumerate(words)
        if right is not None
    ]
    return np.mean(found)


def run(quick: Quick = False, plot: Plot = PICTURES, seeds: Seeds = 1, data: Data = None) -> None:
    """Misspelt words of English: found and put right, forward only and in both directions."""
    folder = debian("sword-text-web", PLACE, data)
    dictionary = read("codespell", "codespell_lib/data/dictionary.txt", data)
    texts = [text for text in verses(folder) if len(text.split()) <= 100]
    # A part of the verses and of the bench's epochs: two minutes on two cores are for both models.
    texts, epochs = texts[:: 24 if quick else 7], (4, 1, 1) if quick else SHORTER
    missed, wrong = {}, {}
    for seed in range(seeds):
        task = prepare(texts, misspellings(dictionary), seed)
        letters = Vocabulary.from_texts(texts, level="character")
        flags, right, count = look_up(task.test, task.counts)
        print(
            f"{len(texts):,} verses, {len(task.tags)} edits, {count:,} words misspelt in the test"
        )
        first = "unknown word, nearest known one"
        missed.setdefault(first, []).append(1 - flags)
        wrong.setdefault(first, []).append(1 - right)
        print(f"unknown words, nearest known word: F1 {flags:.4f}   put right {right:.4f}")
        for name, both, hidden in MODELS:
            began = perf_counter()
            model, _ = train(
                task.learned, letters, task.tags, both, hidden[0], seed, epochs=epochs[0]
            )
            spelling = speller(task, both, hidden[1:], seed, epochs=epochs[1:])
            seconds = perf_counter() - began
            flags = judge(model, task.test, letters, task.tags)
            right = put_right(spelling, task.test)
            missed.setdefault(name, []).append(1 - flags)
            wrong.setdefault(name, []).append(1 - right)
            print(
                f"LSTM-{hidden[0]}, {name:<16} F1 {flags:.4f}   put right {right:.4f}   "
                f"{seconds:.0f} s"
            )
    labels = {"which words are misspelt": "1 − F1", "what was meant": "share of wrong answers"}
    figure = bars(
        dict(zip(labels, (missed, wrong))), xlabel=labels,
        title=f"Misspelt words at equal parameters, {plural(seeds, 'seed')}",
    )  # fmt: skip
    save(figure, plot, "typos")


if __name__ == "__main__":
    standalone(run)
