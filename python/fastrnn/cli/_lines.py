"""Lines of files and of standard input, and the error where one of them is not text."""

import sys
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any, TypeVar

from fastrnn.io._files import no_token_file, not_utf8

STANDARD_INPUT = Path("-")
T = TypeVar("T")


def lines_of(file: Path, newline: str | None = None) -> Iterator[str]:
    """Yield the lines of a file, or of standard input for ``-``, without their ends.

    Raises
    ------
    OSError, ValueError
        It cannot be read, or a line is no UTF-8.
    """
    if file == STANDARD_INPUT:
        for number, line in enumerate(sys.stdin, 1):
            yield as_text(line, name_of(file), number).rstrip("\r\n")
        return
    no_token_file(file)
    ends = newline or "\r\n"
    # With half characters in place of what is no text, each line can be looked at for itself; a
    # strict reader fails before it gives the lines that stand before.
    with file.open(encoding="utf-8", errors="surrogateescape", newline=newline) as lines:
        for number, line in enumerate(lines, 1):
            yield (line if line.isascii() else as_text(line, str(file), number)).rstrip(ends)


def name_of(file: Path) -> str:
    """Return how an error calls a file."""
    return "standard input" if file == STANDARD_INPUT else str(file)


def as_text(text: str, name: str, first: int = 1) -> str:
    """Return what was read with ``surrogateescape``; ValueError if it is no UTF-8.

    first is the number of its first line.
    """
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        try:
            text.encode("utf-8", "surrogateescape").decode("utf-8")
        except UnicodeDecodeError as error:
            raise ValueError(not_utf8(name, error, first)) from None
    return text


def portions(things: Iterable[T], size: int) -> Iterator[list[T]]:
    """Yield lines or other things, so many at a time."""
    source = iter(things)
    while portion := list(islice(source, size)):
        yield portion


def equally_many(lines: list[str], file: Path, answers: list[Any], references: Path) -> list[str]:
    """Return the lines; ValueError if there is not one answer of the references for each."""
    if len(lines) != len(answers):
        raise ValueError(
            f"{name_of(references)} must have a line for each of {name_of(file)}, "
            f"got {len(answers)} and {len(lines)}"
        )
    return lines
