"""Why: what the friendly layer takes it must take rightly and without a needless copy: lists,
tensors by DLPack, states for all rows, one sequence, both axis orders.
"""

from typing import Any

import numpy as np
import pytest
from helpers.cases import CELLS, Case, draw
from helpers.runners import run_functions

import fastrnn
from fastrnn import _core

T, N, I, H = 5, 3, 4, 6


def lstm_arrays(rng: np.random.Generator, dtype: Any = np.float64) -> dict[str, np.ndarray]:
    """x and weights of an LSTM."""
    shapes = {"x": (T, N, I), "w_ih": (4 * H, I), "w_hh": (4 * H, H), "b_ih": (4 * H,)}
    return {name: rng.standard_normal(shape).astype(dtype) for name, shape in shapes.items()}


def test_lists_take_the_dtype_of_w_hh(backend: str, dtype: np.dtype, rng: Any) -> None:
    arrays = lstm_arrays(rng, dtype)
    expected, _ = fastrnn.lstm(**arrays)
    for name in ("x", "w_ih", "b_ih"):
        y, _ = fastrnn.lstm(**{**arrays, name: arrays[name].tolist()})
        assert y.dtype == dtype
        np.testing.assert_array_equal(y, expected)
    as_tuple = tuple(arrays["b_ih"].tolist())
    np.testing.assert_array_equal(fastrnn.lstm(**{**arrays, "b_ih": as_tuple})[0], expected)


def test_lists_alone_are_float64(backend: str) -> None:
    y, h_n = fastrnn.rnn([[1], [2], [3]], [[1]], [[1]], nonlinearity="linear")
    assert y.dtype == h_n.dtype == np.float64
    assert y.ravel().tolist() == [1.0, 3.0, 6.0]


def test_gradients_come_in_as_lists_too(backend: str, rng: Any) -> None:
    x, w = rng.standard_normal((T, I)).astype(np.float32), np.eye(I, dtype=np.float32)
    dy = rng.standard_normal((T, I)).astype(np.float32)
    grads = [
        fastrnn.rnn_backward(fastrnn.rnn_forward(x, w, w)[2], dy=form).x
        for form in (dy, dy.tolist())
    ]
    np.testing.assert_array_equal(*grads)


def test_the_dtype_object_may_carry_metadata(backend: str, rng: Any) -> None:
    arrays = lstm_arrays(rng)
    expected, _ = fastrnn.lstm(**arrays)
    tagged = np.dtype(np.float64, metadata={"unit": "mV"})
    y, _ = fastrnn.lstm(**{name: array.astype(tagged) for name, array in arrays.items()})
    np.testing.assert_array_equal(y, expected)
    assert y.dtype.metadata is None


class _Exporter:
    """An array that another library owns, with nothing but DLPack."""

    def __init__(self, array: np.ndarray) -> None:
        self._array = array

    def __dlpack__(self, **options: Any) -> Any:
        return self._array.__dlpack__(**options)

    def __dlpack_device__(self) -> tuple[int, int]:
        return self._array.__dlpack_device__()


class _Convertible:
    """An array that another library owns, with `__array__` alone."""

    def __init__(self, array: np.ndarray) -> None:
        self._array = array

    def __array__(self, dtype: Any = None, copy: Any = None) -> np.ndarray:
        return self._array


@pytest.mark.parametrize("wrap", [_Exporter, _Convertible])
def test_arrays_of_other_libraries(wrap: Any, backend: str, rng: Any) -> None:
    arrays = lstm_arrays(rng, np.float32)
    expected, _ = fastrnn.lstm(**arrays, lengths=[5, 0, 2])
    wrapped = {name: wrap(array) for name, array in arrays.items()}
    y, _ = fastrnn.lstm(**wrapped, lengths=wrap(np.array([5, 0, 2])))
    np.testing.assert_array_equal(y, expected)


def test_an_exporter_of_another_dtype_is_refused(rng: Any) -> None:
    arrays = lstm_arrays(rng, np.float32)
    with pytest.raises(TypeError, match="x must be float32 as the other arrays"):
        fastrnn.lstm(**{**arrays, "x": _Exporter(arrays["x"].astype(np.float64))})
    with pytest.raises(TypeError, match=r"x .*int64"):
        fastrnn.lstm(**{**arrays, "x": _Exporter(np.ones((T, N, I), np.int64))})


