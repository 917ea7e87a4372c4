"""What the cells share around their step: the arrays of a call, and the sums over all its steps."""

from typing import Any, NamedTuple

import numpy as np

from fastrnn.cells import NO_MASKS, GradientLimits, Masks, Spec
from fastrnn.reference._math import Array, affine, array_module, as_array, sum_outer
from fastrnn.reference._norm import Norm, row_product
from fastrnn.reference._sequence import Sequence, check_shape

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

    @property
    def xp(self) -> Any:
        """`autograd.numpy` while any of the arrays is being differentiated, else `numpy`."""
        return array_module(*self[2:-2])

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

    def pre_x(self) -> Any:
        """Return what x gives to the pre-activations of all steps, in the order of processing."""
        x = self.seq.enter(self.x)
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
        ax = row_product(np, self.seq.enter(self.x), self.w_ih)
        rows = (ALL,) if len(seen) == 1 else rz_n(self.seq.H)
        parts = [row_product(np, h, self.w_hh[part]) for h, part in zip(seen, rows, strict=True)]
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
        seq, w_ih, d_ax = self.seq, self.w_ih, d_ih
        if self.norm is not None:
            d_ax = self.norm.of_x_backward(seq.enter(self.x), w_ih, d_ih)
        return {
            "x": seq.leave(d_ax if w_ih is None else d_ax @ w_ih),
            "w_ih": None if w_ih is None else sum_outer(d_ax, seq.enter(self.x)),
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
    if call.norm is not None:
        return call.norm.of_h(call.xp, seen, w_hh, b_hh, rows)
    return affine(call.xp, seen, w_hh, b_hh)


def back_seen(call: Any, seen: Array, d: Array, rows: slice = ALL) -> tuple[Array, Array]:
    """Return the gradients by the product and by `seen` from that by ``from_seen``."""
    w_hh = call.w_hh[rows]
    if call.norm is None:
        return d, d @ w_hh
    d = call.norm.of_h_backward(seen, w_hh, d, rows)
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
