"""Readout: a reader, pooling over its steps or none, and a linear layer on top of that."""

import os
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from fastrnn import ops
from fastrnn._checks import Array, flag, generator, probability
from fastrnn.data import pad
from fastrnn.models._parts.model import Model, size_of, unpack
from fastrnn.models._parts.pooling import POOLINGS, last, pool
from fastrnn.models._parts.reader import Reader, linear_params, with_weights

if TYPE_CHECKING:
    from numpy.random import Generator

# Numbers that one prediction keeps at a time; a row's result does not depend on the others.
_MOST = 2**24


class Readout(Model):
    """The common part of the models with one output for a sequence, or for each of its steps.

    Parameters
    ----------
    cell, hidden_size, vocab, dropout, dtype, rng, layer_options, **reader_options
        As `SequenceClassifier`.
    outputs : int
        K, columns of the linear layer.
    pooling : {"last", "mean", "max"} or None
        None: there is an output at each step.
    batch_first : bool
        x is (N, T, ·), and so are the outputs of each step.
    input_center, input_scale : sequence of I numbers, or None
        The layer reads ``(x − input_center) / input_scale``.
    own_options : mapping
        Further entries of `config`.
    """

    def __init__(
        self,
        cell: str,
        outputs: int,
        hidden_size: int | Sequence[int],
        own_options: Mapping[str, Any],
        *,
        pooling: str | None,
        vocab: Any,
        dropout: float,
        batch_first: bool,
        input_center: Any,
        input_scale: Any,
        dtype: DTypeLike,
        rng: "Generator | None",
        layer_options: Mapping[str, Any],
        **reader_options: Any,
    ) -> None:
        if pooling is not None and pooling not in POOLINGS:
            raise ValueError(f"pooling must be one of {POOLINGS}, got {pooling!r}")
        source = generator(rng)
        self._pooling = pooling
        self._batch_first = flag("batch_first", batch_first)
        self._dropout = probability("dropout", dropout)  # it acts before the top, too
        self._reader = Reader(
            cell, hidden_size=hidden_size, vocab=None if vocab is None else size_of(vocab),
            dropout=dropout, dtype=dtype, rng=source, layer_options=layer_options,
            **reader_options,
        )  # fmt: skip
        self.dtype = self._reader.layer.dtype
        self._affine = self._input_map(input_center, input_scale)
        self.params = self._reader.params | {
            "out": linear_params(outputs, self._reader.width, self.dtype, source)
        }
        sizes = list(hidden_size) if isinstance(hidden_size, Sequence) else hidden_size
        mapped = {
            name: None if value is None else numbers(name, value)
            for name, value in (("input_center", input_center), ("input_scale", input_scale))
        }
        super().__init__(
            {"cell": cell, "hidden_size": sizes, "dropout": dropout, "dtype": self.dtype.name,
             "batch_first": self._batch_first, **mapped, **own_options, **reader_options,
             **layer_options},
            vocab,
        )  # fmt: skip

    def _input_map(self, center: Any, scale: Any) -> tuple[Array, Array] | None:
        """Return what is subtracted from x and what it is divided by, None where neither is."""
        if center is None and scale is None:
            return None
        if self._reader.vocab is not None:
            raise ValueError("input_center and input_scale are for vectors, not for symbols")
        I = self._reader.layer.input_size
        subtracted = per_column("input_center", 0.0 if center is None else center, I)
        divided = per_column("input_scale", 1.0 if scale is None else scale, I, positive=True)
        return subtracted, divided

    def tokens(self, batch: Any) -> int:
        """Return how many steps of its sequences a batch holds.

        Parameters
        ----------
        batch : tuple
            As `loss` takes it.

        Returns
        -------
        int
        """
        x, targets, lengths, _ = unpack(batch)
        x, lengths = self._time_major(x, lengths)
        return super().tokens((x, targets, lengths))

    def terms(self, batch: Any) -> int:
        """Return how many rows, or steps, a batch holds, of which its loss is the mean.

        Parameters
        ----------
        batch : tuple
            As `loss` takes it.

        Returns
        -------
        int
        """
        if self._pooling is None:
            return self.tokens(batch)
        return int(np.shape(unpack(batch).targets)[0])

    def to_onnx(self, path: str | os.PathLike[str], *, lengths: bool = False) -> None:
        """Write the model as an ONNX graph, for inference.

        The graph takes ``x`` in the model's layout and gives, for each row or step, ``scores``
        before the softmax, or of a regressor ``y``; then the final states ``h_n`` and, of an LSTM,
        ``c_n``. T and N are free. Vectors are of the model's dtype.

        Parameters
        ----------
        path : path
            Replaced if it exists.
        lengths : bool
            Take ``lengths`` (N,), int32 of at least 1, too.

        Raises
        ------
        ImportError
            The package onnx is missing; the message says how to get it.
        OSError
            The file could not be written; the old one is still there, unless the message says
            that only its folder could not be synced.
        ValueError
            The layer has an option that ONNX lacks.

        Examples
        --------
        >>> from fastrnn.models import SequenceClassifier
        >>> SequenceClassifier("lstm", 3, 8, input_size=2).to_onnx("a.onnx", lengths=True)
        """
        from fastrnn.io._onnx_models import Top, write_model

        params, out = self.params, self.params["out"]
        embedding = None if self._reader.vocab is None else params["embedding"]["weight"]
        top = Top(
            with_weights(self._reader.layer, params["rnn"]), embedding, out["weight"], out["bias"],
            pooling=self._pooling, batch_first=self._batch_first, input_map=self._affine,
            **self._onnx_outputs(),
        )  # fmt: skip
        write_model(top, path, False, flag("lengths", lengths))

    def _onnx_outputs(self) -> dict[str, Any]:
        """Return what is particular to what the graph says."""
        return {}

    def _time_major(self, x: Any, lengths: Any) -> tuple[Any, Any]:
        """Return x as (T, N, ·) and lengths: of texts, if x is a sequence of strings."""
        if isinstance(x, (list, tuple)) and x:
            if isinstance(x[0], str) and self.vocabulary is not None:
                if lengths is not None:
                    raise ValueError("lengths are for arrays: texts have lengths of their own")
                return pad([self.vocabulary.encode(text) for text in list(x)])
            if isinstance(x[0], np.ndarray) and x[0].ndim == (self._reader.vocab is None) + 1:
                raise TypeError(
                    "x must be one array, got a sequence of arrays; "
                    "x, lengths = fastrnn.data.pad(x) makes it of one series each"
                )
        x = np.asarray(x)
        if x.ndim < 2:
            return x, lengths  # the reader says what is wrong
        if self._batch_first:
            x = x.swapaxes(0, 1)
        T, N = x.shape[:2]
        if lengths is not None and np.shape(lengths) == (T,) != (N,):
            raise ValueError(f"lengths must have shape (N,) = ({N},), got ({T},){self._axes}")
        return x, lengths

    @property
    def _axes(self) -> str:
        """How x is read: the end of an error about axes that look exchanged."""
        order, other = ("(N, T, ·)", False) if self._batch_first else ("(T, N, ·)", True)
        return f"; x is read as {order}, a model made with batch_first={other} reads the other"

    def _in_order(self, name: str, value: Any, exists: NDArray[np.bool_], x: Any) -> Array:
        """Return what there is one of for each row or step, its axes as those of `exists`."""
        array = np.asarray(value)
        if array.ndim > 1:
            array = self._in_order_of_x(array)
        shape = exists.shape
        if array.shape[: len(shape)] == shape:
            return array
        T, N = np.shape(x)[:2]
        swapped = (T, N)[: len(shape)] if self._pooling is not None else (N, T)
        hint = self._axes if array.shape[: len(shape)] == swapped else ""
        raise ValueError(f"{name} must have shape {shape}, got {array.shape}{hint}")

    def _in_order_of_x(self, array: Any) -> Any:
        """Return outputs (T, N, …) of each step in the order of axes that x has."""
        if self._batch_first and self._pooling is None:
            return array.swapaxes(0, 1)
        return array

    def _outputs(
        self, params: Mapping[str, Any], x: Any, lengths: Any, rng: Any, learning: bool
    ) -> tuple[Any, NDArray[np.bool_]]:
        """Return the outputs of the top, (…, K), and which of them exist, (…); x is time-major."""
        if self._reader.vocab is None:
            x = self._mapped(x)
        x, steps, exists = self._reader.enter(x, lengths)
        y, state = self._reader(params, x, lengths=lengths, rng=rng, learning=learning)
        if self._pooling is None:
            features = y
        elif self._pooling == "last":
            features = last(self._reader.layer, state)
        else:
            features = pool(self._pooling, y, steps, exists)
        if self._pooling is not None:
            exists = np.ones(len(steps), np.bool_)
        if rng is not None and self._dropout > 0:
            features = ops.dropout(features, self._dropout, rng=rng)
        return ops.linear(features, params["out"]["weight"], params["out"]["bias"]), exists

    def _mapped(self, x: Array) -> Array:
        """Return x centred and scaled in its own precision, then in the model's."""
        if x.dtype.kind not in "fiu" or x.ndim != 3:
            return x  # the reader says what is wrong
        if self._affine is not None and x.shape[2] == len(self._affine[0]):
            x = (x - self._affine[0]) / self._affine[1]
        return x.astype(self.dtype, copy=False)

    def _parts(self, x: Any, lengths: Any) -> Iterator[tuple[slice, Any, Any]]:
        """Yield x and lengths, time-major, of so many rows at a time that memory is bounded."""
        x, lengths = self._time_major(x, lengths)
        if x.ndim < 2 or not x.shape[1]:
            yield slice(None), x, lengths
            return
        if lengths is not None and np.shape(lengths) == x.shape[1:2]:
            lengths = np.asarray(lengths)
        elif lengths is not None:
            self._reader.enter(x, lengths)  # says what is wrong
        layers = self._reader.layer.num_layers
        rows = max(1, _MOST // max(1, x.shape[0] * self._reader.width * layers))
        N = x.shape[1]
        for start in range(0, N, rows):
            part = slice(start, start + rows)
            yield part, x[:, part], None if lengths is None else lengths[part]

    def _joined(self, parts: list[Any]) -> Any:
        """Return the results of several parts as one."""
        whole = parts[0] if len(parts) == 1 else np.concatenate(parts, int(self._pooling is None))
        return self._in_order_of_x(whole)

    def _weights(self, weights: Any, exists: NDArray[np.bool_], x: Any) -> Array:
        """Return the weights of a batch in the shape of `exists`, 0 where that is False."""
        array = self._in_order("weights", weights, exists, x)
        if array.shape != exists.shape:
            raise ValueError(f"weights must have shape {exists.shape}, got {array.shape}")
        if array.dtype.kind not in "fiu":
            raise TypeError(f"weights must be numbers, got {array.dtype}")
        array = np.where(exists, array, 0)
        if not (np.isfinite(array).all() and (array >= 0).all()):
            raise ValueError("weights must be finite and at least 0")
        return array.astype(self.dtype)


def numbers(name: str, value: Any) -> Any:
    """Return numbers as JSON has them: a float, or a list of floats."""
    array = np.asarray(value)
    if array.dtype.kind not in "fiu" or array.ndim > 1:
        raise TypeError(f"{name} must be a number or a sequence of numbers, got {value!r}")
    return array.astype(np.float64).tolist()


def per_column(name: str, value: Any, columns: int, *, positive: bool = False) -> Array:
    """Return a number, or one for each column, as an array (columns,) of float64.

    Raises
    ------
    TypeError, ValueError
        They are not so many finite numbers, or not above 0 where they must be.
    """
    array = np.asarray(numbers(name, value))
    if array.ndim and array.shape != (columns,):
        raise ValueError(f"{name} must be a number or ({columns},) of them, got {array.shape}")
    array = np.broadcast_to(array, (columns,))
    if not np.isfinite(array).all() or (positive and not (array > 0).all()):
        raise ValueError(f"{name} must be finite{' and above 0' if positive else ''}, got {value}")
    return array
