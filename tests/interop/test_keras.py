"""Why: Keras orders gates by columns, GRUs by convention, and CuDNN's biases twice; a slip in any
of it gives a model that runs and is wrong. Where Keras is installed its layers are the judge.
"""

import os
from typing import Any

import numpy as np
import pytest
from tolerances import KERAS

import fastrnn

KINDS = {"RNN": ("SimpleRNN", 1), "GRU": ("GRU", 3), "LSTM": ("LSTM", 4)}


@pytest.fixture(scope="module")
def keras() -> Any:
    """Keras on whichever backend there is."""
    os.environ.setdefault("KERAS_BACKEND", "jax")
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
    expected = np.asarray(there(x))
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
        np.testing.assert_allclose(np.asarray(there(x)), expected, **KERAS)


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


def test_biases_of_cudnn() -> None:
    rng = np.random.default_rng(0)
    for kind, G in (("LSTM", 4), ("GRU", 3)):
        kernel, recurrent = rng.standard_normal((3, G * 2)), rng.standard_normal((2, G * 2))
        b = rng.standard_normal(2 * G * 2)
        flat = getattr(fastrnn, kind).from_keras([kernel, recurrent, b])
        assert (flat.params["bias_ih_l0"] != flat.params["bias_hh_l0"]).all()
        if kind == "GRU":
            assert flat.reset_after
            pair = fastrnn.GRU.from_keras([kernel, recurrent, b.reshape(2, -1)])
            before = fastrnn.GRU.from_keras([kernel, recurrent, b[:6]])
            assert not before.reset_after
        else:
            summed = b.reshape(2, -1).sum(0)
            pair = fastrnn.LSTM.from_keras([kernel, recurrent, summed])
        x = rng.standard_normal((4, 1, 3))
        np.testing.assert_allclose(flat(x)[0], pair(x)[0], rtol=1e-12)


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
