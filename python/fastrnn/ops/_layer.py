"""A layer as a pure function for autograd: all its layers and directions are one node."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

import autograd.numpy as anp
import numpy as np

from fastrnn._call import FOR_INFERENCE
from fastrnn._checks import Array, flag, generator
from fastrnn._frozen import FrozenWeights
from fastrnn._stack import Dropout, Noise
from fastrnn.cells import SPECS, GradientLimits
from fastrnn.ops._primitive import Call, differentiable, opened

if TYPE_CHECKING:
    from fastrnn.recurrent import Layer


class Given(NamedTuple):
    """What a call has beside arrays.

    The layer, whose own weights are not looked at; what the weights of the call are called; how
    many arrays of h, and of c, come before them; and with ids (T, N) of int64 x is a table
    (V, D·G·H) whose rows are the projected input. Quantised weights are no arrays of the call, but
    stand here.
    """

    layer: "Layer"
    names: list[str]
    states: tuple[int, int]
    lengths: Any
    dropout: Dropout | None
    noise: Noise | None
    ids: Any
    limits: GradientLimits
    frozen: FrozenWeights | None


def apply(
    layer: "Layer",
    params: Mapping[str, Any],
    x: Any,
    state: Any = None,
    *,
    lengths: Any = None,
    rng: Any = None,
    projected: Any = False,
    masks: Any = None,
    ids: Any = None,
    limits: GradientLimits | None = None,
) -> tuple[Any, Any]:
    """Return y and the final state, as one node where something is being differentiated.

    With ids (T, N) of int64, which the core alone takes, x is the projected input of each symbol,
    (V, D·G·H): that spares an update of a language model the gathered rows and their gradients.
    """
    own, layout = layer._stack.weights, layer._stack.layout
    if not hasattr(params, "keys"):  # what autograd traces is no Mapping
        raise TypeError(f"params must be a dict of arrays by name, got {type(params).__name__}")
    names = own.names
    frozen = params if type(params) is FrozenWeights else None
    if frozen is not None:
        if rng is not None or masks is not None or flag("projected", projected):
            raise TypeError(f"rng, masks and projected: {FOR_INFERENCE}")
        own.check_names(params)
        names = []
    elif flag("projected", projected):
        bottom = {d.names["w_ih"] for d in own.directions[0]}
        names = [name for name in names if name not in bottom]
        own.check_names({*params} - bottom, names)
    else:
        own.check_names(params)
    h: list[Any] = []
    c: list[Any] = []
    if state is not None:
        h, c = layout.split(opened(state))
    dropout = None
    if rng is not None and generator(rng) and layer.dropout > 0:
        dropout = Dropout(layer.dropout, rng)
    given = Given(
        layer, names, (len(h), len(c)), lengths, dropout, layer._noise(rng, masks), ids,
        limits or layer._gradient_limits(None, None), frozen,
    )  # fmt: skip
    weights = [params[name] for name in names]
    y, *states = _nodes[layer._spec.family](x, *h, *c, *weights, given=given)
    if not layout.listed:
        return y, tuple(states) if layout.cell_state else states[0]
    half = len(states) // (2 if layout.cell_state else 1)
    return y, layout.join(states[:half], states[half:])


def _forward(call: Call, x: Any, *arrays: Any, given: Given) -> tuple[Array, ...]:
    """Return y, the arrays of h and those of c; arrays: those of h, those of c, the weights."""
    layer, (count_h, count_c) = given.layer, given.states
    own, state = layer._stack, None
    layout = own.layout
    if count_h or count_c:
        state = layout.join(
            list(arrays[:count_h]), list(arrays[count_h : count_h + count_c])
        )
    params: Any = given.frozen
    if params is None:
        params = dict(zip(given.names, arrays[count_h + count_c :], strict=True))
    parts = own.weights.build(params, packed=False)
    y, state, tape = own.run(
        layer, parts, x if given.ids is None else x[None], state, given.lengths,
        call.traced, given.dropout, given.noise, given.ids,
    )  # fmt: skip
    if layout.listed:
        h_n, c_n = layout.split(state)
        results = (y, *h_n, *c_n)
    else:
        results = (y, *state) if layout.cell_state else (y, state)
    call.kept = given, tape, results
    return results


def _backward(call: Call, g: tuple[Array | None, ...]) -> tuple[Array | None, ...]:
    """Return the gradients by x, the arrays of the state, and the weights; the tape is used up."""
    given, tape, results = call.kept
    layer, count = given.layer, sum(given.states)
    layout, dstate = layer._stack.layout, None
    dy, *dfinal = g
    if any(gradient is not None for gradient in dfinal):
        half = len(dfinal) // (2 if layout.cell_state else 1)
        dh_n, dc_n = (
            _filled(dfinal[part], results[1:][part]) for part in (slice(half), slice(half, None))
        )
        dstate = layout.join(dh_n, dc_n)
    dx, dinitial, weights = layer._stack.back(
        tape, dy, dstate, given.limits, want_x=call.wanted[0],
        want_states=any(call.wanted[1 : 1 + count]),
    )  # fmt: skip
    dx = dx if given.ids is None or dx is None else dx[0]
    states: list[Any] = [None] * count
    if dinitial is not None:
        dh, dc = layout.split(dinitial)
        states = [*dh, *dc]
    return (dx, *states, *[weights[name] for name in given.names])


def _filled(gradients: list[Array | None], like: tuple[Array, ...]) -> list[Array]:
    """Return the gradients with zeros for those that are missing; none if all are."""
    if all(gradient is None for gradient in gradients):
        return []
    return [
        np.zeros_like(array) if gradient is None else gradient
        for gradient, array in zip(gradients, like, strict=True)
    ]


_nodes = {name: differentiable(name, _forward, _backward) for name in SPECS}


def input_weight(layer: "Layer", params: Mapping[str, Any]) -> Any:
    """Return the bottom layer's w_ih of all directions, one below the other."""
    weights = [params[d.names["w_ih"]] for d in layer._weights.directions[0]]
    return weights[0] if len(weights) == 1 else anp.concatenate(weights)
