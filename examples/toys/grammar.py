"""English sentences with their bracketed trees, from a grammar that leaves no choice to the reader.

A preposition belongs to the closest word before it that likes it, be it a noun or a verb, and a
relative clause to the noun before it. So every sentence has one tree, which depends on the words.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from toys.trees import Tree

Likes = Mapping[str, Sequence[str]]

NOUNS: Likes = {
    "dog": ["with"], "cat": [], "man": ["with", "from"], "woman": ["from"], "child": [],
    "house": ["of", "near"], "garden": ["of", "behind"], "book": ["about", "of"],
    "letter": ["from", "about"], "picture": ["of"], "city": ["near"], "road": ["to"],
    "teacher": ["of"], "hat": [], "bird": ["from"], "train": ["to", "from"],
}  # fmt: skip
VERBS: Likes = {
    "saw": ["with"], "found": ["near", "behind"], "wrote": ["to", "about"], "read": ["about", "to"],
    "painted": ["with"], "sent": ["to"], "took": ["from"], "followed": ["to"], "heard": ["from"],
    "liked": [], "met": ["near"], "built": ["with", "near"],
}  # fmt: skip
ALONE: Likes = {
    "slept": ["near", "behind"], "ran": ["to", "from"], "smiled": [], "spoke": ["about", "with"],
    "waited": ["behind"], "came": ["from", "with"],
}  # fmt: skip
ARTICLES = ("the", "a")
RELATIVES = ("who", "that")


class Sentence(NamedTuple):
    """A sentence and its tree.

    Attributes
    ----------
    words : list of str
    tree : tuple
        Its leaves are the tags of the words: DT, NN, WP, VB, IN.
    """

    words: list[str]
    tree: Tree


class Grammar:
    """S → NP VP; NP → DT NN [SBAR] [PP]; SBAR → WP VP; VP → VB [NP] [PP]; PP → IN NP.

    Parameters
    ----------
    nouns, verbs, alone : mapping of str to sequence of str
        Words and the prepositions that each likes; verbs with an object, and without one.
    articles, relatives : sequence of str
    relative, preposition : float
        Probability of a relative clause and of a preposition where one can stand; each level of
        nesting halves it.

    Examples
    --------
    >>> import numpy as np
    >>> from toys import grammar
    >>> sentence = grammar.Grammar().draw(np.random.default_rng(7))
    >>> " ".join(sentence.words)
    'a train saw the child that slept with the teacher'
    >>> sentence.tree[2][2]
    ('NP', 'DT', 'NN', ('SBAR', 'WP', ('VP', 'VB')))
    """

    def __init__(
        self,
        *,
        nouns: Likes = NOUNS,
        verbs: Likes = VERBS,
        alone: Likes = ALONE,
        articles: Sequence[str] = ARTICLES,
        relatives: Sequence[str] = RELATIVES,
        relative: float = 0.35,
        preposition: float = 0.5,
    ) -> None:
        for name, words in (("nouns", nouns), ("verbs", verbs), ("alone", alone)):
            if not words:
                raise ValueError(f"{name} must hold a word at least")
        if not (0 <= relative <= 1 and 0 <= preposition <= 1):
            raise ValueError("relative and preposition must be in 0..1")
        self.nouns, self.verbs, self.alone = nouns, verbs, alone
        self.articles, self.relatives = articles, relatives
        self.relative, self.preposition = relative, preposition

    def draw(self, rng: np.random.Generator) -> Sentence:
        """Return one sentence."""
        words: list[str] = []
        subject, _ = self._noun_phrase(rng, words, 0)
        predicate, _ = self._verb_phrase(rng, words, 0)
        return Sentence(words, ("S", subject, predicate))

    def sentences(
        self, rng: np.random.Generator, N: int, *, longest: int = 25, tries: int = 100
    ) -> list[Sentence]:
        """Return N different sentences of at most `longest` words.

        Raises
        ------
        ValueError
            There are not so many: not one in `tries` draws is new and short enough.
        """
        found: dict[tuple[str, ...], Sentence] = {}
        left = tries * N
        while len(found) < N:
            left -= 1
            if left < 0:
                raise ValueError(f"N must be smaller: the grammar gave {len(found)} in {tries}·N")
            sentence = self.draw(rng)
            if len(sentence.words) <= longest:
                found[tuple(sentence.words)] = sentence
        return list(found.values())

    def _noun_phrase(
        self, rng: np.random.Generator, words: list[str], level: int
    ) -> tuple[Tree, set[str]]:
        """Say a noun phrase; return its tree, and what its words like."""
        noun = _choice(rng, list(self.nouns))
        words += [_choice(rng, self.articles), noun]
        node: list[Any] = ["NP", "DT", "NN"]
        liked: set[str] = set()
        if rng.random() < self.relative / 2**level:
            words.append(_choice(rng, self.relatives))
            clause, liked = self._verb_phrase(rng, words, level + 1)
            node.append(("SBAR", "WP", clause))
        return self._with_preposition(rng, words, level, node, (self.nouns[noun], liked))

    def _verb_phrase(
        self, rng: np.random.Generator, words: list[str], level: int
    ) -> tuple[Tree, set[str]]:
        """Say a verb phrase; return its tree, and what its words like."""
        share = len(self.verbs) / (len(self.verbs) + len(self.alone))
        table = self.verbs if rng.random() < share else self.alone
        verb = _choice(rng, list(table))
        words.append(verb)
        node: list[Any] = ["VP", "VB"]
        liked: set[str] = set()
        if table is self.verbs:
            thing, liked = self._noun_phrase(rng, words, level + 1)
            node.append(thing)
        return self._with_preposition(rng, words, level, node, (table[verb], liked))

    def _with_preposition(
        self,
        rng: np.random.Generator,
        words: list[str],
        level: int,
        node: list[Any],
        likes: tuple[Sequence[str], set[str]],
    ) -> tuple[Tree, set[str]]:
        """Add, sometimes, a preposition that the head likes and no closer word does."""
        own, closer = likes
        free = [word for word in own if word not in closer]
        liked = closer | set(own)
        if free and rng.random() < self.preposition / 2**level:
            words.append(_choice(rng, free))
            thing, more = self._noun_phrase(rng, words, level + 1)
            node.append(("PP", "IN", thing))
            liked |= more
        return tuple(node), liked


def _choice(rng: np.random.Generator, words: Sequence[str]) -> str:
    return words[int(rng.integers(len(words)))]
