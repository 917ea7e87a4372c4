"""Why: a layer is a promise about how single runs are put together. Here each one is put together
by hand from the public functions, with every merge, sizes of their own, and both axis orders.
"""

import copy
import pickle
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import fastrnn

T, N, I, H, L = 5, 3, 4, 6, 3
LENGTHS = np.array([5, 0, 2])
MERGES = {
    "concat": lambda f, b: np.concatenate([f, b], axis=-1),
    "sum": lambda f, b: f + b,
    "mul": lambda f, b: f * b,
    "ave": lambda f, b: (f + b) / 2,
}
KINDS: dict[str, tuple[Any, Any, dict[str, Any]]] = {
    "rnn": (fastrnn.RNN, fastrnn.rnn, {"nonlinearity": "relu"}),
    "lstm": (fastrnn.LSTM, fastrnn.lstm, {}),
    "peephole": (fastrnn.LSTM, fastrnn.lstm, {"peephole": True}),
    "gru": (fastrnn.GRU, fastrnn.gru, {"reset_after": False}),
}


def make(kind: str, hidden_size: Any = H, num_layers: int = L, **options: Any) -> Any:
    """A float64 layer with reproducible weights."""
    options = {"dtype": np.float64, "rng": np.random.default_rng(3)} | options
    return KINDS[kind][0](I, hidden_size, num_layers, **KINDS[kind][2], **options)


def by_hand(kind: str, layer: Any, x: np.ndarray, state: Any, lengths: Any) -> tuple[Any, Any]:
    """The layer as single calls: y, and h (and c) as flat lists."""
    function, options = KINDS[kind][1], dict(KINDS[kind][2])
    options.pop("peephole", None)
    finals: list[Any] = []
    for l in range(layer.num_layers):
        outputs = []
        for d in range(2 if layer.bidirectional else 1):
            suffix = f"_l{l}" + ("_reverse" if d else "")
            weights = [
                layer.params.get(name + suffix)
                for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
            ]
            peephole = layer.params.get("weight_peephole" + suffix)
            more = {} if peephole is None else {"w_peephole": peephole}
            states = [] if state is None else [s[len(finals)] for s in state]
            y, final = function(
                x, *weights, *states, reverse=bool(d), lengths=lengths, **options, **more
            )
            outputs.append(y)
            finals.append(final if isinstance(final, tuple) else (final,))
        x = outputs[0] if len(outputs) == 1 else MERGES[layer.merge_mode](*outputs)
    return x, [list(part) for part in zip(*finals, strict=True)]


def as_pair(state: Any) -> tuple[Any, ...]:
    return state if isinstance(state, tuple) else (state,)


@pytest.mark.parametrize("bias", [True, False], ids=["bias", "no_bias"])
@pytest.mark.parametrize("merge_mode", [None, *MERGES])
@pytest.mark.parametrize("kind", KINDS)
def test_a_stack_is_its_single_runs(
    kind: str, merge_mode: str | None, bias: bool, backend: str, rng: Any
) -> None:
    both = {"bidirectional": True, "merge_mode": merge_mode} if merge_mode else {}
    layer = make(kind, bias=bias, **both)
    D = 2 if both else 1
    x = rng.standard_normal((T, N, I))
    state = tuple(rng.standard_normal((L * D, N, H)) for _ in as_pair(layer(x)[1]))
    given = state if len(state) == 2 else state[0]
    for lengths in (None, LENGTHS):
        y, final = layer(x, given, lengths=lengths)
        expected, finals = by_hand(kind, layer, x, state, lengths)
        np.testing.assert_array_equal(y, expected)
        assert y.shape == (T, N, D * H if merge_mode == "concat" else H)
        for got, parts in zip(as_pair(final), finals, strict=True):
            assert got.shape == (L * D, N, H)
            np.testing.assert_array_equal(got, np.stack(parts))
        trained, trained_final, _ = layer.forward(x, given, lengths=lengths)
        np.testing.assert_array_equal(trained, y)
        np.testing.assert_array_equal(np.array(trained_final), np.array(final))
    if not bias:
        assert not any("bias" in name for name in layer.params)


