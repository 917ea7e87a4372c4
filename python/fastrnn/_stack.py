"""Many layers and directions as one: a call in the caller's layout, there and back.

`Stack` checks what the caller gave and returns what it gets; each layer and direction is one call
of `_call.run`. The states of all lie in one array of the caller, which `StateLayout` takes apart;
`Noise` draws the masks of a call.
"""

from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from fastrnn import _core
from fastrnn._call import (
    INPUT_SIZE,
    USED,
    Box,
    Draws,
    Ids,
    Part,
    Tape,
    check_masks,
    check_x,
    draw_key,
    each,
    held,
    new_y,
    run,
    unwind,
)
from fastrnn._checks import Array, DType, allocate, exact, unmasked
from fastrnn._checks import lengths as checked_lengths
from fastrnn._core import fits
from fastrnn.cells import GradientLimits, Masks, Spec
from fastrnn.runtime import team

if TYPE_CHECKING:
    from numpy.random import Generator

    from fastrnn.recurrent import Weights

# One entry per layer and direction: an array (N, H), or None for zeros, or for not wanted.
Flat = list[Any]


# ---- two directions as one ----


def merged_width(mode: str, directions: int, hidden: int) -> int:
    """Return how many columns the output of one layer has."""
    return directions * hidden if mode == "concat" else hidden


def _parts(mode: str, directions: int, y: Array) -> list[Array]:
    """Return one array (T, N, H) per direction; for concat they are halves of y."""
    if directions == 1:
        return [y]
    if mode == "concat":
        H = y.shape[2] // 2
        return [y[:, :, :H], y[:, :, H:]]
    return [np.empty(y.shape, y.dtype), np.empty(y.shape, y.dtype)]


def _merge(mode: str, outputs: list[Array], y: Array) -> None:
    """Fill y from both directions, unless they were written into it already."""
    if len(outputs) == 1 or mode == "concat":
        return
    combine = np.multiply if mode == "mul" else np.add
    combine(outputs[0], outputs[1], out=y)
    if mode == "ave":
        y *= 0.5


def _split(mode: str, dy: Array | None, outputs: list[Array]) -> list[Array | None]:
    """Return the gradient by each direction's output; the mirror of `_merge`."""
    if dy is None or len(outputs) == 1:
        return [dy] * len(outputs)
    if mode == "concat":
        H = dy.shape[2] // 2
        return [dy[:, :, :H], dy[:, :, H:]]
    if mode == "mul":
        return [dy * outputs[1], dy * outputs[0]]
    return [dy * 0.5] * 2 if mode == "ave" else [dy, dy]


# ---- states ----


class States(NamedTuple):
    """Fresh arrays for h and c as the caller will see them, and the same as flat lists of views."""

    h: list[Array]
    c: list[Array]
    flat_h: Flat
    flat_c: Flat


