"""The one road of a call: check → allocate → core or twin → tape, and the way back.

`call` takes what a caller gave for one layer and direction; `run` takes arrays as the core wants
them, which is all that a stack of layers or a stream needs. Each check first asks whether there is
anything to do, by attribute look-ups alone; what needs it is then converted or explained.
"""

from functools import lru_cache
from importlib import import_module
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from fastrnn import _core, runtime
from fastrnn._checks import (
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
    step_limit,
    truncation,
    unit_stride,
)
from fastrnn._checks import lengths as checked_lengths
from fastrnn._core import fits
from fastrnn._quantize import Matrix
from fastrnn.cells import NO_MASKS, WEIGHTS, GRUGrads, LSTMGrads, Masks, RNNGrads, Spec
from fastrnn.runtime import backend, team

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.random import Generator

Ids = NDArray[np.int64]
CoreCell = tuple[_core.Cell, _core.Choices | None]
# w_ih, w_hh, b_ih, b_hh, w_peephole, w_hr, w_norm
Weights = tuple[
    Array | None, Array, Array | None, Array | None, Array | None, Array | None, Array | None
]
# By x, and by the weights in their order.
Gradients = tuple[
    Array | None, Array | None, Any, Array | None, Array | None, Array | None, Array | None,
    Array | None,
]  # fmt: skip
Grads = TypeVar("Grads", LSTMGrads, GRUGrads, RNNGrads)

NAMES = tuple(WEIGHTS)
COLUMNS = "is the number of columns of w_ih (G·H if w_ih is None)"
INPUT_SIZE = "is input_size"
PACKED: Any = (None,) * len(NAMES)  # in the place of weights that are packed
FOR_INFERENCE = (
    "quantised weights are for inference only: train the layer or model that they were made of, "
    "and quantize it again"
)
USED = "tape: it has been used, and a tape serves one backward; call forward again"
_ndarray, _empty = np.ndarray, np.empty
_new = tuple.__new__  # the name of a NamedTuple is a call of Python: 0.2 us more


class Part(NamedTuple):
    """The weights of one layer and direction, checked: ready to run.

    They are arrays, or packed for inference, or both; those that are not given are None.
    """

    spec: Spec
    core: CoreCell  # that of spec
    weights: Weights
    packed: _core.PackedWeights | None
    dtype: DType
    columns: int  # of x: I, or G·H where there is no w_ih because x is the projected input
    H: int
    P: int  # columns of h: H but for a projection
    reverse: bool
    projected: bool  # the input is a product by w_ih already
    # Of the operands of products: "int8" or "bfloat16", and the weights of fewer bits are matrices
    # of `_quantize`; None: dtype.
    precision: str | None = None
    bfloat16: bool = False  # products of plain weights, w_ih and w_hh, are in bfloat16

    def with_masks(self) -> "Part":
        """Return the same, as one that takes masks."""
        spec = self.spec.with_masks()
        return self._replace(spec=spec, core=core_cell(spec))


@lru_cache(1024)
def core_cell(spec: Spec) -> CoreCell:
    """Return the core's cell of a spec, and what it is told if it is a general one."""
    return _core.Cell[spec.core], _core.Choices(**spec.core_choices()) if spec.general else None


# ---- check ----


def thread_count(num_threads: Any) -> int:
    """Return what the core takes: the argument, or the block's number, or 0 for the process's."""
    if num_threads is None:
        return team.get()
    return integer("num_threads", num_threads, 1, MAX_THREADS)


