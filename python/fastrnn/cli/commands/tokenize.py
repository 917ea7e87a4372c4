"""``fastrnn tokenize``: learn a vocabulary from texts, or turn texts into ids and back."""

from collections.abc import Iterator
from pathlib import Path

from fastrnn.cli._lines import STANDARD_INPUT, lines_of
from fastrnn.data import BPE, TokenFile, Vocabulary
from fastrnn.data.vocabulary import Level


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
) -> None:
    """Do one of the command's tasks; the parameters are its arguments and options."""
    if learn is not None:
        if decode or pieces or eos or out is not None:
            raise ValueError(
                "--learn makes a vocabulary: leave --decode, --pieces, --out and --eos away"
            )
        _learn(files, vocabulary, learn, size, min_count)
        return
    if size is not None or min_count != 1:
        raise ValueError("--size and --min-count are for --learn: this vocabulary is made already")
    if sum((decode, pieces, out is not None)) > 1:
        raise ValueError("--decode, --pieces and --out exclude each other")
    if eos and out is None:
        raise ValueError("--eos is for --out")
    table = Vocabulary.load(vocabulary)
    if out is not None:
        ids = (table.encode(line, eos=eos) for line in _lines(files))
        TokenFile.write(out, ids, vocabulary=table)
        with TokenFile(out) as written:
            print(f"{len(written):,} ids in {len(written.lengths()):,} sequences: {out}")
        return
    for number, text in enumerate(_lines(files), 1):
        if decode:
            print(table.decode(_ids(text, number)))
        elif pieces:
            print(*(repr(piece) for piece in table.cut(text)))
        else:
            print(*table.encode(text))


def _learn(
    files: list[Path], vocabulary: Path, level: Level, size: int | None, min_count: int
) -> None:
    """Learn, save, and say how well the texts come back."""
    texts = list(_lines(files))
    maker = BPE if level == "bpe" else Vocabulary
    table = maker.from_texts(texts, level=level, min_count=min_count, max_size=size)
    table.save(vocabulary)
    encoded = [table.encode(text) for text in texts]
    same = sum(table.decode(ids) == text for ids, text in zip(encoded, texts, strict=True))
    unknown = sum(int((ids == Vocabulary.UNK).sum()) for ids in encoded)
    ids, characters = sum(map(len, encoded)), sum(map(len, texts))
    print(
        f"{len(table):,} ids, the 4 specials included, from {len(texts):,} lines: {vocabulary}\n"
        f"{characters:,} characters are {ids:,} ids, {unknown:,} of them unknown; "
        f"{same:,} of {len(texts):,} lines come back exactly"
    )


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
