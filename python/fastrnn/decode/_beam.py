"""Beam search over many sources at once; with a beam of one it is the greedy search."""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from fastrnn._checks import flag, function, integer
from fastrnn.decode._results import Hypothesis, Ids, LengthPenalty, Results
from fastrnn.decode._rules import MOST_ROWS, MOST_STEPS, Rules
from fastrnn.decode._search import Search, StepFunction, unpacked


def beam_search(
    step: StepFunction,
    state: Any,
    N: int,
    *,
    max_length: ArrayLike,
    beam_size: int = 5,
    n_best: int = 1,
    length_penalty: str = "none",
    alpha: float = 0.6,
    word_penalty: float = 0.0,
    rules: Rules | None = None,
    return_attention: bool = False,
    overwrite_scores: bool = False,
) -> list[list[Hypothesis]]:
    """Find likely sequences of symbols for each of N sources, all of them side by side.

    Parameters
    ----------
    step : callable
        As `fastrnn.decode` says.
    state
        What the first step gets, of N rows.
    N : int
    max_length : int, or array_like of int (N,)
        The most symbols of a sequence, without EOS, at least 1; of each source its own, if it is
        an array. After so many only EOS may come.
    beam_size : int
        How many sequences of each source go on at every step; what has ended takes no place. May
        exceed the number of symbols.
    n_best : int
        How many to return, at most beam_size.
    length_penalty : {"none", "wu", "avg"}
        The log-probability is divided by 1, by ((5 + l) / 6)ᵅ, or by l, the number of symbols with
        EOS.
    alpha : float
        α of "wu", at least 0.
    word_penalty : float
        Added to the score for each symbol: above 0 it favours long sequences.
    rules : Rules or None
        What may come next; None: all but PAD, UNK and BOS.
    return_attention : bool
        Keep the weights that step returns.
    overwrite_scores : bool
        Let the search write into the scores that step returns, which are then not its own any more:
        it saves a copy a step.

    Returns
    -------
    list of N lists of Hypothesis
        The best first: those that ended before those that were cut, then by score. Fewer than
        n_best where fewer exist.

    Raises
    ------
    TypeError, ValueError
        An argument breaks its rule, step returned no such scores, or a constraint left nothing.

    Notes
    -----
    The sequence that the greedy search finds is always a candidate, so the best score is not below
    its score. With a larger beam every sequence that goes on may also end at any step, and a source
    is done once nothing that goes on can get among its n best. Ties go to the hypothesis that stood
    first, then to the smaller symbol; nothing depends on the other sources.

    References
    ----------
    I. Sutskever et al., "Sequence to Sequence Learning with Neural Networks", 2014, section 3.2;
    Y. Wu et al., "Google's Neural Machine Translation System", 2016, equation 14.

    Examples
    --------
    >>> import numpy as np
    >>> from fastrnn import decode
    >>> p = np.full((6, 6), 1e-9)
    >>> p[2, [4, 5]] = 0.6, 0.4  # after BOS, which is 2
    >>> p[4, [3, 4]] = 0.5, 0.5  # EOS is 3
    >>> p[5, 3] = 1
    >>> def step(state, parents, tokens):
    ...     return np.log(p[tokens]), None
    >>> [[first]] = decode.greedy(step, None, 1, max_length=5)
    >>> [[best]] = decode.beam_search(step, None, 1, max_length=5, beam_size=2)
    >>> first.tokens, best.tokens, bool(first.log_prob < best.log_prob)
    (array([4]), array([5]), True)
    """
    function("step", step)
    N = integer("N", N, 0, MOST_ROWS)
    K = integer("beam_size", beam_size, 1, MOST_ROWS)
    n_best = integer("n_best", n_best, 1)
    if n_best > K:
        raise ValueError(f"n_best must be at most beam_size, got {n_best} > {K}")
    rules = Rules() if rules is None else rules
    rules.check(N)
    results = Results(N, n_best, LengthPenalty(length_penalty, alpha, word_penalty))
    keep = flag("return_attention", return_attention)
    overwrite = flag("overwrite_scores", overwrite_scores)
    search = Search(
        K, limits(max_length, N, rules), rules, results, attention=keep, overwrite=overwrite
    )
    while search.goes_on:
        scores, state, weights = unpacked(step(state, search.parents, search.fed))
        search.advance(scores, weights)
    return results.best()


def greedy(
    step: StepFunction, state: Any, N: int, *, max_length: ArrayLike, **options: Any
) -> list[list[Hypothesis]]:
    """Take the likeliest symbol at every step: `beam_search` with a beam of one.

    Parameters
    ----------
    step, state, N, max_length, **options
        As `beam_search`.

    Returns
    -------
    list of N lists of one Hypothesis

    Raises
    ------
    TypeError, ValueError
        As `beam_search`.
    """
    return beam_search(step, state, N, max_length=max_length, beam_size=1, **options)


def limits(max_length: ArrayLike, N: int, rules: Rules) -> Ids:
    """Return the greatest length of each source, (N,).

    Raises
    ------
    TypeError, ValueError
        It is no integer of at least 1, and no array of N of them; or below the least length.
    """
    most = np.asarray(max_length)
    if most.ndim == 0:
        most = np.full(N, integer("max_length", max_length, 1, MOST_STEPS))
    elif most.shape != (N,) or most.dtype.kind not in "iu" or (
        (most < 1) | (most > MOST_STEPS)
    ).any():
        raise ValueError(
            f"max_length must be N = {N} integers in 1..{MOST_STEPS}, got {max_length!r:.80}"
        )
    if (most < rules.min_length).any():
        raise ValueError(
            f"min_length must be at most max_length, got {rules.min_length} > {most.min()}"
        )
    return most.astype(np.int64, copy=False)
