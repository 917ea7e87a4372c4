"""Ids of many texts at once, those of `Vocabulary.encode`, in a fraction of the time."""

from array import array
from collections.abc import Iterable, Sequence
from itertools import repeat

import numpy as np
from numpy.typing import NDArray

from fastrnn.data.bpe import stretches
from fastrnn.data.vocabulary import EOS, UNK, Vocabulary

Ids = NDArray[np.int64]
_MOST = 1 << 18  # stretches whose ids are remembered


class Encoder:
    """Encodes portions of texts with one vocabulary.

    Characters and words are looked up in one run. Byte pair encoding cuts each stretch of a text
    for itself, so the ids of a frequent one are found once and remembered.

    Parameters
    ----------
    vocabulary : Vocabulary
    eos : bool
        End each text with EOS.
    """

    def __init__(self, vocabulary: Vocabulary, eos: bool = False) -> None:
        self._vocabulary, self._eos = vocabulary, eos
        self._table = vocabulary._ids
        if vocabulary.level == "character":
            places = [ord(character) for character in self._table]
            self._characters = np.full(max(places, default=0) + 2, UNK, np.int64)
            self._characters[places] = list(self._table.values())
        self._forget()

    def __call__(self, texts: Sequence[str]) -> tuple[Ids, Ids]:
        """Return the ids of all texts one after the other, (n,), and how many each has, (N,)."""
        if self._vocabulary.level == "character":
            lengths = np.fromiter(map(len, texts), np.int64, len(texts))
            points = np.frombuffer("".join(texts).encode("utf-32-le", "surrogatepass"), "<u4")
            ids = self._characters[np.minimum(points, len(self._characters) - 1)]
        elif self._vocabulary.level == "word":
            words, lengths = _flat(map(str.split, texts))
            ids = np.fromiter(map(self._table.get, words, repeat(UNK)), np.int64, len(words))
        else:
            ids, lengths = self._pieces(texts)
        if self._eos:
            ids, lengths = np.insert(ids, np.cumsum(lengths), EOS), lengths + 1
        return ids, lengths

    def _pieces(self, texts: Sequence[str]) -> tuple[Ids, Ids]:
        """Return the same for byte pair encoding: the remembered ids of all stretches, joined."""
        if len(self._numbers) > _MOST:
            self._forget()
        parts, counts = _flat(map(stretches, texts))
        numbers = np.fromiter(map(self._numbers.get, parts, repeat(-1)), np.int64, len(parts))
        for place in np.flatnonzero(numbers < 0).tolist():
            numbers[place] = self._number(parts[place])
        known, ends = np.frombuffer(self._known, np.int64), np.frombuffer(self._ends, np.int64)
        sizes = (ends[1:] - ends[:-1])[numbers]
        begins = np.cumsum(sizes) - sizes
        ids = known[np.arange(sizes.sum()) + np.repeat(ends[numbers] - begins, sizes)]
        edges = np.concatenate([[0], np.cumsum(sizes)])[np.concatenate([[0], np.cumsum(counts)])]
        return ids, edges[1:] - edges[:-1]

    def _forget(self) -> None:
        """Begin with no stretch: the ids of number n are known[ends[n] : ends[n + 1]]."""
        self._numbers: dict[str, int] = {}
        self._known, self._ends = array("q"), array("q", [0])

    def _number(self, stretch: str) -> int:
        """Return the number of a stretch, whose ids are remembered from now on."""
        number = self._numbers.get(stretch)
        if number is None:
            number = self._numbers[stretch] = len(self._numbers)
            self._known.extend(map(self._table.__getitem__, self._vocabulary.cut(stretch)))
            self._ends.append(len(self._known))
        return number


def _flat(texts: Iterable[list[str]]) -> tuple[list[str], Ids]:
    """Return the parts of all texts in one list, and how many each has."""
    # One list that grows: a million small ones would keep the garbage collector busy.
    parts: list[str] = []
    counts: list[int] = []
    for text in texts:
        parts += text
        counts.append(len(text))
    return parts, np.array(counts, np.int64)
