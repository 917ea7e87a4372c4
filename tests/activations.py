"""Judging exp, sigmoid and tanh: wider oracles, and errors in units of the last place."""

from collections.abc import Callable

import numpy as np

from fastrnn import _core

NAMES = ("exp", "sigmoid", "tanh")


def _sigmoid(x: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-x))


def clamped(x: np.ndarray, dtype: np.dtype) -> np.ndarray:
    """x within the ends of the kernel's exp, which is a building block: it saturates there."""
    low, high = EXP_ENDS[dtype]
    return np.clip(x, low, high)


# Beyond these e^x would leave the normal numbers; sigmoid and tanh need it no further.
EXP_ENDS = {np.dtype(np.float32): (-87.0, 88.0), np.dtype(np.float64): (-708.0, 709.0)}
ORACLES: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "exp": np.exp,
    "sigmoid": _sigmoid,
    "tanh": np.tanh,
}


def apply(name: str, x: np.ndarray) -> np.ndarray:
    """The active kernel."""
    y = np.full_like(x, 7.5)
    _core.apply_activation(name, x, y)
    return y


def truth(name: str, x: np.ndarray) -> np.ndarray:
    """The function in float64 for float32, in long double for float64."""
    wide = np.float64 if x.dtype == np.float32 else np.longdouble
    with np.errstate(over="ignore", under="ignore", invalid="ignore"):
        return ORACLES[name]((clamped(x, x.dtype) if name == "exp" else x).astype(wide))


def ulp_errors(actual: np.ndarray, exact: np.ndarray) -> np.ndarray:
    """|actual - exact| in units of the last place of exact.

    Results below the smallest normal number may be flushed to zero, and results that round to
    infinity must be infinite: those that obey count as exact, others as infinitely wrong.
    """
    info = np.finfo(actual.dtype)
    size = np.abs(exact)
    with np.errstate(over="ignore", under="ignore", invalid="ignore"):
        rounded = exact.astype(actual.dtype)
        unit = np.spacing(np.maximum(np.abs(rounded), info.tiny)).astype(exact.dtype)
        error = np.abs(actual.astype(exact.dtype) - exact) / unit
    error = np.where((size < info.tiny) & (actual == 0), 0, error)
    error = np.where(np.isinf(rounded), np.where(actual == rounded, 0, np.inf), error)
    return np.where(np.isnan(exact), np.where(np.isnan(actual), 0, np.inf), error)


def worst_error(name: str, x: np.ndarray) -> tuple[float, float]:
    """The worst error over x in ULP, and where."""
    error = ulp_errors(apply(name, x), truth(name, x))
    index = int(np.nanargmax(np.where(np.isnan(error), np.inf, error)))
    return float(error[index]), float(x[index])
