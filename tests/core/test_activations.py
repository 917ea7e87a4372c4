"""Why: everything else in a gate is sums; exp, sigmoid and tanh are where accuracy is lost, mostly
at range boundaries and near zero. The long tier sweeps all 2^32 floats (tests/long).
"""

import numpy as np
import pytest
from helpers.activations import EXP_ENDS, NAMES, Judge, apply, truth, worst_error
from helpers.tolerances import ACTIVATION_ULP

from fastrnn import _core

# Where formulas change over: clamps, reduction steps, overflow, underflow, saturation.
EDGES = (1e-8, 1e-4, 0.34657359, 0.6931472, 1.0, 8.66, 9.01, 9.05, 19.06, 19.1, 20.0, 36.7, 87.3)
EDGES += (88.72, 88.73, 103.9, 104.0, 708.0, 709.7, 709.79, 745.1, 746.0, 1e4, 1e30)


def all_half_floats(dtype: np.dtype) -> np.ndarray:
    """Every float16 value, NaN and infinities included."""
    return np.arange(2**16, dtype=np.uint16).view(np.float16).astype(dtype)


def stratified(dtype: np.dtype, rng: np.random.Generator) -> np.ndarray:
    """2^20 values spread evenly over the bit patterns of float32, so over all magnitudes."""
    bits = np.arange(2**20, dtype=np.uint64) * 2**12 + rng.integers(0, 2**12, 2**20, np.uint64)
    values = bits.astype(np.uint32).view(np.float32)
    if dtype == np.float32:
        return values
    with np.errstate(invalid="ignore"):  # signalling NaNs among the patterns
        return values.astype(np.float64) * (1 + rng.random(2**20) * 1e-7)


def around_edges(dtype: np.dtype) -> np.ndarray:
    """1,000 neighbours on both sides of every boundary, of both signs."""
    steps = np.arange(-1000, 1001)
    unsigned = np.uint32 if dtype == np.float32 else np.uint64
    starts = np.array(EDGES, dtype).view(unsigned).astype(np.int64)
    values = (starts[:, None] + steps).astype(unsigned).view(dtype).ravel()
    return np.concatenate([values, -values])


def dense(dtype: np.dtype, rng: np.random.Generator) -> np.ndarray:
    """2^18 values where gates live."""
    return rng.uniform(-25, 25, 2**18).astype(dtype)


@pytest.mark.check(4)
@pytest.mark.parametrize("sample", ["half", "stratified", "edges", "dense"])
@pytest.mark.parametrize("name", NAMES)
def test_error_in_units_of_the_last_place(
    name: str, sample: str, isa: str, dtype: np.dtype, rng: np.random.Generator
) -> None:
    if dtype == np.float64 and np.finfo(np.longdouble).nmant <= 52:
        pytest.skip("long double is no wider than double here")
    x = {
        "half": lambda: all_half_floats(dtype),
        "stratified": lambda: stratified(dtype, rng),
        "edges": lambda: around_edges(dtype),
        "dense": lambda: dense(dtype, rng),
    }[sample]()
    with np.errstate(invalid="ignore"):
        error, where = worst_error(name, x)
    assert error <= ACTIVATION_ULP, f"{isa} {name}({where!r}) is {error:.3g} ULP off"


@pytest.mark.check(4)
def test_tanh_is_odd_to_the_bit(isa: str, dtype: np.dtype, rng: np.random.Generator) -> None:
    x = np.concatenate([all_half_floats(dtype), around_edges(dtype), dense(dtype, rng)])
    x = x[~np.isnan(x)]
    unsigned = np.uint32 if dtype == np.float32 else np.uint64
    positive, negative = apply("tanh", x), apply("tanh", -x)
    assert np.array_equal((-positive).view(unsigned), negative.view(unsigned)), isa


@pytest.mark.check(4)
@pytest.mark.parametrize(("name", "low"), [("tanh", -1.0), ("sigmoid", 0.0), ("exp", 0.0)])
def test_range(name: str, low: float, isa: str, dtype: np.dtype, rng: np.random.Generator) -> None:
    x = np.concatenate([stratified(dtype, rng), around_edges(dtype), dense(dtype, rng)])
    y = apply(name, x[~np.isnan(x)])
    assert (y >= low).all(), isa
    assert (y <= (np.inf if name == "exp" else 1.0)).all(), isa


@pytest.mark.check(4)
@pytest.mark.parametrize(
    ("name", "expected"),
    [("tanh", (0.0, -0.0, 1.0, -1.0)), ("sigmoid", (0.5, 0.5, 1.0, 0.0))],
)
def test_exact_values(name: str, expected: tuple, isa: str, dtype: np.dtype) -> None:
    y = apply(name, np.array([0.0, -0.0, np.inf, -np.inf], dtype))
    assert y.tolist() == list(expected), isa
    assert np.signbit(y).tolist() == [bool(np.signbit(v)) for v in expected], isa


@pytest.mark.check(4)
@pytest.mark.parametrize("name", NAMES)
def test_nan_comes_through(name: str, isa: str, dtype: np.dtype) -> None:
    assert np.isnan(apply(name, np.array([np.nan, -np.nan], dtype))).all(), isa


def test_exp_saturates_at_its_ends(isa: str, dtype: np.dtype) -> None:
    low, high = EXP_ENDS[dtype]
    beyond = apply("exp", np.array([-np.inf, -1e30, low - 1, high + 1, 1e30, np.inf], dtype))
    assert beyond.tolist() == apply("exp", np.array([low] * 3 + [high] * 3, dtype)).tolist(), isa
    assert apply("exp", np.array([0.0, -0.0], dtype)).tolist() == [1.0, 1.0]


@pytest.mark.check(4)
@pytest.mark.parametrize("name", NAMES)
def test_lanes_and_tails_agree(name: str, isa: str, dtype: np.dtype) -> None:
    """A number's result does not depend on its place in a vector or in the tail."""
    x = np.random.default_rng(5).uniform(-10, 10, 70).astype(dtype)
    whole = apply(name, x)
    for size in range(70):
        assert np.array_equal(apply(name, x[:size]), whole[:size]), f"{isa} {size}"
        assert np.array_equal(apply(name, x[size : size + 1].copy()), whole[size : size + 1])


@pytest.mark.check(4)
def test_the_judge_sees_an_error(dtype: np.dtype) -> None:
    """A positive control: numbers moved by ten units (five past a power of two) are found."""
    x = dense(dtype, np.random.default_rng(1))[:1000]
    exact = truth("tanh", x)
    moved = exact.astype(dtype)
    for _ in range(10):
        moved = np.nextafter(moved, dtype.type(2))
    judge = Judge(exact, dtype)
    assert judge.errors(exact.astype(dtype)).max() <= 0.51
    assert judge.errors(moved).min() > ACTIVATION_ULP
    moved[7] = np.nan
    assert judge.errors(moved).max() == np.inf


def test_unknown_name_raises() -> None:
    x = np.zeros(3)
    with pytest.raises(ValueError, match="softplus"):
        _core.apply_activation("softplus", x, x.copy())
