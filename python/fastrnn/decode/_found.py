"""Found: what a search has found for each of its sources, and when more cannot help."""

from bisect import insort

import numpy as np
from numpy.typing import NDArray

from fastrnn._checks import Array
from fastrnn.decode._hypothesis import Floats, Hypothesis, Ids, LengthPenalty

Flags = NDArray[np.bool_]


class Found:
    """The hypotheses of N sources.

    Parameters
    ----------
    N : int
    n_best : int
        How many of each source are wanted.
    penalty : LengthPenalty
    """

    def __init__(self, N: int, n_best: int, penalty: LengthPenalty) -> None:
        self._n_best = n_best
        self._penalty = penalty
        self._by_tokens: list[dict[tuple[bytes, bool], Hypothesis]] = [{} for _ in range(N)]
        self._negatives: list[list[float]] = [[] for _ in range(N)]  # of the n best scores
        self._last = np.full(N, -np.inf)  # the score of the last of the n best that have ended

    def add(
        self, source: int, tokens: Ids, log_prob: float, finished: bool, attention: Array | None
    ) -> None:
        """Keep a hypothesis, unless the same one is there already."""
        own = self._by_tokens[source]
        key = tokens.tobytes(), finished
        if key in own:
            return
        log_prob = float(log_prob)
        score = float(self._penalty.score(log_prob, len(tokens) + finished))
        own[key] = Hypothesis(tokens, log_prob, score, finished, attention)
        if finished:
            worst_last = self._negatives[source]
            insort(worst_last, -score)
            del worst_last[self._n_best :]
            if len(worst_last) == self._n_best:
                self._last[source] = -worst_last[-1]

    def counts(self, sources: Ids, log_probs: Floats, length: int) -> Flags:
        """Return which sequences, (A, K), ended with so many symbols, are among the n best."""
        scores = self._penalty.score(log_probs, length)
        better: Flags = scores > self._last[sources, None]
        K = scores.shape[1]
        if self._n_best < K:
            least = np.partition(scores, K - self._n_best, axis=1)[:, [K - self._n_best]]
            better &= scores >= least
        return better

    def cannot_help(self, sources: Ids, best: Floats, shortest: int, longest: Ids) -> Flags:
        """Return for which sources nothing that goes on can still get among the n best.

        Parameters
        ----------
        sources : ndarray of int64, (A,)
        best : ndarray, (A,)
            The largest log-probability of what goes on; −Inf if nothing does.
        shortest : int
            How many symbols it will have at least, EOS counted.
        longest : ndarray of int64, (N,)
            And at most.
        """
        bound = self._penalty.bound(best, shortest, longest[sources])
        done: Flags = bound <= self._last[sources]
        return done

    def best(self) -> list[list[Hypothesis]]:
        """Return the n best of each source: those that ended first, then by score.

        Raises
        ------
        ValueError
            A source has none, because nothing was allowed to follow.
        """
        result = []
        for n, own in enumerate(self._by_tokens):
            if not own:
                raise ValueError(
                    f"constraint left nothing that may follow in any sequence of source {n}"
                )
            ranked = sorted(own.values(), key=lambda h: (not h.finished, -h.score))
            result.append(ranked[: self._n_best])
        return result
