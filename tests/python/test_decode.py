"""Why: sampling from a subtly wrong distribution still writes plausible text. Probabilities are
held to their definitions, and draws to the probabilities.
"""

from typing import Any

import numpy as np
import pytest

from fastrnn import decode

# Pearson's statistic of a right sampler with 6 symbols exceeds this with p = 0.001.
CHI_SQUARE = 20.5
P = np.array([0.05, 0.4, 0.15, 0.25, 0.03, 0.12])
SCORES = np.log(P) + 3.0


def test_softmax_and_temperature() -> None:
    np.testing.assert_allclose(decode.probabilities(SCORES), P, rtol=1e-12)
    for temperature in (0.3, 2.0):
        powers = P ** (1 / temperature)
        found = decode.probabilities(SCORES, temperature=temperature)
        np.testing.assert_allclose(found, powers / powers.sum(), rtol=1e-12)
    for temperature in (0.0, 1e-300):
        np.testing.assert_array_equal(
            decode.probabilities(SCORES, temperature=temperature), [0, 1, 0, 0, 0, 0]
        )


@pytest.mark.parametrize("k", [1, 2, 5, 6, 99])
def test_top_k(k: int) -> None:
    kept = np.where(np.argsort(np.argsort(-P)) < k, P, 0)
    np.testing.assert_allclose(decode.probabilities(SCORES, top_k=k), kept / kept.sum(), rtol=1e-12)


@pytest.mark.parametrize(
    ("p", "kept"), [(0.0, [1]), (0.39, [1]), (0.41, [1, 3]), (0.66, [1, 2, 3]), (1.0, range(6))]
)
def test_top_p(p: float, kept: Any) -> None:
    expected = np.zeros(6)
    expected[list(kept)] = P[list(kept)]
    found = decode.probabilities(SCORES, top_p=p)
    np.testing.assert_allclose(found, expected / expected.sum(), rtol=1e-12)


def test_temperature_comes_first_and_top_p_last() -> None:
    """At τ = 2 the probabilities are flatter, so the same p keeps more; k = 3 leaves P of 0.8."""
    kept = [(decode.probabilities(SCORES, temperature=t, top_p=0.68) > 0).sum() for t in (1, 2)]
    assert kept == [3, 4]
    both = decode.probabilities(SCORES, top_k=3, top_p=0.8)
    np.testing.assert_allclose(both, np.array([0, 0.4, 0, 0.25, 0, 0]) / 0.65, rtol=1e-12)


def test_rows_ties_and_excluded_symbols() -> None:
    scores = np.array([[1.0, 1.0, 1.0, -np.inf], [-np.inf, 0.0, -np.inf, -np.inf]], np.float32)
    found = decode.probabilities(scores, top_k=2)
    assert found.dtype == np.float64
    np.testing.assert_array_equal(found, [[0.5, 0.5, 0, 0], [0, 1, 0, 0]])
    np.testing.assert_array_equal(decode.sample(scores, temperature=0), [0, 1])
    assert decode.probabilities(np.zeros((0, 3))).shape == (0, 3)


@pytest.mark.parametrize(
    "options", [{}, {"temperature": 0.5}, {"top_k": 4}, {"top_p": 0.9, "temperature": 1.5}]
)
def test_draws_follow_the_probabilities(options: dict, rng: Any) -> None:
    p = decode.probabilities(SCORES, **options)
    n = 100_000
    drawn = decode.sample(np.broadcast_to(SCORES, (n, 6)), rng=rng, **options)
    counts = np.bincount(drawn, minlength=6)
    assert not counts[p == 0].any()
    expected = n * p[p > 0]
    assert ((counts[p > 0] - expected) ** 2 / expected).sum() < CHI_SQUARE


def test_one_number_a_row_from_the_generator() -> None:
    scores = np.zeros((3, 2, 5))
    for options in ({}, {"temperature": 0.0}, {"top_k": 1}):
        used, expected = (np.random.default_rng(4) for _ in range(2))
        assert decode.sample(scores, rng=used, **options).shape == (3, 2)
        expected.random((3, 2))
        assert used.random() == expected.random()


@pytest.mark.parametrize(
    ("scores", "options", "error", "message"),
    [
        ([1, 2], {}, TypeError, "scores must be float32 or float64, got int64"),
        (np.zeros((2, 0)), {}, ValueError, "with V of at least 1"),
        ([np.nan, 0.0], {}, ValueError, "no NaN"),
        ([np.inf, 0.0], {}, ValueError, "no .Inf"),
        ([-np.inf, -np.inf], {}, ValueError, "a finite number in each row"),
        (SCORES, {"temperature": -1.0}, ValueError, "temperature must be at least 0"),
        (SCORES, {"temperature": "hot"}, TypeError, "temperature must be a real number"),
        (SCORES, {"top_k": 0}, ValueError, "top_k must be at least 1"),
        (SCORES, {"top_k": 1.5}, TypeError, "top_k must be an integer"),
        (SCORES, {"top_p": 1.5}, ValueError, r"top_p must lie in 0\.\.1"),
        (SCORES, {"rng": 3}, TypeError, "rng must be a numpy.random.Generator"),
    ],
)
def test_bad_arguments(scores: Any, options: dict, error: type, message: str) -> None:
    with pytest.raises(error, match=message):
        decode.sample(scores, **options)
