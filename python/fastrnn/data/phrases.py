"""Phrases: words that come together more often than chance would have it become one word."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise
from math import log
from typing import Literal

from fastrnn._checks import integer, items, number

Scoring = Literal["default", "npmi"]


class Phrases:
    """Pairs of words that a text holds more often than chance, by gensim's names.

    Parameters
    ----------
    sentences : iterable of lists of str
        Read once.
    min_count : int
        Pairs and words that are rarer make no phrase; it also discounts pairs of rare words.
    threshold : float
        The least score of a phrase: above 0 for "default", in -1..1 for "npmi".
    delimiter : str
        What joins the words of a phrase.
    scoring : {"default", "npmi"}
        "default": (pair - min_count) · V / (first · second); "npmi": the normalised pointwise
        mutual information, ln(p(pair) / p(first)p(second)) / -ln p(pair).

    Raises
    ------
    TypeError, ValueError
        An argument breaks its rule.

    References
    ----------
    T. Mikolov et al., "Distributed Representations of Words and Phrases", 2013, equation 6;
    G. Bouma, "Normalized (Pointwise) Mutual Information in Collocation Extraction", 2009.

    Examples
    --------
    >>> from fastrnn.data import Phrases
    >>> text = [["in", "new", "york"], ["new", "york", "is", "new"], ["is", "it", "in"]] * 5
    >>> phrases = Phrases(text, min_count=1, threshold=0.25)
    >>> phrases[["new", "york", "is", "it"]]
    ['new_york', 'is_it']
    >>> round(phrases.score("new", "york"), 2)
    0.3
    """

    def __init__(
        self,
        sentences: Iterable[Sequence[str]],
        *,
        min_count: int = 5,
        threshold: float = 10.0,
        delimiter: str = "_",
        scoring: Scoring = "default",
    ) -> None:
        if scoring not in ("default", "npmi"):
            raise ValueError(f"scoring must be 'default' or 'npmi', got {scoring!r}")
        if not isinstance(delimiter, str) or len(delimiter.split()) != 1:
            raise ValueError(f"delimiter must be text without white space, got {delimiter!r}")
        self.min_count = integer("min_count", min_count, 1)
        self.threshold = number("threshold", threshold, -1.0 if scoring == "npmi" else 0.0)
        self.delimiter, self.scoring = delimiter, scoring
        self._words: Counter[str] = Counter()
        self._pairs: Counter[tuple[str, str]] = Counter()
        for sentence in items("sentences", sentences):
            if isinstance(sentence, (str, bytes)):
                raise TypeError("sentences must be lists of words, got a string among them")
            self._words.update(sentence)
            self._pairs.update(pairwise(sentence))
        self._total = sum(self._words.values())

    def score(self, first: str, second: str) -> float:
        """Return how much more often two words come together than chance; -inf if rarely.

        Parameters
        ----------
        first, second : str
            In this order.

        Returns
        -------
        float
        """
        a, b = self._words[first], self._words[second]
        together = self._pairs[first, second]
        if together < self.min_count or min(a, b) < self.min_count:
            return float("-inf")
        if self.scoring == "default":
            return (together - self.min_count) * len(self._words) / (a * b)
        share = together / self._total
        if share >= 1:
            return 1.0
        return log(share * self._total**2 / (a * b)) / -log(share)

    def __getitem__(self, sentence: Sequence[str]) -> list[str]:
        """Return a sentence whose phrases are one word each, found from left to right."""
        if isinstance(sentence, (str, bytes)):
            raise TypeError("sentence must be a list of words, got a string")
        joined, at = [], 0
        while at < len(sentence):
            two = sentence[at : at + 2]
            if len(two) == 2 and self.score(two[0], two[1]) > self.threshold:
                joined.append(self.delimiter.join(two))
                at += 2
            else:
                joined.append(sentence[at])
                at += 1
        return joined

    def apply(self, sentences: Iterable[Sequence[str]]) -> Iterator[list[str]]:
        """Yield sentences with their phrases joined; once more over the result finds longer ones.

        Parameters
        ----------
        sentences : iterable of lists of str

        Yields
        ------
        list of str
        """
        for sentence in sentences:
            yield self[sentence]

    def export_phrases(self) -> dict[str, float]:
        """Return all phrases and their scores, the highest first."""
        scores = {
            self.delimiter.join(pair): score
            for pair in self._pairs
            if (score := self.score(*pair)) > self.threshold
        }
        return dict(sorted(scores.items(), key=lambda item: -item[1]))
