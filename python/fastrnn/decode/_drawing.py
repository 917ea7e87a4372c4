"""Drawing whole sequences: each symbol at random, as likely as the model says."""

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from fastrnn._checks import flag, function, integer
from fastrnn.decode._beam import limits
from fastrnn.decode._hypothesis import Hypothesis
from fastrnn.decode._rules import MOST_ROWS, Rules
from fastrnn.decode._sampling import sample
from fastrnn.decode._search import StepFunction, checked_scores, unpacked
from fastrnn.decode._select import log_normalisers
from fastrnn.init import generator

if TYPE_CHECKING:
    from numpy.random import Generator


def draw(
    step: StepFunction,
    state: Any,
    N: int,
    *,
    max_length: ArrayLike,
    samples: int = 1,
    temperature: float = 1.0,
    top_k: int | None = None,
    top_p: float | None = None,
    rng: "Generator | None" = None,
    rules: Rules | None = None,
    return_attention: bool = False,
) -> list[list[Hypothesis]]:
    """Draw sequences of symbols for each of N sources, all of them side by side.

    Parameters
    ----------
    step, state, N, max_length, rules, return_attention
        As `beam_search`.
    samples : int
        How many sequences of each source, at least 1.
    temperature, top_k, top_p
        As `probabilities`. What the rules forbid is taken out first.
    rng : numpy.random.Generator or None
        One number is drawn from it for each sequence that goes on at each step; None: fresh
        entropy.

    Returns
    -------
    list of N lists of Hypothesis
        As they were drawn; score is log_prob, which is the model's own, without temperature.

    Raises
    ------
    TypeError, ValueError
        An argument breaks its rule, step returned no such scores, or a constraint left nothing.

    Examples
    --------
    >>> import numpy as np
    >>> from fastrnn import decode
    >>> def step(state, parents, tokens):
    ...     return np.log(np.tile([1e-9, 1e-9, 1e-9, 0.5, 0.5], (len(tokens), 1))), None
    >>> rng = np.random.default_rng(0)
    >>> [drawn] = decode.draw(step, None, 1, max_length=9, samples=4, rng=rng)
    >>> [len(each.tokens) for each in drawn]
    [8, 0, 0, 0]
    """
    samples = integer("samples", samples, 1, MOST_ROWS)
    rules = Rules() if rules is None else rules
    function("step", step)
    N = integer("N", N, 0, MOST_ROWS)
    rules.check(N)
    keep = flag("return_attention", return_attention)
    source = generator(rng)
    longest = np.repeat(limits(max_length, N, rules), samples)
    parents = owners = np.repeat(np.arange(N), samples)
    places = np.arange(len(owners))  # where each row that goes on belongs
    hypotheses: list[Hypothesis | None] = [None] * len(owners)
    totals, fed = np.zeros(len(owners)), np.full(len(owners), rules.bos)
    prefixes = np.empty((len(owners), 0), np.int64)
    maps: Any = None
    while len(places):
        scores, state, weights = unpacked(step(state, parents, fed))
        scores = checked_scores(scores, len(places))
        normalisers = log_normalisers(scores)
        may_come = scores.copy()
        rules.apply(may_come, prefixes, owners[places])
        if not (may_come.max(axis=1) > -np.inf).all():
            raise ValueError("constraint left nothing that may follow a sequence that was drawn")
        fed = sample(may_come, temperature=temperature, top_k=top_k, top_p=top_p, rng=source)
        fed[prefixes.shape[1] >= longest[places]] = rules.eos
        rows = np.arange(len(places))
        allowed = may_come[rows, fed] > -np.inf  # EOS at the greatest length may not be
        totals = totals + np.where(allowed, scores[rows, fed] - normalisers, 0)
        if keep and weights is not None:
            now = weights[:, None]
            maps = np.concatenate([now[:, :0] if maps is None else maps, now], axis=1)
        t = prefixes.shape[1]
        ends = fed == rules.eos
        for row in np.flatnonzero(ends).tolist():
            seen = None if maps is None else maps[row, :t].copy()
            tokens, total, finished = prefixes[row].copy(), float(totals[row]), bool(allowed[row])
            hypotheses[places[row]] = Hypothesis(tokens, total, total, finished, seen)
        prefixes = np.concatenate([prefixes, fed[:, None]], axis=1)[~ends]
        maps = None if maps is None else maps[~ends]
        parents, fed, totals, places = rows[~ends], fed[~ends], totals[~ends], places[~ends]
    done = [each for each in hypotheses if each is not None]
    return [done[n * samples : (n + 1) * samples] for n in range(N)]
