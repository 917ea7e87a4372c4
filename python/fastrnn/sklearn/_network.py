"""What classifier and regressor share: reading X, one training by `fastrnn.train`, its options."""

from collections.abc import Callable, Iterator
from contextlib import nullcontext
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted

import fastrnn
from fastrnn._checks import MAX_THREADS, Array, flag, integer, number
from fastrnn.data import Batch, Vocabulary, batches
from fastrnn.sklearn._samples import checked_weights, divided, merged
from fastrnn.sklearn._series import Rows, Series, read
from fastrnn.train import SGD, Adagrad, Adam, AdamW, RMSprop, Trainer

OPTIMISERS: dict[str, Callable[[float], Any]] = {
    "adam": Adam,
    "adamw": AdamW,
    "rmsprop": RMSprop,
    "adagrad": Adagrad,
    "sgd": lambda rate: SGD(rate, momentum=0.9),
}
_MAX_NORM = 1.0  # a long series' gradient may be large once in a while, which Adam would remember


class Network(BaseEstimator):
    """The common part of `RNNClassifier` and `RNNRegressor`; see there."""

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.three_d_array = True
        return tags

    def _read_to_fit(self, X: Any, y: Any) -> Series:
        """Return X as series, of as many samples as y has."""
        if y is None:
            raise ValueError(
                f"This {type(self).__name__} estimator requires y to be passed, but the target y "
                "is None."
            )
        standardize = flag("standardize", self.standardize)
        for name in ("_is_table", "n_features_in_", "feature_names_in_"):
            self.__dict__.pop(name, None)
        self._kind, self._channels = "", 0
        series = read(self, X, reset=True, double=standardize)
        if not series.level and not hasattr(self, "n_features_in_"):
            self.n_features_in_ = series.channels
        n = len(y) if hasattr(y, "__len__") else np.asarray(y).size
        if n != len(series):
            hint = ""
            if series.regular and series.parts.shape[1] == n:
                hint = (
                    "; X is read as (n, T, d), samples first: for (T, n, d) pass X.swapaxes(0, 1)"
                )
            raise ValueError(
                "Found input variables with inconsistent numbers of samples: "
                f"[{len(series)}, {n}]{hint}"
            )
        return series

    def _learn(
        self,
        series: Series,
        targets: Any,
        weights: Array,
        make: Callable[..., Any],
        join: Callable[[Rows], Any],
        labels: Any,
    ) -> None:
        """Make a model, or go on with the one that is there, and train it.

        Parameters
        ----------
        series, targets, weights
            n samples; targets as arrays, one a sample.
        make : callable
            ``make(**options)`` returns the model.
        join : callable
            ``join(rows)`` returns targets of a batch.
        labels : ndarray of int64 or None, (n,)
            By which to stratify.
        """
        early, seed = flag("early_stopping", self.early_stopping), self._seed()
        epochs = integer("max_epochs", self.max_epochs, 1)
        size = integer("batch_size", self.batch_size, 1)
        patience = integer("n_iter_no_change", self.n_iter_no_change, 1)
        fraction = number("validation_fraction", self.validation_fraction, 0, 1)
        if early and not fraction:
            raise ValueError("validation_fraction must be above 0, got 0")
        if self.optimizer not in OPTIMISERS:
            raise ValueError(
                f"optimizer must be one of {list(OPTIMISERS)}, got {self.optimizer!r}"
            )
        optimiser = OPTIMISERS[self.optimizer](number("learning_rate", self.learning_rate, 0))
        loud = self.verbose is True or integer("verbose", self.verbose or 0, 0) > 0
        rows, total = merged(series, targets, weights)
        rng = np.random.default_rng([seed, 1])
        held = np.empty(0, np.int64)
        learned = np.arange(len(rows))
        if early:
            chosen = None if labels is None else np.unique(labels[rows], return_inverse=True)[1]
            learned, held = divided(fraction, chosen, len(rows), rng)
        total /= total[learned].mean()
        alike = bool((total == 1).all())
        if not (flag("warm_start", self.warm_start) and hasattr(self, "model_")):
            known = rows[learned], None if alike else total[learned]
            options = self._model_options(series, *known) | self._target_options(targets, *known)
            self.model_ = make(rng=np.random.default_rng(seed), **options)
        vocabulary = self.model_.vocabulary

        def batch(which: Rows) -> Batch:
            x, lengths = series.batch(rows[which], vocabulary)
            return Batch(x, join(rows[which]), lengths, None if alike else join_weights(which))

        def join_weights(which: Rows) -> Any:
            result = total[which]
            if self.model_.config.get("each_step"):
                longest = int(series.lengths[rows[which]].max())
                return np.repeat(result[:, None], longest, axis=1)
            return result

        source = batches(
            series.lengths[rows[learned]], size, seed=seed, make=lambda which: batch(learned[which])
        )
        judged = [batch(held[k : k + 256]) for k in range(0, len(held), 256)]
        trainer = Trainer(
            self.model_, optimiser, max_norm=_MAX_NORM, rng=rng, log_every=len(source),
            progress=loud,
        )  # fmt: skip
        limits: dict[str, Any] = {"validation": judged, "patience": patience} if early else {}
        with self._threads():
            self.history_ = trainer.fit(source, epochs=epochs, **limits)
        self.n_iter_ = trainer.updates // len(source)

    def _model_options(self, series: Series, rows: Rows, weights: Array | None) -> dict[str, Any]:
        """Return the options of the model that the estimator's and the data decide."""
        options: dict[str, Any] = {
            "num_layers": self.num_layers, "bidirectional": self.bidirectional,
            "dropout": self.dropout, "batch_first": True,
        }  # fmt: skip
        if self.cell == "lstm":
            options["forget_bias"] = 1.0  # a new LSTM remembers
        if series.level:
            if self.standardize:
                raise ValueError("standardize is for numbers, got texts")
            texts = [series.parts[row] for row in rows]
            return options | {"vocab": Vocabulary.from_texts(texts, level=series.level)}
        options["input_size"] = series.channels
        if self.standardize:
            center, scale = series.moments(rows, weights)
            options |= {"input_center": center.tolist(), "input_scale": scale.tolist()}
        return options

    def _target_options(self, targets: Any, rows: Rows, weights: Array | None) -> dict[str, Any]:
        """Return the options of the model that the targets decide."""
        del targets, rows, weights
        return {}

    def _seed(self) -> int:
        return int(check_random_state(self.random_state).randint(2**31 - 1))

    def _threads(self) -> Any:
        """Return a block in which calls take as many threads as `n_threads` says."""
        if self.n_threads is None:
            return nullcontext()
        return fastrnn.threads(integer("n_threads", self.n_threads, 1, MAX_THREADS))

    def _outputs(self, X: Any, method: str) -> Iterator[tuple[Rows, Array, Any]]:
        """Yield row numbers, what a method of the model returns for them, and their lengths."""
        check_is_fitted(self, "model_")
        double = self.model_.config["input_center"] is not None
        series = read(self, X, reset=False, double=double)
        with self._threads():
            for rows, x, lengths in series.batches(self.model_.vocabulary):
                yield rows, getattr(self.model_, method)(x, lengths), lengths


def check_warm(estimator: Any, **expected: Any) -> None:
    """Refuse to go on with a model that is of other settings or data than these.

    Raises
    ------
    ValueError
        One of them differs.
    """
    if not (estimator.warm_start and hasattr(estimator, "model_")):
        return
    config = estimator.model_.config
    for name, value in expected.items():
        if config.get(name) != value:
            raise ValueError(
                f"warm_start goes on with the model of the last fit, whose {name} is "
                f"{config.get(name)!r}, and not {value!r}; pass warm_start=False"
            )


__all__ = ["Network", "check_warm", "checked_weights"]
