"""Why: classifier and tagger promise that a row's prediction is its own, whatever stands beside it,
and that labels, padding and bad arguments are what they say.
"""

from typing import Any

import numpy as np
import pytest
from helpers.tolerances import assert_same_bits
from helpers.zoo import LENGTHS, SINGLE, C, I, N, T, V, batch_for, make

import fastrnn
from fastrnn.models import SequenceClassifier, SequenceTagger

# test_targets.py has the others.
LABELS = [name for name in SINGLE if name.startswith(("classifier", "tagger"))]
LABELS = [name for name in LABELS if not SINGLE[name][2].get("batch_first")]


@pytest.mark.parametrize("name", LABELS)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_row_alone_in_any_batch_and_padded_to_200(name: str, dtype: Any, rng: Any) -> None:
    model = make(name, dtype=dtype)
    rows, steps = 23, 29
    lengths = rng.integers(0, steps + 1, rows)
    x, *_ = batch_for(model, rng, steps, rows)
    whole = model.predict_proba(x, lengths)
    filler = np.zeros((200 - steps, *x.shape[1:]), x.dtype)
    padded = model.predict_proba(np.concatenate([x, filler]), lengths)
    order = rng.permutation(rows)
    permuted = model.predict_proba(x[:, order], lengths[order])
    tagger = isinstance(model, SequenceTagger)
    assert_same_bits("padded", padded[:steps] if tagger else padded, whole)
    assert_same_bits("permuted", permuted, whole[:, order] if tagger else whole[order])
    for n in range(rows):
        alone = model.predict_proba(x[: lengths[n], n : n + 1], lengths[n : n + 1])
        mine = whole[: lengths[n], n] if tagger else whole[n]
        assert_same_bits(f"row {n}", alone[:, 0] if tagger else alone[0], mine)


@pytest.mark.parametrize("name", LABELS)
def test_predictions(name: str, backend: str, rng: Any) -> None:
    model = make(name)
    x, targets, lengths = batch_for(model, rng, lengths=LENGTHS)
    p, found = model.predict_proba(x, lengths), model.predict(x, lengths)
    exists = np.arange(T)[:, None] < lengths if targets.ndim == 2 else np.ones(N, bool)
    assert p.shape == (*targets.shape, C)
    assert p.dtype == model.dtype
    np.testing.assert_allclose(p.sum(axis=-1), exists, rtol=1e-12)
    np.testing.assert_array_equal(found, np.where(exists, p.argmax(axis=-1), -1))
    score = model.evaluate([(x, targets, lengths)] * 2)
    right = p[exists][np.arange(exists.sum()), targets[exists]]
    assert np.isclose(score["loss"], -np.log(right).mean(), rtol=1e-12)
    assert np.isclose(score["loss"], model.loss(model.params, (x, targets, lengths)), rtol=1e-12)
    assert score["accuracy"] == (found == targets)[exists].mean()


def test_evaluate_weighs_batches_by_their_labels(rng: Any) -> None:
    model = make("tagger")
    batches = [batch_for(model, rng, lengths=lengths) for lengths in (LENGTHS, [1, 1, 0, 0])]
    each = [model.evaluate([batch])["loss"] for batch in batches]
    assert np.isclose(model.evaluate(batches)["loss"], (10 * each[0] + 2 * each[1]) / 12)
    nothing = batch_for(model, rng, lengths=[0] * N)
    assert model.loss(model.params, nothing) == 0
    with pytest.raises(ValueError, match="at least one label"):
        model.evaluate([nothing])


def test_only_both_directions_see_what_comes_later(rng: Any) -> None:
    for name, sees in (("tagger", False), ("tagger-bi-mul", True)):
        model = make(name)
        x, _ = batch_for(model, rng)
        changed = x.copy()
        changed[-1] = (x[-1] + 1) % V if x.ndim == 2 else x[-1] + 1
        differs = model.predict_proba(x)[:-1] != model.predict_proba(changed)[:-1]
        assert differs.any() == sees


def test_parameter_counts() -> None:
    """A GRU has 3/4 of an LSTM's recurrent parameters, two biases each."""
    H = 8
    counts = {
        cell: SequenceClassifier(cell, C, H, input_size=I).parameter_count
        for cell in ("rnn", "gru", "lstm")
    }
    out = C * H + C
    assert counts["rnn"] - out == H * I + H * H + 2 * H
    assert counts["gru"] - out == 3 * (counts["rnn"] - out)
    assert counts["lstm"] - out == 4 * (counts["rnn"] - out)


def test_what_a_batch_holds(rng: Any) -> None:
    model = make("tagger")
    assert model.tokens(batch_for(model, rng, lengths=LENGTHS)) == 10
    assert model.tokens(batch_for(model, rng)) == T * N


