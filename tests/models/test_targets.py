"""Why: what is learned and how much it counts must be what the caller means: axes in the order that
was said, names of labels, weights, numbers in their own units; whatever else is refused.
"""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers.tolerances import assert_same_bits
from helpers.zoo import LENGTHS, C, I, N, T, batch_for, make

from fastrnn.data import Batch, Vocabulary
from fastrnn.models import SequenceClassifier, SequenceRegressor, load
from fastrnn.models._parts import readout


@pytest.mark.parametrize("name", ["classifier-last", "tagger", "regressor"])
def test_batch_first_is_the_same_with_other_axes(name: str, rng: Any) -> None:
    model, other = make(name), make(name, batch_first=True)
    x, targets, lengths = batch_for(model, rng, lengths=LENGTHS)
    each_step = name == "tagger"
    turned = targets.swapaxes(0, 1) if each_step else targets
    batch = (x.swapaxes(0, 1), turned, lengths)
    assert other.loss(other.params, batch) == model.loss(model.params, (x, targets, lengths))
    found, wanted = other.predict(batch[0], lengths), model.predict(x, lengths)
    assert_same_bits("predictions", found.swapaxes(0, 1) if each_step else found, wanted)
    assert other.evaluate([batch]) == model.evaluate([(x, targets, lengths)])
    assert other.tokens(batch) == model.tokens((x, targets, lengths))
    assert other.terms(batch) == model.terms((x, targets, lengths))


def test_axes_that_look_exchanged_are_said(rng: Any) -> None:
    for first, hint in ((False, r"\(T, N, ·\).*batch_first=True"), (True, r"batch_first=False")):
        model = make("classifier-last", batch_first=first)
        x, targets = batch_for(make("classifier-last"), rng)
        x = x if first else x.swapaxes(0, 1)  # the wrong way round
        with pytest.raises(ValueError, match=rf"targets must have shape .*{hint}"):
            model.loss(model.params, (x, targets))
        with pytest.raises(ValueError, match=rf"lengths must have shape .*{hint}"):
            model.predict(x, LENGTHS)
    tagger = make("tagger")
    x, targets = batch_for(tagger, rng)
    with pytest.raises(ValueError, match=r"targets must have shape \(6, 4\), got \(4, 6\); x is"):
        tagger.loss(tagger.params, (x, targets.T))
    with pytest.raises(TypeError, match=r"fastrnn\.data\.pad\(x\) makes it"):
        tagger.predict([np.ones((3, I)), np.ones((3, I))])
    for wrong in ((x, targets[0]), (np.ones((N, T, I)), [0] * N)):
        with pytest.raises(TypeError, match=r"RNNClassifier\(\)\.fit\(X, y\)"):
            tagger.fit(*wrong, epochs=1)


def test_names_of_labels(rng: Any, tmp_path: Path) -> None:
    names = ["cat", "dog", "猫"]
    model = SequenceClassifier("gru", names, 4, input_size=I, rng=np.random.default_rng(0))
    x, lengths = rng.standard_normal((T, N, I)), LENGTHS
    numbers = model.predict_proba(x, lengths).argmax(axis=1)
    found = model.predict(x, lengths)
    assert found.tolist() == [names[k] for k in numbers]
    by_name = model.loss(model.params, (x, found, lengths))
    assert by_name == model.loss(model.params, (x, numbers, lengths))
    assert model.score(x, found, lengths) == 1
    model.save(tmp_path / "model")
    assert load(tmp_path / "model").labels == tuple(names)
    with pytest.raises(ValueError, match="labels of the model, 'cat', 'dog', '猫'; got 'cow'"):
        model.loss(model.params, (x, ["cat", "cow", "dog", "cat"], lengths))
    tagger = make("tagger")
    named = type(tagger)("gru", names, 4, input_size=I)
    assert named.predict(x, lengths)[-1, 1] == ""
    for wrong in ("cat", ["a", 1], [""], [], 2.0):
        with pytest.raises(TypeError, match="classes must be"):
            SequenceClassifier("gru", wrong, 4, input_size=I)
    with pytest.raises(ValueError, match="'a' twice"):
        SequenceClassifier("gru", ["a", "b", "a"], 4, input_size=I)


def test_texts_are_read_by_the_vocabulary_of_the_model() -> None:
    letters = Vocabulary.from_texts(["abc"], level="character")
    model = SequenceClassifier("rnn", 2, 4, vocab=letters, rng=np.random.default_rng(0))
    alone = [model.predict_proba([text])[0] for text in ("abca", "b", "")]
    assert_same_bits("together", model.predict_proba(["abca", "b", ""]), np.stack(alone))
    assert model.score(["ab", "c"], model.predict(["ab", "c"])) == 1
    with pytest.raises(ValueError, match="texts have lengths of their own"):
        model.predict(["ab"], [2])


@pytest.mark.parametrize("name", ["classifier-last", "tagger", "regressor", "regressor-steps"])
def test_a_weight_is_so_many_equal_rows(name: str, rng: Any) -> None:
    model = make(name)
    x, targets, lengths = batch_for(model, rng, lengths=np.array([6, 2, 3, 1]))
    rows = [0, 0, 1, 3, 3, 3]
    many = (x[:, rows], targets[rows] if len(targets) == N else targets[:, rows], lengths[rows])
    counts = np.bincount(rows, minlength=N)
    each_step = len(targets) == T
    weights = np.broadcast_to(counts, (T, N)) if each_step else counts
    batch = Batch(x, targets, lengths, weights)
    terms = model.terms(batch) / model.terms(many)
    loss = model.loss(model.params, batch) * terms
    assert np.isclose(loss, model.loss(model.params, many), rtol=1e-12)
    found, wanted = model.evaluate([batch]), model.evaluate([many])
    for figure in wanted.keys() - {"loss"}:
        assert np.isclose(found[figure], wanted[figure], rtol=1e-12), figure
    for wrong in (weights[:1], -weights, weights * np.nan):
        with pytest.raises(ValueError, match="weights must"):
            model.loss(model.params, (x, targets, lengths, wrong))


