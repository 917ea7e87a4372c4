"""All layers and directions of one call, bottom to top, and their backward, top to bottom."""

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from fastrnn._calls.call import Lengths, run
from fastrnn._calls.kinds import general
from fastrnn._calls.masks import NO_MASKS
from fastrnn._checks import Array, allocate
from fastrnn._layers import merge
from fastrnn._layers.noise import Noise
from fastrnn._layers.part import Part
from fastrnn._layers.record import Record
from fastrnn._layers.state import Flat
from fastrnn._options import GradientLimits

if TYPE_CHECKING:
    from numpy.random import Generator


class Dropout:
    """Inverted dropout between layers: keep with probability 1 - p, scale by 1 / (1 - p)."""

    def __init__(self, p: float, rng: "Generator") -> None:
        self.p = p
        self.rng = rng

    def mask(self, y: Array) -> Array:
        """Return a fresh mask (T, N, ·), True where y is kept."""
        mask: Array = self.rng.random(y.shape, dtype=np.float32) >= self.p
        return mask

    @staticmethod
    def apply(p: float, mask: Array, y: Array) -> Array:
        """Return y scaled where kept and exactly 0 elsewhere; its own backward."""
        scale = y.dtype.type(1 / (1 - p) if p < 1 else 0)
        kept: Array = np.where(mask, y * scale, y.dtype.type(0))
        return kept


def forward(
    layers: list[list[Part]],
    mode: str,
    x: Array,
    h0: Flat,
    c0: Flat,
    lengths: Lengths,
    y: Array,
    h_n: Flat,
    c_n: Flat,
    num_threads: int,
    record: Record | None = None,
    dropout: Dropout | None = None,
    noise: Noise | None = None,
    ids: NDArray[np.int64] | None = None,
) -> None:
    """Fill y (T, N, D·H of the top layer, or H when merged), h_n and c_n; all time-major.

    With a record the run can go back; dropout acts after every layer but the last. Where the bottom
    layer has no w_ih, x is its projected input, a block of columns per direction; or, with ids
    (T, N), a table (1, V, ·) of which these rows are.
    """
    k = 0
    projected = layers[0][0].projected
    if record is not None:
        record.projected = projected
    for l, layer in enumerate(layers):
        top = l == len(layers) - 1
        D, P = len(layer), layer[0].output_size
        shape = (*y.shape[:2], merge.width(mode, D, P))
        out = y if top else allocate("a layer's output", shape, x.dtype)
        outputs = merge.parts(mode, D, out)
        inputs = merge.parts("concat", D, x) if projected and l == 0 else [x] * D
        for part, source, target in zip(layer, inputs, outputs, strict=True):
            kind, masks = part.kind, NO_MASKS
            if noise is not None:
                masks = noise.masks(k, part, y.shape[0], y.shape[1], x.dtype)
                kind = general(kind) if any(m is not None for m in masks[:3]) else kind
            tape = run(
                kind, source, part.weights, part.packed, h0[k], c0[k], lengths, target,
                h_n[k], c_n[k], part.reverse, num_threads, record is not None, masks,
                ids if l == 0 else None,
            )  # fmt: skip
            if record is not None and tape is not None:
                record.tapes.append(tape)
            k += 1
        merge.merge(mode, outputs, out)
        x = out
        mask = None if dropout is None or top else dropout.mask(out)
        if mask is not None and dropout is not None:
            x = Dropout.apply(dropout.p, mask, out)
        if record is not None:
            record.outputs.append(outputs)
            record.masks.append(mask)


def backward(
    record: Record,
    mode: str,
    p: float,
    dy: Array | None,
    dh_n: Flat,
    dc_n: Flat,
    dh0: Flat,
    dc0: Flat,
    limits: GradientLimits,
    want_x: bool = True,
) -> tuple[Array | None, list[dict[str, Array]]]:
    """Use the record up; fill dh0 and dc0 where given.

    Returns the gradient by the input, if it is wanted, and for each layer and direction those by
    its weights.
    """
    weights: list[dict[str, Array]] = [{} for _ in record.tapes]
    dx: Array | None = dy
    for l in reversed(range(len(record.outputs))):
        outputs, mask = record.outputs[l], record.masks[l]
        if mask is not None and dx is not None:
            dx = Dropout.apply(p, mask, dx)
        pieces = merge.split(mode, dx, outputs)
        projected = record.projected and l == 0
        found: list[Array] = []
        for d, piece in enumerate(pieces):
            k = l * len(outputs) + d
            weights[k] = record.tapes[k].unwind(
                piece, dh_n[k], dc_n[k], dh0[k], dc0[k], want_x=want_x or l > 0,
                truncate=limits.truncate, clip_step=limits.clip_step,
                add_to=found[0] if found and not projected else None,
            )  # fmt: skip
            if "x" in weights[k]:
                found.append(weights[k].pop("x"))
        # By what all directions read: one array, or a block of columns each.
        dx = np.concatenate(found, axis=2) if len(found) > 1 else found[0] if found else None
    return dx, weights