def test_torch_tensors(rng: Any) -> None:
    torch = pytest.importorskip("torch")
    arrays = lstm_arrays(rng, np.float32)
    expected, _ = fastrnn.lstm(**arrays)
    tensors = {name: torch.from_numpy(array) for name, array in arrays.items()}
    np.testing.assert_array_equal(
        fastrnn.lstm(**tensors, lengths=torch.tensor([T] * N))[0], expected
    )
    strided = torch.from_numpy(np.ascontiguousarray(arrays["x"].swapaxes(0, 1))).transpose(0, 1)
    np.testing.assert_array_equal(fastrnn.lstm(**{**tensors, "x": strided})[0], expected)
    with pytest.raises(TypeError, match=r"w_hh .*detach"):
        fastrnn.lstm(**{**tensors, "w_hh": tensors["w_hh"].requires_grad_()})
    with pytest.raises(TypeError, match="b_ih"):
        fastrnn.lstm(**{**arrays, "b_ih": tensors["b_ih"].to(torch.bfloat16)})


def taken_x(monkeypatch: pytest.MonkeyPatch) -> list[np.ndarray]:
    """The x that each further call hands to the core."""
    seen: list[np.ndarray] = []
    forward = _core.rnn_forward

    def spy(cell: Any, x: np.ndarray, *rest: Any) -> Any:
        seen.append(x)
        return forward(cell, x, *rest)

    monkeypatch.setattr(_core, "rnn_forward", spy)
    return seen


def test_only_conversions_copy(monkeypatch: pytest.MonkeyPatch, rng: Any) -> None:
    seen, arrays = taken_x(monkeypatch), lstm_arrays(rng)
    x = arrays.pop("x")
    wide = np.zeros((2 * T, N, I + 2))
    read_only = x.copy()
    read_only.flags.writeable = False
    kept = [x, x[::-1], x[:, ::2], wide[::2, :, 1:-1], read_only]
    for array in kept:
        fastrnn.lstm(array, **arrays)
        assert np.shares_memory(seen[-1], array)
    fastrnn.lstm(x[:, 0], **arrays)
    assert np.shares_memory(seen[-1], x)
    fastrnn.lstm(x, **arrays, batch_first=True)
    assert np.shares_memory(seen[-1], x)
    for array in (np.asfortranarray(x), x[:, :, ::-1], np.zeros((T, N, 2 * I))[:, :, ::2]):
        fastrnn.lstm(array, **arrays)
        assert not np.shares_memory(seen[-1], array)


@pytest.mark.parametrize("cell", CELLS)
def test_batch_first_is_the_transpose(cell: str, backend: str, dtype: np.dtype) -> None:
    problem = draw(Case(cell, T=T, N=N, I=I, H=H, lengths="ragged")).astype(dtype)
    family, options = problem.case.spec.family, dict(problem.case.spec.options)
    if problem.w_peephole is not None:
        options["w_peephole"] = problem.w_peephole
    call = (problem.w_ih, problem.w_hh, problem.b_ih, problem.b_hh)
    options["lengths"] = problem.lengths
    forward, backward = (getattr(fastrnn, f"{family}_{way}") for way in ("forward", "backward"))
    y, _, tape = forward(problem.x, *call, **options)
    other, _, other_tape = forward(problem.x.swapaxes(0, 1), *call, **options, batch_first=True)
    assert other.shape == (N, T, H)
    assert other.flags.c_contiguous
    np.testing.assert_array_equal(other.swapaxes(0, 1), y)
    np.testing.assert_array_equal(tape.gates, other_tape.gates)
    dx = backward(tape, problem.dy).x
    other_dx = backward(other_tape, problem.dy.swapaxes(0, 1)).x
    assert other_dx.shape == (N, T, I)
    np.testing.assert_array_equal(other_dx.swapaxes(0, 1), dx)


@pytest.mark.parametrize("cell", CELLS)
def test_one_sequence_loses_the_batch_axis(cell: str, backend: str) -> None:
    problem = draw(Case(cell, T=T, N=1, I=I, H=H))
    spec = problem.case.spec
    options = dict(spec.options)
    if problem.w_peephole is not None:
        options["w_peephole"] = problem.w_peephole
    weights = (problem.w_ih, problem.w_hh, problem.b_ih, problem.b_hh)
    states = [s for s in (problem.h0, problem.c0) if s is not None]
    finals = [s for s in (problem.dh_n, problem.dc_n) if s is not None]
    forward, backward = (
        getattr(fastrnn, f"{spec.family}_{way}") for way in ("forward", "backward")
    )
    for lengths in (None, 3, [3]):
        batched = None if lengths is None else [3]
        y, state, tape = forward(problem.x, *weights, *states, **options, lengths=batched)
        one, one_state, one_tape = forward(
            problem.x[:, 0], *weights, *(s[0] for s in states), **options, lengths=lengths
        )
        assert one.shape == (T, H)
        np.testing.assert_array_equal(one, y[:, 0])
        np.testing.assert_array_equal(one_tape.gates, tape.gates[:, 0])
        pairs = zip(np.atleast_2d(one_state), np.reshape(state, (-1, H)), strict=True)
        for got, expected in pairs:
            np.testing.assert_array_equal(got, expected)
        grads = backward(tape, problem.dy, *finals)
        one_grads = backward(one_tape, problem.dy[:, 0], *(f[0] for f in finals))
        np.testing.assert_array_equal(one_grads.x, grads.x[:, 0])
        np.testing.assert_array_equal(one_grads.w_hh, grads.w_hh)
        assert one_grads.h0.shape == (H,)
        np.testing.assert_array_equal(one_grads.h0, grads.h0[0])


