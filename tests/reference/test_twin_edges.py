"""The corners of the contract, on the twins: nothing there, one thing there, and padding of NaN.

The core is compared with the twins, so what they do in these corners is what fastrnn does.
"""

import autograd
import autograd.numpy as anp
import numpy as np
import pytest
from helpers.cases import CELLS, Case, Problem, draw
from helpers.tolerances import FORWARD, GRADIENT, assert_close, assert_same_bits
from helpers.twins import backward, call, forward, inputs, loss

from fastrnn import reference
from fastrnn.reference._math import ACTIVATIONS, relu, sigmoid, squash

each_cell = pytest.mark.parametrize("cell", CELLS)


def states(problem: Problem) -> list[str]:
    return ["h0", "c0"] if problem.case.spec.cell_state else ["h0"]


@each_cell
@pytest.mark.parametrize("reverse", [False, True], ids=["forward", "reverse"])
def test_padding_is_never_read(cell: str, reverse: bool) -> None:
    problem = draw(Case(cell, T=7, N=5, I=2, H=5, lengths="ragged", reverse=reverse))
    padding = ~problem.exists()
    results = []
    for filling in (0.0, np.nan):
        x = np.where(padding[:, :, None], filling, problem.x)
        results.append(forward(problem, inputs(problem.replace(x=x))))
    for name, output in results[0].items():
        assert_same_bits(name, results[1][name], output)
    y = results[0]["y"]
    assert not y[padding].any()
    for n, length in enumerate(problem.lengths):
        last = 0 if reverse else length - 1
        expected = y[last, n] if length else problem.h0[n]
        assert_same_bits(f"h_n[{n}]", results[0]["h_n"][n], expected)


@each_cell
@pytest.mark.parametrize("sizes", [(0, 2), (5, 0), (0, 0)], ids=str)
def test_no_steps_or_no_rows(cell: str, sizes: tuple[int, int]) -> None:
    T, N = sizes
    problem = draw(Case(cell, T=T, N=N, I=2, H=5))
    outputs, gradients = forward(problem, inputs(problem)), backward(problem)
    assert outputs["y"].shape == (T, N, 5)
    for final, initial, upstream in (("h_n", "h0", "dh_n"), ("c_n", "c0", "dc_n")):
        if final in outputs:
            assert_same_bits(final, outputs[final], getattr(problem, initial))
            assert_same_bits(f"d{initial}", gradients[initial], getattr(problem, upstream))
    _, _, tape = call(problem, "_forward", inputs(problem))
    assert tape.gates.shape == (T, N, problem.case.spec.gates, 5)
    for name in gradients.keys() - {"h0", "c0"}:
        assert gradients[name].shape == getattr(problem, name).shape
        assert not gradients[name].any()


@each_cell
def test_rows_of_length_zero(cell: str) -> None:
    problem = draw(Case(cell, T=5, N=2, I=2, H=5)).replace(lengths=np.zeros(2, dtype=int))
    outputs, gradients = forward(problem, inputs(problem)), backward(problem)
    assert not outputs["y"].any()
    assert_same_bits("h_n", outputs["h_n"], problem.h0)
    assert_same_bits("dh0", gradients["h0"], problem.dh_n)
    for name in gradients.keys() - {"h0", "c0"}:
        assert not gradients[name].any()


@each_cell
def test_one_sequence_has_no_batch_axis(cell: str) -> None:
    problem = draw(Case(cell, T=5, N=1, I=2, H=7, lengths="full", reverse=True))
    spec = problem.case.spec
    arrays = inputs(problem)
    single = dict(arrays, x=problem.x[:, 0], **{name: arrays[name][0] for name in states(problem)})
    options = dict(spec.options, reverse=True, batch_first=True)  # there is no batch to come first
    run = getattr(reference, f"{spec.family}_forward")
    y, state, tape = run(**single, lengths=[5], **options)
    gates = tape.gates
    expected = forward(problem, arrays)
    assert_same_bits("y", y, expected["y"][:, 0])
    finals = state if spec.cell_state else (state,)
    for name, final in zip(("h_n", "c_n"), finals, strict=False):
        assert_same_bits(name, final, expected[name][0])
    assert gates.shape == (5, spec.gates, 7)
    upstream = [problem.dy[:, 0], problem.dh_n[0]]
    upstream += [problem.dc_n[0]] if spec.cell_state else []
    grads = getattr(reference, f"{spec.family}_backward")(tape, *upstream)
    for name, gradient in backward(problem).items():
        inner = gradient[:, 0] if name == "x" else gradient[0] if name in ("h0", "c0") else gradient
        assert_same_bits(f"d{name}", getattr(grads, name), inner)
    y_scalar, _ = getattr(reference, spec.family)(**single, lengths=5, **options)
    assert_same_bits("y", y_scalar, y)


