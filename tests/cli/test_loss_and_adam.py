"""The NumPy parts of the demo that have an exact answer: softmax cross-entropy, clipping, Adam."""

import numpy as np
import pytest

from fastrnn.cli._adam import Adam, clip_norm
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


def test_clip_norm_scales_only_what_is_too_long() -> None:
    gradient = np.array([3.0, 4.0], np.float32)
    assert clip_norm(gradient, 5.5) == pytest.approx(5.0)
    np.testing.assert_array_equal(gradient, [3, 4])
    assert clip_norm(gradient, 1.0) == pytest.approx(5.0)
    np.testing.assert_allclose(gradient, [0.6, 0.8], rtol=1e-6)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_clip_norm_refuses_a_diverged_gradient(bad: float) -> None:
    with pytest.raises(FloatingPointError, match="not finite"):
        clip_norm(np.array([1.0, bad]), 1.0)


def test_adam_first_step_is_the_sign_and_a_constant_gradient_keeps_it() -> None:
    # With one gradient g for ever, both corrected means are g and g² at every step: a step is
    # η·g/(|g| + ε), whatever β1 and β2.
    gradient = np.array([2.0, -0.5, 1e-3])
    parameters = np.zeros(3)
    adam = Adam(parameters, epsilon=0.0)
    for step in range(1, 6):
        adam.step(gradient, 0.1)
        np.testing.assert_allclose(parameters, -0.1 * step * np.sign(gradient), rtol=1e-12)


def test_adam_follows_the_published_algorithm(rng: np.random.Generator) -> None:
    parameters = rng.normal(size=8)
    expected, m, v = parameters.copy(), np.zeros(8), np.zeros(8)
    adam = Adam(parameters, beta1=0.8, beta2=0.95, epsilon=1e-3, weight_decay=0.3)
    for step in range(1, 11):
        g, rate = rng.normal(size=8), 0.5 / step
        before = g.copy()
        adam.step(g, rate)
        np.testing.assert_array_equal(g, before)
        m, v = 0.8 * m + 0.2 * g, 0.95 * v + 0.05 * g**2
        m_hat, v_hat = m / (1 - 0.8**step), v / (1 - 0.95**step)
        expected = expected * (1 - rate * 0.3) - rate * m_hat / (np.sqrt(v_hat) + 1e-3)
        np.testing.assert_allclose(parameters, expected, rtol=1e-12)


def test_adam_keeps_float32() -> None:
    parameters = np.ones(3, np.float32)
    adam = Adam(parameters, weight_decay=0.1)
    adam.step(np.ones(3, np.float32), 0.1)
    assert {a.dtype for a in vars(adam).values() if isinstance(a, np.ndarray)} == {
        np.dtype(np.float32)
    }
    np.testing.assert_allclose(parameters, 0.99 - 0.1, rtol=1e-6)
