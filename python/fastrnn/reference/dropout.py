"""Dropout and zoneout by a counter-based mask, as docs/maths/dropout.md has it."""

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from fastrnn.reference._checks import generator
from fastrnn.reference._math import Array, array_module, as_array

if TYPE_CHECKING:
    from numpy.random import Generator


def dropout(x: ArrayLike, p: float = 0.5, *, rng: "Generator | None" = None) -> Array:
    """Return x with elements dropped at random, in plain NumPy; also under `autograd.numpy`.

    Parameters
    ----------
    x : array_like, of any shape
    p : float
        0..1: how probable it is that an element becomes 0. The others are divided by ``1 - p``.
    rng : numpy.random.Generator or None
        8 bytes are drawn from it, whatever the size of x; None: fresh entropy.

    Returns
    -------
    ndarray, in the shape of x

    Raises
    ------
    TypeError
        rng is no Generator.

    References
    ----------
    Srivastava et al., "Dropout", 2014, section 10; docs/maths/dropout.md.

    Examples
    --------
    >>> import numpy as np
    >>> from fastrnn import reference
    >>> reference.dropout(np.ones(6), rng=np.random.default_rng(0))
    array([0., 2., 2., 2., 2., 2.])
    """
    return masked(as_array(x), p, draw_key(rng))  # type: ignore[no-any-return]


def dropout_backward(dy: Array, p: float = 0.5, *, rng: "Generator | None" = None) -> Array:
    """Return the gradient of `dropout` by x, given that by its result.

    Parameters
    ----------
    dy : ndarray, of any shape
    p : float
    rng : numpy.random.Generator
        In the state in which forward had it.

    Returns
    -------
    ndarray, in the shape of dy

    Raises
    ------
    TypeError
        rng is no Generator.

    References
    ----------
    docs/maths/dropout.md.

    Examples
    --------
    >>> import numpy as np
    >>> from fastrnn import reference
    >>> reference.dropout_backward(np.ones(6), rng=np.random.default_rng(0))
    array([0., 2., 2., 2., 2., 2.])
    """
    return masked(dy, p, draw_key(rng))  # type: ignore[no-any-return]


def draw_key(rng: "Generator | None") -> int:
    """Return the 64 bits that decide a call's mask."""
    return int.from_bytes(generator(rng).bytes(8), "little")


def masked(x: Any, p: float, key: int) -> Any:
    """Return x divided by 1 - p where the mask of this key keeps it, else 0."""
    scale = constant_of(x, 1.0 / (1.0 - p) if p < 1.0 else 0.0)
    return array_module(x).where(kept(key, p, x.shape), x * scale, constant_of(x, 0.0))


def constant_of(x: Any, value: float) -> Any:
    """Return a number in the dtype of x."""
    return x.dtype.type(value)


def kept(key: int, p: float, shape: tuple[int, ...]) -> Array:
    """Return which elements stay: those whose number of 32 bits under this key reaches p·2³²."""
    size = int(np.prod(shape, dtype=np.int64))
    numbers = random_numbers(np.uint64(key), size)
    return (numbers >= np.uint64(int(p * 2.0**32))).reshape(shape)


def random_numbers(key: Any, size: int) -> Array:
    """Return numbers 0..size-1 of 32 bits under a key, or under many of shape (…, 1) as (…, size).

    Number i is half i % 2, the lower one first, of the bits of counter i // 2.
    """
    bits = random_bits(key, np.arange((size + 1) // 2, dtype=np.uint64))
    halves = np.stack([bits & np.uint64(0xFFFFFFFF), bits >> np.uint64(32)], axis=-1)
    return halves.reshape(*bits.shape[:-1], 2 * bits.shape[-1])[..., :size]


def random_bits(key: Any, counter: Any) -> Array:
    """Return 64 random bits for each counter under each key, arrays of uint64 that broadcast.

    References
    ----------
    G. Steele, D. Lea, C. Flood, "Fast Splittable Pseudorandom Number Generators", 2014, figure 17:
    the output of SplitMix64.
    """
    z = key + (counter + np.uint64(1)) * np.uint64(0x9E3779B97F4A7C15)
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return z ^ (z >> np.uint64(31))  # type: ignore[no-any-return]


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
