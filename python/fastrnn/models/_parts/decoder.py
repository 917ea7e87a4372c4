"""Decoders: symbols to features, starting from what is known; whole sequences, or step by step.

All models that generate sequences have one: `Seq2Seq`, `HRED`, `VHRED` and `SequenceVAE`.
"""

from collections.abc import Callable, Mapping
from copy import copy
from typing import TYPE_CHECKING, Any, NamedTuple

import autograd.numpy as anp
import numpy as np
from numpy.typing import NDArray

from fastrnn import ops
from fastrnn._checks import Array
from fastrnn._frozen import FrozenWeights, with_frozen
from fastrnn._quantize import PRECISIONS, Matrix
from fastrnn.attention_step import AttentionStep
from fastrnn.models._parts.reader import SMALL, Reader, of_columns, with_weights
from fastrnn.ops._primitive import value_of
from fastrnn.recurrent import Layer

if TYPE_CHECKING:
    from numpy.random import Generator

Ids = NDArray[np.int64]

_OPEN = 100.0  # sigmoid(100) is 1, and 1 − sigmoid(−100), in either precision


class Start(NamedTuple):
    """What a decoder knows of N sequences before their first step.

    Attributes
    ----------
    memory : array or None, (S, N, C)
        What is attended to.
    lengths : ndarray of int64 or None, (N,)
        How many vectors of memory each sequence has.
    vector : array, (N, K)
        What may join the input of each step.
    h, c : array (L, N, H), or tuple of L arrays (N, H); c None but for an LSTM
        The first states.
    """

    memory: Any
    lengths: Ids | None
    vector: Any
    h: Any
    c: Any

    def plain(self) -> "Start":
        """Return the same without what autograd traces."""
        h, c = (part if part is None else tuple(map(value_of, part)) for part in self[3:])
        return Start(value_of(self.memory), self.lengths, value_of(self.vector), h, c)


class Decoder:
    """What `LayerDecoder` and `AttentiveDecoder` have in common; neither has weights of its own.

    Attributes
    ----------
    params : dict
        The first weights, for the model that made the decoder.
    width : int
        Columns of the features.
    attends : bool
    """

    params: dict[str, Any]
    width: int
    attends: bool

    def __call__(
        self,
        params: Mapping[str, Any],
        fed: Ids,
        start: Start,
        lengths: Ids,
        rng: "Generator | None",
        learning: bool,
    ) -> tuple[Any, Any]:
        """Return features (T, N, width) of symbols (T, N), and weights (T, N, S) or None.

        Parameters
        ----------
        params : mapping
            ``"embedding"``, and what the decoder says.
        lengths : ndarray of int64, (N,)
        rng : numpy.random.Generator or None
            Of dropout.
        learning : bool
            Choose what is faster for the size of the batch.
        """
        raise NotImplementedError

    def steps(self, params: Mapping[str, Any], start: Start, beams: int) -> tuple[Any, Any]:
        """Return a function for one step of about so many rows a sequence, and the first state.

        The function takes (state, parents, sources, tokens): of each of M rows the row of state
        that it goes on from, its sequence, and its symbol. It returns features (M, width), the new
        state, and weights (M, S) or None.
        """
        raise NotImplementedError

    def side(self, params: Mapping[str, Any]) -> dict[str, Any]:
        """Return what an ONNX graph needs of the decoder."""
        raise NotImplementedError

    def quantized(self, params: Mapping[str, Any], precision: str) -> "tuple[Decoder, Any]":
        """Return the decoder, and its params with recurrent weights of fewer bits.

        Parameters
        ----------
        precision : str
            As `fastrnn.LSTM.quantize`.
        """
        raise NotImplementedError

    def search(
        self,
        params: Mapping[str, Any],
        start: Start,
        beams: int,
        scores: Callable[[Array, Ids], Array],
    ) -> tuple[Any, Any]:
        """Return a step for the searches of `fastrnn.decode`, and its first state.

        Parameters
        ----------
        scores : callable
            Takes features (M, width) and the sequence of each row; returns the scores of all
            symbols, (M, V).
        """
        feed, first = self.steps(params, start, beams)

        def step(state: Any, parents: Ids, tokens: Ids) -> tuple[Any, ...]:
            sources, inner = state
            sources = sources[parents]
            y, inner, weights = feed(inner, parents, sources, tokens)
            result = scores(y, sources), (sources, inner)
            return result if weights is None else (*result, weights)

        return step, (np.arange(len(start.vector)), first)


