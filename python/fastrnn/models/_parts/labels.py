"""What classifier and tagger share: scores over C labels, their loss, predictions and accuracy."""

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, DTypeLike, NDArray

from fastrnn import _options, ops
from fastrnn._checks import Array, integer
from fastrnn.init import generator
from fastrnn.models._parts.model import Model, size_of, unpack
from fastrnn.models._parts.reader import NOTHING, Reader, labels, linear_params, mean_nats

if TYPE_CHECKING:
    from numpy.random import Generator


class Labels(Model):
    """The common part of `SequenceClassifier` and `SequenceTagger`; see there."""

    def __init__(
        self,
        cell: str,
        classes: int,
        hidden_size: int | Sequence[int],
        own_options: Mapping[str, Any],
        *,
        vocab: Any,
        dropout: float,
        dtype: DTypeLike,
        rng: "Generator | None",
        layer_options: Mapping[str, Any],
        **reader_options: Any,
    ) -> None:
        source = generator(rng)
        C = self._classes = integer("classes", classes, 1)
        self._dropout = _options.dropout(dropout, 2)  # it acts before the top, too
        self._reader = Reader(
            cell, hidden_size=hidden_size, vocab=None if vocab is None else size_of(vocab),
            dropout=dropout, dtype=dtype, rng=source, layer_options=layer_options,
            **reader_options,
        )  # fmt: skip
        self.dtype = self._reader.layer.dtype
        self.params = self._reader.params | {
            "out": linear_params(C, self._reader.width, self.dtype, source)
        }
        sizes = list(hidden_size) if isinstance(hidden_size, Sequence) else hidden_size
        super().__init__(
            {"cell": cell, "classes": C, "hidden_size": sizes, "dropout": dropout,
             "dtype": self.dtype.name, **own_options, **reader_options, **layer_options},
            vocab,
        )  # fmt: skip

    def _scores(
        self, params: Mapping[str, Any], x: Any, lengths: Any, rng: Any, learning: bool
    ) -> tuple[Any, NDArray[np.bool_]]:
        """Return the scores before the softmax, (…, C), and which of them exist, (…)."""
        raise NotImplementedError

    def _top(self, params: Mapping[str, Any], features: Any, rng: Any) -> Any:
        """Return the scores of features, dropout acting if there is a generator."""
        if rng is not None and self._dropout > 0:
            features = ops.dropout(features, self._dropout, rng=rng)
        return ops.linear(features, params["out"]["weight"], params["out"]["bias"])

    def loss(self, params: Mapping[str, Any], batch: Any, rng: "Generator | None" = None) -> Any:
        """Return the mean cross-entropy of a batch in nats: a pure function of params.

        Parameters
        ----------
        params : nested dict
            Of the names and shapes of `params`, which are not looked at.
        batch : tuple (x, targets) or (x, targets, lengths)
            x as `predict` takes it. targets are labels 0..C−1 in the shape that `predict` returns;
            what they hold in padding is not read. Rows have all T steps without lengths.
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
        x, targets, lengths = unpack(batch)
        scores, exists = self._scores(params, x, lengths, rng, learning=True)
        targets = labels("targets", targets, exists, self._classes, NOTHING)
        return mean_nats(scores, targets)

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
        scores, exists = self._scores(self.params, x, lengths, None, learning=False)
        rows = np.exp(scores - scores.max(axis=-1, keepdims=True))
        rows /= rows.sum(axis=-1, keepdims=True)
        found: Array = np.where(exists[..., None], rows, rows.dtype.type(0))
        return found

    def predict(self, x: ArrayLike, lengths: ArrayLike | None = None) -> NDArray[np.int64]:
        """Return the likeliest labels.

        Parameters
        ----------
        x : array_like, (T, N, I), or of int, (T, N)
            Vectors of the model's dtype, or symbols 0..V−1. Padding is never read.
        lengths : array_like of int or None, (N,)
            Steps that exist in each row, 0..T in any order; None: all T.

        Returns
        -------
        ndarray of int64, (N,) of a classifier, (T, N) of a tagger
            −1 where nothing exists.

        Raises
        ------
        TypeError, ValueError
            x or lengths have the wrong type, shape, or a value out of range; the scores of a label
            are NaN, because x or a parameter is.
        """
        scores, exists = self._scores(self.params, x, lengths, None, learning=False)
        lost = np.argwhere(exists & np.isnan(scores).any(axis=-1))
        if len(lost):
            place = f"row {lost[0][-1]}" + (f" at step {lost[0][0]}" if exists.ndim == 2 else "")
            raise ValueError(f"x must give scores for every label, got NaN for {place}")
        found: NDArray[np.int64] = np.where(exists, scores.argmax(axis=-1), NOTHING)
        return found

    def evaluate(self, batches: Iterable[Any]) -> dict[str, float]:
        """Return the mean loss in nats, and the share of right labels.

        Parameters
        ----------
        batches : iterable of tuple
            As `loss` takes each.

        Returns
        -------
        dict
            ``"loss"`` and ``"accuracy"``, means over all labels of all batches.

        Raises
        ------
        TypeError, ValueError
            As `loss`; there is no label in all batches.
        """
        count, nats, right = 0, 0.0, 0
        for batch in batches:
            x, targets, lengths = unpack(batch)
            scores, exists = self._scores(self.params, x, lengths, None, learning=False)
            targets = labels("targets", targets, exists, self._classes, NOTHING)
            here = int(exists.sum())
            count += here
            nats += here * float(mean_nats(scores, targets))
            found = (scores.argmax(axis=-1) == targets) & ~np.isnan(scores).any(axis=-1)
            right += int((exists & found).sum())
        if count == 0:
            raise ValueError("batches must hold at least one label, got none")
        return {"loss": nats / count, "accuracy": right / count}
