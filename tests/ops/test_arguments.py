"""Why: a mistake must be named where it was made: which argument, which rule, what came. Layouts
that NumPy makes by itself must just work, and random operations must do what they promise.
"""

from collections.abc import Callable
from typing import Any

import autograd
import numpy as np
import pytest
from helpers.processes import output_of
from helpers.tolerances import assert_same_bits

from fastrnn import ops, reference

F4, F8 = np.float32, np.float64


def z(*shape: int, dtype: Any = F8) -> np.ndarray:
    return np.zeros(shape, dtype)


Case = tuple[Callable[[], Any], type[Exception], str]
WRONG: dict[str, Case] = {
    "linear-x": (lambda: ops.linear(z(2, 3), z(4, 2)), ValueError, r"x must have shape \(…, I\)"),
    "linear-w": (lambda: ops.linear(z(2, 3), z(3)), ValueError, r"w must have shape \(O, I\)"),
    "linear-b": (lambda: ops.linear(z(2), z(4, 2), z(2)), ValueError, r"b must have shape \(O,\)"),
    "linear-mixed": (lambda: ops.linear(z(2, dtype=F4), z(4, 2)), TypeError, "x must be float64"),
    "linear-int": (lambda: ops.linear(z(2), z(4, 2, dtype=int)), TypeError, "w must be float32"),
    "embedding-w": (lambda: ops.embedding(z(3), [0]), ValueError, r"w must have shape \(V, E\)"),
    "embedding-high": (
        lambda: ops.embedding(z(3, 2), [[0, 1], [3, 2]]),
        ValueError,
        r"ids must lie in 0\.\.V-1 = 0\.\.2, got 3 at position 2",
    ),
    "embedding-low": (lambda: ops.embedding(z(3, 2), [-1]), ValueError, "got -1 at position 0"),
    "embedding-float": (lambda: ops.embedding(z(3, 2), z(2)), TypeError, "ids must hold integers"),
    "embedding-bool": (lambda: ops.embedding(z(3, 2), [True]), TypeError, "ids must hold integers"),
    "embedding-huge": (
        lambda: ops.embedding(z(3, 2), np.array([2**64 - 1], np.uint64)),
        ValueError,
        "ids must fit int64",
    ),
    "embedding-masked": (
        lambda: ops.embedding(z(3, 2), np.ma.array([1])), TypeError, "must not be a masked array",
    ),
    "embedding-padding": (
        lambda: ops.embedding(z(3, 2), [0], padding_idx=3), ValueError, "padding_idx must be in",
    ),
    "loss-targets": (
        lambda: ops.softmax_cross_entropy(z(2, 3), [0, 3]),
        ValueError,
        r"targets must lie in 0\.\.V-1 = 0\.\.2, got 3 at position 1",
    ),
    "loss-shape": (
        lambda: ops.softmax_cross_entropy(z(2, 3), [0]), ValueError, "targets must have shape",
    ),
    "loss-logits": (
        lambda: ops.softmax_cross_entropy(z(2, 0), [0, 0]), ValueError, "with V >= 1",
    ),
    "loss-scalar": (lambda: ops.softmax_cross_entropy(z(), []), ValueError, "logits must have"),
    "loss-reduction": (
        lambda: ops.softmax_cross_entropy(z(1, 2), [0], reduction="avg"),
        ValueError,
        "reduction must be one of",
    ),
    "loss-smoothing": (
        lambda: ops.softmax_cross_entropy(z(1, 2), [0], label_smoothing=1.5),
        ValueError,
        r"label_smoothing must lie in 0\.\.1",
    ),
    "loss-smoothing-type": (
        lambda: ops.softmax_cross_entropy(z(1, 2), [0], label_smoothing="a"),
        TypeError,
        "label_smoothing must be a real number",
    ),
    "loss-not-ignored": (
        lambda: ops.softmax_cross_entropy(z(1, 2), [-100], ignore_index=None),
        ValueError,
        "got -100 at position 0",
    ),
    "dropout-p": (lambda: ops.dropout(z(2), -0.1), ValueError, r"p must lie in 0\.\.1"),
    "dropout-nan": (lambda: ops.dropout(z(2), np.nan), ValueError, "p must be finite"),
    "dropout-rng": (lambda: ops.dropout(z(2), rng=0), TypeError, "numpy.random.Generator"),
    "attention-query": (
        lambda: ops.attention(z(2, 3), z(4, 2, 5)), ValueError, r"query must have shape \(N, H\)",
    ),
    "attention-keys": (lambda: ops.attention(z(2, 3), z(2, 3)), ValueError, r"\(S, N, H\)"),
    "attention-lengths": (
        lambda: ops.attention(z(2, 3), z(4, 2, 3), [1, 5]), ValueError, "lengths must lie in",
    ),
    "kl-half": (lambda: ops.gaussian_kl(z(2), z(2), z(2)), TypeError, "given together"),
    "kl-shape": (lambda: ops.gaussian_kl(z(2), z(3)), ValueError, "logvar must have the shape"),
    "kl-scalar": (lambda: ops.gaussian_kl(z(), z()), ValueError, "mu must have shape"),
    "draw-shape": (lambda: ops.reparameterise(z(2), z(3)), ValueError, "logvar must have the"),
    "draw-rng": (lambda: ops.reparameterise(z(2), z(2), rng=3), TypeError, "Generator"),
}  # fmt: skip


