"""Attending: a decoder that looks at the turns before, at each of its steps."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import autograd.numpy as anp
import numpy as np

from fastrnn import init, ops
from fastrnn._checks import integer
from fastrnn.models._parts.decoder import Decoder, Ids, Memory
from fastrnn.models._parts.reader import linear_params

if TYPE_CHECKING:
    from numpy.random import Generator


class Attending(Decoder):
    """A decoder with additive attention; all its steps are one call of `ops.attention_decoder`.

    Parameters
    ----------
    memory_size : int
        How long each vector is that it attends to.
    cell : {"lstm", "gru"}
    condition_size, decoder_input, …
        As `Decoder`; the condition has no gate.

    Attributes
    ----------
    params : dict
        ``"init"``, ``"out"``, and ``"rnn"`` with the names of `ops.attention_decoder`.
    """

    def __init__(
        self,
        cell: str,
        vocab: int,
        embedding_size: int,
        hidden_size: int,
        condition_size: int,
        *,
        memory_size: int,
        decoder_input: str,
        rng: "Generator",
        **options: Any,
    ) -> None:
        if cell not in ("lstm", "gru"):
            raise ValueError(f"attention needs cell 'lstm' or 'gru', got {cell!r}")
        if decoder_input == "gated":
            raise ValueError("decoder_input must be 'init' or 'every' with attention, got 'gated'")
        more = set(options) - {"num_layers", "dtype", "truncate", "clip_step"}
        if more:
            raise TypeError(f"{sorted(more)} are no options of a model with attention")
        super().__init__(
            cell, vocab, embedding_size, hidden_size, condition_size, decoder_input="init",
            rng=rng, **options,
        )  # fmt: skip
        self.input, self._cell = decoder_input, cell
        H, W = self._H, integer("memory_size", memory_size, 1)
        G = 4 if cell == "lstm" else 3
        columns = embedding_size + (condition_size if decoder_input == "every" else 0) + W
        dtype = self.layer.dtype
        key, ih = linear_params(H, W, dtype, rng), linear_params(G * H, columns, dtype, rng)
        self.params["rnn"] = {
            "weight_ih": ih["weight"] * np.array((columns / H) ** 0.5, dtype),
            "weight_hh": init.uniform((G * H, H), H**-0.5, rng, dtype),
            "bias_ih": init.uniform((G * H,), H**-0.5, rng, dtype),
            "bias_hh": init.uniform((G * H,), H**-0.5, rng, dtype),
            "weight_query": init.uniform((H, H), H**-0.5, rng, dtype),
            "weight_key": key["weight"],
            "bias_key": key["bias"],
            "vector": init.uniform((H,), H**-0.5, rng, dtype),
        }

    def run(
        self,
        params: Mapping[str, Any],
        embedding: Any,
        condition: Any,
        ids: Ids,
        *,
        state: Any = None,
        memory: Memory | None = None,
        lengths: Ids | None = None,
        rng: "Generator | None" = None,  # noqa: ARG002
        learning: bool = False,  # noqa: ARG002
    ) -> tuple[Any, Any]:
        """Return the outputs (T, N, H) for what it sees (T, N), and its final state."""
        assert memory is not None
        x = ops.embedding(embedding, ids)
        if self.input == "every":
            everywhere = condition + anp.zeros((len(ids), 1, 1), self.layer.dtype)
            x = anp.concatenate([x, everywhere], axis=2)
        if state is None:
            state = self.state(params, condition)
        y, _, _, after = ops.attention_decoder(
            x, memory.vectors, params["rnn"], cell=self._cell, score="additive",
            memory_lengths=memory.lengths, lengths=lengths, state=state,
            truncate=self.layer.truncate, clip_step=self.layer.clip_step,
        )  # fmt: skip
        return y, after

    def state(self, params: Mapping[str, Any], condition: Any) -> Any:
        """Return the initial state that a condition (N, K) makes, h and for an LSTM c, (N, H)."""
        made = super().state(params, condition)
        return (made[0],) if self._states == 1 else (made[0][0], made[1][0])

    def rows(self, state: Any, rows: Ids) -> Any:
        """Return the state of some of its rows, in this order."""
        return tuple(part[rows] for part in state)
