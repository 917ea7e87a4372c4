"""LabelStream: the probabilities of labels after each step of sequences that come step by step."""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from fastrnn import ops
from fastrnn._checks import Array, integer
from fastrnn._quantize import Matrix
from fastrnn.models._parts.reader import labels, with_weights
from fastrnn.stream import Stream


class LabelStream:
    """What a classifier or tagger says of sequences so far; its `stream` makes it.

    It is frozen: it keeps the weights that the model has when it is made.

    Parameters
    ----------
    model : SequenceClassifier or SequenceTagger
        In one direction.
    batch_size : int
        N, how many sequences run side by side.

    Attributes
    ----------
    steps : ndarray of int64, (N,)
        How many steps each sequence has had.

    Raises
    ------
    TypeError
        batch_size is no integer.
    ValueError
        batch_size is negative, or the model is bidirectional.

    Notes
    -----
    After t steps of vectors the probabilities are those of `predict_proba` of these t steps, bit
    for bit but with ``pooling="mean"``, where they agree to rounding, as they do for symbols.

    Examples
    --------
    >>> import numpy as np
    >>> from fastrnn.models import SequenceClassifier
    >>> model = SequenceClassifier("gru", 3, 8, input_size=2, rng=np.random.default_rng(0))
    >>> x = np.ones((5, 1, 2), np.float32)
    >>> stream = model.stream()
    >>> for x_t in x:
    ...     probabilities = stream.step(x_t)
    >>> bool((probabilities == model.predict_proba(x)).all())
    True
    """

    def __init__(self, model: Any, batch_size: int = 1) -> None:
        self._n = integer("batch_size", batch_size, 0)
        params, reader = model.params, model._reader
        if reader.layer.bidirectional:
            raise ValueError(
                "a bidirectional model has no stream: its backward direction starts at the last "
                "step, so it needs the whole sequence; call predict_proba instead"
            )
        self._stream = Stream(with_weights(reader.layer, params["rnn"]), self._n)
        self._vocab, self._mapped, self._pooling = reader.vocab, model._mapped, model._pooling
        self._embedding = None
        if self._vocab is not None:
            table = params["embedding"]["weight"]
            self._embedding = table if isinstance(table, Matrix) else table.copy()
        weight, self._bias = params["out"]["weight"], params["out"]["bias"].copy()
        self._weight: Any = weight if isinstance(weight, Matrix) else weight.copy()
        self._columns, self._dtype = reader.layer.input_size, reader.layer.dtype
        self._pooled: Array = np.zeros((self._n, reader.width), self._dtype)
        self.steps = np.zeros(self._n, np.int64)

    def step(self, x_t: ArrayLike) -> Array:
        """Read one step of every sequence.

        Parameters
        ----------
        x_t : array_like, (N, I), or of int, (N,)
            Vectors, or symbols 0..V−1, as `predict` takes them.

        Returns
        -------
        ndarray, (N, C)
            The probabilities of the labels: of the sequences so far, of a tagger of this step.

        Raises
        ------
        TypeError, ValueError
            x_t has the wrong type, shape, or a value out of range. Nothing has changed then.
        """
        y = self._stream.step(self._entered(np.asarray(x_t)))
        self.steps += 1
        if self._pooling == "mean":
            self._pooled += y
            features = self._pooled / self.steps[:, None].astype(self._dtype)
        elif self._pooling == "max":
            first = (self.steps == 1)[:, None]
            self._pooled = features = np.where(first, y, np.maximum(self._pooled, y))
        else:
            features = y
        scores = ops.linear(features, self._weight, self._bias)
        rows = np.exp(scores - scores.max(axis=-1, keepdims=True))
        shares: Array = rows / rows.sum(axis=-1, keepdims=True)
        return shares

    def reset(self, rows: ArrayLike | None = None) -> None:
        """Begin new sequences.

        Parameters
        ----------
        rows : int, array_like of int, or boolean mask (N,), or None
            Which of the N sequences begin anew; None: all.

        Raises
        ------
        TypeError
            rows are not integers or bool.
        ValueError
            A row is not in 0..N-1, or the mask has the wrong shape.
        """
        self._stream.reset(rows)
        chosen: Any = slice(None) if rows is None else rows
        self._pooled[chosen] = 0
        self.steps[chosen] = 0

    def _entered(self, x: Array) -> Array:
        """Return one step as the layer takes it."""
        if self._embedding is not None and self._vocab is not None:
            exists = np.ones(self._n, np.bool_)
            return np.asarray(self._embedding[labels("x_t", x, exists, self._vocab, 0)])
        shape = (self._n, self._columns)
        if x.shape != shape:
            raise ValueError(f"x_t must have shape (N, I) = {shape}, got {x.shape}")
        if x.dtype.kind not in "fiu":
            raise TypeError(f"x_t must be numbers, got {x.dtype}")
        return np.ascontiguousarray(self._mapped(x[None])[0])
