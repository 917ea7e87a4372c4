"""Nested parameters of any depth: flat, back, differentiated, and by central differences."""

from collections.abc import Callable
from typing import Any

import numpy as np
from autograd.tracer import Box

import fastrnn
from fastrnn import ops
from fastrnn.models._parts.model import flatten
from fastrnn.testing import gradcheck


def nested(arrays: dict[str, np.ndarray], like: Any) -> dict[str, Any]:
    """Arrays by dotted names as the nested dict they came from; empty dicts come from `like`."""
    found: dict[str, Any] = {}
    for name, entry in like.items():
        if isinstance(entry, dict):
            inner = {p.removeprefix(f"{name}."): a for p, a in arrays.items() if p.startswith(name)}
            inner = {p: a for p, a in inner.items() if f"{name}.{p}" in arrays}
            found[name] = nested(inner, entry)
        else:
            found[name] = arrays[name]
    return found


def check_gradients(model: Any, batch: Any, seed: int | None) -> dict[str, np.ndarray]:
    """Compare the gradient by every parameter with central differences, and return it."""

    def generator() -> Any:
        return None if seed is None else np.random.default_rng(seed)

    _, grads = ops.value_and_grad(model.loss)(model.params, batch, generator())

    def loss(**arrays: np.ndarray) -> Any:
        return model.loss(nested(arrays, model.params), batch, generator())

    found = flatten(grads)
    gradcheck(loss, flatten(model.params), found)
    return found


def check_twins(model: Any, batch: Any, seed: int) -> None:
    """The twins of all operations must give the same loss and gradient."""
    run = ops.value_and_grad(model.loss)
    value, grads = run(model.params, batch, np.random.default_rng(seed))
    with fastrnn.use_backend("reference"):
        again, twins = run(model.params, batch, np.random.default_rng(seed))
    assert np.isclose(value, again, rtol=1e-12)
    for path, gradient in flatten(grads).items():
        np.testing.assert_allclose(gradient, flatten(twins)[path], rtol=1e-8, atol=1e-12)


def traced_dtypes(model: Any, batch: Any, monkeypatch: Any, run: Callable[..., Any]) -> set[Any]:
    """The dtypes of all that autograd traces while `run(model, batch)` differentiates."""
    init, seen = Box.__init__, []

    def spied(self: Any, value: Any, *args: Any) -> None:
        seen.append(value)
        init(self, value, *args)

    with monkeypatch.context() as patch:
        patch.setattr(Box, "__init__", spied)
        run(model, batch)
    return {array.dtype for array in seen if not isinstance(array, tuple)}
