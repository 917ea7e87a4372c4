"""Layer normalisation in layers, against the equations written once more."""

from typing import Any

import numpy as np
import pytest

import fastrnn
from fastrnn.testing import check_cell

EPS = 1e-5


def ln(a: Any) -> Any:
    """One vector with mean 0 and variance 1."""
    centred = a - a.mean()
    return centred / ((centred**2).mean() + EPS) ** 0.5


def sigmoid(xp: Any, a: Any) -> Any:
    return 1 / (1 + xp.exp(-a))


def make(layer: Any, **options: Any) -> Any:
    """A layer whose gains are not 1."""
    rng = np.random.default_rng(0)
    cell = layer(3, 5, layer_norm=True, rng=rng, **{"dtype": np.float64} | options)
    for name, array in cell.params.items():
        if "norm" in name:
            array[...] = rng.uniform(0.5, 1.5, array.shape)
    return cell


def ba_lstm(xp: Any, params: dict[str, Any], x: np.ndarray) -> Any:
    """Ba et al. 2016, equations 20 to 22, one sequence."""
    w_ih, w_hh, b_ih, b_hh, norm = params.values()
    h = c = np.zeros(5)
    found = []
    for x_t in x:
        pre = norm[:4].ravel() * ln(w_ih @ x_t) + b_ih + norm[4:8].ravel() * ln(w_hh @ h) + b_hh
        i, f, g, o = (pre[5 * k : 5 * k + 5] for k in range(4))
        c = sigmoid(xp, f) * c + sigmoid(xp, i) * xp.tanh(g)
        h = sigmoid(xp, o) * xp.tanh(norm[8] * ln(c) + norm[9])
        found.append(h)
    return xp.stack(found)


def ba_gru(xp: Any, params: dict[str, Any], x: np.ndarray, after: bool = True) -> Any:
    """The GRU of its supplementary material: r and z together, n by itself."""
    w_ih, w_hh, b_ih, b_hh, norm = params.values()
    h = np.zeros(5)
    found = []
    for x_t in x:
        ax = w_ih @ x_t
        ax = xp.concatenate([ln(ax[:10]), ln(ax[10:])]) * norm[:3].ravel() + b_ih
        a_rz = ax[:10] + norm[3:5].ravel() * ln(w_hh[:10] @ h) + b_hh[:10]
        r, z = sigmoid(xp, a_rz[:5]), sigmoid(xp, a_rz[5:])
        if after:
            n = xp.tanh(ax[10:] + r * (norm[5] * ln(w_hh[10:] @ h) + b_hh[10:]))
        else:
            n = xp.tanh(ax[10:] + norm[5] * ln(w_hh[10:] @ (r * h)) + b_hh[10:])
        h = (1 - z) * n + z * h
        found.append(h)
    return xp.stack(found)


def ba_gru_before(xp: Any, params: dict[str, Any], x: np.ndarray) -> Any:
    """The same with the reset gate before the product."""
    return ba_gru(xp, params, x, after=False)


def ba_rnn(xp: Any, params: dict[str, Any], x: np.ndarray) -> Any:
    """Equation 4, each product by itself."""
    w_ih, w_hh, b_ih, b_hh, norm = params.values()
    h = np.zeros(5)
    found = []
    for x_t in x:
        h = xp.tanh(norm[0] * ln(w_ih @ x_t) + b_ih + norm[1] * ln(w_hh @ h) + b_hh)
        found.append(h)
    return xp.stack(found)


def gru_before(*sizes: int, **options: Any) -> fastrnn.GRU:
    return fastrnn.GRU(*sizes, reset_after=False, **options)


LAYERS = [fastrnn.LSTM, fastrnn.GRU, gru_before, fastrnn.RNN]
ORACLES = list(zip(LAYERS, [ba_lstm, ba_gru, ba_gru_before, ba_rnn], strict=True))


@pytest.mark.parametrize(("layer", "oracle"), ORACLES)
def test_the_equations(layer: Any, oracle: Any) -> None:
    cell = make(layer)
    x = np.random.default_rng(1).standard_normal((6, 3))
    assert list(cell.params)[-1] == "weight_norm_l0"
    assert np.abs(cell(x)[0] - oracle(np, cell.params, x)).max() < 1e-13
    half = make(layer, dtype=np.float32)
    half.set_params({name: array.astype(np.float32) for name, array in cell.params.items()})
    assert np.abs(half(x.astype(np.float32))[0] - cell(x)[0]).max() < 1e-5


@pytest.mark.parametrize("backend", ["core", "reference"])
@pytest.mark.parametrize(("layer", "oracle"), ORACLES)
def test_gradients_are_those_of_the_equations(layer: Any, oracle: Any, backend: str) -> None:
    autograd = pytest.importorskip("autograd", reason="autograd is not installed")
    cell, rng = make(layer), np.random.default_rng(3)
    x, dy = rng.standard_normal((6, 3)), rng.standard_normal((6, 5))

    def loss(params: Any, x: Any) -> Any:
        return (oracle(autograd.numpy, params, x) * dy).sum()

    wanted, dx = autograd.grad(loss, (0, 1))(cell.params, x)
    with fastrnn.use_backend(backend):
        _, _, tape = cell.forward(x)
        found = cell.backward(tape, dy)
    assert np.abs(found.x - dx).max() < 1e-11
    for name, array in wanted.items():
        assert np.abs(found.params[name] - array).max() < 1e-11, name


@pytest.mark.parametrize("layer", LAYERS)
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"num_layers": 2, "bidirectional": True, "zoneout": 0.2, "recurrent_dropout": 0.3},
        {"bias": False, "weight_drop": 0.2, "clip": 0.7},
    ],
)
def test_check_cell(layer: Any, options: dict[str, Any]) -> None:
    assert len(check_cell(make(layer, **options))) == 8


def test_with_projection_and_peepholes() -> None:
    assert len(check_cell(make(fastrnn.LSTM, proj_size=2))) == 8
    assert len(check_cell(make(fastrnn.LSTM, peephole=True))) == 8


@pytest.mark.parametrize("layer", LAYERS)
def test_apply_is_differentiable(layer: Any) -> None:
    pytest.importorskip("autograd", reason="autograd is not installed")
    from autograd import grad

    cell = make(layer, num_layers=2)
    x = np.random.default_rng(2).standard_normal((4, 2, 3))
    found = grad(lambda params: (cell.apply(params, x)[0] ** 2).sum())(cell.params)
    y, _, tape = cell.forward(x)
    wanted = cell.backward(tape, 2 * y).params
    assert all(np.array_equal(found[name], wanted[name]) for name in wanted)


def test_first_gains_are_one_and_shifts_zero() -> None:
    norm = fastrnn.LSTM(3, 5, layer_norm=True).params["weight_norm_l0"]
    assert norm.shape == (10, 5)
    assert (norm[:9] == 1).all()
    assert (norm[9] == 0).all()


def test_what_is_refused() -> None:
    with pytest.raises(TypeError, match="layer_norm must be True or False"):
        fastrnn.RNN(3, 4, layer_norm="yes")
