"""Why: a block answered late is heard; so blocks equal the whole, and no block takes new memory."""

import tracemalloc

import numpy as np
import pytest

import audio_callback as example


def test_an_amplifier_is_learned_and_played_in_blocks() -> None:
    model = example.train(0, 60, steps=256)
    x = example.sound(np.random.default_rng(1), 20 * example.BLOCK)[:, 0]
    wanted = example.amplifier(x[:, None])[:, 0, 0]
    effect = example.Effect(model)
    y, seconds = example.play(effect, x)
    assert len(seconds) == 20
    assert example.wrong(y, wanted) < 0.5 * example.wrong(x[:, 0], wanted)
    whole = model.scores(x)[0][:, 0]
    assert np.abs(y - whole).max() < 1e-5
    out = np.empty(example.BLOCK, np.float32)
    tracemalloc.start()
    try:
        effect(x[: example.BLOCK], out)
        tracemalloc.reset_peak()
        before = tracemalloc.get_traced_memory()[0]
        for start in range(0, len(x), example.BLOCK):
            effect(x[start : start + example.BLOCK], out)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak - before < 2048  # views and numbers; the states of a block have 4 kB


def test_the_amplifier_answers_loudness_before() -> None:
    """A positive control: the same sample has another answer after a loud second than at once."""
    x = np.full((400, 1, 1), 0.5, np.float32)
    y = example.amplifier(x)
    assert y[0] > y[-1] + 0.1
    assert y[0, 0, 0] == pytest.approx(np.tanh(2.5 / 1.02), abs=1e-6)
