"""The states of a stack: the caller's arrays, and one (N, H) array per layer and direction."""

from typing import Any, NamedTuple

import numpy as np

from fastrnn._checks import Array, DType, allocate, exact, unmasked

# One entry per layer and direction: an array (N, H), or None for zeros, or for not wanted.
Flat = list[Any]


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
