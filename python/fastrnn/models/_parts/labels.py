"""What classifier and tagger share: scores over C labels, their loss, predictions and accuracy."""

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import autograd.numpy as anp
import numpy as np
from numpy.typing import ArrayLike, NDArray

from fastrnn import ops
from fastrnn._checks import Array, integer
from fastrnn._elsewhere import EVALUATED, hinted
from fastrnn.models._parts.label_stream import LabelStream
from fastrnn.models._parts.model import unpack
from fastrnn.models._parts.reader import NOTHING, labels, mean_of
from fastrnn.models._parts.readout import Readout, numbers, per_column

if TYPE_CHECKING:
    from numpy.random import Generator


class Labels(Readout):
    """The common part of `SequenceClassifier` and `SequenceTagger`; see there."""

    def __init__(
        self,
        cell: str,
        classes: Any,
        hidden_size: int | Sequence[int],
        own_options: Mapping[str, Any],
        *,
        class_weight: Any,
        **options: Any,
    ) -> None:
        self.labels = None if isinstance(classes, (int, np.integer)) else _names(classes)
        C = integer("classes", classes, 1) if self.labels is None else len(self.labels)
        self._classes = C
        self._class_weight = None
        if class_weight is not None:
            self._class_weight = per_column("class_weight", class_weight, C)
            if (self._class_weight < 0).any():
                raise ValueError(f"class_weight must be at least 0, got {class_weight}")
            class_weight = numbers("class_weight", class_weight)
        self._numbers = {name: k for k, name in enumerate(self.labels or ())}
        own = {"classes": C if self.labels is None else list(self.labels)}
        own["class_weight"] = class_weight
        super().__init__(cell, C, hidden_size, {**own, **own_options}, **options)

    def _targets(self, targets: Any, exists: NDArray[np.bool_], x: Any) -> NDArray[np.int64]:
        """Return targets as numbers 0..C−1 in the shape of `exists`, NOTHING where it is False."""
        array = self._in_order("targets", targets, exists, x)
        if self.labels is not None and array.dtype.kind in "UO" and array.shape == exists.shape:
            result = np.full(array.shape, NOTHING, np.int64)
            for name in dict.fromkeys(array[exists].tolist()):
                if name not in self._numbers:
                    known = ", ".join(map(repr, self.labels[:5]))
                    more = ", …" if len(self.labels) > 5 else ""
                    raise ValueError(f"targets must be labels of the model, {known}{more}; "
                                     f"got {name!r}")
                result[array == name] = self._numbers[name]
            return np.where(exists, result, NOTHING)
        return labels("targets", array, exists, self._classes, NOTHING)

    def _nats(
        self, scores: Any, targets: NDArray[np.int64], weights: Array | None
    ) -> Any:
        """Return the mean over the labels of weight times −ln p; 0 where there is no label."""
        if self._class_weight is not None:
            each = self._class_weight.astype(self.dtype)[targets]
            weights = each if weights is None else weights * each
        exists = targets != NOTHING
        if weights is None:
            return ops.softmax_cross_entropy(
                scores, targets, ignore_index=NOTHING, reduction=mean_of(targets)
            )
        nats = ops.softmax_cross_entropy(
            scores, targets, ignore_index=NOTHING, reduction="none"
        )
        share = weights / self.dtype.type(max(1, exists.sum()))
        return anp.sum(nats * np.where(exists, share, 0))

    def loss(self, params: Mapping[str, Any], batch: Any, rng: "Generator | None" = None) -> Any:
        """Return the mean cross-entropy of a batch in nats: a pure function of params.

        Parameters
        ----------
        params : nested dict
            Of the names and shapes of `params`, which are not looked at.
        batch : tuple (x, targets), (x, targets, lengths) or (x, targets, lengths, weights)
            x as `predict` takes it. targets are labels 0..C−1, or their names where the model has
            names, in the shape that `predict` returns; what they hold in padding is not read.
            lengths and weights as `fastrnn.data.Batch`, None where there are none; the loss is the
            mean over all labels of weight times cross-entropy.
        rng : numpy.random.Generator or None
            Where dropout draws from; None: dropout does not act.

        Returns
        -------
        float, or what autograd traces as one
            0 if nothing exists to be labelled.

        Raises
        ------
        TypeError, ValueError
            A part of batch has the wrong type, shape, or a value out of range.
        """
        x, targets, lengths, weights = unpack(batch)
        x, lengths = self._time_major(x, lengths)
        scores, exists = self._outputs(params, x, lengths, rng, learning=True)
        targets = self._targets(targets, exists, x)
        if weights is not None:
            weights = self._weights(weights, exists, x)
        return self._nats(scores, targets, weights)

    def predict_proba(self, x: ArrayLike, lengths: ArrayLike | None = None) -> Array:
        """Return the probabilities of all labels.

        Parameters
        ----------
        x, lengths
            As `predict`.

        Returns
        -------
        ndarray, (…, C)
            One row of C for each label that `predict` returns; 0 where nothing exists. NaN where
            x or the parameters lead to it.

        Raises
        ------
        TypeError, ValueError
            x or lengths have the wrong type, shape, or a value out of range.
        """
        result = []
        for _, part, steps in self._parts(x, lengths):
            scores, exists = self._outputs(self.params, part, steps, None, learning=False)
            rows = np.exp(scores - scores.max(axis=-1, keepdims=True))
            rows /= rows.sum(axis=-1, keepdims=True)
            result.append(np.where(exists[..., None], rows, rows.dtype.type(0)))
        whole: Array = self._joined(result)
        return whole

    def predict(self, x: ArrayLike, lengths: ArrayLike | None = None) -> NDArray[Any]:
        """Return the likeliest labels, in bounded memory however many rows there are.

        Parameters
        ----------
        x : array_like, (T, N, I), or of int, (T, N)
            Vectors of real numbers, which are computed in the model's dtype, or symbols 0..V−1.
            Padding is never read. With ``batch_first=True`` (N, T, ·). Where the model has a
            Vocabulary, a sequence of N texts, too.
        lengths : array_like of int or None, (N,)
            Steps that exist in each row, 0..T in any order; None: all T.

        Returns
        -------
        ndarray of int64, (N,) of a classifier, (T, N) of a tagger
            −1 where nothing exists. Of a model with names the names, "" where nothing exists. With
            ``batch_first=True`` a tagger returns (N, T).

        Raises
        ------
        TypeError, ValueError
            x or lengths have the wrong type, shape, or a value out of range; the scores of a label
            are NaN, because x or a parameter is.
        """
        result = []
        for rows, part, steps in self._parts(x, lengths):
            scores, exists = self._outputs(self.params, part, steps, None, learning=False)
            lost = np.argwhere(exists & np.isnan(scores).any(axis=-1))
            if len(lost):
                place = f"row {lost[0][-1] + (rows.start or 0)}"
                place += f" at step {lost[0][0]}" if exists.ndim == 2 else ""
                raise ValueError(f"x must give scores for every label, got NaN for {place}")
            result.append(np.where(exists, scores.argmax(axis=-1), NOTHING))
        whole: NDArray[np.int64] = self._joined(result)
        return whole if self.labels is None else np.array([*self.labels, ""])[whole]

    def stream(self, batch_size: int = 1) -> LabelStream:
        """Return what says the probabilities of labels while sequences come step by step.

        Parameters
        ----------
        batch_size : int
            N, how many sequences run side by side.

        Returns
        -------
        LabelStream
            With ``step(x_t)``; it keeps the weights that the model has now.

        Raises
        ------
        TypeError
            batch_size is no integer.
        ValueError
            batch_size is negative, or the model is bidirectional.
        """
        return LabelStream(self, batch_size)

    def score(self, x: ArrayLike, targets: ArrayLike, lengths: ArrayLike | None = None) -> float:
        """Return the share of right labels.

        Parameters
        ----------
        x, lengths
            As `predict`.
        targets : array_like
            The right labels, as `loss` takes them.

        Returns
        -------
        float

        Raises
        ------
        TypeError, ValueError
            As `evaluate`.
        """
        return self.evaluate([(x, targets, lengths)])["accuracy"]

    @hinted({}, positional=EVALUATED)
    def evaluate(self, batches: Iterable[Any]) -> dict[str, float]:
        """Return the mean loss in nats, and the share of right labels.

        Parameters
        ----------
        batches : iterable of tuple
            As `loss` takes each.

        Returns
        -------
        dict
            ``"loss"`` and ``"accuracy"``, means over all labels of all batches; where batches have
            weights, a label counts for the accuracy as much as it weighs.

        Raises
        ------
        TypeError, ValueError
            As `loss`; there is no label in all batches.
        """
        count, nats, right, weight = 0, 0.0, 0.0, 0.0
        for batch in batches:
            x, targets, lengths, weights = unpack(batch)
            x, lengths = self._time_major(x, lengths)
            scores, exists = self._outputs(self.params, x, lengths, None, learning=False)
            targets = self._targets(targets, exists, x)
            if weights is not None:
                weights = self._weights(weights, exists, x)
            here = int(exists.sum())
            count += here
            nats += here * float(self._nats(scores, targets, weights))
            result = (scores.argmax(axis=-1) == targets) & ~np.isnan(scores).any(axis=-1)
            each = exists if weights is None else weights
            right += float(each[exists & result].sum())
            weight += float(each.sum())
        if count == 0:
            raise ValueError("batches must hold at least one label, got none")
        return {"loss": nats / count, "accuracy": right / weight if weight else 0.0}


def _names(classes: Any) -> tuple[str, ...]:
    """Return the names of labels: different strings, at least one.

    Raises
    ------
    TypeError, ValueError
        They are something else.
    """
    if isinstance(classes, str) or not isinstance(classes, (Sequence, np.ndarray)):
        integer("classes", classes, 1)  # says what is wrong
        raise TypeError(f"classes must be a number or a sequence of names, got {classes!r}")
    names = tuple(str(name) for name in classes if isinstance(name, str))
    if len(names) < len(classes) or not names or "" in names:
        raise TypeError(f"classes must be a number, or names that are not empty, got {classes!r}")
    if len(set(names)) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"classes must be different names, got {twice!r} twice")
    return names
