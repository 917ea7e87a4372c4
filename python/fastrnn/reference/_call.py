"""One call of a cell's twin: its arrays, the walk over rows and steps, and what it keeps.

`reverse` and `lengths` meet in `Sequence`. Walking the steps T-1 … 0 and letting a row keep its
state while it has no step makes it start at its own last step; flipping the time axis on the way in
and out leaves the cells one loop, from 0 to T-1, for both directions.
"""

from typing import Any, NamedTuple

import numpy as np

from fastrnn.cells import NO_MASKS, GradientLimits, Masks, Spec
from fastrnn.reference import _checks
from fastrnn.reference._math import Array, affine, array_module, as_array, sum_outer
from fastrnn.reference._norm import Norm, row_product


def check_shape(name: str, array: Any, *shapes: tuple[int, ...]) -> None:
    """Raise ValueError unless the array is None or has one of the shapes; NumPy would broadcast."""
    if array is not None and array.shape not in shapes:
        expected = " or ".join(str(shape) for shape in shapes)
        raise ValueError(f"{name} must have shape {expected}, got {array.shape}")


class Sequence:
    """Batch axis, direction and lengths of one call.

    Parameters
    ----------
    x : array, (T, N, F), (N, T, F) with `batch_first`, or (T, F)
        Only its shape is used.
    H : int
        Hidden size.
    lengths : array_like of int or None, (N,)
        Steps that exist in each row, 0..T; None: all T.
    reverse, batch_first : bool

    Raises
    ------
    TypeError
        lengths are not integers, or a flag is not a bool.
    ValueError
        x has neither two nor three axes; lengths are not (N,) or not in 0..T.
    """

    def __init__(self, x: Any, H: int, lengths: Any, reverse: bool, batch_first: bool) -> None:
        if x.ndim not in (2, 3):
            raise ValueError(f"x must have shape (T, N, I) or (T, I), got {x.shape}")
        self.batched = x.ndim == 3
        self.batch_first = _checks.flag("batch_first", batch_first) and self.batched
        self.reverse = _checks.flag("reverse", reverse)
        self.H = H
        self.P = H  # columns of h, which a projection makes fewer
        self.T: int = x.shape[1 if self.batch_first else 0]
        self.N: int = x.shape[0 if self.batch_first else 1] if self.batched else 1
        self.mask: Array | None = None  # (T, N, 1), True where a row has a step
        self.start: Any = 0  # (N, 1), in the order of processing: each row's first step
        if lengths is not None:
            given = np.asarray(lengths)
            given = given[None] if given.ndim == 0 and not self.batched else given
            lengths = _checks.counts(given, self.T, self.N)[:, None]
            steps = np.arange(self.T)[:: -1 if self.reverse else 1]
            self.mask = steps[:, None, None] < lengths
            self.start = self.T - lengths if self.reverse else 0

    def enter(self, x: Any) -> Any:
        """Return x as (T, N, F) in the order of processing, 0 where no step exists.

        A choice, never a product with 0: NaN in padding reaches neither values nor gradients.
        """
        if not self.batched:
            x = x[:, None, :]
        elif self.batch_first:
            x = array_module(x).swapaxes(x, 0, 1)
        x = x[::-1] if self.reverse else x
        return x if self.mask is None else array_module(x).where(self.mask, x, 0.0)

    def in_order(self, keep: Any) -> Any:
        """Return what zoneout keeps (T, N, ·) in the order of processing; None for None."""
        return keep[::-1] if keep is not None and self.reverse else keep

    def existing(self, states: Array) -> Array:
        """Return states (T, N, H) with 0 where no step exists."""
        return states if self.mask is None else np.where(self.mask, states, 0.0)

    def in_time(self, y: Any) -> Any:
        """Return y (T, N, F) in the order of time, 0 where no step exists."""
        y = y if self.mask is None else array_module(y).where(self.mask, y, 0.0)
        return y[::-1] if self.reverse else y

    def leave(self, y: Any) -> Any:
        """Return y (T, N, F) in the caller's layout: `enter` transposed, so backward swaps them."""
        y = self.in_time(y)
        if not self.batched:
            return y[:, 0]
        return array_module(y).swapaxes(y, 0, 1) if self.batch_first else y

    def select(self, t: int, then: Any, otherwise: Any) -> Any:
        """Return `then` (N, F) in the rows that have a step at t, and `otherwise` in the others."""
        if self.mask is None:
            return then
        return array_module(then, otherwise).where(self.mask[t], then, otherwise)

    def forget(self, t: int, every: int | None, *carries: Array) -> tuple[Array, ...]:
        """Return what flows from step t into the states before it, 0 where truncation cuts.

        It cuts each row at its own steps k, 2k, … with k = every, counted from 0 at its start.
        """
        if every is None:
            return carries
        own = t - self.start
        cut = (own > 0) & (own % every == 0)
        if self.mask is not None:
            cut = cut & self.mask[t]
        return tuple(np.where(cut, 0.0, carry) for carry in carries)

    def state_in(self, name: str, state: Any, dtype: Any) -> Any:
        """Return a new (N, H) array: zeros for None, the same row N times for a state (H,)."""
        if state is None:
            return np.zeros((self.N, self._width(name)), dtype)
        width = self._width(name)
        check_shape(name, state, (self.N, width), (width,))
        return state * np.ones((self.N, width), dtype)

    def _width(self, name: str) -> int:
        """Return the columns of a state or its gradient: c0, dc_n, h0 or dh_n."""
        return self.H if "c" in name else self.P

    def state_out(self, state: Any) -> Any:
        """Return the state (N, H), without its batch axis if x had none."""
        return state if self.batched else state[0]

    def dstate_in(self, name: str, dstate: Any, dtype: Any) -> Array:
        """Return the gradient by a final state as a new (N, H) array; zeros for None."""
        dstate = as_array(dstate)
        width = self._width(name)
        check_shape(name, dstate, (self.N, width) if self.batched else (width,))
        result: Array = self.state_in(name, dstate, dtype)
        return result

    def dstate_out(self, dstate: Array, state: Any) -> Array | None:
        """Return dstate (N, H) in the shape of the initial state that was given; None for None."""
        if state is None or state.ndim == 2:
            return None if state is None else dstate
        result: Array = dstate.sum(axis=0)
        return result


