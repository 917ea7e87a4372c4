"""Where Word2Vec reads from: a text file in C++, or sentences of Python made into numbers."""

import os
from array import array
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastrnn import _core
from fastrnn._checks import file_path, items
from fastrnn.io._files import open_regular

_ABSENT = -2  # a word that is not in the vocabulary, beside -1 for the end of a sentence


@dataclass(frozen=True)
class Counted:
    """Words that come often enough, the most frequent first, ties in the order of their bytes.

    Attributes
    ----------
    words : list of str
    counts : ndarray of int64
    total, distinct : int
        Words and different words of the whole text.
    sentences : int or None
        Of lists; the lines of a file are not counted.
    """

    words: list[str]
    counts: NDArray[np.int64]
    total: int
    distinct: int
    sentences: int | None = None


class TextFile:
    """One sentence a line, words between white space, UTF-8; read in pieces, never as a whole."""

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self._path = os.fsencode(path)
        open_regular(path).close()  # the error of the system, where there is one

    def count(self, min_count: int, workers: int) -> Counted:
        """Count the words, on several threads."""
        lines, counts, total, distinct = _core.word2vec_count(self._path, min_count, workers)
        words = lines.decode().split("\n")[:-1]
        return Counted(words, np.frombuffer(counts, np.int64).copy(), total, distinct)

    def source(self, words: list[str]) -> Any:
        """Return what the core trains from."""
        return _core.Word2VecText(self._path, "".join(f"{word}\n" for word in words).encode())


class _Numbers(dict[str, int]):
    """Words by number, in the order in which they come."""

    def __missing__(self, word: str) -> int:
        if not isinstance(word, str):
            raise TypeError(f"sentences must hold words, got a {type(word).__name__}")
        if "\n" in word:  # which ends a word in a model's file and in the core
            raise ValueError(f"sentences must hold words without line breaks, got {word!r:.60}")
        self[word] = number = len(self)
        return number


class Sentences:
    """Sentences of Python, read once and kept as 4 bytes a word."""

    def __init__(self, sentences: Iterable[Iterable[str]]) -> None:
        if isinstance(sentences, (str, bytes)):
            raise TypeError("sentences must be lists of words, got a string; split it")
        self._numbers = _Numbers()
        ids = array("i")
        number = self._numbers.__getitem__
        for sentence in items("sentences", sentences):
            if isinstance(sentence, (str, bytes)):
                raise TypeError("sentences must be lists of words, got a string among them")
            ids.extend(map(number, sentence))
            ids.append(-1)
        self._ids = np.frombuffer(ids, np.int32)

    def count(self, min_count: int, workers: int) -> Counted:
        """Count the words."""
        del workers
        counts = np.bincount(self._ids[self._ids >= 0], minlength=len(self._numbers))
        rows = zip(counts.tolist(), self._numbers, strict=True)
        kept = sorted((-n, word.encode(), word) for n, word in rows if n >= min_count)
        return Counted(
            [word for _, _, word in kept], np.array([-n for n, _, _ in kept], np.int64),
            int(counts.sum()), len(counts), int((self._ids == -1).sum()),
        )  # fmt: skip

    def source(self, words: list[str]) -> Any:
        """Return what the core trains from: the numbers of these words, -1 behind a sentence."""
        into = np.full(len(self._numbers) + 1, _ABSENT, np.int32)
        into[-1] = -1
        for number, word in enumerate(words):
            if word in self._numbers:
                into[self._numbers[word]] = number
        ids = into[self._ids]
        return np.ascontiguousarray(ids[ids != _ABSENT])


def corpus(
    sentences: Any, corpus_file: Any, name: str = "corpus_iterable"
) -> TextFile | Sentences:
    """Return the one of the two that was given; `name` is what the first is called.

    Raises
    ------
    TypeError
        Both or none were given, or sentences are no lists of words.
    OSError
        The file cannot be read.
    """
    if (sentences is None) == (corpus_file is None):
        raise TypeError(f"give either {name} or corpus_file")
    if sentences is None:
        return TextFile(file_path("corpus_file", corpus_file))
    return Sentences(sentences)
