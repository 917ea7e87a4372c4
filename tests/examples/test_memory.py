"""Why: the experiments on memory, cut in size: gates carry what a plain network loses."""

import numpy as np
import pytest
from autograd import grad

import future_echo
import gru_vs_lstm
import long_lag
import lstm_variants
import spike_delay


def test_adding_is_solved_with_gates() -> None:
    _, (mse, near, rmse) = long_lag.adding("GRU", 0, 500, T=40)
    assert mse < 0.005
    assert near > 0.5
    assert rmse < 0.3  # at four times the length; the mean alone: 0.41


def test_adding_is_not_solved_without() -> None:
    _, (mse, _, _) = long_lag.adding("tanh RNN", 0, 400, T=100)
    assert mse > 0.1


@pytest.mark.parametrize(("cell", "low", "high"), [("LSTM", 0.99, 1.0), ("tanh RNN", 0.2, 0.3)])
def test_temporal_order(cell: str, low: float, high: float) -> None:
    _, (share,) = long_lag.temporal_order(cell, 0, 900, T=50)
    assert low <= share <= high


def test_future_echo_is_certain_for_both_directions_and_chance_for_one() -> None:
    both = future_echo.train(0, True, 200)
    one = future_echo.train(0, False, 200)
    assert both >= 0.999
    assert one == pytest.approx(0.25, abs=0.02)


def test_spike_delays_are_told() -> None:
    counted = np.array([[0.5, -1.0], [-1.0, 0.1]])
    scores = np.array([[0.5, 7.0], [7.0, 0.1]])[..., None]
    assert spike_delay.explained(scores, counted) == 1
    assert spike_delay.at_spikes(counted)(scores + 1) == 1
    gradient = grad(spike_delay.at_spikes(counted))(scores + 1)
    np.testing.assert_array_equal(gradient[..., 0], [[1, 0], [0, 1]])
    share, _ = spike_delay.train(0, False, 600, T=50, low=8, high=16)
    assert share >= 0.65


def test_gru_has_three_quarters_of_the_parameters() -> None:
    lstm, gru = (gru_vs_lstm.count(gru_vs_lstm.KINDS[name](40, 24)) for name in ("LSTM", "GRU"))
    assert gru * 4 == lstm * 3


@pytest.mark.parametrize("cell", ["LSTM", "GRU"])
def test_gated_cells_begin_with_memories_of_one_to_T_steps(cell: str) -> None:
    rng = np.random.default_rng(0)
    layer = long_lag.CELLS[cell](2, 500, rng, 100)
    x = np.zeros((50, 1, 2), np.float32)
    for w in layer.params.values():
        if w.ndim == 2:
            w[:] = 0
    start = np.ones((1, 1, 500), np.float32)
    if cell == "GRU":
        _, state = layer(x, start)
    else:
        _, (_, state) = layer(x, (np.zeros_like(start), start))
    memory = -50 / np.log(np.minimum(state[0, 0], 1 - 1e-7))  # steps until 1/e is left
    assert 1 < memory.min() < 10
    assert 90 < memory.max() < 102
    assert 40 < np.median(memory) < 60


def test_an_lstm_adds_without_a_forget_gate_but_not_without_an_input_gate() -> None:
    _, with_input = lstm_variants.train({"gates": "io"}, 0, 800, T=50)
    _, without = lstm_variants.train({"gates": "fo"}, 0, 800, T=50)
    assert with_input < 0.02
    assert without > 0.1
