"""Why: gradcheck is the yardstick of every author of a new cell, so it must itself find planted
mistakes; and by it whole layers are right: three of them, both directions, ragged.
"""

from typing import Any

import numpy as np
import pytest
from helpers.tolerances import DIFFERENCE_ABSOLUTE, DIFFERENCE_RELATIVE, DIFFERENCE_STEP

import fastrnn
from fastrnn.testing import gradcheck

LIMITS = {"eps": DIFFERENCE_STEP, "atol": DIFFERENCE_ABSOLUTE, "rtol": DIFFERENCE_RELATIVE}


@pytest.mark.check(3)
def test_it_finds_a_planted_mistake(rng: Any) -> None:
    arrays = {"a": rng.standard_normal((2, 3)), "b": rng.standard_normal(3)}

    def loss(a: np.ndarray, b: np.ndarray) -> Any:
        return (np.sin(a) @ b).sum()

    right = {"a": np.cos(arrays["a"]) * arrays["b"], "b": np.sin(arrays["a"]).sum(axis=0)}
    assert gradcheck(loss, arrays, right) < 0.5
    for name, gradient in right.items():
        for index in np.ndindex(gradient.shape):
            wrong = {key: array.copy() for key, array in right.items()}
            wrong[name][index] += 1e-4
            place = rf"gradient of {name} at \({', '.join(map(str, index))},?\)"
            with pytest.raises(AssertionError, match=place):
                gradcheck(loss, arrays, wrong)
    nan = {"a": right["a"] * np.nan}
    with pytest.raises(AssertionError, match="gradient of a"):
        gradcheck(loss, arrays, nan)


def test_it_checks_its_arguments() -> None:
    one = np.ones(2)
    with pytest.raises(TypeError, match="a must be a float64 ndarray"):
        gradcheck(np.sum, {"a": np.ones(2, np.float32)}, {})
    with pytest.raises(ValueError, match=r"the gradient of a must have shape \(2,\), got \(3,\)"):
        gradcheck(np.sum, {"a": one}, {"a": np.ones(3)})
    with pytest.raises(ValueError, match="there is a gradient of b, but no such array"):
        gradcheck(np.sum, {"a": one}, {"b": one})
    assert gradcheck(np.sum, {"a": np.ones(0)}, {"a": np.ones(0)}) == 0


def test_it_leaves_the_arrays_alone() -> None:
    a = np.array([1.0, 2.0])
    gradcheck(lambda a: (a**3).sum(), {"a": a}, {"a": 3 * a**2})
    np.testing.assert_array_equal(a, [1.0, 2.0])


LAYERS: dict[str, tuple[Any, dict[str, Any]]] = {
    "rnn": (fastrnn.RNN, {"nonlinearity": "sigmoid"}),
    "lstm": (fastrnn.LSTM, {"peephole": True}),
    "gru": (fastrnn.GRU, {"reset_after": True}),
    "gru_before": (fastrnn.GRU, {"reset_after": False}),
}


@pytest.mark.check(3)
@pytest.mark.parametrize("options", [
    {"merge_mode": "concat"},
    {"merge_mode": "mul", "hidden_size": [3, 2, 3]},
    {"merge_mode": "ave", "bias": False},
    {"merge_mode": "sum", "batch_first": True},
], ids=lambda o: o["merge_mode"])  # fmt: skip
@pytest.mark.parametrize("kind", LAYERS)
def test_three_ragged_layers_in_both_directions(
    kind: str, options: dict[str, Any], rng: Any
) -> None:
    T, N, I = 3, 3, 2
    cls, more = LAYERS[kind]
    options = dict(options)
    sizes = options.pop("hidden_size", 3)
    layer = cls(I, sizes, 3, bidirectional=True, dtype=np.float64, rng=rng, **more, **options)
    batch_first = options.get("batch_first", False)
    x = rng.standard_normal((N, T, I) if batch_first else (T, N, I))
    lengths = np.array([3, 0, 2])
    y, final = layer(x, lengths=lengths)
    pair = isinstance(final, tuple)
    state = _like(final, rng)
    dy, dstate = rng.standard_normal(y.shape), _like(final, rng)
    flat = _flat(state, pair)
    arrays = {"x": x, **flat, **layer.params}

    def loss(x: np.ndarray, **named: np.ndarray) -> float:
        layer.set_params({name: named[name] for name in layer.params})
        y, final = layer(x, _unflat(named, state, pair), lengths=lengths)
        by_state = zip(_flat(final, pair).values(), _flat(dstate, pair).values(), strict=True)
        return float((y * dy).sum() + sum((a * b).sum() for a, b in by_state))

    _, _, tape = layer.forward(x, state, lengths=lengths)
    grads = layer.backward(tape, dy, dstate)
    found = {"x": grads.x, **_flat(grads.state, pair), **grads.params}
    assert gradcheck(loss, arrays, found, **LIMITS) <= 1
    padding = np.arange(T)[:, None] >= lengths
    assert not (grads.x.swapaxes(0, 1) if batch_first else grads.x)[padding].any()


def _like(state: Any, rng: Any) -> Any:
    if isinstance(state, np.ndarray):
        return rng.standard_normal(state.shape)
    return type(state)(_like(part, rng) for part in state)


def _flat(state: Any, pair: bool) -> dict[str, np.ndarray]:
    """The arrays of a state by name: h0_0, h0_1, … where it is a list."""
    named = {}
    for name, part in zip(("h0", "c0"), state if pair else (state,), strict=False):
        if isinstance(part, np.ndarray):
            named[name] = part
        else:
            named |= {f"{name}_{l}": array for l, array in enumerate(part)}
    return named


def _unflat(named: dict[str, np.ndarray], like: Any, pair: bool) -> Any:
    halves = []
    for name, part in zip(("h0", "c0"), like if pair else (like,), strict=False):
        if isinstance(part, np.ndarray):
            halves.append(named[name])
        else:
            halves.append([named[f"{name}_{l}"] for l in range(len(part))])
    return tuple(halves) if pair else halves[0]
