"""Why: a model is differentiated through these operations alone, so each must equal its twin and
its gradient autograd's own through the twin, on every instruction set, team, dtype and odd size.
"""

from typing import Any

import autograd
import numpy as np
import pytest
from helpers.operations import (
    OPERATIONS,
    Operation,
    cases,
    cast,
    cotangent,
    gradients,
    name_of,
    run,
)
from helpers.runners import forced_plan
from helpers.tolerances import OPERATION, assert_close, assert_same_bits

import fastrnn
from fastrnn import ops, reference

GRID = pytest.mark.parametrize(("operation", "sizes"), cases(), ids=name_of)
EACH = pytest.mark.parametrize("operation", OPERATIONS.values(), ids=name_of)


def largest(operation: Operation, rng: np.random.Generator) -> tuple[dict, dict]:
    """The call of an operation's row with most elements."""
    drawn = [operation.draw(rng, **sizes) for sizes in operation.sizes]
    return max(drawn, key=lambda call: sum(array.size for array in call[0].values()))


def compare(what: str, actual: Any, expected: Any, bound: float) -> None:
    if isinstance(expected, tuple):
        assert len(actual) == len(expected)
        for i, (a, e) in enumerate(zip(actual, expected, strict=True)):
            compare(f"{what}[{i}]", a, e, bound)
    else:
        assert_close(what, np.asarray(actual), np.asarray(expected), bound)


def dtypes(result: Any) -> set[np.dtype]:
    return {part.dtype for part in (result if isinstance(result, tuple) else (result,))}


@pytest.mark.parametrize("threads", [1, 2, 3])
@GRID
def test_the_operation_equals_its_twin(
    operation: Operation,
    sizes: dict,
    isa: str,
    threads: int,
    dtype: np.dtype,
    rng: np.random.Generator,
) -> None:
    arrays, options = operation.draw(rng, **sizes)
    given = cast(arrays, dtype)
    wide = cast(given, np.float64)
    twin = run(reference, operation, wide, options)
    g = cotangent(rng, twin)
    g = tuple(part.astype(dtype) for part in g) if isinstance(g, tuple) else np.asarray(g, dtype)
    before = {name: array.copy() for name, array in given.items()}
    with fastrnn.threads(threads), forced_plan("rows" if threads > 1 else None, 0):
        result = run(ops, operation, given, options)
        found = gradients(ops, operation, given, options, g)
    bound = OPERATION[dtype]
    compare(operation.name, result, twin, bound)
    assert dtypes(result) == {dtype}
    expected = gradients(reference, operation, wide, options, g)
    for name, gradient in found.items():
        assert gradient.dtype == dtype
        compare(f"d{name}", gradient, expected[name], bound)
        assert_same_bits(name, given[name], before[name])


@pytest.mark.check(6)
@EACH
def test_the_result_depends_on_no_thread_count(
    operation: Operation, isa: str, dtype: np.dtype, rng: np.random.Generator
) -> None:
    arrays, options = largest(operation, rng)
    arrays = cast(arrays, dtype)
    g = cotangent(rng, run(ops, operation, arrays, options))

    def everything(threads: int) -> tuple[Any, dict]:
        with fastrnn.threads(threads), forced_plan("rows" if threads > 1 else None, 0):
            result = run(ops, operation, arrays, options)
            return result, gradients(ops, operation, arrays, options, g)

    one, found_one = everything(1)
    for threads in (2, 3, 5):
        more, found = everything(threads)
        pairs = zip(one, more, strict=True) if isinstance(one, tuple) else [(one, more)]
        for a, b in pairs:
            assert_same_bits(f"{threads} threads", np.asarray(b), np.asarray(a))
        for name, gradient in found.items():
            assert_same_bits(f"d{name} with {threads} threads", gradient, found_one[name])


@EACH
def test_the_other_backend_is_the_twin(operation: Operation, rng: np.random.Generator) -> None:
    arrays, options = largest(operation, rng)
    twin = run(reference, operation, arrays, options)
    g = cotangent(rng, twin)
    with fastrnn.use_backend("reference"):
        compare(operation.name, run(ops, operation, arrays, options), twin, 0.0)
        found = gradients(ops, operation, arrays, options, g)
    expected = gradients(reference, operation, arrays, options, g)
    for name, gradient in found.items():
        compare(f"d{name}", gradient, expected[name], OPERATION[np.dtype(np.float64)])


@pytest.mark.check(3)
@pytest.mark.parametrize(("operation", "sizes"), cases("small"), ids=name_of)
def test_the_twins_gradient_is_the_slope(
    operation: Operation, sizes: dict, rng: np.random.Generator
) -> None:
    """Central differences know the values of forward alone."""
    arrays, options = operation.draw(rng, **sizes)
    g = cotangent(rng, run(reference, operation, arrays, options))

    def loss(**values: np.ndarray) -> float:
        result = run(reference, operation, values, options)
        pairs = zip(g, result, strict=True) if isinstance(g, tuple) else [(g, result)]
        return float(sum(np.sum(a * b) for a, b in pairs))

    expected = gradients(reference, operation, arrays, options, g)
    assert any(np.any(gradient) for gradient in expected.values())
    fastrnn.testing.gradcheck(loss, arrays, expected)


@EACH
def test_a_second_derivative_is_refused(operation: Operation, rng: np.random.Generator) -> None:
    arrays, options = operation.draw(rng, **operation.small[0])
    name, first = next(iter(arrays.items()))

    def square(array: Any) -> Any:
        result = run(ops, operation, arrays | {name: array}, options)
        results = result if type(result) is tuple else (result,)
        return sum(autograd.numpy.sum(part**2) for part in results)

    def slope(array: Any) -> Any:
        return autograd.numpy.sum(autograd.grad(square)(array) ** 2)

    with pytest.raises(NotImplementedError, match=f"twin fastrnn.reference.{operation.name} can"):
        autograd.grad(slope)(first)
