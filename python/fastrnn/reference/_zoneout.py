"""What zoneout keeps, drawn as the core draws it: by a hash of key, row, step and unit."""

import numpy as np

from fastrnn.reference._math import Array
from fastrnn.reference.dropout import random_bits, random_numbers

H_KEEP, C_KEEP = 0, 1


def keeps(p: float, key: int, shape: tuple[int, int, int], which: int) -> Array:
    """Return which units stay, (T, N, units) bool, each with probability p.

    The key of row n at step t is the hash of t under the hash of 2·n + which under the call's key;
    under it unit u has number u of 32 bits, and stays where that is less than p·2³².
    """
    T, N, units = shape
    rows = random_bits(np.uint64(key), 2 * np.arange(N, dtype=np.uint64) + np.uint64(which))
    keys = random_bits(rows, np.arange(T, dtype=np.uint64)[:, None])
    return random_numbers(keys[..., None], units) < np.uint64(int(p * 2.0**32))
