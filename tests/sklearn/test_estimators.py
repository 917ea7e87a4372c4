"""Why: who brings arrays and scikit-learn's habits expects its rules to hold to the letter, and an
error that names the sample where one is wrong.
"""

import pickle
from typing import Any

import joblib
import numpy as np
import pytest
from helpers.tolerances import assert_same_bits
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import estimator_checks_generator

import fastrnn
from fastrnn.data import Batch
from fastrnn.models import SequenceClassifier, load
from fastrnn.sklearn import RNNClassifier, RNNRegressor
from fastrnn.sklearn import _series as series_module

SMALL: dict[str, Any] = {"cell": "gru", "hidden_size": 8, "learning_rate": 0.02, "random_state": 0}
QUICK = SMALL | {"max_epochs": 3}


def signs(rng: Any, n: int = 60, T: int = 9, d: int = 2) -> tuple[Any, Any]:
    """Series whose label is the sign of the sum of their first channel."""
    X = rng.standard_normal((n, T, d))
    return X, np.where(X[:, :, 0].sum(axis=1) > 0, "up", "down")


def ragged(rng: Any, n: int = 60, d: int = 2) -> tuple[list[Any], Any]:
    X = [rng.standard_normal((T, d)) for T in rng.integers(3, 9, n)]
    return X, np.array([series[:, 0].sum() > 0 for series in X])


CHECKS = [
    pytest.param(estimator, check, id=f"{name}-{k}-{check.func.__name__}")
    for name, whole in (
        ("classifier", RNNClassifier()),
        ("regressor", RNNRegressor()),
        ("whole regressor", RNNRegressor(early_stopping=False)),  # its score is judged, too
    )
    for k, (estimator, check) in enumerate(estimator_checks_generator(whole, mark="skip"))
]


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(("estimator", "check"), CHECKS)
def test_what_scikit_learn_asks_of_every_estimator(estimator: Any, check: Any) -> None:
    check(estimator)


@pytest.mark.parametrize("cell", ["lstm", "gru", "rnn"])
def test_a_classifier_learns_and_keeps_the_kind_of_labels(cell: str, rng: Any) -> None:
    X, y = signs(rng, 100)
    for labels in (y, y == "up", np.where(y == "up", 7, -3), y.astype(object)):
        model = RNNClassifier(**SMALL | {"cell": cell}).fit(X, labels)
        assert model.score(X, labels) > 0.8
        assert model.predict(X).dtype == np.asarray(labels).dtype
        assert set(model.classes_) == set(labels)
        assert model.model_.labels == tuple(str(label) for label in model.classes_.tolist())


def test_forms_of_x_agree(rng: Any) -> None:
    import pandas as pd

    X, y = signs(rng, d=1)
    table = X[:, :, 0]
    forms = [
        X, X.tolist(), list(X), table, table.tolist(), pd.DataFrame(table), table.astype("f4"),
        np.asfortranarray(table), [row[:, None] for row in table], table.astype(object),
    ]  # fmt: skip
    found = [RNNClassifier(**QUICK).fit(form, y).predict_proba(form) for form in forms]
    for other in found[1:]:
        assert_same_bits("probabilities", other, found[0])
    whole = RNNClassifier(**QUICK).fit(np.arange(60).reshape(20, 3), [0, 1] * 10)
    assert whole.predict(np.arange(6).reshape(2, 3)).shape == (2,)


def test_series_of_any_lengths(rng: Any) -> None:
    X, y = ragged(rng)
    model = RNNClassifier(**SMALL).fit(X, y)
    assert model.score(X, y) > 0.9
    one = [series[:, 0] for series in X]
    assert RNNClassifier(**SMALL).fit(one, y).score(one, y) > 0.9
    alone = np.concatenate([model.predict_proba([series]) for series in X])
    assert_same_bits("alone", alone, model.predict_proba(X))


def test_texts_and_lists_of_tokens() -> None:
    words = ["good", "fine", "nice", "bad", "poor", "awful"] * 8
    y = ["+" if word in ("good", "fine", "nice") else "-" for word in words]
    model = RNNClassifier(**SMALL, early_stopping=False).fit(words, y)
    assert model.score(words, y) == 1
    assert model.predict(["goad"]).shape == (1,)
    tokens = [["it", "is", word] for word in words]
    model = RNNClassifier(**SMALL, early_stopping=False).fit(tokens, y)
    assert model.score(tokens, y) == 1
    assert model.predict([["never", "seen"]]).shape == (1,)
    with pytest.raises(ValueError, match="lists of tokens, got texts"):
        model.predict(["it is good"])
    with pytest.raises(ValueError, match="sample 1 has 'New York'"):
        model.fit([["a"], ["New York"]], ["+", "-"])


