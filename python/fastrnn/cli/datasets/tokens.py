"""Token files, as ``fastrnn tokenize --out`` writes them, for ``fastrnn train``."""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Literal, Self

import numpy as np
from numpy.typing import NDArray

from fastrnn.cli._dialogues import Dialogue
from fastrnn.cli.datasets.dialogues import (
    InOrder,
    batched,
    check_targets,
    check_turns,
    packed_dialogues,
)
from fastrnn.cli.datasets.parallel import check_held_out
from fastrnn.cli.datasets.text import Dataset, Rows, division, named, share
from fastrnn.data import EOS, DialogueBatch, TokenFile, Vocabulary, contiguous_streams
from fastrnn.models._seq2seq.pairs import batched_pairs

_AT_ONCE = 1 << 22  # ids that are looked at


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
    part = share(held_out)
    with _Opened(folder) as opened:
        file, table = opened.of_text("tokens", tokens, "vocabulary", vocabulary)
        cut = len(file) - int(len(file) * part)
        train, judged = _Part(file, 0, cut), _Part(file, cut, len(file))
        return Dataset(
            contiguous_streams(train, N=N, T=T),
            contiguous_streams(judged, N=N, T=T),
            {"vocab": table},
            (),
            f"{cut:,} ids of {tokens}, {len(table):,} different; {len(judged):,} held out",
            N * T,
            files=opened.kept(),
        )


def parallel_tokens_dataset(
    folder: Path,
    sources: str,
    targets: str,
    source_vocabulary: str,
    target_vocabulary: str,
    *,
    held_out: float = 0.1,
    held_out_sources: str | None = None,
    held_out_targets: str | None = None,
    batch_size: int = 64,
    seed: int = 0,
    bucket: bool = True,
) -> Dataset:
    """Return pairs of the sequences of two token files; see `parallel_dataset`.

    Raises
    ------
    OSError, ValueError
        A file cannot be read, has another number of sequences than its partner, sequences that end
        with EOS, or ids of another vocabulary; or an argument breaks its rule.
    """
    check_held_out(held_out_sources, held_out_targets)
    with _Opened(folder) as opened:

        def pairs(one: str, other: str) -> tuple[TokenFile, TokenFile]:
            files = (
                opened.of_text("sources", one, "source_vocabulary", source_vocabulary)[0],
                opened.of_text("targets", other, "target_vocabulary", target_vocabulary)[0],
            )
            if files[0].sequences != files[1].sequences:
                raise ValueError(
                    f"{one} and {other} must have as many sequences, got {files[0].sequences} and "
                    f"{files[1].sequences}"
                )
            for name, file in zip((one, other), files, strict=True):
                if file.sequences and EOS in file.sequence(0)[-1:]:
                    raise ValueError(f"{name} must be made without --eos, which pairs get anyway")
            return files

        files = judged_files = pairs(sources, targets)
        if held_out_sources is not None and held_out_targets is not None:
            judged_files = pairs(held_out_sources, held_out_targets)
            learned, judged = (np.arange(each[0].sequences) for each in (files, judged_files))
        else:
            n = files[0].sequences
            learned, judged = division(n, held_out, seed, sources, "pairs of sequences")
        for rows, name in ((learned, sources), (judged, held_out_sources)):
            if not len(rows):
                raise ValueError(f"{name} must hold at least one pair of sequences")

        def batches_of(pair: tuple[TokenFile, TokenFile], rows: Rows) -> Any:
            lengths = pair[0].lengths()[rows], pair[1].lengths()[rows]
            one, other = (_Chosen(file, rows) for file in pair)
            return batched_pairs(one, other, batch_size, seed, bucket, lengths)

        tables = opened.tables
        longest = (int(each.lengths()[learned].max()) + 1 for each in files)
        return Dataset(
            batches_of(files, learned),
            batches_of(judged_files, judged),
            {"source_vocab": tables[source_vocabulary], "target_vocab": tables[target_vocabulary]},
            (),
            f"{len(learned):,} pairs of {sources} and {targets}, {files[0].vocab_size} and "
            f"{files[1].vocab_size} different ids; {len(judged):,} held out",
            batch_size * max(longest),
            files=opened.kept(),
        )


