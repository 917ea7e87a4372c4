"""Why: layers, streams and switches stand between a user's mistake and the strict core. A wrong
option, state, weight dictionary or step is refused by name, and leaves the object as it was.
"""

from typing import Any

import numpy as np
import pytest
from helpers import malformed
from helpers.compare import assert_identical
from helpers.malformed import Subject

import fastrnn
from fastrnn import _core

T, N, I, H, L = 5, 3, 4, 6, 2
LAYERS = {
    "RNN": {"nonlinearity": malformed.of("tanhs", "", None, 3)},
    "GRU": {"reset_after": malformed.of(*malformed.NO_FLAGS)},
    "LSTM": {
        "peephole": malformed.of(*malformed.NO_FLAGS),
        "forget_bias": malformed.of("1", None, np.nan, np.inf, [1.0], 1j),
        "proj_size": malformed.of(H, -1, 2.5, "4"),
    },
}
NO_SIZES = (-1, 1.5, "4", None, 2**62, float("nan"), True)
NO_RATES = (-0.1, 1.5, "0.5", None, np.nan, [0.1])


def make(kind: str, **options: Any) -> Any:
    return getattr(fastrnn, kind)(I, H, L, rng=np.random.default_rng(4), **options)


def sample(dtype: Any = np.float32) -> np.ndarray:
    return np.random.default_rng(5).standard_normal((T, N, I)).astype(dtype)


@pytest.mark.check(10)
@pytest.mark.parametrize("kind", LAYERS)
def test_options_of_the_constructor(kind: str) -> None:
    good = {"input_size": I, "hidden_size": H, "num_layers": L}
    wrong: dict[str, Any] = {
        "input_size": malformed.of(*NO_SIZES),
        "hidden_size": malformed.of(*NO_SIZES, 0, [], [4, 0], [4, -1], [4, 5, 6], [4, "5"], "ab"),
        "num_layers": malformed.of(*NO_SIZES, 0),
        "bias": malformed.of(*malformed.NO_FLAGS),
        "batch_first": malformed.of(*malformed.NO_FLAGS),
        "bidirectional": malformed.of(*malformed.NO_FLAGS),
        "dropout": malformed.of(*NO_RATES),
        "recurrent_dropout": malformed.of(*NO_RATES),
        "zoneout": malformed.of(*NO_RATES),
        "weight_drop": malformed.of(*NO_RATES),
        "layer_norm": malformed.of(1, None, "x"),
        "merge_mode": malformed.of("max", "", None, 3, "Concat"),
        "dtype": malformed.of(np.float16, np.int32, "complex64", "no", object, bool),
        "rng": malformed.of(42, "seed", np.random, object()),
        **LAYERS[kind],
    }
    assert Subject(kind, getattr(fastrnn, kind), good, wrong).run() > 80


@pytest.mark.check(10)
@pytest.mark.parametrize("call", ["plain", "forward"])
@pytest.mark.parametrize("batch_first", [False, True], ids=["time", "batch"])
@pytest.mark.parametrize("kind", LAYERS)
def test_arguments_of_a_call(kind: str, batch_first: bool, call: str, dtype: np.dtype) -> None:
    layer = make(kind, batch_first=batch_first, dtype=dtype)
    x = sample(dtype).swapaxes(0, 1).copy() if batch_first else sample(dtype)
    lengths, state = np.array([5, 0, 3]), np.zeros((L, N, H), dtype)
    pair = kind == "LSTM"
    good = {"x": x, "state": (state, state.copy()) if pair else state, "lengths": lengths}
    free = (1,) if batch_first else (0,)
    bad_states = malformed.array(state, required=False)
    wrong: dict[str, Any] = {
        "x": [*malformed.array(x, free=free)],
        "lengths": malformed.lengths(lengths, T, strict=False),
        "state": [(label, (bad, state) if pair else bad) for label, bad in bad_states],
    }
    if pair:
        wrong["state"] += malformed.of(state, (state,), (state,) * 3, "ab", {"h": state})
        bad_states = malformed.array(state, required=False)
        wrong["state"] += [(label, (state, bad)) for label, bad in bad_states]
    else:
        wrong["state"] += malformed.of((state, state))
    if call == "forward":
        wrong["training"] = malformed.of(*malformed.NO_FLAGS)
        wrong["rng"] = malformed.of(42, "seed", object())
    function = layer if call == "plain" else layer.forward
    before, y = layer.state_dict(), layer(x)[0]
    Subject(f"{kind} {call}", function, good, wrong).run()
    assert_identical(layer.state_dict(), before)
    assert_identical({"y": layer(x)[0]}, {"y": y}, "the next good call")


