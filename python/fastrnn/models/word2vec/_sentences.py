"""Texts with one sentence a line, as gensim's programs iterate over them."""

import bz2
import gzip
import os
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import Any

from fastrnn._checks import integer
from fastrnn.io._files import open_regular

_LONGEST = 10_000  # words of a sentence, as in gensim
_OPENERS: dict[str, Any] = {".gz": gzip.open, ".bz2": bz2.open}


class LineSentence:
    r"""The sentences of a text: one a line, words between white space, UTF-8.

    A file is faster as ``corpus_file``, which is read in C++ on all threads.

    Parameters
    ----------
    source : path, or file
        A path that ends in .gz or .bz2 is unpacked. An open file is read from its beginning.
    max_sentence_length : int
        A longer line is cut into sentences of so many words.
    limit : int or None
        Read only so many lines.

    Raises
    ------
    TypeError, ValueError
        An argument breaks its rule; while reading: a line is no UTF-8.
    OSError
        While reading: the file cannot be read.

    Examples
    --------
    >>> from pathlib import Path
    >>> from fastrnn.models.word2vec import LineSentence
    >>> _ = Path("a.txt").write_text("the cat sat\nthe dog sat\n")
    >>> list(LineSentence("a.txt", limit=1))
    [['the', 'cat', 'sat']]
    """

    def __init__(
        self, source: Any, max_sentence_length: int = _LONGEST, limit: int | None = None
    ) -> None:
        self.source = source
        self.max_sentence_length = integer("max_sentence_length", max_sentence_length, 1)
        self.limit = None if limit is None else integer("limit", limit, 0)

    def __iter__(self) -> Iterator[list[str]]:
        """Yield each sentence as a list of words."""
        if hasattr(self.source, "seek"):
            self.source.seek(0)
            yield from self._sentences(self.source)
        else:
            with opened(self.source) as file:
                yield from self._sentences(file)

    def _sentences(self, file: Any) -> Iterator[list[str]]:
        for line in islice(file, self.limit):
            words = (line.decode("utf-8") if isinstance(line, bytes) else line).split()
            for first in range(0, len(words), self.max_sentence_length):
                yield words[first : first + self.max_sentence_length]


class PathLineSentences:
    """The sentences of all files of a folder, in the order of their names.

    Parameters
    ----------
    source : path
        A folder, whose folders are not entered, or one file.
    max_sentence_length, limit
        Of each file, as for `LineSentence`.

    Attributes
    ----------
    input_files : list of str

    Raises
    ------
    TypeError, ValueError
        An argument breaks its rule, or there is no such file or folder.

    Examples
    --------
    >>> from pathlib import Path
    >>> from fastrnn.models.word2vec import PathLineSentences
    >>> Path("texts").mkdir()
    >>> _ = Path("texts/b.txt").write_text("and a dog"), Path("texts/a.txt").write_text("a cat")
    >>> list(PathLineSentences("texts"))
    [['a', 'cat'], ['and', 'a', 'dog']]
    """

    def __init__(
        self, source: Any, max_sentence_length: int = _LONGEST, limit: int | None = None
    ) -> None:
        path = Path(source)
        if not path.exists():
            raise ValueError(f"source must be a file or a folder, got {source!r}")
        paths = sorted(p for p in path.iterdir() if p.is_file()) if path.is_dir() else [path]
        self.source = source
        self.input_files = [str(p) for p in paths]
        self._parts = [LineSentence(p, max_sentence_length, limit) for p in self.input_files]

    def __iter__(self) -> Iterator[list[str]]:
        """Yield each sentence as a list of words."""
        for part in self._parts:
            yield from part


@contextmanager
def opened(path: str | os.PathLike[str]) -> Iterator[Any]:
    """Open a file to read bytes from, unpacked if its name says so."""
    unpack = _OPENERS.get(Path(path).suffix)
    with open_regular(path) as file:
        if unpack is None:
            yield file
        else:
            with unpack(file) as unpacked:
                yield unpacked
