"""Decoder: a recurrent layer that predicts a sequence of symbols, given one vector a sequence."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

import autograd.numpy as anp
import numpy as np
from numpy.typing import NDArray

from fastrnn import init, ops
from fastrnn._checks import integer
from fastrnn.data import BOS, EOS, PAD, UNK
from fastrnn.models._parts.dense import affine, choice
from fastrnn.models._parts.reader import CELLS, SMALL, linear_params, refuse_projection

if TYPE_CHECKING:
    from numpy.random import Generator

    from fastrnn.recurrent import Layer

Ids = NDArray[np.int64]

INPUTS = ("init", "every", "gated")


class SymbolNats(NamedTuple):
    """−ln p of each symbol that exists, the EOS of each row included.

    Attributes
    ----------
    nats : (M,)
        What autograd traces as an array while it differentiates.
    rows : ndarray of int, (M,)
        The row of each symbol.
    """

    nats: Any
    rows: Ids

    def by_row(self, N: int) -> NDArray[np.float64]:
        """Return the sum over each row's symbols, (N,), in float64."""
        return np.bincount(self.rows, self.nats, N).astype(np.float64, copy=False)


class Memory(NamedTuple):
    """What a decoder attends to: vectors (S, N, C), and how many each row has, (N,)."""

    vectors: Any
    lengths: Ids