@pytest.mark.check(10)
@pytest.mark.parametrize("kind", LAYERS)
def test_arguments_of_backward(kind: str) -> None:
    layer, other = make(kind), make(kind)
    x, state = sample(), np.zeros((L, N, H), np.float32)
    y, _, tape = layer.forward(x)
    pair = kind == "LSTM"
    dstate = (state, state.copy()) if pair else state
    bad_states = malformed.array(state, required=False)
    wrong: dict[str, Any] = {
        "tape": malformed.of(None, "tape", 1, other.forward(x)[2], _core.Tape()),
        "dy": malformed.array(np.ones_like(y), required=False),
        "dstate": [(label, (bad, state) if pair else bad) for label, bad in bad_states],
    }
    good = {"tape": tape, "dy": np.ones_like(y), "dstate": dstate}
    Subject(f"{kind}.backward", layer.backward, good, wrong).run()
    grads = layer.backward(**good)
    _, _, again = layer.forward(x)
    assert_identical({"x": grads.x}, {"x": layer.backward(again, np.ones_like(y), dstate).x})
    with pytest.raises(ValueError, match="tape"):
        layer.backward(tape)


@pytest.mark.check(10)
@pytest.mark.parametrize("kind", LAYERS)
def test_weight_dictionaries(kind: str) -> None:
    layer = make(kind)
    weights, x = layer.state_dict(), sample()
    y, _ = layer(x)
    for name, array in weights.items():
        for label, bad in malformed.array(array, required=True):
            if label.startswith("dtype other"):
                continue  # a documented cast to the layer's dtype, or refused: tested with layers
            with pytest.raises((TypeError, ValueError, MemoryError), match=name):
                layer.load_state_dict(weights | {name: bad})
            assert_identical({"y": layer(x)[0]}, {"y": y}, f"after {name}: {label}")
        missing = {key: value for key, value in weights.items() if key != name}
        with pytest.raises(ValueError, match=name):
            layer.load_state_dict(missing)
    with pytest.raises(ValueError, match="weight_ih_l7"):
        layer.load_state_dict(weights | {"weight_ih_l7": weights["weight_ih_l0"]})
    for bad in (None, 3, "abc", [1, 2]):
        with pytest.raises(TypeError, match="state_dict"):
            layer.load_state_dict(bad)
    assert_identical({"y": layer(x)[0]}, {"y": y})


@pytest.mark.check(10)
@pytest.mark.parametrize("kind", LAYERS)
def test_steps_of_a_stream(kind: str) -> None:
    layer, x = make(kind), sample()
    for size in (-1, 1.5, "2", None, True):
        with pytest.raises((TypeError, ValueError), match="batch_size"):
            layer.stream(size)
    with pytest.raises(ValueError, match="bidirectional"):
        make(kind, bidirectional=True).stream()
    stream = layer.stream(N)
    first = stream.step(x[0])
    out = np.zeros((N, H), np.float32)
    frozen = out.copy()
    frozen.flags.writeable = False
    outs = [m for m in malformed.array(out, required=False) if m[0] != "absent"]
    Subject(
        "step",
        stream.step,
        {"x_t": x[1], "out": None},
        {"x_t": malformed.array(x[1]), "out": [*outs, ("read-only", frozen), ("over x", x[1])]},
    ).run()
    Subject("run", stream.run, {"chunk": x[1:]}, {"chunk": malformed.array(x[1:], free=(0,))}).run()
    for rows in ([3], [-1], [0.5], "ab", [True, False], [[True] * N], 1.5, np.array([1j])):
        with pytest.raises((TypeError, ValueError), match="rows"):
            stream.reset(rows)
    rest = stream.run(x[1:])
    assert_identical({"y": np.concatenate([first[None], rest])}, {"y": layer(x)[0]})


