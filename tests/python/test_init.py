"""Why: training begins where the initial weights say; range, precision and seed count."""

import numpy as np
import pytest

from fastrnn import init


@pytest.mark.parametrize("bound", [0.5, 2.0])
def test_uniform(bound: float, dtype: np.dtype) -> None:
    w = init.uniform((200, 50), bound, np.random.default_rng(3), dtype)
    again = init.uniform((200, 50), bound, np.random.default_rng(3), dtype)
    np.testing.assert_array_equal(w, again)
    assert w.dtype == dtype
    assert abs(w).max() <= bound
    deciles = np.quantile(w, np.linspace(0, 1, 11))
    np.testing.assert_allclose(deciles, np.linspace(-bound, bound, 11), atol=0.03 * bound)


def test_float64_has_its_own_precision() -> None:
    w = init.uniform((100,), 1.0, np.random.default_rng(3), np.dtype(np.float64))
    assert (w != w.astype(np.float32)).all()


def test_normal_in_either_precision() -> None:
    """Drawn in float64 and rounded, it is the same table in both; the generator gives no more."""
    source, plain = np.random.default_rng(3), np.random.default_rng(3)
    f4, f8 = np.dtype(np.float32), np.dtype(np.float64)
    expected = plain.standard_normal((50, 4))
    np.testing.assert_array_equal(init.normal((50, 4), source, f4, f8), expected.astype(f4))
    np.testing.assert_array_equal(
        init.normal((9,), source), plain.standard_normal(9, dtype=np.float32)
    )


def test_a_generator_or_fresh_entropy() -> None:
    assert init.generator(None).random() != init.generator(None).random()
    with pytest.raises(TypeError, match=r"source must be a numpy.random.Generator or None, got 7"):
        init.generator(7, "source")
    with pytest.raises(MemoryError, match="does not fit"):
        init.uniform((2**40, 2**20), 1.0, np.random.default_rng(0))
    with pytest.raises(MemoryError, match=r"an initial weight of shape \(1099511627776, 1048576\)"):
        init.normal((2**40, 2**20), np.random.default_rng(0))
