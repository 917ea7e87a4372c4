"""Why: an estimate of a sum can be wrong for ever and still train somewhat. It must be that of its
definition, right on average, and meet the whole softmax when the sample is large.
"""

from typing import Any

import autograd
import numpy as np
import pytest
from helpers.tolerances import OPERATION, assert_close

import fastrnn
from fastrnn import ops, reference

V, I = 9, 5


def draw(rng: np.random.Generator, dtype: Any = np.float64) -> tuple[np.ndarray, ...]:
    shapes = (2, 3, I), (V, I), (V,)
    x, w, b = (rng.normal(size=shape).astype(dtype) for shape in shapes)
    return x, w, b, rng.integers(0, V, (2, 3))


COUNTS = np.array([5.0, 1, 1, 2, 9, 1, 3, 1, 1])


@pytest.mark.parametrize("proposal", [None, COUNTS])
@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("reduction", ["mean", "sum"])
def test_it_equals_its_twin(
    proposal: Any, bias: bool, reduction: str, dtype: np.dtype, rng: np.random.Generator
) -> None:
    x, w, b, targets = draw(rng, dtype)
    targets[0, 1] = -100

    def loss(values: Any, namespace: Any) -> Any:
        x, w, *rest = values
        return namespace.sampled_softmax(
            x, w, rest[0] if rest else None, targets, num_samples=20, proposal=proposal,
            reduction=reduction, rng=np.random.default_rng(3),
        )  # fmt: skip

    arrays = (x, w, b) if bias else (x, w)
    wide = tuple(array.astype(np.float64) for array in arrays)
    for backend in ("core", "reference"):
        with fastrnn.use_backend(backend):
            value, found = autograd.value_and_grad(loss)(arrays, ops)
        expected, slopes = autograd.value_and_grad(loss)(wide, reference)
        assert_close("loss", np.asarray(value), np.asarray(expected), OPERATION[dtype])
        for a, e in zip(found, slopes, strict=True):
            assert a.dtype == dtype
            assert_close("gradient", a, e, OPERATION[dtype])
    assert not found[0][0, 1].any()


@pytest.mark.check(3)
def test_its_gradient_is_the_slope(rng: np.random.Generator) -> None:
    x, w, b, targets = draw(rng)

    def loss(x: Any, w: Any, b: Any) -> Any:
        seeded = np.random.default_rng(5)
        return ops.sampled_softmax(x, w, b, targets, num_samples=7, rng=seeded, proposal=COUNTS)

    found = autograd.grad(lambda v: loss(*v))((x, w, b))
    arrays = {"x": x, "w": w, "b": b}
    fastrnn.testing.gradcheck(loss, arrays, dict(zip(arrays, found, strict=True)))


@pytest.mark.parametrize("proposal", [None, COUNTS])
def test_the_sum_is_right_on_average(proposal: Any, rng: np.random.Generator) -> None:
    """exp(loss) is Z / e^{o_t}, without bias: 4,000 samples of 3 classes, five deviations."""
    x, w, b, targets = draw(rng)
    exact = np.exp(ops.softmax_cross_entropy(ops.linear(x, w, b), targets, reduction="none"))
    drawn = np.array(
        [
            np.exp(
                reference.sampled_softmax(
                    x, w, b, targets, num_samples=3, rng=rng, proposal=proposal, reduction="none"
                )
            )
            for _ in range(4000)
        ]
    )
    error = np.abs(drawn.mean(axis=0) - exact)
    assert (error < 5 * drawn.std(axis=0) / len(drawn) ** 0.5).all()


def test_a_large_sample_is_the_whole_softmax(rng: np.random.Generator) -> None:
    x, w, b, targets = draw(rng)

    def exact(w: Any) -> Any:
        return ops.softmax_cross_entropy(ops.linear(x, w, b), targets)

    def sampled(w: Any) -> Any:
        return ops.sampled_softmax(x, w, b, targets, num_samples=200_000, rng=rng)

    (value, slope), (whole, expected) = (autograd.value_and_grad(f)(w) for f in (sampled, exact))
    assert abs(value - whole) < 0.01
    np.testing.assert_allclose(slope, expected, atol=0.01)


def test_classes_that_are_right_for_a_row_are_no_estimate(rng: np.random.Generator) -> None:
    """Where all classes are, nothing is estimated; ignored rows make none right."""
    x, w, b, _ = draw(rng)
    x, targets = rng.normal(size=(V + 1, I)), np.append(np.arange(V), -100)
    exact = ops.softmax_cross_entropy(ops.linear(x, w, b), targets, reduction="none")
    found = ops.sampled_softmax(x, w, b, targets, num_samples=3, rng=rng, reduction="none")
    np.testing.assert_allclose(found, exact, rtol=1e-12)
    assert found[-1] == 0
    nothing = np.full(V + 1, -100)
    assert ops.sampled_softmax(x, w, b, nothing, num_samples=3, rng=rng, reduction="sum") == 0


def test_one_class_has_no_loss() -> None:
    """Every sample is the target itself, and is left out."""
    loss = ops.sampled_softmax(
        np.ones((3, 2)), np.ones((1, 2)), None, [0, 0, 0], num_samples=4,
        rng=np.random.default_rng(0),
    )  # fmt: skip
    assert loss == 0


@pytest.mark.parametrize(
    ("change", "error", "words"),
    [
        ({"num_samples": 0}, ValueError, "num_samples must be at least 1"),
        ({"num_samples": 2.0}, TypeError, "num_samples must be an integer"),
        ({"rng": 3}, TypeError, "rng must be a numpy.random.Generator"),
        ({"proposal": np.ones(3)}, ValueError, "proposal must have shape"),
        ({"proposal": -np.ones(V)}, ValueError, "proposal must hold"),
        ({"targets": np.zeros(3, int)}, ValueError, "targets must have shape"),
        ({"targets": np.full((2, 3), V)}, ValueError, "must lie in 0"),
        ({"targets": np.zeros((2, 3))}, TypeError, "targets must hold integers"),
        ({"w": np.ones((V, 2))}, ValueError, "must fit"),
        ({"b": np.ones(2)}, ValueError, "b must have shape"),
        ({"x": np.ones((2, 3, I), np.float32)}, TypeError, "must be float64"),
        ({"reduction": "max"}, ValueError, "reduction must be one of"),
    ],
)
def test_a_wrong_call_is_told_so(
    change: dict, error: type, words: str, rng: np.random.Generator
) -> None:
    given = dict(zip(("x", "w", "b", "targets"), draw(rng), strict=True))
    given |= {"num_samples": 4, "rng": rng} | change
    with pytest.raises(error, match=words):
        ops.sampled_softmax(**given)
