"""Why: counting and endless grammars are what linear cells and the forget gate are for."""

import autograd.numpy as anp
import numpy as np
import pytest
from autograd import value_and_grad
from autograd.tracer import getval

import counting
import fastrnn
import reber
from toys import tasks


def test_right_means_that_the_likeliest_symbols_are_those_that_may_come() -> None:
    targets = np.array([[[1, 1, 0], [0, 0, 1]]], np.float32)
    counted = np.array([[True, True]])
    scores = np.array([[[0.2, 0.1, 0.0], [0.0, 0.5, 0.4]]])
    assert reber.right(scores, targets, counted).tolist() == [[True, False]]
    assert reber.right(scores, targets, ~counted).tolist() == [[True, True]]


class Perfect:
    """A model that has read the definition, up to a count."""

    def __init__(self, most: int) -> None:
        self.most = most

    def scores(self, x: np.ndarray) -> tuple[np.ndarray, None]:
        n = (len(x) - 1) // 2
        return (2 * tasks.counting([n]).targets - 1) * (1 if n <= self.most else -1), None


def test_reach_is_the_last_count_before_the_first_mistake() -> None:
    assert counting.reach(Perfect(13), 2) == 13
    assert counting.reach(Perfect(0), 2) == 0
    assert counting.reach(Perfect(10**6), 2) == counting.MOST


def test_counting_goes_on_beyond_what_was_trained() -> None:
    assert counting.train(0, 2, 1200) > 2 * counting.LARGEST


def test_the_forget_gate_keeps_the_cells_small_on_an_endless_stream() -> None:
    _, far, largest, read, gates = reber.continual(0, "ifo", test=500)
    _, chance, larger, *_ = reber.continual(0, "io", updates=2000, test=500)
    assert far > 0.95
    assert chance < 0.7
    assert larger > 5 * largest
    assert gates.shape == (80, 1, 4, 16)
    assert len(read) == 80
    assert read[0] == "B"


@pytest.mark.parametrize("gates", ["ifo", "io"])
def test_errors_go_back_through_the_cells_alone(gates: str) -> None:
    """Beside a loop over the equations in which h is a number wherever the gates see it."""
    T, N, I, H = 6, 3, 4, 5
    rng = np.random.default_rng(2)
    layer = fastrnn.LSTM(I, H, gates=gates, dtype="float64", rng=rng)
    model = reber.Truncated(layer, 2, rate=1e-2, rng=rng)
    x, state = rng.standard_normal((T, N, I)), tuple(rng.standard_normal((2, 1, N, H)))

    def squared(scores):
        return (scores**2).sum()

    def loop(params):
        w_ih, w_hh, b_ih, b_hh = params["rnn"].values()
        (h,), (c,) = state
        total = 0.0
        for t in range(T):
            z = x[t] @ w_ih.T + getval(h) @ w_hh.T + b_ih + b_hh
            i, f, g, o = (z[:, k * H : (k + 1) * H] for k in range(4))
            kept = c / (1 + anp.exp(-f)) if "f" in gates else c
            c = kept + anp.tanh(g) / (1 + anp.exp(-i))
            h = anp.tanh(c) / (1 + anp.exp(-o))
            total = total + squared(h @ params["w"].T + params["b"])
        return total

    value, grads = model._differentiate(model.params, x, squared, None, state)
    wanted, expected = value_and_grad(loop)(model.params)
    assert value == pytest.approx(wanted, rel=1e-12)
    pairs = [(grads["w"], expected["w"]), (grads["b"], expected["b"])]
    pairs += [(grads["rnn"][name], grad) for name, grad in expected["rnn"].items()]
    for found, grad in pairs:
        np.testing.assert_allclose(found, grad, rtol=1e-9, atol=1e-12)
