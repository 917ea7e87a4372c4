"""Memory for tests: arrays of any layout inside guarded blocks, so that a stray write is seen."""

from typing import Any

import numpy as np

GUARD = 64  # elements on either side of every block
CANARY = -77.25  # exact in every float type, and no result

# name: what the strides look like. The last axis is contiguous in all that rnn_forward takes
# except weights and biases, which may use WEIGHT_LAYOUTS.
LAYOUTS = ("c", "swap", "gap", "negative")
WEIGHT_LAYOUTS = ("c", "fortran", "mirror", "sparse")


class Arena:
    """Hands out arrays of one dtype and remembers the memory around each of them."""

    def __init__(self, dtype: Any) -> None:
        self.dtype = np.dtype(dtype)
        self._blocks: list[tuple[np.ndarray, np.ndarray]] = []

    def empty(self, shape: tuple[int, ...], layout: str = "c") -> np.ndarray:
        """An array full of NaN whose neighbourhood is watched by `check`."""
        outer, view_of = _plan(shape, layout)
        size = int(np.prod(outer))
        block = np.full(size + 2 * GUARD, CANARY, self.dtype)
        view = view_of(block[GUARD : GUARD + size].reshape(outer))
        assert view.shape == shape
        view[...] = np.nan
        self._blocks.append((block, view))
        return view

    def copy(self, array: np.ndarray, layout: str = "c") -> np.ndarray:
        """The same values in another layout; lengths keep their dtype."""
        outer, view_of = _plan(array.shape, layout)
        view = view_of(np.full(outer, CANARY).astype(array.dtype))
        view[...] = array
        return view

    def check(self) -> None:
        """Fail when something beside the arrays was written to."""
        for block, view in self._blocks:
            inside = view.copy()
            view[...] = CANARY
            touched = int((block != CANARY).sum())
            view[...] = inside
            assert not touched, f"{touched} elements outside of an array {view.shape} were written"


def _plan(shape: tuple[int, ...], layout: str) -> tuple[tuple[int, ...], Any]:
    """The block's shape, and the function that takes the array out of it."""
    last = (slice(None),)
    if layout == "swap" and len(shape) >= 2:
        if len(shape) == 2:  # rows further apart than they are long
            return (shape[0], shape[1] + 3), lambda a: a[:, : shape[1]]
        return (shape[1], shape[0], *shape[2:]), lambda a: a.swapaxes(0, 1)
    if layout == "gap":
        steps = (slice(None, None, 2),) * (len(shape) - 1) + last
        return tuple(2 * n for n in shape[:-1]) + shape[-1:], lambda a: a[steps]
    if layout == "negative":
        back = (slice(None, None, -1),) * (len(shape) - 1) + last
        return shape, lambda a: a[back]
    if layout == "fortran":
        return shape[::-1], lambda a: a.T
    if layout == "mirror":
        return shape, lambda a: a[(slice(None, None, -1),) * len(shape)]
    if layout == "sparse":
        return tuple(3 * n for n in shape), lambda a: a[(slice(1, None, 3),) * len(shape)]
    assert layout in ("c", "swap"), layout
    return shape, lambda a: a
