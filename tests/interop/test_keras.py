"""Why: Keras orders gates by columns, GRUs by convention, and CuDNN's biases twice; a slip in any
of it gives a model that runs and is wrong. Where Keras is installed its layers are the judge.
"""

import os
from typing import Any

import numpy as np
import pytest
from helpers.tolerances import KERAS

import fastrnn

KINDS = {"RNN": ("SimpleRNN", 1), "GRU": ("GRU", 3), "LSTM": ("LSTM", 4)}


@pytest.fixture(scope="module")
def keras() -> Any:
    """Keras, on PyTorch if the environment does not say otherwise."""
    os.environ.setdefault("KERAS_BACKEND", "torch")
    return pytest.importorskip("keras", reason="Keras is not installed")


def random_options(seed: int) -> tuple[str, dict[str, Any], bool, str]:
    """Kind, options of Keras' layer, bidirectional and merge mode, from the seed alone."""
    rng = np.random.default_rng(seed)
    kind = ("RNN", "GRU", "LSTM")[seed % 3]
    options: dict[str, Any] = {"use_bias": bool(rng.random() < 0.8)}
    names = ["tanh", "tanh", "relu", "sigmoid", "linear", "elu", "softsign", "leaky_relu"]
    options["activation"] = str(rng.choice(names))
    if kind != "RNN":
        options["recurrent_activation"] = str(rng.choice(["sigmoid", "hard_sigmoid", "tanh"]))
    if kind == "GRU":
        options["reset_after"] = bool(rng.integers(2))
    return kind, options, bool(rng.integers(2)), str(rng.choice(["concat", "sum", "mul", "ave"]))


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # Keras' own, with a new NumPy
@pytest.mark.parametrize("seed", range(30))
def test_random_layers_of_keras(keras: Any, seed: int) -> None:
    kind, options, bidirectional, merge_mode = random_options(seed)
    rng = np.random.default_rng([seed, 1])
    N, T, I, H = (int(n) for n in rng.integers(1, 9, 4))
    x = rng.standard_normal((N, T, I)).astype(np.float32)
    there = getattr(keras.layers, KINDS[kind][0])(H, return_sequences=True, **options)
    if bidirectional:
        there = keras.layers.Bidirectional(there, merge_mode=merge_mode)
    there.build(x.shape)
    weights = [rng.uniform(-0.4, 0.4, w.shape).astype(np.float32) for w in there.get_weights()]
    there.set_weights(weights)
    expected = keras.ops.convert_to_numpy(there(x))
    named = {
        "activation": options["activation"],
        "recurrent_activation": (
            ("hard_sigmoid", 1 / 6, 0.5) if options.get("recurrent_activation") == "hard_sigmoid"
            else options.get("recurrent_activation", "sigmoid")
        ),
        "bias": options["use_bias"], "bidirectional": bidirectional, "batch_first": True,
    }  # fmt: skip
    if "reset_after" in options and not options["use_bias"]:
        named["reset_after"] = options["reset_after"]  # the bias says it otherwise
    if bidirectional:
        named["merge_mode"] = merge_mode
    cls = getattr(fastrnn, kind)
    for layer in (cls.from_keras(weights, **named), cls.from_keras(there, batch_first=True)):
        np.testing.assert_allclose(layer(x)[0], expected, **KERAS)
        there.set_weights(layer.to_keras())
        np.testing.assert_allclose(keras.ops.convert_to_numpy(there(x)), expected, **KERAS)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("bidirectional", [False, True])
def test_out_and_in_again(kind: str, bidirectional: bool) -> None:
    """Without Keras: what goes out comes back; biases that are added are compared by results."""
    rng = np.random.default_rng(0)
    layer = getattr(fastrnn, kind)(3, 4, num_layers=2, bidirectional=bidirectional, rng=rng)
    again = getattr(fastrnn, kind).from_keras(layer.to_keras(), bidirectional=bidirectional)
    x = rng.standard_normal((5, 2, 3)).astype(np.float32)
    np.testing.assert_allclose(again(x)[0], layer(x)[0], atol=1e-6)


