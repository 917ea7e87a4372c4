"""Layer normalisation inside the cells.

Every product is taken row by row: a row's result must not depend on the rows beside it, nor on how
many steps a call has.
"""

from typing import Any

import numpy as np

from fastrnn.reference._math import Array

EPS = 1e-5  # beside the variance


def row_product(xp: Any, x: Any, w: Any) -> Any:
    """Return ``x·wᵀ`` (…, rows of w), each row of x by itself; x for a w of None."""
    return x if w is None else (x[..., None, :] @ xp.transpose(w))[..., 0, :]


def _mean(xp: Any, a: Any) -> Any:
    """Return the means of the rows (…, 1): as products, or they too would depend on other rows."""
    return row_product(xp, a, np.full((1, a.shape[-1]), 1 / a.shape[-1], a.dtype))


def normalised(xp: Any, a: Any, cut: int) -> Any:
    """Return a (…, K) with mean 0 and variance 1 in its columns before `cut`, and in the others."""
    parts = []
    for part in (a[..., :cut], a[..., cut:]):
        if part.shape[-1]:
            centred = part - _mean(xp, part)
            variance = _mean(xp, centred * centred)
            parts.append(centred / xp.sqrt(variance + EPS))
    return parts[0] if len(parts) == 1 else xp.concatenate(parts, axis=-1)


def normalised_backward(a: Array, d: Array, cut: int) -> Array:
    """Return the gradient by a of ``normalised(a)``, d being that by its value."""
    da = np.empty_like(a)
    for columns in (slice(None, cut), slice(cut, None)):
        part, dn = a[..., columns], d[..., columns]
        if part.shape[-1]:
            centred = part - _mean(np, part)
            scale = np.sqrt(_mean(np, centred * centred) + EPS)
            n = centred / scale
            along = _mean(np, dn * n)
            da[..., columns] = (dn - _mean(np, dn) - n * along) / scale
    return da


def contiguous_gates(array: Array, G: int) -> list[Array]:
    """Return the G blocks of columns, each contiguous: how NumPy rounds depends on strides."""
    return [np.ascontiguousarray(part) for part in np.split(array, G, axis=-1)]


class Norm:
    """The gains of one call, and its normalised products.

    Parameters
    ----------
    w_norm : array, (10, H) for an LSTM, (6, H) for a GRU, (2, H) for an RNN
        Rows: the gains of W x gate by gate, those of U h, and the LSTM's gain and shift of c.
    gates : int
        4, 3 or 1.
    """

    def __init__(self, w_norm: Array, gates: int) -> None:
        H = w_norm.shape[1]
        self.x, self.h = w_norm[:gates].reshape(-1), w_norm[gates : 2 * gates].reshape(-1)
        self.c = w_norm[2 * gates :]
        # Ba et al. normalise all gates of an LSTM together; r and z of a GRU, and n by itself.
        self.cut = 2 * H if gates == 3 else gates * H

    def of_x(self, xp: Any, x: Any, w_ih: Any, b_ih: Any) -> Any:
        """Return what W_ih x gives to the pre-activations."""
        value = self.x * normalised(xp, row_product(xp, x, w_ih), self.cut)
        return value if b_ih is None else value + b_ih

    def of_h(self, xp: Any, h: Any, w_hh: Any, b_hh: Any, rows: slice) -> Any:
        """Return what W_hh h gives to the pre-activations; w_hh, b_hh: these rows of them."""
        value = self.h[rows] * normalised(xp, row_product(xp, h, w_hh), self.cut)
        return value if b_hh is None else value + b_hh

    def of_c(self, xp: Any, c: Any) -> Any:
        """Return c as the cell's output sees it."""
        return self.c[0] * normalised(xp, c, c.shape[-1]) + self.c[1]

    def of_c_backward(self, c: Array, dz: Array) -> Array:
        """Return the gradient by c from that by ``of_c(c)``."""
        return normalised_backward(c, dz * self.c[0], c.shape[-1])

    def of_h_backward(self, h: Array, w_hh: Array, d: Array, rows: slice) -> Array:
        """Return the gradient by W_hh h from that by ``of_h``."""
        return normalised_backward(row_product(np, h, w_hh), d * self.h[rows], self.cut)

    def of_x_backward(self, x: Array, w_ih: Any, d: Array) -> Array:
        """Return the gradient by W_ih x from that by ``of_x``."""
        return normalised_backward(row_product(np, x, w_ih), d * self.x, self.cut)

    def gradient(self, ax: Array, ah: Array, d_ih: Array, d_hh: Array) -> Array:
        """Return the gradients of the gains of the two products, which are ax and ah."""
        sums = [
            (d * normalised(np, a, self.cut)).sum(axis=(0, 1)) for d, a in ((d_ih, ax), (d_hh, ah))
        ]
        return np.concatenate(sums).reshape(-1, self.c.shape[1])
