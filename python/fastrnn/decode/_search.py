"""Search: the beams of all sources between two steps of the model."""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastrnn._checks import Array
from fastrnn.decode._found import Found
from fastrnn.decode._hypothesis import Floats, Ids
from fastrnn.decode._rules import Rules
from fastrnn.decode._select import best_of, log_normalisers

StepFunction = Callable[[Any, Ids, Ids], Any]
Flags = NDArray[np.bool_]

# Sources that are done leave the batch once they are this share of it: to go on without them the
# model has to gather what belongs to the others.
_LEAVE = 0.25


class Search:
    """The sequences of A sources that are not done: a beam of K each, and the greedy one.

    The rows are those of the beams, K after K, and behind all of them one greedy row for each
    source; with K = 1 the beam is the greedy one, and nothing stands behind.

    Parameters
    ----------
    K : int
    longest : ndarray of int64, (N,)
    rules : Rules
    found : Found
        Where hypotheses go.
    attention : bool
        Whether to keep the weights.

    Attributes
    ----------
    parents, fed : ndarray of int64, (M,)
        What the next step of the model gets.
    """

    def __init__(self, K: int, longest: Ids, rules: Rules, found: Found, attention: bool) -> None:
        self._K, self._longest, self._rules, self._found = K, longest, rules, found
        self._attention = attention
        N = len(longest)
        self._sources = np.arange(N)
        self.parents = self._owners()
        M = len(self.parents)
        self._totals = np.zeros(M)
        self._beams(self._totals)[:, 1:] = -np.inf  # all would be the same
        self._prefixes = np.empty((M, 0), np.int64)
        self._maps: Array | None = None
        self.fed = np.full(M, rules.bos)

    @property
    def goes_on(self) -> bool:
        """Whether any source is not done."""
        return len(self._sources) > 0

    def _beams(self, rows: Any) -> Any:
        """Return the rows of the beams as (A, K, …): a view."""
        A = len(self._sources)
        return rows[: A * self._K].reshape(A, self._K, *rows.shape[1:])

    def _owners(self) -> Ids:
        """Return the source of each row."""
        if self._K == 1:
            return self._sources
        return np.concatenate([np.repeat(self._sources, self._K), self._sources])

    def advance(self, scores: Any, weights: Any) -> None:
        """Go on by one symbol, which scores (M, V) decide, and put aside what has ended."""
        check_scores(scores, len(self.fed))
        normalisers = log_normalisers(scores)
        weights = weights[:, None] if self._attention and weights is not None else None
        if weights is not None and self._maps is None:
            self._maps = weights[:, :0]
        self._restrict(scores)
        self._end(scores, normalisers)
        parents, tokens = self._chosen(scores, normalisers)
        added = scores[parents, tokens].astype(np.float64) - normalisers[parents]
        self._totals = self._totals[parents] + added
        self._prefixes = np.concatenate([self._prefixes[parents], tokens[:, None]], axis=1)
        if self._maps is not None:
            self._maps = np.concatenate([self._maps, weights], axis=1)[parents]
        self.parents, self.fed = parents, tokens
        self._leave()

    def _restrict(self, scores: Array) -> None:
        """Forbid what the rules forbid, and all but EOS at the greatest length."""
        owners, eos = self._owners(), self._rules.eos
        alive = np.isfinite(self._totals)
        self._rules.apply(scores, self._prefixes, owners, alive)
        full = self._prefixes.shape[1] >= self._longest[owners]
        if full.any():
            last = scores[full, eos]
            scores[full] = -np.inf
            scores[full, eos] = last
            # A constraint that forbids EOS here: what there is counts, but has not ended.
            cut = alive & full & (scores[:, eos] == -np.inf)
            self._put_aside(cut, self._totals, finished=False)

    def _end(self, scores: Array, normalisers: Floats) -> None:
        """Let EOS follow: in the beam wherever that is good enough, greedily where it is best."""
        A, K, eos = len(self._sources), self._K, self._rules.eos
        totals = self._totals + scores[:, eos].astype(np.float64) - normalisers
        ends = np.isfinite(totals)
        greedy = slice(0 if K == 1 else A * K, None)
        ends[greedy] &= scores[greedy].argmax(axis=1) == eos
        if K > 1:
            t = self._prefixes.shape[1]
            good = self._found.counts(self._sources, self._beams(totals), t + 1)
            ends[: A * K] &= good.ravel()
        self._put_aside(ends, totals, finished=True)
        self._totals[greedy][ends[greedy]] = -np.inf
        scores[:, eos] = -np.inf

    def _chosen(self, scores: Array, normalisers: Floats) -> tuple[Ids, Ids]:
        """Return the row that each new row goes on from, (M,), and with which symbol."""
        A, K, V = len(self._sources), self._K, scores.shape[1]
        if K == 1:
            return np.arange(A), scores.argmax(axis=1)
        base = (self._totals[: A * K] - normalisers[: A * K]).astype(scores.dtype)
        places = best_of((scores[: A * K] + base[:, None]).reshape(A, K * V), K)
        parents = np.arange(A)[:, None] * K + places // V
        greedy = np.arange(A * K, A * K + A)
        return (
            np.concatenate([parents.ravel(), greedy]),
            np.concatenate([(places % V).ravel(), scores[greedy].argmax(axis=1)]),
        )

    def _put_aside(self, rows: Flags, log_probs: Floats, finished: bool) -> None:
        """Hand sequences over to the found."""
        owners = self._owners()
        for row in np.flatnonzero(rows).tolist():
            maps = None if self._maps is None else self._maps[row].copy()
            tokens = self._prefixes[row].copy()
            self._found.add(int(owners[row]), tokens, log_probs[row], finished, maps)

    def _leave(self) -> None:
        """Let the sources go that are done: nothing of theirs can get among the n best."""
        A, K = len(self._sources), self._K
        best = self._beams(self._totals).max(axis=1)
        if K > 1:
            best = np.maximum(best, self._totals[A * K :])
        t = self._prefixes.shape[1]
        done = self._found.cannot_help(self._sources, best, t + 1, self._longest + 1)
        if done.all() or done.mean() >= _LEAVE:
            beams = np.repeat(~done, K)
            rows = beams if K == 1 else np.concatenate([beams, ~done])
            self.parents, self.fed = self.parents[rows], self.fed[rows]
            self._totals, self._prefixes = self._totals[rows], self._prefixes[rows]
            self._maps = None if self._maps is None else self._maps[rows]
            self._sources = self._sources[~done]
        elif done.any():
            self._totals[np.isin(self._owners(), self._sources[done])] = -np.inf


def check_scores(scores: Any, M: int) -> None:
    """Raise TypeError or ValueError unless scores are floating numbers of M rows."""
    if not isinstance(scores, np.ndarray) or scores.dtype not in (np.float32, np.float64):
        what = scores.dtype if isinstance(scores, np.ndarray) else type(scores).__name__
        raise TypeError(f"step must return scores of float32 or float64, got {what}")
    if scores.ndim != 2 or len(scores) != M or scores.shape[1] == 0:
        raise ValueError(f"step must return scores (M, V) with M = {M}, got {scores.shape}")
