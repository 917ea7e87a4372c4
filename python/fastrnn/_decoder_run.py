"""One call of attention_decoder on the core: its arrays checked and laid out, forward, backward."""

from typing import Any

import numpy as np

from fastrnn import _checks, _core
from fastrnn._checks import Array, DType, allocate, floats, leading
from fastrnn._decoder import NAMES, Decoder, open_decoder, open_state

_SHARED = {"weight_general": "weight_query"}  # the core's name for the matrix of either score
_KEPT = ("outputs", "contexts", "attn", "keys", "queries", "states", "cells", "fed")


class DecoderRun:
    """The arrays of a call by the core's names.

    Attributes
    ----------
    decoder : Decoder
    inputs, outputs : dict of ndarray
        What the core reads, and what it writes.
    """

    def __init__(
        self, decoder: Decoder, inputs: dict[str, Array], outputs: dict[str, Array], threads: int
    ) -> None:
        self.decoder = decoder
        self.inputs = inputs
        self.outputs = outputs
        self._threads = threads

    @property
    def _kind(self) -> tuple[bool, str, bool, int]:
        d = self.decoder
        return d.cell == "lstm", d.score, d.query == "current", d.F

    def forward(self, keys_ready: bool = False) -> None:
        """Run all steps."""
        _core.attention_decoder_forward(
            *self._kind, keys_ready, self.inputs, self.outputs, self._threads
        )

    def results(self) -> tuple[Array, ...]:
        """Return outputs, contexts, weights and the arrays of the state after the last step."""
        o = self.outputs
        last = [o[name][-1].copy() for name in ("states", "cells", "fed") if name in o]
        return (o["outputs"], o["contexts"], o["attn"], *last)

    def backward(self, g: tuple[Array | None, ...], wanted: set[str]) -> dict[str, Array]:
        """Return the gradients of what is wanted, given those by the results; once."""
        d, given = self.decoder, dict(self.inputs)
        given |= {name: self.outputs[name] for name in _KEPT if name in self.outputs}
        # A gradient of 0 times a NaN in padding would be NaN.
        given["x"] = _without_padding(given["x"], given.get("lengths"))
        given["memory"] = _without_padding(given["memory"], given.get("memory_lengths"))
        by_results = zip(("doutputs", "dcontexts", "dattn"), g[:3], strict=True)
        given |= {name: array for name, array in by_results if array is not None}
        grads = {"gates": self.outputs.pop("gates")}
        widths = {"h": d.H, "c": d.H, "fed": d.F}
        for name, last in zip(d.state_names, g[3:], strict=True):
            grads[f"d{name}"] = _copy(f"d{name}", last, (d.N, widths[name]), given["x"].dtype)
        for name in wanted - widths.keys():
            like = given[_SHARED.get(name, name)]
            grads[_gradient(name)] = allocate(f"d{name}", like.shape, like.dtype)
        _core.attention_decoder_backward(*self._kind, given, grads, self._threads)
        return {name: grads[_gradient(name)] for name in wanted}


def open_run(
    x: Any,
    memory: Any,
    params: dict[str, Any],
    state: Any,
    threads: int,
    *,
    cell: Any,
    score: Any,
    query: Any,
    input_feed: Any,
    memory_lengths: Any,
    lengths: Any,
    num_threads: Any,
) -> DecoderRun:
    """Return the call with all its arrays, ready to run.

    Raises
    ------
    TypeError, ValueError, MemoryError
        As `fastrnn.ops.attention_decoder`.
    """
    if num_threads is not None:
        threads = _checks.integer("num_threads", num_threads, 1, _checks.MAX_THREADS)
    if params.get("weight_hh") is None:
        raise ValueError("params must have weight_hh")
    w_hh, dtype = leading("weight_hh", params["weight_hh"])
    arrays = {name: floats(name, array, dtype) for name, array in params.items()}
    arrays["weight_hh"] = w_hh
    x, memory = (_contiguous(n, floats(n, a, dtype)) for n, a in (("x", x), ("memory", memory)))
    d = open_decoder(x, memory, arrays, cell, score, query, input_feed)
    inputs = {"x": x, "memory": memory}
    inputs |= {_SHARED.get(n, n): arrays[n] for n in NAMES if n in arrays}
    if "vector" in inputs:
        inputs["vector"] = _contiguous("vector", inputs["vector"])
    for name, value, steps in (("lengths", lengths, d.T), ("memory_lengths", memory_lengths, d.S)):
        if value is not None:
            inputs[name] = _checks.lengths(value, steps, d.N, single=False)
    return DecoderRun(d, inputs, open_outputs(d, d.N, dtype, state), threads)


def open_outputs(d: Decoder, M: int, dtype: DType, state: Any) -> dict[str, Array]:
    """Return the arrays that forward writes, the initial state in its place; memory has M rows."""
    shapes = {
        "outputs": (d.T, d.N, d.O),
        "contexts": (d.T, d.N, d.C),
        "attn": (d.T, d.N, d.S),
        "gates": (d.T, d.N, 4 * d.H),
    }
    if d.score == "additive":
        shapes["keys"] = (d.S, M, d.A)
    if d.score != "dot":
        shapes["queries"] = (d.T, d.N, d.A)
    outputs = {name: allocate(name, shape, dtype) for name, shape in shapes.items()}
    if state is not None:
        state = tuple(
            array if array is None else floats(f"state {name}", array, dtype)
            for name, array in zip(d.state_names, state, strict=False)
        )
    initial = dict(zip(("h", "c", "fed"), open_state(d, state), strict=True))
    for name, kept, width in (("h", "states", d.H), ("c", "cells", d.H), ("fed", "fed", d.F)):
        if name in d.state_names:
            outputs[kept] = allocate(kept, (d.T + 1, d.N, width), dtype)
            outputs[kept][0] = 0 if initial[name] is None else initial[name]
    return outputs


def _gradient(name: str) -> str:
    return f"d{_SHARED.get(name, name)}"


def _contiguous(name: str, array: Array) -> Array:
    if array.flags.c_contiguous:
        return array
    return _copy(name, array, array.shape, array.dtype)


def _copy(name: str, array: Array | None, shape: tuple[int, ...], dtype: DType) -> Array:
    """Return a copy, or zeros for None."""
    fresh = allocate(name, shape, dtype)
    fresh[...] = 0 if array is None else array
    return fresh


def _without_padding(array: Array, lengths: Array | None) -> Array:
    """Return the array (steps, N, columns), or a copy with zeros from each row's length on."""
    if lengths is None:
        return array
    padding = np.arange(len(array))[:, None] >= lengths
    return np.where(padding[:, :, None], 0, array) if padding.any() else array
