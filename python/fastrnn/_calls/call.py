"""One layer, one direction: check the arguments, allocate the outputs, hand over to the backend."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastrnn import _core
from fastrnn._calls import twin
from fastrnn._calls.arguments import COLUMNS, check_state, check_weights, check_x, thread_count
from fastrnn._calls.kinds import Kind, general
from fastrnn._calls.masks import NO_MASKS, Masks, check_masks
from fastrnn._calls.tape import Held, Tape, Weights
from fastrnn._checks import FLOAT32, FLOAT64, Array, DType, allocate, flag
from fastrnn._checks import lengths as checked_lengths
from fastrnn.runtime import backend, team

Lengths = NDArray[np.int64] | None
# Weights as they come: w_ih, w_hh, b_ih, b_hh, w_peephole, w_hr
Given = tuple[Any, Any, Any, Any, Any, Any]

_ndarray = np.ndarray
PACKED: Any = (None, None, None, None, None, None, None)  # in the place of weights that are packed


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
    masks: Masks = NO_MASKS,
    ids: NDArray[np.int64] | None = None,
) -> Tape | None:
    """Fill y, h_n and c_n on the active backend; arrays are strict and time-major.

    With ids (T, N), which the core alone takes, x is (1, V, G·H) and they name its rows.

    Returns the tape when `keep` is set. `packed`, which excludes `keep`, may stand for the weights
    on the core; the twin always reads `weights`.
    """
    if masks.w_mask is not None:
        weights = (weights[0], weights[1] * masks.w_mask, *weights[2:])
    name = backend.get()
    if name == "core":
        inner = _core.Tape() if keep else None
        w_ih, w_hh, b_ih, b_hh, w_peephole, w_hr, w_norm = weights if packed is None else PACKED
        _core.rnn_forward(
            kind.core, x, w_ih, w_hh, b_ih, b_hh, w_peephole, h0, c0, lengths, y, h_n, c_n,
            reverse, num_threads, inner, packed, kind.choices, w_hr, *masks[:3], w_norm, ids,
        )  # fmt: skip
    else:
        inner = twin.forward(kind, x, weights, h0, c0, lengths, y, h_n, c_n, reverse, keep, masks)
    if not keep:
        return None
    return Tape(kind, Held(inner, name, x, y, weights, h0, c0, num_threads, masks.w_mask))


def plain(
    kind: Kind,
    x: Any,
    weights: Given,
    h0: Any,
    c0: Any,
    lengths: Any,
    reverse: Any,
    batch_first: Any,
    num_threads: Any,
    keep: bool,
    ids: Any = None,
    packed: _core.PackedWeights | None = None,
    sizes: tuple[DType, int, int] | None = None,
) -> tuple[Array, Array, Array | None, Tape | None] | None:
    """Run a call that needs no conversion, or return None; then somebody has to convert or explain.

    The strict core is the judge, for it checks everything anyway, and in less time. `packed`,
    without `keep`, may stand for the weights, which are None then; sizes are its dtype, H and P.
    """
    w_ih, w_hh, b_ih, b_hh, w_peephole, w_hr = weights
    if type(x) is not _ndarray or backend.get() != "core":
        return None
    if sizes is not None:
        dtype, H, P = sizes
    else:
        if type(w_hh) is not _ndarray or w_hh.ndim != 2:
            return None
        dtype = w_hh.dtype
        if dtype is not FLOAT32 and dtype is not FLOAT64:
            return None
        H = P = w_hh.shape[1]
        if w_hr is not None:
            if type(w_hr) is not _ndarray or w_hr.ndim != 2:
                return None
            H = w_hr.shape[1]
    if num_threads is None:
        num_threads = team.get()
    elif type(num_threads) is not int or num_threads < 1:
        return None
    single = x.ndim == 2
    if single and h0 is None and c0 is None and lengths is None:
        x, batch_first = x[:, None], False
    elif x.ndim != 3:
        return None
    x = x.transpose(1, 0, 2) if batch_first else x
    T, N = x.shape[:2] if ids is None else ids.shape
    try:
        result = np.empty((N, T, P) if batch_first else (T, N, P), dtype)
        h_n = np.empty((N, P), dtype)
        c_n = np.empty((N, H), dtype) if kind.cell_state else None
    except (ValueError, MemoryError):
        return None
    y = result.transpose(1, 0, 2) if batch_first else result
    inner = _core.Tape() if keep else None
    try:
        _core.rnn_forward(
            kind.core, x, w_ih, w_hh, b_ih, b_hh, w_peephole, h0, c0, lengths, y, h_n, c_n, reverse,
            num_threads, inner, packed, kind.choices, w_hr, None, None, None, None, ids,
        )  # fmt: skip
    except (TypeError, ValueError):
        return None
    if single:
        result, h_n, c_n = result[:, 0], h_n[0], None if c_n is None else c_n[0]
    if inner is None:
        return result, h_n, c_n, None
    tape = Tape(kind, Held(inner, "core", x, y, (*weights, None), h0, c0, num_threads))
    tape.set_layout(single, batch_first)
    result.setflags(write=False)
    return result, h_n, c_n, tape


def sequence(
    kind: Kind,
    x: Any,
    weights: Given,
    h0: Any,
    c0: Any,
    lengths: Any,
    reverse: Any,
    batch_first: Any,
    num_threads: Any,
    keep: bool = False,
    masks: Masks | None = None,
) -> tuple[Array, Array, Array | None, Tape | None]:
    """Check everything, run, and return (y, h_n, c_n, tape) in the caller's layout."""
    if masks is None and (batch_first is False or batch_first is True):
        found = plain(
            kind, x, weights, h0, c0, lengths, reverse, batch_first, num_threads, keep
        )
        if found is not None:
            return found
    threads = thread_count(num_threads)
    reverse, batch_first = flag("reverse", reverse), flag("batch_first", batch_first)
    arrays, dtype, (H, P) = check_weights(kind, *weights)
    columns = kind.gates * H if arrays[0] is None else arrays[0].shape[1]
    x = check_x("x", x, 3, dtype, columns, COLUMNS)
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
        h0, h0_shape = check_state("h0", h0, N, P, dtype, kind, H)
    if c0 is not None:
        c0, c0_shape = check_state("c0", c0, N, H, dtype, kind, H)

    if batch_first and not single:
        result = allocate("y", (N, T, P), dtype)
        y = result.transpose(1, 0, 2)
    else:
        result = y = allocate("y", (T, N, P), dtype)
    checked = NO_MASKS
    if masks is not None:
        checked = check_masks(kind, masks, (T, N, H, P), dtype, arrays[4] is not None)
        kind = general(kind)
    h_n = allocate("h_n", (N, P), dtype)
    c_n = allocate("c_n", (N, H), dtype) if kind.cell_state else None
    tape = run(kind, x, arrays, None, h0, c0, lengths, y, h_n, c_n, reverse, threads, keep, checked)
    if single:
        result, h_n = result[:, 0], h_n[0]
        if c_n is not None:
            c_n = c_n[0]
    if tape is not None:
        tape.set_layout(single, batch_first and not single)
        tape.set_states(h0_shape, c0_shape)
        result.setflags(write=False)
    return result, h_n, c_n, tape


def step(
    kind: Kind,
    x_t: Any,
    h: Any,
    c: Any,
    weights: Given,
    num_threads: Any,
) -> tuple[Array, Array | None]:
    """Check everything, run one step, and return (h, c) in the caller's layout."""
    threads = thread_count(num_threads)
    arrays, dtype, (H, P) = check_weights(kind, *weights)
    columns = kind.gates * H if arrays[0] is None else arrays[0].shape[1]
    x = check_x("x_t", x_t, 2, dtype, columns, COLUMNS)
    single = x.ndim == 1
    x = x[None, None] if single else x[None]
    N = x.shape[1]
    names = ("state[0]", "state[1]") if kind.cell_state else ("h", "")
    h = None if h is None else check_state(names[0], h, N, P, dtype, kind, H)[0]
    c = None if c is None else check_state(names[1], c, N, H, dtype, kind, H)[0]
    y = allocate("y", (1, N, P), dtype)
    h_n = allocate("h", (N, P), dtype)
    c_n = allocate("c", (N, H), dtype) if kind.cell_state else None
    run(kind, x, arrays, None, h, c, None, y, h_n, c_n, False, threads, False)
    if single:
        return h_n[0], None if c_n is None else c_n[0]
    return h_n, c_n
