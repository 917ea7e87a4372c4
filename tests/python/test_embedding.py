"""Why: a table is simple enough to be exactly right: one-hot rows times the weight, a gradient that
adds up over repeated symbols, and a padding row that nothing moves.
"""

from typing import Any

import numpy as np
import pytest
from helpers.tolerances import assert_same_bits

import fastrnn
from fastrnn import ops
from fastrnn.data import one_hot

V, E = 7, 5


def make(**options: Any) -> fastrnn.Embedding:
    return fastrnn.Embedding(V, E, **({"rng": np.random.default_rng(3)} | options))


def test_one_hot_times_weight(dtype: Any, backend: str, rng: Any) -> None:
    layer, ids = make(dtype=dtype), rng.integers(0, V, (4, 3))
    y = layer(ids)
    assert (y.dtype, y.shape) == (dtype, (4, 3, E))
    assert_same_bits("y", y, one_hot(ids, V, dtype) @ layer.params["weight"])


def test_gradient_is_a_scatter_add(dtype: Any, backend: str, rng: Any) -> None:
    layer, ids = make(dtype=dtype, padding_idx=2), rng.integers(0, V, (40, 3))
    dy = rng.integers(-3, 4, (40, 3, E)).astype(dtype)  # whole numbers: sums are exact
    _, grads = ops.value_and_grad(lambda p: (layer.apply(p, ids) * dy).sum())(layer.params)
    expected = np.tensordot(one_hot(ids, V, dtype), dy, axes=((0, 1), (0, 1)))
    assert expected[2].any()
    expected[2] = 0
    assert grads["weight"].dtype == dtype
    np.testing.assert_array_equal(grads["weight"], expected)


@pytest.mark.parametrize("padding_idx", [0, 3, -1, -V])
def test_the_padding_row_is_zero_and_stays_so(padding_idx: int) -> None:
    layer = make(padding_idx=padding_idx)
    row = padding_idx % V
    assert layer.padding_idx == row
    others = np.delete(np.arange(V), row)
    assert not layer(row).any()
    assert layer(others).any(axis=1).all()
    assert_same_bits("rows", layer(others), make()(others))
    layer.load_state_dict({"weight": np.ones((V, E), np.float32)})
    assert not layer(row).any()
    assert layer(others).all()


def test_state_dict_is_a_copy() -> None:
    layer, other = make(), fastrnn.Embedding(V, E)
    state = layer.state_dict()
    other.load_state_dict(state)
    state["weight"][:] = 0
    assert_same_bits("weight", other.params["weight"], layer.params["weight"])
    assert layer.params["weight"].any()
    assert repr(make(padding_idx=1)) == "Embedding(7, 5, padding_idx=1, dtype=float32)"


@pytest.mark.parametrize(
    ("run", "error", "message"),
    [
        (lambda: fastrnn.Embedding(0, 2), ValueError, "V must be at least 1"),
        (lambda: fastrnn.Embedding(3, 2.0), TypeError, "E must be an integer"),
        (lambda: fastrnn.Embedding(3, 2, 3), ValueError, r"padding_idx must be in -3\.\.2"),
        (lambda: fastrnn.Embedding(3, 2, dtype=int), TypeError, "dtype must be float32"),
        (lambda: fastrnn.Embedding(3, 2, rng=1), TypeError, "rng must be"),
        (lambda: make()([V]), ValueError, "7"),
        (lambda: make()([-1]), ValueError, "-1"),
        (lambda: make()([0.5]), TypeError, "integers"),
        (lambda: make().apply({}, [0]), ValueError, "params must have the key 'weight' alone"),
        (lambda: make().load_state_dict({}), ValueError, "state_dict must have 'weight' alone"),
        (
            lambda: make().load_state_dict({"weight": np.ones((E, V), np.float32)}),
            ValueError,
            r"weight must have shape \(V, E\) = \(7, 5\)",
        ),
        (lambda: make().load_state_dict({"weight": np.ones((V, E))}), TypeError, "float32"),
    ],
)
def test_bad_arguments(run: Any, error: type, message: str) -> None:
    with pytest.raises(error, match=message):
        run()
