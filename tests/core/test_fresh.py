"""The core makes results where True stands for them, and says what is taken as it is."""

import collections
import types

import numpy as np
import pytest

from fastrnn import _core

T, N, I, H = 3, 2, 5, 4


def arguments(rng: np.random.Generator, dtype: type, family: str) -> list[np.ndarray]:
    G = {"rnn": 1, "gru": 3, "lstm": 4}[family]
    shapes = (T, N, I), (G * H, I), (G * H, H), (G * H,), (G * H,)
    return [rng.standard_normal(shape).astype(dtype) for shape in shapes]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(
    ("family", "cell"),
    [("rnn", _core.Cell.rnn_tanh), ("gru", _core.Cell.gru_after), ("lstm", _core.Cell.lstm)],
)
def test_fresh_results_have_the_bits_of_given_ones(
    family: str, cell: _core.Cell, dtype: type, rng: np.random.Generator
) -> None:
    x, *weights = arguments(rng, dtype, family)
    cell_state = family == "lstm"
    shapes = [(T, N, H), (N, H), (N, H)][: 2 + cell_state]
    y, h_n, *c = (np.full(shape, np.nan, dtype) for shape in shapes)
    given = (y, h_n, *(c or [None]))
    results, tapes = [], [_core.Tape(), _core.Tape()]
    for outputs, tape in zip((given, (True, True, True)), tapes, strict=True):
        results.append(_core.rnn_forward(
            cell, x, *weights, None, None, None, None, *outputs, tape=tape
        ))  # fmt: skip
    assert all(one is other for one, other in zip(results[0], given, strict=True))
    assert (results[1][2] is None) == (not cell_state)
    for one, other in zip(*results, strict=True):
        if one is not None:
            assert other.dtype == dtype
            assert other.flags.c_contiguous
            assert other.flags.owndata
            np.testing.assert_array_equal(one, other)

    dy = rng.standard_normal((T, N, H)).astype(dtype)
    filled = [np.full_like(array, np.nan) for array in (x, *weights)]
    tail = 0, None, None
    first = _core.rnn_backward(
        tapes[0], dy, None, None, *filled, None, None, None, *tail, None, None
    )
    second = _core.rnn_backward(
        tapes[1], dy, None, None, *(True,) * 5, None, None, True, *tail, True, True
    )
    assert second[5:] == (None, None, None)  # there are no such weights
    for one, other in zip(first[:5], second[:5], strict=True):
        np.testing.assert_array_equal(one, other)
    for k, array in enumerate(second[:5]):
        assert not any(np.shares_memory(array, other) for other in second[:k])


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_fresh_states_may_have_an_axis_of_one_layer(
    dtype: type, rng: np.random.Generator
) -> None:
    x, *weights = arguments(rng, dtype, "lstm")
    call = _core.Cell.lstm, x, *weights, None, None, None, None, True, True, True
    plain, stacked = _core.rnn_forward(*call), _core.rnn_forward(*call, stacked=True)
    for k, (one, other) in enumerate(zip(plain, stacked, strict=True)):
        np.testing.assert_array_equal(one, other[0] if k else other)
        assert other.flags.owndata


def test_a_gradient_that_nobody_wants_is_not_made(rng: np.random.Generator) -> None:
    x, *weights = arguments(rng, np.float64, "gru")
    tape = _core.Tape()
    _core.rnn_forward(
        _core.Cell.gru_after, x, *weights, None, None, None, None, True, True, True, tape=tape
    )
    gradients = _core.rnn_backward(
        tape, np.ones((T, N, H)), None, None, None, None, True, None, None, None, None, None
    )
    assert [array is not None for array in gradients] == [k == 2 for k in range(8)]


def test_a_result_that_does_not_fit_is_named(rng: np.random.Generator) -> None:
    _, *weights = arguments(rng, np.float64, "rnn")
    row = np.zeros((1, 1, I))
    x = np.lib.stride_tricks.as_strided(row, (2**40, 2**10, I), (0, 0, 8), writeable=False)
    with pytest.raises(MemoryError, match=r"y of shape \(1099511627776, 1024, 4\) .* does not fit"):
        _core.rnn_forward(
            _core.Cell.rnn_tanh, x, *weights, None, None, None, None, True, True, True
        )


class Subclass(np.ndarray):
    pass


def unaligned(shape: tuple[int, ...]) -> np.ndarray:
    raw = np.zeros(8 * int(np.prod(shape)) + 1, np.uint8)
    return raw[1:].view(np.float64).reshape(shape)


@pytest.mark.parametrize(
    ("array", "shape", "fits"),
    [
        (np.zeros((2, 3)), (2, 3), True),
        (np.zeros((2, 3)), (None, 3), True),
        (np.zeros((2, 3)), (2, 4), False),
        (np.zeros((2, 3)), (None, None, 3), False),
        (np.zeros((4, 3))[::-2], (2, 3), True),
        (np.zeros((2, 6))[:, ::2], (2, 3), False),
        (np.zeros((2, 3), order="F"), (2, 3), False),
        (np.zeros((2, 3), np.float32), (2, 3), False),
        (np.zeros((2, 3), ">f8"), (2, 3), False),
        (np.zeros((2, 3)).view(Subclass), (2, 3), False),
        (unaligned((2, 3)), (2, 3), False),
        (np.zeros((2, 3))[:0], (0, 3), True),
        ([[0.0]], (1, 1), False),
        (None, (1,), False),
        (np.float64(1), (), False),
        (np.zeros(()), (), True),
    ],
)
def test_fits(array: object, shape: tuple[int | None, ...], fits: bool) -> None:
    assert _core.fits(array, shape, np.dtype(np.float64)) is fits


@pytest.mark.parametrize("shape", [[2, 3], 2, None, ("a", "b"), (2, 2.5)])
def test_a_shape_that_is_none_is_refused(shape: object) -> None:
    with pytest.raises(TypeError):
        _core.fits(np.zeros((2, 3)), shape, np.dtype(np.float64))  # type: ignore[arg-type]


class Named(str):
    pass


def test_same_items() -> None:
    a, b, c = np.zeros(1), np.zeros(1), np.zeros(1)
    items = {"first": a, "b": b}
    assert _core.same_items(items, items)
    assert _core.same_items(dict(items), items)
    assert _core.same_items({b"first".decode(): a, "b": b}, items)
    assert _core.same_items({}, {})
    for other in (
        {"first": a}, {"first": a, "b": b, "c": c}, {"first": a, "b": c}, {"first": b, "b": a},
        {"b": b, "first": a}, {"first": a, "c": b}, {Named("first"): a, "b": b},
        {1: a, "b": b}, list(items), None,
        types.MappingProxyType(items), collections.OrderedDict(items),
    ):  # fmt: skip
        assert not _core.same_items(other, items), other
    for wrong in ((items, None), (items,), (items, items, items)):
        with pytest.raises(TypeError, match="same_items takes"):
            _core.same_items(*wrong)
