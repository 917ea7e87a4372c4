"""What generates a sequence of symbols from one vector: its decoder, start and output layer."""

from collections.abc import Mapping
from copy import copy
from typing import TYPE_CHECKING, Any, NamedTuple

import autograd.numpy as anp
import numpy as np
from numpy.typing import NDArray

from fastrnn import decode, init, ops
from fastrnn._checks import choice, integer, number
from fastrnn.data import BOS, EOS, PAD, UNK
from fastrnn.models._parts.decoder import AttentiveDecoder, Decoder, Ids, LayerDecoder, Start
from fastrnn.models._parts.dense import affine
from fastrnn.models._parts.output import FULL, OutputLoss
from fastrnn.models._parts.reader import CELLS, Reader, linear_params, refuse_projection

if TYPE_CHECKING:
    from numpy.random import Generator

    from fastrnn.recurrent import Layer

# How the vector joins each step's input, by `decoder_input`.
INPUTS = {"init": None, "every": "product", "gated": "gated"}
_OF_THE_SEARCH = ("beam_size", "length_penalty", "alpha", "word_penalty")


class SymbolNats(NamedTuple):
    """−ln p of each symbol that exists, the EOS of each row included.

    Attributes
    ----------
    nats : (M,), or a number: their sum
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


class ConditionedDecoder:
    """The decoder of `HRED`, `VHRED` and `SequenceVAE`, with the layers before and after it.

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
    memory_size : int or None
        How long each vector is that it attends to, by the additive score; None: it does not. With
        attention there is one layer, no gate, and no simple RNN.
    dtype, rng
        Of the first weights.
    **layer_options
        As the layer takes them.

    Attributes
    ----------
    params : dict
        ``"init"`` (S·L·H, K), ``"rnn"``, with attention under the names of
        `ops.attention_decoder`, ``"out"`` (V, H), and where they are needed ``"condition"``
        (G·H, K), ``"gate"`` (K, E) and ``"gate_own"`` (K, K). Of a model's params they are
        ``"decoder"``, beside ``"embedding"``.
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
        memory_size: int | None = None,
        **layer_options: Any,
    ) -> None:
        H, L, K = integer("decoder_size", hidden_size, 1), num_layers, condition_size
        refuse_projection(layer_options)
        choice("decoder_input", decoder_input, list(INPUTS))
        if memory_size is not None:
            _check_attention(cell, decoder_input, layer_options)
        layer: Layer = CELLS[choice("cell", cell, list(CELLS))](
            embedding_size, H, L, dtype=dtype, rng=rng, **layer_options
        )
        self._H, self._L, self._states = H, L, 2 if cell == "lstm" else 1
        weights, dtype = layer.state_dict(), layer.dtype
        self.params: dict[str, Any] = {
            "init": linear_params(self._states * L * H, K, dtype, rng),
            "rnn": weights,
            "out": linear_params(vocab, H, dtype, rng),
        }
        self._decoder: Decoder
        if memory_size is not None:
            every = decoder_input == "every"
            columns = embedding_size + (K if every else 0) + integer("memory_size", memory_size, 1)
            self.params["rnn"] = _attention_params(cell, H, columns, memory_size, dtype, rng)
            self._decoder = AttentiveDecoder(
                cell, layer, "rnn", {"score": "additive", "query": "previous", "input_feed": True},
                memory_width=memory_size, vector=every,
            )  # fmt: skip
            return
        if decoder_input != "init":
            GH = len(weights["bias_ih_l0"] if "bias_ih_l0" in weights else weights["weight_hh_l0"])
            weight = init.uniform((GH, K), H**-0.5, rng, dtype)
            self.params["condition"] = {"weight": weight}
        if decoder_input == "gated":
            self.params["gate"] = linear_params(K, embedding_size, dtype, rng)
            self.params["gate_own"] = {"weight": init.uniform((K, K), K**-0.5, rng, dtype)}
        self._decoder = LayerDecoder(Reader.around(layer, vocab), INPUTS[decoder_input])

    def nats(
        self,
        params: Mapping[str, Any],
        condition: Any,
        tokens: Ids,
        lengths: Ids,
        *,
        memory: Memory | None = None,
        dropout: float = 0.0,
        word_drop: float = 0.0,
        rng: "Generator | None" = None,
        learning: bool = False,
        reduction: str = "none",
        output: OutputLoss = FULL,
    ) -> SymbolNats:
        """Return −ln p of symbols (T, N), each row's EOS included.

        Parameters
        ----------
        params : mapping
            Of the whole model.
        condition : (N, K)
        tokens, lengths : ndarray of int, (T, N) and (N,)
            Each row's symbols without BOS and EOS; PAD beyond.
        memory : Memory or None
            What there is to attend to.
        dropout : float
            Of the features.
        word_drop : float
            Of the symbols that the decoder sees: UNK takes their place.
        rng : numpy.random.Generator or None
            None: nothing is dropped.
        learning : bool
            As `Decoder`.
        reduction : {"none", "sum"}
            A sum is differentiated in less time.
        output : OutputLoss
        """
        N, own = len(lengths), self._own(params)
        inputs, targets = _shifted(tokens, lengths)
        T, steps = len(inputs), lengths + 1
        if rng is not None and word_drop > 0:
            inputs[1:][rng.random((T - 1, N)) < word_drop] = UNK
        start = self._start(own, condition, memory)
        y, _ = self._decoder(own, inputs, start, steps, rng, learning)
        # The output layer costs most, so padding is left out of it.
        place = np.flatnonzero(np.arange(T)[:, None] < steps)
        y = ops.embedding(anp.reshape(y, (T * N, y.shape[2])), place)
        if rng is not None and dropout > 0:
            y = ops.dropout(y, dropout, rng=rng)
        out = own["out"]
        nats = output(
            y, out["weight"], out["bias"], targets.ravel()[place], reduction=reduction, rng=rng
        )
        return SymbolNats(nats, place % max(N, 1))

    def generate(
        self,
        params: Mapping[str, Any],
        condition: Any,
        memory: Memory | None,
        rng: "Generator",
        *,
        max_length: int = 50,
        temperature: float = 0.0,
        top_k: int | None = None,
        top_p: float | None = None,
        min_length: int = 0,
        block_ngram_repeat: int = 0,
        **search: Any,
    ) -> list[Ids]:
        """Return one row of symbols for each condition (N, K), without EOS.

        Parameters
        ----------
        params : mapping
            Of the whole model.
        temperature : float
            0: what `fastrnn.decode.beam_search` finds; else draws.
        min_length, block_ngram_repeat
            As `fastrnn.decode.Rules`.
        **search
            beam_size, length_penalty, alpha and word_penalty of the search; refused with draws.
        """
        if unknown := sorted(set(search) - set(_OF_THE_SEARCH)):
            raise TypeError(f"{unknown} are no options; of the search are {list(_OF_THE_SEARCH)}")
        N, own = len(condition), self._own(params)
        rules = decode.Rules(min_length=min_length, block_ngram_repeat=block_ngram_repeat)
        most = integer("max_length", max_length, 1)
        greedy = number("temperature", temperature, 0) == 0
        if greedy and (top_k is not None or top_p is not None):
            raise ValueError("top_k and top_p need a temperature above 0: nothing is drawn at 0")
        if search and not greedy:
            raise ValueError(f"{sorted(search)} need the temperature 0: draws search for nothing")
        beams = integer("beam_size", search.get("beam_size", 1), 1)
        step, first = self._decoder.search(
            own, self._start(own, condition, memory), beams, lambda y, _: affine(own["out"], y)
        )
        if greedy:
            search = {"beam_size": 1} | search | {"overwrite_scores": True}
            hypotheses = decode.beam_search(step, first, N, max_length=most, rules=rules, **search)
        else:
            hypotheses = decode.draw(
                step, first, N, max_length=most, rules=rules, temperature=temperature, top_k=top_k,
                top_p=top_p, rng=rng,
            )  # fmt: skip
        return [best.tokens for best, *_ in hypotheses]

    def quantized(
        self, params: Mapping[str, Any], precision: str
    ) -> "tuple[ConditionedDecoder, Any]":
        """Return the decoder, and its part of a model's params with fewer bits."""
        made = copy(self)
        made._decoder, own = self._decoder.quantized(params, precision)
        made.params = {name: self.params[name] for name in own}
        return made, own

    def _own(self, params: Mapping[str, Any]) -> dict[str, Any]:
        """Return the decoder's part of a model's params, with the embedding."""
        own = {name: params["decoder"][name] for name in self.params}
        return {"embedding": params["embedding"], **own}

    def _start(self, own: Mapping[str, Any], condition: Any, memory: Memory | None) -> Start:
        """Return what the decoder starts from, given a condition (N, K)."""
        flat = anp.tanh(affine(own["init"], condition))
        parts = anp.reshape(flat, (len(flat), self._states * self._L, self._H))
        parts = anp.transpose(parts, (1, 0, 2))
        h, c = (parts, None) if self._states == 1 else (parts[: self._L], parts[self._L :])
        vectors, lengths = (None, None) if memory is None else memory
        return Start(vectors, lengths, condition, h, c)


