"""Why: a prepared step skips what a call checks every time, so what it does check must be enough,
and what it puts out must be what the same layers put out one call after another.
"""

from typing import Any

import numpy as np
import pytest
from helpers import malformed
from helpers.cases import CELLS

from fastrnn import _core

I, SIZES = 4, (6, 5)


def layers(cell: str, N: int, dtype: Any) -> list[tuple[Any, ...]]:
    """Two layers, every array full of its own numbers, c only where the cell has it."""
    rng = np.random.default_rng(8)
    G = {"rnn": 1, "gru": 3, "lstm": 4}[cell.split("_", maxsplit=1)[0]]

    def draw(*shape: int) -> np.ndarray:
        return rng.standard_normal(shape).astype(dtype)

    found: list[tuple[Any, ...]] = []
    for inputs, H in zip((I, SIZES[0]), SIZES, strict=True):
        peephole = draw(3, H) if cell == "lstm_peephole" else None
        weights = draw(G * H, inputs), draw(G * H, H), draw(G * H), draw(G * H), peephole
        packed = _core.PackedWeights(getattr(_core.Cell, cell), *weights)
        h, c = ([draw(N, H), draw(N, H)] for _ in range(2))
        if not cell.startswith("lstm"):
            c = [None, None]
        y = draw(1, N, H) if SIZES[0] == H else None
        found.append((getattr(_core.Cell, cell), packed, h[0], c[0], h[1], c[1], y))
    return found


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("N", [1, 3])
@pytest.mark.parametrize("cell", [cell for cell in CELLS if not CELLS[cell].general])
def test_equals_one_call_a_layer(cell: str, N: int, threads: int, dtype: np.dtype) -> None:
    stack = layers(cell, N, dtype)
    x = np.random.default_rng(9).standard_normal((N, I)).astype(dtype)
    y = np.full((N, SIZES[1]), np.nan, dtype)
    step = _core.Step(stack)
    step.run(x, y, threads)
    assert step.odd
    below = x[None]
    for kind, packed, h0, c0, h_n, c_n, _ in stack:
        states = [np.full_like(h_n, np.nan), None if c_n is None else np.full_like(c_n, np.nan)]
        out = np.full((1, *h_n.shape), np.nan, dtype)
        nothing = [None] * 5
        _core.rnn_forward(
            kind, below, *nothing, h0, c0, None, out, *states, False, threads, None, packed
        )
        np.testing.assert_array_equal(h_n, states[0])
        if c_n is not None:
            np.testing.assert_array_equal(c_n, states[1])
        below = out
    np.testing.assert_array_equal(y, below[0])
    # The next run goes back, from what the first one has written into what it has read.
    again = _core.Step(
        [
            (*e[:2], *e[4:6], *(np.empty_like(a) if a is not None else None for a in e[2:4]), e[6])
            for e in stack
        ]
    )
    step.run(x, y, threads)
    other = np.empty_like(y)
    again.run(x, other, threads)
    np.testing.assert_array_equal(y, other)
    assert not step.odd


def test_one_row_without_its_axis(dtype: np.dtype) -> None:
    step = _core.Step(layers("lstm", 1, dtype))
    x, both = np.ones((1, I), dtype), np.empty((2, 1, SIZES[1]), dtype)
    step.run(x, both[0], 1)
    step.swap()
    step.run(x[0], both[1, 0], 1)
    np.testing.assert_array_equal(both[0], both[1])


@pytest.mark.parametrize("N", [1, 3])
def test_none_stands_for_a_fresh_result(N: int, dtype: np.dtype) -> None:
    step, other = (_core.Step(layers("lstm", N, dtype)) for _ in range(2))
    x, y = np.ones((N, I), dtype), np.empty((N, SIZES[1]), dtype)
    assert step.run(x, y, 1) is y
    fresh = other.run(x, None, 1)
    assert fresh.dtype == dtype
    np.testing.assert_array_equal(fresh, y)
    if N == 1:
        step.run(x, y, 1)
        np.testing.assert_array_equal(other.run(x[0], None, 1), y[0])