def test_a_regressor_takes_one_or_many_numbers_for_series_or_steps(rng: Any) -> None:
    X = rng.standard_normal((80, 6, 2))
    mean, sums = X.mean(axis=(1, 2)), np.cumsum(X, axis=1)
    for y in (1e4 + 100 * mean, np.stack([mean, -3 * mean], axis=1), sums, sums[:, :, :1]):
        model = RNNRegressor(**SMALL).fit(X, y)
        assert model.predict(X).shape == y.shape
        assert model.score(X, y) > 0.6, y.shape
    lists, steps = ragged(rng)[0], []
    steps = [np.cumsum(series, axis=0) for series in lists]
    model = RNNRegressor(**SMALL).fit(lists, steps)
    assert [part.shape for part in model.predict(lists)] == [part.shape for part in steps]
    assert model.score(lists, steps) > 0.6


@pytest.mark.parametrize("estimator", [RNNClassifier, RNNRegressor])
def test_pipeline_search_clone_and_files(estimator: Any, rng: Any, tmp_path: Any) -> None:
    X, y = signs(rng, d=1)
    table, y = X[:, :, 0], y if estimator is RNNClassifier else table_mean(X)
    pipe = Pipeline([("scale", StandardScaler()), ("rnn", estimator(**QUICK))])
    search = GridSearchCV(pipe, {"rnn__hidden_size": [4, 6]}, n_jobs=2, cv=2).fit(table, y)
    assert search.best_params_["rnn__hidden_size"] in (4, 6)
    assert cross_val_score(clone(pipe), table, y, cv=2).shape == (2,)
    model = search.best_estimator_
    joblib.dump(model, tmp_path / "model")
    for back in (pickle.loads(pickle.dumps(model)), joblib.load(tmp_path / "model")):
        np.testing.assert_array_equal(back.predict(table), model.predict(table))


def table_mean(X: Any) -> Any:
    return X.mean(axis=(1, 2))


def test_the_same_state_gives_the_same_bits_and_another_does_not(rng: Any) -> None:
    X, y = signs(rng)
    first, again = (RNNClassifier(**QUICK).fit(X, y).predict_proba(X) for _ in range(2))
    assert_same_bits("again", again, first)
    assert_same_bits(
        "threads", RNNClassifier(**QUICK, n_threads=1).fit(X, y).predict_proba(X), first
    )
    assert (RNNClassifier(**QUICK | {"random_state": 1}).fit(X, y).predict_proba(X) != first).any()


@pytest.mark.parametrize("early_stopping", [False, True])
def test_a_weight_of_two_is_the_sample_twice_in_any_order(early_stopping: bool, rng: Any) -> None:
    X, y = ragged(rng)
    weights = rng.integers(0, 4, len(X))
    options = QUICK | {"early_stopping": early_stopping, "standardize": True}
    weighted = RNNClassifier(**options).fit(X, y, sample_weight=weights).predict_proba(X)
    rows = rng.permutation(np.repeat(np.arange(len(X)), weights))
    repeated = RNNClassifier(**options).fit([X[k] for k in rows], y[rows]).predict_proba(X)
    assert_same_bits("repeated", repeated, weighted)
    plain = RNNClassifier(**options).fit(X, y).predict_proba(X)
    assert (plain != weighted).any()


def test_class_weight(rng: Any) -> None:
    X, _ = signs(rng, 90)
    y = np.repeat([0, 0, 1], 30)
    shares = [
        (RNNClassifier(**QUICK, class_weight=weight).fit(X, y).predict(X) == 1).mean()
        for weight in ({0: 1.0, 1: 100.0}, {0: 100.0, 1: 1.0})
    ]
    assert shares == [1.0, 0.0]
    balanced = RNNClassifier(**QUICK, class_weight="balanced").fit(X, y).predict_proba(X)
    same = RNNClassifier(**QUICK, class_weight={0: 0.75, 1: 1.5}).fit(X, y).predict_proba(X)
    np.testing.assert_allclose(balanced, same, rtol=1e-4)