def check_weights(
    spec: Spec, reverse: Any, w_ih: Any, w_hh: Any, b_ih: Any, b_hh: Any, w_peephole: Any = None,
    w_hr: Any = None,
) -> Part:  # fmt: skip
    """Return the weights of a call of one layer and direction, and the sizes that they imply."""
    w_hh, dtype = leading("w_hh", w_hh)
    G, title = spec.G, spec.title
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
            raise _w_hh_error(spec, w_hh.shape)
        H = P = w_hh.shape[1]
    rows = columns = G * H
    if w_ih is not None:
        if not fits(w_ih, (rows, None), dtype):
            w_ih = _check_w_ih(spec, w_ih, dtype, rows, H)
        columns = w_ih.shape[1]
    if b_ih is not None and not fits(b_ih, (rows,), dtype):
        b_ih = exact("b_ih", b_ih, (rows,), dtype, f"({_times(G)}H,)", title, H, weight=True)
    if b_hh is not None and not fits(b_hh, (rows,), dtype):
        b_hh = exact("b_hh", b_hh, (rows,), dtype, f"({_times(G)}H,)", title, H, weight=True)
    if w_peephole is not None:
        w_peephole = _check_peephole(w_peephole, dtype, H)
    weights = w_ih, w_hh, b_ih, b_hh, w_peephole, w_hr, None
    if reverse is not False:
        reverse = flag("reverse", reverse)
    return _new(
        Part, (spec, core_cell(spec), weights, None, dtype, columns, H, P, reverse, w_ih is None,
               None, False),
    )  # fmt: skip


def check_x(name: str, x: Any, most: int, dtype: DType, columns: int, why: str) -> Array:
    """Return x of `most` axes, or one less, the last of them contiguous and of the right length."""
    if fits(x, (None, None, columns) if most == 3 else (None, columns), dtype):
        return x
    x = floats(name, x, dtype)
    if not most - 1 <= x.ndim <= most or x.shape[-1] != columns:
        forms = ("(N, I) or (I,)", "(T, N, I), (N, T, I) with batch_first, or (T, I)")[most - 2]
        raise ValueError(f"{name} must have shape {forms} where I = {columns} {why}, got {x.shape}")
    return unit_stride(name, x)


def check_state(
    name: str, state: Any, N: int, width: int, part: Part
) -> tuple[Array, tuple[int, ...]]:
    """Return an initial state as (N, width), and the shape that it came in: that, or (width,)."""
    dtype, title, H = part.dtype, part.spec.title, part.H
    if fits(state, (N, width), dtype):
        return state, (N, width)
    letter = "H" if width == H else "P"
    state = floats(name, state, dtype) if type(state) is not _ndarray else state
    if state.ndim == 1 and state.shape == (width,):
        state = exact(name, state, (width,), dtype, f"({letter},)", title, H)
        return np.broadcast_to(state, (N, width)) if N != 1 else state[None], (width,)
    symbols = f"({letter},) or (N, {letter})"
    return exact(name, state, (N, width), dtype, symbols, title, H), (N, width)


def check_masks(part: Part, masks: Any, T: int, N: int) -> Masks:
    """Return the masks of one call, checked."""
    if not isinstance(masks, Masks):
        raise TypeError(f"masks must be a fastrnn.Masks, got {type(masks).__name__}")
    spec, H, P = part.spec, part.H, part.P
    letter = "P" if P != H else "H"
    rules = {
        "h_mask": ((N, P), f"(N, {letter})"),
        "h_keep": ((T, N, P), f"(T, N, {letter})"),
        "c_keep": ((T, N, H), "(T, N, H)"),
        "w_mask": ((spec.G * H, P), f"({spec.G}·H, {letter})"),
    }
    if masks.c_keep is not None and not spec.cell_state:
        raise ValueError(f"masks.c_keep is for an LSTM, and this is {spec.title}")
    if masks.c_keep is not None and spec.peephole:
        raise ValueError("masks.c_keep, zoneout of c, is not supported together with w_peephole")
    return Masks(*(
        None if value is None
        else exact(f"masks.{name}", value, shape, part.dtype, symbols, spec.title, H)
        for value, (name, (shape, symbols)) in zip(masks, rules.items(), strict=True)
    ))  # fmt: skip


