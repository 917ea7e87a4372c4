"""A layer as one node of PyTorch's autograd: tensors in and out are views of the same memory."""

from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from fastrnn._checks import Array, DType
from fastrnn._stack import Dropout, LayerTape
from fastrnn.recurrent import GRU, LSTM, RNN, Layer
from fastrnn.torch._tensors import PackedRows

NO_SECOND = (
    "fastrnn.torch has no second derivatives; call backward without create_graph, or use "
    "torch.nn for this module"
)


NO_OTHER_PROGRAM = (
    "fastrnn.torch computes outside of PyTorch's programs: it can be neither scripted, traced, "
    "exported nor transformed by torch.func; load its state_dict into torch.nn for that"
)


class Options(NamedTuple):
    """What makes a layer, in the words of torch.nn's modules."""

    mode: str
    input_size: int
    hidden_size: int
    num_layers: int
    bias: bool
    batch_first: bool
    dropout: float
    bidirectional: bool
    proj_size: int
    dtype: DType
    compute_dtype: str | None = None


@lru_cache(maxsize=256)
def engine(options: Options) -> Layer:
    """Return a layer of these options that has no weights: modules own them, and share it."""
    mode, *others = options
    named: dict[str, Any] = dict(zip(Options._fields[1:], others, strict=True))
    if options.num_layers == 1:
        named["dropout"] = 0.0  # PyTorch warns of one that has no effect, and goes on
    if mode != "LSTM":
        del named["proj_size"]
    if mode.startswith("RNN_"):
        named["nonlinearity"] = mode[4:].lower()
    make: type[Layer] = {"LSTM": LSTM, "GRU": GRU}.get(mode, RNN)
    layer = make(**named)
    layer.params = {}
    return layer


class Call(NamedTuple):
    """What a call is told beside tensors.

    Attributes
    ----------
    layer : Layer
    rows : PackedRows or None
        Where x is packed data.
    seed : int or None
        Of the dropout masks; None: dropout does not act.
    """

    layer: Layer
    rows: PackedRows | None
    seed: int | None

    def run(
        self, x: Tensor, h0: Tensor | None, c0: Tensor | None, weights: tuple[Tensor, ...],
        keep: bool,
    ) -> tuple[Array, list[Array], LayerTape | None]:  # fmt: skip
        """Return y in the layout of x, the final states, and a tape if it is to be kept."""
        layer, rows = self.layer, self.rows
        named: dict[str, Any] = dict(zip(layer._weights.names, map(_array, weights), strict=True))
        given = _array(x) if rows is None else rows.pad(_array(x))
        state = layer._stack.layout.join(
            [] if h0 is None else [_array(h0)], [] if c0 is None else [_array(c0)]
        )
        dropout = None
        if self.seed is not None:
            dropout = Dropout(layer.dropout, np.random.default_rng(self.seed))
        y, final, tape = layer._stack.run(
            layer, layer._weights.build(named, packed=False), given, state,
            None if rows is None else rows.lengths, keep, dropout,
        )  # fmt: skip
        y.setflags(write=True)  # PyTorch keeps count of changes in place itself
        h_n, c_n = layer._stack.layout.split(final)
        return y if rows is None else rows.pick(y), [*h_n, *c_n], tape


def run(
    call: Call, x: Tensor, h0: Tensor | None, c0: Tensor | None, weights: tuple[Tensor, ...]
) -> tuple[Tensor, ...]:
    """Return y, h_n and, of an LSTM, c_n; a node of the graph where a gradient may be asked for."""
    given = (x, h0, c0, *weights)
    if torch.is_grad_enabled() and any(a is not None and a.requires_grad for a in given):
        try:
            results: tuple[Tensor, ...] = _Node.apply(call, *given)
        except RuntimeError as error:
            if "functorch" in str(error):  # what torch.func's machinery calls itself
                raise NotImplementedError(NO_OTHER_PROGRAM) from error
            raise
        return results
    y, states, _ = call.run(x, h0, c0, weights, keep=False)
    return tuple(map(torch.from_numpy, (y, *states)))


