"""Token files, as ``fastrnn tokenize --out`` writes them, for ``fastrnn train``."""

from contextlib import ExitStack
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from fastrnn.cli.datasets.text import Dataset, named, share
from fastrnn.data import TokenFile, Vocabulary, contiguous_streams


def tokens_dataset(
    folder: Path,
    tokens: str,
    vocabulary: str,
    *,
    held_out: float = 0.1,
    N: int = 32,
    T: int = 64,
) -> Dataset:
    """Return the ids of a token file cut in two, as N streams of T steps a batch.

    They are read from the disk as they are needed. The end is held out.

    Raises
    ------
    OSError, ValueError
        A file cannot be read, the vocabulary is not the one that made the ids, or they are too few;
        or an argument breaks its rule.
    """
    table = Vocabulary.load(named(folder, "vocabulary", vocabulary))
    part = share(held_out)
    with ExitStack() as opened:
        file = opened.enter_context(TokenFile(named(folder, "tokens", tokens)))
        if file.vocabulary_sha256 not in (None, table.sha256) or file.vocab_size != len(table):
            raise ValueError(
                f"vocabulary must be the one that made {tokens}, {vocabulary} is another"
            )
        cut = len(file) - int(len(file) * part)
        train, judged = _Part(file, 0, cut), _Part(file, cut, len(file))
        dataset = Dataset(
            contiguous_streams(train, N=N, T=T),
            contiguous_streams(judged, N=N, T=T),
            {"vocab": table},
            (),
            f"{cut:,} ids of {tokens}, {len(table):,} different; {len(judged):,} held out",
            file=file,
        )
        opened.pop_all()
    return dataset


class _Part:
    """A stretch of a token file."""

    def __init__(self, file: TokenFile, start: int, stop: int) -> None:
        self._file, self._start, self._stop = file, start, stop

    def __len__(self) -> int:
        return self._stop - self._start

    def __getitem__(self, part: slice) -> NDArray[Any]:
        start, stop, step = part.indices(len(self))
        return self._file[self._start + start : self._start + max(start, stop) : step]
