"""Dialogue turns as plain words, and dialogues of different lengths as one batch."""

from collections.abc import Sequence
from unicodedata import category

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fastrnn._checks import items
from fastrnn.data.arrays import pad

Ids = NDArray[np.int64]


def plain_words(text: str) -> str:
    """Return a text in lower case, with single spaces between words and signs.

    Parameters
    ----------
    text : str
        Hyphens and apostrophes belong to words.

    Returns
    -------
    str

    Raises
    ------
    TypeError
        text is no str.

    Examples
    --------
    >>> from fastrnn.data import plain_words
    >>> plain_words("Hello!  It's me, Ann.")
    "hello ! it's me , ann ."
    """
    if not isinstance(text, str):
        raise TypeError(f"text must be a str, got {type(text).__name__}")
    spaced = "".join(c if _is_of_a_word(c) else f" {c} " for c in text.lower())
    return " ".join(spaced.split())


def _is_of_a_word(c: str) -> bool:
    """Marks are no letters to Python, and stand on or beside one: accents, vowels of Hindi."""
    return c.isalnum() or c in "'-" or category(c).startswith("M")


def pack_dialogues(dialogues: Sequence[Sequence[ArrayLike]]) -> tuple[Ids, Ids, Ids]:
    """Put the turns of all dialogues side by side, as `HRED` and `VHRED` read them.

    Parameters
    ----------
    dialogues : sequence of N sequences of array_like of int, (T_u,)
        Each turn's symbols. A turn may be empty, and a dialogue may have no turn.

    Returns
    -------
    tokens : ndarray of int64, (T, U)
        One column for each turn: first those of dialogue 0, then those of dialogue 1, …
    lengths : ndarray of int64, (U,)
        Of the turns.
    turns : ndarray of int64, (N,)
        How many turns each dialogue has; their sum is U.

    Raises
    ------
    TypeError, ValueError
        A turn holds no integers, or is not of shape (T_u,).

    Examples
    --------
    >>> from fastrnn.data import pack_dialogues
    >>> tokens, lengths, turns = pack_dialogues([[[4, 5], [6]], [[7], [], [8, 8, 8]]])
    >>> tokens
    array([[4, 6, 7, 0, 8],
           [5, 0, 0, 0, 8],
           [0, 0, 0, 0, 8]])
    >>> lengths, turns
    (array([2, 1, 1, 0, 3]), array([2, 3]))
    """
    columns: list[Ids] = []
    for dialogue in items("dialogues", dialogues):
        for turn in items("dialogues", dialogue):
            ids = np.asarray(turn)
            if ids.ndim != 1:
                raise ValueError(f"a turn must have shape (T,), got {ids.shape}")
            if ids.dtype.kind not in "iu" and ids.size:
                raise TypeError(f"a turn must hold integers, got {ids.dtype}")
            columns.append(ids.astype(np.int64))
    turns = np.array([len(dialogue) for dialogue in dialogues], np.int64)
    if not columns:
        return np.zeros((0, 0), np.int64), np.zeros(0, np.int64), turns
    tokens, lengths = pad(columns, dtype=np.int64)
    return tokens, lengths, turns
