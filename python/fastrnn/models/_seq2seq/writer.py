"""The lower part of a decoder: fed symbols to features, whole sequences or one step at a time."""

from collections.abc import Mapping
from copy import copy
from typing import TYPE_CHECKING, Any, NamedTuple

import autograd.numpy as anp
import numpy as np
from numpy.typing import DTypeLike, NDArray

from fastrnn import init, ops
from fastrnn._checks import FLOAT64, Array
from fastrnn.attention_step import AttentionStep
from fastrnn.models._parts.reader import CELLS, Reader, linear_params, with_weights
from fastrnn.models._seq2seq.encoder import Encoded
from fastrnn.ops._primitive import value_of
from fastrnn.recurrent import Layer

if TYPE_CHECKING:
    from numpy.random import Generator

Ids = NDArray[np.int64]

# What a decoder with attention can do: the options of a layer that its kernel has.
_OPEN = 100.0  # sigmoid(100) is 1, and 1 − sigmoid(−100), in either precision
_ATTENTIVE_OPTIONS = ("forget_bias", "truncate", "clip_step")


class Plan(NamedTuple):
    """What both decoders are made by, as `fastrnn.models.Seq2Seq`.

    Attributes
    ----------
    beside : int
        Columns of the encoder's vector beside each symbol; 0: it does not stand there.
    """

    cell: str
    vocab: int
    embedding_size: int | None
    hidden_size: int
    num_layers: int
    beside: int
    dropout: float
    embedding_dropout: float
    dtype: DTypeLike
    rng: "Generator"
    layer_options: Mapping[str, Any]


class PlainDecoder:
    """A recurrent layer that starts from the encoder's states.

    Parameters
    ----------
    plan : Plan

    Attributes
    ----------
    params : dict
        The first weights: ``"embedding"`` and ``"rnn"``.
    width : int
        Columns of the features.
    attends : bool
    """

    attends = False

    def __init__(self, plan: Plan) -> None:
        self._reader = Reader(
            input_size=None, bidirectional=False, merge_mode="concat", **plan._asdict()
        )
        self._beside = plan.beside > 0
        self.width = self._reader.width
        self.params: dict[str, Any] = dict(self._reader.params)

    def __call__(
        self,
        params: Mapping[str, Any],
        fed: Ids,
        encoded: Encoded,
        lengths: Ids,
        rng: "Generator | None",
        learning: bool,
    ) -> tuple[Any, Any]:
        """Return features (T, N, width), and None for the weights that there are not."""
        state = _stacked(encoded.h, encoded.c)
        beside = encoded.vector if self._beside else None
        y, _ = self._reader(
            params, fed, state, lengths=lengths, rng=rng, learning=learning, beside=beside
        )
        return y, None

    def side(self, params: Mapping[str, Any]) -> dict[str, Any]:
        """Return what an ONNX graph needs of the decoder."""
        return {
            "bottom": with_weights(self._reader.layer, params["rnn"]), "above": None,
            "attention": None, "score": None, "query": "", "input_feed": False, "memory_width": 0,
        }  # fmt: skip

    def steps(
        self,
        params: Mapping[str, Any],
        encoded: Encoded,
        beams: int,  # noqa: ARG002  the other decoder's choice
    ) -> tuple[Any, Any]:
        """Return a function for one step of about so many rows a source, and the first state.

        The function takes (state, parents, sources, tokens) and returns features (M, width), the
        new state, and None.
        """
        layer, embedding = _own(self._reader.layer, params["rnn"]), params["embedding"]["weight"]

        def step(state: Any, parents: Ids, sources: Ids, tokens: Ids) -> tuple[Any, Any, Any]:
            x = embedding[tokens]
            if self._beside:
                x = np.concatenate([x, encoded.vector[sources]], axis=1)
            y, state = _one_step(layer, x, _rows(state, parents))
            return y, state, None

        state = _stacked(encoded.h, encoded.c)
        return step, state if encoded.c is not None else (state, None)


