"""Why: an output layer of fewer bits is read by whole vectors and in groups of panels, so that its
last outputs, a row's place in the batch, threads and instruction sets could each change a result.

Against NumPy: int8 to the bit, on every instruction set; bfloat16 against float64 of the rounded
numbers. Nothing is written beside y; what is no number stays in its row.
"""

from typing import Any

import numpy as np
import pytest
from helpers.narrow import DOTS, F32, SIZES, bfloat16, quantised
from helpers.runners import forced_isa, isas_under_test

from fastrnn import _core

Array = np.ndarray


def drawn(O: int, I: int, M: int, seed: int = 0) -> tuple[Array, Array, Array]:
    """A matrix, a bias and rows."""
    draw = np.random.default_rng([seed, O, I, M]).standard_normal
    return draw((O, I)).astype(F32), draw(O).astype(F32), draw((M, I)).astype(F32)


def packed(w: Array, precision: str) -> Any:
    return _core.PackedMatrix(*(quantised(w) if precision == "int8" else (w,)))


def product(x: Array, w: Any, b: Array | None, O: int, threads: int = 1, dots: Any = None) -> Array:
    """By the core, into the middle of a larger array that must stay as it is."""
    M = len(x)
    around = np.full(M * O + 64, 7, F32)
    y = around[32 : 32 + M * O].reshape(M, O)
    _core.force_plan(None, 0, dots)
    try:
        _core.linear_packed(x, w, b, y, threads)
    finally:
        _core.force_plan()
    assert (around[:32] == 7).all()
    assert (around[32 + M * O :] == 7).all()
    return y.copy()


def expected(x: Array, w: Array, b: Array | None, precision: str) -> Array:
    """In whole numbers, or in float64."""
    if precision == "bfloat16":
        return bfloat16(x) @ bfloat16(w).T.astype(np.float64) + (0 if b is None else b)
    q, scale = quantised(w)
    most = np.max(np.abs(x), axis=1, keepdims=True)
    levels = np.rint(x * (F32(127) / most)).astype(np.int64)
    sums = (levels @ q.T.astype(np.int64)).astype(F32)
    start = np.zeros(len(w), F32) if b is None else b
    # The kernel rounds product and sum as one, which float64 does nearly always.
    return (np.float64(start) + np.float64(sums) * (scale * (most / F32(127)))).astype(F32)


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("O", [*SIZES, 63, 64, 65, 257])
@pytest.mark.parametrize("precision", ["int8", "bfloat16"])
def test_it_is_the_product(precision: str, O: int, bias: bool, isa: str) -> None:
    I, M = 300 - O, 1 + O % 7
    w, b, x = drawn(O, I, M)
    for dots in DOTS:
        for threads in (1, 2, 3):
            got = product(x, packed(w, precision), b if bias else None, O, threads, dots)
            wanted = expected(x, w, b if bias else None, precision)
            atol = 1e-6 if precision == "int8" else 2e-5
            np.testing.assert_allclose(got, wanted, rtol=1e-6, atol=atol, err_msg=f"{dots}")


@pytest.mark.every_isa
@pytest.mark.parametrize("seed", range(40))
def test_bits_of_int8_depend_on_the_row_alone(seed: int) -> None:
    rng = np.random.default_rng(seed)
    O, I, M = (int(rng.integers(1, most)) for most in (300, 200, 40))
    w, b, x = drawn(O, I, M, seed)
    wanted = None
    for isa in isas_under_test():
        with forced_isa(isa):
            matrix = packed(w, "int8")
            assert matrix.isa == isa
            for threads in (1, 2, 5):
                for dots in DOTS:
                    got = product(x, matrix, b, O, threads, dots)
                    wanted = got if wanted is None else wanted
                    np.testing.assert_array_equal(got, wanted, f"{isa} {threads} {dots}")
            some = rng.permutation(M)[: int(rng.integers(1, M + 1))]
            np.testing.assert_array_equal(product(x[some], matrix, b, O), wanted[some])


@pytest.mark.parametrize("seed", range(20))
def test_bits_of_bfloat16_depend_on_the_row_alone(seed: int, isa: str) -> None:
    rng = np.random.default_rng([seed, 1])
    O, I, M = (int(rng.integers(1, most)) for most in (300, 200, 40))
    w, b, x = drawn(O, I, M, seed)
    matrix = packed(w, "bfloat16")
    for dots in DOTS:  # each has an order of its own
        wanted = product(x, matrix, b, O, 1, dots)
        for threads in (2, 5):
            np.testing.assert_array_equal(product(x, matrix, b, O, threads, dots), wanted)
        some = rng.permutation(M)[: int(rng.integers(1, M + 1))]
        np.testing.assert_array_equal(product(x[some], matrix, b, O, 1, dots), wanted[some])


