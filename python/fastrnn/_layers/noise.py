"""Recurrent dropout, zoneout and weight drop of a layer: the masks of one call."""

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from fastrnn._calls.masks import Masks, check_masks
from fastrnn._checks import Array, DType, probability
from fastrnn._layers.part import Part

if TYPE_CHECKING:
    from numpy.random import Generator


class Chance(NamedTuple):
    """The probabilities of a layer: of dropping h, of keeping the old h and c, of dropping w_hh."""

    recurrent_dropout: float = 0.0
    zoneout_h: float = 0.0
    zoneout_c: float = 0.0
    weight_drop: float = 0.0


def chance(recurrent_dropout: Any, zoneout: Any, weight_drop: Any, cell_state: bool) -> Chance:
    """Return the probabilities, checked; zoneout of an LSTM may be a pair for h and c."""
    if isinstance(zoneout, (tuple, list)):
        if len(zoneout) != 2 or not cell_state:
            raise ValueError(f"zoneout must be a number, or two for an LSTM, got {zoneout!r}")
        h, c = (probability("zoneout", value) for value in zoneout)
    else:
        h = probability("zoneout", zoneout)
        c = h if cell_state else 0.0
    dropped = probability("recurrent_dropout", recurrent_dropout)
    return Chance(dropped, h, c, probability("weight_drop", weight_drop))


class Noise:
    """Gives every layer and direction of one call its masks.

    Parameters
    ----------
    chance : Chance
    rng : Generator or None
        None: what is to be expected; zoneout then keeps its part of everything.
    given : sequence of Masks or None
        One per layer and direction in the order of the states, in the place of drawn ones.
    """

    def __init__(self, chance: Chance, rng: "Generator | None", given: Any = None) -> None:
        self._chance = chance
        self._rng = rng
        self._given = given

    def masks(self, k: int, part: Part, T: int, N: int, dtype: DType) -> Masks:
        """Return the masks of layer and direction k."""
        H, P = part.hidden_size, part.output_size
        if self._given is not None:
            sizes = T, N, H, P
            return check_masks(part.kind, self._given[k], sizes, dtype, part.weights[4] is not None)
        if self._rng is None:
            return self._expected(T, N, H, P, dtype)
        p, h, c, w = self._chance
        return Masks(
            self._dropped(p, (N, P), dtype),
            self._kept(h, (T, N, P), dtype),
            self._kept(c, (T, N, H), dtype),
            self._dropped(w, (part.kind.gates * H, P), dtype),
        )

    def _expected(self, T: int, N: int, H: int, P: int, dtype: DType) -> Masks:
        _, h, c, _ = self._chance
        return Masks(None, _everywhere(h, (T, N, P), dtype), _everywhere(c, (T, N, H), dtype))

    def _dropped(self, p: float, shape: tuple[int, ...], dtype: DType) -> Array | None:
        """Return 0 with probability p, else 1 / (1 - p)."""
        if p == 0 or self._rng is None:
            return None
        scale = dtype.type(1 / (1 - p) if p < 1 else 0)
        dropped: Array = np.where(self._rng.random(shape, np.float32) >= p, scale, dtype.type(0))
        return dropped

    def _kept(self, p: float, shape: tuple[int, ...], dtype: DType) -> Array | None:
        """Return 1 with probability p, else 0."""
        if p == 0 or self._rng is None:
            return None
        return (self._rng.random(shape, np.float32) < p).astype(dtype)


def _everywhere(p: float, shape: tuple[int, int, int], dtype: DType) -> Array | None:
    """Return p at every place, None for 0; one row in memory that all steps and rows share.

    numpy.broadcast_to gives the same, later: one step of an LSTM with H = 32 took 14.6 us with it,
    and takes 11.3 (Zen 5).
    """
    if p == 0:
        return None
    row = np.full(shape[2], p, dtype)
    return np.ndarray(shape, dtype, row.data, 0, (0, 0, row.itemsize))