class AttentiveDecoder:
    """A decoder whose bottom layer attends to the encoder's memory; further layers stand above.

    Parameters
    ----------
    plan : Plan
    score, query, input_feed
        As `fastrnn.ops.attention_decoder`.
    memory_width : int
        C.

    Attributes
    ----------
    params : dict
        The first weights: ``"embedding"``, ``"attention"``, and ``"rnn"`` with several layers.
    width : int
        Columns of the features, H.
    attends : bool
    """

    attends = True

    def __init__(
        self, plan: Plan, *, score: str, query: str, input_feed: bool, memory_width: int
    ) -> None:
        cell, options, rng, dtype = plan.cell, plan.layer_options, plan.rng, plan.dtype
        unknown = [name for name in options if name not in _ATTENTIVE_OPTIONS]
        if unknown:
            raise ValueError(f"{unknown[0]} is no option of a model with attention")
        H, C = plan.hidden_size, memory_width
        E = H if plan.embedding_size is None else plan.embedding_size
        F = 0 if not input_feed else C if query == "previous" else H
        kind = CELLS[cell]
        bottom = kind(E + plan.beside + F, H, dtype=dtype, rng=rng, **options)
        self._simple = cell == "rnn"
        self._options: dict[str, Any] = {
            "cell": "gru" if self._simple else cell, "score": score, "query": query,
            "input_feed": input_feed,
        }  # fmt: skip
        self._embedding_dropout = plan.embedding_dropout
        self._bottom, self._memory_width = bottom, C
        self._cell_weights = [name.removesuffix("_l0") for name in bottom.state_dict()]
        self._limits = {"truncate": bottom.truncate, "clip_step": bottom.clip_step}
        self._beside, self._dropout = plan.beside > 0, plan.dropout
        self._above: Layer | None = None
        self.width, dtype = H, bottom.dtype
        self.params: dict[str, Any] = {
            "embedding": {"weight": init.normal((plan.vocab, E), rng, dtype, FLOAT64)},
            "attention": {
                **{name.removesuffix("_l0"): a for name, a in bottom.state_dict().items()},
                **_score_params(score, H, C, dtype, rng),
                **_named("output", linear_params(H, H + C, dtype, rng)),
            },
        }
        if plan.num_layers > 1:
            between = plan.dropout if plan.num_layers > 2 else 0.0
            self._above = kind(
                H, H, plan.num_layers - 1, dropout=between, dtype=dtype, rng=rng, **options
            )
            self.params["rnn"] = self._above.state_dict()

    def __call__(
        self,
        params: Mapping[str, Any],
        fed: Ids,
        encoded: Encoded,
        lengths: Ids,
        rng: "Generator | None",
        learning: bool,  # noqa: ARG002  the other decoder's choice
    ) -> tuple[Any, Any]:
        """Return features (T, N, width) and weights (T, N, S)."""
        x = ops.embedding(params["embedding"]["weight"], fed)
        if rng is not None and self._embedding_dropout > 0:
            x = ops.dropout(x, self._embedding_dropout, rng=rng)
        if self._beside:
            vector = encoded.vector
            zeros = np.zeros((len(fed), 1, 1), vector.dtype)
            x = anp.concatenate([x, anp.reshape(vector, (1, *vector.shape)) + zeros], axis=2)
        y, _, weights, _ = ops.attention_decoder(
            x, encoded.memory, self._for_kernel(params["attention"]),
            memory_lengths=encoded.lengths, lengths=lengths,
            state=_bottom(encoded.h, encoded.c), **self._options, **self._limits,
        )  # fmt: skip
        if self._above is not None:
            if rng is not None and self._dropout > 0:
                y = ops.dropout(y, self._dropout, rng=rng)
            state = _stacked(encoded.h[1:], encoded.c and encoded.c[1:])
            y, _ = self._above.apply(params["rnn"], y, state, lengths=lengths, rng=rng)
        return y, weights

    def _for_kernel(self, given: Mapping[str, Any]) -> Mapping[str, Any]:
        """Return the parameters as the kernel takes them, which has LSTM and GRU.

        A simple RNN is a GRU whose gates are constant: with r = 1 and z = 0 its state is
        tanh(W x + b + U h), to the last bit.
        """
        if not self._simple:
            return given
        H, found = self.width, dict(given)
        dtype = value_of(given["weight_hh"]).dtype
        for name in ("weight_ih", "weight_hh"):
            gates = np.zeros((2 * H, given[name].shape[1]), dtype)
            found[name] = anp.concatenate([gates, given[name]])
        constant = np.repeat(np.array([_OPEN, -_OPEN], dtype), H)
        found["bias_ih"] = anp.concatenate([constant, given["bias_ih"]])
        found["bias_hh"] = anp.concatenate([np.zeros(2 * H, dtype), given["bias_hh"]])
        return found

    def side(self, params: Mapping[str, Any]) -> dict[str, Any]:
        """Return what an ONNX graph needs of the decoder."""
        given, above = params["attention"], self._above
        weights = {f"{name}_l0": given[name] for name in self._cell_weights}
        options = {name: value for name, value in self._options.items() if name != "cell"}
        return {
            "bottom": with_weights(self._bottom, weights), "attention": given,
            "above": None if above is None else with_weights(above, params["rnn"]),
            "memory_width": self._memory_width, **options,
        }  # fmt: skip

    def steps(
        self, params: Mapping[str, Any], encoded: Encoded, beams: int
    ) -> tuple[Any, Any]:
        """Return a function for one step, and the first state, as `PlainDecoder.steps`.

        Beside features and state the function returns the weights, (M, S).
        """
        embedding, above = params["embedding"]["weight"], None
        if self._above is not None:
            above = _own(self._above, params["rnn"])
        beside = encoded.vector if self._beside else None
        attend = AttentionStep(
            encoded.memory, self._for_kernel(params["attention"]),
            memory_lengths=encoded.lengths, rows=beams,
            embedding=embedding if beside is None else None, **self._options,
        )  # fmt: skip

        def step(state: Any, parents: Ids, sources: Ids, tokens: Ids) -> tuple[Any, Any, Any]:
            bottom, upper = state
            x = tokens
            if beside is not None:
                x = np.concatenate([embedding[tokens], beside[sources]], axis=1)
            y, _, weights, bottom = attend(x, bottom, sources, parents)
            if above is not None:
                y, upper = _one_step(above, y, _rows(upper, parents))
            return y, (bottom, upper), weights

        upper: Any = None
        if above is not None:
            upper = _stacked(encoded.h[1:], encoded.c and encoded.c[1:])
            upper = upper if encoded.c is not None else (upper, None)
        return step, (_bottom(encoded.h, encoded.c), upper)