class StateLayout:
    """How a layer's h (and c) lie: (L·D, N, H), or one (D, N, H) per layer where sizes differ.

    Parameters
    ----------
    sizes : list of int
        H of each layer.
    widths : list of int
        P of each layer: the columns of h, where c has H.
    directions : int
        D.
    listed : bool
        The caller gave a list of sizes, so states are lists.
    cell_state : bool
        States are pairs (h, c).
    title : str
        The words of messages.
    """

    def __init__(
        self,
        sizes: list[int],
        widths: list[int],
        directions: int,
        listed: bool,
        cell_state: bool,
        title: str,
    ) -> None:
        self.sizes = sizes
        self.widths = widths
        self.directions = directions
        self.listed = listed
        self.cell_state = cell_state
        self.title = title
        self.absent: Flat = [None] * (len(sizes) * directions)

    def enter(
        self, name: str, state: Any, rows: int, single: bool, dtype: DType
    ) -> tuple[Flat, Flat]:
        """Return h and c as flat lists of strict arrays; c is all None without cell state."""
        absent = self.absent
        if state is None:
            return absent, absent
        if not self.cell_state:
            return self._enter_one(name, state, rows, single, dtype, self.widths), absent
        h, c = _pair(name, state)
        return (
            self._enter_one(name + "[0]", h, rows, single, dtype, self.widths),
            self._enter_one(name + "[1]", c, rows, single, dtype, self.sizes),
        )

    def _enter_one(
        self, name: str, value: Any, rows: int, single: bool, dtype: DType, widths: list[int]
    ) -> Flat:
        if value is None:
            return self.absent
        L, D = len(widths), self.directions
        tail = ("" if single else "N, ") + ("H)" if widths == self.sizes else "P)")
        if not self.listed:
            return self._rows(name, value, L * D, "(L·D, " + tail, rows, widths, 0, single, dtype)
        if not isinstance(value, (tuple, list)):
            raise TypeError(
                f"{name} must be a list with one array per layer, got {type(value).__name__}"
            )
        if len(value) != L:
            raise ValueError(f"{name} must have one array per layer, L = {L}, got {len(value)}")
        symbols = "(D, " + tail
        flat: Flat = []
        for i, part in enumerate(value):
            flat += self._rows(f"{name}[{i}]", part, D, symbols, rows, widths, i, single, dtype)
        return flat

    def _rows(
        self, name: str, value: Any, count: int, symbols: str, rows: int, widths: list[int],
        layer: int, single: bool, dtype: DType,
    ) -> Flat:  # fmt: skip
        shape = (count, widths[layer]) if single else (count, rows, widths[layer])
        array = exact(name, value, shape, dtype, symbols, self.title, self.sizes[layer])
        if single:
            return [array[k : k + 1] for k in range(count)]
        return [array[k] for k in range(count)]

    def new(self, rows: int, dtype: DType, h: bool = True, c: bool | None = None) -> States:
        """Return uninitialised states; without h, or c, its list is empty and its flat one None."""
        h_arrays = self._new_one(rows, dtype, self.widths) if h else []
        with_c = self.cell_state if c is None else c
        c_arrays = self._new_one(rows, dtype, self.sizes) if with_c else []
        return States(h_arrays, c_arrays, self._flat(h_arrays), self._flat(c_arrays))

    def _new_one(self, rows: int, dtype: DType, sizes: list[int]) -> list[Array]:
        D = self.directions
        if self.listed:
            return [allocate("state", (D, rows, H), dtype) for H in sizes]
        return [allocate("state", (len(sizes) * D, rows, sizes[0]), dtype)]

    def _flat(self, arrays: list[Array]) -> Flat:
        # By index: iterating over an array makes each view four times as slowly.
        return [a[k] for a in arrays for k in range(len(a))] if arrays else self.absent

    def leave(self, states: States, single: bool) -> Any:
        """Return states in the caller's form: h, or (h, c); None for what is not there."""
        h = self._leave_one(states.h, single)
        if not self.cell_state:
            return h
        c = self._leave_one(states.c, single)
        return None if h is None and c is None else (h, c)

    def split(self, state: Any) -> tuple[list[Any], list[Any]]:
        """Return the arrays of h and those of c as the caller gave them; none for None."""
        h, c = _pair("state", state) if self.cell_state and state is not None else (state, None)
        whole = [[] if part is None else part if self.listed else [part] for part in (h, c)]
        return list(whole[0]), list(whole[1])

    def join(self, h: list[Any], c: list[Any]) -> Any:
        """Return the state of these arrays in the caller's form, the inverse of `split`."""
        if not h and not c:
            return None
        whole = [None if not part else part if self.listed else part[0] for part in (h, c)]
        return (whole[0], whole[1]) if self.cell_state else whole[0]

    def _leave_one(self, arrays: list[Array], single: bool) -> Any:
        if not arrays:
            return None
        if single:
            arrays = [array[:, 0] for array in arrays]
        return arrays if self.listed else arrays[0]


def _pair(name: str, state: Any) -> tuple[Any, Any]:
    """Return h and c of an LSTM's state."""
    if not isinstance(state, (tuple, list)):
        raise TypeError(f"{name} must be a tuple (h, c), got {type(state).__name__}")
    if len(state) != 2:
        raise ValueError(f"{name} must be a tuple (h, c), got {len(state)} elements")
    return state[0], state[1]


