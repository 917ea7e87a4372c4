"""A problem on the twins: forward as a pure function of named arrays, backward by hand."""

from typing import Any

import numpy as np

from fastrnn import reference
from helpers.cases import INPUTS, OUTPUTS, UPSTREAM, Problem

Arrays = dict[str, Any]


def inputs(problem: Problem) -> Arrays:
    """The differentiable arrays of a problem, as far as it has them."""
    return {name: array for name, array in problem.floats().items() if name in INPUTS}


def keywords(problem: Problem) -> dict[str, Any]:
    """What goes to the twin beside arrays."""
    case = problem.case
    return dict(
        case.spec.options,
        lengths=problem.lengths,
        reverse=case.reverse,
        batch_first=case.batch_first,
    )


def turned(problem: Problem, array: Any) -> Any:
    """x, y or dy between time-major and what the case asks for; its own inverse."""
    return array.swapaxes(0, 1) if problem.case.batch_first and array is not None else array


def call(problem: Problem, suffix: str, arrays: Arrays) -> Any:
    """The twin `family + suffix` on these arrays (time-major), its raw result."""
    arrays = dict(arrays, x=turned(problem, arrays["x"]))
    arrays = {"w_ih": None, **arrays}
    return getattr(reference, problem.case.spec.family + suffix)(**arrays, **keywords(problem))


def forward(problem: Problem, arrays: Arrays) -> Arrays:
    """y (T, N, H), h_n and, for the LSTM, c_n."""
    y, state = call(problem, "", arrays)
    states = state if problem.case.spec.cell_state else (state,)
    return dict(zip(OUTPUTS, (turned(problem, y), *states), strict=False))


def loss(problem: Problem, arrays: Arrays) -> Any:
    """The scalar whose gradients by the outputs are dy, dh_n and dc_n; runs under autograd."""
    outputs, total = forward(problem, arrays), 0.0
    for name, upstream in zip(OUTPUTS, UPSTREAM, strict=True):
        weight = getattr(problem, upstream)
        if weight is not None:
            total = total + (outputs[name] * weight).sum()
    return total


def backward(problem: Problem, **options: Any) -> Arrays:
    """Outputs by `*_forward`, and every gradient by `*_backward`, under the names of the arrays."""
    spec, arrays = problem.case.spec, inputs(problem)
    _y, _state, tape = call(problem, "_forward", arrays)
    upstream = [turned(problem, problem.dy), problem.dh_n]
    upstream += [problem.dc_n] if spec.cell_state else []
    grads = getattr(reference, f"{spec.family}_backward")(tape, *upstream, **options)
    found = {name: getattr(grads, name) for name in INPUTS if hasattr(grads, name)}
    absent = {name for name, gradient in found.items() if gradient is None}
    assert absent == set(found) - set(arrays), f"gradients of {absent} are missing"
    gradients = {name: gradient for name, gradient in found.items() if gradient is not None}
    return gradients | {"x": turned(problem, gradients["x"])}


def central_differences(problem: Problem, step: float) -> Arrays:
    """The gradient of `loss` by every element of every input."""
    gradients = {}
    for name, array in inputs(problem).items():
        arrays = inputs(problem)
        gradient = np.empty_like(array)
        for index in np.ndindex(array.shape):
            values = []
            for signed in (step, -step):
                arrays[name] = array.copy()
                arrays[name][index] += signed
                values.append(loss(problem, arrays))
            gradient[index] = (values[0] - values[1]) / (2.0 * step)
        gradients[name] = gradient
    return gradients
