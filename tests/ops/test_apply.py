"""Why: `apply` is the layer of every model. It must be the layer's own forward and backward, bit
for bit, with whatever weights it is given, and as one node however deep the layer is.
"""

from typing import Any

import autograd
import numpy as np
import pytest
from helpers.nodes import count_nodes
from helpers.tolerances import assert_close, assert_same_bits

import fastrnn
from fastrnn.testing import gradcheck

T, N, I, H = 5, 3, 4, 6
LENGTHS = np.array([5, 0, 2])
LAYERS: dict[str, tuple[Any, dict[str, Any]]] = {
    "rnn": (fastrnn.RNN, {"nonlinearity": "sigmoid", "num_layers": 2}),
    "lstm": (fastrnn.LSTM, {"num_layers": 2, "bidirectional": True}),
    "lstm-peephole-sum": (
        fastrnn.LSTM,
        {"peephole": True, "bidirectional": True, "merge_mode": "sum", "num_layers": 3},
    ),
    "gru-mul": (
        fastrnn.GRU,
        {"reset_after": False, "bidirectional": True, "merge_mode": "mul", "num_layers": 2},
    ),
    "gru-ave-sizes": (
        fastrnn.GRU,
        {"hidden_size": [6, 3], "bidirectional": True, "merge_mode": "ave"},
    ),
    "lstm-batch-first-no-bias": (
        fastrnn.LSTM,
        {"hidden_size": [6, 3], "bias": False, "batch_first": True},
    ),
    # One layer, one direction: straight to the core.
    "lstm-one": (fastrnn.LSTM, {}),
    "rnn-one": (fastrnn.RNN, {"nonlinearity": "relu"}),
    "gru-one-listed": (fastrnn.GRU, {"hidden_size": [6], "bias": False}),
    "lstm-one-batch-first": (fastrnn.LSTM, {"batch_first": True, "peephole": True}),
    "lstm-one-projected": (fastrnn.LSTM, {"proj_size": 4, "clip": 2.0}),
    "lstm-dropout": (fastrnn.LSTM, {"num_layers": 3, "dropout": 0.4, "bidirectional": True}),
}


def make(name: str, **more: Any) -> Any:
    cls, options = LAYERS[name]
    options = {"hidden_size": H, "dtype": np.float64, "rng": np.random.default_rng(3)} | options
    return cls(I, **(options | more))


def flat(nest: Any) -> list[np.ndarray]:
    """The arrays of a state, or of any nest."""
    if nest is None:
        return []
    if isinstance(nest, (tuple, list)):
        return [array for inner in nest for array in flat(inner)]
    return [nest]


def problem(layer: Any, rng: Any) -> tuple[np.ndarray, Any]:
    """x and an initial state."""
    x = rng.standard_normal((N, T, I) if layer.batch_first else (T, N, I)).astype(layer.dtype)
    _, state = layer(x)
    return x, state


def weighed(outputs: Any, weights: list[np.ndarray]) -> Any:
    return sum((a * w).sum() for a, w in zip(flat(list(outputs)), weights, strict=True))