def test_a_state_for_all_rows(backend: str, rng: Any) -> None:
    """(H,) is broadcast, and its gradient is the sum over the rows."""
    arrays = lstm_arrays(rng)
    h0, c0 = rng.standard_normal((2, H))
    rows = {"h0": np.tile(h0, (N, 1)), "c0": np.tile(c0, (N, 1))}
    dy = rng.standard_normal((T, N, H))
    y, _, tape = fastrnn.lstm_forward(**arrays, **rows)
    one, _, one_tape = fastrnn.lstm_forward(**arrays, h0=h0, c0=c0)
    np.testing.assert_array_equal(one, y)
    grads, one_grads = fastrnn.lstm_backward(tape, dy), fastrnn.lstm_backward(one_tape, dy)
    assert one_grads.h0.shape == one_grads.c0.shape == (H,)
    np.testing.assert_allclose(one_grads.h0, grads.h0.sum(axis=0), rtol=1e-12)
    np.testing.assert_allclose(one_grads.c0, grads.c0.sum(axis=0), rtol=1e-12)


@pytest.mark.parametrize(
    "form",
    [list, tuple, np.int8, np.uint8, np.int32, np.uint64, ">i8", "read-only", "strided"],
    ids=str,
)
def test_lengths_of_any_integer_form(form: Any, backend: str, rng: Any) -> None:
    arrays, plain = lstm_arrays(rng), np.array([2, 0, 5])
    expected, _ = fastrnn.lstm(**arrays, lengths=plain)
    if form == "read-only":
        given: Any = plain.copy()
        given.flags.writeable = False
    elif form == "strided":
        given = np.repeat(plain, 3)[::3]
    else:
        given = form(plain.tolist()) if form in (list, tuple) else plain.astype(form)
    np.testing.assert_array_equal(fastrnn.lstm(**arrays, lengths=given)[0], expected)


def test_no_rows_and_an_empty_list_of_lengths(backend: str) -> None:
    y, (h_n, c_n) = fastrnn.lstm(np.zeros((T, 0, I)), np.ones((4, I)), np.ones((4, 1)), lengths=[])
    assert y.shape == (T, 0, 1)
    assert h_n.shape == c_n.shape == (0, 1)


@pytest.mark.parametrize("shape", [(0, N, I), (T, 0, I), (0, 0, I), (T, N, 0)], ids=str)
def test_empty_axes(shape: tuple[int, ...], backend: str, rng: Any) -> None:
    w_ih, w_hh = rng.standard_normal((4 * H, shape[2])), rng.standard_normal((4 * H, H))
    h0 = rng.standard_normal((shape[1], H))
    y, (h_n, _), tape = fastrnn.lstm_forward(np.zeros(shape), w_ih, w_hh, h0=h0)
    assert y.shape == (*shape[:2], H)
    grads = fastrnn.lstm_backward(tape, dy=np.ones_like(y), dh_n=np.ones_like(h0))
    assert grads.x.shape == shape
    assert grads.w_ih.shape == w_ih.shape
    if shape[0] == 0:
        np.testing.assert_array_equal(h_n, h0)
        np.testing.assert_array_equal(grads.h0, np.ones_like(h0))
    if 0 in shape[:2]:
        assert not grads.w_hh.any()


@pytest.mark.parametrize("cell", CELLS)
def test_a_projected_input(cell: str, backend: str) -> None:
    """w_ih=None: x is W_ih x already, and its gradient is the gradient by the product."""
    problem = draw(Case(cell, T=T, N=N, I=I, H=H))
    product = problem.x @ problem.w_ih.T
    direct = run_functions(problem)
    indirect = run_functions(problem.replace(x=product, w_ih=None))
    np.testing.assert_allclose(indirect["y"], direct["y"], rtol=1e-12, atol=1e-14)
    np.testing.assert_allclose(indirect["dx"] @ problem.w_ih, direct["dx"], rtol=1e-9, atol=1e-12)
    assert "dw_ih" not in indirect