def test_the_gates_are_where_keras_has_them() -> None:
    """Each block of columns apart from the others: i f c o, and z r h."""
    for kind, ours in (("LSTM", (0, 1, 2, 3)), ("GRU", (1, 0, 2))):
        G = len(ours)
        kernel = np.repeat(np.arange(G, dtype=np.float64), 2)[None] * np.ones((3, 1))
        layer = getattr(fastrnn, kind).from_keras([kernel, kernel[:2]], bias=False)
        np.testing.assert_array_equal(layer.params["weight_ih_l0"][::2, 0], ours)


def sigmoid(x: Any) -> Any:
    return 1 / (1 + np.exp(-x))


def cudnn(kind: str, weights: list[np.ndarray], x: np.ndarray) -> np.ndarray:
    """CuDNN's equations on what CuDNNLSTM and CuDNNGRU hold.

    The layer hands each gate's kernel (I, H) to CuDNN flat, row after row (TensorFlow 1.15,
    cudnn_recurrent_layers: ``array_ops.reshape(x, [-1])``), and CuDNN takes these numbers for the
    rows of its matrix (H, I) (cudnnGetRNNWeightParams). Equations: cudnnRNNMode_t in CuDNN's
    documentation; the layers hold CuDNNLSTM's gates as i f c o, and CuDNNGRU's as z r h.
    """
    kernel, recurrent, bias = weights
    I, H, G = kernel.shape[0], recurrent.shape[0], recurrent.shape[1] // recurrent.shape[0]

    def of_gate(g: int) -> Any:
        W = [float(kernel[n // H, g * H + n % H]) for n in range(I * H)]  # flat, row after row
        R = [float(recurrent[n // H, g * H + n % H]) for n in range(H * H)]
        b_w, b_r = bias[g * H : (g + 1) * H], bias[(G + g) * H : (G + g + 1) * H]

        def products(x_t: np.ndarray, h: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
            w = [sum(W[j * I + k] * x_t[k] for k in range(I)) for j in range(H)]
            r = [sum(R[j * H + k] * h[k] for k in range(H)) for j in range(H)]
            return np.array(w) + b_w, np.array(r) + b_r

        return products

    gates, h, c, y = [of_gate(g) for g in range(G)], np.zeros(H), np.zeros(H), []
    for x_t in x:
        pre = [gate(x_t, h) for gate in gates]
        if kind == "LSTM":
            i, f, new, o = (sum(both) for both in pre)
            c = sigmoid(f) * c + sigmoid(i) * np.tanh(new)
            h = sigmoid(o) * np.tanh(c)
        else:
            z, r = (sigmoid(sum(both)) for both in pre[:2])
            h = (1 - z) * np.tanh(pre[2][0] + r * pre[2][1]) + z * h
        y.append(h)
    return np.array(y)


@pytest.mark.parametrize(("I", "H"), [(3, 2), (2, 5), (4, 4), (1, 3)])
@pytest.mark.parametrize("kind", ["LSTM", "GRU"])
def test_layers_of_cudnn(kind: str, I: int, H: int) -> None:
    rng, G = np.random.default_rng([I, H]), KINDS[kind][1]
    shapes = [(I, G * H), (H, G * H), (2 * G * H,)]
    there, back = ([rng.uniform(-1, 1, shape) for shape in shapes] for _ in range(2))
    x = rng.standard_normal((6, I))
    layer = getattr(fastrnn, kind).from_keras(there)
    np.testing.assert_allclose(layer(x)[0], cudnn(kind, there, x), rtol=1e-12, atol=1e-14)
    assert (layer.params["bias_ih_l0"] != layer.params["bias_hh_l0"]).all()
    both = getattr(fastrnn, kind).from_keras(
        [np.asfortranarray(a) for a in there + back], bidirectional=True
    )
    expected = [cudnn(kind, there, x), cudnn(kind, back, x[::-1])[::-1]]
    np.testing.assert_allclose(both(x)[0], np.hstack(expected), rtol=1e-12, atol=1e-14)


def converted(weights: list[np.ndarray], G: int) -> list[np.ndarray]:
    """What Keras 2 makes of them when LSTM or GRU load them: _convert_rnn_weights, hdf5_format."""
    kernel, recurrent, bias = weights
    return [
        np.hstack([k.T.reshape(k.shape, order="F") for k in np.hsplit(kernel, G)]),
        np.hstack([k.T for k in np.hsplit(recurrent, G)]),
        bias.reshape(2, -1) if G == 3 else bias.reshape(2, -1).sum(0),
    ]


@pytest.mark.parametrize("kind", ["LSTM", "GRU"])
def test_layers_of_cudnn_as_keras_loads_them(kind: str) -> None:
    rng, G = np.random.default_rng(0), KINDS[kind][1]
    weights = [rng.uniform(-1, 1, shape) for shape in [(3, G * 4), (4, G * 4), (2 * G * 4,)]]
    of = getattr(fastrnn, kind).from_keras
    x = rng.standard_normal((6, 2, 3))
    found, plain = of(weights), of(converted(weights, G))
    np.testing.assert_allclose(found(x)[0], plain(x)[0], rtol=1e-12, atol=1e-14)
    if kind == "GRU":
        assert found.reset_after
        assert not of([*weights[:2], weights[2][:12]]).reset_after


def test_there_is_no_simple_layer_of_cudnn() -> None:
    with pytest.raises(ValueError, match=r"weights\[2\] must have shape"):
        fastrnn.RNN.from_keras([np.ones((3, 4)), np.ones((4, 4)), np.ones(8)])


K, R = np.ones((3, 16)), np.ones((4, 16))
WRONG: list[tuple[Any, dict[str, Any], type[Exception], str]] = [
    ([K, R], {}, ValueError, "weights must be 3 arrays for each layer and direction"),
    ([K, R, np.ones(16)] * 3, {"bidirectional": True}, ValueError, "a multiple of 6; got 9"),
    (K, {}, TypeError, "weights must be a list"),
    ([K, R, np.ones(15)], {}, ValueError, r"weights\[2\] must have shape"),
    ([K, R.T, np.ones(16)], {}, ValueError, r"weights\[1\] must have shape"),
    ([K[:, :8], R, np.ones(16)], {}, ValueError, r"weights\[0\] must have shape \(I, 4·H\)"),
    ([K, R, np.ones(16)], {"activation": "mish"}, ValueError, "activation must be one of"),
    ([K, R, np.ones(16)], {"colour": 1}, TypeError, "colour"),
]


@pytest.mark.parametrize(("weights", "options", "error", "words"), WRONG)
def test_what_does_not_fit_is_named(weights: Any, options: dict, error: Any, words: str) -> None:
    with pytest.raises(error, match=words):
        fastrnn.LSTM.from_keras(weights, **options)


def test_the_bias_and_the_option_must_agree() -> None:
    weights = [np.ones((3, 12)), np.ones((4, 12)), np.ones(12)]
    with pytest.raises(ValueError, match=r"bias of a GRU with reset_after=False"):
        fastrnn.GRU.from_keras(weights, reset_after=True)


class Fake:
    """What from_keras asks of a layer of Keras 2 and 3."""

    def __init__(self, name: str, weights: list[np.ndarray], **config: Any) -> None:
        self.__class__ = type(name, (Fake,), {})
        self._weights, self._config = weights, config

    def get_weights(self) -> list[np.ndarray]:
        return self._weights

    def get_config(self) -> dict[str, Any]:
        return self._config


PLAIN = {"units": 4, "activation": "tanh", "recurrent_activation": "sigmoid", "use_bias": True}


def both_ways(**other: Any) -> Any:
    """A Bidirectional with a backward_layer of its own, which differs in this."""
    weights = [np.ones((3, 16)), np.ones((4, 16)), np.ones(16)]
    both = Fake("Bidirectional", weights * 2, merge_mode="concat")
    both.forward_layer = Fake("LSTM", weights, **PLAIN)
    both.backward_layer = Fake(other.pop("class", "LSTM"), weights, **PLAIN | other)
    return both


def test_a_backward_layer_of_another_kind_is_refused() -> None:
    assert fastrnn.LSTM.from_keras(both_ways(go_backwards=True)).bidirectional
    for name, value in (
        ("activation", "relu"), ("recurrent_activation", "hard_sigmoid"), ("class", "GRU"),
        ("use_bias", False), ("units", 5),
    ):  # fmt: skip
        with pytest.raises(ValueError, match=f"Bidirectional must be alike, got {name}"):
            fastrnn.LSTM.from_keras(both_ways(**{name: value}))