@pytest.mark.parametrize("name", LAYERS)
@pytest.mark.parametrize("lengths", [None, LENGTHS], ids=["whole", "ragged"])
def test_equals_forward_and_backward(name: str, lengths: Any, backend: str, rng: Any) -> None:
    layer = make(name)
    x, state = problem(layer, rng)

    def seeded() -> np.random.Generator:
        return np.random.default_rng(5)

    y, final, tape = layer.forward(x, state, lengths=lengths, rng=seeded())
    weights = [rng.standard_normal(a.shape) for a in flat([y, final])]
    dstate = layer._stack.layout.join(*_halves(layer, weights[1:]))
    grads = layer.backward(tape, weights[0], dstate)

    def loss(params: Any, x: Any, state: Any) -> Any:
        return weighed(layer.apply(params, x, state, lengths=lengths, rng=seeded()), weights)

    given = {key: array.copy() for key, array in layer.params.items()}
    plain = layer.apply(given, x, state, lengths=lengths, rng=seeded())
    for found, expected in zip(flat(list(plain)), flat([y, final]), strict=True):
        assert_same_bits("a result", found, expected)
    dparams, dx, dinitial = autograd.grad(loss, (0, 1, 2))(given, x, state)
    assert_same_bits("dx", dx, grads.x)
    assert list(dparams) == list(layer.params)
    for key, gradient in grads.params.items():
        assert_same_bits(key, dparams[key], gradient)
    for found, expected in zip(flat(dinitial), flat(grads.state), strict=True):
        assert_same_bits("dstate", found, expected)
    # What nobody asks for is not computed, and changes nothing else.
    for key, gradient in autograd.grad(loss)(given, x, state).items():
        assert_same_bits(key, gradient, grads.params[key])
    if isinstance(state, tuple):
        for k in (0, 1):
            by_one = autograd.grad(lambda s, k=k: loss(given, x, (*state[:k], s, *state[k + 1 :])))
            for found, expected in zip(flat(by_one(state[k])), flat(grads.state[k]), strict=True):
                assert_same_bits("dstate", found, expected)


def _halves(layer: Any, arrays: list[np.ndarray]) -> tuple[list[np.ndarray], list[np.ndarray]]:
    half = len(arrays) // (2 if isinstance(layer, fastrnn.LSTM) else 1)
    return arrays[:half], arrays[half:]


@pytest.mark.parametrize("name", LAYERS)
def test_projected_input(name: str, backend: str, rng: Any) -> None:
    """x·W_ihᵀ given beforehand: the same outputs, and the chain rule for its gradients."""
    layer = make(name)
    x, _ = problem(layer, rng)
    bottom = [key for key in layer.params if key.startswith("weight_ih_l0")]
    w = np.concatenate([layer.params[key] for key in bottom])
    y, _ = layer.apply(layer.params, x, lengths=LENGTHS)
    dy = rng.standard_normal(y.shape)
    rest = {key: array for key, array in layer.params.items() if key not in bottom}

    def loss(params: Any, x: Any, projected: bool) -> Any:
        return (layer.apply(params, x, lengths=LENGTHS, projected=projected)[0] * dy).sum()

    assert_close("y", layer.apply(rest, x @ w.T, lengths=LENGTHS, projected=True)[0], y, 1e-12)
    dparams, dx = autograd.grad(loss, (0, 1))(layer.params, x, False)
    found, dprojected = autograd.grad(loss, (0, 1))(rest, x @ w.T, True)
    assert_close("dx", dprojected @ w, dx, 1e-11)
    dw = np.tensordot(dprojected, x, axes=((0, 1), (0, 1)))
    assert_close("dw", dw, np.concatenate([dparams[key] for key in bottom]), 1e-11)
    assert list(found) == list(rest)
    for key, gradient in found.items():
        assert_close(key, gradient, dparams[key], 1e-11)
    # The weights of the projection may stay in params: they get a gradient of zero.
    whole = autograd.grad(loss)(layer.params, x @ w.T, True)
    assert not any(whole[key].any() for key in bottom)


@pytest.mark.check(3)
def test_central_differences(rng: Any) -> None:
    layer = fastrnn.GRU(
        2, 3, 2, dropout=0.3, bidirectional=True, dtype=np.float64, rng=np.random.default_rng(1)
    )
    x, lengths = rng.standard_normal((4, 2, 2)), [4, 2]
    weights = [rng.standard_normal(s) for s in ((4, 2, 6), (4, 2, 3))]

    def loss(**params: Any) -> Any:
        generator = np.random.default_rng(2)
        return weighed(layer.apply(params, x, lengths=lengths, rng=generator), weights)

    gradients = autograd.grad(lambda params: loss(**params))(layer.params)
    gradcheck(loss, layer.params, gradients)


