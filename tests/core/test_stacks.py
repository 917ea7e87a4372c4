"""Why: libraries got gradients wrong only where layers and directions meet (oneDNN #784, #2556,
#3260; MXNet #17898, #18203: dy overwritten in bidirectional stacks of more than two layers).

Stacks of three layers, both directions, every gradient, the whole layer on the core against the
whole layer on the twins; and the stream against the sequence, to the bit.
"""

from typing import Any

import numpy as np
import pytest
from helpers.compare import assert_equals_twin, assert_identical
from helpers.runners import forced_plan
from helpers.tolerances import LAYERS_FACTOR

import fastrnn
from fastrnn import _core

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


@pytest.mark.check(6)
@pytest.mark.parametrize("merge_mode", [None, "concat", "sum"])
@pytest.mark.parametrize("ragged", [False, True], ids=["whole", "ragged"])
@pytest.mark.parametrize("kind", KINDS)
def test_directions_and_layers_side_by_side(
    kind: str, ragged: bool, merge_mode: str | None, isa: str, dtype: np.dtype,
    rng: np.random.Generator,
) -> None:  # fmt: skip
    """A thread for each direction, or layer, gives the bits of one thread, whatever the chunks."""
    both = {} if merge_mode is None else {"bidirectional": True, "merge_mode": merge_mode}
    layer = make(kind, dtype=dtype, **both)
    given = arrays(layer, kind, rng, dtype, 2 * H if merge_mode == "concat" else H)
    with fastrnn.threads(1):
        one, alone = run(layer, given, ragged), layer(given["x"])[0]
    for chunk in (0, 1, 2):
        with forced_plan("calls", chunk), fastrnn.threads(2):
            assert_identical(run(layer, given, ragged), one, f"{isa}, chunks of {chunk}")
            assert_identical({"y": layer(given["x"])[0]}, {"y": alone}, f"{isa}, inference")


OPTIONS: list[tuple[str, dict[str, Any]]] = [
    ("LSTM", {"layer_norm": True}),
    ("LSTM", {"proj_size": 5}),
    ("LSTM", {"peephole": "full", "zoneout": (0.2, 0)}),
    ("GRU", {"recurrent_dropout": 0.3, "weight_drop": 0.2, "dropout": 0.4}),
    ("RNN", {"zoneout": 0.3}),
    ("LSTM", {"compute_dtype": "bfloat16"}),
]


@pytest.mark.check(6)
@pytest.mark.parametrize(("layers", "both"), [(2, True), (2, False), (5, False)])
@pytest.mark.parametrize(("name", "options"), OPTIONS, ids=lambda v: v if v is str else str(v))
def test_options_side_by_side(
    name: str, options: dict[str, Any], layers: int, both: bool, rng: np.random.Generator
) -> None:
    width = options.get("proj_size", H) * (1 + both)
    x, dy = (rng.standard_normal((40, 2, n)).astype(np.float32) for n in (I, width))

    def results() -> dict[str, np.ndarray]:
        made = np.random.default_rng(7)
        layer = getattr(fastrnn, name)(I, H, layers, bidirectional=both, rng=made, **options)
        plain = layer(x)[0]
        y, _, tape = layer.forward(x, rng=np.random.default_rng(8))
        grads = layer.backward(tape, dy, truncate=7, clip_step=0.5)
        narrow = {
            kind: layer.quantize(kind)(x)[0]
            for kind in ("int8", "bfloat16")
            if "layer_norm" not in options or kind == "bfloat16"
        }
        return {"plain": plain, "y": y, "dx": grads.x} | grads.params | narrow

    for chunk in (0, 1):
        with forced_plan("calls", chunk), fastrnn.threads(1):
            one = results()
        with forced_plan("calls", chunk), fastrnn.threads(2):
            assert_identical(results(), one, f"{name} {options}, chunks of {chunk}")


@pytest.mark.parametrize("threads", [1, 2])
def test_a_fault_of_one_costs_neither_tape(threads: int, rng: np.random.Generator) -> None:
    w_ih, w_hh, x = (rng.standard_normal(s) for s in ((3 * H, I), (3 * H, H), (T, N, I)))

    def forward_of(tape: Any, w: np.ndarray = w_ih) -> tuple:
        cell, nothing = _core.Cell.gru_after, [None] * 6
        return (cell, x, w, w_hh, *nothing, True, True, True, False, threads, tape)

    def backward_of(tape: Any, y: np.ndarray, add: bool, dh_n: Any = None) -> tuple:
        more = (True,) * 4, (None, None, True, threads, None, None, True, True, add)
        return (tape, y, dh_n, None, True, *more[0], *more[1])

    with forced_plan("calls", 0):
        tapes = [_core.Tape(), _core.Tape()]
        with pytest.raises(ValueError, match="w_ih"):
            _core.rnn_forward_both(forward_of(tapes[0]), forward_of(tapes[1], w_ih[1:]))
        with pytest.raises(TypeError, match="float64"):
            _core.rnn_forward_both(
                forward_of(tapes[0]), forward_of(tapes[1], w_ih.astype(np.float32))
            )
        with pytest.raises(ValueError, match="in use by another call"):
            _core.rnn_forward_both(forward_of(tapes[0]), forward_of(tapes[0]))
        assert [tape.nbytes for tape in tapes] == [0, 0]
        ((y, *_), (z, *_)) = _core.rnn_forward_both(*map(forward_of, tapes))
        wrong = np.zeros((N, H + 1))
        with pytest.raises(ValueError, match="dh_n"):
            _core.rnn_backward_both(
                backward_of(tapes[0], y, False), backward_of(tapes[1], z, True, wrong)
            )
        assert [tape.spent for tape in tapes] == [False, False]
        first, second = _core.rnn_backward_both(
            backward_of(tapes[0], y, False), backward_of(tapes[1], z, True)
        )
    assert [tape.spent for tape in tapes] == [True, True]
    assert first[0] is second[0]
    tape = _core.Tape()
    _core.rnn_forward(*forward_of(tape))
    alone = _core.rnn_backward(*backward_of(tape, y, False))
    assert_identical({"dw_hh": second[2]}, {"dw_hh": alone[2]}, "a single call")
    assert np.allclose(first[0], 2 * alone[0])


