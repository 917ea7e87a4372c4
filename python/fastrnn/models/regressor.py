"""SequenceRegressor: one or many numbers for a sequence, or for each of its steps."""

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import autograd.numpy as anp
import numpy as np
from numpy.typing import ArrayLike, DTypeLike, NDArray

from fastrnn._checks import Array, flag, integer
from fastrnn._elsewhere import EVALUATED, hinted
from fastrnn.models._parts.model import unpack
from fastrnn.models._parts.readout import Readout, numbers, per_column

if TYPE_CHECKING:
    from numpy.random import Generator


class SequenceRegressor(Readout):
    """A recurrent layer, pooling over its steps or none, and a linear layer; squared error.

    Parameters
    ----------
    cell : {"lstm", "gru", "rnn"}
    outputs : int
        K, how many numbers are predicted.
    hidden_size : int or sequence of int
        H, or one for each layer.
    input_size : int or None
        I, for sequences of vectors.
    vocab : int, Vocabulary or None
        V, for sequences of symbols; exactly one of the two is given.
    embedding_size : int or None
        E, for symbols; None: H.
    each_step : bool
        Predict K numbers at each step instead of K for a sequence.
    num_layers, bidirectional, merge_mode
        As `fastrnn.LSTM`.
    pooling : {"last", "mean", "max"}
        Features of a sequence: each direction's final state, or mean or largest output of the
        steps that exist. Not looked at with `each_step`, where it must be "last".
    dropout : float
        Probability of dropping a feature, and an output between two layers, while learning.
    batch_first : bool
        x is (N, T, ·), and with `each_step` targets and predictions (N, T, K); the first two axes
        are never told apart by their sizes.
    input_center, input_scale : sequence of I numbers, a number, or None
        The layer reads ``(x − input_center) / input_scale``, such as the mean and the standard
        deviation of what it learns from, computed in the precision of x.
    target_center, target_scale : sequence of K numbers, or a number
        A prediction is ``target_center + target_scale · output``, and the loss compares outputs
        with ``(targets − target_center) / target_scale``: a network learns numbers around 0 of
        size 1 soonest.
    dtype : dtype
        float32 or float64.
    rng : numpy.random.Generator or None
        Where the first weights come from; None: fresh entropy.
    **layer_options
        More options of the layer: `forget_bias`, `peephole`, `reset_after`, `nonlinearity`, `bias`,
        `compute_dtype`, `truncate`, `clip_step` (norm clipping cannot help a gradient that
        overflows on its way).

    Attributes
    ----------
    params : dict
        ``"rnn"`` with the names of `fastrnn.LSTM.params`, ``"out"`` with weight (K, W) and bias
        (K,), and for symbols ``"embedding"`` with weight (V, E).

    Raises
    ------
    TypeError, ValueError
        An option has the wrong type, is out of range, or unknown.

    Notes
    -----
    Rows may have any lengths, and padding is never read. What is predicted for a row does not
    depend on the others of its batch, on its place or on the padding, bit for bit.

    Examples
    --------
    >>> import numpy as np
    >>> from fastrnn.models import SequenceRegressor
    >>> model = SequenceRegressor("gru", 2, 8, input_size=3, rng=np.random.default_rng(0))
    >>> x, lengths = np.ones((5, 4, 3), np.float32), [5, 1, 3, 2]
    >>> model.predict(x, lengths).shape
    (4, 2)
    >>> model = SequenceRegressor("gru", 1, 8, input_size=3, each_step=True, batch_first=True)
    >>> model.predict(x.swapaxes(0, 1), lengths).shape
    (4, 5, 1)
    """

    _batches_of_data = "fastrnn.sklearn takes arrays X and y: RNNRegressor().fit(X, y)"

    def __init__(
        self,
        cell: str,
        outputs: int,
        hidden_size: int | Sequence[int],
        *,
        input_size: int | None = None,
        vocab: Any = None,
        embedding_size: int | None = None,
        each_step: bool = False,
        num_layers: int = 1,
        bidirectional: bool = False,
        merge_mode: str = "concat",
        pooling: str = "last",
        dropout: float = 0.0,
        batch_first: bool = False,
        input_center: ArrayLike | None = None,
        input_scale: ArrayLike | None = None,
        target_center: ArrayLike = 0.0,
        target_scale: ArrayLike = 1.0,
        dtype: DTypeLike = np.float32,
        rng: "Generator | None" = None,
        **layer_options: Any,
    ) -> None:
        K = integer("outputs", outputs, 1)
        if flag("each_step", each_step) and pooling != "last":
            raise ValueError(f"each_step leaves nothing to pool, got pooling={pooling!r}")
        self._center = per_column("target_center", target_center, K)
        self._scale = per_column("target_scale", target_scale, K, positive=True)
        own = {
            "outputs": K, "each_step": each_step, "pooling": pooling,
            "target_center": numbers("target_center", target_center),
            "target_scale": numbers("target_scale", target_scale),
        }  # fmt: skip
        super().__init__(
            cell, K, hidden_size, own, input_size=input_size, vocab=vocab,
            embedding_size=embedding_size, num_layers=num_layers, bidirectional=bidirectional,
            merge_mode=merge_mode, pooling=None if each_step else pooling, dropout=dropout,
            batch_first=batch_first, input_center=input_center, input_scale=input_scale,
            dtype=dtype, rng=rng, layer_options=layer_options,
        )  # fmt: skip

    def _targets(self, targets: Any, exists: NDArray[np.bool_], x: Any) -> Array:
        """Return targets as (…, K) of float64, 0 where nothing exists.

        Raises
        ------
        TypeError, ValueError
            They are no numbers, have another shape, or one that exists is not finite.
        """
        K = len(self._scale)
        array = self._in_order("targets", targets, exists, x)
        if K == 1 and array.shape == exists.shape:
            array = array[..., None]
        if array.shape != (*exists.shape, K):
            raise ValueError(f"targets must have shape {(*exists.shape, K)}, got {array.shape}")
        if array.dtype.kind not in "fiu" and array.size:
            raise TypeError(f"targets must be numbers, got {array.dtype}")
        array = np.where(exists[..., None], array, 0).astype(np.float64)
        lost = np.argwhere(~np.isfinite(array))
        if len(lost):
            place = f"row {lost[0][-2]}" + (f" at step {lost[0][0]}" if array.ndim == 3 else "")
            raise ValueError(f"targets must be finite, got {array[tuple(lost[0])]} for {place}")
        return array

    def loss(self, params: Mapping[str, Any], batch: Any, rng: "Generator | None" = None) -> Any:
        """Return the mean squared error of a batch in units of `target_scale`.

        Parameters
        ----------
        params : nested dict
            Of the names and shapes of `params`, which are not looked at.
        batch : tuple (x, targets), (x, targets, lengths) or (x, targets, lengths, weights)
            x as `predict` takes it. targets are (N, K), or (T, N, K) with `each_step`; K = 1 may
            be left out; what they hold in padding is not read. lengths and weights as
            `fastrnn.data.Batch`, None where there are none; the loss is the mean over all rows, or
            steps, of weight times the mean of K squared errors.
        rng : numpy.random.Generator or None
            Where dropout draws from; None: dropout does not act.

        Returns
        -------
        float, or what autograd traces as one
            0 if nothing exists to be predicted.

        Raises
        ------
        TypeError, ValueError
            A part of batch has the wrong type, shape, or a value out of range.
        """
        x, targets, lengths, weights = unpack(batch)
        x, lengths = self._time_major(x, lengths)
        outputs, exists = self._outputs(params, x, lengths, rng, learning=True)
        targets = self._targets(targets, exists, x)
        return self._mean_square(outputs, targets, exists, weights, x)

    def _mean_square(
        self, outputs: Any, targets: Array, exists: NDArray[np.bool_], weights: Any, x: Any
    ) -> Any:
        """Return the weighted mean of squared errors in units of the scale."""
        wanted = ((targets - self._center) / self._scale).astype(self.dtype)
        each = exists if weights is None else self._weights(weights, exists, x)
        share = each.astype(self.dtype) / self.dtype.type(max(1, exists.sum() * wanted.shape[-1]))
        errors = outputs - wanted
        return anp.sum(share[..., None] * errors * errors)

    def predict(self, x: ArrayLike, lengths: ArrayLike | None = None) -> Array:
        """Return the predicted numbers, in bounded memory however many rows there are.

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
        ndarray, (N, K), or (T, N, K) with `each_step`
            Of the model's dtype; 0 where nothing exists. NaN where x or the parameters lead to it.
            With ``batch_first=True`` (N, T, K).

        Raises
        ------
        TypeError, ValueError
            x or lengths have the wrong type, shape, or a value out of range.
        """
        result = []
        for _, part, steps in self._parts(x, lengths):
            outputs, exists = self._outputs(self.params, part, steps, None, learning=False)
            result.append(np.where(exists[..., None], self._in_units(outputs), 0))
        whole: Array = self._joined(result).astype(self.dtype)
        return whole

    def _onnx_outputs(self) -> dict[str, Any]:
        return {"name": "y", "output_map": (self._center, self._scale)}

    def _in_units(self, outputs: Array) -> Array:
        """Return what outputs say in the units of the targets."""
        result: Array = self._center + self._scale * outputs
        return result

    def score(self, x: ArrayLike, targets: ArrayLike, lengths: ArrayLike | None = None) -> float:
        """Return the coefficient of determination R², the mean of those of the K numbers.

        Parameters
        ----------
        x, lengths
            As `predict`.
        targets : array_like
            The right numbers, as `loss` takes them.

        Returns
        -------
        float
            1 is exact; always to predict the mean of the targets has 0.

        Raises
        ------
        TypeError, ValueError
            As `evaluate`.
        """
        return self.evaluate([(x, targets, lengths)])["r2"]

    @hinted({}, positional=EVALUATED)
    def evaluate(self, batches: Iterable[Any]) -> dict[str, float]:
        """Return how far predictions are from the targets.

        Parameters
        ----------
        batches : iterable of tuple
            As `loss` takes each.

        Returns
        -------
        dict
            ``"loss"``, as `loss` has it; ``"mae"``, the mean absolute error in the units of the
            targets; ``"r2"``, the coefficient of determination, 0 for numbers that are all alike.
            Weights of batches weigh in all of them.

        Raises
        ------
        TypeError, ValueError
            As `loss`; there is nothing to predict in all batches.
        """
        count, loss, rows = 0, 0.0, []
        for batch in batches:
            x, targets, lengths, weights = unpack(batch)
            x, lengths = self._time_major(x, lengths)
            outputs, exists = self._outputs(self.params, x, lengths, None, learning=False)
            targets = self._targets(targets, exists, x)
            here = int(exists.sum())
            count += here
            loss += here * float(self._mean_square(outputs, targets, exists, weights, x))
            each = exists if weights is None else self._weights(weights, exists, x)
            result = self._in_units(outputs)[exists]
            rows.append((result, targets[exists], each[exists].astype(np.float64)))
        if count == 0:
            raise ValueError("batches must hold at least one target, got none")
        result, right, weight = map(np.concatenate, zip(*rows, strict=True))
        share = weight / weight.sum() if weight.any() else weight
        error = share @ (result - right) ** 2
        spread = share @ (right - share @ right) ** 2
        r2 = np.where(spread > 0, 1 - error / np.where(spread > 0, spread, 1), 0.0)
        mae = float((share @ np.abs(result - right)).mean())
        return {"loss": loss / count, "mae": mae, "r2": float(r2.mean())}
