"""What a decoder that goes on step by step computes once: keys, table, memory times weights."""

import numpy as np

from fastrnn import _core
from fastrnn._checks import Array, allocate
from fastrnn._decoder import Decoder

# From this many rows for each row of memory it pays to multiply memory instead of the contexts:
# there are about as many steps as positions of memory. With packed weights and the table, beam 5 of
# 200 words spends 14 ms in the kernel instead of 22 (H = 128, C = 256, one thread of Zen 5).
_ROWS = 3
# And where C is so many times the positions: a step of 160 rows takes 0.57 ms instead of 0.66 at
# S = 10, as long at S = 30, and 1.5 instead of 1.3 at S = 60 (H = 128, C = 256); at H = 256 it is
# as long at S = 55.
_SUMS = 10
# The table pays while it has no more rows than some steps together.
_STEPS = 16


class Ready:
    """The inputs of all steps, `rows` rows for each row of memory."""

    def __init__(self, d: Decoder, inputs: dict[str, Array], rows: int, threads: int) -> None:
        self._d, self._inputs, self._threads = d, inputs, threads
        self.keys: Array | None = None
        if d.score == "additive":
            self.keys = self._of_memory(
                "keys", inputs["weight_key"], inputs.get("bias_key"), self._lengths()
            )
        self.weights = _core.DecoderWeights(*d.kind, inputs)
        self.inputs = inputs | (self._projected() if rows >= _ROWS else {})
        self._most_symbols = _STEPS * d.N * rows

    def table(self, embedding: Array) -> Array | None:
        """Return what x adds to the gates for each symbol, or None where that does not pay."""
        d, weights = self._d, self._inputs
        if len(embedding) > self._most_symbols:
            return None
        width = d.gates * d.H
        bias = np.zeros(width, embedding.dtype)
        for name, both in (("bias_ih", width), ("bias_hh", width if d.cell == "lstm" else 2 * d.H)):
            if name in weights:  # the GRU's new gate has its second bias inside
                bias[:both] += weights[name][:both]
        table = allocate("the table of symbols", (len(embedding), width), embedding.dtype)
        weight = weights["weight_ih"][:, : d.E]
        _core.linear_forward(embedding, weight, bias, table, self._threads)
        return table

    def _lengths(self) -> Array:
        return self._inputs.get("memory_lengths", np.full(self._d.N, self._d.S))

    def _projected(self) -> dict[str, Array]:
        """Return memory times what multiplies contexts, and where each of its rows is."""
        d, weights = self._d, []
        if d.F and d.query == "previous":
            weights.append(self._inputs["weight_ih"][:, d.E :])
        if "weight_output" in self._inputs:
            weights.append(self._inputs["weight_output"][:, d.H :])
        lengths = self._lengths()
        few = lengths * _SUMS <= d.C
        if not weights or not few.any():
            return {}
        weight = np.concatenate(weights)
        projected = self._of_memory("memory times weights", weight, None, np.where(few, lengths, 0))
        return {"projected": projected, "projected_rows": np.where(few, np.arange(d.N), -1)}

    def _of_memory(
        self, name: str, weight: Array, bias: Array | None, lengths: Array
    ) -> Array:
        """Return the products (S, M, O) of the first positions of each row of memory."""
        memory = self._inputs["memory"]
        there = np.arange(len(memory))[:, None] < lengths
        whole = allocate(name, (*memory.shape[:2], len(weight)), memory.dtype)
        rows = memory[there]
        products = allocate(name, (len(rows), len(weight)), memory.dtype)
        _core.linear_forward(rows, weight, bias, products, self._threads)
        whole[there] = products
        return whole
