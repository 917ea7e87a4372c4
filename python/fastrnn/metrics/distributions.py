"""Variety and likelihood of what is generated: distinct n-grams, modes, distances, perplexity."""

import math
from collections import Counter
from collections.abc import Hashable, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from fastrnn._checks import integer, items, number
from fastrnn.metrics.answers import Symbols, several


def distinct(texts: Sequence[Symbols], n: int = 1) -> float:
    """Return the number of different n-grams by the number of all: 1 where none repeats.

    Parameters
    ----------
    texts : sequence
        Lists of tokens; a string is cut at white space.
    n : int

    Returns
    -------
    float
        0 if no text has n tokens. It falls with the number of texts and with their length, so
        compare equal numbers only.

    Raises
    ------
    TypeError
        texts is one text, not a sequence of them, or n is no integer.
    ValueError
        n is less than 1.

    References
    ----------
    Li et al., "A diversity-promoting objective function for neural conversation models", 2016.

    Examples
    --------
    >>> from fastrnn import metrics
    >>> metrics.distinct(["i do not know", "i do"], n=2)
    0.75
    """
    n = integer("n", n, 1)
    grams: Counter[Any] = Counter()
    for text in several("texts", texts):
        tokens = text.split() if isinstance(text, str) else list(items("a text", text))
        grams.update(tuple(tokens[i : i + n]) for i in range(len(tokens) - n + 1))
    return len(grams) / grams.total() if grams else 0.0


def mode_coverage(modes: Sequence[Hashable], M: int) -> int:
    """Return how many of M modes, 0..M−1, were seen; anything else is no mode.

    Examples
    --------
    >>> from fastrnn import metrics
    >>> metrics.mode_coverage([0, 2, 2, None], 3)
    2
    """
    M = integer("M", M, 1)
    seen = {mode for mode in items("modes", modes) if isinstance(mode, (int, np.integer))}
    return sum(bool(0 <= mode < M) for mode in seen)


def total_variation(p: ArrayLike, q: ArrayLike) -> float:
    """Return Σ|p − q|/2 of two distributions, or of counts, which are scaled to sum to 1.

    Raises
    ------
    ValueError
        The shapes differ, an entry is negative, or all are zero.

    Examples
    --------
    >>> from fastrnn import metrics
    >>> metrics.total_variation([0.5, 0.5], [3, 1])
    0.25
    """
    a, b = _shares("p", p), _shares("q", q)
    if a.shape != b.shape or not all((x >= 0).all() and x.sum() > 0 for x in (a, b)):
        raise ValueError(f"p and q must be of one shape and not negative, got {a} and {b}")
    return float(np.abs(a / a.sum() - b / b.sum()).sum() / 2)


def _shares(name: str, value: ArrayLike) -> Any:
    """Return value as float64; what holds no numbers is named."""
    try:
        return np.asarray(value, float)
    except TypeError:
        raise TypeError(f"{name} must hold numbers, got {value!r}") from None


def perplexity(nats: float, count: float = 1) -> float:
    """Return exp(nats / count): of nats summed over `count` tokens, or of their mean.

    Examples
    --------
    >>> import math
    >>> from fastrnn import metrics
    >>> metrics.perplexity(3 * math.log(8), 3)  # doctest: +ELLIPSIS
    7.99999...
    """
    if number("count", count) <= 0:
        raise ValueError(f"count must be above 0, got {count}")
    if isinstance(nats, bool) or not isinstance(nats, (int, float, np.number)):
        raise TypeError(f"nats must be a number, got {nats!r}")
    mean = float(nats) / float(count)
    return math.inf if mean > 700 else math.exp(mean)