def checked_rows(rows: Any, count: int) -> Array:
    """Return rows as an index array of integers in 0..N-1, or as a mask (N,)."""
    unmasked("rows", rows)
    index = np.asarray(rows)
    if index.size == 0 and index.dtype.kind != "b":
        index = index.astype(np.intp)
    if index.dtype.kind not in "biu":
        raise TypeError(f"rows must be integers, or a boolean mask, got {index.dtype}")
    if index.dtype.kind == "b":
        if index.shape != (count,):
            raise ValueError(f"rows as a mask must have shape (N,) = ({count},), got {index.shape}")
    elif index.size and (index.min() < 0 or index.max() >= count):
        raise ValueError(f"rows must lie in 0..N-1 = 0..{count - 1}, got {rows!r}")
    return index


# ---- masks ----


class Probabilities(NamedTuple):
    """The probabilities of a layer: of dropping h, of keeping the old h and c, of dropping w_hh."""

    recurrent_dropout: float = 0.0
    zoneout_h: float = 0.0
    zoneout_c: float = 0.0
    weight_drop: float = 0.0


class Noise:
    """Gives every layer and direction of one call its masks.

    Parameters
    ----------
    p : Probabilities
    rng : Generator or None
        None: what is to be expected; zoneout then keeps its part of everything.
    given : sequence of Masks or None
        One per layer and direction in the order of the states, in the place of drawn ones.
    """

    def __init__(self, p: Probabilities, rng: "Generator | None", given: Any = None) -> None:
        self._probabilities = p
        self._rng = rng
        self._given = given

    def masks(self, k: int, part: Part, T: int, N: int) -> Masks:
        """Return the masks of layer and direction k."""
        H, P, dtype = part.H, part.P, part.dtype
        if self._given is not None:
            return check_masks(part, self._given[k], T, N)
        if self._rng is None:
            return self._expected(T, N, H, P, dtype)
        p, h, c, w = self._probabilities
        mask = self._dropped(p, (N, P), dtype)
        key = draw_key(self._rng) if h or c or w else 0
        return Masks(mask, *(Draws(each, key) if each else None for each in (h, c, w)))

    def _expected(self, T: int, N: int, H: int, P: int, dtype: DType) -> Masks:
        _, h, c, _ = self._probabilities
        return Masks(None, _everywhere(h, (T, N, P), dtype), _everywhere(c, (T, N, H), dtype))

    def _dropped(self, p: float, shape: tuple[int, ...], dtype: DType) -> Array | None:
        """Return 0 with probability p, else 1 / (1 - p)."""
        if p == 0 or self._rng is None:
            return None
        scale = dtype.type(1 / (1 - p) if p < 1 else 0)
        dropped: Array = np.where(self._rng.random(shape, np.float32) >= p, scale, dtype.type(0))
        return dropped


def _everywhere(p: float, shape: tuple[int, int, int], dtype: DType) -> Array | None:
    """Return p at every place, None for 0; one row in memory that all steps and rows share.

    numpy.broadcast_to gives the same, later: one step of an LSTM with H = 32 took 14.6 us with it,
    and takes 11.3 (Zen 5).
    """
    if p == 0:
        return None
    row = np.full(shape[2], p, dtype)
    return np.ndarray(shape, dtype, row.data, 0, (0, 0, row.itemsize))


# ---- tape ----


class Record:
    """What several layers and directions leave, filled from the bottom layer up.

    Attributes
    ----------
    boxes : list of Box
        One per layer and direction.
    outputs : list of list of ndarray
        For each layer what each direction put out, (T, N, H).
    masks : list of ndarray or None
        For each layer, True where dropout kept its merged output; None: no dropout there.
    p : float
        Of that dropout.
    projected : bool
        x is the projected input of the bottom layer, a block of G·H columns per direction.
    """

    __slots__ = ("boxes", "masks", "outputs", "p", "projected")

    def __init__(self, projected: bool, p: float) -> None:
        self.p = p
        self.boxes: list[Box] = []
        self.outputs: list[list[Array]] = []
        self.masks: list[Array | None] = []
        self.projected = projected


