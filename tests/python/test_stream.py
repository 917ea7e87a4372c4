"""Why: a stream carries state between calls, so a mistake shows up only many steps later. What it
gives must be the whole sequence's numbers, whatever happened in between.
"""

from typing import Any

import numpy as np
import pytest

import fastrnn

T, N, I, H = 7, 3, 4, 6


def make(kind: str = "LSTM", **options: Any) -> Any:
    options = {"num_layers": 2, "rng": np.random.default_rng(5)} | options
    return getattr(fastrnn, kind)(I, options.pop("hidden_size", H), **options)


@pytest.fixture
def x(rng: np.random.Generator) -> np.ndarray:
    """A batch of sequences."""
    return rng.standard_normal((T, N, I)).astype(np.float32)


def parts(state: Any) -> list[np.ndarray]:
    """All arrays of a state in whatever form."""
    return [state] if isinstance(state, np.ndarray) else [a for s in state for a in parts(s)]


@pytest.mark.check(7)
@pytest.mark.parametrize("options", [{}, {"hidden_size": [6, 3]}, {"batch_first": True}], ids=str)
@pytest.mark.parametrize("kind", ["RNN", "LSTM", "GRU"])
def test_steps_and_chunks_make_the_sequence(
    kind: str, options: dict[str, Any], backend: str, x: np.ndarray
) -> None:
    layer = make(kind, **options)
    axis = 1 if layer.batch_first else 0
    whole = np.swapaxes(x, 0, axis)
    y, final = layer(whole)
    s = layer.stream(N)
    first = s.step(x[0])
    middle = s.run(np.swapaxes(x[1:4], 0, axis))
    none = s.run(np.swapaxes(x[4:4], 0, axis))
    assert none.shape[axis] == 0
    rest = [s.step(x_t) for x_t in x[4:]]
    found = np.concatenate([first[None], np.swapaxes(middle, 0, axis), rest])
    np.testing.assert_array_equal(found, np.swapaxes(y, 0, axis))
    for got, expected in zip(parts(s.state), parts(final), strict=True):
        np.testing.assert_array_equal(got, expected)


@pytest.mark.parametrize("options", [
    {"kind": "LSTM", "activations": ("hard_sigmoid", "relu", "tanh"), "peephole": True},
    {"kind": "LSTM", "gates": "io"},
    {"kind": "LSTM", "input_forget": True},
    {"kind": "GRU", "activations": ("hard_sigmoid", "relu"), "reset_after": False},
], ids=str)  # fmt: skip
def test_cells_that_choose_make_the_sequence_too(
    options: dict[str, Any], backend: str, x: np.ndarray
) -> None:
    layer = make(**options)
    y, final = layer(x)
    s = layer.stream(N)
    np.testing.assert_array_equal([s.step(x_t) for x_t in x], y)
    for got, expected in zip(parts(s.state), parts(final), strict=True):
        np.testing.assert_array_equal(got, expected)


def test_one_row_without_its_axis(backend: str, x: np.ndarray) -> None:
    layer = make()
    y, _ = layer(x[:, 0])
    s = layer.stream()
    np.testing.assert_array_equal([s.step(x_t) for x_t in x[:3, 0]], y[:3])
    np.testing.assert_array_equal(s.run(x[3:5, 0]), y[3:5])
    np.testing.assert_array_equal(s.step(x[5, :1]), y[5:6])
    np.testing.assert_array_equal(s.step(x[6, 0].tolist()), y[6])
    assert s.state[0].shape == (2, 1, H)


def test_out_is_filled_and_returned(backend: str, x: np.ndarray) -> None:
    layer = make()
    y, _ = layer(x)
    s, wide = layer.stream(N), np.zeros((N, T, H + 2), np.float32)
    for t in range(T):
        out = wide[:, t, 1:-1]
        assert s.step(x[t], out=out) is out
    np.testing.assert_array_equal(wide[:, :, 1:-1].swapaxes(0, 1), y)
    assert not wide[:, :, [0, -1]].any()
    fresh = [s.step(x[0]), s.step(x[0])]
    assert not np.shares_memory(*fresh)
    assert fresh[0].flags.writeable


def test_reset(backend: str, x: np.ndarray) -> None:
    layer = make()
    y, _ = layer(x)
    s = layer.stream(N)
    first = s.run(x[:3])
    s.reset()
    np.testing.assert_array_equal(s.run(x[:3]), first)
    for rows in (1, [1], np.array([1]), np.array([False, True, False]), np.int8(1)):
        s.reset()
        s.run(x[:3])
        s.reset(rows=rows)
        again = np.stack([x[3], x[0], x[3]], axis=0)[np.arange(N), np.arange(N)]
        found = s.step(again)
        np.testing.assert_array_equal(found[1], y[0, 1])
        np.testing.assert_array_equal(found[[0, 2]], y[3, [0, 2]])
    before = [part.copy() for part in parts(s.state)]
    for nothing in ([], np.zeros(N, bool), ()):
        s.reset(rows=nothing)
    for got, expected in zip(parts(s.state), before, strict=True):
        np.testing.assert_array_equal(got, expected)


@pytest.mark.parametrize(
    ("rows", "error", "message"),
    [
        (3, ValueError, r"rows must lie in 0\.\.N-1 = 0\.\.2"),
        ([0, -1], ValueError, "rows must lie in"),
        ([True, False], ValueError, r"rows as a mask must have shape \(N,\) = \(3,\), got \(2,\)"),
        ([0.0], TypeError, "rows must be integers, or a boolean mask, got float64"),
        ("0", TypeError, "rows must be integers"),
        ([2**70], TypeError, "rows must be integers"),
        (np.ma.array([1], mask=[True]), TypeError, "rows must not be a masked array"),
    ],
)  # fmt: skip
def test_wrong_rows(rows: Any, error: Any, message: str) -> None:
    with pytest.raises(error, match=message):
        make().stream(N).reset(rows=rows)