def test_class_weight_weighs_labels(rng: Any) -> None:
    plain, weighted = make("classifier-last"), make("classifier-last", class_weight=[2, 0, 1])
    x, targets = batch_for(plain, rng)
    weights = np.array([2, 0, 1])[targets]
    expected = plain.loss(plain.params, Batch(x, targets, weights=weights))
    assert weighted.loss(weighted.params, (x, targets)) == expected
    for wrong in ([1, 2], [1, -1, 1], [1, np.nan, 1]):
        with pytest.raises(ValueError, match="class_weight must be"):
            SequenceClassifier("gru", C, 4, input_size=I, class_weight=wrong)


def test_a_regressor_speaks_in_the_units_of_its_targets(rng: Any) -> None:
    options = {"input_size": I, "dtype": np.float64}
    plain = SequenceRegressor("gru", 2, 4, rng=np.random.default_rng(0), **options)
    scaled = SequenceRegressor(
        "gru", 2, 4, target_center=[10, -5], target_scale=[2, 100], **options
    )
    scaled.params = plain.params
    x = rng.standard_normal((T, N, I))
    found = plain.predict(x)
    np.testing.assert_allclose(scaled.predict(x), found * [2, 100] + [10, -5], rtol=1e-12)
    targets = rng.standard_normal((N, 2))
    loss = ((found - targets) ** 2).mean()
    assert np.isclose(plain.loss(plain.params, (x, targets)), loss, rtol=1e-12)
    far = targets * [2, 100] + [10, -5]
    assert np.isclose(scaled.loss(plain.params, (x, far)), loss, rtol=1e-9)
    figures = plain.evaluate([(x[:, :1], targets[:1]), (x[:, 1:], targets[1:])])
    assert np.isclose(figures["loss"], loss)
    assert np.isclose(figures["mae"], np.abs(found - targets).mean())
    spread = ((targets - targets.mean(axis=0)) ** 2).mean(axis=0)
    r2 = (1 - ((found - targets) ** 2).mean(axis=0) / spread).mean()
    assert np.isclose(plain.score(x, targets), r2)
    assert np.isclose(figures["r2"], r2)


def test_one_number_may_leave_out_its_axis(rng: Any) -> None:
    model = SequenceRegressor("gru", 1, 4, input_size=I, each_step=True)
    x, targets = rng.standard_normal((T, N, I)), rng.standard_normal((T, N))
    loss = model.loss(model.params, (x, targets, LENGTHS))
    assert loss == model.loss(model.params, (x, targets[..., None], LENGTHS))
    assert not model.predict(x, LENGTHS)[1:, 3].any()


@pytest.mark.parametrize(
    ("targets", "error", "message"),
    [
        (np.ones((N, 3)), ValueError, r"targets must have shape \(4, 2\), got \(4, 3\)"),
        (np.ones((T, 2)), ValueError, r"got \(6, 2\); x is read as \(T, N, ·\)"),
        ([["a", "b"]] * N, TypeError, "targets must be numbers"),
        (np.array([[1, 2]] * 3 + [[1, np.nan]]), ValueError, "got nan for row 3"),
    ],
)
def test_bad_targets(targets: Any, error: type, message: str, rng: Any) -> None:
    model = make("regressor")
    with pytest.raises(error, match=message):
        model.loss(model.params, (rng.standard_normal((T, N, I)), targets))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"each_step": True, "pooling": "mean"}, "each_step leaves nothing to pool"),
        ({"target_scale": [1.0, 0.0]}, "target_scale must be finite and above 0"),
        ({"target_center": [1.0]}, r"target_center must be a number or \(2,\) of them"),
        ({"input_scale": [1.0] * 3}, r"input_scale must be a number or \(5,\) of them"),
        ({"input_center": np.nan}, "input_center must be finite"),
    ],
)
def test_bad_options(options: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        SequenceRegressor("gru", 2, 4, input_size=I, **options)
    with pytest.raises(ValueError, match="for vectors, not for symbols"):
        SequenceRegressor("gru", 2, 4, vocab=5, input_scale=2.0)


def test_many_rows_are_predicted_in_parts(rng: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("classifier-last", "tagger", "regressor-steps", "tagger-batch-first"):
        model = make(name)
        x, _, lengths = batch_for(model, rng, rows=23, lengths=rng.integers(0, T + 1, 23))
        whole = model.predict(x, lengths)
        monkeypatch.setattr(readout, "_MOST", 100)
        assert len(list(model._parts(x, lengths))) > 3
        assert_same_bits(name, model.predict(x, lengths), whole)
        monkeypatch.undo()


def test_one_batch_has_no_weights_in_a_language_model(rng: Any) -> None:
    model = make("lm-lstm")
    x, targets = batch_for(model, rng)
    with pytest.raises(ValueError, match="has no weights"):
        model.loss(model.params, Batch(x, targets, weights=np.ones((T, N))))