@pytest.mark.parametrize("kind", KINDS)
def test_each_layer_of_its_own_size(kind: str, backend: str, rng: Any) -> None:
    sizes = [6, 2, 7]
    layer = make(kind, sizes, 1, bidirectional=True)
    assert layer.num_layers == 3
    x = rng.standard_normal((T, N, I))
    state = [[rng.standard_normal((2, N, size)) for size in sizes] for _ in as_pair(layer(x)[1])]
    given = tuple(state) if len(state) == 2 else state[0]
    flat = [[part[d] for part in parts for d in range(2)] for parts in state]
    y, final = layer(x, given, lengths=LENGTHS)
    expected, finals = by_hand(kind, layer, x, flat, LENGTHS)
    np.testing.assert_array_equal(y, expected)
    for got, parts in zip(as_pair(final), finals, strict=True):
        assert [part.shape for part in got] == [(2, N, size) for size in sizes]
        for k, part in enumerate(parts):
            np.testing.assert_array_equal(got[k // 2][k % 2], part)
    y, final, tape = layer.forward(x, given, lengths=LENGTHS)
    grads = layer.backward(tape, np.ones_like(y), final)
    for got, parts in zip(as_pair(grads.state), state, strict=True):
        assert [part.shape for part in got] == [part.shape for part in parts]
    assert {name: g.shape for name, g in grads.params.items()} == {
        name: p.shape for name, p in layer.params.items()
    }


def test_sizes_may_be_an_array(tmp_path: Path) -> None:
    pytest.importorskip("safetensors")
    layer = fastrnn.GRU(2, np.array([4, 5]), rng=np.random.default_rng(0))
    assert layer.hidden_size == [4, 5]
    layer.save(tmp_path / "layer.safetensors")
    assert fastrnn.GRU.load(tmp_path / "layer.safetensors").hidden_size == [4, 5]
    for wrong in (np.array([[4, 5]]), np.array([4.0, 5.0])):
        with pytest.raises(TypeError, match="hidden_size"):
            fastrnn.GRU(2, wrong)


def test_a_list_of_one_size_still_gives_lists(backend: str) -> None:
    _y, states = make("gru", [H], 1)(np.ones((T, N, I)))
    assert isinstance(states, list)
    assert states[0].shape == (1, N, H)


@pytest.mark.parametrize("name", ["merge_mode", "dropout", "bidirectional", "hidden_size", "dtype"])
def test_what_a_layer_was_made_for_cannot_be_set(name: str) -> None:
    """It would have no effect: the layer ran on with what it was made with."""
    layer = fastrnn.LSTM(3, 4, num_layers=2, dropout=0.5, bidirectional=True)
    before = getattr(layer, name)
    with pytest.raises(AttributeError, match=f"{name} of a layer cannot be set.*another LSTM"):
        setattr(layer, name, before)
    for other in (layer, copy.copy(layer), pickle.loads(pickle.dumps(layer))):
        assert getattr(other, name) == before
    layer.batch_first = True
    assert layer(np.zeros((2, 5, 3), np.float32))[0].shape == (2, 5, 8)
    layer.note = "of mine"
    layer.note = "another"


@pytest.mark.parametrize("kind", KINDS)
def test_batch_first_and_one_sequence(kind: str, backend: str, rng: Any) -> None:
    layer = make(kind, bidirectional=True)
    other = make(kind, bidirectional=True, batch_first=True)
    x, dy = rng.standard_normal((T, N, I)), rng.standard_normal((T, N, 2 * H))
    y, state, tape = layer.forward(x, lengths=LENGTHS)
    swapped, other_state, other_tape = other.forward(x.swapaxes(0, 1), lengths=LENGTHS)
    assert swapped.flags.c_contiguous
    np.testing.assert_array_equal(swapped.swapaxes(0, 1), y)
    np.testing.assert_array_equal(np.array(other_state), np.array(state))
    grads = layer.backward(tape, dy, state)
    other_grads = other.backward(other_tape, dy.swapaxes(0, 1), other_state)
    np.testing.assert_array_equal(other_grads.x.swapaxes(0, 1), grads.x)

    row = 2
    given = np.array(state)[..., row : row + 1, :]
    given = given if len(as_pair(state)) == 1 else tuple(given)
    alone = tuple(s[:, 0] for s in given) if isinstance(given, tuple) else given[:, 0]
    for this in (layer, other):
        one = x[:, row : row + 1]
        one = one.swapaxes(0, 1) if this.batch_first else one
        y, final, tape = this.forward(one, given)
        single, single_final, single_tape = this.forward(x[:, row], alone)
        np.testing.assert_array_equal(single, y.reshape(T, 2 * H))
        np.testing.assert_array_equal(np.array(single_final), np.array(final)[..., 0, :])
        grads = this.backward(tape, y, final)
        single_grads = this.backward(single_tape, single, single_final)
        np.testing.assert_array_equal(single_grads.x, grads.x.reshape(T, I))
        np.testing.assert_array_equal(
            np.array(single_grads.state), np.array(grads.state)[..., 0, :]
        )


def test_one_sequence_both_ways_is_two_runs(rng: Any) -> None:
    """np.concatenate([h_f, h_b[::-1]], axis=1) of two one-way runs, exactly."""
    for kind in KINDS:
        layer = make(kind, num_layers=1, bidirectional=True, dtype=np.float32)
        ways = [make(kind, num_layers=1, dtype=np.float32) for _ in range(2)]
        for way, suffix in zip(ways, ("", "_reverse"), strict=True):
            way.set_params({name: layer.params[name + suffix] for name in way.params})
        x = rng.standard_normal((T, I)).astype(np.float32)
        h_f, h_b = ways[0](x)[0], ways[1](x[::-1])[0]
        np.testing.assert_array_equal(layer(x)[0], np.concatenate([h_f, h_b[::-1]], axis=1))


@pytest.mark.parametrize("kind", ["gru", "lstm"])
def test_what_comes_back_by_the_state(kind: str, backend: str, rng: Any) -> None:
    layer = make(kind)
    x, dy = rng.standard_normal((T, N, I)), rng.standard_normal((T, N, H))
    assert layer.backward(layer.forward(x)[2], dy).state is None
    h0 = rng.standard_normal((L, N, H))
    if kind == "gru":
        assert layer.backward(layer.forward(x, h0)[2], dy).state.shape == (L, N, H)
        return
    dh0, dc0 = layer.backward(layer.forward(x, (h0, None))[2], dy).state
    assert dh0.shape == (L, N, H)
    assert dc0 is None
    dh0, dc0 = layer.backward(layer.forward(x, (None, h0))[2], None, (None, h0)).state
    assert dh0 is None
    assert dc0.any()


@pytest.mark.parametrize("kind", KINDS)
def test_no_two_gradients_of_a_layer_share_memory(kind: str, backend: str, rng: Any) -> None:
    layer = make(kind, bidirectional=True, merge_mode="sum")
    x = rng.standard_normal((T, N, I))
    y, state, tape = layer.forward(x, layer(x)[1])
    dy = rng.standard_normal(y.shape)
    before = dy.copy()
    grads = layer.backward(tape, dy, state)
    arrays = [grads.x, *as_pair(grads.state), *grads.params.values()]
    others = [x, dy, y, *as_pair(state), *layer.params.values()]
    for k, array in enumerate(arrays):
        assert not any(np.shares_memory(array, other) for other in arrays[k + 1 :] + others)
    np.testing.assert_array_equal(dy, before)
    assert list(grads.params) == list(layer.params)


def test_a_layers_tape(backend: str, rng: Any) -> None:
    layer, twin = make("lstm", bidirectional=True), make("lstm", bidirectional=True)
    x = rng.standard_normal((T, N, I))
    y, _, tape = layer.forward(x)
    assert not y.flags.writeable
    assert layer(x)[0].flags.writeable
    assert tape.nbytes > 0
    assert len(tape.tapes) == 2 * L
    assert tape.tapes[0].gates.shape == (T, N, 4, H)
    assert tape.tapes[3].c.shape == (T, N, H)
    with pytest.raises(ValueError, match="tape must come from forward of this very layer"):
        twin.backward(tape)
    with pytest.raises(TypeError, match="tape must be what forward returned, got Tape"):
        layer.backward(tape.tapes[0])
    with pytest.raises(ValueError, match=r"dy must have shape \(T, N, D·H\) = \(5, 3, 12\)"):
        layer.backward(tape, np.ones((T, N, H)))
    with pytest.raises(
        ValueError, match=r"dstate\[1\] must have shape \(L·D, N, H\) = \(6, 3, 6\)"
    ):
        layer.backward(tape, None, (None, np.ones((L, N, H))))
    layer.backward(tape, np.ones_like(y))
    assert tape.nbytes == 0
    with pytest.raises(ValueError, match="tape: it has been used"):
        layer.backward(tape, np.ones_like(y))


def test_layers_can_be_copied_and_pickled(rng: Any) -> None:
    layer = make("peephole", bidirectional=True)
    x = rng.standard_normal((T, N, I))
    y, _ = layer(x)
    for other in (copy.deepcopy(layer), pickle.loads(pickle.dumps(layer))):
        np.testing.assert_array_equal(other(x)[0], y)
        other.params["weight_ih_l0"] = np.zeros_like(other.params["weight_ih_l0"])
        assert (other(x)[0] != y).any()
        np.testing.assert_array_equal(layer(x)[0], y)


def test_many_threads_call_one_layer(rng: Any) -> None:
    layer = make("gru", bidirectional=True, dtype=np.float32)
    x = rng.standard_normal((8, 20, N, I)).astype(np.float32)
    expected = [layer(part)[0] for part in x]
    assert layer.params  # so that the threads meet while packing
    found: list[Any] = [None] * 8
    start = threading.Barrier(8)

    def call(k: int) -> None:
        start.wait()
        for _ in range(10):
            found[k] = layer(x[k])[0]

    threads = [threading.Thread(target=call, args=(k,)) for k in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for got, one in zip(found, expected, strict=True):
        np.testing.assert_array_equal(got, one)


def test_empty_input(backend: str) -> None:
    layer = make("lstm", bidirectional=True)
    for shape in ((0, N, I), (T, 0, I), (0, 0, I)):
        y, (h_n, c_n), tape = layer.forward(np.zeros(shape))
        assert y.shape == (*shape[:2], 2 * H)
        assert h_n.shape == c_n.shape == (2 * L, shape[1], H)
        assert not h_n.any()
        grads = layer.backward(tape, y)
        assert grads.x.shape == shape
        assert not any(g.any() for g in grads.params.values())


def test_repr() -> None:
    assert repr(fastrnn.LSTM(3, 4)) == "LSTM(3, 4, dtype=float32)"
    layer = fastrnn.GRU(3, [4, 5], bidirectional=True, dropout=0.5, dtype=np.float64)
    assert (
        repr(layer)
        == "GRU(3, [4, 5], num_layers=2, dropout=0.5, bidirectional=True, dtype=float64)"
    )
    cases: list[tuple[Any, dict[str, Any]]] = [
        (fastrnn.RNN, {"nonlinearity": "relu"}),
        (fastrnn.GRU, {"reset_after": False, "activations": ("sigmoid", "relu")}),
        (fastrnn.LSTM, {"gates": "io", "activations": ("sigmoid", "tanh", "relu")}),
        (fastrnn.LSTM, {"input_forget": True}),
    ]
    for kind, options in cases:
        words = ", ".join(f"{name}={value!r}" for name, value in options.items())
        assert repr(kind(3, 4, **options)) == f"{kind.__name__}(3, 4, {words}, dtype=float32)"