def test_dropout_acts_only_with_a_generator(rng: Any) -> None:
    layer = make("lstm-dropout")
    x, _ = problem(layer, rng)
    assert_same_bits("y", layer.apply(layer.params, x)[0], layer(x)[0])
    dropped = [
        layer.apply(layer.params, x, rng=np.random.default_rng(seed))[0] for seed in (1, 1, 2)
    ]
    assert_same_bits("y", dropped[0], dropped[1])
    assert (dropped[0] != dropped[2]).any()
    with pytest.raises(TypeError, match="rng must be"):
        layer.apply(layer.params, x, rng=3)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(("name", "rows", "columns"), [("lstm", 4, 2 * H), ("lstm-one", 1, H)])
def test_dtype_and_one_sequence(
    name: str, rows: int, columns: int, dtype: Any, rng: Any
) -> None:
    layer = make(name, dtype=dtype)
    x = rng.standard_normal((T, I)).astype(dtype)
    y, (h_n, _) = layer.apply(layer.params, x)
    assert (y.shape, h_n.shape) == ((T, columns), (rows, H))
    assert_same_bits("y", y, layer(x)[0])
    grads = autograd.grad(lambda params: layer.apply(params, x)[1][0].sum())(layer.params)
    assert {gradient.dtype for gradient in grads.values()} == {np.dtype(dtype)}
    assert all(grads[key].any() for key in grads)


def test_nodes_do_not_depend_on_steps_or_depth() -> None:
    counts = []
    for steps, layers in ((5, 1), (200, 1), (5, 3)):
        layer = fastrnn.LSTM(I, H, layers, bidirectional=True)
        x = np.ones((steps, 2, I), np.float32)

        def loss(w: Any, layer: Any = layer, x: Any = x) -> Any:
            return layer.apply(layer.params | {"weight_hh_l0": w}, x)[0].sum()

        w = layer.params["weight_hh_l0"]
        counts.append(count_nodes(lambda function, w=w: autograd.grad(function)(w), loss))
    assert counts == [4, 4, 4]  # w, the call, y, and the sum


@pytest.mark.parametrize(("name", "columns"), [("lstm", 48), ("lstm-one", 24)])
def test_errors(name: str, columns: int, rng: Any) -> None:
    layer = make(name)
    x, state = problem(layer, rng)
    lacking = {key: array for key, array in layer.params.items() if key != "bias_hh_l0"}
    with pytest.raises(ValueError, match=r"params lacks .'bias_hh_l0'. and has .. too many"):
        layer.apply(lacking, x)
    with pytest.raises(ValueError, match=r"has .'more'. too many"):
        layer.apply(layer.params | {"more": x}, x)
    with pytest.raises(ValueError, match=r"^weight_hh_l0 must have shape"):
        layer.apply(layer.params | {"weight_hh_l0": np.ones((3, 3))}, x)
    with pytest.raises(ValueError, match=f"where I = {columns} is D·G·H of a projected input"):
        layer.apply(layer.params, x, projected=True)
    with pytest.raises(TypeError, match="projected must be True or False"):
        layer.apply(layer.params, x, projected=1)
    with pytest.raises(ValueError, match=r"^x must have shape"):
        layer.apply(layer.params, x[..., :-1])
    with pytest.raises(TypeError, match=r"^x must be float64"):
        layer.apply(layer.params, x.astype(np.float32))
    with pytest.raises(ValueError, match=r"^lengths must lie in 0..T"):
        layer.apply(layer.params, x, lengths=np.array([T + 1, 0, 1]))
    with pytest.raises(ValueError, match=r"^state\[0\] must have shape"):
        layer.apply(layer.params, x, (state[0][..., :-1], state[1]))
    with pytest.raises(TypeError, match=r"state must be a tuple \(h, c\)"):
        layer.apply(layer.params, x, state[0])
    with pytest.raises(NotImplementedError, match="can be differentiated once"):
        autograd.grad(
            lambda x: autograd.grad(lambda x: layer.apply(layer.params, x)[0].sum())(x).sum()
        )(x)
