"""``fastrnn tokenize``: learn a vocabulary from texts, or turn texts into ids and back."""

import heapq
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack
from itertools import chain, repeat
from pathlib import Path
from typing import IO, Self, TypeVar

import numpy as np

from fastrnn.cli._counts import Counts
from fastrnn.cli._dialogues import Dialogue, dialogues_of, with_speakers_or_without
from fastrnn.cli._lines import STANDARD_INPUT, lines_of
from fastrnn.cli._processes import working
from fastrnn.data import BPE, TokenFile, Vocabulary
from fastrnn.data._encoder import Encoder, Ids
from fastrnn.data.bpe import stretches
from fastrnn.data.token_file import write_portions
from fastrnn.data.vocabulary import SPECIALS, UNK, UNKNOWN, Level, is_vocabulary, most_frequent
from fastrnn.io._files import scratch

T = TypeVar("T")
_PORTION = 1 << 18  # characters that are encoded at a time
_BPE_WORDS = 1 << 18  # words that byte pair encoding learns from: 900 bytes each


def run_tokenize(
    files: list[Path],
    vocabulary: Path,
    *,
    learn: Level | None,
    size: int | None,
    min_count: int,
    decode: bool,
    pieces: bool,
    out: Path | None,
    eos: bool,
    dialogues: bool,
    processes: int,
) -> None:
    """Do one of the command's tasks; the parameters are its arguments and options."""
    if learn is not None:
        if decode or pieces or eos or out is not None:
            raise ValueError(
                "--learn makes a vocabulary: leave --decode, --pieces, --out and --eos away"
            )
        if vocabulary.exists() and not is_vocabulary(vocabulary):
            raise ValueError(
                f"--learn would write a vocabulary over {vocabulary}, which is none: name the "
                "vocabulary first, then the texts"
            )
        with _Texts(files, vocabulary.parent, dialogues) as texts:
            _learn(texts, vocabulary, learn, size, min_count, processes)
        return
    if size is not None or min_count != 1:
        raise ValueError("--size and --min-count are for --learn: this vocabulary is made already")
    if sum((decode, pieces, out is not None)) > 1:
        raise ValueError("--decode, --pieces and --out exclude each other")
    if eos and out is None:
        raise ValueError("--eos is for --out")
    if processes > 1 and out is None:
        raise ValueError("--processes is for --learn and --out")
    if dialogues and (out is None or eos):
        raise ValueError("--dialogues is for --learn and --out, and ends turns by itself: no --eos")
    if out is not None and out.resolve() in [path.resolve() for path in files]:
        raise ValueError(f"--out would write a token file over the text {out}")
    table = Vocabulary.load(vocabulary)
    if out is not None:
        if dialogues:
            with _Texts(files, out.parent, dialogues) as texts:
                _write_dialogues(out, texts, table, processes)
        else:
            with working(processes, Encoder, table, eos) as encoded:
                write_portions(out, encoded(_portions(_lines(files), len)), vocabulary=table)
        with TokenFile(out) as written:
            print(f"{len(written):,} ids in {written.sequences:,} sequences: {out}")
        return
    for number, text in enumerate(_lines(files), 1):
        if decode:
            print(table.decode(_ids(text, number)))
        elif pieces:
            print(*(repr(piece) for piece in table.cut(text)))
        else:
            print(*table.encode(text))


def _learn(
    texts: "_Texts",
    vocabulary: Path,
    level: Level,
    size: int | None,
    min_count: int,
    processes: int,
) -> None:
    """Learn, save, and say how well the texts come back."""
    with Counts(vocabulary.parent) as counts:
        table: Vocabulary
        left_out = ""
        if level == "bpe":
            words = _Repeated(counts, texts)
            table = BPE.from_texts(words, min_count=min_count, max_size=size)
            left_out = words.left_out
        else:
            _count(counts, texts, str if level == "character" else str.split)
            limit = None if size is None else size - SPECIALS
            table = Vocabulary(most_frequent(counts, min_count, limit), level=level)
        counts.close()
        table.save(vocabulary)
        with working(processes, _Report, table) as report:
            figures = sum(report(_portions(texts, len)), np.zeros(5, np.int64))
    lines, characters, ids, unknown, same = figures.tolist()
    print(
        f"{len(table):,} ids, the 4 specials included, from {lines:,} {texts.what}: {vocabulary}\n"
        f"{left_out}"
        f"{characters:,} characters are {ids:,} ids, {unknown:,} of them unknown; "
        f"{same:,} of {lines:,} {texts.what} come back exactly"
    )


class _Report:
    """Counts lines, characters, ids, unknown ones, and lines that come back exactly."""

    def __init__(self, table: Vocabulary) -> None:
        self._table, self._encoded = table, Encoder(table)

    def __call__(self, texts: Sequence[str]) -> Ids:
        ids, lengths = self._encoded(texts)
        tokens = self._table.tokens
        spelled = [None if i == UNK else tokens[i - SPECIALS] for i in ids.tolist()]
        ends = np.cumsum(lengths)
        same = sum(
            self._table._spell(spelled[start:end], UNKNOWN) == text
            for start, end, text in zip(ends - lengths, ends, texts, strict=True)
        )
        unknown = int((ids == UNK).sum())
        return np.array([len(texts), sum(map(len, texts)), len(ids), unknown, same])


