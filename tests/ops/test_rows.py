"""Why: what a row holds is its own affair. NaN stays in it, padding and ignored rows are not read,
and a row alone has the bits that it has in a batch.
"""

from typing import Any

import autograd
import numpy as np
import pytest
from helpers.operations import OPERATIONS, Operation, cast, gradients, run
from helpers.tolerances import assert_same_bits

from fastrnn import ops

# The axis that counts rows, of every array that has one; `None` for what all rows share.
ROWS: dict[str, dict[str, int | None]] = {
    "linear": {"x": 0, "w": None, "b": None},
    "softmax_cross_entropy": {"logits": 0},
    "linear_cross_entropy": {"x": 0, "w": None, "b": None},
    "attention": {"query": 0, "keys": 1},
    "attention_decoder": {"h0": 0, "x": 1, "memory": 1, "fed0": 0},
    "gaussian_kl": {"mu": 0, "logvar": 0, "prior_mu": 0, "prior_logvar": 0},
}
SIZES: dict[str, dict[str, Any]] = {
    "linear": {"x": (70, 37), "O": 19},
    "softmax_cross_entropy": {"logits": (9, 33), "label_smoothing": 0.1, "reduction": "none"},
    "linear_cross_entropy": {"x": (9, 21), "V": 33, "reduction": "none"},
    "attention": {"S": 9, "N": 7, "H": 21, "lengths": True},
    "attention_decoder": {
        "T": 5, "N": 7, "S": 6, "sizes": (9, 21, 33, 17, 7), "query": "current", "output": True,
        "ragged": True,
    },
    "gaussian_kl": {"shape": (7, 19), "prior": True},
}  # fmt: skip
BY_ROW = pytest.mark.parametrize("name", ROWS)


def draw(name: str, rng: np.random.Generator, dtype: np.dtype) -> tuple[Operation, dict, dict]:
    operation = OPERATIONS[name]
    arrays, options = operation.draw(rng, **SIZES[name])
    return operation, cast(arrays, dtype), options


def pick(name: str, arrays: dict, options: dict, row: int) -> tuple[dict, dict]:
    """The call of one row alone."""
    by = ROWS[name]
    alone = {
        key: array if by.get(key) is None else array.take([row], axis=by[key])
        for key, array in arrays.items()
    }
    by_row = ("targets", "lengths", "memory_lengths")
    return alone, {key: v[[row]] if key in by_row else v for key, v in options.items()}


def parts(result: Any) -> tuple[Any, ...]:
    return result if isinstance(result, tuple) else (result,)


@pytest.mark.check(7)
@BY_ROW
def test_a_row_alone_has_the_same_bits(
    name: str, isa: str, dtype: np.dtype, rng: np.random.Generator
) -> None:
    operation, arrays, options = draw(name, rng, dtype)
    batch = parts(run(ops, operation, arrays, options))
    g = tuple(rng.normal(size=part.shape).astype(dtype) for part in batch)
    found = gradients(ops, operation, arrays, options, g if len(g) > 1 else g[0])
    for row in (0, 1, len(batch[0]) - 1):
        alone, chosen = pick(name, arrays, options, row)
        for a, b in zip(parts(run(ops, operation, alone, chosen)), batch, strict=True):
            assert_same_bits(f"row {row}", a, b[[row]])
        part = tuple(each[[row]] for each in g)
        slopes = gradients(ops, operation, alone, chosen, part if len(part) > 1 else part[0])
        for key, axis in ROWS[name].items():
            if axis is not None and key in slopes:
                expected = found[key].take([row], axis=axis)
                assert_same_bits(f"d{key} of row {row}", slopes[key], expected)


@pytest.mark.check(14)
@BY_ROW
def test_nan_stays_in_its_row(
    name: str, isa: str, dtype: np.dtype, rng: np.random.Generator
) -> None:
    operation, arrays, options = draw(name, rng, dtype)
    clean = parts(run(ops, operation, arrays, options))
    first = next(iter(ROWS[name]))
    poisoned = {key: array.copy() for key, array in arrays.items()}
    bad = 1  # row 0 has no keys, or no steps
    poisoned[first][bad] = np.nan
    results = parts(run(ops, operation, poisoned, options))
    g = tuple(np.ones_like(part) for part in results)
    slopes = gradients(ops, operation, poisoned, options, g if len(g) > 1 else g[0])
    found = gradients(ops, operation, arrays, options, g if len(g) > 1 else g[0])
    others = [row for row in range(len(clean[0])) if row != bad]
    for result, expected in zip(results, clean, strict=True):
        assert np.isnan(result[bad]).any()
        assert_same_bits("the others", result[others], expected[others])
    for key, axis in ROWS[name].items():
        if axis is not None and key in slopes:
            assert_same_bits(
                f"d{key}", slopes[key].take(others, axis=axis), found[key].take(others, axis=axis)
            )


