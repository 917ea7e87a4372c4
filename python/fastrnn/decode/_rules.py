"""Rules: which symbols may come next, whatever the model says."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastrnn._checks import Array, integer, items
from fastrnn.data import BOS, EOS, PAD, UNK

Ids = NDArray[np.int64]
Constraint = Callable[[Ids], Any]
MOST_STEPS = 2**31 - 1  # symbols of a sequence, and of a vocabulary
MOST_ROWS = 2**24  # sources, and sequences of one source


@dataclass(frozen=True)
class Rules:
    """What a sequence may hold. What is forbidden is never emitted; log_prob stays the model's.

    Parameters
    ----------
    bos, eos : int
        The symbols that are fed first, and that end a sequence.
    forbidden : sequence of int
        Symbols that are never emitted.
    min_length : int
        EOS is forbidden before so many symbols.
    block_ngram_repeat : int
        No n symbols in a row come twice; 0: they may.
    constraint : callable, or sequence of callable, one for each source, or None
        ``constraint(prefix) -> mask``: given the symbols so far, (t,), which may come next, (V,)
        of bool. It decides about EOS too. A sequence that nothing may follow is given up.

    Raises
    ------
    TypeError, ValueError
        A number breaks its rule.

    Examples
    --------
    >>> from fastrnn.decode import Rules
    >>> Rules(min_length=2).forbidden
    (0, 1, 2)
    """

    bos: int = BOS
    eos: int = EOS
    forbidden: Sequence[int] = (PAD, UNK, BOS)
    min_length: int = 0
    block_ngram_repeat: int = 0
    constraint: Constraint | Sequence[Constraint] | None = None

    def __post_init__(self) -> None:
        for name in ("bos", "eos"):
            integer(name, getattr(self, name), 0, MOST_STEPS)
        for symbol in items("forbidden", self.forbidden):
            integer("forbidden", symbol, 0, MOST_STEPS)
        integer("min_length", self.min_length, 0)
        integer("block_ngram_repeat", self.block_ngram_repeat, 0)
        each = self.constraint if isinstance(self.constraint, Sequence) else [self.constraint]
        if self.constraint is not None and not all(callable(function) for function in each):
            raise TypeError(f"constraint must be callable, got {self.constraint!r}")

    def check(self, N: int) -> None:
        """Raise TypeError or ValueError if N is none, or constraints are for another number."""
        integer("N", N, 0, MOST_ROWS)
        if isinstance(self.constraint, Sequence) and len(self.constraint) != N:
            raise ValueError(
                f"constraint must be one function, or N = {N}, one for each source, "
                f"got {len(self.constraint)}"
            )

    def apply(self, scores: Array, prefixes: Ids, sources: Ids) -> None:
        """Set the scores (M, V) of what may not come next to −Inf.

        Parameters
        ----------
        scores : ndarray, (M, V)
        prefixes : ndarray of int64, (M, t)
            The symbols of each sequence so far.
        sources : ndarray of int64, (M,)
            Which source each sequence belongs to.
        """
        V = scores.shape[1]
        for name, symbols in (("eos", [self.eos]), ("forbidden", self.forbidden)):
            if max(symbols, default=0) >= V:
                raise ValueError(f"{name} must lie in 0..V−1 = 0..{V - 1}, got {max(symbols)}")
        scores[:, list(self.forbidden)] = -np.inf
        t = prefixes.shape[1]
        if t < self.min_length:
            scores[:, self.eos] = -np.inf
        n = self.block_ngram_repeat
        if n and t >= n:
            windows = np.lib.stride_tricks.sliding_window_view(prefixes, n, axis=1)
            last = prefixes[:, None, t - n + 1 :]
            row, place = np.nonzero((windows[:, :, : n - 1] == last).all(axis=2))
            scores[row, windows[row, place, n - 1]] = -np.inf
        if self.constraint is not None:
            for m, source in enumerate(sources.tolist()):
                scores[m, ~self._allowed(prefixes[m], source, scores)] = -np.inf

    def _allowed(self, prefix: Ids, source: int, scores: Array) -> NDArray[np.bool_]:
        constraint: Any = self.constraint
        function = constraint[source] if isinstance(constraint, Sequence) else constraint
        mask = np.asarray(function(prefix.copy()))
        V = scores.shape[1]
        if mask.dtype.kind != "b" or mask.shape != (V,):
            raise ValueError(
                f"constraint must return a mask of bool, (V,) = ({V},), "
                f"got {mask.dtype} {mask.shape}"
            )
        return mask
