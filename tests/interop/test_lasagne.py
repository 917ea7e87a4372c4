"""Why: Lasagne can hardly be installed any more, so its equations, as its sources give them, are
written out here step by step, and what is loaded must follow them.
"""

from typing import Any

import numpy as np
import pytest

import fastrnn

T, N, I, H = 6, 3, 4, 5


def sigmoid(a: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-a))


@pytest.fixture
def draw(rng: np.random.Generator) -> Any:
    """Random arrays of any shape."""
    return lambda *shape: rng.standard_normal(shape)


def gate(draw: Any, name: str, peephole: bool = False) -> dict[str, np.ndarray]:
    found = {f"W_in_to_{name}": draw(I, H), f"W_hid_to_{name}": draw(H, H), f"b_{name}": draw(H)}
    return found | ({f"W_cell_to_{name}": draw(H)} if peephole else {})


@pytest.mark.parametrize("peephole", [False, True])
def test_lasagne_lstm(draw: Any, peephole: bool) -> None:
    p = gate(draw, "cell") | {"hid_init": draw(1, H), "cell_init": draw(1, H)}
    for name in ("ingate", "forgetgate", "outgate"):
        p |= gate(draw, name, peephole)
    x, outputs = draw(T, N, I), []
    h, c = np.tile(p["hid_init"], (N, 1)), np.tile(p["cell_init"], (N, 1))
    pre = lambda name: x_t @ p[f"W_in_to_{name}"] + h @ p[f"W_hid_to_{name}"] + p[f"b_{name}"]  # noqa: E731
    peep = lambda name: p.get(f"W_cell_to_{name}", np.zeros(H))  # noqa: E731
    for x_t in x:  # noqa: B007  pre reads it
        i = sigmoid(pre("ingate") + c * peep("ingate"))
        f = sigmoid(pre("forgetgate") + c * peep("forgetgate"))
        o, c = pre("outgate"), f * c + i * np.tanh(pre("cell"))
        h = sigmoid(o + c * peep("outgate")) * np.tanh(c)
        outputs.append(h)
    named = {f"lstm.{name}": array for name, array in p.items()} | {"out.W": draw(2, 2)}
    layer, state = fastrnn.LSTM.from_lasagne(named, prefix="lstm.")
    assert layer.peephole is peephole
    y, _ = layer(x, tuple(np.broadcast_to(s, (1, N, H)) for s in state))
    np.testing.assert_allclose(y, outputs, atol=1e-12)


def test_lasagne_gru(draw: Any) -> None:
    p = gate(draw, "updategate") | gate(draw, "resetgate") | gate(draw, "hidden_update")
    x, h, outputs = draw(T, N, I), np.zeros((N, H)), []
    for x_t in x:
        z, r, u = (
            (x_t @ p[f"W_in_to_{name}"] + p[f"b_{name}"], h @ p[f"W_hid_to_{name}"])
            for name in ("updategate", "resetgate", "hidden_update")
        )
        update = sigmoid(sum(z))
        h = (1 - update) * h + update * np.tanh(u[0] + sigmoid(sum(r)) * u[1])
        outputs.append(h)
    layer, state = fastrnn.GRU.from_lasagne(p)
    assert state is None
    np.testing.assert_allclose(layer(x)[0], outputs, atol=1e-12)


def test_lasagne_rnn(draw: Any) -> None:
    p = {"input_to_hidden.W": draw(I, H), "input_to_hidden.b": draw(H)}
    p |= {"hidden_to_hidden.W": 0.3 * draw(H, H), "hid_init": draw(1, H)}
    x, h = draw(T, N, I), np.tile(p["hid_init"], (N, 1))
    for x_t in x:
        h = np.maximum(
            x_t @ p["input_to_hidden.W"] + p["input_to_hidden.b"] + h @ p["hidden_to_hidden.W"], 0
        )
    layer, state = fastrnn.RNN.from_lasagne(p, nonlinearity="relu")
    np.testing.assert_allclose(layer(x, np.broadcast_to(state, (1, N, H)))[1][0], h, atol=1e-12)


def test_what_does_not_fit_is_named() -> None:
    ones = np.ones
    cases: list[tuple[type[Exception], str, Any]] = [
        (ValueError, r"params lacks \['W_in_to_hid', 'W_hid_to_hid'\] and has \['a'\]",
         lambda: fastrnn.RNN.from_lasagne({"a": ones(3)})),
        (ValueError, r"params has \['b'\] too many for RNN",
         lambda: fastrnn.RNN.from_lasagne(
             {"W_in_to_hid": ones((3, 4)), "W_hid_to_hid": ones((4, 4)), "b": ones(4)}
         )),
        (TypeError, "params must be a mapping", lambda: fastrnn.RNN.from_lasagne([ones(3)])),
    ]  # fmt: skip
    for error, words, call in cases:
        with pytest.raises(error, match=words):
            call()