ALL = slice(None)


class Call(NamedTuple):
    """One call's arrays as they were given, its cell, and its layout."""

    seq: Sequence
    spec: Spec
    x: Any
    w_ih: Any
    w_hh: Any
    b_ih: Any
    b_hh: Any
    h0: Any
    c0: Any = None
    w_peephole: Any = None
    w_hr: Any = None
    masks: Masks = NO_MASKS
    norm: Norm | None = None
    rounded: Any = None  # what an array becomes on its way into a product by W_ih or W_hh

    @property
    def xp(self) -> Any:
        """`autograd.numpy` while any of the arrays is being differentiated, else `numpy`."""
        return array_module(*self[2:-3])

    def y(self, h: list[Any]) -> Any:
        """Return the outputs in the caller's layout from the T+1 states, slot 0 the initial one."""
        return self.seq.leave(array_module(*h).stack(h)[1:])

    def dy(self, dy: Any) -> Array:
        """Return the gradient by y as (T, N, H) in the order of processing; zeros for None."""
        seq = self.seq
        if dy is None:
            return np.zeros((seq.T, seq.N, seq.P), self.w_hh.dtype)
        dy = as_array(dy)
        check_shape("dy", dy, (*self.x.shape[:-1], seq.P))
        result: Array = seq.enter(dy)
        return result

    def as_operand(self, array: Any) -> Any:
        """Return what a product by W_ih or W_hh takes."""
        return array if self.rounded is None else self.rounded(array)

    def as_kept(self, array: Any) -> Any:
        """Return what the tape holds of gates and cell states.

        That is float16 where products round, but not with layer normalisation; what is beyond its
        largest number becomes that.
        """
        if self.rounded is None or self.norm is not None:
            return array
        most = np.finfo(np.float16).max
        return np.clip(array, -most, most).astype(np.float16).astype(array.dtype)

    def entered_x(self) -> Any:
        """Return x in the order of processing, as what multiplies it takes it."""
        x = self.seq.enter(self.x)
        return x if self.w_ih is None else self.as_operand(x)

    def pre_x(self) -> Any:
        """Return what x gives to the pre-activations of all steps, in the order of processing."""
        x = self.entered_x()
        if self.norm is not None:
            return self.norm.of_x(self.xp, x, self.w_ih, self.b_ih)
        return affine(self.xp, x, self.w_ih, self.b_ih)

    def pre_h(self, h: Any) -> Any:
        """Return what the previous h gives to the pre-activations."""
        return from_seen(self, self.recurrent_h(h))

    def back_h(self, h: Array, d: Array) -> tuple[Array, Array]:
        """Return the gradients by W_hh h and by the previous h from that by what h gave."""
        d, dseen = back_seen(self, self.recurrent_h(h), d)
        return d, self.recurrent_h(dseen)

    def gain_gradient(self, d_ih: Array, d_hh: Array, *seen: Array) -> Array | None:
        """Return the gradients by the gains of W_ih x and W_hh h, a row for each gate.

        W_hh multiplies `seen`: all of it, or of a GRU first the rows r z, then the rows n.
        """
        if self.norm is None:
            return None
        ax = row_product(np, self.entered_x(), self.w_ih)
        rows = (ALL,) if len(seen) == 1 else rz_n(self.seq.H)
        parts = [
            row_product(np, self.as_operand(h), self.w_hh[part])
            for h, part in zip(seen, rows, strict=True)
        ]
        result: Array = self.norm.gradient(ax, np.concatenate(parts, axis=-1), d_ih, d_hh)
        return result

    def projected(self, m: Any, back: bool = False) -> Any:
        """Return h of the cell's output, or on the way back the gradients by them."""
        if self.w_hr is None:
            return m
        w = self.w_hr.T if back else self.w_hr
        return affine(self.xp, m, w, None) if self.norm is None else row_product(self.xp, m, w)

    def recurrent_h(self, h: Any) -> Any:
        """Return h as the recurrent product sees it."""
        mask = self.masks.h_mask
        return h if mask is None else h * mask

    def zoned(self, t: int, h: Any, h_before: Any, c: Any = None, c_before: Any = None) -> Any:
        """Return h and c of step t after zoneout, which keeps a part of what they were before."""
        h_keep, c_keep = map(self.seq.in_order, self.masks[1:3])
        if h_keep is not None:
            h = h_keep[t] * h_before + (1.0 - h_keep[t]) * h
        if c_keep is not None:
            c = c_keep[t] * c_before + (1.0 - c_keep[t]) * c
        return h, c

    def stays(self, t: int, d: Array, of: str = "h_keep") -> Any:
        """Return the part of a gradient by h, or c, that zoneout lets by at step t."""
        keep = self.seq.in_order(getattr(self.masks, of))
        return 0.0 if keep is None else keep[t] * d

    def backward_options(self, truncate: Any, clip_step: Any) -> tuple[int | None, float | None]:
        """Return both, checked; None where it has no effect."""
        every, limit = GradientLimits.of(truncate, clip_step)
        return None if every is None or every >= self.seq.T else every, limit

    def gradients(self, d_ih: Array, d_hh: Array, dw_hh: Array) -> dict[str, Any]:
        """Return the gradients by x, w_ih, w_hh, b_ih and b_hh; no two share memory.

        d_ih and d_hh (T, N, G·H) are those by ``W_ih x + b_ih`` and by ``W_hh h + b_hh``.
        """
        seq, w_ih, d_ax, x = self.seq, self.w_ih, d_ih, self.entered_x()
        if self.norm is not None:
            d_ax = self.norm.of_x_backward(x, w_ih, d_ih)
        d_ax = d_ax if w_ih is None else self.as_operand(d_ax)
        return {
            "x": seq.leave(d_ax if w_ih is None else d_ax @ w_ih),
            "w_ih": None if w_ih is None else sum_outer(d_ax, x),
            "w_hh": dw_hh if self.masks.w_mask is None else dw_hh * self.masks.w_mask,
            "b_ih": None if self.b_ih is None else d_ih.sum(axis=(0, 1)),
            "b_hh": None if self.b_hh is None else d_hh.sum(axis=(0, 1)),
        }


