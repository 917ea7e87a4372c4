"""Saying: rows of symbols drawn or chosen one after the other, each the decoder's next input."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from fastrnn import decode
from fastrnn._checks import integer
from fastrnn.data import BOS, EOS, Vocabulary

if TYPE_CHECKING:
    from numpy.random import Generator

Ids = NDArray[np.int64]


def said(
    step: Callable[[Any, Ids], tuple[Any, Any]],
    state: Any,
    N: int,
    max_length: int,
    rng: "Generator",
    **options: Any,
) -> list[Ids]:
    """Return N rows of symbols, each up to its EOS, which is left out, or to max_length.

    Parameters
    ----------
    step : callable
        ``step(state, last)`` returns the scores (N, V) of what follows the symbols (N,), and the
        state then.
    state : Any
        Before the first symbol.
    N, max_length : int
    rng, **options
        As `fastrnn.decode.sample`.
    """
    most = integer("max_length", max_length, 0)
    last = np.full(N, BOS)
    drawn = np.full((most + 1, N), EOS)
    going = np.ones(N, np.bool_)
    for k in range(most):
        if not going.any():
            break
        scores, state = step(state, last)
        last = decode.sample(scores, rng=rng, **options)
        drawn[k, going] = last[going]
        going &= last != EOS
    lengths = (drawn == EOS).argmax(axis=0)
    return [drawn[:length, n] for n, length in enumerate(lengths)]


def spelled(rows: list[Ids], vocabulary: Vocabulary | None) -> list[Any]:
    """Return rows of symbols as texts, or as they are where there is no vocabulary."""
    return rows if vocabulary is None else [vocabulary.decode(row) for row in rows]


def read(name: str, text: Any, vocabulary: Vocabulary | None, V: int) -> Ids:
    """Return the symbols of a text, or of an array that holds them; there may be none.

    Raises
    ------
    TypeError
        It is a text and there is no vocabulary, or it holds no integers.
    ValueError
        It has another shape than (m,), or a symbol is not in 0..V−1.
    """
    if isinstance(text, str):
        if vocabulary is None:
            raise TypeError(f"{name} must hold symbols: the model was made without a Vocabulary")
        return vocabulary.encode(text)
    ids = np.asarray(text)
    if ids.ndim != 1:
        raise ValueError(f"{name} must have shape (m,), got {ids.shape}")
    if ids.dtype.kind not in "iu" and ids.size:
        raise TypeError(f"{name} must hold integers, got {ids.dtype}")
    if ((ids < 0) | (ids >= V)).any():
        raise ValueError(f"{name} must lie in 0..V−1 = 0..{V - 1}, got {ids.tolist()}")
    return ids.astype(np.int64)
