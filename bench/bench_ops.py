"""The operations of `fastrnn.ops` at the sizes of a language model, and their NumPy twins.

A step of a word model: 35 x 32 rows, 256 hidden units, 2,000 words; attention over 30 source steps.
Forward and backward through autograd, as training runs them. By default with the twin beside, which
shows what the kernels are for; for figures to rely on, confine the process to its CPUs.
"""

from collections.abc import Callable
from typing import Any

import autograd
import numpy as np
import pytest

from fastrnn import ops, reference

ROWS, H, V, S, N = 1120, 256, 2000, 30, 64
RNG = np.random.default_rng(0)


def normal(*shape: int) -> np.ndarray:
    return RNG.normal(size=shape).astype(np.float32)


def decoder() -> dict[str, Any]:
    """The parameters of a decoder of H units, with the additive score."""
    shapes = {
        "weight_ih": (3 * H, 2 * H), "weight_hh": (3 * H, H), "weight_query": (H, H),
        "weight_key": (H, H), "vector": (H,),
    }  # fmt: skip
    rng = np.random.default_rng(2)
    draws = {name: rng.normal(size=shape) / H**0.5 for name, shape in shapes.items()}
    return {"params": {name: array.astype(np.float32) for name, array in draws.items()}}


IDS = RNG.integers(0, V, ROWS)
CASES: dict[str, tuple[tuple[np.ndarray, ...], Callable[[], dict[str, Any]]]] = {
    "linear": ((normal(ROWS, H), normal(V, H), normal(V)), dict),
    "linear_cross_entropy": (
        (normal(ROWS, H), normal(V, H) / H, normal(V)),
        lambda: {"targets": IDS},
    ),
    "embedding": ((normal(V, H),), lambda: {"ids": IDS}),
    "softmax_cross_entropy": ((normal(ROWS, V),), lambda: {"targets": IDS}),
    "dropout": ((normal(ROWS, H),), lambda: {"rng": np.random.default_rng(1)}),
    "attention": ((normal(N, H), normal(S, N, H)), dict),
    "attention_decoder": ((normal(S, N, H), normal(S, N, H)), decoder),
    "gaussian_kl": ((normal(ROWS, H), normal(ROWS, H)), dict),
    "reparameterise": (
        (normal(ROWS, H), normal(ROWS, H)),
        lambda: {"rng": np.random.default_rng(1)},
    ),
}


def slopes(namespace: Any, name: str) -> tuple[np.ndarray, ...]:
    """The gradients of the sum of the results by all arrays."""
    arrays, options = CASES[name]

    def total(values: Any) -> Any:
        result = getattr(namespace, name)(*values, **options())
        results = result if isinstance(result, tuple) else (result,)
        results = [part for part in results if not isinstance(part, tuple)]
        return sum(autograd.numpy.sum(part) for part in results)

    return autograd.grad(total)(arrays)


@pytest.mark.benchmark(max_time=0.2, min_rounds=3, warmup=False)
@pytest.mark.parametrize("namespace", [ops, reference], ids=["fastrnn", "twin"])
@pytest.mark.parametrize("name", CASES)
def test_operation(benchmark: Any, name: str, namespace: Any) -> None:
    """Time forward and backward, then compare the gradients with the twin's."""
    benchmark.group = name
    found = benchmark(slopes, namespace, name)
    for gradient, expected in zip(found, slopes(reference, name), strict=True):
        scale = np.abs(expected).max()
        np.testing.assert_allclose(gradient, expected, atol=1e-4 * scale)