def rz_n(H: int) -> tuple[slice, slice]:
    """Return a GRU's rows of w_hh: those of r and z, and those of n."""
    return slice(2 * H), slice(2 * H, None)


def from_seen(call: Any, seen: Any, rows: slice = ALL) -> Any:
    """Return what these rows of W_hh give to the pre-activations; they multiply `seen`."""
    w_hh, b_hh = call.w_hh[rows], None if call.b_hh is None else call.b_hh[rows]
    seen = call.as_operand(seen)
    if call.norm is not None:
        return call.norm.of_h(call.xp, seen, w_hh, b_hh, rows)
    return affine(call.xp, seen, w_hh, b_hh)


def back_seen(call: Any, seen: Array, d: Array, rows: slice = ALL) -> tuple[Array, Array]:
    """Return the gradients by the product and by `seen` from that by ``from_seen``."""
    w_hh = call.w_hh[rows]
    if call.norm is None:
        d = call.as_operand(d)
        return d, d @ w_hh
    d = call.as_operand(call.norm.of_h_backward(call.as_operand(seen), w_hh, d, rows))
    return d, row_product(np, d, w_hh.T)


def enter_call(
    spec: Spec,
    layout: tuple[Any, Any, Any],
    *arrays: Any,
    masks: Masks | None = None,
    w_norm: Any = None,
) -> Call:
    """Return the call of a cell.

    layout is (lengths, reverse, batch_first); arrays are x, w_ih, w_hh … in the order of `Call`.

    Raises
    ------
    TypeError
        lengths are not integers, or a flag is not a bool.
    ValueError
        A shape does not fit, or lengths are not in 0..T.
    """
    G, w_hh = spec.G, as_array(arrays[2])
    x, *rest = (as_array(array, w_hh) for array in arrays)
    P = w_hh.shape[-1]
    if P < 1:
        raise ValueError(f"w_hh must have at least one hidden unit, got shape {w_hh.shape}")
    w_hr = rest[7] if len(rest) > 7 else None
    H = P if w_hr is None else w_hr.shape[-1]
    norm = None if w_norm is None else Norm(w_norm, G)
    call = Call(Sequence(x, H, *layout), spec, x, *rest)
    call = call._replace(masks=masks or NO_MASKS, norm=norm)
    call.seq.P = P
    if call.masks.w_mask is not None:
        call = call._replace(w_hh=call.w_hh * call.masks.w_mask)
    check_shape("w_hr", w_hr, (P, H))
    check_shape("w_hh", call.w_hh, (G * H, P))
    check_shape("w_ih", call.w_ih, (G * H, x.shape[-1]))
    if call.w_ih is None:
        check_shape("x (already projected, as w_ih is None)", x, (*x.shape[:-1], G * H))
    check_shape("b_ih", call.b_ih, (G * H,))
    check_shape("b_hh", call.b_hh, (G * H,))
    check_shape("w_peephole", call.w_peephole, (3, H), (3 * H, H))
    return call


