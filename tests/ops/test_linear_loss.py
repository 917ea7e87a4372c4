"""Why: a loss that is made of parts must not show where they were cut, and must never hold what it
was cut for; PyTorch, which knows nothing of us, says whether it is right.
"""

from typing import Any

import autograd
import numpy as np
import pytest
from autograd import make_vjp
from helpers.processes import output_of
from helpers.tolerances import assert_same_bits

from fastrnn import ops


def draw(
    rng: np.random.Generator, M: int, V: int, I: int, dtype: Any = np.float32
) -> tuple[tuple[np.ndarray, ...], np.ndarray]:
    arrays = tuple(rng.normal(size=shape).astype(dtype) for shape in ((M, I), (V, I), (V,)))
    targets = rng.integers(0, V, M)
    targets[1] = -100
    return arrays, targets


@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
def test_it_is_the_two_operations_bit_for_bit(reduction: str, rng: np.random.Generator) -> None:
    """100 rows of 300,000 classes are done in two parts."""
    arrays, targets = draw(rng, 100, 300_000, 3)
    options = {"label_smoothing": 0.1, "reduction": reduction}
    g = rng.normal(size=100).astype(np.float32) if reduction == "none" else np.float32(1)

    def two(values: Any) -> Any:
        return (g * ops.softmax_cross_entropy(ops.linear(*values), targets, **options)).sum()

    def one(values: Any) -> Any:
        return (g * ops.linear_cross_entropy(*values, targets, **options)).sum()

    assert one(arrays) == two(arrays)
    (value, found), (other, expected) = (autograd.value_and_grad(f)(arrays) for f in (one, two))
    assert value == other == one(arrays)
    for name, a, b in zip("xwb", found, expected, strict=True):
        assert_same_bits(f"d{name}", a, b)


def test_a_gradient_that_is_not_one_scales_all(rng: np.random.Generator) -> None:
    arrays, targets = draw(rng, 9, 7, 5, np.float64)
    slopes = autograd.grad(lambda v: ops.linear_cross_entropy(*v, targets))(arrays)
    halves = autograd.grad(lambda v: 0.5 * ops.linear_cross_entropy(*v, targets))(arrays)
    for slope, half in zip(slopes, halves, strict=True):
        assert_same_bits("half", half, 0.5 * slope)


@pytest.mark.parametrize("reduction", ["mean", "sum"])
def test_going_back_twice_gives_arrays_of_their_own(
    reduction: str, rng: np.random.Generator
) -> None:
    x, w, b = draw(rng, 9, 7, 5, np.float64)[0]
    targets = rng.integers(0, 7, 9)
    loss = make_vjp(lambda w: ops.linear_cross_entropy(x, w, b, targets, reduction=reduction))
    back, _ = loss(w)
    first = back(1.0)
    expected = first.copy()
    first[...] = 0
    assert_same_bits("again", back(1.0), expected)
    assert_same_bits("half", back(0.5), 0.5 * expected)


@pytest.mark.parametrize("wanted", [0, 1, 2])
def test_each_gradient_comes_alone(wanted: int, rng: np.random.Generator) -> None:
    arrays, targets = draw(rng, 9, 7, 5)
    every = autograd.grad(lambda v: ops.linear_cross_entropy(*v, targets))(arrays)

    def loss(array: Any) -> Any:
        values = [*arrays[:wanted], array, *arrays[wanted + 1 :]]
        return ops.linear_cross_entropy(*values, targets)

    assert_same_bits("alone", autograd.grad(loss)(arrays[wanted]), every[wanted])


def test_it_is_pytorchs(dtype: np.dtype, rng: np.random.Generator) -> None:
    torch = pytest.importorskip("torch")
    arrays, targets = draw(rng, 50, 111, 17, dtype)
    x, w, b = (torch.tensor(array, requires_grad=True) for array in arrays)
    logits = torch.nn.functional.linear(x, w, b)
    expected = torch.nn.functional.cross_entropy(
        logits, torch.tensor(targets), label_smoothing=0.2
    )
    expected.backward()
    value, found = autograd.value_and_grad(
        lambda v: ops.linear_cross_entropy(*v, targets, label_smoothing=0.2)
    )(arrays)
    bound = 2e-5 if dtype == np.float32 else 1e-12
    assert np.isclose(float(value), expected.item(), rtol=bound)
    for slope, tensor in zip(found, (x, w, b), strict=True):
        np.testing.assert_allclose(slope, tensor.grad.numpy(), rtol=bound, atol=bound)


PEAK = """
import resource
import autograd, numpy as np
from fastrnn import ops
x, w, b = np.ones((1024, 4), "f4"), np.ones((100_000, 4), "f4"), np.ones(100_000, "f4")
targets = np.arange(1024)
loss = autograd.grad(lambda v: ops.linear_cross_entropy(*v, targets[: len(v[0])]))
loss((x[:1], w, b))
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
loss((x, w, b))
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""


def test_the_logits_are_never_there_at_once() -> None:
    """They would take 410 MB; a part takes at most 80 MiB."""
    assert int(output_of(PEAK)) * 1024 < 150e6


@pytest.mark.parametrize(
    ("change", "error", "words"),
    [
        ({"x": np.ones((2, 4))}, ValueError, r"x must have shape \(…, I\) = \(…, 3\)"),
        ({"w": np.ones(3)}, ValueError, r"w must have shape \(V, I\)"),
        ({"w": np.ones((0, 3)), "b": None}, ValueError, r"w must have shape \(V, I\) with V >= 1"),
        ({"b": np.ones(4)}, ValueError, r"b must have shape \(V,\) = \(5,\)"),
        ({"targets": [0]}, ValueError, r"targets must have shape \(…,\) = \(2,\)"),
        ({"targets": [0, 5]}, ValueError, r"targets must lie in 0\.\.V-1 = 0\.\.4, got 5"),
        ({"targets": [0.0, 1.0]}, TypeError, "targets must hold integers"),
        ({"x": np.ones((2, 3), np.float32)}, TypeError, "x must be float64"),
        ({"reduction": "max"}, ValueError, "reduction must be one of"),
        ({"label_smoothing": 2}, ValueError, r"label_smoothing must lie in 0\.\.1"),
        ({"ignore_index": 1.5}, TypeError, "ignore_index must be an integer"),
    ],
)
@pytest.mark.usefixtures("backend")
def test_a_wrong_call_is_told_so(change: dict, error: type, words: str) -> None:
    given = {"x": np.ones((2, 3)), "w": np.ones((5, 3)), "b": np.ones(5), "targets": [0, 4]}
    with pytest.raises(error, match=words):
        ops.linear_cross_entropy(**given | change)
