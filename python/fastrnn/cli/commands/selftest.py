"""``fastrnn selftest``: the kernels of this machine against their NumPy twins, in seconds."""

from collections.abc import Iterator
from typing import Any

import numpy as np

import fastrnn
from fastrnn._call import twins

T, N, I, H = 7, 5, 9, 35  # H is no multiple of any vector's length
LENGTHS = np.array([7, 0, 4, 7, 1])
CELLS: dict[str, tuple[str, int, dict[str, Any]]] = {
    "rnn": ("rnn", 1, {}),
    **{
        f"rnn {name}": ("rnn", 1, {"nonlinearity": name})
        for name in ("relu", "sigmoid", "linear", "softsign")
    },
    "lstm": ("lstm", 4, {}),
    "lstm peephole": ("lstm", 4, {"w_peephole": None}),
    "lstm input_forget": ("lstm", 4, {"input_forget": True}),
    "lstm clip": ("lstm", 4, {"clip": 0.3}),
    "gru": ("gru", 3, {}),
    "gru elu": ("gru", 3, {"activations": ("sigmoid", ("elu", 0.5))}),
    "gru reset before": ("gru", 3, {"reset_after": False}),
    "gru reset before, elu": (
        "gru", 3, {"reset_after": False, "activations": ("sigmoid", ("elu", 0.5))}
    ),
}  # fmt: skip
# Rounding of T steps of products over I + H terms, forward and back, in units of eps.
EPS_FACTOR = 300


def run_selftest() -> None:
    """Print a line for each instruction set; raise if one result is beyond its bound."""
    before = fastrnn.isa()
    failures = []
    try:
        for isa in fastrnn.available_isas():
            fastrnn.set_isa(isa)
            worst = {np.dtype(kind): 0.0 for kind in ("float32", "float64")}
            for name, dtype, error in _errors():
                worst[dtype] = max(worst[dtype], error)
                if not error <= EPS_FACTOR * np.finfo(dtype).eps:
                    failures.append(f"{name} {dtype} on {isa}: {error:.1e}")
            figures = ", ".join(f"{d.name} {e:.1e}" for d, e in worst.items())
            print(f"{isa}: {len(CELLS)} cells forward and backward, largest error {figures}")
    finally:
        fastrnn.set_isa(before)
    if failures:
        raise ValueError(f"{len(failures)} results are wrong: {'; '.join(failures)}")
    print("all right")


def relative_error(actual: Any, expected: Any) -> float:
    """Return the largest difference, relative to the largest entry; infinite for NaN."""
    scale = max(float(np.abs(expected).max(initial=0)), 1e-30)
    error = float(np.abs(actual - expected).max(initial=0)) / scale
    return np.inf if np.isnan(error) else error


def _errors() -> Iterator[tuple[str, Any, float]]:
    """Yield cell, dtype and error of each on the active instruction set."""
    for name, (family, G, options) in CELLS.items():
        exact = _run(twins(), family, G, options, np.dtype(np.float64))
        for dtype in (np.dtype(np.float32), np.dtype(np.float64)):
            for threads in {1, fastrnn.get_num_threads()}:
                with fastrnn.threads(threads):
                    actual = _run(fastrnn, family, G, options, dtype)
                yield name, dtype, max(map(relative_error, actual, exact))


def _run(module: Any, family: str, G: int, options: dict[str, Any], dtype: Any) -> list[Any]:
    """Return outputs and gradients of one call, whose numbers float32 can hold exactly."""
    rng = np.random.default_rng(1)
    shapes = [(T, N, I), (G * H, I), (G * H, H), (G * H,), (G * H,), (N, H)]
    arrays = [rng.uniform(-0.5, 0.5, s).astype(np.float32).astype(dtype) for s in shapes]
    if "w_peephole" in options:
        drawn = rng.uniform(-0.5, 0.5, (3, H)).astype(np.float32).astype(dtype)
        options = options | {"w_peephole": drawn}
    dy = rng.standard_normal((T, N, H)).astype(np.float32).astype(dtype)
    y, state, tape = getattr(module, f"{family}_forward")(*arrays, lengths=LENGTHS, **options)
    grads = getattr(module, f"{family}_backward")(tape, dy)
    h_n = state[0] if family == "lstm" else state
    return [y, h_n, grads.x, grads.w_ih, grads.w_hh, grads.b_ih, grads.h0]