class _Node(torch.autograd.Function):
    """All layers, directions and steps of one call."""

    @staticmethod
    def forward(
        ctx: Any, call: Call, x: Tensor, h0: Tensor | None, c0: Tensor | None, *weights: Tensor
    ) -> tuple[Tensor, ...]:
        y, states, tape = call.run(x, h0, c0, weights, keep=True)
        results = tuple(map(torch.from_numpy, (y, *states)))
        ctx.call, ctx.tape = call, tape
        ctx.set_materialize_grads(False)
        # The tape refers to these; PyTorch raises if one of them was changed in the meantime.
        own = results[:1] if call.rows is None else ()
        ctx.save_for_backward(x, h0, c0, *weights, *own)
        return results

    @staticmethod
    def backward(ctx: Any, *g: Tensor | None) -> tuple[Tensor | None, ...]:
        call: Call = ctx.call
        x, h0, c0, *weights = ctx.saved_tensors
        weights = weights[: len(call.layer._weights.names)]
        tape, ctx.tape = ctx.tape, None
        with torch.no_grad():
            if tape is None:  # retain_graph: a tape serves one backward, so another one is made
                tape = call.run(x, h0, c0, tuple(weights), keep=True)[2]
            result = _gradients(call, tape, g, ctx.needs_input_grad[1])
        gradients = [
            None if array is None or not wanted else torch.from_numpy(array)
            for array, wanted in zip(result, ctx.needs_input_grad[1:], strict=True)
        ]
        if torch.is_grad_enabled():
            return (None, *_refuse_second(gradients, (x, h0, c0, *weights, *g)))
        return (None, *gradients)


def _gradients(
    call: Call, tape: LayerTape, g: tuple[Tensor | None, ...], want_x: bool
) -> tuple[Array | None, ...]:
    """Return the gradients by x, h0, c0 and the weights; None for what there is not."""
    layer, rows = call.layer, call.rows
    dy, *dfinal = (None if a is None else _array(a) for a in g)
    if dy is not None and rows is not None:
        dy = rows.pad(dy)
    dstate: Any = dfinal[0]
    if layer._stack.layout.cell_state:
        dstate = None if dfinal[0] is None and dfinal[1] is None else (dfinal[0], dfinal[1])
    limits = layer._gradient_limits(None, None)
    dx, dinitial, named = layer._stack.back(tape, dy, dstate, limits, want_x)
    dh, dc = layer._stack.layout.split(dinitial)
    if dx is not None and rows is not None:
        dx = rows.pick(dx)
    return (dx, *(dh or [None]), *(dc or [None]), *(named[name] for name in layer._weights.names))


class _Refusal(torch.autograd.Function):
    """Passes gradients on, and says what is wrong when somebody differentiates them."""

    @staticmethod
    def forward(ctx: Any, origins: int, *tensors: Tensor) -> tuple[Tensor, ...]:  # noqa: ARG004
        return tuple(gradient.view_as(gradient) for gradient in tensors[origins:])

    @staticmethod
    def backward(ctx: Any, *g: Tensor) -> tuple[Tensor, ...]:
        raise NotImplementedError(NO_SECOND)


def _refuse_second(
    gradients: list[Tensor | None], origins: tuple[Tensor | None, ...]
) -> list[Tensor | None]:
    """Return the gradients such that differentiating them raises instead of finding nothing.

    They hang on all that they were computed from: who asks by one of these tensors finds a way.
    """
    ways = [a for a in origins if a is not None and a.requires_grad]
    there = iter(_Refusal.apply(len(ways), *ways, *(a for a in gradients if a is not None)))
    return [None if gradient is None else next(there) for gradient in gradients]


def _array(tensor: Tensor) -> Array:
    try:
        array: Array = tensor.detach().numpy()
    except RuntimeError as error:  # it has no memory: it stands for others while PyTorch looks on
        raise NotImplementedError(NO_OTHER_PROGRAM) from error
    return array
