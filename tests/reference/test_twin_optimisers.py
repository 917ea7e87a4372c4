"""Why: the core is held to these twins, so they themselves are held to closed forms, to the
published algorithms written out once more, and to PyTorch's optimisers where PyTorch is installed.
"""

import contextlib
import warnings
from typing import Any

import numpy as np
import pytest
from helpers.tolerances import TORCH, assert_close
from helpers.updates import OPTIMISERS, draw_tree, leaves, mapped, run

from fastrnn import reference

with warnings.catch_warnings(), contextlib.suppress(ImportError):
    warnings.simplefilter("ignore")  # what PyTorch warns about at import is not ours
    import torch

NAMES = list(OPTIMISERS)


def test_adam_with_one_gradient_for_ever_steps_by_its_sign() -> None:
    # Both corrected means are g and g² at every step: a step is η·g/(|g| + ε), whatever the betas.
    gradient, param = np.array([2.0, -0.5, 1e-3]), np.zeros(3)
    state = {"exp_avg": np.zeros(3), "exp_avg_sq": np.zeros(3)}
    for step in range(1, 6):
        param, state = reference.adam(param, gradient, state, step=step, lr=0.1, eps=0.0)
        np.testing.assert_allclose(param, -0.1 * step * np.sign(gradient), rtol=1e-12)


def test_adam_follows_the_published_algorithm(rng: np.random.Generator) -> None:
    param = rng.normal(size=8)
    expected, m, v = param.copy(), np.zeros(8), np.zeros(8)
    state = {"exp_avg": m, "exp_avg_sq": v}
    for step in range(1, 11):
        g, lr = rng.normal(size=8), 0.5 / step
        param, state = reference.adam(
            param, g, state, step=step, lr=lr, betas=(0.8, 0.95), eps=1e-3, weight_decay=0.3,
            decoupled=True,
        )  # fmt: skip
        m, v = 0.8 * m + 0.2 * g, 0.95 * v + 0.05 * g**2
        m_hat, v_hat = m / (1 - 0.8**step), v / (1 - 0.95**step)
        expected = expected * (1 - lr * 0.3) - lr * m_hat / (np.sqrt(v_hat) + 1e-3)
        np.testing.assert_allclose(param, expected, rtol=1e-12)


def test_momentum_adds_up_to_a_geometric_series() -> None:
    for nesterov, sums in ((False, [1, 2.5, 4.25]), (True, [1.5, 3.25, 5.125])):
        param, state, seen = np.zeros(1), {"momentum_buffer": np.zeros(1)}, []
        for _ in range(3):
            param, state = reference.sgd(
                param, np.ones(1), state, lr=1.0, momentum=0.5, nesterov=nesterov
            )
            seen.append(-float(param[0]))
        assert seen == sums


def test_adagrad_and_rmsprop_divide_by_what_they_say() -> None:
    param, state = np.zeros(1), {"sum": np.zeros(1)}
    for k in range(1, 5):
        before = param
        param, state = reference.adagrad(param, np.array([3.0]), state, lr=1.0)
        np.testing.assert_allclose(before - param, 1 / np.sqrt(k), rtol=1e-9)
    # One gradient for ever has no variance: the centered step grows until ε alone is left.
    param, state = np.zeros(1), {"square_avg": np.array([9.0]), "grad_avg": np.array([3.0])}
    param, _ = reference.rmsprop(param, np.array([3.0]), state, lr=1.0, eps=1.5, centered=True)
    np.testing.assert_allclose(param, -2.0, rtol=1e-12)


@pytest.mark.parametrize("name", NAMES)
def test_twins_are_pure_and_keep_the_dtype(
    name: str, dtype: np.dtype, rng: np.random.Generator
) -> None:
    optimiser = OPTIMISERS[name]()
    optimiser.steps = 1
    twin = getattr(reference, optimiser._twin)
    param, grad = rng.standard_normal((2, 5)).astype(dtype)
    state = {slot: np.ones(5, dtype) for slot in optimiser._slots}
    arrays = [param, grad, *state.values()]
    before = [a.copy() for a in arrays]
    now, after = twin(param, grad, state, **optimiser._twin_options(0.1))
    assert {a.dtype for a in (now, *after.values())} == {dtype}
    assert after.keys() == state.keys()
    assert not np.array_equal(now, param)
    for was, array in zip(before, arrays, strict=True):
        np.testing.assert_array_equal(was, array)


def torch_optimiser(name: str, tensors: list[Any]) -> Any:
    """The same optimiser of PyTorch, by the names of the options."""
    ours = OPTIMISERS[name]()
    options = dict(ours.options)
    return getattr(torch.optim, type(ours).__name__)(tensors, lr=ours.lr, **options)


@pytest.mark.skipif("torch" not in globals(), reason="PyTorch is not installed")
@pytest.mark.parametrize("name", NAMES)
def test_pytorch_says_the_same(name: str, backend: str, rng: np.random.Generator) -> None:
    params = draw_tree(rng, np.float64)
    gradients = [draw_tree(rng, np.float64) for _ in range(10)]
    result = run(OPTIMISERS[name](), params, gradients)
    tensors = mapped(lambda a: torch.from_numpy(a.copy()).requires_grad_(), params)
    other = torch_optimiser(name, list(leaves(tensors).values()))
    for grads in gradients:
        for path, tensor in leaves(tensors).items():
            tensor.grad = torch.from_numpy(leaves(grads)[path].copy())
        other.step()
    for path, tensor in leaves(tensors).items():
        assert_close(path, result[path], tensor.detach().numpy(), TORCH)
        for slot in OPTIMISERS[name]()._slots:
            assert_close(slot, result[f"{slot}.{path}"], other.state[tensor][slot].numpy(), TORCH)


@pytest.mark.skipif("torch" not in globals(), reason="PyTorch is not installed")
@pytest.mark.parametrize("share", [0.5, 2.0])
def test_pytorch_clips_the_same_but_for_its_epsilon(share: float, rng: np.random.Generator) -> None:
    tree = draw_tree(rng, np.float64)
    tensors = [torch.from_numpy(a.copy()).requires_grad_() for a in leaves(tree).values()]
    for tensor in tensors:
        tensor.grad = tensor.detach().clone()
    limit = share * reference.clipping.norm(tree)
    torch.nn.utils.clip_grad_norm_(tensors, limit)
    clipped = leaves(reference.gradient_clipping(tree, limit))
    for tensor, array in zip(tensors, clipped.values(), strict=True):
        np.testing.assert_allclose(array, tensor.grad.numpy(), rtol=1e-6)


def test_defaults_are_those_of_the_classes() -> None:
    for kind in ("sgd", "adam", "rmsprop", "adagrad"):
        documented = getattr(reference, kind).__kwdefaults__
        for option, default in type(OPTIMISERS[kind]()).__init__.__kwdefaults__.items():
            assert option not in documented or documented[option] == default
