"""The character model: gradient against differences, evaluation and sampling against the layer."""

import numpy as np
import pytest

import fastrnn
from fastrnn.cli import charlm
from fastrnn.cli.charlm import CharLM

V, H, T, N = 7, 5, 4, 3


def small_model(rng: np.random.Generator, dtype: type = np.float64) -> CharLM:
    return CharLM(V, H, rng=rng, dtype=dtype)


@pytest.mark.usefixtures("backend")
def test_gradient_against_central_differences(rng: np.random.Generator) -> None:
    model = small_model(rng)
    tokens, targets = rng.integers(V, size=(2, T, N))
    state = (rng.normal(size=(N, H)), rng.normal(size=(N, H)))
    model.learn(tokens, targets, state)
    gradient = model.gradient.copy()
    assert np.count_nonzero(gradient) > 0.7 * gradient.size
    numeric = np.empty_like(gradient)
    for i in range(gradient.size):
        kept, bits = model.parameters[i], []
        for step in (1e-6, -1e-6):
            model.parameters[i] = kept + step
            bits.append(model.learn(tokens, targets, state)[0])
        model.parameters[i] = kept
        numeric[i] = (bits[0] - bits[1]) * np.log(2) / 2e-6
    np.testing.assert_allclose(gradient, numeric, rtol=0, atol=1e-8 * np.abs(numeric).max() + 1e-9)


@pytest.mark.usefixtures("backend")
def test_evaluation_is_one_stream_whatever_the_chunk(
    rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    model, tokens = small_model(rng), rng.integers(V, size=42)
    whole, _ = model.learn(tokens[:-1, None], tokens[1:, None], None)
    assert model.evaluate(tokens) == pytest.approx(whole, rel=1e-12)
    for chunk in (1, 8, 41):
        monkeypatch.setattr(charlm, "_CHUNK", chunk)
        assert model.evaluate(tokens) == pytest.approx(whole, rel=1e-12)


@pytest.mark.usefixtures("backend")
def test_learning_carries_the_state(rng: np.random.Generator) -> None:
    model = small_model(rng)
    tokens, targets = rng.integers(V, size=(2, 2 * T, N))
    whole, (h, c) = model.learn(tokens, targets, None)
    first, state = model.learn(tokens[:T], targets[:T], None)
    second, state = model.learn(tokens[T:], targets[T:], state)
    assert (first + second) / 2 == pytest.approx(whole, rel=1e-12)
    np.testing.assert_allclose(state, (h, c), rtol=1e-12)


def test_sample_at_temperature_zero_is_the_likeliest_continuation(
    rng: np.random.Generator,
) -> None:
    model = small_model(rng, np.float32)
    prompt = rng.integers(V, size=6)
    sample = model.sample(prompt, 12, temperature=0, rng=rng)
    layer = fastrnn.LSTM(H, H)
    layer.load_state_dict({name: model.weights[name] for name in layer.params})
    text = list(prompt)
    for _ in range(12):
        y, _ = layer(model.weights["embedding"][np.array(text), None])
        scores = y[-1, 0] @ model.weights["weight_out"].T + model.weights["bias_out"]
        text.append(int(scores.argmax()))
    np.testing.assert_array_equal(sample, text[len(prompt) :])
    assert len(set(sample.tolist())) > 1, "a model that repeats one character shows nothing"


def test_sample_depends_on_the_generator_alone(rng: np.random.Generator) -> None:
    model, prompt = small_model(rng, np.float32), np.array([0])
    draws = [
        model.sample(prompt, 30, temperature=1.0, rng=np.random.default_rng(seed)).tolist()
        for seed in (1, 1, 2)
    ]
    assert draws[0] == draws[1] != draws[2]


@pytest.mark.parametrize("temperature", [0.5, 1.0, 2.0])
def test_draws_follow_the_softmax(rng: np.random.Generator, temperature: float) -> None:
    scores = np.array([0.0, 1.0, 2.0, -1.0])
    p = np.exp(scores / temperature)
    p /= p.sum()
    n = 8000
    draws = [charlm._draw(scores, temperature, rng) for _ in range(n)]
    counts = np.bincount(draws, minlength=4)
    # χ² with 3 degrees of freedom exceeds 16.3 in one case of a thousand.
    assert ((counts - n * p) ** 2 / (n * p)).sum() < 16.3
