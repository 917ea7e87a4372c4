"""Why: sizes near 2^31 and 2^63 have overflowed in other libraries' index arithmetic (mxnet #17632,
onnxruntime #28003), and a wrapped product is a heap overflow. Absurd shapes, described by zero
strides so that they cost nothing, end in a clean error at once.
"""

import itertools
from pathlib import Path

import numpy as np
import pytest
from helpers.cases import INPUTS, Case, draw
from helpers.compare import assert_identical
from helpers.runners import run_core
from numpy.lib.stride_tricks import as_strided

import fastrnn
from fastrnn import _core

SIZES = (2**28, 2**31 - 1, 2**31, 2**32 + 1, 2**40, 2**48, 2**58)
FUNCTIONS = {"rnn": 1, "gru": 3, "lstm": 4}


def giant(*shape: int, dtype: type = np.float32) -> np.ndarray:
    """A read-only array of any shape over one element; NumPy refuses more than 2^63 bytes."""
    one = np.full(1, 0.25, dtype)
    return as_strided(one, shape, (0,) * (len(shape) - 1) + (one.itemsize * (shape[-1] == 1),))


def refused(call: object, *names: str) -> None:
    """The call raises MemoryError or ValueError and names one of the arguments or results."""
    with pytest.raises((MemoryError, ValueError)) as raised:
        call()  # type: ignore[operator]
    assert any(name in str(raised.value) for name in names), str(raised.value)


@pytest.mark.check(17)
@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("name", FUNCTIONS)
def test_too_many_steps_or_rows(name: str, size: int) -> None:
    w_ih = np.ones((FUNCTIONS[name] * 64, 1), np.float32)
    w_hh = np.ones((FUNCTIONS[name] * 64, 64), np.float32)
    for shape in ((size, 64, 1), (64, size, 1)):
        for function in (name, f"{name}_forward"):
            refused(
                lambda f=function, s=shape: getattr(fastrnn, f)(giant(*s), w_ih, w_hh), "y", "x"
            )


@pytest.mark.check(17)
@pytest.mark.parametrize("size", [2**20, 2**24, 2**28])
@pytest.mark.parametrize("name", FUNCTIONS)
def test_too_many_hidden_units(name: str, size: int) -> None:
    G = FUNCTIONS[name]
    x, w_ih = np.ones((1, 1, 1), np.float32), giant(G * size, 1)
    w_hh = giant(G * size, size)
    refused(lambda: getattr(fastrnn, name)(x, w_ih, w_hh), "w_hh", "memory", "weights")
    cell = {"rnn": "rnn_tanh", "gru": "gru_after", "lstm": "lstm"}[name]
    cell = getattr(_core.Cell, cell)
    refused(lambda: _core.PackedWeights(cell, w_ih, w_hh, None, None, None), "w_hh", "memory")


@pytest.mark.check(17)
@pytest.mark.parametrize(("T", "N"), list(itertools.product((2**31, 2**40, 2**56), (1, 3))))
def test_strict_core_refuses_sizes_without_memory_for_them(T: int, N: int) -> None:
    """Outputs cannot have that many elements of their own, so zero strides are refused by name."""
    w = np.ones((4, 4), np.float32)
    x, y = giant(T, N, 1), as_strided(np.zeros(4, np.float32), (T, N, 4), (0, 0, 4))
    h_n = np.zeros((N, 4), np.float32)
    refused(
        lambda: _core.rnn_forward(
            _core.Cell.rnn_tanh, x, np.ones((4, 1), np.float32), w, None, None, None, None, None,
            None, y, h_n, None,
        ),
        "y",
    )  # fmt: skip
    assert not h_n.any()


@pytest.mark.check(17)
def test_the_largest_lengths_are_refused_by_value() -> None:
    x, w = np.ones((3, 2, 1)), np.ones((4, 1))
    for value in (2**31, 2**62, np.iinfo(np.int64).max, np.iinfo(np.int64).min, -1, 4):
        lengths = np.array([1, value], np.int64)
        refused(lambda n=lengths: fastrnn.rnn(x, w, np.eye(4), lengths=n), "lengths")
    refused(
        lambda: fastrnn.rnn(x, w, np.eye(4), lengths=np.array([1, 2**63], np.uint64)), "lengths"
    )


def spread(path: Path, array: np.ndarray, axis: int) -> np.ndarray:
    """A copy whose steps or rows lie more than 2^32 elements apart, in the holes of a file."""
    far = 2**32 + 64
    strides = list(array.strides)
    strides[axis] = far * array.itemsize
    size = (array.shape[axis] - 1) * far + array.size
    block = np.memmap(path, array.dtype, "w+", shape=(size,))
    view = as_strided(block, array.shape, strides)
    view[...] = array
    return view


@pytest.mark.check(17)
@pytest.mark.parametrize("axis", [0, 1], ids=["steps", "rows"])
@pytest.mark.parametrize("cell", ["rnn_tanh", "gru_before", "lstm"])
def test_offsets_beyond_2_32(cell: str, axis: int, isa: str, tmp_path: Path) -> None:
    problem = draw(Case(cell, T=3, N=3, I=5, H=9)).astype(np.float32)
    expected = run_core(problem)
    names = ("w_ih", "w_hh", "b_ih", "b_hh", "w_peephole", "h0", "c0", "lengths")
    given = {name: getattr(problem, name) for name in names}
    outputs = {name: np.empty_like(expected[name]) for name in ("h_n", "c_n") if name in expected}
    outputs = {"c_n": None, **outputs, "y": np.zeros_like(expected["y"])}
    try:
        x, dy = (spread(tmp_path / n, getattr(problem, n), axis) for n in ("x", "dy"))
        outputs["y"] = spread(tmp_path / "y", outputs["y"], axis)
    except OSError:
        pytest.skip("no file system with holes here")
    tape = _core.Tape()
    kind = getattr(_core.Cell, cell)
    _core.rnn_forward(kind, x=x, **given, **outputs, num_threads=2, tape=tape)
    gradients = {n: np.empty_like(a) for n, a in expected.items() if n[0] == "d"}
    absent = dict.fromkeys(f"d{name}" for name in INPUTS if f"d{name}" not in gradients)
    upstream = {"dy": dy, "dh_n": problem.dh_n, "dc_n": problem.dc_n}
    _core.rnn_backward(tape, **upstream, **gradients, **absent, num_threads=2)
    found = gradients | {name: array for name, array in outputs.items() if array is not None}
    assert_identical(found, expected, f"{isa} {cell}")


def test_a_good_call_after_all_that() -> None:
    y, _ = fastrnn.rnn(np.ones((3, 2, 1)), np.ones((4, 1)), np.zeros((4, 4)))
    assert np.allclose(y, np.tanh(1.0))