class _Repeated:
    """The stretches of texts, each as often as it stands there: byte pairs need no order of them.

    So a text of any size is learned from in bounded memory. Of more words than `tokenizers` should
    hold the rarest are left out, which hardly changes what pairs are frequent.

    Attributes
    ----------
    left_out : str
        A line that says so; empty where none is.
    """

    left_out = ""

    def __init__(self, counts: Counts, texts: Iterable[str]) -> None:
        self._counts, self._texts = counts, texts

    def __iter__(self) -> Iterator[str]:
        _count(self._counts, self._texts, stretches)
        different = sum(1 for _ in self._counts)
        if different > _BPE_WORDS:
            most = f"{_BPE_WORDS:,} most frequent of {different:,}"
            self.left_out = f"learned from the {most} different words\n"
        kept = heapq.nsmallest(_BPE_WORDS, ((-n, word) for word, n in self._counts))
        self._counts.close()
        for negative, word in kept:
            if word[0] == " " and not word[:2].isspace():  # it stays apart from a word before it
                at_once = _PORTION // len(word) + 1
                times, rest = divmod(-negative, at_once)
                yield from repeat(word * at_once, times)
                yield word * rest
            else:
                yield from repeat(word, -negative)


def _count(counts: Counts, texts: Iterable[str], cut: Callable[[str], Iterable[str]]) -> None:
    """Count what texts are cut into."""
    for portion in _portions(texts, len):
        counts.add(chain.from_iterable(map(cut, portion)))


class _Texts:
    """The lines or the turns of files, to be read more than once.

    Parameters
    ----------
    files : list of Path
        What is no regular file, such as a pipe, is kept in one without a name.
    folder : Path
        Where that is.
    dialogues : bool
        The files hold dialogues, whose turns are the texts.
    """

    def __init__(self, files: list[Path], folder: Path, dialogues: bool) -> None:
        self._files, self._folder = files or [STANDARD_INPUT], folder
        self.what = "turns" if dialogues else "lines"
        self._kept: dict[int, IO[str]] = {}
        self._open = ExitStack()

    def __iter__(self) -> Iterator[str]:
        if self.what == "turns":
            return chain.from_iterable(dialogue.turns for dialogue in self.dialogues())
        return chain.from_iterable(self._lines(number) for number in range(len(self._files)))

    def dialogues(self) -> Iterator[Dialogue]:
        """Yield the dialogues of files that hold such."""
        each = (
            dialogues_of(path, self._lines(number)) for number, path in enumerate(self._files)
        )
        return with_speakers_or_without(chain.from_iterable(each), "texts")

    def _lines(self, number: int) -> Iterator[str]:
        """Yield the lines of one file."""
        path = self._files[number]
        newline = "\n" if self.what == "lines" else None
        if path != STANDARD_INPUT and (path.is_file() or not path.exists()):
            yield from lines_of(path, newline)
            return
        if number not in self._kept:
            copy = self._kept[number] = self._open.enter_context(scratch(self._folder))
            copy.writelines(line + "\n" for line in lines_of(path, newline))
        self._kept[number].seek(0)
        for line in self._kept[number]:
            yield line[:-1]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._open.close()


class _Turns:
    """Encodes dialogues, a sequence each, in which EOS ends each turn."""

    def __init__(self, table: Vocabulary) -> None:
        self._encoded = Encoder(table, eos=True)

    def __call__(self, dialogues: Sequence[Sequence[str]]) -> tuple[Ids, Ids]:
        ids, lengths = self._encoded(list(chain.from_iterable(dialogues)))
        turns = np.array([len(each) for each in dialogues])
        return ids, np.add.reduceat(lengths, np.cumsum(turns) - turns)


def _write_dialogues(out: Path, texts: _Texts, table: Vocabulary, processes: int) -> None:
    """Write a token file of dialogues, and if they name speakers, one of these."""
    first = next(texts.dialogues(), None)
    if first is not None and first.speakers is not None:
        speakers = out.with_suffix(".speakers.bin")
        TokenFile.write(speakers, (each.speakers for each in texts.dialogues()), vocab_size=2**32)
        print(f"speakers: {speakers}")
    with working(processes, _Turns, table) as encoded:
        dialogues = _portions((each.turns for each in texts.dialogues()), _characters)
        write_portions(out, encoded(dialogues), vocabulary=table)


def _characters(turns: Sequence[str]) -> int:
    """Return how many characters turns have."""
    return sum(map(len, turns))


def _portions(texts: Iterable[T], size: Callable[[T], int]) -> Iterator[list[T]]:
    """Yield lines or dialogues, so many characters of them at a time."""
    portion: list[T] = []
    total = 0
    for text in texts:
        portion.append(text)
        total += size(text) + 1
        if total >= _PORTION:
            yield portion
            portion, total = [], 0
    if portion:
        yield portion


def _lines(files: list[Path]) -> Iterator[str]:
    """Yield the lines of files, or of standard input, without their ends."""
    for path in files or [STANDARD_INPUT]:
        yield from lines_of(path, newline="\n")


def _ids(text: str, number: int) -> list[int]:
    """Return the ids that a line spells."""
    try:
        return [int(word) for word in text.split()]
    except ValueError:
        raise ValueError(f"line {number} must hold ids, got {text[:40]!r}") from None