def test_standardisation_is_of_the_part_that_is_learned(rng: Any) -> None:
    X, y = ragged(rng)
    far = [1e7 + 1e-2 * series for series in X]  # float32 alone would lose it
    model = RNNClassifier(**SMALL, standardize=True).fit(far, y)
    assert model.score(far, y) > 0.9
    steps = np.concatenate(far)
    center = np.array(model.model_.config["input_center"])
    assert (center != steps.mean(axis=0)).any()  # a part is held out
    whole = RNNClassifier(**QUICK, standardize=True, early_stopping=False).fit(far, y).model_
    np.testing.assert_allclose(whole.config["input_center"], steps.mean(axis=0), rtol=1e-12)
    np.testing.assert_allclose(whole.config["input_scale"], steps.std(axis=0), rtol=1e-6)


def test_the_model_inside_is_one_of_the_models(rng: Any, tmp_path: Any) -> None:
    X, y = signs(rng)
    model = RNNClassifier(**QUICK, standardize=True).fit(X, y)
    model.model_.save(tmp_path / "model")
    back = load(tmp_path / "model")
    assert isinstance(back, SequenceClassifier)
    assert back.labels == ("down", "up")
    assert_same_bits("probabilities", back.predict_proba(X), model.predict_proba(X))
    assert back.predict(X).tolist() == model.predict(X).tolist()
    assert back.score(X, y) == model.score(X, y)
    assert len(model.history_.column("loss")[0]) == 3
    assert model.history_.column("validation_loss")[0]
    assert model.n_iter_ == 3


def test_early_stopping_keeps_the_best_weights(rng: Any) -> None:
    X, _ = signs(rng)
    y = rng.integers(0, 2, len(X))  # nothing to learn
    model = RNNClassifier(**SMALL, n_iter_no_change=2).fit(X, y)
    losses = model.history_.column("validation_loss")[1]
    assert len(losses) == model.n_iter_ == int(np.argmin(losses)) + 3 < 100
    full = RNNClassifier(**SMALL | {"max_epochs": 5}, early_stopping=False).fit(X, y)
    assert full.n_iter_ == 5
    assert not full.history_.column("validation_loss")[0]


def test_a_warm_start_goes_on(rng: Any, capsys: pytest.CaptureFixture[str]) -> None:
    X, y = signs(rng)
    model = RNNClassifier(**QUICK | {"early_stopping": False}, warm_start=True, verbose=1)
    first = model.fit(X, y).history_.column("loss")[1]
    assert "loss" in capsys.readouterr().out
    inner = model.model_
    assert model.fit(X, y).model_ is inner
    assert model.history_.column("loss")[1][0] < first[0]
    with pytest.raises(ValueError, match="warm_start goes on with the model of the last fit"):
        model.fit(X, np.arange(len(X)) % 3)
    capsys.readouterr()
    model.set_params(verbose=0).fit(X, y)
    assert not capsys.readouterr().out


def test_predict_in_parts_has_the_same_bits(rng: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from fastrnn.models._parts import readout

    X, y = ragged(rng)
    model = RNNClassifier(**QUICK).fit(X, y)
    whole = model.predict_proba(X)
    monkeypatch.setattr(series_module, "_MOST", 60)
    monkeypatch.setattr(readout, "_MOST", 100)
    assert_same_bits("in parts", model.predict_proba(X), whole)


def test_a_long_raw_series_trains_without_overflow(rng: Any) -> None:
    X = 1e4 * rng.standard_normal((8, 1200)).cumsum(axis=1)
    y = [0, 1] * 4
    for cell in ("lstm", "gru", "rnn"):
        model = RNNClassifier(**QUICK | {"cell": cell}).fit(X, y)
        assert np.isfinite(model.predict_proba(X)).all()


BAD: list[tuple[Any, Any, str]] = [
    (np.ones((5, 7, 2)), [0, 1] * 3 + [1], r"\[5, 7\]; X is read as \(n, T, d\), samples first"),
    (np.ones((5, 7, 2)), [0, 1], r"inconsistent numbers of samples: \[5, 2\]$"),
    ([np.ones((3, 2)), np.ones((4, 2)), np.ones((4, 3))], [0, 1, 0], "sample 2 has 3"),
    ([np.ones((3, 2)), np.ones((0, 2))], [0, 1], "sample 1 has none"),
    ([np.ones((3, 2)), np.ones(4)], [0, 1], "series of one form"),
    (["ab", ""], [0, 1], "sample 1 has none"),
    (np.where(np.arange(24) == 13, np.nan, 1).reshape(4, 3, 2), [0, 1, 0, 1],
     "contains NaN: sample 2, step 0, channel 1"),
    ([np.ones((3, 1)), np.array([[1], [np.inf]])], [0, 1], "infinity .*: sample 1, step 1"),
    (np.full((4, 3), 1e300), [0, 1, 0, 1], "too large for float32: sample 0"),
    (np.ones((2, 3, 2, 1)), [0, 1], "dim"),
    (np.ones((3, 4, 0)), [0, 1, 1], "channel"),
    (np.ones((4, 3)), None, "requires y to be passed"),
    (np.ones((4, 3)), [0.5, 1.2, 0.1, 3.0], "Unknown label type"),
]  # fmt: skip


@pytest.mark.parametrize(("X", "y", "message"), BAD)
def test_bad_data(X: Any, y: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        RNNClassifier(**QUICK).fit(X, y)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"optimizer": "adm"}, "optimizer must be one of"),
        ({"cell": "cnn"}, "cell must be one of"),
        ({"validation_fraction": 0.0}, "validation_fraction must be above 0"),
        ({"validation_fraction": 1.0}, "validation_fraction must be at least 0 and below 1"),
        ({"max_epochs": 0}, "max_epochs must be at least 1"),
        ({"hidden_size": 0}, "hidden_size must be at least 1"),
        ({"n_threads": 0}, "n_threads must be"),
        ({"class_weight": {"up": -1.0}}, "class_weight must be finite and at least 0"),
        ({"learning_rate": -1.0}, "learning_rate must be at least 0"),
    ],
)
def test_bad_options(options: dict, message: str, rng: Any) -> None:
    X, y = signs(rng)
    with pytest.raises(ValueError, match=message):
        RNNClassifier(**QUICK | options).fit(X, y)


