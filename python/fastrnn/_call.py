"""One layer, one direction: check the arguments, allocate the outputs, hand over to the backend."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastrnn import _core, _twin
from fastrnn._checks import (
    FLOAT32,
    FLOAT64,
    MAX_THREADS,
    Array,
    DType,
    allocate,
    exact,
    flag,
    floats,
    integer,
    leading,
    shape_error,
    unit_stride,
)
from fastrnn._checks import lengths as checked_lengths
from fastrnn._kinds import Kind
from fastrnn._tape import Held, Tape, Weights
from fastrnn.runtime import backend, team

Lengths = NDArray[np.int64] | None

_ndarray = np.ndarray
_PACKED = (None, None, None, None, None)
_COLUMNS = "is the number of columns of w_ih (G·H if w_ih is None)"
_BIAS = {1: "(H,)", 3: "(3·H,)", 4: "(4·H,)"}


def run(
    kind: Kind,
    x: Array,
    weights: Weights,
    packed: _core.PackedWeights | None,
    h0: Array | None,
    c0: Array | None,
    lengths: Lengths,
    y: Array,
    h_n: Array,
    c_n: Array | None,
    reverse: bool,
    num_threads: int,
    keep: bool,
) -> Tape | None:
    """Fill y, h_n and c_n on the active backend; arrays are strict and time-major.

    Returns the tape when `keep` is set. `packed`, which excludes `keep`, may stand for the weights
    on the core; the twin always reads `weights`.
    """
    name = backend.get()
    if name == "core":
        inner = _core.Tape() if keep else None
        w_ih, w_hh, b_ih, b_hh, w_peephole = weights if packed is None else _PACKED
        _core.rnn_forward(
            kind.core, x, w_ih, w_hh, b_ih, b_hh, w_peephole, h0, c0, lengths, y, h_n, c_n,
            reverse, num_threads, inner, packed,
        )  # fmt: skip
    else:
        inner = _twin.forward(kind, x, weights, h0, c0, lengths, y, h_n, c_n, reverse, keep)
    if not keep:
        return None
    return Tape(kind, Held(inner, name, x, y, weights, h0, c0, num_threads))


def sequence(
    kind: Kind,
    x: Any,
    w_ih: Any,
    w_hh: Any,
    b_ih: Any,
    b_hh: Any,
    h0: Any,
    c0: Any,
    w_peephole: Any,
    lengths: Any,
    reverse: Any,
    batch_first: Any,
    num_threads: Any,
    keep: bool = False,
) -> tuple[Array, Array, Array | None, Tape | None]:
    """Check everything, run, and return (y, h_n, c_n, tape) in the caller's layout."""
    if num_threads is not None:
        num_threads = integer("num_threads", num_threads, 1, MAX_THREADS)
    else:
        num_threads = team.get()
    if reverse is not False:
        reverse = flag("reverse", reverse)
    if batch_first is not False:
        batch_first = flag("batch_first", batch_first)

    weights, dtype, H = check_weights(kind, w_ih, w_hh, b_ih, b_hh, w_peephole)
    w_ih = weights[0]
    columns = kind.gates * H if w_ih is None else w_ih.shape[1]
    x = check_x("x", x, 3, dtype, columns, _COLUMNS)
    single = x.ndim == 2
    if single:
        x = x[:, None]
    elif batch_first:
        x = x.transpose(1, 0, 2)
    T, N, _ = x.shape

    if lengths is not None:
        lengths = checked_lengths(lengths, T, N, single)
    h0_shape = c0_shape = None
    if h0 is not None:
        h0, h0_shape = check_state("h0", h0, N, H, dtype, kind)
    if c0 is not None:
        c0, c0_shape = check_state("c0", c0, N, H, dtype, kind)

    if batch_first and not single:
        result = allocate("y", (N, T, H), dtype)
        y = result.transpose(1, 0, 2)
    else:
        result = y = allocate("y", (T, N, H), dtype)
    h_n = allocate("h_n", (N, H), dtype)
    c_n = allocate("c_n", (N, H), dtype) if kind.cell_state else None
    tape = run(kind, x, weights, None, h0, c0, lengths, y, h_n, c_n, reverse, num_threads, keep)
    if single:
        result, h_n = result[:, 0], h_n[0]
        if c_n is not None:
            c_n = c_n[0]
    if tape is not None:
        tape.set_layout(single, batch_first and not single, h0_shape, c0_shape)
        result.flags.writeable = False
    return result, h_n, c_n, tape


def step(
    kind: Kind,
    x_t: Any,
    h: Any,
    c: Any,
    w_ih: Any,
    w_hh: Any,
    b_ih: Any,
    b_hh: Any,
    w_peephole: Any,
    num_threads: Any,
) -> tuple[Array, Array | None]:
    """Check everything, run one step, and return (h, c) in the caller's layout."""
    if num_threads is not None:
        num_threads = integer("num_threads", num_threads, 1, MAX_THREADS)
    weights, dtype, H = check_weights(kind, w_ih, w_hh, b_ih, b_hh, w_peephole)
    columns = kind.gates * H if weights[0] is None else weights[0].shape[1]
    x = check_x("x_t", x_t, 2, dtype, columns, _COLUMNS)
    single = x.ndim == 1
    x = x[None, None] if single else x[None]
    N = x.shape[1]
    names = ("state[0]", "state[1]") if kind.cell_state else ("h", "")
    h = None if h is None else check_state(names[0], h, N, H, dtype, kind)[0]
    c = None if c is None else check_state(names[1], c, N, H, dtype, kind)[0]
    y = allocate("y", (1, N, H), dtype)
    h_n = allocate("h", (N, H), dtype)
    c_n = allocate("c", (N, H), dtype) if kind.cell_state else None
    threads = team.get() if num_threads is None else num_threads
    run(kind, x, weights, None, h, c, None, y, h_n, c_n, False, threads, False)
    if single:
        return h_n[0], None if c_n is None else c_n[0]
    return h_n, c_n