def test_arrays_that_need_a_closer_look_are_left_alone(dtype: np.dtype) -> None:
    N, W = 3, SIZES[1]
    stack = layers("lstm", N, dtype)
    step, before = _core.Step(stack), [a.copy() for entry in stack for a in entry[2:6]]
    x, y, other = np.ones((N, I), dtype), np.zeros((N, W), dtype), np.zeros(4, np.int8)
    read_only = y.copy()
    read_only.flags.writeable = False
    over = np.zeros(N * (I + W), dtype)

    def misaligned(array: np.ndarray) -> np.ndarray:
        return np.zeros(array.nbytes + 1, np.uint8)[1:].view(dtype).reshape(array.shape)

    class Sub(np.ndarray):
        pass

    bad: list[tuple[Any, Any]] = [
        (None, None), (x.tolist(), y), (x.T.copy().T, y), (x[:2], y), (x[0], y), (x, y[0]),
        (x.astype(">f4" if dtype == np.float32 else ">f8"), y), (other, None), (x, y.tolist()),
        (x, y[:, ::-1]), (x, read_only), (x, y[:2]), (x, y.astype(np.int32)),
        (over[: N * I].reshape(N, I), over[: N * W].reshape(N, W)), (x.view(Sub), y),
        (x, y.view(Sub)), (misaligned(x), y), (x, misaligned(y)), (x[None], y), (x[0, 0], y),
    ]  # fmt: skip
    for x_t, y_t in bad:
        assert step.run(x_t, y_t, 1) is None
    row = _core.Step(layers("lstm", 1, dtype))
    assert row.run(x[0], y[:1], 1) is None
    assert not y.any()
    assert not step.odd
    assert not row.odd
    for array, was in zip((a for entry in stack for a in entry[2:6]), before, strict=True):
        np.testing.assert_array_equal(array, was)
    read_only_x = read_only[:, :1].repeat(I, 1)
    read_only_x.flags.writeable = False
    assert step.run(read_only_x, y, 1) is y  # x may be read-only
    assert row.run(x[0], y[0], 1) is not None


def test_malformed_calls(dtype: np.dtype) -> None:
    step = _core.Step(layers("lstm", 1, dtype))
    x, y = np.ones((1, I), dtype), np.empty((1, SIZES[1]), dtype)
    for threads in (*malformed.NO_COUNTS, None):
        with pytest.raises((TypeError, ValueError), match=r"^num_threads must"):
            step.run(x, y, threads)
    for arguments in ((), (x,), (x, y), (x, y, 1, 2)):
        with pytest.raises(TypeError, match=r"^run takes"):
            step.run(*arguments)


def test_malformed_layers(dtype: np.dtype) -> None:
    good = layers("lstm", 3, dtype)
    other = np.float64 if dtype == np.float32 else np.float32

    def changed(layer: int, item: int, value: Any) -> list[tuple[Any, ...]]:
        stack = [list(entry) for entry in good]
        stack[layer][item] = value
        return [tuple(entry) for entry in stack]

    h0, c0, h_n, c_n = good[0][2:6]
    weights = np.ones((24, I), dtype), np.ones((24, 6), dtype), None, None, None
    general = _core.PackedWeights(_core.Cell.lstm_general, *weights)
    read_only = h_n.copy()
    read_only.flags.writeable = False
    cases: list[tuple[Any, str]] = [
        (None, "layers"), ((), "layers"), ([], "layers"), ([1], "layers"),
        ([good[0][:6]], "layers"),
        (changed(0, 0, "lstm"), "cell"), (changed(0, 0, _core.Cell.gru_after), "packed"),
        ([(_core.Cell.lstm_general, general, *good[0][2:])], "choices"),
        (changed(0, 1, None), "packed"), (changed(1, 1, layers("lstm", 3, other)[1][1]), "packed"),
        (changed(1, 1, good[0][1]), "packed|h0"), (list(reversed(good)), "packed|y"),
        (changed(0, 2, None), "h0"), (changed(0, 2, h0[:2]), "h_n|h0|c0|y"),
        (changed(0, 2, h0.astype(other)), "h0"), (changed(1, 2, h0), "h0"),
        (changed(0, 3, None), "c0"), (changed(0, 3, c0[:, 1:]), "c0"),
        (changed(0, 4, h0), "h_n"), (changed(0, 4, read_only), "h_n"), (changed(0, 5, None), "c_n"),
        (changed(0, 5, c_n[::-1, ::-1]), "c_n"), (changed(0, 6, None), "packed"),
        (changed(0, 6, good[0][6][0]), "y"), (changed(0, 6, np.zeros((1, 3, 7), dtype)), "y"),
    ]  # fmt: skip
    for stack, name in cases:
        with pytest.raises((TypeError, ValueError), match=f"^({name}) must "):
            _core.Step(stack)


def test_made_by_new_alone() -> None:
    with pytest.raises((TypeError, ValueError), match=r"step|Step|initiali"):
        _core.Step.run(_core.Step.__new__(_core.Step), None, None, 1)
