"""Why: the experiment that everybody repeats. It must learn to carry, and fail where it should."""

import numpy as np
import pytest

import binary_addition as example


def test_bits_are_the_lowest_first() -> None:
    np.testing.assert_array_equal(example.bits([6, 1], 4), [[0, 1], [1, 0], [1, 0], [0, 0]])


ACTIVATIONS = {
    "sigmoid": lambda v: 1 / (1 + np.exp(-v)),
    "tanh": np.tanh,
    "relu": lambda v: np.maximum(v, 0),
}


def error(weights, x, targets, act) -> float:
    """The summed squared error as the paper writes it, in float64."""
    w_ih, w_hh, w_out = weights
    h, total = np.zeros(example.HIDDEN), 0.0
    for x_t, target in zip(x, targets, strict=True):
        h = act(w_ih @ x_t + w_hh @ h)
        total += (1 / (1 + np.exp(-(w_out @ h))) - target) ** 2 / 2
    return total


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_one_update_is_the_gradient_of_the_summed_squared_error(activation: str) -> None:
    """Each activation with its own derivative, by finite differences."""
    after, _, _ = example.train(np.random.default_rng(3), activation, 1.0, 1)
    rng = np.random.default_rng(3)
    before = example.first_weights(rng, 1.0)
    a, b = rng.integers(0, 128, (2, 1))
    x = np.stack([example.bits(a, 8), example.bits(b, 8)], -1)[:, 0]
    targets = example.bits(a + b, 8)[:, 0]
    for k, place in ((0, (2, 1)), (1, (4, 9)), (2, (5,))):
        values = []
        for sign in (1, -1):
            moved = [w.astype(np.float64) for w in before]
            moved[k][place] += sign * 1e-5
            values.append(error(moved, x, targets, ACTIVATIONS[activation]))
        step = (before[k][place] - after[k][place]) / example.RATE
        assert step == pytest.approx((values[0] - values[1]) / 2e-5, rel=1e-3, abs=2e-6)


def test_sigmoid_learns_to_carry_and_generalises_to_32_bits() -> None:
    rng = np.random.default_rng(1)
    weights, activation, right = example.train(rng, "sigmoid", None, 6000)
    assert right[-1000:].mean() == 1
    assert example.exact(rng, weights, activation, 32) >= 0.99
    assert example.first_good(right) < 6000


@pytest.mark.parametrize("name", ["tanh, N(0, 1)", "relu, N(0, 1)"])
def test_too_large_first_weights_fail(name: str) -> None:
    activation, gain = example.SETTINGS[name]
    _, _, right = example.train(np.random.default_rng(0), activation, gain, 3000)
    assert right[-1000:].mean() < 0.5
    assert example.first_good(right) is None


def test_tanh_with_xavier_learns() -> None:
    activation, gain = example.SETTINGS["tanh, Xavier"]
    _, _, right = example.train(np.random.default_rng(1), activation, gain, 5000)
    assert right[-1000:].mean() >= 0.995
