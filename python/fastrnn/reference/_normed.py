"""Layer normalisation inside the cells.

Every product is taken row by row: a row's result must not depend on the rows beside it, nor on how
many steps a call has.
"""

from typing import TYPE_CHECKING, Any

import numpy as np

from fastrnn.reference._math import Array

if TYPE_CHECKING:
    from fastrnn._calls.kinds import Kind
    from fastrnn._calls.masks import Masks

EPS = 1e-5  # beside the variance


def row_product(xp: Any, x: Any, w: Any) -> Any:
    """Return ``x·wᵀ`` (…, rows of w), each row of x by itself; x for a w of None."""
    return x if w is None else (x[..., None, :] @ xp.transpose(w))[..., 0, :]


def _mean(xp: Any, a: Any) -> Any:
    """Return the means of the rows (…, 1): as products, or they too would depend on other rows."""
    return row_product(xp, a, np.full((1, a.shape[-1]), 1 / a.shape[-1], a.dtype))


def normalised(xp: Any, a: Any, cut: int) -> Any:
    """Return a (…, K) with mean 0 and variance 1 in its columns before `cut`, and in the others."""
    parts = []
    for part in (a[..., :cut], a[..., cut:]):
        if part.shape[-1]:
            centred = part - _mean(xp, part)
            variance = _mean(xp, centred * centred)
            parts.append(centred / xp.sqrt(variance + EPS))
    return parts[0] if len(parts) == 1 else xp.concatenate(parts, axis=-1)


def normalised_backward(a: Array, d: Array, cut: int) -> Array:
    """Return the gradient by a of ``normalised(a)``, d being that by its value."""
    da = np.empty_like(a)
    for columns in (slice(None, cut), slice(cut, None)):
        part, dn = a[..., columns], d[..., columns]
        if part.shape[-1]:
            centred = part - _mean(np, part)
            scale = np.sqrt(_mean(np, centred * centred) + EPS)
            n = centred / scale
            along = _mean(np, dn * n)
            da[..., columns] = (dn - _mean(np, dn) - n * along) / scale
    return da


def contiguous_gates(array: Array, G: int) -> list[Array]:
    """Return the G blocks of columns, each contiguous: how NumPy rounds depends on strides."""
    return [np.ascontiguousarray(part) for part in np.split(array, G, axis=-1)]


class Norm:
    """The gains of one call, and its normalised products.

    Parameters
    ----------
    w_norm : array, (10, H) for an LSTM, (6, H) for a GRU, (2, H) for an RNN
        Rows: the gains of W x gate by gate, those of U h, and the LSTM's gain and shift of c.
    gates : int
        4, 3 or 1.
    """

    def __init__(self, w_norm: Array, gates: int) -> None:
        H = w_norm.shape[1]
        self.x, self.h = w_norm[:gates].reshape(-1), w_norm[gates : 2 * gates].reshape(-1)
        self.c = w_norm[2 * gates :]
        # Ba et al. normalise all gates of an LSTM together; r and z of a GRU, and n by itself.
        self.cut = 2 * H if gates == 3 else gates * H

    def of_x(self, xp: Any, x: Any, w_ih: Any, b_ih: Any) -> Any:
        """Return what W_ih x gives to the pre-activations."""
        value = self.x * normalised(xp, row_product(xp, x, w_ih), self.cut)
        return value if b_ih is None else value + b_ih

    def of_h(self, xp: Any, h: Any, w_hh: Any, b_hh: Any, rows: slice) -> Any:
        """Return what W_hh h gives to the pre-activations; w_hh, b_hh: these rows of them."""
        value = self.h[rows] * normalised(xp, row_product(xp, h, w_hh), self.cut)
        return value if b_hh is None else value + b_hh

    def of_c(self, xp: Any, c: Any) -> Any:
        """Return c as the cell's output sees it."""
        return self.c[0] * normalised(xp, c, c.shape[-1]) + self.c[1]

    def of_c_backward(self, c: Array, dz: Array) -> Array:
        """Return the gradient by c from that by ``of_c(c)``."""
        return normalised_backward(c, dz * self.c[0], c.shape[-1])

    def of_h_backward(self, h: Array, w_hh: Array, d: Array, rows: slice) -> Array:
        """Return the gradient by W_hh h from that by ``of_h``."""
        return normalised_backward(row_product(np, h, w_hh), d * self.h[rows], self.cut)

    def of_x_backward(self, x: Array, w_ih: Any, d: Array) -> Array:
        """Return the gradient by W_ih x from that by ``of_x``."""
        return normalised_backward(row_product(np, x, w_ih), d * self.x, self.cut)

    def gradient(self, ax: Array, ah: Array, d_ih: Array, d_hh: Array) -> Array:
        """Return the gradients of the gains of the two products, which are ax and ah."""
        sums = [
            (d * normalised(np, a, self.cut)).sum(axis=(0, 1)) for d, a in ((d_ih, ax), (d_hh, ah))
        ]
        return np.concatenate(sums).reshape(-1, self.c.shape[1])


def forward(
    kind: "Kind",
    x: Array,
    weights: tuple[Any, ...],
    h0: Any,
    c0: Any,
    layout: tuple[Any, bool, bool],
    masks: "Masks",
) -> tuple[Array, tuple[Array, ...], Any]:
    """Return y, the final states and the tape of a cell with layer normalisation."""
    from fastrnn._calls.choices import lstm_choices
    from fastrnn.reference._call import enter_call
    from fastrnn.reference._gru_step import gru_option, gru_sweep
    from fastrnn.reference._lstm_step import lstm_sweep
    from fastrnn.reference._tape import Tape
    from fastrnn.reference.rnn import rnn_option, rnn_sweep

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
    kind: "Kind", tape: Any, dy: Any, dh_n: Any, dc_n: Any, truncate: Any, clip_step: Any
) -> dict[str, Any]:
    """Use up the tape of `forward`; return the gradients by name."""
    from fastrnn.reference._gru_step import gru_sweep_backward
    from fastrnn.reference._lstm_step import lstm_sweep_backward
    from fastrnn.reference._tape import open_tape
    from fastrnn.reference.rnn import rnn_sweep_backward

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