class LayerDecoder(Decoder):
    """A recurrent layer; it reads ``"rnn"`` of params.

    Parameters
    ----------
    reader : Reader
        Of symbols.
    vector : {None, "columns", "product", "gated"}
        How the vector joins each step's input: not at all; by the last columns of the layer's own
        weight; by ``"condition"``; or so with a gate for each of its elements, computed from the
        symbol by ``"gate"`` and from the vector by ``"gate_own"``.
    """

    attends = False

    def __init__(self, reader: Reader, vector: str | None) -> None:
        self._reader, self._vector = reader, vector
        self.width = reader.width
        self.params = dict(reader.params)

    def __call__(
        self,
        params: Mapping[str, Any],
        fed: Ids,
        start: Start,
        lengths: Ids,
        rng: "Generator | None",
        learning: bool,
    ) -> tuple[Any, Any]:
        """Return features (T, N, width), and None for the weights that there are not."""
        beside, into = None if self._vector is None else start.vector, None
        if "condition" in params:  # quantised, it has become columns of the layer's own
            into = params["condition"]["weight"]
        if self._vector == "gated":
            embedding, gate = params["embedding"]["weight"], params["gate"]
            scores = self._reader.product(
                embedding, fed, gate["weight"], gate["bias"], learning=learning
            )
            beside = _let_through(params, scores, beside)
        y, _ = self._reader(
            params, fed, _stacked(start.h, start.c), lengths=lengths, rng=rng, learning=learning,
            beside=beside, into=into,
        )  # fmt: skip
        return y, None

    def steps(
        self,
        params: Mapping[str, Any],
        start: Start,
        beams: int,  # noqa: ARG002  the other decoder's choice
    ) -> tuple[Any, Any]:
        """Return a function for one step, and the first state."""
        embedding, state = params["embedding"]["weight"], _stacked(start.h, start.c)
        first = state if start.c is not None else (state, None)
        if "condition" in params:
            return self._projected_steps(params, embedding, start.vector), first
        layer = _own(self._reader.layer, params["rnn"])

        def step(state: Any, parents: Ids, sources: Ids, tokens: Ids) -> tuple[Any, Any, Any]:
            x = embedding[tokens]
            if self._vector is not None:
                beside = start.vector[sources]
                if self._vector == "gated":
                    scores = ops.linear(x, params["gate"]["weight"], params["gate"]["bias"])
                    beside = _let_through(params, scores, beside)
                x = np.concatenate([x, beside], axis=1)
            y, state = _one_step(layer, x, _rows(state, parents))
            return y, state, None

        return step, first

    def quantized(self, params: Mapping[str, Any], precision: str) -> tuple[Decoder, Any]:
        """Return the decoder, and its params with recurrent weights of fewer bits.

        A weight of the vector's own becomes columns of the layer's, which is one matrix then.
        """
        if "condition" not in params:
            weights = FrozenWeights.of(self._reader.layer, params["rnn"], precision)
            return self, {**params, "rnn": weights}
        rnn, into = dict(params["rnn"]), params["condition"]["weight"]
        rnn["weight_ih_l0"] = np.concatenate([rnn["weight_ih_l0"], into], axis=1)
        made, layer = copy(self), self._reader.layer
        wider = of_columns(layer, layer.input_size + into.shape[1])
        made._reader = Reader.around(wider, self._reader.vocab)
        kept = {name: entry for name, entry in params.items() if name != "condition"}
        return made, kept | {"rnn": FrozenWeights.of(wider, rnn, precision)}

    def _projected_steps(self, params: Mapping[str, Any], embedding: Array, vector: Array) -> Any:
        """Return a function for one step in which the vector has a weight of its own."""
        layer, into, gated = self._reader.layer, params["condition"]["weight"], None
        own = _products(embedding, layer.input_weight(params["rnn"]))
        if self._vector == "gated":
            gated = _products(embedding, params["gate"]["weight"], params["gate"]["bias"])
        else:
            joined = ops.linear(vector, into)

        def step(state: Any, parents: Ids, sources: Ids, tokens: Ids) -> tuple[Any, Any, Any]:
            if gated is None:
                x = own(tokens) + joined[sources]
            else:
                passed = _let_through(params, gated(tokens), vector[sources])
                x = own(tokens) + ops.linear(passed, into)
            y, after = layer.apply(params["rnn"], x[None], _rows(state, parents), projected=True)
            return y[0], after if isinstance(after, tuple) else (after, None), None

        return step

    def side(self, params: Mapping[str, Any]) -> dict[str, Any]:
        """Return what an ONNX graph needs of the decoder."""
        return {
            "bottom": with_weights(self._reader.layer, params["rnn"]), "above": None,
            "attention": None, "score": None, "query": "", "input_feed": False, "memory_width": 0,
        }  # fmt: skip


