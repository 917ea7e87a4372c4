"""Why: clipping writes to the caller's gradients, so it must scale all or nothing, each array once,
by exactly the published factor, and never turn one NaN into a model of NaNs.
"""

import math
from typing import Any

import numpy as np
import pytest
from helpers.tolerances import assert_same_bits
from helpers.updates import draw_tree, leaves, mapped

import fastrnn
from fastrnn import reference
from fastrnn.train import clip_grad_norm, clip_grad_value, global_norm


def exact_norm(tree: Any) -> float:
    """By a sum that rounds once."""
    return math.sqrt(math.fsum(float(v) ** 2 for a in leaves(tree).values() for v in a.flat))


def test_norm_is_accurate(
    isa: str, backend: str, dtype: np.dtype, rng: np.random.Generator
) -> None:
    tree = draw_tree(rng, dtype)
    assert global_norm(tree) == pytest.approx(exact_norm(tree), rel=1e-14)
    # float32 squares would overflow, and a float32 sum would stand still at 2^24.
    assert global_norm(np.full(7, 1e30, np.float32)) == pytest.approx(math.sqrt(7) * 1e30, rel=1e-6)
    ones = np.ones(2**25 + 3, np.float32)
    assert global_norm(ones) == math.sqrt(2**25 + 3)


def test_norm_does_not_depend_on_the_number_of_threads(rng: np.random.Generator) -> None:
    tree = {"a": rng.standard_normal(300_001), "b": rng.standard_normal(5).astype(np.float32)}
    norms = []
    for threads in (1, 2, 3, 8):
        with fastrnn.threads(threads):
            norms.append(global_norm(tree))
    assert len(set(norms)) == 1


@pytest.mark.parametrize("share", [0.3, 0.999, 1.0, 1.001, 5.0])
def test_clipping_is_the_pure_function(
    share: float, isa: str, backend: str, dtype: np.dtype, rng: np.random.Generator
) -> None:
    tree = draw_tree(rng, dtype)
    norm = global_norm(tree)
    expected = mapped(lambda a: a * dtype.type(share), tree) if share < 1 else tree
    actual = mapped(np.array, tree)
    assert clip_grad_norm(actual, share * norm) == norm
    with fastrnn.use_backend("reference"):
        pure = reference.gradient_clipping(tree, share * norm)
    for path, array in leaves(actual).items():
        assert array.dtype == dtype
        # The factor is a quotient of two numbers, so its last bit may differ from `share`.
        np.testing.assert_allclose(array, leaves(expected)[path], rtol=4 * np.finfo(dtype).eps)
        np.testing.assert_allclose(array, leaves(pure)[path], rtol=2 * np.finfo(dtype).eps)


def test_the_factor_has_no_epsilon(backend: str) -> None:
    g = np.array([3e-9, 4e-9])
    assert clip_grad_norm(g, 1e-9) == pytest.approx(5e-9)
    np.testing.assert_allclose(g, [0.6e-9, 0.8e-9], rtol=1e-15)
    g = np.array([3.0, 4.0])
    clip_grad_norm(g, 5.0)
    assert g.tolist() == [3, 4]  # equal is not above
    assert clip_grad_norm(g, math.inf) == 5


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_a_norm_that_is_not_finite_is_an_error_and_scales_nothing(bad: float, backend: str) -> None:
    tree = {"a": np.full(3, 7.0), "b": {"c": np.array([1.0, bad], np.float32)}}
    before = mapped(np.array, tree)
    with pytest.raises(ValueError, match=r"finite norm, got \w+; grads\['b\.c'\] holds NaN or Inf"):
        clip_grad_norm(tree, 1.0)
    for path, array in leaves(tree).items():
        assert_same_bits(path, array, leaves(before)[path])
    with pytest.raises(ValueError, match="must have a finite norm"):
        reference.gradient_clipping(tree, 1.0)
    with pytest.raises(ValueError, match="grads must have a finite norm, got inf"):
        clip_grad_norm(np.array([1e200]), 1.0)
    assert not np.isfinite(global_norm(tree))


