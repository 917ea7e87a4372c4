"""Why: gradients may all be right and a model still not learn, for want of the right loss, carry or
update. Each kind must learn one batch by heart, and carried state must be worth something.
"""

from typing import Any

import numpy as np
import pytest
from helpers.tolerances import assert_same_bits
from helpers.zoo import SINGLE, N, batch_for, make

from fastrnn.data import batches, contiguous_streams, pad
from fastrnn.models import LanguageModel, SequenceClassifier
from fastrnn.train import SGD, Adam


@pytest.mark.parametrize("name", SINGLE)
def test_one_batch_is_learned_by_heart(name: str, rng: Any) -> None:
    model = make(name, dtype=np.float32)
    x, targets, lengths = batch_for(model, rng, lengths=[6, 2, 3, 1])
    if x.ndim == 2:
        x[0] = np.arange(N)  # equal beginnings with different targets could not be learned
    batch = x, targets, lengths
    first = model.evaluate([batch])["loss"]
    history = model.fit([batch], Adam(lr=0.03), max_norm=5.0, updates=200, progress=False)
    last = model.evaluate([batch])
    assert last["loss"] < 0.05 < first, history.records[-1]
    assert last.get("accuracy", 1.0) == 1.0


def test_dropout_draws_from_the_generator_it_is_given(rng: Any) -> None:
    batch = batch_for(make("tagger"), rng)
    params = []
    for seed in (1, 1, 2):
        model = make("tagger", dropout=0.5)
        model.fit([batch], SGD(lr=0.1), updates=3, rng=np.random.default_rng(seed), progress=False)
        params.append(model.params["out"]["weight"])
    assert_same_bits("weight", params[0], params[1])
    assert (params[0] != params[2]).any()


def test_a_language_model_carries_its_state(rng: Any) -> None:
    """Chunks of 2 symbols of a text whose next symbol depends on the last 3: only carried state
    knows enough, while learning and afterwards.
    """
    text = np.tile([0, 0, 0, 1, 0, 1, 1], 60)  # every 3 symbols stand there once: 000, 001, …
    model = LanguageModel("gru", 2, 12, rng=np.random.default_rng(0))
    data = contiguous_streams(text, N=4, T=2)
    model.fit(data, Adam(lr=0.02), epochs=12, progress=False)
    assert model.evaluate(data)["perplexity"] < 1.1
    assert model.evaluate(data, carry=False)["perplexity"] > 1.3
    np.testing.assert_array_equal(model.generate(text[:10], 30, temperature=0.0), text[10:40])


def test_ragged_batches_of_data_and_validation(rng: Any) -> None:
    """The label is the sign of the sum of a series; batches come from fastrnn.data."""
    lengths = rng.integers(3, 9, 96)
    series = [rng.standard_normal((T, 1)).astype(np.float32) for T in lengths]
    labels = np.array([int(s.sum() > 0) for s in series])

    def make_batch(rows: np.ndarray) -> tuple[Any, ...]:
        x, steps = pad([series[i] for i in rows])
        return x, labels[rows], steps

    model = SequenceClassifier("lstm", 2, 8, input_size=1, rng=np.random.default_rng(0))
    source = batches(lengths, 16, make=make_batch)
    history = model.fit(
        source, Adam(lr=0.02), epochs=30, validation=[make_batch(np.arange(96))], progress=False
    )
    assert model.evaluate([make_batch(np.arange(96))])["accuracy"] > 0.95
    assert any("validation_accuracy" in record for record in history.records)


@pytest.mark.parametrize(
    "lengths",
    [[5, 3, 1, np.inf], [5, 3, 1, np.nan], [5.0, 3.0, 2.0, 1.0], [5, 3, 1, 99], [5, 3, 1, -1], [5]],
)
def test_lengths_that_are_none_are_refused_by_name(lengths: Any) -> None:
    model = make("tagger")
    x, targets, _ = batch_for(model, np.random.default_rng(0), lengths=[5, 3, 1, 2])
    with pytest.raises((TypeError, ValueError), match="lengths"):
        model.fit([(x, targets, lengths)], updates=1, progress=False)