class AttentiveDecoder(Decoder):
    """A decoder whose bottom layer attends to memory; further layers may stand above.

    Parameters
    ----------
    cell : {"lstm", "gru", "rnn"}
    bottom : RNN, LSTM or GRU
        Sizes and limits of gradients of the bottom layer, whose input is the embedded symbol, the
        vector if it joins, and what the attention feeds.
    name : str
        Under which params has the bottom layer's weights and the attention's.
    attention : mapping
        ``"score"``, ``"query"`` and ``"input_feed"`` of `fastrnn.ops.attention_decoder`.
    memory_width : int
        C.
    above : RNN, LSTM, GRU or None
        It reads ``"rnn"`` of params.
    vector : bool
        Whether the vector joins each step's input.
    dropout, embedding_dropout : float
        Between bottom and above, and of the embedded symbols.
    """

    attends = True

    def __init__(
        self,
        cell: str,
        bottom: Layer,
        name: str,
        attention: Mapping[str, Any],
        *,
        memory_width: int,
        above: Layer | None = None,
        vector: bool = False,
        dropout: float = 0.0,
        embedding_dropout: float = 0.0,
    ) -> None:
        self._simple = cell == "rnn"
        self._options: dict[str, Any] = {"cell": "gru" if self._simple else cell, **attention}
        self._bottom, self._name, self._memory_width = bottom, name, memory_width
        self._limits: dict[str, Any] = {"truncate": bottom.truncate, "clip_step": bottom.clip_step}
        self._above, self._vector = above, vector
        self._dropout, self._embedding_dropout = dropout, embedding_dropout
        self.width = bottom._stack.width
        self.params = {}

    def __call__(
        self,
        params: Mapping[str, Any],
        fed: Ids,
        start: Start,
        lengths: Ids,
        rng: "Generator | None",
        learning: bool,  # noqa: ARG002  the other decoder's choice
    ) -> tuple[Any, Any]:
        """Return features (T, N, width) and weights (T, N, S)."""
        x = ops.embedding(params["embedding"]["weight"], fed)
        if rng is not None and self._embedding_dropout > 0:
            x = ops.dropout(x, self._embedding_dropout, rng=rng)
        if self._vector:
            vector = start.vector
            zeros = np.zeros((len(fed), 1, 1), vector.dtype)
            x = anp.concatenate([x, anp.reshape(vector, (1, *vector.shape)) + zeros], axis=2)
        y, _, weights, _ = ops.attention_decoder(
            x, start.memory, self._for_kernel(params[self._name]), memory_lengths=start.lengths,
            lengths=lengths, state=_bottom(start.h, start.c), **self._options, **self._limits,
        )  # fmt: skip
        if self._above is not None:
            if rng is not None and self._dropout > 0:
                y = ops.dropout(y, self._dropout, rng=rng)
            state = _stacked(start.h[1:], start.c and start.c[1:])
            y, _ = self._above.apply(params["rnn"], y, state, lengths=lengths, rng=rng)
        return y, weights

    def quantized(self, params: Mapping[str, Any], precision: str) -> tuple[Decoder, Any]:
        """Return the decoder, and its params with matrices of fewer bits."""
        few = {
            name: PRECISIONS[precision].of(f"{self._name}.{name}", array)
            for name, array in params[self._name].items()
            if array.ndim == 2
        }
        params = {**params, self._name: {**params[self._name], **few}}
        if self._above is None:
            return self, params
        return self, {**params, "rnn": FrozenWeights.of(self._above, params["rnn"], precision)}

    def _for_kernel(self, given: Mapping[str, Any]) -> Mapping[str, Any]:
        """Return the parameters as the kernel takes them, which has LSTM and GRU.

        A simple RNN is a GRU whose gates are constant: with r = 1 and z = 0 its state is
        tanh(W x + b + U h), to the last bit.
        """
        if not self._simple:
            return given
        H, weights = self.width, dict(given)
        dtype = value_of(given["bias_hh"]).dtype
        for name in ("weight_ih", "weight_hh"):
            w = given[name]
            if isinstance(w, Matrix):
                weights[name] = w.below(2 * H)
            else:
                weights[name] = anp.concatenate([np.zeros((2 * H, w.shape[1]), dtype), w])
        constant = np.repeat(np.array([_OPEN, -_OPEN], dtype), H)
        weights["bias_ih"] = anp.concatenate([constant, given["bias_ih"]])
        weights["bias_hh"] = anp.concatenate([np.zeros(2 * H, dtype), given["bias_hh"]])
        return weights

    def side(self, params: Mapping[str, Any]) -> dict[str, Any]:
        """Return what an ONNX graph needs of the decoder."""
        given, above = params[self._name], self._above
        weights = {name: given[name.removesuffix("_l0")] for name in self._bottom.state_dict()}
        options = {name: value for name, value in self._options.items() if name != "cell"}
        return {
            "bottom": with_weights(self._bottom, weights), "attention": given,
            "above": None if above is None else with_weights(above, params["rnn"]),
            "memory_width": self._memory_width, **options,
        }  # fmt: skip

    def steps(self, params: Mapping[str, Any], start: Start, beams: int) -> tuple[Any, Any]:
        """Return a function for one step, and the first state."""
        embedding, above = params["embedding"]["weight"], None
        if self._above is not None:
            above = _own(self._above, params["rnn"])
        beside = start.vector if self._vector else None
        looked_up = beside is not None or isinstance(embedding, Matrix)
        attend = AttentionStep(
            start.memory, self._for_kernel(params[self._name]), memory_lengths=start.lengths,
            rows=beams, embedding=None if looked_up else embedding, **self._options,
        )  # fmt: skip

        def step(state: Any, parents: Ids, sources: Ids, tokens: Ids) -> tuple[Any, Any, Any]:
            bottom, upper = state
            x = embedding[tokens] if looked_up else tokens
            if beside is not None:
                x = np.concatenate([x, beside[sources]], axis=1)
            y, _, weights, bottom = attend(x, bottom, sources, parents)
            if above is not None:
                y, upper = _one_step(above, y, _rows(upper, parents))
            return y, (bottom, upper), weights

        upper: Any = None
        if above is not None:
            upper = _stacked(start.h[1:], start.c and start.c[1:])
            upper = upper if start.c is not None else (upper, None)
        return step, (_bottom(start.h, start.c), upper)


