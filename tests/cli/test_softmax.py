"""Softmax cross-entropy of the demo, which has an exact answer."""

import numpy as np
import pytest

from fastrnn.cli._softmax import cross_entropy


def explicit_loss(logits: np.ndarray, targets: np.ndarray) -> float:
    """The definition, row by row."""
    rows = [np.log(np.exp(row).sum()) - row[t] for row, t in zip(logits, targets, strict=True)]
    return float(np.mean(rows))


def test_cross_entropy_is_its_definition(rng: np.random.Generator) -> None:
    logits, targets = rng.normal(size=(6, 5)), rng.integers(5, size=6)
    expected = explicit_loss(logits, targets)
    assert cross_entropy(logits.copy(), targets, gradient=False) == pytest.approx(expected, 1e-13)
    assert cross_entropy(logits, targets, gradient=True) == pytest.approx(expected, 1e-13)


def test_cross_entropy_gradient_against_central_differences(rng: np.random.Generator) -> None:
    logits, targets = rng.normal(size=(4, 7)), rng.integers(7, size=4)
    numeric = np.empty_like(logits)
    for index in np.ndindex(logits.shape):
        losses = []
        for step in (1e-6, -1e-6):
            moved = logits.copy()
            moved[index] += step
            losses.append(explicit_loss(moved, targets))
        numeric[index] = (losses[0] - losses[1]) / 2e-6
    cross_entropy(logits, targets, gradient=True)
    np.testing.assert_allclose(logits, numeric, rtol=0, atol=1e-9)


def test_cross_entropy_survives_huge_scores() -> None:
    logits = np.array([[1e4, 0.0, -1e4], [3e4, 3e4, -3e4]], np.float32)
    assert cross_entropy(logits, np.array([0, 1]), gradient=True) == pytest.approx(np.log(2) / 2)
    np.testing.assert_allclose(logits, [[0, 0, 0], [0.25, -0.25, 0]], atol=1e-7)
    assert logits.dtype == np.float32