@each_cell
def test_float32_stays_float32(cell: str) -> None:
    problem = draw(Case(cell, T=7, N=5, I=8, H=8, lengths="ragged"))
    single = problem.astype(np.float32)
    float32 = np.dtype(np.float32)
    expected = forward(problem, inputs(problem))
    for name, output in forward(single, inputs(single)).items():
        assert output.dtype == float32, name
        assert_close(name, output, expected[name], FORWARD[float32])
    expected = backward(problem)
    for name, gradient in backward(single).items():
        assert gradient.dtype == float32, name
        assert_close(f"d{name}", gradient, expected[name], GRADIENT[float32])


@each_cell
def test_lists_are_arrays(cell: str) -> None:
    problem = draw(Case(cell, T=2, N=2, I=2, H=2, lengths="ragged"))
    arrays, spec = inputs(problem), problem.case.spec
    run = getattr(reference, spec.family)
    lists = {name: array.tolist() for name, array in arrays.items()}
    y, _ = run(**lists, lengths=problem.lengths.tolist(), **dict(spec.options))
    assert_same_bits("y", y, forward(problem, arrays)["y"])


@each_cell
def test_nothing_of_the_callers_is_written_or_handed_back(cell: str) -> None:
    problem = draw(Case(cell, T=5, N=2, I=2, H=5, projected=True))
    given = problem.floats()
    before = {name: array.copy() for name, array in given.items()}
    outputs, gradients = forward(problem, inputs(problem)), backward(problem)
    for name, array in given.items():
        assert_same_bits(name, array, before[name])
    results = list(outputs.values()) + list(gradients.values())
    for k, result in enumerate(results):
        assert result.flags.writeable
        assert not any(np.shares_memory(result, other) for other in results[k + 1 :])
        assert not any(np.shares_memory(result, array) for array in given.values())


@each_cell
def test_a_row_of_nan_stays_a_row(cell: str) -> None:
    problem = draw(Case(cell, T=5, N=5, I=2, H=8, lengths="full"))
    x = problem.x.copy()
    x[2, 1] = np.nan
    poisoned = problem.replace(x=x)
    clean = [0, 2, 3, 4]
    expected = forward(problem, inputs(problem))
    outputs = forward(poisoned, inputs(poisoned))
    assert np.isnan(outputs["h_n"][1]).all()
    for name in ("h_n", "c_n"):
        if name in outputs:
            assert_same_bits(name, outputs[name][clean], expected[name][clean])
    assert_same_bits("y", outputs["y"][:, clean], expected["y"][:, clean])
    gradients, expected = backward(poisoned), backward(problem)
    assert_same_bits("dx", gradients["x"][:, clean], expected["x"][:, clean])
    assert_same_bits("dh0", gradients["h0"][clean], expected["h0"][clean])


def test_second_derivatives_run_through_the_twin() -> None:
    problem = draw(Case("lstm_peephole", T=5, N=2, I=2, H=2, lengths="ragged"))
    arrays = inputs(problem)
    direction = np.random.default_rng(1).standard_normal(problem.w_hh.shape)

    def slope(w_hh: np.ndarray) -> np.ndarray:
        return autograd.grad(lambda w: loss(problem, dict(arrays, w_hh=w)))(w_hh)

    along = autograd.grad(lambda w: anp.sum(slope(w) * direction))(problem.w_hh)
    step = 1e-5 * direction
    expected = (slope(problem.w_hh + step) - slope(problem.w_hh - step)) / 2e-5
    assert_close("Hessian times direction", along, expected, 1e-6)


def test_sigmoid_at_the_ends() -> None:
    x = np.array([-np.inf, -800.0, -40.0, -1.0, -0.0, 0.0, 1.0, 40.0, 800.0, np.inf])
    with np.errstate(all="raise", under="ignore"):
        values = sigmoid(np, x)
    tail = np.exp(-40.0)
    middle = [1.0 / (1.0 + np.e), 0.5, 0.5, np.e / (1.0 + np.e)]
    expected = [0.0, 0.0, tail / (1.0 + tail), *middle, 1.0 / (1.0 + tail), 1.0, 1.0]
    np.testing.assert_allclose(values, expected, rtol=4e-16, atol=0.0)
    assert np.isnan(sigmoid(np, np.array([np.nan]))).all()
    slope = autograd.elementwise_grad(lambda v: sigmoid(anp, v))(x)
    np.testing.assert_allclose(slope, values * (1.0 - values), rtol=1e-15, atol=1e-17)


def test_relu_is_flat_at_zero_and_lets_nan_through() -> None:
    x = np.array([-2.0, -0.0, 0.0, 3.0, np.nan])
    np.testing.assert_array_equal(relu(np, x), [0.0, 0.0, 0.0, 3.0, np.nan])
    slope = autograd.elementwise_grad(lambda v: relu(anp, v))(x)
    np.testing.assert_array_equal(slope[:4], [0.0, 0.0, 0.0, 1.0])
    for name in ACTIVATIONS:
        activation, activation_backward = squash(name)
        mirror = activation_backward(activation(np, x[:4]), np.ones(4))
        traced = autograd.elementwise_grad(lambda v, phi=activation: phi(anp, v))(x[:4])
        np.testing.assert_allclose(mirror, traced, rtol=1e-14, err_msg=name)