def _check_peephole(w_peephole: Any, dtype: DType, H: int) -> Array:
    """Return w_peephole, the diagonals (3, H) or full matrices (3·H, H)."""
    array = floats("w_peephole", w_peephole, dtype)
    if array.ndim == 2 and array.shape == (3 * H, H):
        return array
    symbols = "(3, H) or (3·H, H)"
    return exact("w_peephole", array, (3, H), dtype, symbols, "an LSTM", H)


def _check_w_ih(spec: Spec, w_ih: Any, dtype: DType, rows: int, H: int) -> Array:
    """Return w_ih of any layout as (G·H, I)."""
    array = floats("w_ih", w_ih, dtype)
    if array.ndim != 2 or array.shape[0] != rows:
        columns = array.shape[0] if array.ndim == 2 and array.shape[1] == rows else "I"
        hint = "" if columns == "I" else "; did you pass its transpose?"
        raise ValueError(
            f"w_ih must have shape ({spec.G}·H, I) = ({rows}, {columns}) for {spec.title} "
            f"with H = {H}, got {array.shape}{hint}"
        )
    return array


def _w_hh_error(spec: Spec, shape: tuple[int, ...]) -> ValueError:
    """Word what is wrong with the shape of w_hh; H is read from whichever axis makes sense."""
    G = spec.G
    symbols = f"({_times(G)}H, H)"
    if len(shape) != 2:
        return ValueError(f"w_hh must have shape {symbols}, got {shape}")
    H = shape[0] if shape[1] == G * shape[0] else shape[1]
    if H == 0:
        return ValueError(f"w_hh must have shape {symbols} with H of at least 1, got {shape}")
    return shape_error("w_hh", symbols, (G * H, H), f"{spec.title} with H = {H}", shape)


def _times(G: int) -> str:
    return f"{G}·" if G > 1 else ""


# ---- the road ----


def call(
    part: Part,
    x: Any,
    h0: Any,
    c0: Any,
    lengths: Any,
    batch_first: Any,
    num_threads: Any,
    keep: bool,
    masks: Any = None,
) -> tuple[Array, Array, Array | None, "Tape | None"]:
    """Check what the caller gave, run, and return (y, h_n, c_n, tape) in the caller's layout."""
    threads = team.get() if num_threads is None else thread_count(num_threads)
    if batch_first is not False:
        batch_first = flag("batch_first", batch_first)
    dtype, H, P = part.dtype, part.H, part.P
    x = check_x("x", x, 3, dtype, part.columns, COLUMNS)
    single = x.ndim == 2
    if single:
        x, batch_first = x[:, None], False
    elif batch_first:
        x = x.transpose(1, 0, 2)
    T, N, _ = x.shape
    if lengths is not None:
        lengths = checked_lengths(lengths, T, N, single)
    h0_shape = c0_shape = None
    if h0 is not None:
        h0, h0_shape = check_state("h0", h0, N, P, part)
    if c0 is not None:
        c0, c0_shape = check_state("c0", c0, N, H, part)
    if masks is not None:
        masks, part = check_masks(part, masks, T, N), part.with_masks()

    y: Any = new_y(T, N, P, dtype, True) if batch_first else True
    y, h_n, c_n, box = run(part, x, h0, c0, lengths, y, True, True, threads, keep, masks)
    if single:
        y, h_n = y[:, 0], h_n[0]
        if c_n is not None:
            c_n = c_n[0]
    elif batch_first:
        y = y.transpose(1, 0, 2)
    if box is None:
        return y, h_n, c_n, None
    y.setflags(write=False)
    return y, h_n, c_n, Tape(box, part.spec, (single, batch_first), (h0_shape, c0_shape))


