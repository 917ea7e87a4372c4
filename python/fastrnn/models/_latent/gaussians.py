"""What all variational models share: Gaussian heads, divergences, and importance weights."""

from collections.abc import Iterable, Mapping
from math import log, pi
from typing import TYPE_CHECKING, Any

import autograd.numpy as anp
import numpy as np

from fastrnn import ops
from fastrnn._checks import Array, generator
from fastrnn.models._parts.dense import affine
from fastrnn.models._parts.reader import linear_params

if TYPE_CHECKING:
    from numpy.random import Generator

_LOG_2PI = log(2 * pi)


def noise_for(rng: Any) -> "Generator":
    """Return rng; for None one that gives the same noise in every call, so that figures compare."""
    return np.random.default_rng(0) if rng is None else generator(rng)


def gaussian_params(Z: int, columns: int, dtype: Any, rng: "Generator") -> dict[str, Any]:
    """Return first weights of the two heads that say a mean and the logarithm of a variance."""
    return {
        "mu": linear_params(Z, columns, dtype, rng),
        "logvar": linear_params(Z, columns, dtype, rng),
    }


def gaussian(params: Mapping[str, Any], x: Any) -> tuple[Any, Any]:
    """Return mean and logarithm of the variance, (N, Z) each."""
    return affine(params["mu"], x), affine(params["logvar"], x)


def kl_of_units(mu: Any, logvar: Any, *prior: Any) -> Any:
    """Return the divergence of each unit from its prior, (N, Z)."""
    return ops.gaussian_kl(*(array[..., None] for array in (mu, logvar, *prior)))


def with_free_bits(units: Any, free: float) -> Any:
    """Return the sum over rows and units of their divergence, a unit's mean counting at least free.

    Parameters
    ----------
    units : (N, Z)
    free : float
        Nats for each unit, below which it is not pressed any further.
    """
    if free <= 0:
        return anp.sum(units)
    return anp.sum(anp.maximum(anp.sum(units, axis=0), free * len(units)))


def log_normal(z: Array, mu: Array | float = 0.0, logvar: Array | float = 0.0) -> Array:
    """Return ln N(z; mu, e^logvar) of each row, (N,), in float64."""
    z = np.asarray(z, np.float64)
    log_density = -0.5 * (_LOG_2PI + logvar + (z - mu) ** 2 * np.exp(-np.float64(logvar)))
    nats: Array = log_density.sum(axis=-1)
    return nats


def importance(log_weights: Iterable[Array]) -> Array:
    """Return ln of the mean of e^w over samples, (N,), from one (N,) array for each sample."""
    w = np.stack(list(log_weights))
    top = w.max(axis=0)
    nats: Array = top + np.log(np.exp(w - top).mean(axis=0))
    return nats