@pytest.mark.parametrize("backend_name", ["core", "reference"])
def test_what_is_padding_is_not_read(backend_name: str, rng: np.random.Generator) -> None:
    import fastrnn

    query, keys = rng.normal(size=(3, 5)), rng.normal(size=(4, 3, 5))
    lengths = np.array([4, 0, 2])
    padding = np.arange(4)[:, None] >= lengths
    poisoned = np.where(padding[:, :, None], np.nan, keys)
    logits, targets = rng.normal(size=(3, 5)), np.array([1, -100, 4])
    bad_logits = np.where((targets == -100)[:, None], np.nan, logits)

    def attend(arrays: Any) -> Any:
        context, attn = ops.attention(arrays[0], arrays[1], lengths)
        return autograd.numpy.sum(context**2) + autograd.numpy.sum(attn**3)

    with fastrnn.use_backend(backend_name):
        good, bad = (autograd.grad(attend)((query, k)) for k in (keys, poisoned))
        for a, b in zip(bad, good, strict=True):
            assert_same_bits("gradient", a, b)
        assert not good[1][padding].any()
        assert not ops.attention(query, keys, lengths)[0][1].any()
        assert not ops.attention(query, keys, lengths)[1][1].any()
        loss = autograd.grad(lambda x: ops.softmax_cross_entropy(x, targets))
        assert_same_bits("dlogits", loss(bad_logits), loss(logits))
        assert not loss(bad_logits)[1].any()
        assert np.isfinite(ops.softmax_cross_entropy(bad_logits, targets))


def test_a_class_that_cannot_be(dtype: np.dtype) -> None:
    """-Inf has probability 0 exactly, and no gradient; a row of nothing else is NaN."""
    logits = np.array([[-np.inf, 1.0, 2.0]], dtype)
    loss = autograd.grad(lambda x: ops.softmax_cross_entropy(x, np.array([1])))
    slope = loss(logits)
    assert slope[0, 0] == 0
    assert np.isclose(slope[0, 2], 1 / (1 + np.exp(-1)), rtol=1e-6)
    assert np.isnan(ops.softmax_cross_entropy(np.full((1, 3), -np.inf, dtype), [0]))


def test_large_logits_do_not_overflow(dtype: np.dtype) -> None:
    logits = np.array([[3e4, -3e4, 0.0]], dtype)
    assert ops.softmax_cross_entropy(logits, [0]) == 0
    assert ops.softmax_cross_entropy(logits, [1]) == 6e4


def test_nothing_but_ignored_rows_is_nan_and_has_no_gradient(
    backend: str, rng: np.random.Generator
) -> None:
    logits, targets = rng.normal(size=(2, 3)), np.array([-100, -100])
    assert np.isnan(ops.softmax_cross_entropy(logits, targets))
    assert ops.softmax_cross_entropy(logits, targets, reduction="sum") == 0
    assert not autograd.grad(lambda x: ops.softmax_cross_entropy(x, targets))(logits).any()


def test_the_divergence_of_nearly_equal_gaussians_keeps_its_digits() -> None:
    """½(e^t - 1 - t + d²) with t = d = 1e-3 is 7.5e-7 to six digits; e^t alone would leave none."""
    t = np.full((1, 1), 1e-3, np.float32)
    assert np.isclose(ops.gaussian_kl(t, t)[0], 0.5 * (np.expm1(1e-3) - 1e-3 + 1e-6), rtol=1e-3)


def test_the_divergence_runs_to_infinity() -> None:
    mu = np.zeros((1, 1), np.float32)
    assert ops.gaussian_kl(mu, mu + 200)[0] == np.inf
    assert ops.gaussian_kl(mu, mu - np.inf)[0] == np.inf
