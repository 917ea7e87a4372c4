"""Which of the words of a text a Word2Vec takes: gensim's rules beside the least count."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from fastrnn.models.word2vec._corpus import Counted

RULE_DEFAULT, RULE_DISCARD, RULE_KEEP = 0, 1, 2  # what a rule returns; as in gensim
Rule = Callable[[str, int, int], int]


def checked_rule(name: str, rule: Any) -> Rule | None:
    """Return a rule, or None."""
    if rule is not None and not callable(rule):
        raise TypeError(f"{name} must be None or a function of word, count and min_count")
    checked: Rule | None = rule
    return checked


def chosen(
    counted: Counted, least: int, most: int | None, most_final: int | None, rule: Rule | None
) -> Counted:
    """Return the words that are taken, in their order: the most frequent first.

    Parameters
    ----------
    counted : Counted
        Words of a text, the most frequent first.
    least : int
        Rarer words are left out,
    most : int or None
        all but so many of the most frequent ones before any other rule is asked, and
    most_final : int or None
        all that are not more frequent than the first word beyond so many, however often they come.
    rule : function of word, count and least, or None
        Says RULE_KEEP or RULE_DISCARD whatever the count is, or RULE_DEFAULT.
    """
    words, counts = counted.words[:most], counted.counts[:most]
    frequent = counts >= least
    if most_final is not None and int(frequent.sum()) > most_final:
        least = int(counts[most_final]) + 1
        frequent = counts >= least
    if rule is not None:
        for row, (word, count) in enumerate(zip(words, counts.tolist(), strict=True)):
            decision = rule(word, count, least)
            if decision not in (RULE_DEFAULT, RULE_DISCARD, RULE_KEEP):
                raise ValueError(f"trim_rule must return 0, 1 or 2, got {decision!r} for {word!r}")
            if decision != RULE_DEFAULT:
                frequent[row] = decision == RULE_KEEP
    kept = np.flatnonzero(frequent)
    return replace(counted, words=[words[row] for row in kept.tolist()], counts=counts[kept])
