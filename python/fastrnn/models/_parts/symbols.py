"""Texts or symbols: what may be given for one sequence, and what is given back."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastrnn.data import Vocabulary
from fastrnn.data.arrays import as_ids

Ids = NDArray[np.int64]


def as_symbols(
    name: str, value: Any, vocabulary: Vocabulary | None, V: int, least: int = 0
) -> Ids:
    """Return the symbols of a text, or of an array of symbols, at least so many.

    Raises
    ------
    TypeError
        It is a text and there is no vocabulary, or it holds no integers.
    ValueError
        It has another shape than (m,), a symbol is not in 0..V−1, or there are too few.
    """
    if isinstance(value, str):
        if vocabulary is None:
            raise TypeError(
                f"{name} must hold symbols: the model was made without a Vocabulary for it"
            )
        ids = vocabulary.encode(value)
    else:
        try:
            array = np.asarray(value)
        except ValueError:  # rows of different lengths
            raise ValueError(f"{name} must have shape (m,), got {value!r:.80}") from None
        if array.ndim != 1:
            raise ValueError(f"{name} must have shape (m,), got {array.shape}")
        ids = as_ids(name, array if array.size else array.astype(np.int64), V)
    if len(ids) < least:
        raise ValueError(f"{name} must hold at least one symbol, got none")
    return ids


def as_texts(rows: list[Ids], vocabulary: Vocabulary | None) -> list[Any]:
    """Return rows of symbols as texts, or as they are where there is no vocabulary."""
    return rows if vocabulary is None else [vocabulary.decode(row) for row in rows]
