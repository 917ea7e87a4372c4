"""A shuffled order that is computed place by place, so that it needs no memory."""

import numpy as np
from numpy.typing import NDArray

from fastrnn.data.loader import philox

Ids = NDArray[np.int64]
_ROUNDS = 12  # few counts are so small that fewer would do for all


def permuted(count: int, places: Ids, *key: int) -> Ids:
    """Return what stands at these places of an order of 0..count-1 that the key decides.

    A Feistel network permutes the numbers of 2·b bits, the smallest such range that holds all;
    what falls outside of 0..count-1 is permuted again until it falls inside, which keeps it a
    permutation. Each round mixes one half of the bits by the finaliser of SplitMix64 (Steele, Lea,
    Flood 2014) with a word of the key into the other half.
    """
    b = np.uint64((max(count - 1, 1).bit_length() + 1) // 2)
    mask = (np.uint64(1) << b) - np.uint64(1)
    words = philox(*key).integers(2**64, size=_ROUNDS, dtype=np.uint64)
    numbers = places.astype(np.uint64)
    outside = np.ones(len(numbers), bool)
    while outside.any():
        left, right = numbers[outside] >> b, numbers[outside] & mask
        for word in words:
            left, right = right, left ^ (_mixed(right ^ word) & mask)
        numbers[outside] = left << b | right
        outside = numbers >= count
    return numbers.astype(np.int64)


def _mixed(z: NDArray[np.uint64]) -> NDArray[np.uint64]:
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    mixed: NDArray[np.uint64] = z ^ (z >> np.uint64(31))
    return mixed
