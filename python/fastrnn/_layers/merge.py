"""How the outputs of two directions become one, after every layer, and the way back."""

import numpy as np

from fastrnn._checks import Array

MERGE_MODES = ("concat", "sum", "mul", "ave")


def width(mode: str, directions: int, hidden: int) -> int:
    """Return how many columns the output of one layer has."""
    return directions * hidden if mode == "concat" else hidden


def parts(mode: str, directions: int, y: Array) -> list[Array]:
    """Return one array (T, N, H) per direction; for concat they are halves of y."""
    if directions == 1:
        return [y]
    if mode == "concat":
        H = y.shape[2] // 2
        return [y[:, :, :H], y[:, :, H:]]
    return [np.empty(y.shape, y.dtype), np.empty(y.shape, y.dtype)]


def merge(mode: str, outputs: list[Array], y: Array) -> None:
    """Fill y from both directions, unless they were written into it already."""
    if len(outputs) == 1 or mode == "concat":
        return
    combine = np.multiply if mode == "mul" else np.add
    combine(outputs[0], outputs[1], out=y)
    if mode == "ave":
        y *= 0.5


def split(mode: str, dy: Array | None, outputs: list[Array]) -> list[Array | None]:
    """Return the gradient by each direction's output; the mirror of `merge`."""
    if dy is None or len(outputs) == 1:
        return [dy] * len(outputs)
    if mode == "concat":
        H = dy.shape[2] // 2
        return [dy[:, :, :H], dy[:, :, H:]]
    if mode == "mul":
        return [dy * outputs[1], dy * outputs[0]]
    return [dy * 0.5] * 2 if mode == "ave" else [dy, dy]
