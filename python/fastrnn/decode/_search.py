"""Search: the beams of all sources between two steps of the model."""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastrnn._checks import Array
from fastrnn.decode._results import Floats, Ids, Results
from fastrnn.decode._rules import Rules
from fastrnn.decode._select import best_of, log_normalisers

StepFunction = Callable[[Any, Ids, Ids], Any]
Flags = NDArray[np.bool_]

# Sources that are done leave the arrays once they are this share of them; the model does not run
# them any more anyway.
_LEAVE = 0.25


def unpacked(returned: Any) -> tuple[Any, Any, Any]:
    """Return scores, state and weights, None if there are none, of what a step function returned.

    Raises
    ------
    TypeError
        It is neither a pair nor a triple.
    """
    if not isinstance(returned, (tuple, list)) or len(returned) not in (2, 3):
        raise TypeError(
            "step must return (scores, state) or (scores, state, weights), got "
            f"{type(returned).__name__}"
        )
    scores, state, *weights = returned
    return scores, state, weights[0] if weights else None


class Search:
    """The sequences of A sources that are not done: a beam of K each, and the greedy one.

    The M rows are those of the beams, K after K, and behind all of them one greedy row for each
    source; with K = 1 the beam is the greedy one, and nothing stands behind. The model runs only
    the rows that hold a sequence that can still get among the n best, and a greedy one only once
    the beam has lost it.

    Parameters
    ----------
    K : int
    longest : ndarray of int64, (N,)
    rules : Rules
    results : Results
        Where hypotheses go.
    attention : bool
        Whether to keep the weights.
    overwrite : bool
        Whether scores may be written into.
    """

    def __init__(
        self,
        K: int,
        longest: Ids,
        rules: Rules,
        results: Results,
        *,
        attention: bool,
        overwrite: bool,
    ) -> None:
        self._K, self._longest, self._rules, self._results = K, longest, rules, results
        self._attention, self._overwrite = attention, overwrite
        N = len(longest)
        self._sources = np.arange(N)
        self._twin = np.zeros(N, np.int64)  # the place of the greedy one in its beam; −1: nowhere
        self._owners = self._sources  # of each row
        if K > 1:
            self._owners = np.concatenate([np.repeat(self._sources, K), self._sources])
        self._from = self._owners  # the row of the model's last step that each row goes on from
        M = len(self._from)
        self._totals = np.zeros(M)
        self._beams(self._totals)[:, 1:] = -np.inf  # all would be the same
        self._prefixes = np.empty((M, 0), np.int64)
        self._tokens = np.full(M, rules.bos)
        self._maps: Array | None = None
        self._rows = self._running()

    @property
    def goes_on(self) -> bool:
        """Whether any source is not done."""
        return len(self._sources) > 0

    @property
    def parents(self) -> Ids:
        """What the model's next step goes on from, and of how many rows it is."""
        return self._from[self._rows]

    @property
    def fed(self) -> Ids:
        """The symbols that the model's next step is fed."""
        return self._tokens[self._rows]

    def _beams(self, rows: Any) -> Any:
        """Return the rows of the beams as (A, K, …): a view."""
        A = len(self._sources)
        return rows[: A * self._K].reshape(A, self._K, *rows.shape[1:])

    def _running(self) -> Ids:
        """Return the rows that the model has to run."""
        live = np.isfinite(self._totals)
        if self._K > 1:
            live[len(self._sources) * self._K :] &= self._twin < 0
        return np.flatnonzero(live)

    def _spread(self, values: Any, nothing: float) -> Any:
        """Return what the model said of its rows for all M, `nothing` where it said nothing."""
        A, K = len(self._sources), self._K
        full = np.full((len(self._totals), *values.shape[1:]), nothing, values.dtype)
        full[self._rows] = values
        if K > 1:
            with_twin = np.flatnonzero(self._twin >= 0)
            full[A * K + with_twin] = full[with_twin * K + self._twin[with_twin]]
        return full

    def advance(self, scores: Any, weights: Any) -> None:
        """Go on by one symbol, which scores of the rows that ran decide; put aside what ends."""
        scores = checked_scores(scores, len(self._rows))
        normalisers = self._spread(log_normalisers(scores), 0.0)
        if self._attention and weights is not None:
            weights = self._spread(weights, 0.0)[:, None]
            self._maps = weights[:, :0] if self._maps is None else self._maps
        if not (self._overwrite and scores.flags.writeable):
            scores = scores.copy()
        self._restrict(scores)
        eos = self._spread(scores[:, self._rules.eos], -np.inf)
        scores[:, self._rules.eos] = -np.inf
        values, symbols = best_of(scores, min(self._K, scores.shape[1]))
        values, symbols = self._spread(values, -np.inf), self._spread(symbols, 0)
        self._end(eos, values[:, 0], symbols[:, 0], normalisers)
        sums = (self._totals - normalisers)[:, None] + values
        parents, columns = self._chosen(sums)
        tokens = symbols[parents, columns]
        self._from = self._spread(np.arange(len(self._rows)), -1)[parents]
        self._totals = sums[parents, columns]
        self._twin = self._followed(parents, tokens)
        self._prefixes = np.concatenate([self._prefixes[parents], tokens[:, None]], axis=1)
        if self._maps is not None:
            self._maps = np.concatenate([self._maps, weights], axis=1)[parents]
        self._tokens = tokens
        self._leave()
        self._rows = self._running()

    def _restrict(self, scores: Array) -> None:
        """Forbid what the rules forbid, and all but EOS at the greatest length."""
        rows, eos = self._rows, self._rules.eos
        owners = self._owners[rows]
        self._rules.apply(scores, self._prefixes[rows], owners)
        full = self._prefixes.shape[1] >= self._longest[owners]
        if full.any():
            last = scores[full, eos]
            scores[full] = -np.inf
            scores[full, eos] = last
            # A constraint that forbids EOS here: what there is counts, but has not ended.
            cut = rows[full & (scores[:, eos] == -np.inf)]
            self._put_aside(cut, self._totals, finished=False)

    def _end(self, scores: Array, others: Array, symbols: Ids, normalisers: Floats) -> None:
        """Let EOS follow: in the beam wherever that is good enough, greedily where it is best.

        Scores are those of EOS, others the best among the other symbols.
        """
        A, K = len(self._sources), self._K
        totals = self._totals + scores.astype(np.float64) - normalisers
        ends = np.isfinite(totals)
        greedy = slice(0 if K == 1 else A * K, None)
        first = (scores == others) & (self._rules.eos < symbols)
        ends[greedy] &= ((scores > others) | first)[greedy]
        if K > 1:
            t = self._prefixes.shape[1]
            good = self._results.counts(self._sources, self._beams(totals), t + 1)
            ends[: A * K] &= good.ravel()
        self._totals[greedy][ends[greedy]] = -np.inf
        if K > 1:  # the greedy one may stand in the beam, too
            twins = np.arange(A) * K + self._twin
            ends[greedy] &= (self._twin < 0) | ~ends[twins]
        self._put_aside(np.flatnonzero(ends), totals, finished=True)

    def _chosen(self, sums: Floats) -> tuple[Ids, Ids]:
        """Return the row that each new row goes on from, (M,), and with which of its best."""
        A, K, count = len(self._sources), self._K, sums.shape[1]
        if K == 1:
            return np.arange(A), np.zeros(A, np.int64)
        _, places = best_of(sums[: A * K].reshape(A, K * count), K)
        parents = np.arange(A)[:, None] * K + places // count
        return (
            np.concatenate([parents.ravel(), np.arange(A * K, A * K + A)]),
            np.concatenate([(places % count).ravel(), np.zeros(A, np.int64)]),
        )

    def _followed(self, parents: Ids, tokens: Ids) -> Ids:
        """Return where in each beam the greedy sequence is now; −1 once it has been lost."""
        A, K = len(self._sources), self._K
        if K == 1:
            return self._twin
        same = self._beams(parents) == (np.arange(A) * K + self._twin)[:, None]
        same &= self._beams(tokens) == tokens[A * K :, None]
        same &= np.isfinite(self._beams(self._totals)) & (self._twin >= 0)[:, None]
        return np.where(same.any(axis=1), same.argmax(axis=1), -1)

    def _put_aside(self, rows: Ids, log_probs: Floats, finished: bool) -> None:
        """Hand sequences over to the results."""
        if len(rows):
            maps = None if self._maps is None else self._maps[rows]
            self._results.add(
                self._owners[rows], self._prefixes[rows], log_probs[rows], finished, maps
            )

    def _leave(self) -> None:
        """Let go what cannot get among the n best, and the sources that have nothing else."""
        A, K = len(self._sources), self._K
        t = self._prefixes.shape[1]
        helps = self._results.may_help(self._owners, self._totals, t + 1, self._longest + 1)
        self._totals[~helps] = -np.inf
        going = self._beams(helps).any(axis=1)
        if K > 1:
            going |= helps[A * K :]
        if not going.any() or going.mean() <= 1 - _LEAVE:
            beams = np.repeat(going, K)
            rows = beams if K == 1 else np.concatenate([beams, going])
            self._from, self._tokens = self._from[rows], self._tokens[rows]
            self._totals, self._prefixes = self._totals[rows], self._prefixes[rows]
            self._maps = None if self._maps is None else self._maps[rows]
            self._owners = self._owners[rows]
            self._sources, self._twin = self._sources[going], self._twin[going]


def checked_scores(scores: Any, M: int) -> Array:
    """Return contiguous scores of M rows: the model's own wherever they are.

    Raises
    ------
    TypeError, ValueError
        They are no floating numbers of M rows.
    """
    if not isinstance(scores, np.ndarray) or scores.dtype not in (np.float32, np.float64):
        what = scores.dtype if isinstance(scores, np.ndarray) else type(scores).__name__
        raise TypeError(f"step must return scores of float32 or float64, got {what}")
    if scores.ndim != 2 or len(scores) != M or scores.shape[1] == 0:
        raise ValueError(f"step must return scores (M, V) with M = {M}, got {scores.shape}")
    return np.ascontiguousarray(scores)