def step(
    part: Part, x_t: Any, h: Any, c: Any, num_threads: Any
) -> tuple[Array, Array | None]:
    """Check what the caller gave, run one step, and return (h, c) in the caller's layout."""
    threads = team.get() if num_threads is None else thread_count(num_threads)
    x = check_x("x_t", x_t, 2, part.dtype, part.columns, COLUMNS)
    single = x.ndim == 1
    x = x[None, None] if single else x[None]
    N = x.shape[1]
    if h is not None:
        h, _ = check_state("state[0]" if part.spec.cell_state else "h", h, N, part.P, part)
    if c is not None:
        c, _ = check_state("state[1]", c, N, part.H, part)
    _, h_n, c_n, _ = run(part, x, h, c, None, True, True, True, threads, False)
    if single:
        return h_n[0], None if c_n is None else c_n[0]
    return h_n, c_n


def new_y(T: int, N: int, P: int, dtype: DType, batch_first: bool) -> Array:
    """Return a fresh y (T, N, P), which lies in memory as the caller's layout has it."""
    if batch_first:
        return allocate("y", (N, T, P), dtype).transpose(1, 0, 2)
    return allocate("y", (T, N, P), dtype)


def run(
    part: Part,
    x: Array,
    h0: Array | None,
    c0: Array | None,
    lengths: Ids | None,
    y: Any,
    h_n: Any,
    c_n: Any,
    num_threads: int,
    keep: bool,
    masks: Masks | None = None,
    ids: Ids | None = None,
    stacked: bool = False,
    core: "Callable[..., Any] | None" = None,
) -> "tuple[Array, Array, Array | None, Box | None]":
    """Return y, h_n and c_n, of the active backend; arrays are strict and time-major.

    Each of them is a fresh array where True is given, else what is given is filled. With ids
    (T, N), which the core alone takes, x is (1, V, G·H) and they name its rows. Fresh states that
    are stacked are (1, N, ·). `core` stands for the core's function where `each` has two calls.

    There is a box for `unwind` when `keep` is set. Packed weights, which exclude `keep`, may stand
    for the weights on the core; the twin always reads the arrays.
    """
    name = backend.get()
    if part.precision is not None:
        _check_quantised(part, h0, keep)
    h_mask, h_keep, c_keep, w_mask = NO_MASKS if masks is None else masks
    if w_mask is not None:
        w_ih, w_hh, *others = part.weights
        dropped = times_mask(w_hh, w_mask, name, num_threads)
        part = part._replace(weights=(w_ih, dropped, *others))
    inner: Any = None
    if name == "core":
        packed = part.packed
        cell, choices = part.core
        if keep:
            inner = _core.Tape()
        w_ih, w_hh, b_ih, b_hh, w_peephole, w_hr, w_norm = (
            part.weights if packed is None else PACKED
        )
        y, h_n, c_n = (core or _core.rnn_forward)(
            cell, x, w_ih, w_hh, b_ih, b_hh, w_peephole, h0, c0, lengths, y, h_n, c_n, part.reverse,
            num_threads, inner, packed, choices, w_hr, h_mask, h_keep, c_keep, w_norm, ids,
            part.bfloat16 and packed is None, stacked,
        )  # fmt: skip
    else:
        inner, *results = _twin_forward(part, x, h0, c0, lengths, masks or NO_MASKS)
        outputs = zip((y, h_n, c_n), results, strict=True)
        y, h_n, c_n = (_filled(output, result, part.dtype) for output, result in outputs)
        if stacked:
            h_n, c_n = h_n[None], None if c_n is None else c_n[None]
    if not keep:
        return y, h_n, c_n, None
    kept = _new(Kept, (part, inner, name, x, y, h0, c0, num_threads, w_mask, None))
    if runtime.debug_checks:
        kept = kept._replace(digests=kept.digest())
    return y, h_n, c_n, [kept]


