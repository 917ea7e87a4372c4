"""Why: a model is right when its loss and the gradient by every parameter are those of the twins,
and when padding, dtype and backend leave no trace in them.
"""

from typing import Any

import autograd
import numpy as np
import pytest
from autograd.tracer import Box
from helpers import twin_models
from helpers.nodes import count_nodes
from helpers.tolerances import assert_close, assert_same_bits
from helpers.zoo import LENGTHS, PAIRS, SINGLE, ZOO, V, batch_for, flat, make

import fastrnn
from fastrnn import ops
from fastrnn.models import LanguageModel
from fastrnn.testing import gradcheck

# Both are float64 and sum the same few hundred products, in another order.
AUTOGRAD = 1e-10


@pytest.mark.parametrize("name", ZOO)
@pytest.mark.parametrize("lengths", [None, LENGTHS], ids=["whole", "ragged"])
def test_equal_autograd_through_the_twins(name: str, lengths: Any, backend: str, rng: Any) -> None:
    model = make(name)
    batch = batch_for(model, rng, lengths=lengths)
    value, grads = ops.value_and_grad(model.loss)(model.params, batch)
    expected, wanted = autograd.value_and_grad(
        lambda params: twin_models.loss(model, params, batch)
    )(model.params)
    assert np.isclose(value, expected, rtol=1e-12)
    assert flat(grads).keys() == flat(model.params).keys()
    for path, gradient in flat(grads).items():
        assert_close(path, gradient, flat(wanted)[path], AUTOGRAD)
        assert gradient.any(), path


@pytest.mark.check(3)
@pytest.mark.parametrize("name", ["classifier-max-symbols", "tagger-bi-mul", "lm-gru-tied"])
def test_central_differences_with_dropout(name: str, rng: Any) -> None:
    model = make(name, dropout=0.3)
    batch = batch_for(model, rng, lengths=LENGTHS)

    def loss(**arrays: np.ndarray) -> Any:
        nested: dict[str, Any] = {}
        for path, array in arrays.items():
            top, _, inner = path.partition(".")
            nested.setdefault(top, {})[inner] = array
        return model.loss(nested, batch, np.random.default_rng(3))

    _, grads = ops.value_and_grad(model.loss)(model.params, batch, np.random.default_rng(3))
    gradcheck(loss, flat(model.params), flat(grads))
    plain = model.loss(model.params, batch)
    assert plain != loss(**flat(model.params))
    assert plain == make(name).loss(model.params, batch)


@pytest.mark.check(13)
@pytest.mark.parametrize("name", SINGLE)
def test_padding_leaves_no_trace(name: str, rng: Any) -> None:
    """100 more steps of NaN, or of no symbol at all, with labels that are none: the same bits."""
    model = make(name)
    x, targets, lengths = batch_for(model, rng, lengths=LENGTHS)
    symbols = "embedding" in model.params
    first = model.config.get("batch_first", False)
    each_step = targets.shape[:2] == x.shape[:2]

    def padded(array: np.ndarray, nothing: Any) -> np.ndarray:
        array = array.swapaxes(0, 1) if first else array
        whole = np.full((len(array) + 100, *array.shape[1:]), nothing, array.dtype)
        exists = np.arange(len(array))[:, None] < lengths
        whole[: len(array)][exists] = array[exists]
        return whole.swapaxes(0, 1) if first else whole

    dirty = padded(x, -(10**9) if symbols else np.nan)
    nothing = np.nan if targets.dtype.kind == "f" else -77
    labels = padded(targets, nothing) if each_step else targets
    run = ops.value_and_grad(model.loss)
    value, grads = run(model.params, (x, targets, lengths))
    found, found_grads = run(model.params, (dirty, labels, lengths))
    assert found == value
    for path, gradient in flat(grads).items():
        np.testing.assert_allclose(flat(found_grads)[path], gradient, rtol=0, atol=1e-14)


