"""Tape: what one forward leaves for one backward, and the backward that uses it up."""

from typing import Any, NamedTuple, TypeVar

import numpy as np

from fastrnn import _core, runtime
from fastrnn._calls import twin
from fastrnn._calls.grads import GRUGrads, LSTMGrads, RNNGrads
from fastrnn._calls.kinds import Kind
from fastrnn._checks import Array, DType, allocate, exact, step_limit, truncation

# w_ih, w_hh, b_ih, b_hh, w_peephole, w_hr, w_norm
Weights = tuple[
    Array | None, Array, Array | None, Array | None, Array | None, Array | None, Array | None
]
G = TypeVar("G", LSTMGrads, GRUGrads, RNNGrads)
NAMES = ("w_ih", "w_hh", "b_ih", "b_hh", "w_peephole", "w_hr", "w_norm")
_GRADIENTS = {name: f"d{name}" for name in NAMES}


class Held(NamedTuple):
    """What a tape keeps alive until backward: the backend's own tape and all it refers to."""

    inner: Any
    backend: str
    x: Array  # (T, N, I)
    y: Array  # (T, N, P), P = H without projection
    weights: Weights
    h0: Array | None
    c0: Array | None
    num_threads: int
    w_mask: Array | None = None  # what w_hh has been multiplied by

    def digests(self) -> dict[str, bytes]:
        """Return a hash of the content of each array."""
        from hashlib import blake2b

        arrays = dict(zip(NAMES, self.weights, strict=True))
        arrays |= {"x": self.x, "y": self.y, "h0": self.h0, "c0": self.c0}
        return {
            name: blake2b(np.ascontiguousarray(array).data, digest_size=16).digest()
            for name, array in arrays.items()
            if array is not None
        }


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

    __slots__ = (
        "_box", "_c", "_digests", "_dims", "_dtype", "_gates", "_hidden", "_kind", "_layout",
        "_states",
    )  # fmt: skip

    def __init__(self, kind: Kind, held: Held) -> None:
        self._kind = kind
        # A list, because pop() lets exactly one of several threads have it.
        self._box = [held]
        self._dims: tuple[int, ...] = held.y.shape  # T, N, P
        self._hidden: int = held.weights[1].shape[0] // kind.gates
        self._dtype: DType = held.y.dtype
        self._gates: Array | None = None
        self._c: Array | None = None
        self._digests = held.digests() if runtime.debug() else None
        self._layout = False, False
        h0, c0 = held.h0, held.c0
        self._states = None if h0 is None else h0.shape, None if c0 is None else c0.shape

    def set_layout(self, single: bool, batch_first: bool) -> None:
        """Remember how the caller's arrays lay, for what is handed back."""
        self._layout = single, batch_first

    def set_states(self, h0: tuple[int, ...] | None, c0: tuple[int, ...] | None) -> None:
        """Remember the shapes of the caller's states, where they are not those of held ones."""
        self._states = h0, c0

    @property
    def nbytes(self) -> int:
        """Bytes of its own memory, without the arrays that it refers to; 0 once used."""
        return sum(int(held.inner.nbytes) for held in self._box)

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
            held = self._held("tape.gates")
            shape = (*self._dims[:2], self._kind.gates, self._hidden)
            gates = allocate("tape.gates", shape, self._dtype)
            if held.backend == "core":
                held.inner.gates(gates)
            else:
                gates[...] = held.inner.gates
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
        if not self._kind.cell_state:
            raise ValueError(f"tape.c exists for an LSTM only, this tape is of {self._kind.title}")
        if self._c is None:
            held = self._held("tape.c")
            cells = allocate("tape.c", (*self._dims[:2], self._hidden), self._dtype)
            if held.backend == "core":
                held.inner.c(cells)
            else:
                cells[...] = held.inner.c
            self._c = self._read_only(cells)
        return self._c

    def _read_only(self, array: Array) -> Array:
        array.setflags(write=False)
        return array[:, 0] if self._layout[0] else array

    def _held(self, name: str) -> Held:
        """Return what is held, or say that it is gone."""
        for held in self._box:
            return held
        raise ValueError(
            f"{name}: this tape has been used, and a tape serves one backward; "
            f"call {self._kind.function}_forward again"
        )

    def unwind(
        self,
        dy: Array | None,
        dh_n: Array | None,
        dc_n: Array | None,
        dh0: Array | None,
        dc0: Array | None,
        *,
        want_x: bool = True,
        truncate: int | None = None,
        clip_step: float | None = None,
        add_to: Array | None = None,
    ) -> dict[str, Array]:
        """Use the tape up; arrays are strict and time-major.

        dh0 and dc0 are filled when given, and the gradient by x is added to add_to. Returns the
        other gradients, freshly allocated, by name: x if it is wanted, and those weights that there
        are.
        """
        held = self._held("tape")
        if self._digests is not None:
            _refuse_changed(self._digests, held.digests())
        dtype = self._dtype
        fresh_x = want_x and (add_to is None or held.backend != "core")
        out = {"x": allocate("dx", held.x.shape, dtype)} if fresh_x else {}
        for name, array in zip(NAMES, held.weights, strict=True):
            if array is not None:
                out[name] = allocate(_GRADIENTS[name], array.shape, dtype)
        try:
            held = self._box.pop()
        except IndexError:
            held = self._held("tape")  # another thread was faster; this raises
        if held.backend == "core":
            get = out.get
            dx = get("x") if add_to is None else add_to
            try:
                _core.rnn_backward(
                    held.inner, dy, dh_n, dc_n, dx, get("w_ih"), get("w_hh"), get("b_ih"),
                    get("b_hh"), dh0, dc0, get("w_peephole"), held.num_threads, truncate, clip_step,
                    get("w_hr"), get("w_norm"), add_to is not None,
                )  # fmt: skip
            except MemoryError:
                if not held.inner.spent:
                    self._box.append(held)  # good for another try
                raise
        else:
            states = {"h0": dh0, "c0": dc0}
            wanted = out | {name: array for name, array in states.items() if array is not None}
            twin.backward(self._kind, held.inner, dy, dh_n, dc_n, wanted, truncate, clip_step)
            if add_to is not None:
                add_to += out.pop("x")
        if held.w_mask is not None:
            out["w_hh"] *= held.w_mask
        return out


