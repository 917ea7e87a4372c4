"""Reader: vectors, or embedded symbols, through a recurrent layer: the lower part of a model."""

from collections.abc import Mapping, Sequence
from copy import copy
from typing import TYPE_CHECKING, Any, Self

import autograd.numpy as anp
import numpy as np
from numpy.typing import DTypeLike, NDArray

from fastrnn import init, ops
from fastrnn._checks import FLOAT64, Array, choice, integer
from fastrnn._checks import lengths as checked_lengths
from fastrnn._frozen import FrozenWeights, with_frozen
from fastrnn._quantize import Matrix
from fastrnn.cells import layer_sizes
from fastrnn.ops._layer import apply
from fastrnn.recurrent import GRU, LSTM, RNN, Layer
from fastrnn.runtime import backend

if TYPE_CHECKING:
    from numpy.random import Generator

CELLS: dict[str, Any] = {"rnn": RNN, "lstm": LSTM, "gru": GRU}

NOTHING = -1  # the label of what does not exist

# Up to so many symbols a prediction projects all of them, whatever the batch: a choice by the size
# of the batch would make the last bits of a row depend on the other rows.
SMALL = 256

_DECIDED = ("input_size", "num_layers", "bidirectional", "merge_mode")  # no options of a layer here


class Reader:
    """What stands between a batch and the top of a model.

    Parameters
    ----------
    cell : {"rnn", "lstm", "gru"}
    input_size : int or None
        I, for vectors.
    vocab : int or None
        V, for symbols; exactly one of the two is given.
    embedding_size : int or None
        E, for symbols; None: H of the first layer.
    hidden_size, num_layers, bidirectional, merge_mode
        As `fastrnn.LSTM`, `fastrnn.GRU` and `fastrnn.RNN`.
    dropout : float
        Acts between layers, where there are several.
    dtype, rng
        Of the first weights.
    beside : int
        Columns of what stands beside each embedded symbol, the same at every step.
    embedding_dropout : float
        Probability of dropping a feature of an embedded symbol, while learning.
    layer_options : dict
        More options of the layer; what the model decides is none of them.

    Attributes
    ----------
    layer : RNN, LSTM or GRU
        Sizes and options; its own weights are the ones it was made with.
    params : dict
        The first weights: ``"rnn"`` and, for symbols, ``"embedding"``.
    vocab : int or None
    width : int
        Columns of what it puts out.
    """

    def __init__(
        self,
        cell: str,
        *,
        input_size: int | None,
        vocab: int | None,
        embedding_size: int | None,
        hidden_size: int | Sequence[int],
        num_layers: int,
        bidirectional: bool,
        merge_mode: str,
        dropout: float,
        dtype: DTypeLike,
        rng: "Generator",
        beside: int = 0,
        embedding_dropout: float = 0.0,
        layer_options: Mapping[str, Any],
    ) -> None:
        choice("cell", cell, list(CELLS))
        if (input_size is None) == (vocab is None):
            raise ValueError(
                f"give input_size for vectors or vocab for symbols, one of the two; "
                f"got input_size={input_size!r}, vocab={vocab!r}"
            )
        if "batch_first" in layer_options:
            raise TypeError("batch_first is no option of this model: x is (T, N)")
        for name in _DECIDED:
            if name in layer_options:
                raise TypeError(f"{name} is no option of this model: it decides that itself")
        if vocab is None and embedding_size is not None:
            raise ValueError("embedding_size needs vocab: vectors are not embedded")
        self._embedding_dropout = embedding_dropout
        self.vocab = None if vocab is None else integer("vocab", vocab, 1)
        sizes, _ = layer_sizes(hidden_size, num_layers)
        columns: Any = input_size
        if self.vocab is not None:
            E = sizes[0] if embedding_size is None else embedding_size
            columns = integer("embedding_size", E, 1)
        width = columns + beside if beside else columns
        self.layer: Layer = CELLS[cell](
            width, hidden_size, num_layers, bidirectional=bidirectional, merge_mode=merge_mode,
            dropout=dropout if len(sizes) != 1 else 0.0, dtype=dtype, rng=rng, **layer_options,
        )  # fmt: skip
        self.width = self.layer._stack.width
        self.params: dict[str, dict[str, Array]] = {}
        if self.vocab is not None:
            weight = init.normal((self.vocab, columns), rng, self.layer.dtype, FLOAT64)
            self.params["embedding"] = {"weight": weight}
        self.params["rnn"] = self.layer.state_dict()

    @classmethod
    def around(cls, layer: Layer, vocab: int | None) -> Self:
        """Return one of a layer that is there; who made it has its weights and the embedding."""
        reader = cls.__new__(cls)
        reader.layer, reader.vocab, reader.width = layer, vocab, layer._stack.width
        reader._embedding_dropout, reader.params = 0.0, {}
        return reader

    def enter(self, x: Any, lengths: Any) -> tuple[Any, NDArray[np.int64], NDArray[np.bool_]]:
        """Return x without what is in its padding, lengths (N,), and which steps exist (T, N).

        Raises
        ------
        TypeError, ValueError
            x is no batch of vectors (T, N, I), or of symbols (T, N); lengths break their rule.
        """
        x = np.asarray(x)
        axes = 2 if self.vocab is not None else 3
        if x.ndim != axes:
            form = "(T, N)" if axes == 2 else "(T, N, I)"
            raise ValueError(f"x must have shape {form}, got {x.shape}")
        T, N = x.shape[:2]
        steps = np.full(N, T) if lengths is None else checked_lengths(lengths, T, N, False)
        exists = np.arange(T)[:, None] < steps
        if self.vocab is not None:
            x = labels("x", x, exists, self.vocab, 0)
        return x, steps, exists

    def __call__(
        self,
        params: Mapping[str, Any],
        x: Any,
        state: Any = None,
        *,
        lengths: Any = None,
        rng: "Generator | None" = None,
        learning: bool = False,
        beside: Any = None,
        into: Any = None,
    ) -> tuple[Any, Any]:
        """Return y (T, N, width) and the final state; x is what `enter` returned.

        While learning, the choice between the two ways to embed follows the size of the batch.
        beside is (N, ·) or (T, N, ·), and enters by the weight `into` (G·H, ·); None: by the last
        columns of the layer's own.
        """
        weights = params["rnn"]
        if isinstance(weights, FrozenWeights):
            if self.vocab is not None:
                x = ops.embedding(params["embedding"]["weight"], x)
            return self.layer.apply(weights, side_by_side(x, beside), state, lengths=lengths)
        if self.vocab is None:
            return self.layer.apply(weights, x, state, lengths=lengths, rng=rng)
        embedding = params["embedding"]["weight"]
        many = self._many(x, learning)
        drops = rng is not None and self._embedding_dropout > 0  # each symbol's own features
        if (many or drops) and beside is None:
            x = ops.embedding(embedding, x)
            if drops:
                x = ops.dropout(x, self._embedding_dropout, rng=rng)
            return self.layer.apply(weights, x, state, lengths=lengths, rng=rng)
        columns, E = self.layer.input_weight(weights), embedding.shape[1]
        # Split, not indexed: autograd puts the gradients of two indices together slowly, which was
        # 8 % of an update of sums with peeking (H 128, N 128).
        own, rest = columns, into
        if beside is not None and into is None:
            own, rest = anp.split(columns, [E], axis=1)
        if many or drops:
            x = ops.embedding(embedding, x)
            if drops:
                x = ops.dropout(x, self._embedding_dropout, rng=rng)
            x = ops.linear(x, own)
        else:
            # Each of few symbols stands there many times, so its product with W_ih is made once.
            table = ops.linear(embedding, own)
            if beside is None and backend.get() == "core":
                return apply(
                    self.layer, weights, table, state, lengths=lengths, rng=rng, projected=True,
                    ids=x,
                )  # fmt: skip
            x = ops.embedding(table, x)
        if beside is not None:
            x = x + ops.linear(beside, rest)
        return self.layer.apply(weights, x, state, lengths=lengths, rng=rng, projected=True)

    def product(
        self, embedding: Any, ids: Any, weight: Any, bias: Any = None, *, learning: bool
    ) -> Any:
        """Return the embedded symbols (T, N) times a weight, plus a bias."""
        if isinstance(embedding, Matrix) or self._many(ids, learning):
            return ops.linear(ops.embedding(embedding, ids), weight, bias)
        return ops.embedding(ops.linear(embedding, weight, bias), ids)

    def _many(self, ids: Any, learning: bool) -> bool:
        """Return whether there are too many symbols to multiply each one's vector once."""
        assert self.vocab is not None  # a reader of vectors has no symbols
        return self.vocab > (ids.size // 2 if learning else SMALL)


def labels(
    name: str, value: Any, exists: NDArray[np.bool_], size: int, nothing: int
) -> NDArray[np.int64]:
    """Return integers in 0..size−1 in the shape of `exists`, `nothing` where that is False.

    Raises
    ------
    TypeError
        They are no integers.
    ValueError
        They have another shape, or one that exists is out of range.
    """
    array = np.asarray(value)
    if array.shape != exists.shape:
        raise ValueError(f"{name} must have shape {exists.shape}, got {array.shape}")
    if array.dtype.kind not in "iu" and array.size:
        raise TypeError(f"{name} must hold integers, got {array.dtype}")
    wrong = exists & ((array < 0) | (array >= size))
    if wrong.any():
        raise ValueError(f"{name} must lie in 0..{size - 1}, got {array[wrong][0]}")
    return np.where(exists, array, nothing).astype(np.int64, copy=False)


def mean_of(targets: NDArray[np.int64]) -> str:
    """Return the reduction of losses to their mean where there is a target, else to 0."""
    return "mean" if (targets != NOTHING).any() else "sum"


def with_weights(layer: Layer, weights: Mapping[str, Array]) -> Layer:
    """Return the layer with other weights, not copied; the layer itself stays as it is."""
    if isinstance(weights, FrozenWeights):
        return with_frozen(layer, weights)
    own = copy(layer)
    own.params = dict(weights)
    return own


def of_columns(layer: Layer, columns: int) -> Layer:
    """Return a layer of the same options for an input of so many columns."""
    options = {name: getattr(layer, name) for name in layer._options if name != "forget_bias"}
    maker: Any = type(layer)
    made: Layer = maker(
        columns, layer.hidden_size, layer.num_layers, dtype=layer.dtype,
        rng=np.random.default_rng(0), **options,
    )  # fmt: skip
    return made


def side_by_side(x: Any, beside: Any) -> Any:
    """Return x (T, N, ·) with the columns of (N, ·), the same at every step, or of (T, N, ·)."""
    if beside is None:
        return x
    return np.concatenate([x, np.broadcast_to(beside, (*x.shape[:2], beside.shape[-1]))], axis=2)


def refuse_projection(layer_options: Mapping[str, Any]) -> None:
    """Refuse proj_size where states go from layer to layer: h and c must have one size."""
    if layer_options.get("proj_size"):
        raise ValueError(
            "proj_size is no option of a model with a decoder, "
            f"got {layer_options['proj_size']!r}"
        )


def linear_params(rows: int, columns: int, dtype: Any, rng: "Generator") -> dict[str, Array]:
    """Return first weights of a linear layer: (rows, columns), (rows,), uniform in ±1/√columns."""
    bound = columns**-0.5
    return {
        "weight": init.uniform((rows, columns), bound, rng, dtype),
        "bias": init.uniform((rows,), bound, rng, dtype),
    }
