"""Proof-reading English: which words are misspelt, and what was meant, letter by letter.

Misspellings that people really make (codespell's dictionary) replace 15 % of the words that have
any in the World English Bible (Debian package sword-text-web). Words are split: those misspelt in
the test never are in training, so that what is learned is how people err. The network says for
every letter what it should become: itself, nothing, another letter, itself and one more. Beside the
letters it sees whether a word is known, that is, stands in the training text as it is.
"""

import re
from collections import Counter
from pathlib import Path
from time import perf_counter

import numpy as np

from fastrnn.cli.demos import Plot, Quick, Seeds, save, standalone
from fastrnn.data import Vocabulary, batches, pad
from fastrnn.examples._packages import Data, read
from fastrnn.examples.spanish_diacritics import verses
from fastrnn.models import SequenceTagger
from fastrnn.plot import curves
from fastrnn.train import Adam
from fastrnn.train.schedule import linear

PLACE = "sword/modules/texts/ztext/engWEB2015eb"
KEEP, SHARE = "=", 0.15
UNHEARD_OF = -12.0  # log probability of an edit that is no tag
TRIES = 100
WORD = re.compile(r"[A-Za-z]+")
MODELS = (("both directions", True, 96), ("forward only", False, 142))  # as many parameters


def misspellings(text):
    """Words and how they are misspelt, of lines `wrong->right`: one word, letters only."""
    found = {}
    for line in text.decode().splitlines():
        wrong, _, right = line.partition("->")
        if WORD.fullmatch(wrong) and WORD.fullmatch(right):
            found.setdefault(right.lower(), []).append(wrong.lower())
    return found


def edits(wrong, right):
    """What the place before `wrong`, and each letter of it, must become to give `right`."""
    n, m = len(wrong), len(right)
    cost = [[i + j for j in range(m + 1)] for i in range(n + 1)]  # the least number of changes
    for i in range(1, n + 1):
        for j in range(1, m + 1):
            changed = cost[i - 1][j - 1] + (wrong[i - 1] != right[j - 1])
            cost[i][j] = min(changed, cost[i - 1][j] + 1, cost[i][j - 1] + 1)
    parts, more, i, j = [KEEP] * (n + 1), "", n, m
    while i or j:
        same = i and j and wrong[i - 1] == right[j - 1]
        if i and j and cost[i][j] == cost[i - 1][j - 1] + (not same):
            parts[i], more, i, j = (KEEP if same else right[j - 1]) + more, "", i - 1, j - 1
        elif j and cost[i][j] == cost[i][j - 1] + 1:
            more, j = right[j - 1] + more, j - 1
        else:
            parts[i], more, i = more, "", i - 1
    parts[0] += more
    return parts


def edited(word, parts):
    """The word that these parts make of a word."""
    return "".join(part.replace(KEEP, letter) for letter, part in zip(["", *word], parts))


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


def log_probabilities(model, corpus, letters):
    """For every word of every verse: its text, what is right or None, and log p (letters, tags)."""
    for start in range(0, len(corpus.texts), 64):
        rows = range(start, min(start + 64, len(corpus.texts)))
        p = np.log(np.maximum(model.predict_proba(*corpus.inputs(rows, letters)), 1e-30))
        for n, i in enumerate(rows):
            for begin, end, right in corpus.words[i]:
                yield corpus.texts[i][begin:end].lower(), right, p[begin - 1 : end, n]


def neighbours(word):
    """All strings that one letter more, less, changed or two swapped make of a word."""
    letters = "abcdefghijklmnopqrstuvwxyz"
    halves = [(word[:i], word[i:]) for i in range(len(word) + 1)]
    found = {a + c + b for a, b in halves for c in letters}
    found |= {a + c + b[1:] for a, b in halves if b for c in letters}
    found |= {a + b[1:] for a, b in halves if b}
    return (found | {a + b[1] + b[0] + b[2:] for a, b in halves if len(b) > 1}) - {word}


def correction(word, p, tags, counts):
    """The known word that is likeliest by the network and by how often it stands in the text.

    It is one of the neighbours; where none is known, what the likeliest edits give, at most one
    of them replaced by another so that the word is known.
    """
    known = sorted(near for near in neighbours(word) if counts[near])
    if known:
        scores = [likelihood(word, near, p, tags) + np.log(counts[near]) for near in known]
        return known[int(np.argmax(scores))]
    best, names = p.argmax(1), list(tags)
    for change in np.argsort((p - p.max(1, keepdims=True)).ravel())[::-1][:TRIES]:
        place, tag = divmod(int(change), p.shape[1])  # the likeliest first
        right = edited(word, [names[tag if i == place else b] for i, b in enumerate(best)])
        if counts[right]:
            return right
    return edited(word, [names[b] for b in best])


