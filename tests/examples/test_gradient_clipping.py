"""Why: clipping must save a training that fails without it, and touch nothing below it."""

import numpy as np

import gradient_clipping as example


def test_clip_scales_all_gradients_by_one_factor_and_returns_the_old_norm() -> None:
    grads = [np.array([3.0, 0.0]), np.array([[4.0]])]
    assert example.clip(grads, 10.0) == 5
    assert grads[0][0] == 3
    assert example.clip(grads, 1.0) == 5
    np.testing.assert_allclose(grads[0], [0.6, 0])
    np.testing.assert_allclose(grads[1], [[0.8]])


def test_without_clipping_the_training_is_thrown_out_and_with_it_it_learns() -> None:
    errors, norms = example.train(np.random.default_rng(1), np.inf, 1000)
    assert norms.max() > 1e4
    assert errors.max() > 1e3
    assert errors[-200:].mean() > 0.9  # the variance of the sum: it has learned nothing
    errors, norms = example.train(np.random.default_rng(1), example.THRESHOLD, 1000)
    assert norms.max() > 1e2
    assert errors.max() < 5
    assert errors[-200:].mean() < 0.75