def test_an_array_in_two_places_counts_twice_and_is_scaled_once(backend: str) -> None:
    g = np.array([3.0, 4.0])
    assert clip_grad_norm({"b_ih": g, "b_hh": g}, math.sqrt(50) / 2) == pytest.approx(math.sqrt(50))
    np.testing.assert_allclose(g, [1.5, 2.0], rtol=1e-15)


@pytest.mark.check(11)
def test_layouts(backend: str, rng: np.random.Generator) -> None:
    g = rng.standard_normal((4, 3))
    gaps = np.zeros((8, 6))[::2, ::2]
    for array in (g.copy(), np.asfortranarray(g), g.copy()[::-1], gaps):
        array[...] = g
        assert clip_grad_norm(array, 0.5) == pytest.approx(np.linalg.norm(g), rel=1e-14)
        assert np.linalg.norm(array) == pytest.approx(0.5, rel=1e-14)
        clip_grad_value(array, 0.1)
        assert np.abs(array).max() == 0.1
    assert global_norm(g[::2, ::-1]) == pytest.approx(np.linalg.norm(g[::2]), rel=1e-14)
    assert global_norm({"s": np.float32(3), "e": np.empty((0, 2))}) == 3.0
    assert clip_grad_norm({}, 1.0) == 0.0


READ_ONLY = np.ones(3)
READ_ONLY.flags.writeable = False


@pytest.mark.parametrize(
    ("grads", "limit", "error", "words"),
    [
        (READ_ONLY, 1.0, ValueError, "grads must be writable"),
        ([1.0, 2.0], 1.0, TypeError, "grads must be a dict of arrays, got list"),
        ({"a": np.float64(1)}, 1.0, TypeError, r"grads\['a'\] must be a numpy.ndarray"),
        ({"a": np.ones(2, int)}, 1.0, TypeError, r"grads\['a'\] must be float32 or float64"),
        (np.ones(2), 0.0, ValueError, "must be above 0"),
        (np.ones(2), -1.0, ValueError, "must be at least 0"),
        (np.ones(2), np.nan, ValueError, "must be finite"),
        (np.ones(2), "1", TypeError, "must be a real number"),
    ],
)
def test_mistakes_are_named_and_change_nothing(
    grads: Any, limit: Any, error: type[Exception], words: str, backend: str
) -> None:
    for clip in (clip_grad_norm, clip_grad_value):
        with pytest.raises(error, match=words):
            clip(grads, limit)
    assert all((a == 1).all() for a in leaves(grads).values() if isinstance(a, np.ndarray))


@pytest.mark.check(12)
def test_overlap_is_refused() -> None:
    block = np.full(6, 3.0)
    for clip in (clip_grad_norm, clip_grad_value):
        for limit in (1.0, 1e9):  # also where there would be nothing to do
            with pytest.raises(ValueError, match=r"grads\['b'\] must not share memory with grads"):
                clip({"a": block[:4], "b": block[3:]}, limit)
            with pytest.raises(ValueError, match=r"grads\['a'\] must not share memory with grads"):
                clip({"a": block[::2], "b": block[4:]}, limit)
    assert (block == 3).all()
    clip_grad_value({"a": block[::2], "b": block[1::2]}, 1.0)
    assert (block == 1).all()


def test_values_are_moved_to_the_nearest_limit(
    isa: str, backend: str, dtype: np.dtype, rng: np.random.Generator
) -> None:
    tree = draw_tree(rng, dtype)
    tree["b"][[1, 2, 3]] = np.nan, np.inf, -np.inf
    before = mapped(np.array, tree)
    clip_grad_value(tree, 0.7)
    for path, array in leaves(tree).items():
        limit = dtype.type(0.7)
        assert_same_bits(path, array, np.clip(leaves(before)[path], -limit, limit))
