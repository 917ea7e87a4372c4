"""Dense layers one after the other, and how likely the last one's outputs make vectors."""

from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from math import log, pi
from typing import TYPE_CHECKING, Any

import autograd.numpy as anp
import numpy as np

from fastrnn import ops
from fastrnn._checks import FLOAT64, Array, floats, integer
from fastrnn.models._parts.reader import linear_params
from fastrnn.ops._primitive import value_of

if TYPE_CHECKING:
    from numpy.random import Generator

ACTIVATIONS: dict[str, Callable[[Any], Any]] = {
    "tanh": anp.tanh,
    "relu": lambda x: x * (value_of(x) > 0),
    "linear": lambda x: x,
}
LIKELIHOODS = ("bernoulli", "gaussian")

_LOG_2PI = log(2 * pi)


def sizes_of(name: str, value: Any) -> list[int]:
    """Return the widths of hidden layers, which may be none."""
    if isinstance(value, str) or not isinstance(value, Sequence):
        raise TypeError(f"{name} must be a sequence of integers, got {value!r}")
    return [integer(name, size, 1) for size in value]


def dense_params(sizes: Sequence[int], dtype: Any, rng: "Generator") -> dict[str, Any]:
    """Return first weights of layers from each size to the next: ``"l0"``, ``"l1"``, …"""
    pairs = enumerate(pairwise(sizes))
    return {f"l{k}": linear_params(O, I, dtype, rng) for k, (I, O) in pairs}


def dense(params: Mapping[str, Any], x: Any, activation: str) -> Any:
    """Return x after all layers, the activation after each."""
    act = ACTIVATIONS[activation]
    for k in range(len(params)):
        x = act(affine(params[f"l{k}"], x))
    return x


def affine(params: Mapping[str, Any], x: Any) -> Any:
    """Return one linear layer's output."""
    return ops.linear(x, params["weight"], params["bias"])


def vectors(name: str, value: Any, columns: int, dtype: Any) -> Array:
    """Return value as rows (N, columns) of the dtype of the model.

    Raises
    ------
    TypeError
        They are no floating numbers of that dtype.
    ValueError
        They have another shape.
    """
    array = floats(name, value, dtype)
    if array.ndim != 2 or array.shape[1] != columns:
        raise ValueError(f"{name} must have shape (N, {columns}), got {array.shape}")
    return array


def checked_data(x: Any, columns: int, dtype: Any, likelihood: str) -> Array:
    """Return data as rows; for Bernoulli they must be probabilities."""
    array = vectors("x", x, columns, dtype)
    if likelihood == "bernoulli" and not ((array >= 0) & (array <= 1)).all():
        raise ValueError("x must lie in 0..1 for a Bernoulli likelihood, and hold no NaN")
    return array


def log_likelihood(likelihood: str, out: Any, x: Array, logvar: Any = None) -> Any:
    """Return ln p(x) of each row in nats, (N,).

    Parameters
    ----------
    likelihood : {"bernoulli", "gaussian"}
    out : (N, I)
        Scores before the sigmoid; or the means.
    x : ndarray, (N, I)
    logvar : (1,), or None
        Logarithm of the Gaussian's variance; None: the variance is 1.
    """
    if likelihood == "bernoulli":
        # ln(1 + e^s) without overflow: max(s, 0) + ln(1 + e^-|s|).
        softplus = out * (value_of(out) > 0) + anp.log1p(anp.exp(-anp.abs(out)))
        return anp.sum(x * out - softplus, axis=1)
    error = anp.sum((x - out) ** 2, axis=1)
    if logvar is None:
        return -0.5 * (error + x.shape[1] * _LOG_2PI)
    return -0.5 * (error * anp.exp(-logvar) + x.shape[1] * (_LOG_2PI + logvar))


def mean_of(likelihood: str, out: Array) -> Array:
    """Return the mean of what a decoder's outputs say: probabilities, or the outputs themselves."""
    if likelihood == "bernoulli":
        result: Array = 0.5 * (1 + np.tanh(0.5 * out))
        return result
    return out


def between(a: Array, b: Array, steps: int) -> Array:
    """Return points on the line from a (Z,) to b (Z,), both included, (steps, Z)."""
    share = np.linspace(0, 1, integer("steps", steps, 2), dtype=FLOAT64)[:, None]
    result: Array = ((1 - share) * a + share * b).astype(a.dtype)
    return result
