"""Why: an option that is taken and then ignored is worse than none. Every option of a layer is
either honoured or refused by name, before anything is allocated.
"""

from typing import Any

import numpy as np
import pytest

import fastrnn

LAYERS = (fastrnn.RNN, fastrnn.LSTM, fastrnn.GRU)
WRONG: list[tuple[dict[str, Any], type[Exception], str]] = [
    ({"input_size": -1}, ValueError, "input_size must be at least 0, got -1"),
    ({"input_size": 3.0}, TypeError, "input_size must be an integer, got 3.0"),
    ({"input_size": True}, TypeError, "input_size must be an integer, got True"),
    ({"hidden_size": 0}, ValueError, "hidden_size must be at least 1, got 0"),
    ({"hidden_size": "4"}, TypeError, "hidden_size must be an integer, got '4'"),
    ({"hidden_size": []}, ValueError, "hidden_size must have 1..1024 elements, got 0"),
    ({"hidden_size": [4, 0]}, ValueError, r"hidden_size\[1\] must be at least 1, got 0"),
    ({"hidden_size": [4, 1.5]}, TypeError, r"hidden_size\[1\] must be an integer"),
    ({"hidden_size": [4, 5], "num_layers": 3}, ValueError, "num_layers must be 2, one per"),
    ({"num_layers": 0}, ValueError, r"num_layers must be in 1\.\.1024, got 0"),
    ({"num_layers": 10**9}, ValueError, "num_layers must be in"),
    ({"num_layers": None}, TypeError, "num_layers must be an integer"),
    ({"bias": 1}, TypeError, "bias must be True or False, got 1"),
    ({"batch_first": "no"}, TypeError, "batch_first must be True or False"),
    ({"bidirectional": 2}, TypeError, "bidirectional must be True or False"),
    ({"dropout": 0.5}, ValueError, "dropout acts between layers, and there is only one"),
    ({"dropout": 1.5, "num_layers": 2}, ValueError, r"dropout must lie in 0\.\.1, got 1\.5"),
    ({"dropout": -0.1, "num_layers": 2}, ValueError, "dropout must lie in"),
    ({"dropout": float("nan"), "num_layers": 2}, ValueError, "dropout must be finite"),
    ({"dropout": "half", "num_layers": 2}, TypeError, "dropout must be a real number"),
    ({"dropout": True, "num_layers": 2}, TypeError, "dropout must be a real number, got True"),
    ({"dropout": 1j, "num_layers": 2}, TypeError, "dropout must be a real number"),
    ({"merge_mode": "max", "bidirectional": True}, ValueError, "merge_mode must be one of"),
    ({"merge_mode": None, "bidirectional": True}, ValueError, "merge_mode must be one of"),
    ({"merge_mode": "sum"}, ValueError, "merge_mode='sum' needs bidirectional=True"),
    ({"dtype": np.float16}, TypeError, "dtype must be float32 or float64"),
    ({"dtype": np.int32}, TypeError, "dtype must be float32 or float64"),
    ({"dtype": ">f4"}, TypeError, "dtype must be float32 or float64"),
    ({"dtype": None}, TypeError, "dtype must be float32 or float64"),
    ({"dtype": "nonsense"}, TypeError, "dtype must be float32 or float64"),
    ({"rng": 0}, TypeError, r"rng must be a numpy.random.Generator or None, got 0; numpy"),
    ({"rng": np.random.RandomState(0)}, TypeError, "rng must be a numpy.random.Generator"),
    ({"hidden_size": 2**40}, MemoryError, "initial weight"),
    ({"input_size": 2**62}, MemoryError, "initial weight"),
]


@pytest.mark.parametrize(("options", "error", "message"), WRONG, ids=[
    f"{k}-{next(iter(options))}" for k, (options, _, _) in enumerate(WRONG)
])  # fmt: skip
@pytest.mark.parametrize("layer", LAYERS)
def test_wrong_options(layer: Any, options: dict[str, Any], error: Any, message: str) -> None:
    with pytest.raises(error, match=message):
        layer(**{"input_size": 3, "hidden_size": 4} | options)


@pytest.mark.parametrize("layer", LAYERS)
def test_probabilities_and_sizes_are_checked(layer: Any) -> None:
    for name in ("zoneout", "recurrent_dropout", "weight_drop"):
        for value, error in ((-1.0, ValueError), ("no", TypeError), (None, TypeError)):
            with pytest.raises(error, match=f"^{name} must "):
                layer(3, 4, **{name: value})
    if layer is fastrnn.LSTM:
        for size, error in ((4, ValueError), (-1, ValueError), (True, TypeError)):
            with pytest.raises(error, match=r"^proj_size must "):
                layer(3, 4, proj_size=size)


