"""How often each word stands in a text, exactly, though there be more words than memory holds."""

import heapq
from collections import Counter
from collections.abc import Iterable, Iterator
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from typing import IO, Self

from fastrnn.io._files import scratch

Counted = tuple[str, int]
_MOST_FILES = 64
_END, _MARK = "\n", "\udc0a"  # within a word an end of line is marked by what no text holds


class Counts:
    """Counts of words; those that are too many wait in sorted files without a name.

    Parameters
    ----------
    folder : Path
        Where these files are.
    most : int
        Different words in memory, about.
    """

    def __init__(self, folder: Path, most: int = 1 << 18) -> None:
        self._folder, self._most = folder, most
        self._now: Counter[str] = Counter()
        self._files: list[IO[str]] = []

    def add(self, words: Iterable[str]) -> None:
        """Count words, of whole characters."""
        self._now.update(words)
        if len(self._now) > self._most:
            if len(self._files) < _MOST_FILES:
                self._files.append(self._written(sorted(self._now.items())))
            else:
                whole = self._written(self)
                self.close()
                self._files = [whole]
            self._now.clear()

    def __iter__(self) -> Iterator[Counted]:
        """Yield each word and how often it came, in the order of the alphabet."""
        every = heapq.merge(*map(_read, self._files), sorted(self._now.items()))
        for word, same in groupby(every, itemgetter(0)):
            yield word, sum(n for _, n in same)

    def _written(self, counts: Iterable[Counted]) -> IO[str]:
        """Return a file of counts."""
        file = scratch(self._folder)
        try:
            file.writelines(f"{n} {word.replace(_END, _MARK)}{_END}" for word, n in counts)
        except BaseException:
            file.close()
            raise
        return file

    def close(self) -> None:
        """Remove the files."""
        for file in self._files:
            file.close()
        self._files = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _read(file: IO[str]) -> Iterator[Counted]:
    """Yield what was written to a file."""
    file.seek(0)
    for line in file:
        n, _, word = line[:-1].partition(" ")
        yield word.replace(_MARK, _END), int(n)
