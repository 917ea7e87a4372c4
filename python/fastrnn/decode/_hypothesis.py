"""Hypothesis: one sequence that a search found, and how scores of different lengths compare."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastrnn._checks import Array, number

Ids = NDArray[np.int64]
Floats = NDArray[np.float64]

PENALTIES = ("none", "wu", "avg")


@dataclass(frozen=True, eq=False)
class Hypothesis:
    """One sequence of symbols.

    Attributes
    ----------
    tokens : ndarray of int64, (t,)
        Without BOS and EOS.
    log_prob : float
        ln p of the tokens, and of EOS after them where it is finished, as the model has it.
    score : float
        What the search ranked it by: log_prob, but for length and word penalty.
    finished : bool
        False: it was cut at the greatest length, where a constraint forbade EOS.
    attention : ndarray or None, (t, S)
        How each token looked at the source, where the step gave weights and they were asked for.
    text : str or None
        What the tokens spell, where a model with a vocabulary made it.
    """

    tokens: Ids
    log_prob: float
    score: float
    finished: bool
    attention: Array | None = None
    text: str | None = None


class LengthPenalty:
    """How the log-probability of a sequence becomes its score.

    Parameters
    ----------
    kind : {"none", "wu", "avg"}
        Divides by 1, by ((5 + l) / 6)ᵅ, or by l, the number of symbols with EOS.
    alpha : float
        α of "wu", at least 0.
    word_penalty : float
        Added once for each symbol: above 0 it favours long sequences.
    """

    def __init__(self, kind: str, alpha: float, word_penalty: float) -> None:
        if kind not in PENALTIES:
            raise ValueError(f"length_penalty must be one of {list(PENALTIES)}, got {kind!r}")
        self.kind = kind
        self.alpha = number("alpha", alpha)
        self.each = number("word_penalty", word_penalty)
        if self.alpha < 0:
            raise ValueError(f"alpha must be at least 0, got {alpha!r}")

    def score(self, log_prob: Any, length: Any) -> Any:
        """Return the score of sequences of this many symbols; numbers or arrays."""
        return log_prob / self._divisor(length) + self.each * length

    def bound(self, log_prob: Floats, shortest: int, longest: Ids) -> Floats:
        """Return what no continuation to shortest..longest symbols can exceed.

        A log-probability only falls, and the divisors only grow with the length.
        """
        gain = np.maximum(self.each * shortest, self.each * longest)
        most: Floats = log_prob / self._divisor(longest) + gain
        return most

    def _divisor(self, length: Any) -> Any:
        if self.kind == "avg":
            return length
        return ((5 + length) / 6) ** self.alpha if self.kind == "wu" else 1.0
