"""Why: the measured road of the gradient must be the exact one, not a picture that looks right."""

import numpy as np
import pytest

import fastrnn
import vanishing_gradient as example


def rng() -> np.random.Generator:
    return np.random.default_rng(4)


@pytest.mark.parametrize("nonlinearity", ["linear", "tanh", "relu", "sigmoid"])
def test_all_lags_of_one_call_are_the_jacobian_products(nonlinearity: str) -> None:
    x, w, dh = rng().standard_normal((30, 32)), example.recurrent(rng(), 1.1), np.ones(32)
    ours = example.rnn_gradients(x, w, nonlinearity, dh)
    exact = example.rnn_jacobians(x, w, nonlinearity, dh)
    assert ours.shape == (31, 32)
    np.testing.assert_allclose(ours, exact, rtol=1e-9, atol=1e-12 * np.abs(exact).max())


def test_linear_rnn_is_the_power_of_its_matrix_and_identity_keeps_everything() -> None:
    w, x = example.recurrent(rng(), 0.8), rng().standard_normal((12, 32))
    for i in (0, 17):
        dh = np.eye(32)[i]
        ours = example.rnn_gradients(x, w, "linear", dh)
        np.testing.assert_allclose(ours[12], np.linalg.matrix_power(w, 12)[i], atol=1e-13)
        kept = example.rnn_gradients(x, np.eye(32), "linear", dh)
        np.testing.assert_array_equal(kept, np.tile(dh, (13, 1)))


def test_lstm_gradients_are_finite_differences_of_its_states() -> None:
    x, dh = rng().standard_normal((9, 128)), rng().standard_normal(32)
    w, b = rng().uniform(-0.3, 0.3, (128, 32)), np.zeros(128)
    ours = example.lstm_gradients(x, w, b, dh)
    y, _, tape = fastrnn.lstm_forward(x, None, w, b)
    k, i = 5, 3  # five steps before the end
    state = [y[9 - k - 1].copy(), tape.c[9 - k - 1].copy()]
    for which in range(2):
        values = []
        for sign in (1, -1):
            moved = [s.copy() for s in state]
            moved[which][i] += sign * 1e-6
            _, (h_n, _) = fastrnn.lstm(x[9 - k :], None, w, b, h0=moved[0], c0=moved[1])
            values.append(dh @ h_n)
        assert ours[k, 32 * which + i] == pytest.approx((values[0] - values[1]) / 2e-6, rel=1e-6)


def test_the_constant_error_carousel_keeps_the_gradient_exactly() -> None:
    """No gates and no recurrent weights: dc_T/dc_t = I, so every lag has the same gradient."""
    x, dh = rng().standard_normal((20, 128)), rng().standard_normal(32)
    ours = example.lstm_gradients(x, np.zeros((128, 32)), None, dh, "")
    np.testing.assert_array_equal(ours[1:, 32:], np.tile(ours[1, 32:], (20, 1)))
    assert np.abs(ours[1, 32:]).min() > 0
    np.testing.assert_array_equal(ours[1:, :32], 0)  # nothing flows through h


def test_slopes_are_those_of_theory_and_the_lstm_is_flat() -> None:
    slopes = {}
    for name, ours, exact, theory in example.networks(np.random.default_rng(0)):
        slopes[name] = example.slope(ours)
        if exact is not None:
            assert slopes[name] == pytest.approx(example.slope(exact), rel=1e-6, abs=1e-12)
        if theory is not None:
            assert slopes[name] == pytest.approx(theory, rel=0.05, abs=1e-12)
    assert slopes["tanh, radius 1.2, driven"] < -0.2
    assert abs(slopes["LSTM, forget bias 5"]) < 0.05
    assert slopes["LSTM, forget bias 0"] < slopes["LSTM, forget bias 1"] < -0.1