def _twin_forward(
    part: Part, x: Array, h0: Array | None, c0: Array | None, lengths: Ids | None, masks: Masks
) -> tuple[Any, ...]:
    """Return the twin's tape, y, h_n and c_n; weights have been multiplied by their mask."""
    spec, layout = part.spec, (lengths, part.reverse, False)
    masks = _drawn(masks, (*x.shape[:2], part.P), part.H, part.dtype)._replace(w_mask=None)
    if part.precision is not None:
        operands = operands_of(part.weights)
        return None, *twins("quantized").forward(spec, x, operands, h0, c0, layout, masks)
    rounded = twins("quantized").bfloat16 if part.bfloat16 else None
    return twins("_layer").forward(spec, x, part.weights, h0, c0, layout, masks, rounded)  # type: ignore[no-any-return]


def operands_of(weights: tuple[Any, ...]) -> tuple[Any, ...]:
    """Return quantised weights as the twin takes them."""
    return tuple(w.operand() if isinstance(w, Matrix) else w for w in weights)


def _filled(output: Any, result: Array | None, dtype: DType) -> Any:
    """Return what the twin returned in the place for it, True for a fresh one."""
    if result is None:
        return None
    if output is True:
        output = _empty(result.shape, dtype)
    np.copyto(output, result, casting="no")
    return output


def _check_quantised(part: Part, h0: Array | None, keep: bool) -> None:
    """Refuse what weights of fewer bits are not for."""
    if keep:
        raise TypeError(FOR_INFERENCE)
    if part.precision == "int8" and part.spec.bounded and h0 is not None:
        check_bounded("h0, the initial h,", h0)


def check_bounded(name: str, h: Array) -> None:
    """Refuse a state that int8 has no scale for; NaN goes its way."""
    if (np.abs(h) > 1).any():
        raise ValueError(
            f"{name} must lie within -1 and 1 for int8, got {np.nanmax(np.abs(h)):.6g}"
        )


class Draws(NamedTuple):
    """In the place of an array of `Masks`: the core draws it where it is used.

    Attributes
    ----------
    p : float
        Above 0, at most 1: how probable it is that zoneout keeps a unit (h_keep, c_keep), or that a
        weight is dropped (w_mask).
    key : int
        64 bits, of which and of each element's place its bits are a hash.
    """

    p: float
    key: int


def draw_key(rng: "Generator") -> int:
    """Return the 64 bits that decide the mask of one call."""
    return int.from_bytes(rng.bytes(8), "little")


def times_mask(w: Array, mask: Any, name: str, num_threads: int, into: Any = None) -> Any:
    """Return w_hh, or its gradient, times w_mask on the backend of this name.

    A mask that is an array needs no memory for the result where that may go into an array.
    """
    if not isinstance(mask, Draws):
        return np.multiply(w, mask, out=into)
    if name != "core":
        return twins("dropout").masked(w, *mask)
    product = allocate("w_hh", w.shape, w.dtype)
    flat = np.ascontiguousarray(w).reshape(-1)
    _core.dropout(flat, product.reshape(-1), *mask, num_threads)
    return product


def _drawn(masks: Masks, shape: tuple[int, int, int], H: int, dtype: DType) -> Masks:
    """Return the masks with the twin's arrays in the place of `Draws` of h_keep and c_keep."""
    T, N, P = shape
    widths = {"h_keep": P, "c_keep": H}
    for which, (field, width) in enumerate(widths.items()):
        mask = getattr(masks, field)
        if isinstance(mask, Draws):
            kept = twins("dropout").keeps(*mask, (T, N, width), which).astype(dtype)
            masks = masks._replace(**{field: kept})
    return masks


def twins(module: str = "") -> Any:
    """Return `fastrnn.reference`, or a module of it: the one door from the product to the twins."""
    return import_module(f"fastrnn.reference.{module}" if module else "fastrnn.reference")


# ---- tape, and the way back ----