class Tape:
    """What `rnn_forward`, `lstm_forward` or `gru_forward` leaves for one backward.

    It keeps x, the weights and y by reference: do not change them before backward.

    Parameters
    ----------
    cell : str
        ``"rnn"``, ``"lstm"`` or ``"gru"``: only that backward takes it.
    call : Call
        The arguments of the forward.
    gates : list of ndarray, T times (N, G·H)
        Activated gates, in the order of processing.
    h, c : list of ndarray, T+1 times (N, H)
        All states, in the order of processing, slot 0 the initial one; c for the LSTM only.

    Raises
    ------
    TypeError
        An array of the call is being differentiated by autograd.
    """

    def __init__(
        self,
        cell: str,
        call: Call,
        gates: list[Array],
        h: list[Array],
        c: list[Array] | None = None,
    ) -> None:
        if call.xp is not np:
            raise TypeError(f"{cell}_forward keeps plain arrays; differentiate {cell} instead")
        self.spent = False
        self.cell = cell
        self._call = call
        rows, dtype = (call.seq.T, call.seq.N, call.w_hh.shape[0]), call.w_hh.dtype
        self._kept = {"gates": np.array(gates, dtype).reshape(rows), "h": np.stack(h)}
        if c is not None:
            self._kept["c"] = np.stack(c)
        self._shown: dict[str, Array] = {}

    @property
    def nbytes(self) -> int:
        """Memory it holds beside x and the weights, in bytes; 0 once spent."""
        return sum(array.nbytes for array in self._kept.values())

    @property
    def gates(self) -> Array:
        """Activated gates (T, N, G, H), or (T, G, H) if x was 2-D; read-only.

        LSTM i f g o, GRU r z n, RNN its output. Time-major whatever `batch_first` was; 0 where a
        row has no step.

        Raises
        ------
        ValueError
            First looked at after backward.
        """
        return self._show("gates", 0)

    @property
    def c(self) -> Array:
        """Cell states of an LSTM after each step (T, N, H), or (T, H) if x was 2-D; read-only.

        Time-major whatever `batch_first` was; 0 where a row has no step.

        Raises
        ------
        ValueError
            The cell is not an LSTM, or first looked at after backward.
        """
        if self.cell != "lstm":
            raise ValueError(f"tape.c: an LSTM has it, this tape is from {self.cell}_forward")
        return self._show("c", 1)

    def _show(self, name: str, first_slot: int) -> Array:
        if name not in self._shown:
            self._refuse_spent(f"tape.{name}")
            seq = self._call.seq
            copy = np.array(seq.in_time(self._kept[name][first_slot:]))
            rows = (seq.T, seq.N) if seq.batched else (seq.T,)
            columns = (copy.shape[-1] // seq.H, seq.H) if name == "gates" else (seq.H,)
            copy = copy.reshape(rows + columns)
            copy.setflags(write=False)
            self._shown[name] = copy
        return self._shown[name]

    def _refuse_spent(self, name: str) -> None:
        if self.spent:
            raise ValueError(f"{name}: the tape is spent; call {self.cell}_forward again")

    def open(self, cell: str) -> tuple[Call, dict[str, Array]]:
        """Return the call and what was kept; the tape stays good until `spend`.

        Raises
        ------
        ValueError
            The tape is spent, or another cell's.
        """
        self._refuse_spent("tape")
        if self.cell != cell:
            raise ValueError(f"tape must come from {cell}_forward, not from {self.cell}_forward")
        return self._call, self._kept

    def spend(self) -> None:
        """Let go of what was kept; `gates` and `c` stay only if they were looked at before."""
        self.spent = True
        self._kept = {}


def open_tape(cell: str, tape: object) -> tuple[Call, dict[str, Array]]:
    """Return the call and what was kept by `cell`'s forward.

    Raises
    ------
    TypeError
        tape is not a tape of the twins.
    ValueError
        The tape is spent, or another cell's.
    """
    if not isinstance(tape, Tape):
        raise TypeError(f"tape must come from {cell}_forward, got {type(tape).__name__}")
    return tape.open(cell)
