"""Why: libraries got gradients wrong only where layers and directions meet (oneDNN #784, #2556,
#3260; MXNet #17898, #18203: dy overwritten in bidirectional stacks of more than two layers).

Stacks of three layers, both directions, every gradient, the whole layer on the core against the
whole layer on the twins; and the stream against the sequence, to the bit.
"""

from typing import Any

import numpy as np
import pytest
from helpers.compare import assert_equals_twin, assert_identical
from helpers.tolerances import LAYERS_FACTOR

import fastrnn

KINDS: dict[str, tuple[str, dict[str, Any]]] = {
    "rnn_tanh": ("RNN", {}),
    "rnn_relu": ("RNN", {"nonlinearity": "relu"}),
    "rnn_sigmoid": ("RNN", {"nonlinearity": "sigmoid"}),
    "rnn_linear": ("RNN", {"nonlinearity": "linear"}),
    "lstm": ("LSTM", {}),
    "lstm_peephole": ("LSTM", {"peephole": True}),
    "gru_after": ("GRU", {}),
    "gru_before": ("GRU", {"reset_after": False}),
}
T, N, I, H, L = 6, 4, 7, 9, 3


def make(kind: str, **options: Any) -> Any:
    """A layer with reproducible weights."""
    name, more = KINDS[kind]
    options = {"num_layers": L, "rng": np.random.default_rng(7)} | more | options
    return getattr(fastrnn, name)(options.pop("input_size", I), options.pop("H", H), **options)


def arrays(layer: Any, kind: str, rng: np.random.Generator, dtype: Any, width: int) -> dict:
    """x, state, lengths and upstream gradients for a layer."""
    depth = L * (2 if layer.bidirectional else 1)

    def normal(*shape: int) -> np.ndarray:
        return rng.standard_normal(shape).astype(dtype)

    def state() -> Any:
        h = normal(depth, N, H)
        return (h, normal(depth, N, H)) if kind.startswith("lstm") else h

    return {
        "x": normal(T, N, I),
        "state": state(),
        "dy": normal(T, N, width),
        "dstate": state(),
        "lengths": np.array([T, 0, 3, 5]),
    }


def run(layer: Any, given: dict, ragged: bool) -> dict[str, np.ndarray]:
    """Everything the layer gives back, in one dictionary."""
    lengths = given["lengths"] if ragged else None
    y, state, tape = layer.forward(given["x"], given["state"], lengths=lengths)
    grads = layer.backward(tape, given["dy"], given["dstate"])
    results = {"y": y, "dx": grads.x}
    for prefix, pair in (("", state), ("d", grads.state)):
        names = ("h_n", "c_n") if not prefix else ("dh0", "dc0")
        results |= dict(zip(names, pair if isinstance(pair, tuple) else (pair,), strict=False))
    assert set(grads.params) == set(layer.params)
    return results | {f"d{name}": array for name, array in grads.params.items()}


@pytest.mark.check(2)
@pytest.mark.parametrize("merge_mode", ["concat", "sum", "mul", "ave"])
@pytest.mark.parametrize("ragged", [False, True], ids=["whole", "ragged"])
@pytest.mark.parametrize("kind", KINDS)
def test_three_bidirectional_layers(
    kind: str, ragged: bool, merge_mode: str, isa: str, rng: np.random.Generator
) -> None:
    layer = make(kind, bidirectional=True, merge_mode=merge_mode, dtype=np.float64)
    given = arrays(layer, kind, rng, np.float64, 2 * H if merge_mode == "concat" else H)
    dy = given["dy"].copy()
    actual = run(layer, given, ragged)
    assert np.array_equal(given["dy"], dy), "dy was overwritten"
    with fastrnn.use_backend("reference"):
        expected = run(layer, given, ragged)
    assert_equals_twin(actual, expected, np.float64, isa, LAYERS_FACTOR)
    assert_identical(run(layer, given, ragged), actual, f"{isa}, second run")