@pytest.mark.parametrize("M", [255, 256, 257, 600])
def test_many_rows_are_taken_in_parts(M: int) -> None:
    w, b, x = drawn(70, 20, M)
    for threads in (1, 2):
        got = product(x, packed(w, "int8"), b, 70, threads)
        np.testing.assert_allclose(got, expected(x, w, b, "int8"), rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("precision", ["int8", "bfloat16"])
def test_what_is_no_number_stays_in_its_row(precision: str, bad: float, isa: str) -> None:
    w, b, x = drawn(37, 33, 9)
    clean = product(x, packed(w, precision), b, 37)
    x[4, 32] = bad
    got = product(x, packed(w, precision), b, 37, 2)
    others = np.arange(9) != 4
    np.testing.assert_array_equal(got[others], clean[others])
    assert not np.isfinite(got[4]).any()


@pytest.mark.parametrize(("O", "I", "M"), [(0, 3, 2), (3, 0, 2), (3, 2, 0), (0, 0, 0)])
@pytest.mark.parametrize("precision", ["int8", "bfloat16"])
def test_sizes_of_zero(precision: str, O: int, I: int, M: int, isa: str) -> None:
    w, b, x = np.ones((O, I), F32), np.ones(O, F32), np.ones((M, I), F32)
    matrix = (
        _core.PackedMatrix(w.astype(np.int8), b) if precision == "int8" else _core.PackedMatrix(w)
    )
    got = product(x, matrix, b, O)
    np.testing.assert_array_equal(got, w.sum(1) + b + np.zeros((M, 1), F32))


def test_any_layout_is_packed() -> None:
    w, b, x = drawn(20, 30, 4)
    wanted = product(x, packed(w, "bfloat16"), b, 20)
    strided = np.zeros((30, 40), F32)
    strided[:, ::2] = w.T
    for other in (np.asfortranarray(w), strided[:, ::2].T, w[::-1][::-1]):
        np.testing.assert_array_equal(product(x, packed(other, "bfloat16"), b, 20), wanted)
    q, scale = quantised(w)
    one = product(x, _core.PackedMatrix(q, scale), b, 20)
    other = _core.PackedMatrix(np.asfortranarray(q), np.repeat(scale, 2)[::2])
    np.testing.assert_array_equal(product(x, other, b, 20), one)


def test_what_does_not_fit_is_refused() -> None:
    w, b, x = drawn(4, 5, 2)
    q, scale = quantised(w)
    matrix, y = _core.PackedMatrix(q, scale), np.zeros((2, 4), F32)
    for wrong, error, text in (
        (lambda: _core.PackedMatrix(q), TypeError, "scale"),
        (lambda: _core.PackedMatrix(q, scale[:3]), ValueError, "scale"),
        (lambda: _core.PackedMatrix(w, scale), ValueError, "scale must be None"),
        (lambda: _core.PackedMatrix(w.astype(np.float64)), TypeError, "w must have dtype float32"),
        (lambda: _core.PackedMatrix(w[0]), ValueError, "w must"),
        (lambda: _core.PackedMatrix([[1.0]]), TypeError, "w"),
        (
            lambda: _core.PackedMatrix(np.broadcast_to(np.int8(1), (1, 133145)), scale[:1]),
            ValueError,
            "at most 133144 columns of int8",
        ),
        (lambda: _core.linear_packed(x[:, :4], matrix, b, y), ValueError, "x must"),
        (lambda: _core.linear_packed(x, matrix, b[:3], y), ValueError, "b must"),
        (lambda: _core.linear_packed(x, matrix, b, y[:1]), ValueError, "y must"),
        (lambda: _core.linear_packed(x, matrix, b, y[:, :3].copy()), ValueError, "y must"),
        (lambda: _core.linear_packed(np.float64(x), matrix, b, y), TypeError, "x must have dtype"),
        (lambda: _core.linear_packed(x, w, b, y), TypeError, "packed must"),
        (lambda: _core.linear_packed(x, matrix, b, y, -1), ValueError, "num_threads"),
        (
            lambda: _core.linear_packed(x, _core.PackedMatrix.__new__(_core.PackedMatrix), b, y),
            ValueError,
            "initialised",
        ),
    ):
        with pytest.raises(error, match=text):
            wrong()
    assert not y.any()