@pytest.mark.check(10)
@pytest.mark.parametrize("case", WRONG.values(), ids=WRONG)
def test_a_mistake_is_named(case: Case) -> None:
    call, error, words = case
    with pytest.raises(error, match=words):
        call()


@pytest.mark.check(11)
def test_any_layout_is_taken(rng: np.random.Generator) -> None:
    big = rng.normal(size=(7, 6, 10))
    w, b = rng.normal(size=(9, 5)), rng.normal(size=9)
    turned, fortran = big.transpose(1, 0, 2)[:, :, 1:6], np.asfortranarray(big[..., :5])
    for x in (big[::-1, ::2, ::2], turned, fortran):
        plain = np.ascontiguousarray(x)
        for table in (w, np.asfortranarray(w), w[::-1][::-1], w.astype(">f8")):
            assert_same_bits("y", ops.linear(x, table, b[::-1][::-1]), ops.linear(plain, w, b))
        targets = rng.integers(0, 5, x.shape[:-1])
        assert_same_bits(
            "loss",
            ops.softmax_cross_entropy(x, targets.astype(np.int16), reduction="none"),
            ops.softmax_cross_entropy(plain, targets, reduction="none"),
        )
        keys = plain[:, :, :5]
        strided = np.asfortranarray(keys)
        for a, e in zip(
            ops.attention(strided[0], strided), ops.attention(keys[0], keys), strict=True
        ):
            assert_same_bits("attention", a, e)
        assert_same_bits("kl", ops.gaussian_kl(x, -x), ops.gaussian_kl(plain, -plain))
        dropped = [ops.dropout(each, rng=np.random.default_rng(3)) for each in (x, plain)]
        assert_same_bits("dropout", *dropped)


def test_lists_are_taken() -> None:
    assert ops.linear([1.0, 2.0], [[3.0, 4.0]]) == [11.0]
    assert ops.gaussian_kl([1.0], [0.0]) == 0.5


def test_a_gradient_in_another_order_or_precision_is_taken(rng: np.random.Generator) -> None:
    """autograd hands over what the next operation made."""
    w = rng.normal(size=(3, 4)).astype(F4)
    x = rng.normal(size=(2, 5, 4)).astype(F4)

    def loss(w: Any) -> Any:
        y = autograd.numpy.transpose(ops.linear(x, w), (2, 0, 1))
        return autograd.numpy.sum(y * np.arange(30.0).reshape(3, 2, 5))  # float64

    slope = autograd.grad(loss)(w)
    assert slope.dtype == F4
    expected = np.einsum("obt,bti->oi", np.arange(30.0).reshape(3, 2, 5), x)
    np.testing.assert_allclose(slope, expected, rtol=1e-5)