def test_what_is_no_number_is_named(rng: Any) -> None:
    X, y = signs(rng)
    with pytest.raises(TypeError, match="verbose must be an integer, got 'loud'"):
        RNNClassifier(**QUICK | {"verbose": "loud"}).fit(X, y)
    with pytest.raises(ValueError, match="sample_weight must hold numbers"):
        RNNClassifier(**QUICK).fit(X, y, sample_weight=["heavy"] * len(X))
    X[0, 0, 0], X[1, 0, 0] = np.inf, -np.inf  # their sum is a warning of NumPy
    with pytest.raises(ValueError, match=r"infinity .*: sample 0, step 0"):
        RNNClassifier(**QUICK).fit(X, y)


def test_what_cannot_be_predicted(rng: Any) -> None:
    X, y = signs(rng)
    with pytest.raises(NotFittedError):
        RNNClassifier().predict(X)
    model = RNNClassifier(**QUICK).fit(X, y)
    with pytest.raises(ValueError, match="X has 3 channels, but RNNClassifier is expecting 2"):
        model.predict(np.ones((4, 5, 3)))
    with pytest.raises(ValueError, match="vectors of numbers, got texts"):
        model.predict(["text"])
    assert model.score(X, ["sideways"] * len(X)) == 0  # a label that nobody learned is wrong
    with pytest.raises(ValueError, match="targets must be labels of the model, 'down', 'up'; got"):
        model.model_.score(X, ["sideways"] * len(X))
    with pytest.raises(ValueError, match="all of different classes: pass early_stopping=False"):
        RNNClassifier(**QUICK).fit(X[:2], ["a", "b"])
    for y_steps in ([np.ones((3, 1))] * 60, np.ones((60, 8, 1))):
        with pytest.raises(ValueError, match="y must have as many steps as X: sample 0 has 9"):
            RNNRegressor(**QUICK).fit(X, y_steps)
    with pytest.raises(ValueError, match="sample 3"):
        RNNRegressor(**QUICK).fit(X, np.where(np.arange(540).reshape(60, 9, 1) == 30, np.nan, 1))


def test_a_fit_is_the_training_by_hand(rng: Any) -> None:
    """The same batches through the model and its trainer give the same weights."""
    X, y = signs(rng)
    model = RNNClassifier(**QUICK, early_stopping=False, batch_size=16).fit(X, y)
    seed = np.random.RandomState(0).randint(2**31 - 1)
    own = SequenceClassifier(
        "gru", 2, 8, input_size=2, batch_first=True, rng=np.random.default_rng(seed)
    )
    x, targets = X.astype(np.float32), (y == "up").astype(int)
    from fastrnn.sklearn._samples import merged
    from fastrnn.sklearn._series import Series

    rows, _ = merged(Series(x), targets, np.ones(60))

    def make(which: Any) -> Batch:
        return Batch(x[rows[which]], targets[rows[which]])

    source = fastrnn.data.batches(np.full(60, 9), 16, seed=int(seed), make=make)
    own.fit(source, fastrnn.train.Adam(0.02), max_norm=1.0, epochs=3, progress=False)
    assert_same_bits("weights", own.params["out"]["weight"], model.model_.params["out"]["weight"])
