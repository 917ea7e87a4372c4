"""One layer and direction of any cell, also with layer normalisation: the backend "reference".

It takes the arrays of `fastrnn._call.run` and returns fresh ones.
"""

from typing import Any

import numpy as np

from fastrnn.cells import Masks, Spec
from fastrnn.reference._call import Tape, enter_call
from fastrnn.reference._math import Array
from fastrnn.reference.gru import gru_sweep, gru_sweep_backward
from fastrnn.reference.lstm import lstm_sweep, lstm_sweep_backward
from fastrnn.reference.rnn import rnn_sweep, rnn_sweep_backward

_SWEEPS: dict[str, tuple[Any, Any]] = {
    "rnn": (rnn_sweep, rnn_sweep_backward),
    "gru": (gru_sweep, gru_sweep_backward),
    "lstm": (lstm_sweep, lstm_sweep_backward),
}


def forward(
    spec: Spec,
    x: Array,
    weights: tuple[Array | None, ...],
    h0: Array | None,
    c0: Array | None,
    layout: tuple[Any, bool, bool],
    masks: Masks,
    rounded: Any = None,
) -> tuple[Tape, Array, Array, Array | None]:
    """Return the tape, y, and the final h and c, which is None but for an LSTM.

    rounded is what W_ih, W_hh, what they multiply and gradients by the products become on their way
    into a product; gradients by what is rounded are those by what it becomes. `Call.as_kept`
    says what becomes of gates and c on such a call's tape.
    """
    x, h0, c0, *arrays = _in_order(x, h0, c0, *weights)
    *first, w_peephole, w_hr, w_norm = arrays
    call = enter_call(
        spec, layout, x, *first, h0, c0, w_peephole, w_hr, masks=masks, w_norm=w_norm
    )
    if rounded is not None:
        w_ih = None if call.w_ih is None else rounded(call.w_ih)
        call = call._replace(w_ih=w_ih, w_hh=rounded(call.w_hh), rounded=rounded)
    h, c, gates = _SWEEPS[spec.family][0](call)
    gates, cells = [call.as_kept(step) for step in gates], c
    if c is not None:
        cells = c[:1]
        for t in range(call.seq.T):
            cells.append(call.seq.select(t, call.as_kept(c[t + 1]), cells[t]))
    tape = Tape(spec.family, call, gates, h, cells)
    return tape, call.y(h), h[-1], None if c is None else c[-1]


def backward(
    tape: Tape, dy: Any, dh_n: Any, dc_n: Any, truncate: int | None, clip_step: float | None
) -> dict[str, Array | None]:
    """Use up the tape of `forward`; return the gradients by name."""
    family = tape.cell
    call, kept = tape.open(family)
    dy, dh_n, dc_n = _in_order(dy, dh_n, dc_n)
    options = call.backward_options(truncate, clip_step)
    dy, dtype = call.dy(dy), call.w_hh.dtype
    dfinal: Any = call.seq.dstate_in("dh_n", dh_n, dtype)
    if call.spec.cell_state:
        dfinal = [dfinal, call.seq.dstate_in("dc_n", dc_n, dtype)]
    tape.spend()
    gradients: dict[str, Array | None] = _SWEEPS[family][1](call, kept, dy, dfinal, *options)
    return gradients


def _in_order(*arrays: Any) -> list[Any]:
    """Return C-contiguous arrays: how a matrix product rounds may depend on its strides."""
    return [None if array is None else np.ascontiguousarray(array) for array in arrays]