class LayerTape:
    """What `forward` of a layer leaves for one `backward` of the same layer.

    It keeps x, the weights, the initial state and y by reference: do not change them in place
    before. Backward uses it up and frees what it holds.

    Attributes
    ----------
    tapes : tuple of Tape
        One per layer and direction, in the order of the states; for their ``gates`` and ``c``.
    nbytes : int
        Bytes of its own memory, without the arrays that it refers to; 0 once used.

    Examples
    --------
    >>> import numpy as np
    >>> import fastrnn
    >>> gru = fastrnn.GRU(3, 4, num_layers=2)
    >>> y, h_n, tape = gru.forward(np.zeros((5, 2, 3), np.float32))
    >>> [t.gates.shape for t in tape.tapes]
    [(5, 2, 3, 4), (5, 2, 3, 4)]
    """

    __slots__ = ("_box", "_boxes", "_owner", "_spec", "_tapes", "layout")

    def __init__(
        self, owner: object, spec: Spec, boxes: list[Box], record: Record | None,
        layout: tuple[bool, int, int, bool, bool],
    ) -> None:  # fmt: skip
        self._owner, self._spec, self._boxes = owner, spec, boxes
        self._box = [record]  # pop() lets exactly one of several threads have it
        self._tapes: tuple[Tape, ...] | None = None
        self.layout = layout  # one sequence?, T, N, was there an h0?, a c0?

    @property
    def tapes(self) -> tuple[Tape, ...]:
        """One per layer and direction, in the order of the states."""
        if self._tapes is None:
            layout = self.layout[0], False
            self._tapes = tuple(Tape(box, self._spec, layout) for box in self._boxes)
        return self._tapes

    @property
    def nbytes(self) -> int:
        """Bytes of its own memory, without the arrays that it refers to; 0 once used."""
        records = [record for record in self._box if record is not None]
        masks = [mask for record in records for mask in record.masks if mask is not None]
        return sum(map(held, self._boxes)) + sum(mask.nbytes for mask in masks)

    def take(self) -> tuple[list[Box], Record | None]:
        """Return what was kept to exactly one caller, ever; one layer alone has no record."""
        try:
            return self._boxes, self._box.pop()
        except IndexError:
            raise ValueError(USED) from None


@dataclass(frozen=True, eq=False, init=False)
class LayerGrads:
    """The gradients that `backward` of a layer returns; no two arrays share memory.

    Attributes
    ----------
    x : ndarray
        In the shape of x.
    state : ndarray, tuple, list or None
        By the initial state, in the form of the layer's states; None where none was given.
    params : dict of str to ndarray
        The keys and shapes of the layer's `params`.

    Examples
    --------
    >>> import numpy as np
    >>> import fastrnn
    >>> gru = fastrnn.GRU(3, 4)
    >>> y, h_n, tape = gru.forward(np.zeros((5, 2, 3), np.float32))
    >>> grads = gru.backward(tape, dy=np.ones_like(y))
    >>> grads.x.shape, grads.state, grads.params["weight_hh_l0"].shape
    ((5, 2, 3), None, (12, 4))
    """

    x: Array
    state: Any
    params: dict[str, Array]

    def __init__(self, x: Array, state: Any, params: dict[str, Array]) -> None:
        fields = self.__dict__  # what is frozen is slow to set
        fields["x"], fields["state"], fields["params"] = x, state, params


# ---- a whole call ----