@pytest.mark.parametrize("params", [None, np.ones(3), ["weight_ih_l0"]])
def test_params_are_a_dict(params: Any) -> None:
    layer = fastrnn.LSTM(3, 4)
    with pytest.raises(TypeError, match="params must be a dict of arrays"):
        layer.params = params
    pytest.importorskip("autograd")
    with pytest.raises(TypeError, match="params must be a dict of arrays"):
        layer.apply(params, np.zeros((2, 1, 3), np.float32))
    assert layer(np.zeros((2, 1, 3), np.float32))[0].shape == (2, 1, 4)


def test_options_of_one_kind() -> None:
    with pytest.raises(TypeError, match='peephole must be True, False or "full"'):
        fastrnn.LSTM(3, 4, peephole=1)
    with pytest.raises(TypeError, match="reset_after must be True or False"):
        fastrnn.GRU(3, 4, reset_after=None)
    with pytest.raises(ValueError, match="nonlinearity must be one of"):
        fastrnn.RNN(3, 4, nonlinearity="selu")
    with pytest.raises(ValueError, match="forget_bias needs bias=True"):
        fastrnn.LSTM(3, 4, forget_bias=1.0, bias=False)
    for options in ({"gates": "io"}, {"input_forget": True}):
        with pytest.raises(ValueError, match="forget_bias needs a forget gate"):
            fastrnn.LSTM(3, 4, forget_bias=1.0, **options)
    with pytest.raises(TypeError, match="forget_bias must be a real number"):
        fastrnn.LSTM(3, 4, forget_bias="1")
    with pytest.raises(ValueError, match=r"activations\[1\] must be one of"):
        fastrnn.LSTM(3, 4, activations=("sigmoid", "tan", "tanh"))
    with pytest.raises(ValueError, match="activations must be 2 names"):
        fastrnn.GRU(3, 4, activations=("sigmoid", "tanh", "tanh"))
    with pytest.raises(ValueError, match="gates must hold letters"):
        fastrnn.LSTM(3, 4, gates="ix")
    with pytest.raises(ValueError, match="gates must have both i and f"):
        fastrnn.LSTM(3, 4, gates="io", input_forget=True)


CHOICES = [
    ("LSTM", {"activations": ("hard_sigmoid", "relu", "tanh"), "peephole": True}),
    ("LSTM", {"gates": "io"}),
    ("LSTM", {"input_forget": True}),
    ("GRU", {"activations": ("hard_sigmoid", "linear"), "reset_after": False}),
    ("GRU", {"activations": ("sigmoid", "relu")}),
]