def _check_attention(cell: str, decoder_input: str, layer_options: Mapping[str, Any]) -> None:
    """Refuse what the kernel with attention lacks."""
    if cell not in ("lstm", "gru"):
        raise ValueError(f"attention needs cell 'lstm' or 'gru', got {cell!r}")
    if decoder_input == "gated":
        raise ValueError("decoder_input must be 'init' or 'every' with attention, got 'gated'")
    if more := set(layer_options) - {"truncate", "clip_step"}:
        raise TypeError(f"{sorted(more)} are no options of a model with attention")


def _attention_params(
    cell: str, H: int, columns: int, W: int, dtype: Any, rng: "Generator"
) -> dict[str, Any]:
    """Return the first weights of a layer that attends to vectors of W columns."""
    G = 4 if cell == "lstm" else 3
    key, ih = linear_params(H, W, dtype, rng), linear_params(G * H, columns, dtype, rng)
    return {
        "weight_ih": ih["weight"] * np.array((columns / H) ** 0.5, dtype),
        "weight_hh": init.uniform((G * H, H), H**-0.5, rng, dtype),
        "bias_ih": init.uniform((G * H,), H**-0.5, rng, dtype),
        "bias_hh": init.uniform((G * H,), H**-0.5, rng, dtype),
        "weight_query": init.uniform((H, H), H**-0.5, rng, dtype),
        "weight_key": key["weight"],
        "bias_key": key["bias"],
        "vector": init.uniform((H,), H**-0.5, rng, dtype),
    }


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
