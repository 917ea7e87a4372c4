"""Why: layers, streams and single steps have arguments of their own; thousands of calls, each wrong
in one of them, must end in an explained error and leave the next good call right.
"""

from typing import Any

import malformed
import numpy as np
import pytest
from malformed import Subject

import fastrnn

T, N, I, H = 5, 3, 4, 6
LEAST = 1000  # calls in this file
LENGTHS = np.array([5, 2, 0])
KINDS = {"RNN": fastrnn.RNN, "LSTM": fastrnn.LSTM, "GRU": fastrnn.GRU}
made: list[int] = []


def of_states(name: str, good: Any, shape: tuple[int, ...], dtype: Any) -> list[malformed.Mutation]:
    """Bad states: each array of a pair wrong in turn, or the state itself."""
    array = np.zeros(shape, dtype)
    if not isinstance(good, tuple):
        return list(malformed.array(array, required=False))
    wrong: list[malformed.Mutation] = []
    for label, value in malformed.array(array, required=False):
        wrong += [(label, (value, array)), (label, (array, value))]
    return [*wrong, ("an array", array), ("three", (array,) * 3), ("a string", "hc"), ("one", (array,))]


def make(kind: str, dtype: Any) -> tuple[Any, np.ndarray, Any]:
    """A layer, its x and its state."""
    layer = KINDS[kind](I, H, 2, dtype=dtype, rng=np.random.default_rng(0))
    state = np.zeros((2, N, H), dtype)
    return layer, np.ones((T, N, I), dtype), (state, state.copy()) if kind == "LSTM" else state


@pytest.mark.parametrize("method", ["__call__", "forward"])
@pytest.mark.parametrize("kind", KINDS)
def test_calls(kind: str, method: str, dtype: np.dtype) -> None:
    layer, x, state = make(kind, dtype)
    expected, _ = layer(x, state)
    good = {"x": x, "state": state, "lengths": LENGTHS}
    wrong = {
        "x": [m for m in malformed.array(x, free=(0,)) if m[0] != "rank 1"],
        "state": of_states("state", state, (2, N, H), dtype),
        "lengths": malformed.lengths(LENGTHS, T, strict=False),
    }
    if method == "forward":
        good["training"] = True
        wrong["training"] = malformed.of(*malformed.NO_FLAGS)
        wrong["rng"] = malformed.of(0, "seed", np.random, object())
    made.append(Subject(f"{kind}.{method}", getattr(layer, method), good, wrong).run())
    np.testing.assert_array_equal(layer(x, state)[0], expected)


@pytest.mark.parametrize("kind", KINDS)
def test_backward(kind: str, dtype: np.dtype) -> None:
    layer, x, state = make(kind, dtype)
    y, final, tape = layer.forward(x, state)
    spent = layer.forward(x)[2]
    layer.backward(spent)
    foreign = make(kind, dtype)[0].forward(x)[2]
    good = {"tape": tape, "dy": np.ones_like(y), "dstate": final}
    wrong = {
        "tape": malformed.of(None, "tape", 1, spent, foreign, tape.tapes[0]),
        "dy": malformed.array(np.ones_like(y), required=False),
        "dstate": of_states("dstate", final, (2, N, H), dtype),
    }
    made.append(Subject(f"{kind}.backward", layer.backward, good, wrong).run())
    layer.backward(**good)


@pytest.mark.parametrize("kind", KINDS)
def test_streams(kind: str, dtype: np.dtype) -> None:
    layer, x, _ = make(kind, dtype)
    s = layer.stream(N)
    out = np.zeros((N, H), dtype)
    outs = [m for m in malformed.output(out, required=False) if m[0] != "gaps"]
    wrong = {"x_t": malformed.array(x[0]), "out": outs}
    made.append(Subject(f"{kind}.step", s.step, {"x_t": x[0], "out": out}, wrong).run())
    chunks = [m for m in malformed.array(x, free=(0,)) if m[0] != "rank 1"]
    made.append(Subject(f"{kind}.run", s.run, {"chunk": x}, {"chunk": chunks}).run())
    np.testing.assert_array_equal(s.run(x), layer(x)[0])


@pytest.mark.parametrize("family", ["rnn", "lstm", "gru"])
def test_cells(family: str, dtype: np.dtype) -> None:
    G = {"rnn": 1, "lstm": 4, "gru": 3}[family]
    h = np.zeros((N, H), dtype)
    name = "state" if family == "lstm" else "h"
    good: dict[str, Any] = {
        "x_t": np.ones((N, I), dtype),
        name: (h, h.copy()) if family == "lstm" else h,
        "w_ih": np.ones((G * H, I), dtype),
        "w_hh": np.ones((G * H, H), dtype),
        "b_ih": np.ones(G * H, dtype),
        "b_hh": np.ones(G * H, dtype),
    }
    wrong: dict[str, Any] = {
        key: malformed.array(good[key], required=key[0] in "xw", free=(0,) if key == "x_t" else ())
        for key in good
        if key not in (name, "x_t")
    }
    wrong["x_t"] = malformed.array(good["x_t"])
    if family == "lstm":
        wrong["state"] = malformed.of("hc", h, (h,), (h, h, h), 1.0, {"h": h})
    else:
        wrong["h"] = malformed.array(h, required=False, vector=True)
    wrong["num_threads"] = malformed.of(*malformed.NO_COUNTS, 0, True)
    function = getattr(fastrnn, f"{family}_cell")
    made.append(Subject(function.__name__, function, good, wrong).run())
    function(**good)


def test_enough_calls_were_made() -> None:
    if len(made) < 30:
        pytest.skip("only a part of the file was run")
    assert sum(made) >= LEAST, sum(made)
