"""The decoder with attention on the core: one call with its arrays, and its gradients."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from fastrnn import _checks, _core
from fastrnn._checks import Array, DType, allocate, floats, leading
from fastrnn._decoder import NAMES, Decoder, open_decoder, open_state
from fastrnn._quantize import Int8Rows, Matrix
from fastrnn.cells import GradientLimits

_SHARED = {"weight_general": "weight_query"}  # the core's name for the matrix of either score
# The matrices that steps multiply by: those that may have fewer bits in a kernel.
_MATRICES = ("weight_ih", "weight_hh", "weight_query", "weight_general", "weight_output")
_KEPT = ("outputs", "contexts", "attn", "keys", "queries", "states", "cells", "fed")


def packed(
    d: Decoder, inputs: dict[str, Array], params: Mapping[str, Any]
) -> _core.DecoderWeights:
    """Return the matrices in the kernels' order, with fewer bits where those of params have.

    Those with fewer bits are all of one kind, and nobody edits them: they are packed once.
    """
    w_hh = params["weight_hh"]
    if not isinstance(w_hh, Matrix):
        return _core.DecoderWeights(*d.kind, inputs)
    int8: dict[str, Array] = {}
    for name in _MATRICES:
        matrix = params.get(name)
        if isinstance(matrix, Int8Rows):
            own = _SHARED.get(name, name)
            int8 |= {own: matrix.values, own.replace("weight", "scale"): matrix.scale}
    return w_hh.packed_with(
        tuple(params.get(name) for name in NAMES),
        d.kind,
        lambda: _core.DecoderWeights(*d.kind, inputs, int8 or None, not int8),
    )


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

    def forward(
        self, weights: _core.DecoderWeights | None = None, *, keys_ready: bool = False
    ) -> None:
        """Run all steps."""
        _core.attention_decoder_forward(
            *self.decoder.kind, keys_ready, self.inputs, self.outputs, self._threads, weights
        )

    def results(self) -> tuple[Array, ...]:
        """Return outputs, contexts, weights and the arrays of the state after the last step."""
        o = self.outputs
        last = [o[name][-1].copy() for name in ("states", "cells", "fed") if name in o]
        return (o["outputs"], o["contexts"], o["attn"], *last)

    def backward(
        self, g: tuple[Array | None, ...], wanted: set[str], limits: GradientLimits
    ) -> dict[str, Array]:
        """Return the gradients of what is wanted, given those by the results.

        Raises
        ------
        ValueError
            It has been called before: the record of forward is used up by the way back.
        """
        if "gates" not in self.outputs:
            raise ValueError(
                "attention_decoder must run again: its record serves one backward, and is spent"
            )
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
        if not d.T and "dmemory" in grads:  # the dot products write it step by step
            grads["dmemory"][...] = 0
        _core.attention_decoder_backward(*d.kind, given, grads, self._threads, *limits)
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
    threads = _checks.threads(num_threads) or threads
    d, inputs, dtype = open_arrays(x, memory, params, (cell, score, query, input_feed))
    for name, value, most, steps in (
        ("lengths", lengths, "T", d.T),
        ("memory_lengths", memory_lengths, "S", d.S),
    ):
        if value is not None:
            inputs[name] = _checks.lengths(value, steps, d.N, False, name, ("N", most))
    return DecoderRun(d, inputs, open_outputs(d, dtype, state), threads)


def open_arrays(
    x: Any, memory: Any, params: Any, options: tuple[Any, ...]
) -> tuple[Decoder, dict[str, Array], DType]:
    """Return what the call is, what the core reads of it, and its dtype; x None: of one step."""
    if not isinstance(params, Mapping) or params.get("weight_hh") is None:
        raise ValueError("params must have weight_hh, and be a dict")
    w_hh = params["weight_hh"]
    w_hh, dtype = leading("weight_hh", w_hh[:] if isinstance(w_hh, Matrix) else w_hh)
    arrays = {
        n: w[:] if isinstance(w, Matrix) else floats(n, w, dtype)
        for n, w in params.items()
        if w is not None
    }
    arrays["weight_hh"] = w_hh
    inputs = {"memory": contiguous("memory", floats("memory", memory, dtype))}
    if x is not None:
        inputs["x"] = contiguous("x", floats("x", x, dtype))
    d = open_decoder(inputs.get("x"), inputs["memory"], arrays, *options)
    inputs |= {_SHARED.get(n, n): arrays[n] for n in NAMES if n in arrays}
    if "vector" in inputs:
        inputs["vector"] = contiguous("vector", inputs["vector"])
    return d, inputs, dtype


def open_outputs(
    d: Decoder, dtype: DType, state: Any, keys: Array | None = None, parents: Array | None = None
) -> dict[str, Array]:
    """Return the arrays that forward writes, the initial state in its place; keys may be ready.

    With parents, (N,), row n goes on from that row of the state, which may have another number.
    """
    shapes = {
        "outputs": (d.T, d.N, d.O),
        "contexts": (d.T, d.N, d.C),
        "attn": (d.T, d.N, d.S),
        "gates": (d.T, d.N, 4 * d.H),
    }
    if d.score == "additive" and keys is None:
        shapes["keys"] = (d.S, d.N, d.A)
    if d.score != "dot":
        shapes["queries"] = (d.T, d.N, d.A)
    outputs = {name: allocate(name, shape, dtype) for name, shape in shapes.items()}
    if keys is not None:
        outputs["keys"] = keys
    if isinstance(state, (tuple, list)):
        state = tuple(
            array if array is None else floats(f"state {name}", array, dtype)
            for name, array in zip(d.state_names, state, strict=False)
        ) + tuple(state[len(d.state_names) :])
    given = d if parents is None else d._replace(N=len(state[0]))
    initial = dict(zip(("h", "c", "fed"), open_state(given, state), strict=True))
    for name, kept, width in (("h", "states", d.H), ("c", "cells", d.H), ("fed", "fed", d.F)):
        if name in d.state_names:
            outputs[kept] = allocate(kept, (d.T + 1, d.N, width), dtype)
            if parents is None or initial[name] is None:
                outputs[kept][0] = 0 if initial[name] is None else initial[name]
            else:  # they are in range: "clip" only spares a buffer
                np.take(initial[name], parents, axis=0, out=outputs[kept][0], mode="clip")
    return outputs


def _gradient(name: str) -> str:
    return f"d{_SHARED.get(name, name)}"


def contiguous(name: str, array: Array) -> Array:
    """Return the array, or a copy in C order."""
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