@pytest.mark.parametrize("kind", ["GRU", "LSTM"])
@pytest.mark.parametrize("sizes", [H, [6, 3]], ids=str)
def test_the_state_is_a_copy_and_can_be_set(
    kind: str, sizes: Any, backend: str, x: np.ndarray
) -> None:
    layer = make(kind, hidden_size=sizes, num_layers=1 if isinstance(sizes, list) else 2)
    _, state = layer(x[:3])
    s = layer.stream(N)
    s.state = state
    expected, _ = layer(x[3:], state)
    for part in parts(s.state):
        part[...] = 9
    np.testing.assert_array_equal(s.run(x[3:]), expected)
    s.state = None
    np.testing.assert_array_equal(s.run(x[:2]), layer(x[:2])[0])
    with pytest.raises((TypeError, ValueError), match=r"^state"):
        s.state = np.zeros((1, 1), np.float32)


def test_refused_calls_change_nothing(backend: str, x: np.ndarray) -> None:
    layer = make()
    s = layer.stream(N)
    s.step(x[0])
    before = parts(s.state)
    read_only = np.zeros((N, H), np.float32)
    read_only.flags.writeable = False
    bad: list[tuple[Any, Any, type[Exception], str]] = [
        (x[0, :2], None, ValueError, r"x_t must have N = 3 rows as the stream has, got \(2, 4\)"),
        (x[0, 0], None, ValueError, r"x_t must have shape \(N, I\) = \(3, 4\), got \(4,\)"),
        (x[0, :, :3], None, ValueError, "x_t must have shape .* where I = 4 is input_size"),
        (x[0].astype(float), None, TypeError, "x_t must be float32"),
        (None, None, TypeError, "x_t must be an array"),
        (x[0], np.zeros((N, H)), TypeError, "out must be an ndarray of float32, got float64"),
        (x[0], [[0.0] * H] * N, TypeError, "out must be an ndarray of float32, got list"),
        (
            x[0],
            np.zeros((N, H + 1), np.float32),
            ValueError,
            r"out must have shape \(N, H\) = \(3, 6\)",
        ),
        (x[0], read_only, ValueError, "out must be writable"),
        (x[0], np.zeros((N, 2 * H), np.float32)[:, ::2], ValueError, "contiguous in its last axis"),
        (x[0], np.zeros((H, N), np.float32).T, ValueError, "contiguous in its last axis"),
    ]
    for x_t, out, error, message in bad:
        with pytest.raises(error, match=message):
            s.step(x_t, out=out)
    with pytest.raises(ValueError, match="chunk must have N = 3 rows as the stream has, got 2"):
        s.run(x[:, :2])
    with pytest.raises(ValueError, match="chunk must have N = 3 rows as the stream has, got 1"):
        s.run(x[:, 0])
    with pytest.raises(ValueError, match="chunk must have shape"):
        s.run(x[0, 0])
    for got, expected in zip(parts(s.state), before, strict=True):
        np.testing.assert_array_equal(got, expected)


@pytest.mark.check(12)
def test_out_over_the_input_is_refused() -> None:
    layer = fastrnn.GRU(H, H)
    s, both = layer.stream(N), np.ones((N, H), np.float32)
    with pytest.raises(ValueError, match="out must not share memory with x_t"):
        s.step(both, out=both)


@pytest.mark.check(11)
def test_layouts_of_a_step(backend: str, x: np.ndarray) -> None:
    layer = make()
    expected = layer.stream(N).step(x[0])
    forms = [np.asfortranarray(x[0]), np.repeat(x[0], 2, axis=1)[:, ::2], x[0].astype(">f4")]
    raw = np.zeros(x[0].nbytes + 1, np.uint8)[1:].view(np.float32).reshape(N, I)
    raw[...] = x[0]
    for form in [*forms, raw, x[0].tolist(), x[0, ::-1][::-1]]:
        np.testing.assert_array_equal(layer.stream(N).step(form), expected)


def test_no_stream_of_both_directions() -> None:
    with pytest.raises(ValueError, match=r"a bidirectional layer has no stream: .* whole sequence"):
        make(bidirectional=True).stream()
    with pytest.raises(TypeError, match="batch_size must be an integer"):
        make().stream(1.0)
    with pytest.raises(ValueError, match="batch_size must be at least 0, got -1"):
        make().stream(-1)
    assert make().stream(0).step(np.zeros((0, I), np.float32)).shape == (0, H)


def test_it_keeps_the_weights_of_its_beginning(x: np.ndarray) -> None:
    layer = make()
    y, _ = layer(x)
    s = layer.stream(N)
    layer.load_state_dict(make(rng=np.random.default_rng(8)).state_dict())
    np.testing.assert_array_equal(s.run(x), y)
    assert (layer.stream(N).run(x) != y).any()


def test_long_running(backend: str, rng: Any) -> None:
    """Twice the double buffer and more: no state is read after it was overwritten."""
    layer = make("GRU", num_layers=3)
    x = rng.standard_normal((40, 1, I)).astype(np.float32)
    s, out = layer.stream(), np.empty((1, H), np.float32)
    found = [s.step(x_t, out=out).copy() for x_t in x]
    np.testing.assert_array_equal(found, layer(x)[0])
