"""What a misspelt word was meant to be: how people err, and which words the others lead to expect.

The noisy channel of Kernighan, Church and Gale (1990): of the known words near to what was typed,
the one whose log p(typed | meant) + log p(meant | the words beside it) is largest. Both parts are
recurrent networks, in both directions or forward only. The channel reads the letters of one word
and says what becomes of each; it learns from the misspellings of other words, whether these stand
in the text or not. The context names the next word of the text, and the one before.
"""

from collections import Counter

import numpy as np

from fastrnn.data import Vocabulary, batches, pad
from fastrnn.models import SequenceTagger
from fastrnn.train import Adam
from fastrnn.train.schedule import linear

KEEP, SWAP = "=", "<>"  # a letter stays, or changes places with the next one, which is left out
ALPHABET = "abcdefghijklmnopqrstuvwxyz"
UNHEARD_OF = -15.0  # log probability of an edit that is no tag
# Letters that what was meant may have more or less: beside neighbours, and where there is none.
CLOSE, FAR = 2, 4
FARTHER = 4.0  # how much likelier than a neighbour, in log probability, any other word must be


def edits(source, target):
    """What the place before `source`, and each letter of it, must become to give `target`."""
    n, m = len(source), len(target)
    cost = [[i + j for j in range(m + 1)] for i in range(n + 1)]  # the least number of changes

    def swapped(i, j):
        return i > 1 and j > 1 and source[i - 2 : i] == target[j - 1] + target[j - 2]

    for i in range(1, n + 1):
        for j in range(1, m + 1):
            changed = cost[i - 1][j - 1] + (source[i - 1] != target[j - 1])
            cost[i][j] = min(changed, cost[i - 1][j] + 1, cost[i][j - 1] + 1)
            if swapped(i, j):
                cost[i][j] = min(cost[i][j], cost[i - 2][j - 2] + 1)
    parts, more, i, j = [KEEP] * (n + 1), "", n, m
    while i or j:
        same = i and j and source[i - 1] == target[j - 1]
        if i and j and cost[i][j] == cost[i - 1][j - 1] + (not same):
            parts[i], more, i, j = (KEEP if same else target[j - 1]) + more, "", i - 1, j - 1
        elif swapped(i, j) and cost[i][j] == cost[i - 2][j - 2] + 1:
            parts[i - 1], parts[i], more, i, j = SWAP, more, "", i - 2, j - 2
        elif j and cost[i][j] == cost[i][j - 1] + 1:
            more, j = target[j - 1] + more, j - 1
        else:
            parts[i], more, i = more, "", i - 1
    parts[0] += more
    return parts


def neighbours(word):
    """All strings that one letter more, less, changed or two swapped make of a word."""
    halves = [(word[:i], word[i:]) for i in range(len(word) + 1)]
    found = {a + c + b for a, b in halves for c in ALPHABET}
    found |= {a + c + b[1:] for a, b in halves if b for c in ALPHABET}
    found |= {a + b[1:] for a, b in halves if b}
    return (found | {a + b[1] + b[0] + b[2:] for a, b in halves if len(b) > 1}) - {word}


def letter_counts(words):
    """How often each letter stands in each word, (n, 26)."""
    return np.array([[word.count(letter) for letter in ALPHABET] for word in words])


def fit(model, lengths, make, *, seed, epochs, rate, N):
    """Train a tagger; the learning rate falls to 1 % in a line."""
    loader = batches(lengths, N, seed=seed, make=make)
    optimiser = Adam(linear(rate, rate / 100, epochs * len(loader)))
    rng = np.random.default_rng(seed)
    model.fit(loader, optimiser, max_norm=1.0, epochs=epochs, rng=rng, progress=False)
    return model


