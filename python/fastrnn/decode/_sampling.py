"""Drawing symbols at random: temperature, top-k and top-p; one step, or whole sequences."""

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fastrnn._checks import flag, function, generator, integer, number
from fastrnn.decode._beam import limits
from fastrnn.decode._results import Hypothesis
from fastrnn.decode._rules import MOST_ROWS, Rules
from fastrnn.decode._search import StepFunction, checked_scores, unpacked
from fastrnn.decode._select import log_normalisers

if TYPE_CHECKING:
    from numpy.random import Generator


Floats = NDArray[np.float64]


def probabilities(
    scores: ArrayLike,
    *,
    temperature: float = 1.0,
    top_k: int | None = None,
    top_p: float | None = None,
) -> Floats:
    """Return what symbols are drawn with, from a model's scores before the softmax.

    Parameters
    ----------
    scores : array_like, (…, V)
        One row for each draw. −Inf excludes a symbol.
    temperature : float
        Divides the scores before the softmax: below 1 the likely become likelier still. 0 is the
        limit: the first of the largest scores has probability 1.
    top_k : int or None
        Keep the k likeliest symbols only; ties go to the smaller number.
    top_p : float or None
        Keep the fewest likeliest symbols whose probabilities sum to at least p; in 0..1, at least
        one symbol stays. It acts after `top_k`.

    Returns
    -------
    ndarray of float64, (…, V)
        Each row sums to 1; what is not kept has exactly 0.

    Raises
    ------
    TypeError
        scores are no floating numbers, or an option is no number.
    ValueError
        An option is out of range, or a row has a NaN, +Inf, or nothing but −Inf.

    References
    ----------
    A. Fan et al., "Hierarchical Neural Story Generation", 2018, section 5.2 (top k); A. Holtzman et
    al., "The Curious Case of Neural Text Degeneration", 2020, section 3.1 (top p).

    Examples
    --------
    >>> import numpy as np
    >>> from fastrnn import decode
    >>> scores = np.log([0.5, 0.3, 0.2])
    >>> decode.probabilities(scores, top_k=2)
    array([0.625, 0.375, 0.   ])
    >>> decode.probabilities(scores, temperature=0)
    array([1., 0., 0.])
    """
    rows = _checked(scores)
    V = rows.shape[-1]
    temperature = number("temperature", temperature)
    if temperature < 0:
        raise ValueError(f"temperature must be at least 0, got {temperature!r}")
    k = V if top_k is None else integer("top_k", top_k, 1)
    p = 1.0 if top_p is None else number("top_p", top_p)
    if not 0 <= p <= 1:
        raise ValueError(f"top_p must lie in 0..1, got {top_p!r}")
    order = np.argsort(-rows, axis=-1, kind="stable")
    ranked = np.take_along_axis(rows, order, axis=-1)
    if temperature == 0:
        k, temperature = 1, 1.0
    with np.errstate(over="ignore"):  # a small temperature makes −Inf of what is far behind
        kept = np.exp((ranked - ranked[..., :1]) / temperature)
    kept[..., k:] = 0
    kept /= kept.sum(axis=-1, keepdims=True)
    if top_p is not None:
        before = np.cumsum(kept, axis=-1) - kept  # what the likelier ones have already
        kept[..., 1:][before[..., 1:] >= p] = 0
        kept /= kept.sum(axis=-1, keepdims=True)
    result = np.empty_like(kept)
    np.put_along_axis(result, order, kept, axis=-1)
    return result


def sample(
    scores: ArrayLike,
    *,
    temperature: float = 1.0,
    top_k: int | None = None,
    top_p: float | None = None,
    rng: "Generator | None" = None,
) -> NDArray[np.int64]:
    """Draw one symbol for each row of scores.

    Parameters
    ----------
    scores, temperature, top_k, top_p
        As `probabilities`.
    rng : numpy.random.Generator or None
        One number is drawn from it for each row, whatever the options are; None: fresh entropy.

    Returns
    -------
    ndarray of int64, (…)
        In 0..V−1; never a symbol of probability 0.

    Raises
    ------
    TypeError, ValueError
        As `probabilities`; rng is no Generator.

    Examples
    --------
    >>> import numpy as np
    >>> from fastrnn import decode
    >>> scores = np.log([[0.5, 0.5, 1e-300], [1e-300, 1e-300, 1.0]])
    >>> decode.sample(scores, rng=np.random.default_rng(0))
    array([1, 2])
    """
    p = probabilities(scores, temperature=temperature, top_k=top_k, top_p=top_p)
    u = generator(rng).random(p.shape[:-1])[..., None]
    total = np.cumsum(p, axis=-1)
    # Scaled by the last sum, which may miss 1 by a rounding, u stays below it.
    drawn: NDArray[np.int64] = (total <= u * total[..., -1:]).sum(axis=-1)
    return drawn


def _checked(scores: Any) -> Floats:
    rows = np.asarray(scores)
    if rows.dtype.kind != "f" or rows.dtype.itemsize not in (4, 8):
        raise TypeError(f"scores must be float32 or float64, got {rows.dtype}")
    if rows.ndim == 0 or rows.shape[-1] == 0:
        raise ValueError(f"scores must have shape (…, V) with V of at least 1, got {rows.shape}")
    top = rows.max(axis=-1)
    if not np.isfinite(top).all():
        raise ValueError("scores must have no NaN, no +Inf and a finite number in each row")
    return rows.astype(np.float64)


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
