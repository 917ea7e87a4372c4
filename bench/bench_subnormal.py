"""A layer whose numbers fade below the smallest normal one beside the same layer with usual ones.

Processors are up to two orders of magnitude slower on such numbers; the kernels take them for zero,
so both rows should be alike. Compare the two of a group.
"""

from typing import Any

import numpy as np
import pytest

import fastrnn

T, N, H = 200, 16, 128


@pytest.mark.benchmark(max_time=0.2, min_rounds=5, warmup=True)
@pytest.mark.parametrize("size", [1.0, 1e-39], ids=["normal", "subnormal"])
@pytest.mark.parametrize("cell", ["rnn", "gru", "lstm"])
def test_fading_numbers(benchmark: Any, cell: str, size: float) -> None:
    """Time a forward and backward pass on one thread."""
    G, rng = {"rnn": 1, "gru": 3, "lstm": 4}[cell], np.random.default_rng(0)
    shapes = {"x": (T, N, H), "w_ih": (G * H, H), "w_hh": (G * H, H)}
    given = {name: 0.1 * rng.standard_normal(shape) for name, shape in shapes.items()}
    given["x"] *= size
    given = {name: array.astype(np.float32) for name, array in given.items()}
    dy = np.full((T, N, H), size, np.float32)

    def run() -> Any:
        *_, tape = getattr(fastrnn, f"{cell}_forward")(**given, num_threads=1)
        return getattr(fastrnn, f"{cell}_backward")(tape, dy)

    benchmark.group = f"fading numbers: {cell}"
    grads = benchmark(run)
    assert np.isfinite(grads.x).all()
