"""Why: what only strides reach is one thing, what really lies there another. Ten gigabytes of
output are computed once, more than 2^31 numbers, and rows from all over are held against the same
rows alone.
"""

from pathlib import Path

import numpy as np
import pytest
from helpers.tolerances import FORWARD, assert_close, assert_same_bits

import fastrnn
from fastrnn import reference

T, N, H = 160, 2**18, 64
ROWS = np.linspace(0, N - 1, 40).astype(int)


@pytest.mark.check(17)
def test_ten_gigabytes_of_output() -> None:
    info = Path("/proc/meminfo")
    lines = info.read_text().splitlines() if info.exists() else []
    free = [int(line.split()[1]) for line in lines if line.startswith("MemAvailable")]
    if not free or free[0] < 14 * 2**20:
        pytest.skip("not 14 GiB of free memory here")
    rng = np.random.default_rng(0)
    x = rng.standard_normal((T, N, 1)).astype(np.float32)
    w_ih, w_hh = (0.2 * rng.standard_normal((H, n)).astype(np.float32) for n in (1, H))
    y, h_n = fastrnn.rnn(x, w_ih, w_hh)
    assert y.size > 2**31
    alone, last = fastrnn.rnn(x[:, ROWS], w_ih, w_hh)
    assert_same_bits("y", y[:, ROWS], alone)
    assert_same_bits("h_n", h_n[ROWS], last)
    twin, _ = reference.rnn(*(a.astype(np.float64) for a in (x[:, ROWS], w_ih, w_hh)))
    assert_close("y", alone, twin, FORWARD[np.dtype(np.float32)])
