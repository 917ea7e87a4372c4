"""Why: models that say sentences are layers tied together by indices and draws. Whatever they are,
gradients, twins, padding, dtype and files must be right, draws and what is dropped included.
"""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers.nested import check_gradients, check_twins, traced_dtypes
from helpers.nodes import count_nodes
from helpers.tolerances import assert_same_bits
from helpers.zoo import DECODING, flat, make, token_batch

from fastrnn import models, ops
from fastrnn.models import HRED, VHRED, SequenceVAE

# The most nodes of a tape: a code has two Gaussians, a bag, and draws.
NODES = {HRED: 80, VHRED: 120, SequenceVAE: 70}


def dropping(name: str, **more: Any) -> Any:
    """A model that drops all that it can."""
    return make(name, dropout=0.2, word_drop=0.3, **more)


@pytest.mark.check(3)
@pytest.mark.parametrize("name", DECODING)
def test_gradients_are_central_differences(name: str, rng: Any) -> None:
    model = dropping(name)
    grads = check_gradients(model, token_batch(model, rng), seed=3)
    assert all(gradient.any() for gradient in grads.values())


@pytest.mark.parametrize("name", DECODING)
def test_the_twins_give_the_same(name: str, rng: Any) -> None:
    model = dropping(name)
    check_twins(model, token_batch(model, rng), seed=3)


@pytest.mark.check(13)
@pytest.mark.parametrize("name", DECODING)
def test_padding_leaves_no_trace(name: str, rng: Any) -> None:
    model = make(name)
    x, lengths, *more = token_batch(model, rng)
    exists = np.arange(len(x))[:, None] < lengths
    dirty = np.concatenate([np.where(exists, x, -(10**9)), np.full((40, len(lengths)), 77)])
    run = ops.value_and_grad(model.loss)
    value, grads = run(model.params, (x, lengths, *more))
    found, found_grads = run(model.params, (dirty, lengths, *more))
    assert found == value
    for path, gradient in flat(grads).items():
        np.testing.assert_allclose(flat(found_grads)[path], gradient, rtol=0, atol=1e-13)


@pytest.mark.parametrize("name", DECODING)
def test_float32_and_a_tape_of_one_length(name: str, monkeypatch: Any, rng: Any) -> None:
    model = dropping(name, dtype=np.float32)

    def run(model: Any, batch: Any) -> None:
        ops.value_and_grad(model.loss)(model.params, batch, np.random.default_rng(0))

    batch = token_batch(model, rng)
    assert traced_dtypes(model, batch, monkeypatch, run) == {np.dtype(np.float32)}
    counts = []
    for steps in (5, 40):
        shape = [steps] * 60 if isinstance(model, SequenceVAE) else [[steps] * (steps // 4 + 2)] * 5
        batch = token_batch(model, rng, shape)
        counts.append(
            count_nodes(
                lambda function: ops.value_and_grad(function)(model.params),
                lambda params, batch=batch: model.loss(params, batch),
            )
        )
    assert counts[0] == counts[1] < NODES[type(model)]


@pytest.mark.parametrize("name", [name for name in DECODING if "attention" not in name])
def test_no_layer_goes_without_recurrent_dropout(name: str, rng: Any) -> None:
    """Where all of h is dropped, nothing is learned about what to make of it."""
    for dropped in (0.0, 1.0):
        model = make(name, recurrent_dropout=dropped)
        run = ops.value_and_grad(model.loss)
        _, grads = run(model.params, token_batch(model, rng), np.random.default_rng(0))
        own = {path: g for path, g in flat(grads).items() if "weight_hh" in path}
        assert len(own) >= 2
        assert {bool(gradient.any()) for gradient in own.values()} == {dropped == 0}


@pytest.mark.parametrize("name", DECODING)
def test_there_and_back(name: str, tmp_path: Path, rng: Any) -> None:
    anneals = {} if name.startswith("hred") else {"kl_schedule": 5}
    model = make(name, dtype=np.float32, **anneals)
    batch = token_batch(model, rng)
    model.save(tmp_path / "model")
    back = models.load(tmp_path / "model")
    assert type(back) is type(model)
    assert back.config == model.config
    assert back.evaluate([batch]) == model.evaluate([batch])
    for one, other in zip(said(back), said(model), strict=True):
        assert_same_bits("said", one, other)


def said(model: Any) -> list[Any]:
    how: Any = {"rng": np.random.default_rng(0), "temperature": 1.0, "max_length": 8}
    if isinstance(model, SequenceVAE):
        return model.sample(3, **how)
    return model.reply([[4], [5, 6]], n=3, **how)
