"""Hypotheses and their scores, and when more search cannot change the best ones."""

from dataclasses import dataclass
from typing import Any, NamedTuple

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


Flags = NDArray[np.bool_]


class Ended(NamedTuple):
    """Hypotheses of M rows that left the search at one step.

    Attributes
    ----------
    sources : ndarray of int64, (M,)
    tokens : ndarray of int64, (M, t)
    log_probs, scores : ndarray of float64, (M,)
    finished : bool
    attention : ndarray or None, (M, t, S)
    """

    sources: Ids
    tokens: Ids
    log_probs: Floats
    scores: Floats
    finished: bool
    attention: Array | None

    def hypothesis(self, m: int) -> Hypothesis:
        """Return row m on its own."""
        attention = None if self.attention is None else self.attention[m].copy()
        log_prob, score = float(self.log_probs[m]), float(self.scores[m])
        return Hypothesis(self.tokens[m].copy(), log_prob, score, self.finished, attention)


class Results:
    """The hypotheses of N sources; all of a step come and are compared at once.

    Parameters
    ----------
    N : int
    n_best : int
        How many of each source are wanted.
    penalty : LengthPenalty
    """

    def __init__(self, N: int, n_best: int, penalty: LengthPenalty) -> None:
        self._N, self._n_best = N, n_best
        self._penalty = penalty
        self._steps: list[Ended] = []
        self._best = np.full((N, n_best), -np.inf)  # scores of what has ended, the last one first
        self._last = self._best[:, 0]

    def add(
        self, sources: Ids, tokens: Ids, log_probs: Floats, finished: bool, attention: Any
    ) -> None:
        """Keep the hypotheses of one step, as `Ended`; no two of them are the same."""
        scores = self._penalty.score(log_probs, tokens.shape[1] + finished)
        if finished:
            order, places = _ranked(sources, -scores)
            few = places < self._n_best
            new = np.full_like(self._best, -np.inf)
            new[sources[order][few], places[few]] = scores[order][few]
            self._best = np.sort(np.concatenate([self._best, new], axis=1))[:, -self._n_best :]
            self._last = self._best[:, 0]
        self._steps.append(Ended(sources, tokens, log_probs, scores, finished, attention))

    def counts(self, sources: Ids, log_probs: Floats, length: int) -> Flags:
        """Return which sequences, (A, K), ended with so many symbols, are among the n best."""
        scores = self._penalty.score(log_probs, length)
        better: Flags = scores > self._last[sources, None]
        K = scores.shape[1]
        if self._n_best < K:
            least = np.partition(scores, K - self._n_best, axis=1)[:, [K - self._n_best]]
            better &= scores >= least
        return better

    def may_help(self, sources: Ids, log_probs: Floats, shortest: int, longest: Ids) -> Flags:
        """Return which of the sequences that go on can still get among the n best.

        Parameters
        ----------
        sources : ndarray of int64, (M,)
        log_probs : ndarray, (M,)
            −Inf of what does not go on.
        shortest : int
            How many symbols they will have at least, EOS counted.
        longest : ndarray of int64, (N,)
            And at most.
        """
        bound = self._penalty.bound(log_probs, shortest, longest[sources])
        better: Flags = bound > self._last[sources]
        return better

    def best(self) -> list[list[Hypothesis]]:
        """Return the n best of each source: those that ended first, then by score.

        Raises
        ------
        ValueError
            A source has none, because nothing was allowed to follow.
        """
        steps = self._steps
        sources = np.concatenate([step.sources for step in steps] or [np.empty(0, np.int64)])
        without = np.flatnonzero(np.bincount(sources, minlength=self._N) == 0)
        if len(without):
            raise ValueError(
                f"constraint left nothing that may follow in any sequence of source {without[0]}"
            )
        sizes = [len(step.sources) for step in steps]
        step_of = np.repeat(np.arange(len(steps)), sizes)
        row_of = np.concatenate([np.arange(size) for size in sizes] or [sources])
        scores = np.concatenate([step.scores for step in steps] or [self._last])
        cut = np.repeat([not step.finished for step in steps], sizes)
        order, places = _ranked(sources, -scores, cut)
        order = order[places < self._n_best]
        result: list[list[Hypothesis]] = [[] for _ in range(self._N)]
        triples = zip(*(a[order].tolist() for a in (sources, step_of, row_of)), strict=True)
        for source, step, row in triples:
            result[source].append(steps[step].hypothesis(row))
        return result


def _ranked(sources: Ids, *keys: Any) -> tuple[Ids, Ids]:
    """Return the order by source, then by the keys, the last of them first, and the place of each
    among those of its source; what is equal keeps its order.
    """
    order = np.lexsort((*keys, sources))
    own = sources[order]
    return order, np.arange(len(own)) - np.searchsorted(own, own)