@pytest.mark.parametrize("name", ZOO)
def test_float32_creates_no_float64(name: str, monkeypatch: pytest.MonkeyPatch, rng: Any) -> None:
    """Neither a gradient nor anything between: all that autograd traces is float32."""
    model = make(name, dtype=np.float32)
    batch = batch_for(model, rng, lengths=LENGTHS)
    init, seen = Box.__init__, []

    def spied(self: Any, value: Any, *args: Any) -> None:
        seen.append(value)
        init(self, value, *args)

    monkeypatch.setattr(Box, "__init__", spied)
    value, grads = ops.value_and_grad(model.loss)(model.params, batch)
    assert {array.dtype for array in seen if hasattr(array, "dtype")} == {np.dtype(np.float32)}
    assert {array.dtype for array in flat(grads).values()} == {np.dtype(np.float32)}
    double = make(name)
    for path, array in flat(double.params).items():
        array[...] = flat(model.params)[path]
    x = batch[0] if batch[0].dtype.kind == "i" else batch[0].astype(np.float64)
    assert np.isclose(value, double.loss(double.params, (x, *batch[1:])), rtol=1e-5)


@pytest.mark.parametrize("name", ZOO)
def test_the_tape_does_not_grow_with_the_steps(name: str, rng: Any) -> None:
    model = make(name)
    counts = []
    for steps in (5, 200):
        # 60 rows, so that both take the table of few symbols.
        batch = batch_for(model, rng, steps=steps, rows=60)
        counts.append(
            count_nodes(
                lambda function: ops.value_and_grad(function)(model.params),
                lambda params, batch=batch: model.loss(params, batch),
            )
        )
    assert counts[0] == counts[1] < (100 if name in PAIRS else 30)


@pytest.mark.parametrize("name", ZOO)
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_the_same_first_20_losses_with_either_backend(name: str, dtype: Any, rng: Any) -> None:
    losses = {}
    batches = [batch_for(make(name, dtype=dtype), rng, lengths=LENGTHS) for _ in range(4)]
    for backend in ("core", "reference"):
        model = make(name, dtype=dtype)
        losses[backend] = []
        with fastrnn.use_backend(backend):
            for k in range(20):
                value, grads = ops.value_and_grad(model.loss)(model.params, batches[k % 4])
                losses[backend].append(float(value))
                for path, array in flat(model.params).items():
                    array[...] = array - 0.5 * flat(grads)[path]
    bound = 1e-9 if dtype is np.float64 else 1e-4
    np.testing.assert_allclose(losses["core"], losses["reference"], rtol=bound)
    assert np.ptp(losses["core"][::4]) > 1e-3, "nothing was learned"


@pytest.mark.parametrize("name", ["lm-lstm", "tagger-bi-mul", "classifier-last-sum"])
def test_a_table_of_few_symbols_computes_the_same(name: str, rng: Any) -> None:
    """Learning, a small batch embeds each step, and a large one projects each symbol once."""
    model = make(name)
    reader = model._reader
    x = rng.integers(0, V, (3, 4))
    lengths = np.minimum(LENGTHS, 3)
    assert x.size // 2 < V
    y = reader(model.params, x, lengths=lengths)[0]
    weights = rng.standard_normal(y.shape)

    def loss(params: Any, learning: bool) -> Any:
        y, _ = reader(params, x, lengths=lengths, learning=learning)
        return (y * weights).sum()

    values = [ops.value_and_grad(loss)(model.params, learning) for learning in (True, False)]
    assert np.isclose(values[0][0], values[1][0], rtol=1e-12)
    for path, gradient in flat(values[0][1]).items():
        assert_close(path, gradient, flat(values[1][1])[path], AUTOGRAD)


def test_truncated_backpropagation_over_chunks(rng: Any) -> None:
    """Carried over two chunks the values are those of the whole, and the gradient is cut there."""
    model = make("lm-lstm")
    x, targets = batch_for(model, rng, steps=10)
    whole, final = model.loss_with_state(model.params, (x, targets))
    first, state = model.loss_with_state(model.params, (x[:6], targets[:6]))
    second, after = model.loss_with_state(model.params, (x[6:], targets[6:]), state)
    assert np.isclose(whole, 0.6 * first + 0.4 * second, rtol=1e-12)
    for one, other in zip(after, final, strict=True):
        assert_same_bits("state", one, other)
    assert isinstance(model, LanguageModel)
    _, grads = ops.value_and_grad(
        lambda p: model.loss_with_state(p, (x[6:], targets[6:]), state)[0]
    )(model.params)
    uncut = autograd.grad(
        lambda p: model.loss_with_state(
            p, (x[6:], targets[6:]), model.loss_with_state(p, (x[:6], targets[:6]))[1]
        )[0]
    )(model.params)
    assert abs(flat(grads)["rnn.weight_hh_l0"] - uncut["rnn"]["weight_hh_l0"]).max() > 1e-4
