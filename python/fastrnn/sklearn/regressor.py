"""RNNRegressor: numbers for each series or text, or for each of its steps."""

from typing import Any

import numpy as np
from sklearn.base import RegressorMixin
from sklearn.metrics import r2_score
from sklearn.utils.validation import check_array

from fastrnn._checks import FLOAT64, Array
from fastrnn._elsewhere import ESTIMATOR_ARGUMENTS, estimator_fit, hinted
from fastrnn.data import pad
from fastrnn.models import SequenceRegressor
from fastrnn.sklearn._network import Network, check_warm, checked_weights
from fastrnn.sklearn._series import Rows, Series


class RNNRegressor(RegressorMixin, Network):
    """Predict numbers from time series, sequences of vectors, or texts.

    Parameters
    ----------
    cell : {"lstm", "gru", "rnn"}
        The LSTM starts with a forget bias of 1.
    hidden_size : int or list of int
        H, units of each layer.
    num_layers : int
        Layers on top of each other.
    bidirectional : bool
        Read each sequence from both ends.
    dropout : float
        Probability of dropping a feature while learning.
    standardize : bool
        Subtract the mean of each channel of X and divide by its standard deviation, those of the
        part that is learned from. Series that are not of size 1 or so need it. For y this is always
        done, and undone in what is predicted.
    optimizer : {"adam", "adamw", "rmsprop", "adagrad", "sgd"}
        "sgd" has a momentum of 0.9. Gradients are clipped to the norm 1.
    learning_rate : float
    max_epochs : int
        At most so many times all samples.
    batch_size : int
        N, samples an update.
    early_stopping : bool
        Hold out a part of the samples; stop when the squared error there gets no better, and keep
        the weights that were best.
    validation_fraction : float
        How large that part is.
    n_iter_no_change : int
        So many epochs without a better error are enough.
    random_state : int, RandomState or None
        Where weights, order and dropout come from; the same number gives the same result.
    n_threads : int or None
        Threads of a call; None: what fastrnn finds. Results do not depend on it.
    verbose : int
        Above 0: show the training.
    warm_start : bool
        The next `fit` goes on with the weights that are there.

    Attributes
    ----------
    model_ : fastrnn.models.SequenceRegressor
        The network. Its `save` writes one file, with the standardisation in it.
    history_ : fastrnn.train.History
        What happened in the training.
    n_iter_ : int
        Epochs that were trained.
    n_features_in_ : int
        Columns of a table, channels of series; there is none of texts.
    feature_names_in_ : ndarray of str
        Names of the columns of a DataFrame.

    Notes
    -----
    X may be what `RNNClassifier` takes. y is (n,) or (n, k); or (n, T, k), or a list of arrays
    (T_i, k), for numbers at each step. Equal samples are one with the sum of their weights, and the
    order of samples does not matter.

    Examples
    --------
    >>> import numpy as np
    >>> from fastrnn.sklearn import RNNRegressor
    >>> rng = np.random.default_rng(0)
    >>> X = [rng.normal(size=(T, 1)) for T in rng.integers(3, 9, 80)]
    >>> y = [100 + series.mean() for series in X]
    >>> model = RNNRegressor(cell="gru", hidden_size=16, learning_rate=0.02, random_state=0)
    >>> model.fit(X, y).predict(X).shape, model.score(X, y) > 0.5
    ((80,), True)
    """

    @hinted(ESTIMATOR_ARGUMENTS)
    def __init__(
        self,
        *,
        cell: str = "lstm",
        hidden_size: Any = 64,
        num_layers: int = 1,
        bidirectional: bool = False,
        dropout: float = 0.0,
        standardize: bool = False,
        optimizer: str = "adam",
        learning_rate: float = 1e-3,
        max_epochs: int = 100,
        batch_size: int = 32,
        early_stopping: bool = True,
        validation_fraction: float = 0.1,
        n_iter_no_change: int = 10,
        random_state: Any = None,
        n_threads: int | None = None,
        verbose: int = 0,
        warm_start: bool = False,
    ) -> None:
        self.cell = cell
        self.hidden_size = hidden_size
        self.num_layers = num_layers
        self.bidirectional = bidirectional
        self.dropout = dropout
        self.standardize = standardize
        self.optimizer = optimizer
        self.learning_rate = learning_rate
        self.max_epochs = max_epochs
        self.batch_size = batch_size
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.n_iter_no_change = n_iter_no_change
        self.random_state = random_state
        self.n_threads = n_threads
        self.verbose = verbose
        self.warm_start = warm_start

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        # Few noisy samples are then not learned by heart, which the score of a check asks for.
        tags.regressor_tags.poor_score = bool(self.early_stopping)
        return tags

    @hinted(estimator_fit("RNNRegressor"))
    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> "RNNRegressor":
        """Learn from n samples.

        Parameters
        ----------
        X : array_like, (n, T, d) or (n, T), list of arrays, DataFrame, list of texts
            See the notes of `RNNClassifier`.
        y : array_like, (n,), (n, k) or (n, T, k), or list of n arrays (T_i, k)
            What to predict; the last two for each step.
        sample_weight : array_like or None, (n,)
            How much each sample counts; None: all alike.

        Returns
        -------
        RNNRegressor
            The estimator itself.

        Raises
        ------
        TypeError, ValueError
            As scikit-learn's estimators raise them. What is wrong with one sample names it.
        FloatingPointError
            The loss or its gradient is not finite.
        """
        series = self._read_to_fit(X, y)
        targets, each_step = _targets(y, series)
        columns = targets[0].shape[-1] if each_step or targets[0].ndim else 0
        weights = checked_weights(sample_weight, len(targets))
        outputs = max(1, columns)
        check_warm(
            self, cell=self.cell, outputs=outputs, each_step=each_step,
            hidden_size=self.hidden_size,
        )  # fmt: skip
        self._one_number = not each_step and not columns

        def make(**options: Any) -> SequenceRegressor:
            return SequenceRegressor(
                self.cell, outputs, self.hidden_size, each_step=each_step, **options
            )

        def join(rows: Rows) -> Array:
            if each_step:
                return pad([targets[row] for row in rows], batch_first=True)[0]
            return np.stack([targets[row] for row in rows])

        self._learn(series, targets, weights, make, join, None)
        return self

    def _target_options(self, targets: Any, rows: Rows, weights: Array | None) -> dict[str, Any]:
        parts = [targets[row] for row in rows]
        known = Series([part if part.ndim == 2 else part.reshape(1, -1) for part in parts])
        center, scale = known.moments(np.arange(len(rows)), weights)
        return {"target_center": center.tolist(), "target_scale": scale.tolist()}

    def predict(self, X: Any) -> Any:
        """Return the predicted numbers, in bounded memory however many samples there are.

        Parameters
        ----------
        X
            As `fit` takes it.

        Returns
        -------
        ndarray of float64, (n,), (n, k) or (n, T, k), or list of n ndarrays (T_i, k)
            As y was; at each step a list where X is one.

        Raises
        ------
        sklearn.exceptions.NotFittedError
            `fit` has not been called.
        TypeError, ValueError
            X is no such data, or of other columns, channels or kind than what was learned.
        """
        blocks = list(self._outputs(X, "predict"))
        each_step = self.model_.config["each_step"]
        parts: list[Any] = [None] * sum(len(rows) for rows, _, _ in blocks)
        ragged = False
        for rows, outputs, lengths in blocks:
            ragged |= lengths is not None
            for k, row in enumerate(rows):
                whole = outputs[k].astype(FLOAT64)
                parts[row] = whole[: lengths[k]] if each_step and lengths is not None else whole
        if each_step and ragged:
            return parts
        answer = np.stack(parts)
        return answer[:, 0] if self._one_number else answer

    def score(self, X: Any, y: Any, sample_weight: Any = None) -> float:
        """Return R², the coefficient of determination; the mean of those of k numbers.

        Parameters
        ----------
        X, y, sample_weight
            As `fit` takes them.

        Returns
        -------
        float
            1 is exact; always to predict the mean of y has 0.

        Raises
        ------
        sklearn.exceptions.NotFittedError
            `fit` has not been called.
        TypeError, ValueError
            As `predict` and `fit`.
        """
        predictions = self.predict(X)
        if not self.model_.config["each_step"]:
            return float(r2_score(y, predictions, sample_weight=sample_weight))
        right = [np.asarray(part, FLOAT64) for part in list(y)]
        steps = [len(part) for part in right]
        if steps != [len(part) for part in predictions]:
            raise ValueError("y must have as many steps as X has in each sample")
        weights = np.repeat(checked_weights(sample_weight, len(right)), steps)
        y, predictions = np.concatenate(right), np.concatenate(predictions)
        return float(r2_score(y, predictions, sample_weight=weights))