@pytest.mark.check(10)
def test_switches() -> None:
    before = fastrnn.isa(), fastrnn.get_num_threads()
    subjects = [
        Subject(
            "set_isa", fastrnn.set_isa, {}, {"name": malformed.of("AVX2", "", None, 3, b"avx2")}
        ),
        Subject(
            "set_num_threads",
            fastrnn.set_num_threads,
            {},
            {"num_threads": malformed.of(*malformed.NO_COUNTS, 0, True, None)},
        ),
        Subject("_core.set_isa", _core.set_isa, {}, {"name": malformed.of(None, 3)}),
        Subject("_core.force_plan", _core.force_plan, {}, {"split": malformed.of("both", 3)}),
        Subject(
            "_core.force_plan",
            _core.force_plan,
            {},
            {"chunk_steps": malformed.of(-1, 1.5, "2", None)},
        ),
        Subject("compiled_isa", _core.compiled_isa, {}, {"dtype": malformed.of("f4", "", None, 4)}),
    ]
    assert sum(subject.run() for subject in subjects) > 25
    for bad in (*malformed.NO_COUNTS, 0, None):
        with pytest.raises((TypeError, ValueError), match=r"num_threads|incompatible"):
            _core.set_num_threads(bad)
    for block, bad in (
        (fastrnn.threads, 0),
        (fastrnn.use_backend, "torch"),
        (fastrnn.threads, "2"),
    ):
        with pytest.raises((TypeError, ValueError)), block(bad):
            pass
    assert (fastrnn.isa(), fastrnn.get_num_threads()) == before


@pytest.mark.check(10)
def test_activation_hook() -> None:
    x, y = np.linspace(-1, 1, 9), np.zeros(9)
    Subject(
        "apply_activation",
        _core.apply_activation,
        {"name": "tanh", "x": x, "y": y},
        {
            "name": malformed.of("relu", "", None, 3),
            "x": malformed.array(x, strict=True, unit_last=True),
            "y": malformed.output(y),
        },
        strict=True,
    ).run()


def test_single_steps() -> None:
    """lstm_cell, gru_cell, rnn_cell."""
    rng = np.random.default_rng(6)
    for name, G in (("rnn_cell", 1), ("gru_cell", 3), ("lstm_cell", 4)):
        shapes = {"w_ih": (G * H, I), "w_hh": (G * H, H), "b_ih": (G * H,), "b_hh": (G * H,)}
        good: dict[str, Any] = {"x_t": sample()[0]}
        state = rng.standard_normal((N, H)).astype(np.float32)
        good |= {k: rng.standard_normal(s).astype(np.float32) for k, s in shapes.items()}
        wrong: dict[str, Any] = {
            k: malformed.array(v, required=k[0] != "b") for k, v in good.items()
        }
        wrong["num_threads"] = malformed.of(*malformed.NO_COUNTS, 0)
        bad = malformed.array(state, required=False, vector=True)
        if G == 4:
            good["state"] = (state, state.copy())
            wrong["state"] = [*malformed.of(state, (state,), "ab", 3)]
            wrong["state"] += [(label, (state, value)) for label, value in bad]
        else:
            good["h"], wrong["h"] = state, bad
        assert Subject(name, getattr(fastrnn, name), good, wrong).run() > 100
