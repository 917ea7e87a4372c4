"""The arguments of one layer and direction, one by one: their shapes, and what went wrong."""

from typing import Any, NamedTuple

import numpy as np

from fastrnn._calls.kinds import Kind
from fastrnn._calls.tape import Weights
from fastrnn._checks import (
    MAX_THREADS,
    Array,
    DType,
    exact,
    floats,
    integer,
    leading,
    shape_error,
    unit_stride,
)
from fastrnn.runtime import team

_ndarray = np.ndarray
_BIAS = {1: "(H,)", 3: "(3·H,)", 4: "(4·H,)"}
COLUMNS = "is the number of columns of w_ih (G·H if w_ih is None)"
INPUT_SIZE = "is input_size"


def thread_count(num_threads: Any) -> int:
    """Return what the core takes: the argument, or the block's number, or 0 for the process's."""
    if num_threads is None:
        return team.get()
    return integer("num_threads", num_threads, 1, MAX_THREADS)


class Sizes(NamedTuple):
    """H, and P, the columns of h: H but for a projection."""

    H: int
    P: int


def check_weights(
    kind: Kind, w_ih: Any, w_hh: Any, b_ih: Any, b_hh: Any, w_peephole: Any, w_hr: Any
) -> tuple[Weights, DType, Sizes]:
    """Return the weight arrays of one call, their dtype, and the sizes that they imply."""
    w_hh, dtype = leading("w_hh", w_hh)
    G, title = kind.gates, kind.title
    if w_hr is not None:
        w_hr = floats("w_hr", w_hr, dtype)
        if w_hr.ndim != 2 or not 1 <= w_hr.shape[0] <= w_hr.shape[1]:
            raise ValueError(f"w_hr must have shape (P, H) with 1 <= P <= H, got {w_hr.shape}")
        P, H = w_hr.shape
        if w_hh.ndim == 2 and w_hh.shape[1] != P:
            raise ValueError(
                f"w_hr must have shape (P, H) where P = {w_hh.shape[1]} is the number of columns "
                f"of w_hh, got {w_hr.shape}"
            )
        w_hh = exact("w_hh", w_hh, (G * H, P), dtype, f"({G}·H, P)", title, H, weight=True)
    else:
        if w_hh.ndim != 2 or w_hh.shape[0] != G * w_hh.shape[1] or w_hh.shape[1] == 0:
            raise _w_hh_error(kind, w_hh.shape)
        H = P = w_hh.shape[1]
    rows = G * H
    if w_ih is not None:
        w_ih = _check_w_ih(kind, w_ih, dtype, rows, H)
    if b_ih is not None:
        b_ih = exact("b_ih", b_ih, (rows,), dtype, _BIAS[G], title, H, weight=True)
    if b_hh is not None:
        b_hh = exact("b_hh", b_hh, (rows,), dtype, _BIAS[G], title, H, weight=True)
    if w_peephole is not None:
        w_peephole = check_peephole(w_peephole, dtype, H)
    return (w_ih, w_hh, b_ih, b_hh, w_peephole, w_hr, None), dtype, Sizes(H, P)


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
    name: str, state: Any, N: int, width: int, dtype: DType, kind: Kind, H: int
) -> tuple[Array, tuple[int, ...]]:
    """Return an initial state as (N, width), and the shape that it came in: that, or (width,)."""
    letter = "H" if width == H else "P"
    state = floats(name, state, dtype) if type(state) is not _ndarray else state
    if state.ndim == 1 and state.shape == (width,):
        state = exact(name, state, (width,), dtype, f"({letter},)", kind.title, H)
        return np.broadcast_to(state, (N, width)) if N != 1 else state[None], (width,)
    symbols = f"({letter},) or (N, {letter})"
    return exact(name, state, (N, width), dtype, symbols, kind.title, H), (N, width)


def check_peephole(w_peephole: Any, dtype: DType, H: int) -> Array:
    """Return w_peephole, the diagonals (3, H) or full matrices (3·H, H)."""
    array = floats("w_peephole", w_peephole, dtype)
    if array.ndim == 2 and array.shape == (3 * H, H):
        return array
    symbols = "(3, H) or (3·H, H)"
    return exact("w_peephole", array, (3, H), dtype, symbols, "an LSTM", H)


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
