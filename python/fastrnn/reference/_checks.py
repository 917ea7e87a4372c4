"""The twins' own checks of arguments, so that they need nothing of what they specify."""

from operator import index
from typing import Any

import numpy as np
from numpy.typing import NDArray


def flag(name: str, value: Any) -> bool:
    """Return a bool; anything else is refused."""
    if not isinstance(value, (bool, np.bool_)):
        raise TypeError(f"{name} must be True or False, got {value!r}")
    return bool(value)


def whole(name: str, value: Any, least: int = 1) -> int:
    """Return an integer of at least `least`; bool and float are refused."""
    if isinstance(value, (bool, np.bool_)) or not hasattr(value, "__index__"):
        raise TypeError(f"{name} must be an integer, got {value!r}")
    if index(value) < least:
        raise ValueError(f"{name} must be at least {least}, got {index(value)}")
    return index(value)


def threads(num_threads: Any) -> None:
    """Check num_threads, which has no effect here: NumPy decides about its own threads."""
    if num_threads is not None:
        whole("num_threads", num_threads)


def counts(
    value: Any, most: int, rows: int, name: str = "lengths", symbols: tuple[str, str] = ("N", "T")
) -> NDArray[Any]:
    """Return lengths (N,), each in 0..most."""
    array = np.asarray(value)
    if array.size and array.dtype.kind not in "iu":
        raise TypeError(f"{name} must hold integers, got {array.dtype}")
    if array.shape != (rows,):
        raise ValueError(f"{name} must have shape ({symbols[0]},) = ({rows},), got {array.shape}")
    if ((array < 0) | (array > most)).any():
        bounds = f"0..{symbols[1]} = 0..{most}"
        raise ValueError(f"{name} must lie in {bounds}, got {array.tolist()}")
    return array


def generator(rng: Any) -> np.random.Generator:
    """Return rng itself, or a Generator with fresh entropy for None."""
    if rng is None:
        return np.random.default_rng()
    if not isinstance(rng, np.random.Generator):
        raise TypeError(f"rng must be a numpy.random.Generator or None, got {rng!r}")
    return rng