def _let_through(params: Mapping[str, Any], scores: Any, vector: Any) -> Any:
    """Return the part of a vector that its gates let through, given the symbols' part of them."""
    scores = scores + ops.linear(vector, params["gate_own"]["weight"])
    return 0.5 * (anp.tanh(0.5 * scores) + 1) * vector


def _products(embedding: Array, weight: Array, bias: Array | None = None) -> Callable[[Ids], Array]:
    """Return a function from symbols to the products of their vectors by a weight."""
    if len(embedding) > SMALL:
        return lambda tokens: ops.linear(embedding[tokens], weight, bias)
    table = ops.linear(embedding, weight, bias)
    return lambda tokens: table[tokens]


def _bottom(h: Any, c: Any) -> tuple[Any, ...]:
    """Return the states of the bottom layer."""
    return (h[0],) if c is None else (h[0], c[0])


def _stacked(h: Any, c: Any) -> Any:
    """Return the states of layers as a layer takes them: h, or h and c, of (L, N, H)."""
    if c is not None:
        return _stacked(h, None), _stacked(c, None)
    if not isinstance(h, tuple):
        return h
    return anp.stack(h) if len(h) > 1 else anp.reshape(h[0], (1, *h[0].shape))


def _rows(state: Any, parents: Ids) -> Any:
    """Return h, or h and c, (L, M, H) of these rows."""
    h, c = state
    return h[:, parents] if c is None else (h[:, parents], c[:, parents])


def _own(layer: Layer, params: Mapping[str, Array]) -> Layer:
    """Return a layer with copies of these weights: nobody edits them, so it packs them once."""
    if isinstance(params, FrozenWeights):
        return with_frozen(layer, params)
    own = copy(layer)
    own.params = {name: array.copy() for name, array in params.items()}
    return own


def _one_step(layer: Layer, x: Array, state: Any) -> tuple[Array, Any]:
    """Return y (M, H), and h and c after one step."""
    y, state = layer(x[None], state)
    return y[0], state if isinstance(state, tuple) else (state, None)
