"""Why: a model's gradient is only as right as its operations. Here rnn, gru and lstm meet autograd
through the twins, argument by argument, and keep what they promise of tapes and nodes.
"""

from typing import Any

import autograd
import autograd.numpy as anp
import numpy as np
import pytest
from helpers.cases import CELLS, INPUTS, OUTPUTS, UPSTREAM, Case, Problem, check_trusted, draw
from helpers.compare import bound_of
from helpers.nodes import count_nodes
from helpers.tolerances import assert_close, assert_same_bits
from helpers.twins import inputs, keywords, loss, turned

import fastrnn
from fastrnn import _call, functional, ops

# Both are float64 and sum the same few hundred products, in another order.
AUTOGRAD = 1e-10

CASES = [
    {},
    {"T": 19, "N": 2, "I": 7, "H": 8, "lengths": "ragged", "reverse": True},
    {"H": 9, "lengths": "ragged", "batch_first": True, "upstream": "dy", "bias": "ih"},
    {"T": 1, "N": 5, "H": 1, "bias": "hh", "upstream": "state"},
    {"H": 7, "projected": True, "bias": "none", "state": "none"},
    {"T": 2, "N": 1, "I": 33, "H": 16, "projected": True, "lengths": "full", "reverse": True},
]


def run(problem: Problem, arrays: dict[str, Any]) -> dict[str, Any]:
    """y (T, N, H), h_n and, for the LSTM, c_n, by the operation."""
    arrays = {"w_ih": None, **arrays, "x": turned(problem, arrays["x"])}
    y, state = getattr(ops, problem.case.spec.family)(**arrays, **keywords(problem))
    states = state if problem.case.spec.cell_state else (state,)
    return dict(zip(OUTPUTS, (turned(problem, y), *states), strict=False))


def weighed(problem: Problem, arrays: dict[str, Any]) -> Any:
    """The loss of the twins, by the operation."""
    outputs, total = run(problem, arrays), 0.0
    for name, upstream in zip(OUTPUTS, UPSTREAM, strict=True):
        weight = getattr(problem, upstream)
        if weight is not None:
            total = total + (outputs[name] * weight).sum()
    return total


@pytest.mark.parametrize("case", [Case(c, **s) for c in CELLS for s in CASES], ids=str)
def test_gradients_equal_autograd_through_the_twin(case: Case) -> None:
    problem = draw(case)
    expected = autograd.grad(lambda arrays: loss(problem, arrays))(inputs(problem))
    value, found = autograd.value_and_grad(lambda arrays: weighed(problem, arrays))(inputs(problem))
    assert np.isclose(value, loss(problem, inputs(problem)), rtol=1e-10)
    assert found.keys() == expected.keys()
    check_trusted(problem, {f"d{name}": array for name, array in expected.items()})
    for name, gradient in found.items():
        assert_close(f"d{name}", gradient, expected[name], AUTOGRAD)


@pytest.mark.parametrize("cell", CELLS)
def test_float32_stays_float32(cell: str, backend: str) -> None:
    exact = draw(Case(cell, lengths="ragged"))
    problem = exact.astype(np.float32)
    expected = autograd.grad(lambda arrays: loss(exact, arrays))(inputs(exact))
    found = autograd.grad(lambda arrays: weighed(problem, arrays))(inputs(problem))
    for name, gradient in found.items():
        assert gradient.dtype == np.float32
        assert_close(f"d{name}", gradient, expected[name], bound_of(f"d{name}", np.float32))


@pytest.mark.parametrize("name", INPUTS)
def test_one_array_alone(name: str) -> None:
    problem = draw(Case("lstm_peephole"))
    expected = autograd.grad(lambda arrays: loss(problem, arrays))(inputs(problem))
    fixed = inputs(problem)
    found = autograd.grad(lambda array: weighed(problem, fixed | {name: array}))(fixed[name])
    assert_close(f"d{name}", found, expected[name], AUTOGRAD)


@pytest.mark.parametrize("family", ["rnn", "gru", "lstm"])
def test_truncate_and_clip_step_reach_the_backward(family: str, rng: Any) -> None:
    G = {"rnn": 1, "gru": 3, "lstm": 4}[family]
    x, w = rng.standard_normal((7, 2, 3)), rng.standard_normal((G * 3, 3))
    dy = rng.standard_normal((7, 2, 3))
    for options in ({"truncate": 2}, {"clip_step": 0.05}, {"truncate": 3, "clip_step": 0.1}):
        tape = getattr(fastrnn, f"{family}_forward")(x, w, w)[-1]
        grads = getattr(fastrnn, f"{family}_backward")(tape, dy, **options)
        found = autograd.grad(
            lambda x, options=options: (getattr(ops, family)(x, w, w, **options)[0] * dy).sum()
        )(x)
        assert_same_bits("dx", found, grads.x)
        plain = autograd.grad(lambda x: (getattr(ops, family)(x, w, w)[0] * dy).sum())(x)
        assert (found != plain).any()


def test_a_result_used_twice_counts_twice(rng: Any) -> None:
    x, w = rng.standard_normal((3, 2, 8)), rng.standard_normal((8, 2))

    def loss_of(function: Any) -> Any:
        def value(w: Any) -> Any:
            y, (h_n, c_n) = function(x, None, w)
            return (y[0] * y[-1]).sum() + (y * y).sum() + (h_n * c_n).sum() + anp.tanh(c_n).sum()

        return value

    found = autograd.grad(loss_of(ops.lstm))(w)
    assert_close("dw_hh", found, autograd.grad(loss_of(fastrnn.reference.lstm))(w), AUTOGRAD)


