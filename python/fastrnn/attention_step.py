"""AttentionStep: a decoder with attention one step at a time, for decoding; needs NumPy alone."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from fastrnn import _checks, _core
from fastrnn._checks import Array, allocate, floats
from fastrnn._decoder import Decoder, check
from fastrnn._decoder_run import DecoderRun, contiguous, open_arrays, open_outputs, packed
from fastrnn.runtime import team


class AttentionStep:
    """One step of `fastrnn.ops.attention_decoder` a call, without gradients.

    What a beam search asks for: the keys are computed and the weights are put into the order of the
    kernels once, and rows may share a row of memory, so that nothing of it is copied for the
    hypotheses of a sentence. Memory, parameters and embedding are kept without a copy: leave them
    as they are while the steps go on.

    Parameters
    ----------
    memory : array_like, (S, M, C)
    params : dict
        As `fastrnn.ops.attention_decoder`, as the next four.
    cell, score, query : str
    input_feed : bool
    memory_lengths : array_like of int or None, (M,)
    num_threads : int or None
        None: the process-wide setting.
    embedding : array_like or None, (V, E)
        The vectors of symbols: the steps then take symbols in the place of x.
    rows : int
        About how many rows will attend to each row of memory, at least 1. With several, memory
        times the weights by which contexts are multiplied is computed once, where that is faster;
        results differ by rounding.

    Raises
    ------
    TypeError, ValueError, MemoryError
        As `fastrnn.ops.attention_decoder`.

    References
    ----------
    As `fastrnn.ops.attention_decoder`.

    Examples
    --------
    >>> import fastrnn, numpy as np
    >>> params = {"weight_ih": np.zeros((3, 2)), "weight_hh": np.zeros((3, 1))}
    >>> step = fastrnn.AttentionStep(np.array([[[1.0]], [[3.0]]]), params, score="dot")
    >>> output, context, weights, state = step(np.ones((2, 1)), rows=[0, 0])
    >>> context, weights
    (array([[2.],
           [2.]]), array([[0.5, 0.5],
           [0.5, 0.5]]))
    """

    def __init__(
        self,
        memory: ArrayLike,
        params: Any,
        *,
        cell: str = "gru",
        score: str = "additive",
        query: str = "previous",
        input_feed: bool = True,
        memory_lengths: ArrayLike | None = None,
        num_threads: int | None = None,
        embedding: ArrayLike | None = None,
        rows: int = 1,
    ) -> None:
        rows = _checks.integer("rows", rows, 1)
        self._threads = _checks.threads(num_threads)
        d, inputs, dtype = open_arrays(None, memory, params, (cell, score, query, input_feed))
        if memory_lengths is not None:
            inputs["memory_lengths"] = _checks.lengths(
                memory_lengths, d.S, d.N, False, "memory_lengths", ("M", "S")
            )
        self._decoder, self._dtype = d, dtype
        self._rows = d.N  # of memory
        self._ready = _Ready(d, inputs, params, rows, self._threads or team.get())
        self._embedding: Array | None = None
        if embedding is not None:
            self._embedding = contiguous("embedding", floats("embedding", embedding, dtype))
            shape = (*self._embedding.shape[:1], d.E)
            check("embedding", self._embedding, "(V, E)", shape)
            self._table = self._ready.table(self._embedding)

    def __call__(
        self,
        x: ArrayLike,
        state: Any = None,
        rows: ArrayLike | None = None,
        parents: ArrayLike | None = None,
    ) -> tuple[Array, Array, Array, tuple[Array, ...]]:
        """Advance every row by one step.

        Parameters
        ----------
        x : array_like, (N, E); or of int, (N,)
            Vectors; or symbols, each in 0..V-1, with an embedding.
        state : tuple of array_like or None
            What the call before returned. None: zeros.
        rows : array_like of int or None, (N,)
            The row of memory, 0..M-1, that each row attends to; None: each its own, N is M.
        parents : array_like of int or None, (N,)
            The row of state that each row goes on from; None: its own.

        Returns
        -------
        output : ndarray, (N, O)
        context : ndarray, (N, C)
        weights : ndarray, (N, S)
        state : tuple of ndarray
            h, c of an LSTM, and fed where the step before feeds.

        Raises
        ------
        TypeError
            x or state is no floating array of the parameters' dtype, or symbols, rows or parents
            are no integers.
        ValueError
            A shape does not fit, or a symbol or row is out of range.
        MemoryError
            A result or the workspace does not fit.
        """
        inputs, N = self._fed(x)
        inputs |= self._ready.inputs
        d = self._decoder._replace(N=N)
        if rows is not None:
            inputs["memory_rows"] = _places("rows", rows, N, self._rows, "M")
        elif self._rows != N:
            raise ValueError(f"x must have M = {self._rows} rows, or pass rows; got {N}")
        if parents is not None:
            if not isinstance(state, (tuple, list)) or not state or np.ndim(state[0]) == 0:
                raise ValueError("parents needs the state whose rows they are")
            parents = _places("parents", parents, N, len(state[0]), "rows of state")
        outputs = open_outputs(d, self._dtype, state, self._ready.keys, parents)
        run = DecoderRun(d, inputs, outputs, self._threads or team.get())
        run.forward(self._ready.weights, keys_ready=self._ready.keys is not None)
        after = [outputs[name][1] for name in ("states", "cells", "fed") if name in outputs]
        return outputs["outputs"][0], outputs["contexts"][0], outputs["attn"][0], tuple(after)

    def _fed(self, x: Any) -> tuple[dict[str, Array], int]:
        """Return what stands for x, and N."""
        if self._embedding is not None:
            V = len(self._embedding)
            tokens = _places("x", x, len(x) if np.ndim(x) else -1, V, "V")
            if self._table is not None:
                return {"table": self._table, "tokens": tokens}, len(tokens)
            return {"x": self._embedding[tokens][None]}, len(tokens)
        x = floats("x", x, self._dtype)
        E = self._decoder.E
        if x.ndim != 2 or x.shape[1] != E:
            raise ValueError(f"x must have shape (N, E) = (N, {E}), got {x.shape}")
        return {"x": contiguous("x", x)[None]}, len(x)


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


class _Ready:
    """What all steps share: their inputs, `rows` rows for each row of memory."""

    def __init__(
        self, d: Decoder, inputs: dict[str, Array], params: Mapping[str, Any], rows: int,
        threads: int,
    ) -> None:  # fmt: skip
        self._d, self._inputs, self._threads = d, inputs, threads
        self.keys: Array | None = None
        if d.score == "additive":
            self.keys = self._of_memory(
                "keys", inputs["weight_key"], inputs.get("bias_key"), self._lengths()
            )
        self.weights = packed(d, inputs, params)
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


def _places(name: str, value: Any, N: int, most: int, symbol: str) -> Array:
    """Return N integers in 0..most-1 as the core takes them."""
    _checks.unmasked(name, value)
    array = np.asarray(value)
    if array.dtype.kind not in "iu":
        raise TypeError(f"{name} must hold integers, got {array.dtype}")
    if array.ndim != 1 or len(array) != N:
        raise ValueError(f"{name} must have shape (N,), got {array.shape}")
    if N and not (array.min() >= 0 and array.max() < most):
        raise ValueError(f"{name} must lie in 0..{symbol}-1 = 0..{most - 1}, got {array}")
    return np.require(array, np.int64, ["C", "A"])
