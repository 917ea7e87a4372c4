"""Word vectors in the files of word2vec.c, text and binary, which most tools read and write."""

import os
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastrnn._checks import integer
from fastrnn.io._error import CheckpointError
from fastrnn.io._files import atomic_write, open_regular

_AGAIN = "get or write the file again"
_HEADER_BYTES = 64
_WORD_BYTES = 1 << 16
_MOST_ELEMENTS = 1 << 18  # of a vector; no one's has more than thousands
_NUMBER_BYTES = 64  # of a number in a text; Python and C write at most 24 of a double

Vectors = NDArray[np.float32]


def save_word2vec_format(
    path: str | os.PathLike[str], words: Sequence[str], vectors: Any, *, binary: bool = False
) -> None:
    """Write word vectors in the text or binary format of word2vec.c.

    Parameters
    ----------
    path : path
        Replaced if it exists.
    words : sequence of str
        None is empty or holds white space of ASCII; other spaces of Unicode may be part of a word.
    vectors : array_like of float, (V, E)
    binary : bool
        Four bytes a number instead of decimal digits; digits are enough for all bits of a float32.

    Raises
    ------
    TypeError, ValueError
        A word or the shape of the vectors breaks its rule.
    OSError
        The file could not be written; the old one is still there, unless the message says that
        only its folder could not be synced.

    Examples
    --------
    >>> from fastrnn.io.word2vec_format import save_word2vec_format
    >>> save_word2vec_format("vectors.txt", ["cat", "dog"], [[1, 0.5], [0, 2]])
    >>> from pathlib import Path
    >>> Path("vectors.txt").read_text().splitlines()
    ['2 2', 'cat 1 0.5', 'dog 0 2']
    """
    rows = np.ascontiguousarray(vectors, "<f4")
    if rows.ndim != 2 or len(rows) != len(words):
        raise ValueError(f"vectors must have shape ({len(words)}, E), got {rows.shape}")
    for word in words:
        if not isinstance(word, str):
            raise TypeError(f"words must be strings, got {word!r}")
        if word.encode().split() != [word.encode()]:  # bytes: what every reader splits at
            raise ValueError(f"words must hold no white space and not be empty, got {word!r}")
    with atomic_write(path) as file:
        file.write(f"{len(words)} {rows.shape[1]}\n".encode())
        for word, row in zip(words, rows, strict=True):
            if binary:
                file.write(word.encode() + b" " + row.tobytes() + b"\n")
            else:
                numbers = " ".join(format(number, ".9g") for number in row.tolist())
                file.write(f"{word} {numbers}\n".encode())


def load_word2vec_format(
    path: str | os.PathLike[str], *, binary: bool = False, limit: int | None = None
) -> tuple[list[str], Vectors]:
    """Read word vectors in the text or binary format of word2vec.c, as gensim writes them too.

    Parameters
    ----------
    path : path
    binary : bool
    limit : int or None
        Read so many words at most, those at the front.

    Returns
    -------
    words : list of str
    vectors : ndarray of float32, (V, E)

    Raises
    ------
    TypeError, ValueError
        limit is no such number.
    fastrnn.CheckpointError
        The file is shorter or longer than its first line says, or is in another format.
    OSError
        It cannot be read.

    Examples
    --------
    >>> from fastrnn.io.word2vec_format import load_word2vec_format, save_word2vec_format
    >>> save_word2vec_format("vectors.bin", ["cat", "dog"], [[1, 0.5], [0, 2]], binary=True)
    >>> words, vectors = load_word2vec_format("vectors.bin", binary=True)
    >>> words, vectors.tolist()
    (['cat', 'dog'], [[1.0, 0.5], [0.0, 2.0]])
    """
    most = None if limit is None else integer("limit", limit, 0)
    with open_regular(path) as file:
        V, E = _header(path, file.readline(_HEADER_BYTES))
        here = file.tell()
        left = file.seek(0, os.SEEK_END) - here
        file.seek(here)
        least = V * (4 * E + 2) if binary else V * (2 * E + 2)
        if left < least:
            raise CheckpointError(path, f"{V} vectors of {E} numbers do not fit in it", _AGAIN)
        read = _read_binary if binary else _read_text
        words, vectors = read(path, file, V, E, V if most is None else min(most, V))
    if len(set(words)) < len(words):
        raise CheckpointError(path, "a word stands in it twice", _AGAIN)
    return words, vectors


def _header(path: Any, line: bytes) -> tuple[int, int]:
    numbers = line.split()
    if len(numbers) != 2 or not all(number.isdigit() for number in numbers) or line[-1:] != b"\n":
        raise CheckpointError(path, "its first line is not two numbers, words and size", _AGAIN)
    V, E = int(numbers[0]), int(numbers[1])
    if not 1 <= E <= _MOST_ELEMENTS:
        raise CheckpointError(
            path, f"its vectors must have 1..{_MOST_ELEMENTS} elements, it says {E}", _AGAIN
        )
    return V, E


def _word(path: Any, text: bytes) -> str:
    try:
        word = text.decode()
    except UnicodeDecodeError:
        raise CheckpointError(path, f"the word {text[:40]!r} is not UTF-8", _AGAIN) from None
    if not word:
        raise CheckpointError(path, "a word in it is empty", "see whether binary= fits the file")
    return word


def _read_binary(path: Any, file: Any, V: int, E: int, count: int) -> tuple[list[str], Vectors]:
    words: list[str] = []
    vectors = np.empty((count, E), np.float32)
    text = file.read()
    at = 0
    for row in vectors:
        at += text[at : at + 1] == b"\n"
        end = text.find(b" ", at, at + _WORD_BYTES)
        if end < 0 or end + 1 + 4 * E > len(text):
            raise CheckpointError(path, f"it ends within word {len(words)} of {V}", _AGAIN)
        words.append(_word(path, text[at:end]))
        row[...] = np.frombuffer(text, "<f4", E, end + 1)
        at = end + 1 + 4 * E
    if count == V and text[at:].strip(b"\n"):
        raise CheckpointError(path, f"it goes on behind the last of {V} words", _AGAIN)
    return words, vectors


def _read_text(path: Any, file: Any, V: int, E: int, count: int) -> tuple[list[str], Vectors]:
    words: list[str] = []
    vectors = np.empty((count, E), np.float32)
    for row in vectors:
        most = _WORD_BYTES + (_NUMBER_BYTES + 1) * E
        line = file.readline(most)
        fields = line.rstrip().split(b" ", E + 1)
        if line[-1:] != b"\n":  # half a number may look like one
            what = f"it ends within line {len(words) + 2}"
            if len(line) == most:
                what = f"line {len(words) + 2} has more than {most} bytes"
            raise CheckpointError(path, what, _AGAIN)
        if len(fields) != E + 1:
            raise CheckpointError(
                path, f"line {len(words) + 2} has {len(fields) - 1} numbers instead of {E}", _AGAIN
            )
        words.append(_word(path, fields[0]))
        try:
            if max(map(len, fields[1:])) > _NUMBER_BYTES:  # NumPy would make all as long
                raise ValueError
            row[...] = np.array(fields[1:]).astype(np.float32)
        except ValueError:
            raise CheckpointError(path, f"line {len(words) + 1} holds no numbers", _AGAIN) from None
    if count == V and file.read(_HEADER_BYTES).strip():
        raise CheckpointError(path, f"it goes on behind the last of {V} words", _AGAIN)
    return words, vectors
