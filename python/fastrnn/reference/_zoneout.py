"""What zoneout keeps, drawn as the core draws it: by NumPy's Philox, a counter per row and step."""

import numpy as np

from fastrnn._calls.masks import Draws, Masks
from fastrnn._checks import Array, DType

H_KEEP, C_KEEP = 0, 1


def drawn(masks: Masks, sizes: tuple[int, int, int, int], dtype: DType) -> Masks:
    """Return the masks with arrays in the place of `Draws`; sizes are T, N, H, P."""
    T, N, H, P = sizes
    h_keep, c_keep = masks.h_keep, masks.c_keep
    if isinstance(h_keep, Draws):
        masks = masks._replace(h_keep=keeps(h_keep, (T, N, P), H_KEEP).astype(dtype))
    if isinstance(c_keep, Draws):
        masks = masks._replace(c_keep=keeps(c_keep, (T, N, H), C_KEEP).astype(dtype))
    return masks


def keeps(draws: Draws, shape: tuple[int, int, int], which: int) -> Array:
    """Return which units stay, (T, N, units) bool.

    Unit u of row n at time t is half u % 2, the lower first, of number u // 2 that Philox gives for
    the counter [0, t, n, which]; it stays where those 32 bits are less than p·2^32.

    References
    ----------
    J. Salmon et al., "Parallel Random Numbers: As Easy as 1, 2, 3", 2011.
    """
    T, N, units = shape
    threshold = int(draws.p * 2**32)
    key = np.array(draws.key, np.uint64)
    kept: Array = np.empty(shape, bool)
    for t in range(T):
        for n in range(N):
            philox = np.random.Philox(counter=[0, t, n, which], key=key)
            numbers = philox.random_raw((units + 1) // 2)
            halves = np.stack([numbers & np.uint64(2**32 - 1), numbers >> np.uint64(32)], axis=1)
            kept[t, n] = halves.ravel()[:units] < threshold
    return kept