def test_gradients_of_another_dtype_or_order_are_converted(rng: Any) -> None:
    x = rng.standard_normal((4, 3, 2), dtype=np.float32)
    w = rng.standard_normal((2, 2), dtype=np.float32)
    double = rng.standard_normal((2, 3, 4))

    def value(w: Any) -> Any:
        return (anp.transpose(ops.rnn(x, w, w)[0]) * double).sum()

    gradient = autograd.grad(value)(w)
    assert gradient.dtype == np.float32
    tape = fastrnn.rnn_forward(x, w, w)[2]
    grads = fastrnn.rnn_backward(tape, double.T.astype(np.float32))
    np.testing.assert_allclose(gradient, grads.w_ih + grads.w_hh, rtol=1e-6)


@pytest.mark.parametrize("family", ["rnn", "gru", "lstm"])
def test_a_tape_only_while_something_is_differentiated(
    family: str, monkeypatch: pytest.MonkeyPatch, rng: Any
) -> None:
    G = {"rnn": 1, "gru": 3, "lstm": 4}[family]
    x, w_ih, w_hh = (rng.standard_normal(s) for s in ((3, 2, 5), (G * 4, 5), (G * 4, 4)))
    forward, made = getattr(functional, f"{family}_forward"), []

    def counted(*args: Any, **options: Any) -> Any:
        made.append(family)
        return forward(*args, **options)

    monkeypatch.setattr(functional, f"{family}_forward", counted)
    y, state = getattr(ops, family)(x, w_ih, w_hh)
    plain, plain_state = getattr(fastrnn, family)(x, w_ih, w_hh)
    assert not made
    assert y.flags.writeable
    assert_same_bits("y", y, plain)
    np.testing.assert_array_equal(state, plain_state)
    autograd.grad(lambda w: getattr(ops, family)(x, w_ih, w)[0].sum())(w_hh)
    assert len(made) == 1


def test_what_is_not_differentiated_costs_no_gradient(
    monkeypatch: pytest.MonkeyPatch, rng: Any
) -> None:
    """The product for dx is a third of a backward pass; a model's input needs none."""
    seen = []
    unwind = _call.unwind

    def spied(*args: Any, **options: Any) -> Any:
        dx, *weights = unwind(*args, **options)
        seen.append((dx is not None, sum(w is not None for w in weights)))
        return dx, *weights

    monkeypatch.setattr(_call, "unwind", spied)
    x, w = rng.standard_normal((3, 2, 4)), rng.standard_normal((12, 4))
    autograd.grad(lambda w: ops.gru(x, w, w)[0].sum())(w)
    autograd.grad(lambda x: ops.gru(x, w, w)[0].sum())(x)
    assert seen == [(False, 2), (True, 2)]


@pytest.mark.parametrize("family", ["rnn", "gru", "lstm"])
def test_the_tape_does_not_grow_with_the_steps(family: str, rng: Any) -> None:
    G = {"rnn": 1, "gru": 3, "lstm": 4}[family]
    w = rng.standard_normal((G * 4, 4))
    counts = [
        count_nodes(
            lambda function: autograd.grad(function)(w),
            lambda w, T=T: getattr(ops, family)(np.ones((T, 2, 4)), w, w)[0].sum(),
        )
        for T in (5, 200)
    ]
    assert counts == [4, 4]  # w, the call, y, and the sum


def test_second_order_and_forward_mode_are_refused(rng: Any) -> None:
    x, w = rng.standard_normal((3, 2, 4)), rng.standard_normal((4, 4))

    def inner(w: Any) -> Any:
        return autograd.grad(lambda w: ops.rnn(x, w, w)[0].sum())(w).sum()

    with pytest.raises(NotImplementedError, match=r"fastrnn\.reference\.rnn can be"):
        autograd.grad(inner)(w)
    vjp, _ = autograd.make_vjp(lambda w: ops.rnn(x, w, w)[0])(w)
    with pytest.raises(NotImplementedError, match=r"fastrnn\.reference\.rnn can be"):
        autograd.grad(lambda g: vjp(g).sum())(np.ones((3, 2, 4)))
    with pytest.raises(NotImplementedError, match=r"fastrnn\.ops\.rnn has no forward mode"):
        autograd.make_jvp(lambda w: ops.rnn(x, w, w)[0])(w)(w)


def test_a_backward_pass_uses_the_tape_up(rng: Any) -> None:
    vjp, y = autograd.make_vjp(lambda w: ops.rnn(np.ones((3, 2, 4)), w, w)[0])(np.eye(4))
    vjp(np.ones_like(y))
    with pytest.raises(ValueError, match="a tape serves one backward"):
        vjp(np.ones_like(y))


def test_errors_are_those_of_the_functions(rng: Any) -> None:
    w = np.eye(4)
    with pytest.raises(ValueError, match=r"^w_hh must have shape"):
        ops.lstm(np.ones((3, 2, 4)), w, w)
    with pytest.raises(ValueError, match=r"^w_hh must have shape"):
        autograd.grad(lambda w: ops.lstm(np.ones((3, 2, 4)), w, w)[0].sum())(w)
    with pytest.raises(TypeError, match="unexpected keyword"):
        ops.rnn(np.ones((3, 2, 4)), w, w, peephole=True)
    with pytest.raises(TypeError, match="float32"):
        autograd.grad(lambda w: ops.rnn(np.ones((3, 2, 4), np.float32), w, w)[0].sum())(w)


def test_nan_in_padding_reaches_no_gradient(backend: str) -> None:
    problem = draw(Case("gru_after", lengths="ragged"))
    x = np.where(problem.exists()[:, :, None], problem.x, np.nan)
    found = [
        autograd.grad(lambda arrays: weighed(problem, arrays))(inputs(problem) | {"x": form})
        for form in (problem.x, x)
    ]
    for name, gradient in found[0].items():
        assert_same_bits(f"d{name}", found[1][name], gradient)
