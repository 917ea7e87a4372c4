"""The layout of one call, so that a cell sees (T, N, F) in the order of processing, and a mask.

`reverse` and `lengths` meet here. Walking the steps T-1 … 0 and letting a row keep its state while
it has no step makes it start at its own last step; flipping the time axis on the way in and out
leaves the cells one loop, from 0 to T-1, for both directions.
"""

from typing import Any

import numpy as np

from fastrnn.reference import _checks
from fastrnn.reference._math import Array, array_module, as_array


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
