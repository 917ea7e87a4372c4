"""A layer as a pure function for autograd: all its layers and directions are one node."""

from collections.abc import Mapping
from typing import Any

import autograd.numpy as anp
import numpy as np

from fastrnn._calls.tape import Tape
from fastrnn._checks import Array, flag
from fastrnn._layers import direct, stack
from fastrnn._layers.noise import Noise
from fastrnn._layers.record import Record
from fastrnn._layers.running import Running
from fastrnn._options import GradientLimits
from fastrnn.init import generator
from fastrnn.ops._primitive import Call, differentiable, opened

# The layer, whose own weights are not looked at; what the weights of a call are called; the numbers
# of the first array that is not of h, and not of c; lengths; what chance does.
# The last: ids (T, N) of int64, where x is a table (V, D·G·H) whose rows are the projected input.
# What limits the gradients on their way back.
About = tuple[
    Running, list[str], int, int, Any, stack.Dropout | None, Noise | None, Any, GradientLimits
]


def _forward(
    call: Call,
    x: Any,
    *arrays: Any,
    about: About,
) -> tuple[Array, ...]:
    """Return y, the arrays of h and those of c.

    Parameters
    ----------
    x, *arrays
        The input, the arrays of h, those of c, and the weights.
    about : tuple
        The rest of a call, which is no array.
    """
    layer, names, after_h, after_c, lengths, dropout, noise, ids, limits = about
    h, c = arrays[:after_h], arrays[after_h:after_c]
    params = dict(zip(names, arrays[after_c:] if after_c else arrays, strict=True))
    table = ids is not None
    x = x[None] if table else x
    if layer._alone and dropout is None and noise is None:
        found = direct.forward(layer, x, h, c, params, lengths, call.traced, ids)
        if found is not None:
            call.kept = layer, names, found[1], (after_h, after_c - after_h), table, limits
            return found[0]
    state = layer._layout.join(list(h), list(c))
    parts = layer._build(params, packed=False)
    record = Record() if call.traced else None
    y, state, tape = layer._run(x, state, lengths, parts, record, dropout, noise, ids)
    h_n, c_n = layer._layout.split(state)
    results = (y, *h_n, *c_n)
    call.kept = layer, names, tape, results, table, limits
    return results


def _backward(call: Call, g: tuple[Array | None, ...]) -> tuple[Array | None, ...]:
    """Return the gradients by x, the arrays of the state, and the weights; the tape is used up."""
    layer, names, tape, kept, table, limits = call.kept
    if type(tape) is Tape:
        want_x, states = call.wanted[0], any(call.wanted[1 : 1 + sum(kept)])
        dx, *others = direct.backward(layer, tape, g, kept, names, want_x, states, limits)
        return (dx[0] if table and dx is not None else dx, *others)
    dy, *dfinal = g
    final = kept[1:]
    layout = layer._layout
    half = len(final) // (2 if layout.cell_state else 1)
    dh_n, dc_n = _filled(dfinal[:half], final[:half]), _filled(dfinal[half:], final[half:])
    dx, dstate, weights = layer._back(
        tape, dy, layout.join(dh_n, dc_n), limits, want_x=call.wanted[0]
    )
    dh, dc = layout.split(dstate)
    dx = dx[0] if table and dx is not None else dx
    return (dx, *dh, *dc, *[weights[name] for name in names])


def _filled(gradients: list[Array | None], like: list[Array]) -> list[Array]:
    """Return the gradients with zeros for those that are missing; none if all are."""
    if all(gradient is None for gradient in gradients):
        return []
    return [
        np.zeros_like(array) if gradient is None else gradient
        for gradient, array in zip(gradients, like, strict=True)
    ]


_nodes = {name: differentiable(name, _forward, _backward) for name in ("rnn", "gru", "lstm")}


def input_weight(layer: Running, params: Mapping[str, Any]) -> Any:
    """Return the bottom layer's w_ih of all directions, one below the other."""
    weights = [params[d.names["w_ih"]] for d in layer._directions[0]]
    return weights[0] if len(weights) == 1 else anp.concatenate(weights)


def apply(
    layer: Running,
    params: Mapping[str, Any],
    x: Any,
    state: Any,
    lengths: Any,
    rng: Any,
    projected: Any,
    masks: Any,
    ids: Any = None,
    limits: GradientLimits | None = None,
) -> tuple[Any, Any]:
    """Return y and the final state, as one node where something is being differentiated.

    With ids (T, N) of int64, which the core alone takes, x is the projected input of each symbol,
    (V, D·G·H): that spares an update of a language model the gathered rows and their gradients.
    """
    names = layer._names()
    if flag("projected", projected):
        bottom = {d.names["w_ih"] for d in layer._directions[0]}
        names = [name for name in names if name not in bottom]
        layer._check_names({*params} - bottom, names)
    else:
        layer._check_names(params, names)
    layout = layer._layout
    h, c = ([], []) if state is None else layout.split(opened(state))
    dropout = None
    if rng is not None and generator(rng) and layer.dropout > 0:
        dropout = stack.Dropout(layer.dropout, rng)
    y, *states = _nodes[layer._kind.function](
        x, *h, *c, *[params[name] for name in names],
        about=(
            layer, names, len(h), len(h) + len(c), lengths, dropout, layer._noise(rng, masks), ids,
            limits or layer._gradient_limits(None, None),
        ),
    )  # fmt: skip
    if layer._alone and not layout.listed:
        return y, tuple(states) if layout.cell_state else states[0]
    half = len(states) // (2 if layout.cell_state else 1)
    return y, layout.join(states[:half], states[half:])
