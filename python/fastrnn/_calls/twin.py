"""The reference backend: the same call on the NumPy twins, their results copied to the outputs."""

from collections.abc import Iterable
from importlib import import_module
from typing import Any

import numpy as np

from fastrnn._calls.kinds import Kind
from fastrnn._calls.masks import NO_MASKS, Masks
from fastrnn._checks import Array


def forward(
    kind: Kind,
    x: Array,
    weights: tuple[Array | None, ...],
    h0: Array | None,
    c0: Array | None,
    lengths: Array | None,
    y: Array,
    h_n: Array,
    c_n: Array | None,
    reverse: bool,
    keep: bool,
    masks: Masks = NO_MASKS,
) -> Any:
    """Fill y, h_n and c_n by the twin of this cell; return its tape when `keep` is set."""
    x, *weights_in_order, h0, c0 = in_order(x, *weights, h0, c0)
    if kind.layer_norm:
        normed = import_module("fastrnn.reference._normed")
        outputs, state, tape = normed.forward(
            kind, x, weights_in_order, h0, c0, (lengths, reverse, False),
            masks._replace(w_mask=None),
        )  # fmt: skip
        targets = [target for target in (y, h_n, c_n) if target is not None]
        copy_all(zip(targets, (outputs, *state), strict=True))
        return tape if keep else None
    *plain, w_peephole, w_hr, _ = weights_in_order
    options: dict[str, Any] = dict(kind.options, lengths=lengths, reverse=reverse, h0=h0)
    options["masks"] = masks._replace(w_mask=None)  # w_hh has it already
    if kind.cell_state:
        options |= {"c0": c0, "w_hr": w_hr}
    if kind.peephole:
        options["w_peephole"] = w_peephole
    twin = getattr(import_module("fastrnn.reference"), kind.function + "_forward" * keep)
    outputs, state, *tape = twin(x, *plain, **options)
    copy_all([(y, outputs), (h_n, state[0] if kind.cell_state else state)])
    if c_n is not None:
        copy_all([(c_n, state[1])])
    return tape[0] if keep else None


def backward(
    kind: Kind,
    inner: Any,
    dy: Array | None,
    dh_n: Array | None,
    dc_n: Array | None,
    gradients: dict[str, Array],
    truncate: int | None,
    clip_step: float | None,
) -> None:
    """Use up the twin's tape and copy its gradients to the arrays of the same names."""
    dy, dh_n, dc_n = in_order(dy, dh_n, dc_n)
    options: dict[str, Any] = {"truncate": truncate, "clip_step": clip_step}
    if kind.cell_state:
        options["dc_n"] = dc_n
    if kind.layer_norm:
        normed = import_module("fastrnn.reference._normed")
        found = normed.backward(kind, inner, dy, dh_n, dc_n, truncate, clip_step)
        copy_all((array, found[name]) for name, array in gradients.items())
        return
    twin = getattr(import_module("fastrnn.reference"), kind.function + "_backward")
    result = twin(inner, dy, dh_n, **options)
    copy_all((array, getattr(result, name)) for name, array in gradients.items())


def in_order(*arrays: Any) -> list[Any]:
    """Return C-contiguous arrays: how a matrix product rounds may depend on its strides."""
    return [None if array is None else np.ascontiguousarray(array) for array in arrays]


def copy_all(pairs: Iterable[tuple[Array, Array]]) -> None:
    """Copy each second array to the first; the twin must have kept the dtype."""
    for target, source in pairs:
        np.copyto(target, source, casting="no")