class Kept(NamedTuple):
    """What a run keeps alive until the way back: the backend's own tape and all it refers to."""

    part: Part
    inner: Any
    backend: str
    x: Array  # (T, N, I)
    y: Array  # (T, N, P)
    h0: Array | None
    c0: Array | None
    num_threads: int
    w_mask: Any  # what w_hh has been multiplied by: an array, or Draws
    digests: dict[str, bytes] | None  # where changes are to be detected

    def digest(self) -> dict[str, bytes]:
        """Return a hash of the content of each array."""
        from hashlib import blake2b

        arrays = dict(zip(NAMES, self.part.weights, strict=True))
        arrays |= {"x": self.x, "y": self.y, "h0": self.h0, "c0": self.c0}
        return {
            name: blake2b(np.ascontiguousarray(array).data, digest_size=16).digest()
            for name, array in arrays.items()
            if array is not None
        }


# What one run kept, and nothing once it is used: pop() lets exactly one of several threads have it.
Box = list[Kept]
Shapes = tuple[tuple[int, ...] | None, tuple[int, ...] | None]


def held(box: Box) -> int:
    """Return the bytes of the backend's own tape, 0 once used."""
    return sum(int(kept.inner.nbytes) for kept in box)


def unwind(
    box: Box,
    dy: Array | None,
    dh_n: Array | None,
    dc_n: Array | None,
    dh0: Array | None,
    dc0: Array | None,
    dx: Any,
    truncate: int | None,
    clip_step: float | None,
    add_dx: bool = False,
    core: "Callable[..., Any] | None" = None,
) -> Gradients:
    """Use up what a run kept; arrays are strict and time-major.

    dh0 and dc0 are filled when given; so is dx, the gradient by x, which is fresh where True is
    given, and None where it is not wanted. Those by the weights are fresh arrays, None where there
    is none. With add_dx, for the second call of `each`, the core adds that by x to the first's, and
    returns it again.
    """
    try:
        kept = box.pop()
    except IndexError:
        raise ValueError(USED) from None
    part, inner, name, _, _, _, _, num_threads, w_mask, digests = kept
    if digests is not None:
        _refuse_changed(box, kept, digests)
    out: Gradients
    if name == "core":
        try:
            out = (core or _core.rnn_backward)(
                inner, dy, dh_n, dc_n, dx, True, True, True, True, dh0, dc0, True, num_threads,
                truncate, clip_step, True, True, add_dx,
            )  # fmt: skip
        except BaseException:
            if not inner.spent:
                box.append(kept)  # good for another try
            raise
    else:
        computed = twins("_layer").backward(inner, dy, dh_n, dc_n, truncate, clip_step)
        for target, field in ((dh0, "h0"), (dc0, "c0")):
            if target is not None:
                np.copyto(target, computed[field], casting="no")
        if dx is not None:
            dx = _filled(dx, computed["x"], part.dtype)
        out = dx, *(
            None if weight is None else _filled(True, computed[field], part.dtype)
            for field, weight in zip(NAMES, part.weights, strict=True)
        )
    if w_mask is not None:
        dx, dw_ih, dw_hh, *others = out
        dw_hh = times_mask(dw_hh, w_mask, name, num_threads, into=dw_hh)
        out = dx, dw_ih, dw_hh, *others
    return out


def _refuse_changed(box: Box, kept: Kept, before: dict[str, bytes]) -> None:
    """Put what was kept back and raise ValueError if an array of it has been changed."""
    now = kept.digest()
    for name, digest in before.items():
        if now[name] != digest:
            box.append(kept)
            raise ValueError(
                f"{name} was changed between forward and backward; the tape keeps it by reference"
            )


def each(
    step: "Callable[..., Any]", together: "Callable[..., Any]", calls: list[tuple[Any, ...]]
) -> list[Any]:
    """Return what `run`, or `unwind`, returns for these arguments: of one call, or of two.

    `together` is what the core has for two. The first waits, where it would call the core, for the
    second, which there has the arguments of both: so each checks, keeps and puts back what it does
    alone. The second's x (or dy) may be the first's y (or dx): neither looks at what is in them
    before the core has run, or changes it after.
    """
    if len(calls) == 1:
        return [step(*calls[0])]
    others: Any = None
    its: Any = None

    def wait(*mine: Any) -> Any:
        nonlocal others

        def run_both(*other: Any) -> Any:
            nonlocal its
            its, result = together(mine, other)
            return result

        others = step(*calls[1], core=run_both)
        return its

    own = step(*calls[0], core=wait)
    return [own, others or step(*calls[1])]  # the twin calls no core