class Stack:
    """Runs the layers and directions of a layer on the caller's arrays, and goes back.

    What a call looks at lies here, and not in the layer: there each look would take six times as
    long in Python 3.11, because layers have a `__getattr__`.

    Parameters
    ----------
    layout : StateLayout
    weights : Weights
    probabilities : Probabilities
    dropout : float
        Between layers.
    limits : GradientLimits
        As the layer was made.
    input_size : int
    dtype : dtype
    batch_first : bool
    mode : str
        How two directions are merged.
    """

    __slots__ = (
        "alone", "batch_first", "drops", "dtype", "fitting", "input_size", "layout", "limits",
        "mode", "names", "weights", "width", "zones",
    )  # fmt: skip

    def __init__(
        self, layout: StateLayout, weights: "Weights", probabilities: Probabilities,
        dropout: float, limits: GradientLimits, input_size: int, dtype: DType, batch_first: bool,
        mode: str,
    ) -> None:  # fmt: skip
        self.layout, self.weights, self.limits = layout, weights, limits
        # Of the weights of each layer and direction, in `_call.NAMES`' order, "" for none.
        self.names = [name for direction in weights.each() for name in direction.in_order]
        # Zoneout acts in every call; the rest acts in training and leaves inference plain.
        self.zones = any(probabilities[1:3])
        self.drops = dropout > 0 or any(probabilities)
        self.input_size, self.dtype, self.batch_first = input_size, dtype, batch_first
        self.fitting = None, None, input_size  # the shape of x
        self.mode = mode
        self.width = merged_width(mode, layout.directions, layout.widths[-1])
        self.alone = len(layout.sizes) == layout.directions == 1 and not layout.listed

    def run(
        self,
        owner: object,
        parts: list[list[Part]],
        x: Any,
        state: Any,
        lengths: Any,
        keep: bool = False,
        dropout: "Dropout | None" = None,
        noise: Noise | None = None,
        ids: Ids | None = None,
    ) -> tuple[Array, Any, LayerTape | None]:
        """Return y and the final state in the caller's layout, and the tape if it is to be kept.

        With ids (T, N), x is the projected input of each symbol, (1, V, D·G·H).
        """
        part, dtype = parts[0][0], self.dtype
        if part.projected or not fits(x, self.fitting, dtype):
            x = self._enter_x(x, parts[0])
        single = x.ndim == 2
        batch_first = self.batch_first and not single
        if single:
            x = x[:, None]
        elif batch_first:
            x = x.transpose(1, 0, 2)
        T, N = x.shape[:2] if ids is None else ids.shape
        if lengths is not None:
            lengths = checked_lengths(lengths, T, N, single)
        layout = self.layout
        h0 = c0 = layout.absent
        if state is not None:
            h0, c0 = layout.enter("state", state, N, single, dtype)
        record, boxes = None, []
        if self.alone:
            masks = None
            if noise is not None:
                part, masks = masked(part, noise, 0, T, N)
            y: Any = new_y(T, N, self.width, dtype, True) if batch_first else True
            y, h_n, c_n, box = run(
                part, x, h0[0], c0[0], lengths, y, True, True, team.get(), keep, masks, ids,
                not single,
            )
            final: Any = h_n if c_n is None else (h_n, c_n)
            if box is not None:
                boxes.append(box)
        else:
            if keep:
                record = Record(part.projected, 0.0 if dropout is None else dropout.p)
                boxes = record.boxes
            y = new_y(T, N, self.width, dtype, batch_first)
            states = layout.new(N, dtype)
            forward(
                parts, self.mode, x, h0, c0, lengths, y, states.flat_h, states.flat_c, team.get(),
                record, dropout, noise, ids,
            )  # fmt: skip
            final = layout.leave(states, single)
        if single:
            y = y[:, 0]
        elif batch_first:
            y = y.transpose(1, 0, 2)
        if not keep:
            return y, final, None
        y.setflags(write=False)
        arrived = single, T, N, h0[0] is not None, c0[0] is not None
        return y, final, LayerTape(owner, part.spec, boxes, record, arrived)

    def back(
        self,
        tape: LayerTape,
        dy: Any,
        dstate: Any,
        limits: GradientLimits,
        want_x: bool = True,
        want_states: bool = True,
    ) -> tuple[Array | None, Any, dict[str, Array]]:
        """Use the tape up; return the gradients by x, state and weights in the caller's layout."""
        single, T, N, has_h0, has_c0 = tape.layout
        layout, dtype = self.layout, self.dtype
        if dy is not None and (
            single or self.batch_first or not fits(dy, (T, N, self.width), dtype)
        ):
            dy = self._enter_dy(dy, single, T, N)
        dh_n = dc_n = dh0 = dc0 = layout.absent
        if dstate is not None:
            dh_n, dc_n = layout.enter("dstate", dstate, N, single, dtype)
        initial = None
        if want_states and (has_h0 or has_c0):
            initial = layout.new(N, dtype, has_h0, has_c0)
            dh0, dc0 = initial.flat_h, initial.flat_c
        boxes, record = tape.take()
        weights: list[Any]
        if record is None:
            dx, *weights = unwind(
                boxes[0], dy, dh_n[0], dc_n[0], dh0[0], dc0[0], want_x or None, *limits
            )
        else:
            dx, weights = backward(
                record, self.mode, dy, dh_n, dc_n, dh0, dc0, limits, want_x
            )
        if dx is not None and (single or self.batch_first):
            dx = dx[:, 0] if single else dx.transpose(1, 0, 2)
        params = dict(zip(self.names, weights, strict=True))
        params.pop("", None)
        if weights[0] is None:  # no w_ih at the bottom: x was the projected input
            params = {name: gradient for name, gradient in params.items() if gradient is not None}
        return dx, None if initial is None else layout.leave(initial, single), params

    def _enter_x(self, x: Any, bottom: list[Part]) -> Array:
        """Return x of three axes, or of two for one sequence."""
        columns, why = self.input_size, INPUT_SIZE
        if bottom[0].projected:
            columns, why = sum(part.columns for part in bottom), "is D·G·H of a projected input"
        return check_x("x", x, 3, self.dtype, columns, why)

    def _enter_dy(self, dy: Any, single: bool, T: int, N: int) -> Array:
        """Return dy, which has the shape of y, as (T, N, ·)."""
        layout, W, dtype = self.layout, self.width, self.dtype
        title, H = layout.title, layout.sizes[-1]
        last = "H)" if layout.widths[-1] == H else "P)"
        if self.mode == "concat":
            last = "D·" + last
        if single:
            return exact("dy", dy, (T, W), dtype, "(T, " + last, title, H)[:, None]
        if self.batch_first:
            array = exact("dy", dy, (N, T, W), dtype, "(N, T, " + last, title, H)
            return array.transpose(1, 0, 2)
        return exact("dy", dy, (T, N, W), dtype, "(T, N, " + last, title, H)