@pytest.mark.check(12)
def test_gradients_share_no_memory(rng: np.random.Generator) -> None:
    """In-place clipping must not scale twice, nor change the gradient of another operation."""
    mu, logvar = rng.normal(size=(2, 3, 4))

    def loss(arrays: Any) -> Any:
        z = ops.reparameterise(arrays[0], arrays[1], rng=np.random.default_rng(0))
        return autograd.numpy.sum(z + ops.gaussian_kl(*arrays)[:, None])

    slopes = autograd.grad(loss)((mu, logvar))
    assert not np.shares_memory(*slopes)
    dropped = autograd.grad(lambda x: autograd.numpy.sum(ops.dropout(x, 0.0)))(mu)
    assert dropped.flags.writeable


def test_dropout_drops_the_right_share_and_keeps_the_mean(dtype: np.dtype) -> None:
    x, rng = np.ones(100_000, dtype), np.random.default_rng(5)
    for p in (0.1, 0.5, 0.8):
        y = ops.dropout(x, p, rng=rng)
        share = (y == 0).mean()
        assert abs(share - p) < 5 * np.sqrt(p * (1 - p) / x.size)
        assert set(np.unique(y)) == {dtype.type(0), dtype.type(1 / (1 - p))}
        # Neighbours, and elements a vector apart, are dropped independently.
        zero = y == 0
        for lag in (1, 2, 8, 16):
            both = (zero[lag:] & zero[:-lag]).mean()
            assert abs(both - p * p) < 6 * np.sqrt(p * p / x.size)


def test_a_mask_depends_on_the_generator_alone() -> None:
    rng = np.random.default_rng(1)
    first, second = (ops.dropout(np.ones(64), rng=rng) for _ in range(2))
    assert not np.array_equal(first, second)
    again = ops.dropout(np.ones(64, F4), rng=np.random.default_rng(1))
    np.testing.assert_array_equal(again, first)
    shorter = ops.dropout(np.ones(40), rng=np.random.default_rng(1))
    np.testing.assert_array_equal(shorter, first[:40])
    assert not np.array_equal(ops.dropout(np.ones(64)), ops.dropout(np.ones(64)))


def test_draws_are_normal_and_the_same_in_both_precisions() -> None:
    mu, logvar = np.full(50_000, 2.0), np.full(50_000, np.log(9.0))
    draws = ops.reparameterise(mu, logvar, rng=np.random.default_rng(1))
    assert abs(draws.mean() - 2) < 5 * 3 / np.sqrt(mu.size)
    assert abs(draws.std() - 3) < 0.05
    single = ops.reparameterise(mu.astype(F4), logvar.astype(F4), rng=np.random.default_rng(1))
    np.testing.assert_allclose(single, draws, rtol=1e-4, atol=1e-5)


def test_dropped_and_drawn_gradients_use_the_mask_of_forward(rng: np.random.Generator) -> None:
    """The twins' backward takes a generator in the state in which forward had it."""
    x, g = rng.normal(size=(2, 9)), rng.normal(size=(2, 9))
    slope = autograd.grad(
        lambda x: autograd.numpy.sum(g * ops.dropout(x, 0.3, rng=np.random.default_rng(4)))
    )(x)
    np.testing.assert_allclose(
        slope, reference.dropout_backward(g, 0.3, rng=np.random.default_rng(4)), rtol=1e-15
    )
    slopes = autograd.grad(
        lambda a: autograd.numpy.sum(g * ops.reparameterise(*a, rng=np.random.default_rng(4)))
    )((x, x))
    expected = reference.reparameterise_backward(g, x, rng=np.random.default_rng(4))
    for slope, twin in zip(slopes, expected, strict=True):
        np.testing.assert_allclose(slope, twin, rtol=1e-13)


def test_importing_fastrnn_does_not_import_autograd() -> None:
    code = """
        import sys
        import fastrnn
        assert "autograd" not in sys.modules
        fastrnn.ops
        assert "autograd" in sys.modules
        print("lazy")
    """
    assert output_of(code).strip() == "lazy"


def test_without_autograd_the_import_says_what_to_install() -> None:
    code = """
        import sys
        sys.modules["autograd"] = None
        import fastrnn
        layer = fastrnn.RNN(1, 1)
        for use in (lambda: fastrnn.ops, lambda: layer.apply(layer.params, [[[1.0]]])):
            try:
                use()
            except ImportError as error:
                print(error)
    """
    assert output_of(code).count('pip install "fastrnn[train]"') == 2