class Tape:
    """What `lstm_forward`, `gru_forward` or `rnn_forward` leaves for one backward.

    It keeps x, the weights, the initial state and y by reference: do not change them in place
    before backward (`set_debug` detects it). Backward uses it up and frees what it holds.

    Attributes
    ----------
    nbytes : int
        Bytes of its own memory, without the arrays that it refers to; 0 once used.
    gates : ndarray, (T, N, G, H)
        Activated gates; see below.
    c : ndarray, (T, N, H)
        Cell states of an LSTM.

    Examples
    --------
    >>> import numpy as np
    >>> import fastrnn
    >>> w = np.zeros((4, 1))
    >>> y, state, tape = fastrnn.lstm_forward(np.ones((3, 2, 1)), w, w)
    >>> tape.gates.shape, tape.gates[0, 0, :, 0]
    ((3, 2, 4, 1), array([0.5, 0.5, 0. , 0.5]))
    """

    __slots__ = ("_box", "_c", "_gates", "_layout", "_spec", "_states")

    def __init__(
        self, box: Box, spec: Spec, layout: tuple[bool, bool], states: Shapes = (None, None)
    ) -> None:
        self._box, self._spec = box, spec
        self._gates: Array | None = None
        self._c: Array | None = None
        # How the caller's arrays lay (one sequence?, batch_first?), and the shapes of its states.
        self._layout, self._states = layout, states

    @property
    def nbytes(self) -> int:
        """Bytes of its own memory, without the arrays that it refers to; 0 once used."""
        return held(self._box)

    @property
    def gates(self) -> Array:
        """Activated gates (T, N, G, H), or (T, G, H) of one sequence; read-only, 0 in padding.

        Time-major whatever `batch_first` was. G runs over i f g o (LSTM), r z n (GRU), or has one
        entry (RNN). Copied on first access, which must come before backward.

        Raises
        ------
        ValueError
            First looked at after backward.
        """
        if self._gates is None:
            kept = self._open("tape.gates")
            shape = (*kept.y.shape[:2], self._spec.G, kept.part.H)
            gates = allocate("tape.gates", shape, kept.part.dtype)
            if kept.backend == "core":
                kept.inner.gates(gates)
            else:
                gates[...] = kept.inner.gates
            self._gates = self._read_only(gates)
        return self._gates

    @property
    def c(self) -> Array:
        """Cell states after each step (T, N, H), or (T, H) of one sequence; read-only, LSTM only.

        Time-major whatever `batch_first` was; 0 in padding. Copied on first access, which must
        come before backward.

        Raises
        ------
        ValueError
            The tape is not an LSTM's, or first looked at after backward.
        """
        if not self._spec.cell_state:
            raise ValueError(f"tape.c exists for an LSTM only, this tape is of {self._spec.title}")
        if self._c is None:
            kept = self._open("tape.c")
            cells = allocate("tape.c", (*kept.y.shape[:2], kept.part.H), kept.part.dtype)
            if kept.backend == "core":
                kept.inner.c(cells)
            else:
                cells[...] = kept.inner.c
            self._c = self._read_only(cells)
        return self._c

    def _read_only(self, array: Array) -> Array:
        array.setflags(write=False)
        return array[:, 0] if self._layout[0] else array

    def _open(self, name: str) -> Kept:
        """Return what is kept, or say that it is gone."""
        for kept in self._box:
            return kept
        raise ValueError(
            f"{name}: this tape has been used, and a tape serves one backward; "
            f"call {self._spec.family}_forward again"
        )


