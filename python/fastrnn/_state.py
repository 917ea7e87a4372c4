"""The states of a stack: the caller's arrays, and one (N, H) array per layer and direction."""

from typing import Any, NamedTuple

from fastrnn._checks import Array, DType, allocate, exact

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
        self, sizes: list[int], directions: int, listed: bool, cell_state: bool, title: str
    ) -> None:
        self.sizes = sizes
        self.directions = directions
        self.listed = listed
        self.cell_state = cell_state
        self.title = title

    def enter(
        self, name: str, state: Any, rows: int, single: bool, dtype: DType
    ) -> tuple[Flat, Flat]:
        """Return h and c as flat lists of strict arrays; c is all None without cell state."""
        absent: Flat = [None] * (len(self.sizes) * self.directions)
        if state is None:
            return absent, absent
        if not self.cell_state:
            return self._enter_one(name, state, rows, single, dtype), absent
        if not isinstance(state, (tuple, list)):
            raise TypeError(f"{name} must be a tuple (h, c), got {type(state).__name__}")
        if len(state) != 2:
            raise ValueError(f"{name} must be a tuple (h, c), got {len(state)} elements")
        h, c = (
            absent if part is None else self._enter_one(f"{name}[{i}]", part, rows, single, dtype)
            for i, part in enumerate(state)
        )
        return h, c

    def _enter_one(self, name: str, value: Any, rows: int, single: bool, dtype: DType) -> Flat:
        L, D = len(self.sizes), self.directions
        if not self.listed:
            return self._rows(name, value, L * D, "L·D", rows, self.sizes[0], single, dtype)
        if not isinstance(value, (tuple, list)):
            raise TypeError(
                f"{name} must be a list with one array per layer, got {type(value).__name__}"
            )
        if len(value) != L:
            raise ValueError(f"{name} must have one array per layer, L = {L}, got {len(value)}")
        flat: Flat = []
        for i, (part, H) in enumerate(zip(value, self.sizes, strict=True)):
            flat += self._rows(f"{name}[{i}]", part, D, "D", rows, H, single, dtype)
        return flat

    def _rows(
        self, name: str, value: Any, count: int, symbol: str, rows: int, H: int, single: bool,
        dtype: DType,
    ) -> Flat:  # fmt: skip
        shape = (count, H) if single else (count, rows, H)
        symbols = f"({symbol}, H)" if single else f"({symbol}, N, H)"
        array = exact(name, value, shape, dtype, symbols, self.title, H)
        return [array[k : k + 1] if single else array[k] for k in range(count)]

    def new(self, rows: int, dtype: DType, h: bool = True, c: bool | None = None) -> States:
        """Return uninitialised states; without h, or c, its list is empty and its flat one None."""
        wants = h, self.cell_state if c is None else c
        h_arrays, c_arrays = (self._new_one(rows, dtype) if want else [] for want in wants)
        absent: Flat = [None] * (len(self.sizes) * self.directions)
        flat_h, flat_c = ([v for a in part for v in a] or absent for part in (h_arrays, c_arrays))
        return States(h_arrays, c_arrays, flat_h, flat_c)

    def _new_one(self, rows: int, dtype: DType) -> list[Array]:
        L, D = len(self.sizes), self.directions
        if self.listed:
            return [allocate("state", (D, rows, H), dtype) for H in self.sizes]
        return [allocate("state", (L * D, rows, self.sizes[0]), dtype)]

    def leave(self, states: States, single: bool) -> Any:
        """Return states in the caller's form: h, or (h, c); None for what is not there."""
        h, c = (self._leave_one(part, single) for part in (states.h, states.c))
        if not self.cell_state:
            return h
        return None if h is None and c is None else (h, c)

    def _leave_one(self, arrays: list[Array], single: bool) -> Any:
        arrays = [array[:, 0] for array in arrays] if single else arrays
        if not arrays:
            return None
        return arrays if self.listed else arrays[0]
