"""Why: whoever classifies a sensor's signal wants a label after each step, and the same one that
the whole sequence would have.
"""

from typing import Any

import numpy as np
import pytest
from helpers.tolerances import assert_same_bits

pytest.importorskip("autograd")

from fastrnn.models import SequenceClassifier, SequenceTagger

T, N, I, V = 6, 3, 2, 7


@pytest.mark.parametrize("pooling", ["last", "mean", "max"])
@pytest.mark.parametrize("cell", ["lstm", "gru", "rnn"])
def test_it_says_what_the_whole_sequence_would(cell: str, pooling: str, rng: Any) -> None:
    model = SequenceClassifier(
        cell, 4, 5, input_size=I, num_layers=2, pooling=pooling, input_center=0.5, input_scale=2.0,
        rng=rng,
    )  # fmt: skip
    x = rng.standard_normal((T, N, I))
    stream = model.stream(N)
    for t in range(T):
        found, expected = stream.step(x[t]), model.predict_proba(x[: t + 1])
        if pooling == "mean":
            np.testing.assert_allclose(found, expected, rtol=1e-5)
        else:
            assert_same_bits("probabilities", found, expected)
    assert stream.steps.tolist() == [T] * N
    stream.reset([1])
    found = stream.step(x[0])
    np.testing.assert_allclose(found[1], model.predict_proba(x[:1])[1], rtol=1e-5)
    stream.reset()
    np.testing.assert_allclose(stream.step(x[0]), model.predict_proba(x[:1]), rtol=1e-5)


def test_symbols_and_tags(rng: Any) -> None:
    x = rng.integers(0, V, (T, N))
    model = SequenceClassifier("gru", 4, 5, vocab=V, rng=rng)
    stream = model.stream(batch_size=N)
    for x_t in x:
        found = stream.step(x_t)
    np.testing.assert_allclose(found, model.predict_proba(x), rtol=1e-5)
    tagger = SequenceTagger("lstm", 4, 5, vocab=V, rng=rng)
    stream = tagger.stream(N)
    said = np.stack([stream.step(x_t) for x_t in x])
    np.testing.assert_allclose(said, tagger.predict_proba(x), rtol=1e-5)


def test_later_edits_do_not_reach_it(rng: Any) -> None:
    model = SequenceClassifier("gru", 4, 5, input_size=I, rng=rng)
    x = rng.standard_normal((1, N, I)).astype(np.float32)
    expected, stream = model.predict_proba(x), model.stream(N)
    for weights in (model.params["rnn"], model.params["out"]):
        for name in weights:
            weights[name] *= 2
    assert_same_bits("probabilities", stream.step(x[0]), expected)


def test_what_is_refused(rng: Any) -> None:
    model = SequenceClassifier("gru", 4, 5, input_size=I, rng=rng)
    stream = model.stream(N)
    for wrong, error, words in (
        (np.ones((N, I + 1)), ValueError, r"x_t must have shape \(N, I\) = \(3, 2\), got \(3, 3\)"),
        (np.array([["a", "b"]] * N), TypeError, "x_t must be numbers"),
    ):
        with pytest.raises(error, match=words):
            stream.step(wrong)
    assert not stream.steps.any()
    symbols = SequenceClassifier("gru", 4, 5, vocab=V, rng=rng).stream(2)
    with pytest.raises(ValueError, match=r"x_t must lie in 0\.\.6, got 7"):
        symbols.step([1, 7])
    both = SequenceClassifier("gru", 4, 5, input_size=I, bidirectional=True, rng=rng)
    with pytest.raises(ValueError, match="bidirectional model has no stream"):
        both.stream()
    with pytest.raises(ValueError, match="batch_size must be at least 0"):
        model.stream(-1)