@pytest.mark.check(2)
@pytest.mark.parametrize("kind", KINDS)
def test_three_layers_in_float32(kind: str, isa: str, rng: np.random.Generator) -> None:
    layer = make(kind, bidirectional=True)
    given = arrays(layer, kind, rng, np.float32, 2 * H)
    wide = make(kind, bidirectional=True, dtype=np.float64)
    wide.load_state_dict({k: v.astype(np.float64) for k, v in layer.state_dict().items()})
    with fastrnn.use_backend("reference"):
        expected = run(wide, _widened(given), ragged=True)
    actual = run(layer, given, ragged=True)
    assert_equals_twin(actual, expected, np.float32, isa, LAYERS_FACTOR)


def _widened(value: Any) -> Any:
    if isinstance(value, dict):
        return {k: v if k == "lengths" else _widened(v) for k, v in value.items()}
    if isinstance(value, tuple):
        return tuple(_widened(v) for v in value)
    return value.astype(np.float64)


@pytest.mark.parametrize("kind", KINDS)
def test_bidirectional_is_two_one_way_runs(kind: str, isa: str, rng: np.random.Generator) -> None:
    """For one sequence, np.concatenate([h_f, h_b[::-1]], axis=1), exactly."""
    both = make(kind, num_layers=1, bidirectional=True)
    ways = [make(kind, num_layers=1) for _ in range(2)]
    for way, suffix in zip(ways, ("", "_reverse"), strict=True):
        way.load_state_dict({name: both.params[name + suffix] for name in way.params})
    x = rng.standard_normal((T, I)).astype(np.float32)
    h_f, h_b = ways[0](x)[0], ways[1](np.ascontiguousarray(x[::-1]))[0]
    expected = np.concatenate([h_f, h_b[::-1]], axis=1)
    assert_identical({"y": both(x)[0]}, {"y": expected}, isa)


@pytest.mark.check(7)
@pytest.mark.parametrize("batch", [1, 2, 5])
@pytest.mark.parametrize("kind", KINDS)
def test_stream_equals_the_sequence(
    kind: str, batch: int, isa: str, dtype: np.dtype, rng: np.random.Generator
) -> None:
    layer = make(kind, dtype=dtype)
    x = rng.standard_normal((T, batch, I)).astype(dtype)
    y, state = layer(x)
    final = state if isinstance(state, tuple) else (state,)
    for pieces in ([1] * T, [T], [2, 3, 1]):
        stream, found, start = layer.stream(batch), [], 0
        for steps in pieces:
            chunk = x[start : start + steps]
            found.append(stream.step(chunk[0])[None] if steps == 1 else stream.run(chunk))
            start += steps
        assert_identical({"y": np.concatenate(found)}, {"y": y}, f"{isa} {pieces}")
        states = stream.state if isinstance(stream.state, tuple) else (stream.state,)
        for one, other in zip(states, final, strict=True):
            assert_identical({"state": np.asarray(one)}, {"state": other}, f"{isa} {pieces}")


@pytest.mark.check(7)
@pytest.mark.parametrize("kind", KINDS)
def test_layer_row_alone_equals_row_in_batch(
    kind: str, isa: str, dtype: np.dtype, rng: np.random.Generator
) -> None:
    layer = make(kind, bidirectional=True, dtype=dtype)
    x = rng.standard_normal((T, 5, I)).astype(dtype)
    y, _ = layer(x)
    for row in range(5):
        alone, _ = layer(np.ascontiguousarray(x[:, row : row + 1]))
        assert_identical({"y": alone}, {"y": y[:, row : row + 1]}, f"{isa} row {row}")


@pytest.mark.parametrize("kind", KINDS)
def test_training_and_inference_give_the_same_bits(
    kind: str, isa: str, rng: np.random.Generator
) -> None:
    layer = make(kind, bidirectional=True)
    x = rng.standard_normal((T, N, I)).astype(np.float32)
    assert_identical({"y": layer.forward(x)[0]}, {"y": layer(x)[0]}, isa)