def _refuse_changed(before: dict[str, bytes], now: dict[str, bytes]) -> None:
    for name, digest in before.items():
        if now[name] != digest:
            raise ValueError(
                f"{name} was changed between forward and backward; the tape keeps it by reference"
            )


def backward(tape: Any, function: str, grads: type[G], *given: Any, **options: Any) -> G:
    """Return what `gradients` finds as the fields of `grads`, None where there is none."""
    found = gradients(tape, function, *given, **options)
    fields: dict[str, Any] = {name: found.get(name) for name in grads.__dataclass_fields__}
    return grads(**fields)


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
) -> dict[str, Array]:
    """Check, run backward, and return the gradients in the caller's layout, by name; none by x, or
    by the initial states, if nobody wants it.
    """
    if not isinstance(tape, Tape):
        raise TypeError(f"tape must be what {function}_forward returned, got {type(tape).__name__}")
    kind = tape._kind
    if kind.function != function:
        raise ValueError(
            f"tape must come from {function}_forward, this one comes from {kind.function}_forward"
        )
    tape._held("tape")
    single, batch_first = tape._layout
    every = None if truncate is None else truncation(truncate, tape._dims[0])
    limit = None if clip_step is None else step_limit(clip_step)
    if dy is not None:
        dy = _checked_dy(tape, dy)
    if dh_n is not None:
        dh_n = _checked_final(tape, "dh_n", dh_n, tape._dims[2])
    if dc_n is not None:
        dc_n = _checked_final(tape, "dc_n", dc_n, tape._hidden)
    h0, c0 = tape._states if want_states else (None, None)
    N = tape._dims[1]
    dh0 = None if h0 is None else allocate("dh0", (N, h0[-1]), tape._dtype)
    dc0 = None if c0 is None else allocate("dc0", (N, c0[-1]), tape._dtype)
    out = tape.unwind(
        dy, dh_n, dc_n, dh0, dc0, want_x=want_x, truncate=every, clip_step=limit
    )
    if want_x and (single or batch_first):
        out["x"] = out["x"][:, 0] if single else out["x"].transpose(1, 0, 2)
    if dh0 is not None and h0 is not None:
        out["h0"] = dh0.sum(axis=0) if len(h0) == 1 else dh0
    if dc0 is not None and c0 is not None:
        out["c0"] = dc0.sum(axis=0) if len(c0) == 1 else dc0
    return out


def _checked_dy(tape: Tape, dy: Any) -> Array:
    """Return dy, which has the shape of y, as (T, N, P)."""
    (T, N, P), (single, batch_first), H = tape._dims, tape._layout, tape._hidden
    shape: tuple[int, ...] = (T, P) if single else (N, T, P) if batch_first else (T, N, P)
    symbols = "(T, H)" if single else "(N, T, H)" if batch_first else "(T, N, H)"
    symbols = symbols if P == H else symbols.replace("H", "P")
    array = exact("dy", dy, shape, tape._dtype, symbols, tape._kind.title, H)
    return array[:, None] if single else array.transpose(1, 0, 2) if batch_first else array


def _checked_final(tape: Tape, name: str, value: Any, S: int) -> Array:
    """Return the gradient by a final state as (N, S)."""
    N, single, H = tape._dims[1], tape._layout[0], tape._hidden
    letter = "H" if S == H else "P"
    shape, symbols = ((S,), f"({letter},)") if single else ((N, S), f"(N, {letter})")
    final = exact(name, value, shape, tape._dtype, symbols, tape._kind.title, H)
    return final[None] if single else final