def check_weights(
    kind: Kind, w_ih: Any, w_hh: Any, b_ih: Any, b_hh: Any, w_peephole: Any
) -> tuple[Weights, DType, int]:
    """Return the five weight arrays of one call, their dtype, and H."""
    dtype = w_hh.dtype if type(w_hh) is _ndarray else None
    if (dtype is not FLOAT32 and dtype is not FLOAT64) or not w_hh.flags.aligned:
        w_hh, dtype = leading("w_hh", w_hh)
    G, title = kind.gates, kind.title
    if w_hh.ndim != 2 or w_hh.shape[0] != G * w_hh.shape[1] or w_hh.shape[1] == 0:
        raise _w_hh_error(kind, w_hh.shape)
    H: int = w_hh.shape[1]
    rows = G * H
    if w_ih is not None and not (
        type(w_ih) is _ndarray
        and w_ih.dtype is dtype
        and w_ih.flags.aligned
        and w_ih.ndim == 2
        and w_ih.shape[0] == rows
    ):
        w_ih = _check_w_ih(kind, w_ih, dtype, rows, H)
    if b_ih is not None:
        b_ih = exact("b_ih", b_ih, (rows,), dtype, _BIAS[G], title, H, weight=True)
    if b_hh is not None:
        b_hh = exact("b_hh", b_hh, (rows,), dtype, _BIAS[G], title, H, weight=True)
    if w_peephole is not None:
        w_peephole = check_peephole(w_peephole, dtype, H)
    return (w_ih, w_hh, b_ih, b_hh, w_peephole), dtype, H


def check_x(name: str, x: Any, most: int, dtype: DType, columns: int, why: str) -> Array:
    """Return x of `most` axes, or one less, the last of them contiguous and of the right length."""
    if (
        type(x) is _ndarray
        and x.dtype is dtype
        and most - 1 <= x.ndim <= most
        and x.shape[-1] == columns
        and x.flags.aligned
        and x.strides[-1] == dtype.itemsize
    ):
        return x
    x = floats(name, x, dtype)
    if not most - 1 <= x.ndim <= most or x.shape[-1] != columns:
        forms = ("(N, I) or (I,)", "(T, N, I), (N, T, I) with batch_first, or (T, I)")[most - 2]
        raise ValueError(f"{name} must have shape {forms} where I = {columns} {why}, got {x.shape}")
    return unit_stride(name, x)


def check_state(
    name: str, state: Any, N: int, H: int, dtype: DType, kind: Kind
) -> tuple[Array, tuple[int, ...]]:
    """Return an initial state as (N, H), and the shape that it came in: (N, H) or (H,)."""
    state = floats(name, state, dtype) if type(state) is not _ndarray else state
    if state.ndim == 1 and state.shape == (H,):
        state = exact(name, state, (H,), dtype, "(H,)", kind.title, H)
        return np.broadcast_to(state, (N, H)) if N != 1 else state[None], (H,)
    return exact(name, state, (N, H), dtype, "(H,) or (N, H)", kind.title, H), (N, H)


def check_peephole(w_peephole: Any, dtype: DType, H: int) -> Array:
    """Return w_peephole (3, H); the full matrices (3·H, H) are refused as not supported yet."""
    array = floats("w_peephole", w_peephole, dtype)
    if H > 1 and array.shape == (3 * H, H):
        raise ValueError(
            f"w_peephole as full matrices of shape (3·H, H) = {(3 * H, H)} is not supported yet; "
            f"pass the diagonals, shape (3, H) = {(3, H)}"
        )
    return exact("w_peephole", array, (3, H), dtype, "(3, H)", "an LSTM", H)


def _check_w_ih(kind: Kind, w_ih: Any, dtype: DType, rows: int, H: int) -> Array:
    """Return w_ih of any layout as (G·H, I)."""
    array = floats("w_ih", w_ih, dtype)
    if array.ndim != 2 or array.shape[0] != rows:
        columns = array.shape[0] if array.ndim == 2 and array.shape[1] == rows else "I"
        hint = "" if columns == "I" else "; did you pass its transpose?"
        raise ValueError(
            f"w_ih must have shape ({kind.gates}·H, I) = ({rows}, {columns}) for {kind.title} "
            f"with H = {H}, got {array.shape}{hint}"
        )
    return array


def _w_hh_error(kind: Kind, shape: tuple[int, ...]) -> ValueError:
    """Word what is wrong with the shape of w_hh; H is read from whichever axis makes sense."""
    G = kind.gates
    symbols = f"({G}·H, H)" if G > 1 else "(H, H)"
    if len(shape) != 2:
        return ValueError(f"w_hh must have shape {symbols}, got {shape}")
    H = shape[0] if shape[1] == G * shape[0] else shape[1]
    if H == 0:
        return ValueError(f"w_hh must have shape {symbols} with H of at least 1, got {shape}")
    return shape_error("w_hh", symbols, (G * H, H), f"{kind.title} with H = {H}", shape)