def _targets(y: Any, series: Series) -> tuple[list[Array], bool]:
    """Return y as one array a sample, and whether it has numbers for each step.

    Raises
    ------
    ValueError
        y has another form, or holds what is no finite number.
    """
    each_step = getattr(y, "ndim", 0) == 3
    if not each_step and isinstance(y, (list, tuple)):
        each_step = any(np.ndim(part) == 2 for part in list(y))
    if not each_step:
        whole = check_array(y, ensure_2d=False, dtype="numeric", input_name="y")
        if whole.ndim > 2:
            raise ValueError(f"y must be (n,), (n, k) or (n, T, k), got {whole.shape}")
        return list(whole.astype(FLOAT64)), False
    parts = [np.asarray(part) for part in list(y)]
    for n, part in enumerate(parts):
        if part.ndim != 2 or part.shape[1] != parts[0].shape[1] or part.dtype.kind not in "fiu":
            raise ValueError(
                "y must hold numbers of shape (T_i, k) for each sample, of one k, got "
                f"{part.dtype} {part.shape} for sample {n}"
            )
        if len(part) != series.lengths[n]:
            raise ValueError(
                f"y must have as many steps as X: sample {n} has {series.lengths[n]} in X and "
                f"{len(part)} in y"
            )
        if not np.isfinite(part).all():
            raise ValueError(f"Input y contains NaN or infinity: sample {n}")
    return [part.astype(FLOAT64) for part in parts], True