def test_empty_batches(rng: Any) -> None:
    for name in LABELS:
        model = make(name)
        none, _ = batch_for(model, rng, steps=0)
        assert model.predict(none).shape[-1] == N
        nobody, _ = batch_for(model, rng, rows=0)
        assert model.predict(nobody, np.zeros(0, int)).size == 0


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({}, ValueError, "give input_size for vectors or vocab for symbols"),
        ({"input_size": 3, "vocab": 4}, ValueError, "one of the two"),
        ({"input_size": 3, "embedding_size": 4}, ValueError, "embedding_size needs vocab"),
        ({"vocab": 0}, ValueError, "vocab must be at least 1"),
        ({"input_size": 3, "pooling": "sum"}, ValueError, "pooling must be one of"),
        ({"input_size": 3, "dropout": 2.0}, ValueError, r"dropout must lie in 0\.\.1"),
        ({"vocab": 9, "embedding_size": 2.0}, TypeError, "embedding_size must be an integer"),
        ({"input_size": 3, "merge_mode": "sum"}, ValueError, "needs bidirectional"),
        ({"input_size": 3, "dtype": np.int32}, TypeError, "dtype must be float32 or float64"),
        ({"input_size": 3, "zone": 1}, TypeError, "unexpected keyword argument 'zone'"),
        ({"input_size": 3, "batch_first": 1}, TypeError, "batch_first must be True or False"),
        ({"input_size": 3, "rng": 1}, TypeError, "rng must be a numpy.random.Generator"),
    ],
)
def test_bad_options(options: dict, error: type, message: str) -> None:
    with pytest.raises(error, match=message):
        SequenceClassifier("gru", C, 4, **options)
    with pytest.raises(ValueError, match="cell must be one of"):
        SequenceTagger("cnn", C, 4, input_size=3)
    with pytest.raises(ValueError, match="classes must be at least 1"):
        SequenceTagger("gru", 0, 4, input_size=3)


def test_bad_batches(rng: Any) -> None:
    vectors, symbols = make("classifier-last"), make("tagger-bi-mul")
    x, targets = batch_for(vectors, rng)
    with pytest.raises(TypeError, match=r"batch must be \(x, targets, lengths, weights\)"):
        vectors.loss(vectors.params, x)
    with pytest.raises(ValueError, match="got 1 elements"):
        vectors.loss(vectors.params, (x,))
    with pytest.raises(ValueError, match=r"x must have shape \(T, N, I\), got"):
        vectors.predict(x[0])
    with pytest.raises(ValueError, match=r"targets must have shape \(4,\), got \(3,\)"):
        vectors.loss(vectors.params, (x, targets[:3]))
    with pytest.raises(ValueError, match=r"targets must lie in 0\.\.2, got 3"):
        vectors.loss(vectors.params, (x, targets * 0 + 3))
    with pytest.raises(TypeError, match="targets must hold integers"):
        vectors.loss(vectors.params, (x, targets * 0.5))
    with pytest.raises(ValueError, match="lengths must have shape"):
        vectors.predict(x, [1, 2])
    with pytest.raises(TypeError, match="complex128"):
        vectors.predict(x.astype(np.complex128))
    tokens, _ = batch_for(symbols, rng)
    for wrong in (V, -1):
        with pytest.raises(ValueError, match=rf"x must lie in 0\.\.{V - 1}, got {wrong}"):
            symbols.predict(np.where(tokens == tokens[0, 0], wrong, tokens))
    with pytest.raises(TypeError, match="integers"):
        symbols.predict(tokens * 1.0)


def test_no_label_is_made_of_nan(rng: Any) -> None:
    vectors, symbols = make("classifier-last"), make("tagger-bi-mul")
    x, targets, lengths = batch_for(vectors, rng, lengths=LENGTHS)
    whole = vectors.predict_proba(x, lengths)
    lost = x.copy()
    lost[0, 2] = np.nan
    with pytest.raises(ValueError, match="x must give scores for every label, got NaN for row 2"):
        vectors.predict(lost, lengths)
    p = vectors.predict_proba(lost, lengths)
    assert np.isnan(p[2]).all()
    assert_same_bits("other rows", np.delete(p, 2, 0), np.delete(whole, 2, 0))
    score = vectors.evaluate([(lost, np.zeros_like(targets), lengths)])
    assert np.isnan(score["loss"])
    assert score["accuracy"] == (np.delete(whole, 2, 0).argmax(1) == 0).sum() / N
    lost[0, 2] = x[0, 2]
    lost[np.arange(T)[:, None] >= lengths] = np.nan
    np.testing.assert_array_equal(vectors.predict(lost, lengths), whole.argmax(1))
    tokens, *_ = batch_for(symbols, rng, lengths=LENGTHS)
    symbols.params["out"]["bias"][1] = np.nan
    with pytest.raises(ValueError, match="got NaN for row 0 at step 0"):
        symbols.predict(tokens, LENGTHS)


def test_the_vocabulary_may_be_given_itself() -> None:
    letters = fastrnn.data.Vocabulary.from_texts(["abc"], level="character")
    model = SequenceTagger("rnn", C, 4, vocab=letters)
    assert model.params["embedding"]["weight"].shape == (len(letters), 4)
    assert model.vocabulary is letters