def backward(
    tape: Any, function: str, grads: type[Grads], *given: Any, **options: Any
) -> Grads:
    """Return what `gradients` finds as the fields of `grads`."""
    made = object.__new__(grads)
    # What is frozen is slow to set field by field.
    fields = gradients(tape, function, *given, **options)
    vars(made).update(zip(grads.__dataclass_fields__, fields, strict=False))
    return made


def gradients(
    tape: Any,
    function: str,
    dy: Any,
    dh_n: Any,
    dc_n: Any,
    *,
    want_x: bool = True,
    want_states: bool = True,
    truncate: Any = None,
    clip_step: Any = None,
) -> tuple[Any, ...]:
    """Check, run backward, and return the gradients in the caller's layout.

    They are in the order of the fields of `LSTMGrads`, None where there is none, or where nobody
    wants it: by x, or by the initial states.
    """
    if not isinstance(tape, Tape):
        raise TypeError(f"tape must be what {function}_forward returned, got {type(tape).__name__}")
    spec = tape._spec
    if spec.family != function:
        raise ValueError(
            f"tape must come from {function}_forward, this one comes from {spec.family}_forward"
        )
    kept, (single, batch_first) = tape._open("tape"), tape._layout
    part, (T, N, _) = kept.part, kept.y.shape
    every = None if truncate is None else truncation(truncate, T)
    limit = None if clip_step is None else step_limit(clip_step)
    if dy is not None:
        dy = _checked_dy(dy, kept, single, batch_first)
    if dh_n is not None:
        dh_n = _checked_final("dh_n", dh_n, N, part.P, part, single)
    if dc_n is not None:
        dc_n = _checked_final("dc_n", dc_n, N, part.H, part, single)
    h0, c0 = tape._states if want_states else (None, None)
    dh0 = None if h0 is None else allocate("dh0", (N, h0[-1]), part.dtype)
    dc0 = None if c0 is None else allocate("dc0", (N, c0[-1]), part.dtype)
    dx, dw_ih, dw_hh, db_ih, db_hh, dw_peephole, dw_hr, _ = unwind(
        tape._box, dy, dh_n, dc_n, dh0, dc0, want_x or None, every, limit
    )
    if dx is not None and (single or batch_first):
        dx = dx[:, 0] if single else dx.transpose(1, 0, 2)
    if dh0 is not None and h0 is not None and len(h0) == 1:
        dh0 = dh0.sum(axis=0)
    if dc0 is not None and c0 is not None and len(c0) == 1:
        dc0 = dc0.sum(axis=0)
    return dx, dw_ih, dw_hh, db_ih, db_hh, dh0, dc0, dw_peephole, dw_hr


def _checked_dy(dy: Any, kept: Kept, single: bool, batch_first: bool) -> Array:
    """Return dy, which has the shape of y, as (T, N, P)."""
    (T, N, P), part, H = kept.y.shape, kept.part, kept.part.H
    shape: tuple[int, ...] = (T, P) if single else (N, T, P) if batch_first else (T, N, P)
    if not fits(dy, shape, part.dtype):
        symbols = "(T, H)" if single else "(N, T, H)" if batch_first else "(T, N, H)"
        symbols = symbols if P == H else symbols.replace("H", "P")
        dy = exact("dy", dy, shape, part.dtype, symbols, part.spec.title, H)
    return dy[:, None] if single else dy.transpose(1, 0, 2) if batch_first else dy  # type: ignore[no-any-return]


def _checked_final(
    name: str, value: Any, N: int, S: int, part: Part, single: bool
) -> Array:
    """Return the gradient by a final state as (N, S)."""
    letter = "H" if S == part.H else "P"
    shape, symbols = ((S,), f"({letter},)") if single else ((N, S), f"(N, {letter})")
    final = exact(name, value, shape, part.dtype, symbols, part.spec.title, part.H)
    return final[None] if single else final