class Decoder:
    """The layer, its first weights, and what it does with them.

    Parameters
    ----------
    cell : {"lstm", "gru", "rnn"}
    vocab, embedding_size, hidden_size, num_layers : int
        V, E, H and L.
    condition_size : int
        K, the length of the vector that the sequence is generated from.
    decoder_input : {"init", "every", "gated"}
        Where that vector enters: as the initial state; also in the input of every step; there
        with a gate for each of its elements, computed from the symbol before.
    dtype, rng
        Of the first weights.
    **layer_options
        As the layer takes them.

    Attributes
    ----------
    params : dict
        ``"init"`` (S·L·H, K), ``"rnn"``, ``"out"`` (V, H), and where they are needed
        ``"condition"`` (G·H, K), ``"gate"`` (K, E) and ``"gate_own"`` (K, K).
    """

    def __init__(
        self,
        cell: str,
        vocab: int,
        embedding_size: int,
        hidden_size: int,
        condition_size: int,
        *,
        num_layers: int,
        decoder_input: str,
        dtype: Any,
        rng: "Generator",
        **layer_options: Any,
    ) -> None:
        H, L, K = integer("decoder_size", hidden_size, 1), num_layers, condition_size
        refuse_projection(layer_options)
        self.input = choice("decoder_input", decoder_input, INPUTS)
        self.layer: Layer = CELLS[choice("cell", cell, list(CELLS))](
            embedding_size, H, L, dtype=dtype, rng=rng, **layer_options
        )
        self.vocab, self._H, self._L = vocab, H, L
        self._states = 2 if cell == "lstm" else 1
        weights = self.layer.state_dict()
        dtype = self.layer.dtype
        self.params: dict[str, Any] = {
            "init": linear_params(self._states * L * H, K, dtype, rng),
            "rnn": weights,
            "out": linear_params(vocab, H, dtype, rng),
        }
        if self.input != "init":
            GH = len(weights["bias_ih_l0"] if "bias_ih_l0" in weights else weights["weight_hh_l0"])
            weight = init.uniform((GH, K), H**-0.5, rng, dtype)
            self.params["condition"] = {"weight": weight}
        if self.input == "gated":
            self.params["gate"] = linear_params(K, embedding_size, dtype, rng)
            self.params["gate_own"] = {"weight": init.uniform((K, K), K**-0.5, rng, dtype)}

    def state(self, params: Mapping[str, Any], condition: Any) -> Any:
        """Return the initial state that a condition (N, K) makes."""
        flat = anp.tanh(affine(params["init"], condition))
        parts = anp.reshape(flat, (len(flat), self._states * self._L, self._H))
        parts = anp.transpose(parts, (1, 0, 2))
        if self._states == 1:
            return parts
        return parts[: self._L], parts[self._L :]

    def projected_inputs(
        self, params: Mapping[str, Any], embedding: Any, condition: Any, ids: Ids, learning: bool
    ) -> Any:
        """Return the projected input (T, N, G·H) of symbols (T, N) and a condition (N, K)."""
        few = self.vocab <= (ids.size // 2 if learning else SMALL)

        def looked_up(weight: Any, bias: Any = None) -> Any:
            # Each of few symbols stands there many times, so its product is made once.
            if few:
                return ops.embedding(ops.linear(embedding, weight, bias), ids)
            return ops.linear(ops.embedding(embedding, ids), weight, bias)

        x = looked_up(self.layer.input_weight(params["rnn"]))
        if self.input == "init":
            return x
        into = params["condition"]["weight"]
        if self.input == "every":
            return x + ops.linear(condition, into)
        gate = params["gate"]
        scores = looked_up(gate["weight"], gate["bias"])
        scores = scores + ops.linear(condition, params["gate_own"]["weight"])
        let_through = 0.5 * (anp.tanh(0.5 * scores) + 1) * condition
        return x + ops.linear(let_through, into)

    def run(
        self,
        params: Mapping[str, Any],
        embedding: Any,
        condition: Any,
        ids: Ids,
        *,
        state: Any = None,
        memory: Memory | None = None,  # noqa: ARG002
        lengths: Ids | None = None,
        rng: "Generator | None" = None,
        learning: bool = False,
    ) -> tuple[Any, Any]:
        """Return the layer's outputs (T, N, H) for what it sees (T, N), and its final state.

        Parameters
        ----------
        state : Any
            None: what the condition makes.
        memory : Memory or None
            What there is to attend to.
        """
        x = self.projected_inputs(params, embedding, condition, ids, learning)
        if state is None:
            state = self.state(params, condition)
        return self.layer.apply(
            params["rnn"], x, state, lengths=lengths, rng=rng, projected=True
        )  # fmt: skip

    def nats(
        self,
        params: Mapping[str, Any],
        embedding: Any,
        condition: Any,
        tokens: Ids,
        lengths: Ids,
        *,
        dropout: float = 0.0,
        word_drop: float = 0.0,
        rng: "Generator | None" = None,
        **how: Any,
    ) -> SymbolNats:
        """Return −ln p of symbols (T, N), each row's EOS included.

        Parameters
        ----------
        params : mapping
            As `params`.
        embedding : (V, E)
        condition : (N, K)
        tokens, lengths : ndarray of int, (T, N) and (N,)
            Each row's symbols without BOS and EOS; PAD beyond.
        dropout : float
            Of the layer's outputs.
        word_drop : float
            Of the symbols that the layer sees: UNK takes their place.
        rng : numpy.random.Generator or None
            None: nothing is dropped.
        **how
            As `run`.
        """
        N = len(lengths)
        inputs, targets = _shifted(tokens, lengths)
        T, steps = len(inputs), lengths + 1
        if rng is not None and word_drop > 0:
            inputs[1:][rng.random((T - 1, N)) < word_drop] = UNK
        y, _ = self.run(params, embedding, condition, inputs, lengths=steps, rng=rng, **how)
        # The output layer costs most, so padding is left out of it.
        place = np.flatnonzero(np.arange(T)[:, None] < steps)
        y = ops.embedding(anp.reshape(y, (T * N, y.shape[2])), place)
        if rng is not None and dropout > 0:
            y = ops.dropout(y, dropout, rng=rng)
        nats = ops.softmax_cross_entropy(
            affine(params["out"], y), targets.ravel()[place], ignore_index=None, reduction="none"
        )
        return SymbolNats(nats, place % max(N, 1))

    def step(
        self,
        params: Mapping[str, Any],
        embedding: Any,
        condition: Any,
        memory: Memory | None,
        state: Any,
        last: Ids,
    ) -> tuple[Any, Any]:
        """Return the scores (N, V) of what follows the symbols `last` (N,), and the state then."""
        y, state = self.run(
            params, embedding, condition, last[None], state=state, memory=memory
        )  # fmt: skip
        return affine(params["out"], y[0]), state

    def rows(self, state: Any, rows: Ids) -> Any:
        """Return the state of some of its rows, in this order; a row may come more than once."""
        return tuple(part[:, rows] for part in state) if self._states == 2 else state[:, rows]


def _shifted(tokens: Ids, lengths: Ids) -> tuple[Ids, Ids]:
    """Return the inputs, BOS first, and the targets, EOS last, (T + 1, N) each."""
    T, N = int(lengths.max(initial=0)) + 1, len(lengths)
    inputs = np.full((T, N), PAD)
    inputs[0] = BOS
    inputs[1:] = tokens[: T - 1]
    targets = np.full((T, N), PAD)
    targets[:-1] = tokens[: T - 1]
    targets[lengths, np.arange(N)] = EOS
    return inputs, targets
