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


class Judge:
    """Measures results against the exact ones in units of the last place of the exact ones.

    Results below the smallest normal number may be flushed to zero, and NaN must stay NaN: those
    that obey count as exact, others as infinitely wrong.
    """

    def __init__(self, exact: np.ndarray, dtype: np.dtype) -> None:
        tiny = np.finfo(dtype).tiny
        self.exact = exact
        with np.errstate(over="ignore", under="ignore", invalid="ignore"):
            size = np.maximum(np.abs(exact.astype(dtype)), tiny)
            self._unit = np.spacing(size).astype(exact.dtype)
        self._flushed = np.flatnonzero(np.abs(exact) < tiny)
        self._nan = np.flatnonzero(np.isnan(exact))

    def errors(self, actual: np.ndarray) -> np.ndarray:
        """|actual - exact| in ULP."""
        with np.errstate(invalid="ignore"):
            error = np.abs(actual - self.exact) / self._unit
        error[self._flushed[actual[self._flushed] == 0]] = 0
        error[np.isnan(error)] = np.inf
        error[self._nan[np.isnan(actual[self._nan])]] = 0
        return error


def worst_error(name: str, x: np.ndarray) -> tuple[float, float]:
    """The worst error over x in ULP, and where."""
    error = Judge(truth(name, x), x.dtype).errors(apply(name, x))
    index = int(error.argmax())
    return float(error[index]), float(x[index])