# ---- layer by layer ----

# Two layers may run side by side, the upper one a few steps behind, with so many rows at most: more
# are shared by threads in each layer, and what lies between both layers takes memory.
FEW_ROWS = 8


class Dropout:
    """Inverted dropout between layers: keep with probability 1 - p, scale by 1 / (1 - p)."""

    def __init__(self, p: float, rng: "Generator") -> None:
        self.p = p
        self.rng = rng

    def mask(self, y: Array) -> Array:
        """Return a fresh mask (T, N, ·), True where y is kept."""
        mask: Array = self.rng.random(y.shape, dtype=np.float32) >= self.p
        return mask

    @staticmethod
    def apply(p: float, mask: Array, y: Array) -> Array:
        """Return y scaled where kept and exactly 0 elsewhere; its own backward."""
        scale = y.dtype.type(1 / (1 - p) if p < 1 else 0)
        kept: Array = np.where(mask, y * scale, y.dtype.type(0))
        return kept


def forward(
    layers: list[list[Part]],
    mode: str,
    x: Array,
    h0: Flat,
    c0: Flat,
    lengths: Ids | None,
    y: Array,
    h_n: Flat,
    c_n: Flat,
    num_threads: int,
    record: Record | None = None,
    dropout: Dropout | None = None,
    noise: Noise | None = None,
    ids: Ids | None = None,
) -> None:
    """Fill y (T, N, D·H of the top layer, or H when merged), h_n and c_n; all time-major.

    With a record the run can go back; dropout acts after every layer but the last. Where the bottom
    layer has no w_ih, x is its projected input, a block of columns per direction; or, with ids
    (T, N), a table (1, V, ·) of which these rows are.
    """
    k = 0
    projected = layers[0][0].projected
    T, N = y.shape[:2]
    calls: list[tuple[Any, ...]] = []
    for l, layer in enumerate(layers):
        top = l == len(layers) - 1
        D, P = len(layer), layer[0].P
        width = merged_width(mode, D, P)
        out = y if top else allocate("a layer's output", (T, N, width), x.dtype)
        outputs = _parts(mode, D, out)
        inputs = _parts("concat", D, x) if projected and l == 0 else [x] * D
        for part, source, target in zip(layer, inputs, outputs, strict=True):
            masks = None
            if noise is not None:
                part, masks = masked(part, noise, k, T, N)  # noqa: PLW2901
            calls.append((
                part, source, h0[k], c0[k], lengths, target, h_n[k], c_n[k], num_threads,
                record is not None, masks, ids if l == 0 else None,
            ))  # fmt: skip
            k += 1
        # A layer of one direction waits for the next one, which then follows it step by step.
        waits = D == 1 and N <= FEW_ROWS and not top and dropout is None and len(calls) == 1
        if not waits:
            results = each(run, _core.rnn_forward_both, calls)
            calls = []
            if record is not None:
                record.boxes += [result[3] for result in results]
            del results  # which holds y of each direction beside their sum
        _merge(mode, outputs, out)
        x = out
        mask = None if dropout is None or top else dropout.mask(out)
        if mask is not None and dropout is not None:
            x = Dropout.apply(dropout.p, mask, out)
        if record is not None:
            record.outputs.append(outputs)
            record.masks.append(mask)


