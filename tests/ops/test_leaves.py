"""Why: every training step goes through `value_and_grad`. It must be autograd's, number by number,
and what it returns may be scaled in place, so no array may be held by anybody else.
"""

import itertools
from typing import Any

import autograd
import autograd.numpy as anp
import numpy as np
import pytest
from autograd.tracer import trace_stack
from helpers.tolerances import assert_same_bits

import fastrnn
from fastrnn import ops


def nest(rng: Any, dtype: Any = np.float64) -> dict[str, Any]:
    gru = fastrnn.GRU(3, 4, 2, dtype=dtype, rng=rng)
    out = {"weight": rng.standard_normal((2, 4)).astype(dtype), "bias": np.zeros(2, dtype)}
    return {"rnn": gru.params, "out": out, "deep": {"er": {"scale": np.ones(2, dtype)}}}


def loss(params: Any, x: Any, power: int = 2) -> Any:
    y, _ = GRU.apply(params["rnn"], x)
    out = params["out"]
    scores = ops.linear(y, out["weight"], out["bias"]) * params["deep"]["er"]["scale"]
    return anp.sum(scores**power) + anp.sum(out["bias"] + params["deep"]["er"]["scale"])


GRU = fastrnn.GRU(3, 4, 2, dtype=np.float64)
SINGLE = fastrnn.GRU(3, 4, 2)


def flat(params: Any) -> list[np.ndarray]:
    if isinstance(params, dict):
        return [array for entry in params.values() for array in flat(entry)]
    return [params]


def test_equals_autograd(rng: Any) -> None:
    params, x = nest(rng), rng.standard_normal((5, 2, 3))
    value, grads = ops.value_and_grad(loss)(params, x, power=3)
    expected, expected_grads = autograd.value_and_grad(loss)(params, x, power=3)
    assert value == expected
    assert type(value) is type(expected)
    assert [list(grads), list(grads["rnn"])] == [list(params), list(params["rnn"])]
    for found, wanted in zip(flat(grads), flat(expected_grads), strict=True):
        assert_same_bits("a gradient", found, wanted)


def test_nobody_else_holds_a_gradient(rng: Any) -> None:
    """Glue hands one array, or a view of one, to several leaves, and constants on as gradients."""
    params = {name: rng.standard_normal((2, 3)) for name in "abcd"}
    weights = rng.standard_normal((2, 3))

    def value(params: Any) -> Any:
        turned = anp.reshape(params["c"], (3, 2))
        total = params["a"] + params["b"] + anp.transpose(turned).reshape(2, 3)
        return anp.sum(total * weights)

    before = weights.copy()
    _, grads = ops.value_and_grad(value)(params)
    assert not grads["d"].any()
    for one, other in itertools.combinations([*flat(grads), *flat(params), weights], 2):
        assert not np.shares_memory(one, other)
    for gradient in flat(grads):
        assert gradient.flags.writeable
        assert gradient.flags.c_contiguous
        gradient[...] = 2
    assert_same_bits("weights", weights, before)


def test_float32_stays_float32(rng: Any) -> None:
    params, x = nest(rng, np.float32), rng.standard_normal((5, 2, 3), dtype=np.float32)

    def value(params: Any) -> Any:
        y, _ = SINGLE.apply(params["rnn"], x)
        return anp.sum(y * np.arange(4.0)) + anp.sum(params["out"]["bias"] * np.arange(2.0))

    _, grads = ops.value_and_grad(value)(params)
    assert {gradient.dtype for gradient in flat(grads)} == {np.dtype(np.float32)}
    assert grads["rnn"]["weight_hh_l1"].any()
    np.testing.assert_array_equal(grads["out"]["bias"], [0, 1])


def test_what_does_not_depend_on_params() -> None:
    value, grads = ops.value_and_grad(lambda _: np.float32(3))({"a": np.ones(2)})
    assert value == 3
    np.testing.assert_array_equal(grads["a"], [0, 0])


def test_inside_of_another_differentiation(rng: Any) -> None:
    """The inner run differentiates by its own leaves only."""
    w = rng.standard_normal(3)

    def outer(v: Any) -> Any:
        value, grads = ops.value_and_grad(lambda p: anp.sum(p["w"] ** 2 * v))({"w": w})
        return anp.sum(grads["w"]) + value

    # value is Σ w²·v and the sum of its gradient Σ 2·w·v
    np.testing.assert_allclose(autograd.grad(outer)(np.ones(3)), w**2 + 2 * w)


def test_an_error_leaves_autograd_as_it_was() -> None:
    before = trace_stack.top

    def fails(_: Any) -> Any:
        raise RuntimeError("no")

    with pytest.raises(RuntimeError, match="no"):
        ops.value_and_grad(fails)({"a": np.ones(2)})
    assert trace_stack.top == before


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ([np.ones(2)], "params must be a nested dict, got list"),
        ({"a": {"b": [1.0]}}, r"params\['a'\]\['b'\] must be a floating array, got list"),
        ({"a": np.arange(3)}, r"params\['a'\] must be a floating array, got int64"),
    ],
)
def test_params_that_are_none(params: Any, message: str) -> None:
    with pytest.raises(TypeError, match=message):
        ops.value_and_grad(lambda _: np.float64(0))(params)


@pytest.mark.parametrize("result", [np.ones(2), 3, "x"])
def test_a_value_that_is_no_number(result: Any) -> None:
    with pytest.raises(TypeError, match="the value to differentiate must be a floating number"):
        ops.value_and_grad(lambda _: result)({"a": np.ones(2)})