@pytest.mark.parametrize(("kind", "choice"), CHOICES, ids=str)
def test_choices_reach_the_function(kind: str, choice: dict[str, Any], backend: str) -> None:
    rng = np.random.default_rng(0)
    layer = getattr(fastrnn, kind)(3, 4, **choice, dtype=np.float64, rng=rng)
    x, p = rng.standard_normal((5, 2, 3)), layer.params
    options = {name: value for name, value in choice.items() if name != "peephole"}
    if "peephole" in choice:
        options["w_peephole"] = p["weight_peephole_l0"]
    weights = [p[f"{name}_l0"] for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")]
    y = getattr(fastrnn, kind.lower())(x, *weights, **options)[0]
    np.testing.assert_array_equal(layer(x)[0], y)
    y, _, tape = layer.forward(x)
    found = layer.backward(tape, dy=np.ones_like(y)).params["weight_hh_l0"]
    _, _, tape = getattr(fastrnn, f"{kind.lower()}_forward")(x, *weights, **options)
    grads = getattr(fastrnn, f"{kind.lower()}_backward")(tape, dy=np.ones_like(y))
    np.testing.assert_array_equal(found, grads.w_hh)


@pytest.mark.parametrize("layer", LAYERS)
@pytest.mark.parametrize("dtype", [np.float32, "f8", np.dtype("f8"), float], ids=repr)
def test_the_first_weights(layer: Any, dtype: Any) -> None:
    options = {"num_layers": 2, "bidirectional": True, "dtype": dtype}
    one = layer(30, 40, **options, rng=np.random.default_rng(5))
    again = layer(30, 40, **options, rng=np.random.default_rng(5))
    fresh = layer(30, 40, **options)
    G = {"RNN": 1, "GRU": 3, "LSTM": 4}[layer.__name__]
    for name, array in one.params.items():
        assert array.dtype == np.dtype(dtype)
        assert abs(array).max() <= 40**-0.5
        assert abs(array).max() > 0.9 * 40**-0.5
        assert abs(array.mean()) < 5 * (40 * 3 * array.size) ** -0.5
        np.testing.assert_array_equal(again.params[name], array)
        assert (fresh.params[name] != array).any()
    shapes = {name: array.shape for name, array in one.params.items()}
    assert shapes == {
        f"{name}_l{l}{way}": (G * 40, *columns)
        for l, I in ((0, 30), (1, 80))
        for way in ("", "_reverse")
        for name, columns in (
            ("weight_ih", (I,)), ("weight_hh", (40,)), ("bias_ih", ()), ("bias_hh", ()),
        )
    }  # fmt: skip


def test_forget_bias_is_added_to_its_rows_once() -> None:
    plain = fastrnn.LSTM(3, 4, 2, rng=np.random.default_rng(1))
    biased = fastrnn.LSTM(3, 4, 2, forget_bias=2, rng=np.random.default_rng(1))
    for name, array in plain.params.items():
        difference = biased.params[name] - array
        if name.startswith("bias_ih"):
            np.testing.assert_allclose(difference[4:8], 2, rtol=1e-6)
            difference[4:8] = 0
        assert not difference.any()
    before = biased.state_dict()
    biased.load_state_dict(plain.state_dict())
    np.testing.assert_array_equal(biased.params["bias_ih_l0"], plain.params["bias_ih_l0"])
    assert before["bias_ih_l0"].mean() > biased.params["bias_ih_l0"].mean()


@pytest.mark.parametrize("layer", LAYERS)
def test_no_input_columns(layer: Any, backend: str) -> None:
    y, _ = layer(0, 4)(np.zeros((3, 2, 0), np.float32))
    assert y.shape == (3, 2, 4)
    assert y.any(), "the biases are at work"


CALLS: list[tuple[dict[str, Any], type[Exception], str]] = [
    (
        {"x": np.ones((5, 3, 2), np.float32)},
        ValueError,
        r"x must have shape .* I = 4 is input_size, got \(5, 3, 2\)",
    ),
    ({"x": np.ones((5, 3, 4))}, TypeError, "x must be float32"),
    ({"x": None}, TypeError, "x must be an array"),
    ({"x": np.ma.ones((5, 3, 4))}, TypeError, "x must not be a masked array"),
    (
        {"state": np.ones((2, 3, 6), np.float32)},
        TypeError,
        r"state must be a tuple \(h, c\), got ndarray",
    ),
    ({"state": (None,)}, ValueError, r"state must be a tuple \(h, c\), got 1 elements"),
    ({"state": (np.ones((2, 3, 6)), None)}, TypeError, r"state\[0\] must be float32"),
    (
        {"state": (None, np.ones((3, 6), np.float32))},
        ValueError,
        r"state\[1\] must have shape \(L·D, N, H\) = \(2, 3, 6\) .* with H = 6, got \(3, 6\)",
    ),
    ({"lengths": [5, 5]}, ValueError, r"lengths must have shape \(N,\) = \(3,\)"),
    ({"lengths": [5, 5, 6]}, ValueError, "lengths must lie in"),
    ({"lengths": [5.0, 5.0, 5.0]}, TypeError, "lengths must hold integers"),
]


@pytest.mark.parametrize(("changes", "error", "message"), CALLS, ids=[
    f"{k}-{next(iter(changes))}" for k, (changes, _, _) in enumerate(CALLS)
])  # fmt: skip
def test_wrong_calls(changes: dict[str, Any], error: Any, message: str, backend: str) -> None:
    layer = fastrnn.LSTM(4, 6, 2)
    good = {"x": np.ones((5, 3, 4), np.float32)}
    with pytest.raises(error, match=message):
        layer(**good | changes)
    with pytest.raises(error, match=message):
        layer.forward(**good | changes)


def test_states_of_lists() -> None:
    layer, x = fastrnn.GRU(4, [6, 7]), np.ones((5, 3, 4), np.float32)
    with pytest.raises(
        TypeError, match="state must be a list with one array per layer, got ndarray"
    ):
        layer(x, np.ones((2, 3, 6), np.float32))
    with pytest.raises(ValueError, match="state must have one array per layer, L = 2, got 1"):
        layer(x, [np.ones((1, 3, 6), np.float32)])
    with pytest.raises(ValueError, match=r"state\[1\] must have shape \(D, N, H\) = \(1, 3, 7\)"):
        layer(x, [np.ones((1, 3, 6), np.float32)] * 2)


def test_training_takes_a_bool_and_a_generator() -> None:
    layer, x = fastrnn.GRU(4, 6), np.ones((5, 3, 4), np.float32)
    with pytest.raises(TypeError, match="training must be True or False"):
        layer.forward(x, training=1)
    with pytest.raises(TypeError, match=r"rng must be a numpy.random.Generator"):
        layer.forward(x, rng=3)
