"""RNNClassifier: a label for each series or text, by a recurrent network."""

from typing import Any

import numpy as np
from sklearn.base import ClassifierMixin
from sklearn.utils.class_weight import compute_sample_weight
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_array, column_or_1d

from fastrnn._checks import Array
from fastrnn._elsewhere import ESTIMATOR_ARGUMENTS, estimator_fit, hinted
from fastrnn.models import SequenceClassifier
from fastrnn.sklearn._network import Network, check_warm, checked_weights


class RNNClassifier(ClassifierMixin, Network):
    """Classify time series, sequences of vectors, or texts.

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
        Subtract the mean of each channel and divide by its standard deviation, those of the part
        that is learned from. Series that are not of size 1 or so need it.
    optimizer : {"adam", "adamw", "rmsprop", "adagrad", "sgd"}
        "sgd" has a momentum of 0.9. Gradients are clipped to the norm 1.
    learning_rate : float
    max_epochs : int
        At most so many times all samples.
    batch_size : int
        N, samples an update.
    early_stopping : bool
        Hold out a part of the samples, stratified by labels; stop when the loss there gets no
        better, and keep the weights that were best.
    validation_fraction : float
        How large that part is.
    n_iter_no_change : int
        So many epochs without a better loss are enough.
    class_weight : dict, "balanced" or None
        How much each label counts; "balanced": as much as every other one together.
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
    classes_ : ndarray, (C,)
        The labels, sorted, of the type they came in.
    model_ : fastrnn.models.SequenceClassifier
        The network. Its `save` writes one file, with the labels and the standardisation in it.
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
    X may be an array (n, T, d), n series of T steps and d channels; (n, T) of one channel; a list
    of arrays (T_i, d), or (T_i,), of any lengths; a DataFrame, as (n, T); a list of str, read
    character by character; or a list of lists of tokens. Texts know the symbols of what was
    learned; others are all one symbol. Vectors are computed in float32.

    Equal samples are one with the sum of their weights, and the order of samples does not matter:
    a weight of 2 is the sample twice, bit for bit. What is predicted for a sample does not depend
    on the others that are predicted with it.

    Examples
    --------
    >>> import numpy as np
    >>> from fastrnn.sklearn import RNNClassifier
    >>> rng = np.random.default_rng(0)
    >>> X = rng.normal(size=(60, 12, 2))
    >>> y = np.where(X[:, :, 0].sum(axis=1) > 0, "up", "down")
    >>> model = RNNClassifier(cell="gru", hidden_size=16, learning_rate=0.02, random_state=0)
    >>> model.fit(X, y).predict(X[:3]).tolist() == y[:3].tolist()
    True
    >>> model.classes_.tolist(), model.predict_proba(X).shape
    (['down', 'up'], (60, 2))
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
        class_weight: Any = None,
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
        self.class_weight = class_weight
        self.random_state = random_state
        self.n_threads = n_threads
        self.verbose = verbose
        self.warm_start = warm_start

    @hinted(estimator_fit("RNNClassifier"))
    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> "RNNClassifier":
        """Learn from n samples.

        Parameters
        ----------
        X : array_like, (n, T, d) or (n, T), list of arrays, DataFrame, list of texts
            See the notes of the class.
        y : array_like, (n,)
            Labels of any one kind: strings, integers, truth values.
        sample_weight : array_like or None, (n,)
            How much each sample counts; None: all alike.

        Returns
        -------
        RNNClassifier
            The estimator itself.

        Raises
        ------
        TypeError, ValueError
            As scikit-learn's estimators raise them. What is wrong with one sample names it.
        FloatingPointError
            The loss or its gradient is not finite.
        """
        series = self._read_to_fit(X, y)
        labels = column_or_1d(y, warn=True)
        check_array(labels, ensure_2d=False, dtype=None, input_name="y")
        check_classification_targets(labels)
        weights = checked_weights(sample_weight, len(labels))
        if self.class_weight is not None:
            factors = compute_sample_weight(self.class_weight, labels)
            if not np.isfinite(factors).all() or (factors < 0).any():
                raise ValueError(
                    f"class_weight must be finite and at least 0, got {self.class_weight!r}"
                )
            weights = weights * factors
            checked_weights(weights, len(labels))
        classes = np.unique(labels[weights > 0])
        targets = np.searchsorted(classes, labels).astype(np.int64)
        names = [str(label) for label in classes.tolist()]
        if "" in names or len(set(names)) < len(names):
            names = [f"{k}: {name}" for k, name in enumerate(names)]
        check_warm(self, cell=self.cell, classes=names, hidden_size=self.hidden_size)
        self.classes_ = classes

        def make(**options: Any) -> SequenceClassifier:
            return SequenceClassifier(self.cell, names, self.hidden_size, **options)

        self._learn(series, targets, weights, make, lambda rows: targets[rows], targets)
        return self

    def predict_proba(self, X: Any) -> Array:
        """Return the probabilities of all labels, in bounded memory however many samples there are.

        Parameters
        ----------
        X
            As `fit` takes it.

        Returns
        -------
        ndarray of float32, (n, C)
            In the order of `classes_`.

        Raises
        ------
        sklearn.exceptions.NotFittedError
            `fit` has not been called.
        TypeError, ValueError
            X is no such data, or of other columns, channels or kind than what was learned.
        """
        blocks = list(self._outputs(X, "predict_proba"))
        order = np.concatenate([rows for rows, _, _ in blocks])
        whole = np.concatenate([outputs for _, outputs, _ in blocks])
        answer: Array = np.empty_like(whole)
        answer[order] = whole
        return answer

    def predict(self, X: Any) -> Array:
        """Return the likeliest labels, in bounded memory however many samples there are.

        Parameters
        ----------
        X
            As `fit` takes it.

        Returns
        -------
        ndarray, (n,)
            Of the type of the labels that were learned.

        Raises
        ------
        sklearn.exceptions.NotFittedError
            `fit` has not been called.
        TypeError, ValueError
            As `predict_proba`.
        """
        places = self.predict_proba(X).argmax(axis=1)
        answer: Array = self.classes_[places]
        return answer
