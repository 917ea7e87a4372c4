"""Cells of any kind with layer normalisation: forward and backward of one layer and direction."""

from typing import Any

from fastrnn._calls.choices import lstm_choices
from fastrnn._calls.kinds import Kind
from fastrnn._calls.masks import Masks
from fastrnn.reference._call import enter_call
from fastrnn.reference._gru_step import gru_option, gru_sweep, gru_sweep_backward
from fastrnn.reference._lstm_step import lstm_sweep, lstm_sweep_backward
from fastrnn.reference._math import Array
from fastrnn.reference._norm import Norm
from fastrnn.reference._tape import Tape, open_tape
from fastrnn.reference.rnn import rnn_option, rnn_sweep, rnn_sweep_backward


def forward(
    kind: Kind,
    x: Array,
    weights: tuple[Any, ...],
    h0: Any,
    c0: Any,
    layout: tuple[Any, bool, bool],
    masks: Masks,
) -> tuple[Array, tuple[Array, ...], Any]:
    """Return y, the final states and the tape of a cell with layer normalisation."""
    w_ih, w_hh, b_ih, b_hh, w_peephole, w_hr, w_norm = weights
    norm, options = Norm(w_norm, kind.gates), kind.options
    if kind.function == "lstm":
        names = ("activations", "gates", "input_forget", "clip")
        option: Any = lstm_choices(*(options[name] for name in names))
        arrays = (x, w_ih, w_hh, b_ih, b_hh, h0, c0, w_peephole, w_hr)
        call = enter_call(4, layout, *arrays, option=option, masks=masks)._replace(norm=norm)
        h, c, gates = lstm_sweep(call)
        return call.y(h), (h[-1], c[-1]), Tape("lstm", call, gates, h, c)
    if kind.function == "gru":
        option = gru_option(options["reset_after"], options["activations"], options["clip"])
        sweep = gru_sweep
    else:
        option, sweep = rnn_option(options["nonlinearity"], options["clip"]), rnn_sweep
    call = enter_call(
        kind.gates, layout, x, w_ih, w_hh, b_ih, b_hh, h0, option=option, masks=masks
    )._replace(norm=norm)
    h, gates = sweep(call)
    return call.y(h), (h[-1],), Tape(kind.function, call, gates, h)


def backward(
    kind: Kind, tape: Any, dy: Any, dh_n: Any, dc_n: Any, truncate: Any, clip_step: Any
) -> dict[str, Any]:
    """Use up the tape of `forward`; return the gradients by name."""
    call, kept = open_tape(kind.function, tape)
    options = call.backward_options(truncate, clip_step)
    dtype = call.w_hh.dtype
    dy, dh = call.dy(dy), call.seq.dstate_in("dh_n", dh_n, dtype)
    tape.spend()
    if kind.function == "gru":
        return gru_sweep_backward(call, kept, dy, dh, *options)
    if kind.function == "rnn":
        return rnn_sweep_backward(call, kept, dy, dh, *options)
    finals = [dh, call.seq.dstate_in("dc_n", dc_n, dtype)]
    return lstm_sweep_backward(call, kept, dy, finals, *options)