@pytest.mark.parametrize("reverse", [(False, False), (True, True), (False, True)])
@pytest.mark.parametrize("lengths", [(None, None), (4, 4), (4, 6), (None, 4)])
def test_a_call_that_needs_the_other(
    reverse: tuple[bool, bool], lengths: tuple[Any, Any], rng: np.random.Generator
) -> None:
    """The second's x is the first's y; on the way back the second layer's call comes first."""
    w_ih, w_hh, x = (rng.standard_normal(s) for s in ((3 * H, H), (3 * H, H), (T, 1, H)))
    cell, nothing = _core.Cell.gru_after, [None] * 5

    def forward_of(k: int, x: np.ndarray, y: np.ndarray, tape: Any) -> tuple:
        steps = None if lengths[k] is None else np.array([lengths[k]])
        return (
            cell, x, w_ih, w_hh, *nothing, steps, y, True, True, reverse[k], 2, tape,
        )  # fmt: skip

    def backward_of(tape: Any, dy: np.ndarray, dx: np.ndarray) -> tuple:
        return (tape, dy, None, None, dx, *[True] * 4, None, None, True, 2)

    def results(both: Any, both_back: Any, chunk: int) -> dict[str, np.ndarray]:
        tapes = _core.Tape(), _core.Tape()
        mid, y, dmid, dx = (np.full((T, 1, H), np.nan) for _ in range(4))
        with forced_plan("calls", chunk):
            both(forward_of(0, x, mid, tapes[0]), forward_of(1, mid, y, tapes[1]))
            of_second, of_first = both_back(
                backward_of(tapes[1], np.ones_like(y), dmid), backward_of(tapes[0], dmid, dx)
            )
        grads = {f"{k} {i}": g for k, of in enumerate((of_first, of_second))
                 for i, g in enumerate(of) if g is not None}  # fmt: skip
        return {"mid": mid, "y": y, "dmid": dmid, "dx": dx} | grads

    def one_by_one(function: Any) -> Any:
        return lambda first, second: (function(*first), function(*second))

    alone = results(one_by_one(_core.rnn_forward), one_by_one(_core.rnn_backward), 0)
    for chunk in (0, 1, 2):
        together = results(_core.rnn_forward_both, _core.rnn_backward_both, chunk)
        assert_identical(together, alone, f"chunks of {chunk}")


@pytest.mark.parametrize("N", [1, 8, 9])
@pytest.mark.parametrize("sizes", [[9, 9, 9, 9], [9, 5, 7]])
def test_layers_that_follow_each_other(sizes: list[int], N: int, rng: np.random.Generator) -> None:
    """Also of different sizes, and with checks of what was changed; as the twins do."""
    gru = fastrnn.GRU(I, sizes, rng=np.random.default_rng(7))
    x, dy = (rng.standard_normal((30, N, width)).astype(np.float32) for width in (I, sizes[-1]))

    def results() -> dict[str, np.ndarray]:
        y, _, tape = gru.forward(x)
        grads = gru.backward(tape, dy)
        return {"y": y, "dx": grads.x} | grads.params

    with fastrnn.threads(1):
        alone = results()
    with forced_plan("calls", 1), fastrnn.threads(2):
        assert_identical(results(), alone, "two threads")
        fastrnn.set_debug(True)
        try:
            assert_identical(results(), alone, "with checks")
        finally:
            fastrnn.set_debug(False)
    with fastrnn.use_backend("reference"):
        twin = results()
    for name, array in twin.items():
        np.testing.assert_allclose(array, alone[name], rtol=1e-4, atol=1e-4, err_msg=name)


def test_two_calls_are_two_tuples() -> None:
    for both in (_core.rnn_forward_both, _core.rnn_backward_both):
        for wrong in ((), ((),), ((), []), ((), (), ())):
            with pytest.raises(TypeError):
                both(*wrong)
        with pytest.raises(TypeError, match="needs the argument"):
            both((), ())
