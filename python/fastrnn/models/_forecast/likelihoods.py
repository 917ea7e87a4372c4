"""The likelihood of the next value given a network's outputs, and draws from it.

A likelihood is a row of `LIKELIHOODS`. Values come as y, in units in which their context has mean 0
and mean absolute deviation 1; counts come as they are, with the mean of their context as scale.
"""

from collections.abc import Callable
from math import log, pi
from typing import Any, NamedTuple

import autograd.numpy as anp
import numpy as np
from autograd.extend import defvjp, primitive

from fastrnn._checks import Array

_LEAST = 1e-3  # of a deviation, in units of the context
_SHIFT = 8  # Stirling's series is exact to float64 from here on


class Likelihood(NamedTuple):
    """One kind of distribution of the next value.

    Attributes
    ----------
    outputs : int
        K numbers of the network that describe it; 0: one for each quantile level.
    counts : bool
        Whether values are counts, which are not centred.
    nll : callable
        ``nll(o, y, scale, levels)``, o (…, K) and y (…), returns −ln p(y), or the loss, (…).
    draw : callable
        ``draw(o, scale, levels, rng)`` returns one value for each row of o.
    """

    outputs: int
    counts: bool
    nll: Callable[..., Any]
    draw: Callable[..., Array]


def _softplus(x: Any) -> Any:
    return anp.logaddexp(0.0, x)


@primitive  # type: ignore[untyped-decorator]
def log_gamma(x: Any) -> Any:
    """Return ln Γ(x) for x > 0 by Stirling's series, differentiable by autograd.

    Notes
    -----
    ln Γ(x) = ln Γ(x + 8) − ln x(x+1)…(x+7), and
    ln Γ(z) = (z − ½) ln z − z + ½ ln 2π + 1/12z − 1/360z³ + 1/1260z⁵ − 1/1680z⁷; the derivative is
    that of these terms. Each is one node, as autograd takes longer for the steps than NumPy.

    References
    ----------
    Abramowitz and Stegun, "Handbook of Mathematical Functions", 6.1.15, 6.1.41, 6.3.18.
    """
    product = x
    for k in range(1, _SHIFT):
        product = product * (x + k)
    z = x + _SHIFT
    w = 1 / (z * z)
    series = (1 / 12 - w * (1 / 360 - w * (1 / 1260 - w / 1680))) / z
    return (z - 0.5) * anp.log(z) - z + 0.5 * log(2 * pi) + series - anp.log(product)


def _digamma(x: Any) -> Any:
    z = x + _SHIFT
    w = 1 / (z * z)
    series = w * (1 / 12 - w * (1 / 120 - w * (1 / 252 - w / 240)))
    return anp.log(z) - 0.5 / z - series - sum(1 / (x + k) for k in range(_SHIFT))


defvjp(log_gamma, lambda _, x: lambda g: g * _digamma(x))


def _gaussian_nll(o: Any, y: Array, *_: Any) -> Any:
    deviation = _LEAST + _softplus(o[..., 1])
    return anp.log(deviation) + 0.5 * ((y - o[..., 0]) / deviation) ** 2 + 0.5 * log(2 * pi)


def _gaussian_draw(o: Array, scale: Array, levels: Any, rng: np.random.Generator) -> Array:
    del scale, levels
    result: Array = o[:, 0] + (_LEAST + _softplus(o[:, 1])) * rng.standard_normal(len(o))
    return result


def _student_nll(o: Any, y: Array, *_: Any) -> Any:
    deviation, freedom = _LEAST + _softplus(o[..., 1]), 2 + _softplus(o[..., 2])
    half = 0.5 * (freedom + 1)
    return (
        log_gamma(0.5 * freedom) - log_gamma(half) + 0.5 * anp.log(freedom * pi)
        + anp.log(deviation)
        + half * anp.log1p(((y - o[..., 0]) / deviation) ** 2 / freedom)
    )  # fmt: skip


def _student_draw(o: Array, scale: Array, levels: Any, rng: np.random.Generator) -> Array:
    del scale, levels
    drawn = rng.standard_t(2 + _softplus(o[:, 2]))
    result: Array = o[:, 0] + (_LEAST + _softplus(o[:, 1])) * drawn
    return result


def _counts_of(o: Any, scale: Any) -> tuple[Any, Any]:
    """Return the mean of a count, and the number r = 1/α of its negative binomial."""
    return scale * _softplus(o[..., 0]) + 1e-6, 1 / (_LEAST + _softplus(o[..., 1]))


def _binomial_nll(o: Any, y: Array, scale: Any, *_: Any) -> Any:
    mean, r = _counts_of(o, scale)
    return (
        log_gamma(r) + log_gamma(y + 1.0) - log_gamma(y + r)
        + r * anp.log1p(mean / r) + y * (anp.log(r + mean) - anp.log(mean))
    )  # fmt: skip


def _binomial_draw(o: Array, scale: Array, levels: Any, rng: np.random.Generator) -> Array:
    del levels
    mean, r = _counts_of(o, scale)
    result: Array = rng.poisson(rng.gamma(r, mean / r)).astype(np.float64)
    return result


def _quantile_nll(o: Any, y: Array, scale: Any, levels: Array) -> Any:
    del scale
    error = y[..., None] - o
    return anp.mean(2 * anp.maximum(levels * error, (levels - 1) * error), axis=-1)


def _quantile_draw(o: Array, scale: Array, levels: Array, rng: np.random.Generator) -> Array:
    """Draw from the line through the quantiles, its ends drawn out."""
    del scale
    rows = np.sort(o, axis=1)
    if len(levels) == 1:
        alone: Array = rows[:, 0]
        return alone
    u = rng.random(len(o))
    right = np.clip(np.searchsorted(levels, u), 1, len(levels) - 1)
    k = np.arange(len(o))
    low, high = rows[k, right - 1], rows[k, right]
    share = (u - levels[right - 1]) / (levels[right] - levels[right - 1])
    result: Array = low + share * (high - low)
    return result


LIKELIHOODS: dict[str, Likelihood] = {
    "gaussian": Likelihood(2, False, _gaussian_nll, _gaussian_draw),
    "student_t": Likelihood(3, False, _student_nll, _student_draw),
    "negative_binomial": Likelihood(2, True, _binomial_nll, _binomial_draw),
    "quantile": Likelihood(0, False, _quantile_nll, _quantile_draw),
}
