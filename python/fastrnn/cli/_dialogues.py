"""Dialogues as files have them: turns of a line each, or JSON lines, which may name speakers."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from pathlib import Path
from typing import Any, NamedTuple

from fastrnn.data.vocabulary import is_text
from fastrnn.io._json import strict_json


class Dialogue(NamedTuple):
    """A dialogue: its turns, and the speaker of each, None if the file has no speakers."""

    turns: Sequence[Any]  # texts, or arrays of ids
    speakers: Any


def dialogues_of(path: Path, lines: Iterable[str]) -> Iterator[Dialogue]:
    """Yield the dialogues of lines as they come; path says what they are, and is for errors."""
    every = _of_json(path, lines) if path.suffix == ".jsonl" else _of_text(lines)
    return with_speakers_or_without(every, path.name)


def with_speakers_or_without(dialogues: Iterable[Dialogue], name: str) -> Iterator[Dialogue]:
    """Yield dialogues; ValueError if some have speakers, and others none."""
    speakers: bool | None = None
    for dialogue in dialogues:
        if speakers not in (None, dialogue.speakers is not None):
            raise ValueError(f"{name} must name speakers in all dialogues, or in none")
        speakers = dialogue.speakers is not None
        yield dialogue


def _of_text(lines: Iterable[str]) -> Iterator[Dialogue]:
    turns: list[str] = []
    for line in chain(lines, [""]):
        if line.strip():
            turns.append(line.strip())
        elif turns:
            yield Dialogue(turns, None)
            turns = []


def _of_json(path: Path, lines: Iterable[str]) -> Iterator[Dialogue]:
    for number, line in enumerate(lines, 1):
        try:
            dialogue = _parsed(strict_json(line))
        except ValueError as error:
            raise ValueError(f"{path}, line {number}: {error}") from None
        if dialogue.turns:
            yield dialogue


def _parsed(content: Any) -> Dialogue:
    """Return the dialogue of one line."""
    turns: Any = content
    speakers: Any = None
    if isinstance(content, dict) and content.keys() == {"turns", "speakers"}:
        turns, speakers = content["turns"], content["speakers"]
    if not isinstance(turns, list) or not all(isinstance(turn, str) for turn in turns):
        raise ValueError(
            'it must be a list of texts, or {"turns": a list of texts, "speakers": of numbers}'
        )
    if not all(map(is_text, turns)):
        raise ValueError("turns must hold whole characters, got a lone surrogate")
    if speakers is not None:
        numbers = isinstance(speakers, list) and all(
            type(who) is int and who >= 0 for who in speakers
        )
        if not numbers or len(speakers) != len(turns):
            raise ValueError("speakers must be integers, one for each turn, of at least 0")
    return Dialogue(turns, speakers)
