"""Encoder: a source becomes what a decoder attends to, and the state that it starts from."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import autograd.numpy as anp
import numpy as np
from numpy.typing import DTypeLike, NDArray

from fastrnn import ops
from fastrnn._checks import Array, flag
from fastrnn.models._parts.decoder import Start
from fastrnn.models._parts.reader import Reader, linear_params, refuse_projection, with_weights
from fastrnn.recurrent import Layer

if TYPE_CHECKING:
    from numpy.random import Generator

Ids = NDArray[np.int64]


class Encoder:
    """A recurrent layer over the source, in one direction or both.

    Parameters
    ----------
    cell, vocab, embedding_size, hidden_size, num_layers, dropout, embedding_dropout, dtype, rng
        As `fastrnn.models.Seq2Seq`.
    layer_options : mapping
    decoder_size, decoder_layers : int
        H and L of what starts from here.
    bidirectional : bool
    merge_mode : str
        What memory is made of; the states are always those of all directions.
    reverse : bool
        Read each source from its end.

    Attributes
    ----------
    params : dict
        The first weights: ``"embedding"``, ``"rnn"``, and with both directions, or a decoder of
        another size, ``"bridge"``.
    width : int
        C, columns of memory.
    vector_width : int
        D·H.
    reverses : bool
        Whether sources are read from their ends.
    """

    def __init__(
        self,
        cell: str,
        *,
        vocab: int,
        embedding_size: int | None,
        hidden_size: int,
        num_layers: int,
        bidirectional: bool,
        merge_mode: str,
        reverse: bool,
        dropout: float,
        embedding_dropout: float,
        decoder_size: int,
        decoder_layers: int,
        dtype: DTypeLike,
        rng: "Generator",
        layer_options: Mapping[str, Any],
    ) -> None:
        refuse_projection(layer_options)
        self._reader = Reader(
            cell, input_size=None, vocab=vocab, embedding_size=embedding_size,
            hidden_size=hidden_size, num_layers=num_layers, bidirectional=bidirectional,
            merge_mode=merge_mode, dropout=dropout, embedding_dropout=embedding_dropout,
            dtype=dtype, rng=rng, layer_options=layer_options,
        )  # fmt: skip
        self.reverses, self._dropout = flag("reverse_source", reverse), dropout
        self._D, self._L, self._H = 2 if bidirectional else 1, num_layers, hidden_size
        self._states = ("h", "c") if cell == "lstm" else ("h",)
        self.dtype = self._reader.layer.dtype
        self.width, self.vector_width = self._reader.width, self._D * hidden_size
        self.params: dict[str, Any] = dict(self._reader.params)
        # The layer that each of the decoder's starts from: the top ones belong together.
        self._starts = [max(0, l + num_layers - decoder_layers) for l in range(decoder_layers)]
        self._bridged = bidirectional or decoder_size != hidden_size
        if self._bridged:
            self.params["bridge"] = {
                f"{name}_{state}_l{l}": array
                for l in range(decoder_layers)
                for state in self._states
                for name, array in linear_params(
                    decoder_size, self.vector_width, self.dtype, rng
                ).items()
            }

    @property
    def layer(self) -> Layer:
        """The recurrent layer, whose weights are ``"rnn"``."""
        return self._reader.layer

    def enter(self, x: Any, lengths: Any) -> tuple[Array, Ids]:
        """Return the symbols in the order to be read, (S, N), and the lengths, (N,).

        Raises
        ------
        TypeError, ValueError
            x is no array of symbols (S, N), or lengths break their rule.
        """
        x, lengths, exists = self._reader.enter(x, lengths)
        if self.reverses:
            s = np.arange(len(x))[:, None]
            x = np.take_along_axis(x, np.where(exists, lengths - 1 - s, s), axis=0)
        return x, lengths

    def __call__(
        self,
        params: Mapping[str, Any],
        x: Array,
        lengths: Ids,
        rng: "Generator | None" = None,
        learning: bool = False,
    ) -> Start:
        """Return what a decoder needs; x and lengths are what `enter` returned."""
        memory, state = self._reader(params, x, lengths=lengths, rng=rng, learning=learning)
        h, c = state if len(self._states) == 2 else (state, None)
        h, c = self._joined(h), None if c is None else self._joined(c)
        vector = h[-1]
        if rng is not None and self._dropout > 0:
            memory = ops.dropout(memory, self._dropout, rng=rng)
        h, c = ([each[k] for k in self._starts] if each else None for each in (h, c))
        assert h is not None  # every cell has one
        if self._bridged:
            bridge = params["bridge"]
            h = [anp.tanh(array) for array in _mapped(bridge, "h", h)]
            c = None if c is None else _mapped(bridge, "c", c)
        return Start(memory, lengths, vector, tuple(h), None if c is None else tuple(c))

    def side(self, params: Mapping[str, Any], attended: bool, peeked: bool) -> Any:
        """Return what an ONNX graph needs of the encoder."""
        from fastrnn.io._onnx_models import EncoderSide

        layer = with_weights(self._reader.layer, params["rnn"])
        embedding, bridge = params["embedding"]["weight"], params.get("bridge")
        return EncoderSide(
            layer, embedding, bridge, self._starts, self.reverses, attended, peeked
        )

    def _joined(self, states: Any) -> list[Any]:
        """Return (L·D, N, H) as (N, D·H) of each layer.

        Reshaped where that will do: autograd puts the gradient of an index together slowly.
        """
        N, L, H = states.shape[1], self._L, self._H
        if self._D == 2:
            states = anp.transpose(anp.reshape(states, (L, 2, N, H)), (0, 2, 1, 3))
        if L == 1:
            return [anp.reshape(states, (N, self._D * H))]
        return [anp.reshape(states[l], (N, self._D * H)) for l in range(L)]


def _mapped(bridge: Mapping[str, Any], name: str, states: list[Any]) -> list[Any]:
    """Return an affine map of each layer's last state."""
    return [
        ops.linear(state, bridge[f"weight_{name}_l{l}"], bridge[f"bias_{name}_l{l}"])
        for l, state in enumerate(states)
    ]