def likelihood(word, right, p, tags):
    """The log probability of the edits that make `right` of a word."""
    parts = edits(word, right)
    return sum(p[i, tags[part]] if part in tags else UNHEARD_OF for i, part in enumerate(parts))


def f1(flagged, wrong):
    """F1 of flags on what is wrong, both of bool (n,)."""
    return 2 * (flagged & wrong).sum() / max(flagged.sum() + wrong.sum(), 1)


def prepare(texts, errors, seed):
    """What makes a corpus to learn from, one to test with, the words of the first, all edits."""
    rng, cut = np.random.default_rng(seed), len(texts) * 9 // 10
    counts = Counter(w.lower() for text in texts[:cut] for w in WORD.findall(text))
    tested = {word for word in sorted(errors) if rng.random() < 0.2}
    errors = {w: [e for e in errors[w] if e not in counts] for w in sorted(errors)}
    parts = [{w: e for w, e in errors.items() if e and (w in tested) == t} for t in (False, True)]

    def learned(rng):
        # A word of the training text is known if it stands there twice: once would be itself.
        return Corpus(texts[:cut], parts[0], rng, counts, 2)

    found = Counter(part for parts in learned(rng).parts for part in parts)
    tags = {part: i for i, (part, n) in enumerate(found.most_common()) if n >= 5}
    return learned, Corpus(texts[cut:], parts[1], rng, counts, 1), counts, tags


def look_up(test, counts):
    """F1 of taking unknown words for wrong, and the share of the nearest words that are right."""
    words = [(t[a:b].lower(), right) for t, ws in zip(test.texts, test.words) for a, b, right in ws]
    flags = f1(*(np.array(f) for f in zip(*((not counts[w], r is not None) for w, r in words))))
    wrong = [(w, right) for w, right in words if right is not None]
    best = [max(sorted(neighbours(w)), key=counts.__getitem__) for w, _ in wrong]
    return flags, np.mean([b == right for b, (_, right) in zip(best, wrong)]), len(wrong)


def judge(model, test, letters, tags, counts):
    """F1 of the words flagged, and the share of wrong words that are put right."""
    flags, wrong, right = [], [], []
    for word, meant, p in log_probabilities(model, test, letters):
        flags.append(p[:, tags[KEEP]].sum() < np.log(0.5))
        wrong.append(meant is not None)
        if meant is not None:
            right.append(correction(word, p, tags, counts) == meant)
    return f1(np.array(flags), np.array(wrong)), np.mean(right)


def run(quick: Quick = False, plot: Plot = None, seeds: Seeds = 1, data: Data = None) -> None:
    """Misspelt words of English: found and put right, forward only and in both directions."""
    folder = (data or Path("/usr/share")) / PLACE
    dictionary = read("codespell", "codespell_lib/data/dictionary.txt", data)
    if not folder.is_dir():
        print(f"skipped: no {folder} (apt install sword-text-web; --data takes its usr/share)")
    if dictionary is None or not folder.is_dir():
        return
    texts = [text for text in verses(folder) if len(text.split()) <= 100]
    texts, epochs = texts[:: 24 if quick else 2], 1 if quick else 4
    pictures = {}
    for seed in range(seeds):
        learned, test, counts, tags = prepare(texts, misspellings(dictionary), seed)
        letters = Vocabulary.from_texts(texts, level="character")
        flags, right, count = look_up(test, counts)
        print(f"{len(texts):,} verses, {len(tags)} edits, {count:,} words misspelt in the test")
        print(f"unknown words, nearest known word: F1 {flags:.4f}   put right {right:.4f}")
        for name, both, hidden in MODELS:
            began = perf_counter()
            model, losses = train(learned, letters, tags, both, hidden, seed, epochs=epochs)
            seconds = perf_counter() - began
            flags, right = judge(model, test, letters, tags, counts)
            print(
                f"LSTM-{hidden}, {name:<16} F1 {flags:.4f}   put right {right:.4f}   "
                f"{model.parameter_count:,} parameters, {seconds:.0f} s"
            )
            pictures.setdefault(name, losses)
    if plot is not None:
        figure = curves(pictures, xlabel="records of 100 updates", ylabel="nats", log=True)
        save(figure, plot, "typos")


if __name__ == "__main__":
    standalone(run)