def masked(part: Part, noise: Noise, k: int, T: int, N: int) -> tuple[Part, Masks]:
    """Return layer and direction k as what takes masks, where it has any, and these masks."""
    masks = noise.masks(k, part, T, N)
    if any(mask is not None for mask in masks[:3]):
        part = part.with_masks()
    return part, masks


def backward(
    record: Record,
    mode: str,
    dy: Array | None,
    dh_n: Flat,
    dc_n: Flat,
    dh0: Flat,
    dc0: Flat,
    limits: GradientLimits,
    want_x: bool = True,
) -> tuple[Array | None, list[Array | None]]:
    """Use the record up; fill dh0 and dc0 where given.

    Returns the gradient by the input, if it is wanted, and those by the weights of each layer and
    direction, in their order.
    """
    weights: list[list[Array | None]] = [[] for _ in record.boxes]
    calls: dict[int, tuple[Any, ...]] = {}  # by layer and direction
    few = record.outputs[0][0].shape[1] <= FEW_ROWS
    dx: Array | None = dy
    for l in reversed(range(len(record.outputs))):
        outputs, mask = record.outputs[l], record.masks[l]
        if mask is not None and dx is not None:
            dx = Dropout.apply(record.p, mask, dx)
        pieces = _split(mode, dx, outputs)
        projected = record.projected and l == 0
        wanted: Any = want_x or l > 0 or None
        # A layer of one direction waits for the one below it, which then follows it step by step.
        waits = few and len(outputs) == 1 and l > 0 and not calls and record.masks[l - 1] is None
        if waits:
            below = record.outputs[l - 1][0]
            wanted = dx = allocate("a layer's gradient", below.shape, below.dtype)
        for d, piece in enumerate(pieces):
            k = l * len(outputs) + d
            calls[k] = (
                record.boxes[k], piece, dh_n[k], dc_n[k], dh0[k], dc0[k], wanted, *limits,
                d > 0 and wanted is True and not projected,
            )  # fmt: skip
        if waits:
            continue
        results = each(unwind, _core.rnn_backward_both, list(calls.values()))
        for k, (_, *by_weights) in zip(calls, results, strict=True):
            weights[k] = by_weights
        calls.clear()
        # By what all directions read: one array, or a block of columns each.
        by_input = [result[0] for result in results[-len(outputs) :]]
        dx = by_input[0]
        if dx is not None and dx is not by_input[-1]:
            dx = np.concatenate(by_input, axis=2) if projected else dx + by_input[-1]
        del results, by_input, wanted, pieces  # which hold gradients of layers that are done
    return dx, list(chain.from_iterable(weights))