def dialogue_tokens_dataset(
    folder: Path,
    dialogues: str,
    vocabulary: str,
    *,
    speakers: str | None = None,
    said: Literal["all", "answers"] = "all",
    held_out: float = 0.1,
    batch_size: int = 16,
    seed: int = 0,
) -> Dataset:
    """Return the dialogues of a token file, shuffled and cut in two; see `dialogues_dataset`.

    Parameters
    ----------
    dialogues : str
        A token file with a sequence for each dialogue, in which EOS ends each turn.
    speakers : str or None
        A token file with the speakers of each dialogue, a number for each turn.

    Raises
    ------
    OSError, ValueError
        A file cannot be read, holds no such dialogues, too few, or ids of another vocabulary; or an
        argument breaks its rule.
    """
    check_targets(said)
    with _Opened(folder) as opened:
        file, table = opened.of_text("dialogues", dialogues, "vocabulary", vocabulary)
        turns, longest = _turns(file)
        who = None if speakers is None else opened.file("speakers", speakers)
        if who is not None and not np.array_equal(who.lengths(), turns):
            raise ValueError(f"{speakers} must have a number for each turn of {dialogues}")
        parts = division(file.sequences, held_out, seed, dialogues, "dialogues")
        for rows in parts:
            check_turns(dialogues, turns[rows].max())
        learned, judged = (_Dialogues(file, who, rows) for rows in parts)

        def packed(rows: Sequence[Dialogue]) -> DialogueBatch:
            return packed_dialogues(rows, np.asarray, said)

        return Dataset(
            batched(learned, turns[parts[0]], batch_size, seed, packed),
            InOrder(judged, batch_size, packed),
            {"vocab": table},
            (),
            f"{len(learned):,} dialogues of {dialogues}, {turns[parts[0]].sum():,} turns, "
            f"{len(table):,} different ids; {len(judged):,} held out",
            batch_size * int(turns.max()) * longest,
            speakers=0 if who is None else 1 + max(int(ids.max()) for _, ids in _stretches(who)),
            files=opened.kept(),
        )


class _Opened:
    """The token files and vocabularies of a folder, closed unless they are kept."""

    def __init__(self, folder: Path) -> None:
        self._folder, self._stack = folder, ExitStack()
        self._files: list[TokenFile] = []
        self.tables: dict[str, Vocabulary] = {}

    def file(self, key: str, name: str) -> TokenFile:
        """Open a token file that a key names."""
        file = self._stack.enter_context(TokenFile(named(self._folder, key, name)))
        self._files.append(file)
        return file

    def of_text(
        self, key: str, name: str, table_key: str, table_name: str
    ) -> tuple[TokenFile, Vocabulary]:
        """Open a token file, and the vocabulary that must have made it."""
        if table_name not in self.tables:
            path = named(self._folder, table_key, table_name)
            self.tables[table_name] = Vocabulary.load(path)
        table = self.tables[table_name]
        file = self.file(key, name)
        if file.vocabulary_sha256 not in (None, table.sha256) or file.vocab_size != len(table):
            raise ValueError(
                f"{table_key} must be the one that made {name}, {table_name} is another"
            )
        return file, table

    def kept(self) -> tuple[TokenFile, ...]:
        """Leave the files open, for who gets them."""
        self._stack.pop_all()
        return tuple(self._files)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()


class _Chosen:
    """Chosen sequences of a token file."""

    def __init__(self, file: TokenFile, rows: Rows) -> None:
        self._file, self._rows = file, rows

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, i: int) -> NDArray[Any]:
        return self._file.sequence(int(self._rows[i]))


class _Dialogues:
    """Chosen dialogues of a token file, and of another one that has the speakers."""

    def __init__(self, file: TokenFile, speakers: TokenFile | None, rows: Rows) -> None:
        self._turns = _Chosen(file, rows)
        self._speakers = None if speakers is None else _Chosen(speakers, rows)

    def __len__(self) -> int:
        return len(self._turns)

    def __getitem__(self, i: int) -> Dialogue:
        ids = self._turns[i]
        turns = np.split(ids, np.flatnonzero(ids == EOS) + 1)[:-1]
        return Dialogue(
            [turn[:-1] for turn in turns], None if self._speakers is None else self._speakers[i]
        )


def _turns(file: TokenFile) -> tuple[Rows, int]:
    """Return how many turns each dialogue of a token file has, and the longest with its EOS."""
    ends = np.cumsum(file.lengths())
    counts, whole = np.zeros_like(ends), np.zeros(len(ends), bool)
    last, longest = -1, 0
    for start, ids in _stretches(file):
        places = np.flatnonzero(ids == EOS) + start
        longest = max(longest, int(np.diff(places, prepend=last).max(initial=0)))
        last = int(places[-1]) if len(places) else last
        rows = np.searchsorted(ends, places, "right")
        np.add.at(counts, rows, 1)
        whole[rows[places + 1 == ends[rows]]] = True
    if not whole.all():
        raise ValueError(
            f"{file.path.name} must hold dialogues, as fastrnn tokenize --dialogues writes them"
        )
    return counts, longest


def _stretches(file: TokenFile) -> Iterator[tuple[int, NDArray[Any]]]:
    """Yield all ids of a token file, so many at a time, and where they begin."""
    for start in range(0, len(file), _AT_ONCE):
        yield start, file[start : start + _AT_ONCE]


class _Part:
    """A stretch of a token file."""

    def __init__(self, file: TokenFile, start: int, stop: int) -> None:
        self._file, self._start, self._stop = file, start, stop

    def __len__(self) -> int:
        return self._stop - self._start

    def __getitem__(self, part: slice) -> NDArray[Any]:
        start, stop, step = part.indices(len(self))
        return self._file[self._start + start : self._start + max(start, stop) : step]