class Channel:
    """log p(typed | meant), of `errors`: words and how they are misspelt."""

    def __init__(self, errors, both, hidden, seed, *, epochs, rate=1e-2, N=64):
        pairs = [(right, wrong) for right, wrongs in errors.items() for wrong in wrongs]
        parts = [edits(*pair) for pair in pairs]
        counted = Counter(part for each in parts for part in each)
        self.tags = {part: i for i, (part, n) in enumerate(counted.most_common()) if n >= 5}
        self.letters = Vocabulary.from_texts([" " + ALPHABET], level="character")
        ids = [self.letters.encode(" " + right) for right, _ in pairs]
        labels = [[self.tags.get(part, 0) for part in each] for each in parts]

        def make(rows):
            x, lengths = pad([ids[i] for i in rows])
            return x, pad([labels[i] for i in rows])[0], lengths

        self.model = SequenceTagger(
            "lstm", len(self.tags), hidden, vocab=len(self.letters), bidirectional=both,
            dropout=0.3, forget_bias=1.0, rng=np.random.default_rng(seed),
        )  # fmt: skip
        fit(self.model, list(map(len, ids)), make, seed=seed, epochs=epochs, rate=rate, N=N)

    def scores(self, typed, meant):
        """The log probabilities of having typed a word for each of those in `meant`."""
        p = self.model.predict_proba(*pad([self.letters.encode(" " + word) for word in meant]))
        p, found = np.log(np.maximum(p, 1e-30)), np.zeros(len(meant))
        for n, word in enumerate(meant):
            parts = edits(word, typed)
            for i, (before, part) in enumerate(zip(["", *parts], parts)):
                if before != SWAP or part:  # that a swap leaves out its second letter is certain
                    known = part in self.tags
                    found[n] += p[i, n, self.tags[part]] if known else UNHEARD_OF
        return found


class Context:
    """log p(a word | the words before it and, if `both`, those after it), of texts as lists."""

    def __init__(self, texts, both, hidden, seed, *, epochs, rate=5e-3, N=32):
        counts = Counter(word for text in texts for word in text)
        known = [word for word, n in counts.most_common() if n > 1]
        self.ids = {word: i for i, word in enumerate(known, 2)}  # 0 is an end, 1 any other word
        rare = max(len(counts) - len(known), 1)
        self.rare = -np.log(rare)  # a rare word's share of all of them
        total = sum(counts.values())
        self.log_shares = np.log(np.array([len(texts), rare, *(counts[w] for w in known)]) / total)
        self.models = [
            self._trained(texts, order, hidden, seed, epochs=epochs, rate=rate, N=N)
            for order in ((1, -1) if both else (1,))
        ]

    def _row(self, text, order):
        return [0, *(self.ids.get(word, 1) for word in text[::order])]

    def _trained(self, texts, order, hidden, seed, **how):
        rows = [self._row(text, order) for text in texts]

        def make(some):
            x, lengths = pad([rows[i] for i in some])
            return x, pad([[*rows[i][1:], 0] for i in some])[0], lengths

        V = len(self.ids) + 2
        model = SequenceTagger(
            "lstm", V, hidden, vocab=V, dropout=0.2, rng=np.random.default_rng(seed)
        )
        return fit(model, list(map(len, rows)), make, seed=seed, **how)

    def scores(self, text, place, words):
        """The log probabilities, but for a constant, of each of the words at a place of a text."""
        where = np.array([self.ids.get(word, 1) for word in words])
        beside = (text[:place], 1), (text[place + 1 :], -1)
        found = np.where(where == 1, self.rare, 0.0)
        for model, (part, order) in zip(self.models, beside):
            p = model.predict_proba(np.array(self._row(part, order))[:, None])[-1, 0]
            found += np.log(np.maximum(p[where], 1e-30))
        return found - (len(self.models) - 1) * self.log_shares[where]


class Speller:
    """What was meant: channel and context together, of the words that are known."""

    def __init__(self, channel, context, counts, weight=1.2):
        self.channel, self.context, self.weight = channel, context, weight
        self.words = sorted(counts)
        self.known, self.letters = set(self.words), letter_counts(self.words)

    def candidates(self, word):
        """Known words that it may stand for, in order, and which of them are its neighbours."""
        near = neighbours(word) & self.known
        apart = np.abs(self.letters - letter_counts([word])).sum(1)
        close = {self.words[i] for i in np.flatnonzero(apart <= (CLOSE if near else FAR))}
        meant = sorted((near | close) - {word})
        return meant, np.array([other in near for other in meant])

    def put_right(self, text, place):
        """What was meant by the word at a place of a text, a list of words."""
        word = text[place]
        meant, near = self.candidates(word)
        if not meant:
            return word
        likely = self.channel.scores(word, meant) + FARTHER * near
        return meant[np.argmax(likely + self.weight * self.context.scores(text, place, meant))]