def _bottom(h: Any, c: Any) -> tuple[Any, ...]:
    """Return the states of the bottom layer."""
    return (h[0],) if c is None else (h[0], c[0])


def _stacked(h: tuple[Any, ...], c: tuple[Any, ...] | None) -> Any:
    """Return the states of layers as a layer takes them: h, or h and c, of (L, N, H)."""
    if c is not None:
        return _stacked(h, None), _stacked(c, None)
    return anp.stack(h) if len(h) > 1 else anp.reshape(h[0], (1, *h[0].shape))


def _rows(state: Any, parents: Ids) -> Any:
    """Return h, or h and c, (L, M, H) of these rows."""
    h, c = state
    return h[:, parents] if c is None else (h[:, parents], c[:, parents])


def _own(layer: Layer, params: Mapping[str, Array]) -> Layer:
    """Return a layer with copies of these weights: nobody edits them, so it packs them once."""
    own = copy(layer)
    own.params = {name: array.copy() for name, array in params.items()}
    return own


def _one_step(layer: Layer, x: Array, state: Any) -> tuple[Array, Any]:
    """Return y (M, H), and h and c after one step."""
    y, state = layer(x[None], state)
    return y[0], state if isinstance(state, tuple) else (state, None)


def _score_params(score: str, H: int, C: int, dtype: Any, rng: "Generator") -> dict[str, Array]:
    """Return the first weights of a score: uniform in ±1/√(columns)."""
    if score == "general":
        return {"weight_general": init.uniform((C, H), H**-0.5, rng, dtype)}
    if score == "dot":
        return {}
    return {
        "weight_query": init.uniform((H, H), H**-0.5, rng, dtype),
        **_named("key", linear_params(H, C, dtype, rng)),
        "vector": init.uniform((H,), H**-0.5, rng, dtype),
    }


def _named(name: str, params: Mapping[str, Array]) -> dict[str, Array]:
    return {f"{kind}_{name}": array for kind, array in params.items()}
