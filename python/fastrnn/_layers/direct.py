"""One layer in one direction: arrays that need no conversion go straight to the core.

What stack.py and state.py do for any number of layers takes longer than a small layer itself.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from fastrnn._calls.call import plain
from fastrnn._calls.tape import Tape, gradients
from fastrnn._checks import Array
from fastrnn._layers.part import Part
from fastrnn._layers.running import Running
from fastrnn._options import GradientLimits

_ndarray = np.ndarray


def inference(
    layer: Running, part: Part, x: Any, state: Any, lengths: Any
) -> tuple[Array, Any] | None:
    """Return y and the state as a call of the layer does.

    Or None, where something has to be converted or explained, or sizes are a list. A call with
    H = 32 and T = N = 1 takes 4.0 us with it instead of 7.1 (processor time, Zen 5).
    """
    layout = layer._layout
    if layout.listed:
        return None
    h = c = None
    if state is not None:
        if not layout.cell_state:
            h = state
        elif type(state) is tuple and len(state) == 2:
            h, c = state
        else:
            return None
        for given in (h, c):
            if given is not None and (
                type(given) is not _ndarray or given.ndim != 3 or len(given) != 1
            ):
                return None
    found = plain(
        part.kind, x, part.weights[:6], None if h is None else h[0], None if c is None else c[0],
        lengths, False, layer.batch_first, None, False,
        packed=part.packed,
        sizes=(part.dtype, part.hidden_size, part.output_size) if part.packed else None,
    )  # fmt: skip
    if found is None:
        return None
    y, h_n, c_n, _ = found
    return y, h_n[None] if c_n is None else (h_n[None], c_n[None])


def forward(
    layer: Running,
    x: Any,
    h: Sequence[Any],
    c: Sequence[Any],
    params: dict[str, Any],
    lengths: Any,
    keep: bool,
    ids: Any,
) -> tuple[tuple[Array, ...], Tape | None] | None:
    """Return y, h_n and, of an LSTM, c_n as `apply` does, and the tape.

    Or None, where something has to be converted or explained: `Running._run` does. h and c hold one
    array (1, N, ·), or none. With ids (T, N), x is the table (1, V, G·H) that they name rows of.
    """
    ((direction,),) = layer._directions
    shapes, dtype = direction.shapes, layer.dtype
    for name, weight in params.items():
        if type(weight) is not _ndarray or weight.dtype is not dtype:
            return None
        if weight.shape != shapes[name]:
            return None
    for state in (*h, *c):
        if type(state) is not _ndarray or state.ndim != 3 or len(state) != 1:
            return None
    w_ih, w_hh, b_ih, b_hh, w_peephole, w_hr = map(params.get, direction.in_order[:6])
    weights = w_ih, w_hh, b_ih, b_hh, w_peephole, w_hr
    found = plain(
        direction.kind, x, weights, h[0][0] if h else None, c[0][0] if c else None, lengths, False,
        layer.batch_first, None, keep, ids,
    )  # fmt: skip
    if found is None:
        return None
    y, h_n, c_n, tape = found
    return (y, h_n[None]) if c_n is None else (y, h_n[None], c_n[None]), tape


def backward(
    layer: Running,
    tape: Tape,
    g: Sequence[Array | None],
    states: tuple[int, int],
    names: list[str],
    want_x: bool,
    want_states: bool,
    limits: GradientLimits,
) -> tuple[Array | None, ...]:
    """Return the gradients by x, the initial states and the weights; the tape is used up.

    names, of the weights, lack the first where x was projected.
    """
    ((direction,),) = layer._directions
    dh_n, dc_n = g[1], g[2] if len(g) > 2 else None
    found = gradients(
        tape, direction.kind.function, g[0], None if dh_n is None else dh_n[0],
        None if dc_n is None else dc_n[0], want_x=want_x, want_states=want_states,
        truncate=limits.truncate, clip_step=limits.clip_step,
    )  # fmt: skip
    weights = map(found.__getitem__, direction.arguments[-len(names) :])
    if not want_states:
        return (found.get("x"), *[None] * sum(states), *weights)
    initial = [found[name][None] for name, count in zip(("h0", "c0"), states, strict=True) if count]
    return (found.get("x"), *initial, *weights)
