"""Files of sentences and of dialogues for ``fastrnn train``."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np

from fastrnn._checks import integer
from fastrnn.cli.datasets.parallel import Level, vocabulary_of
from fastrnn.cli.datasets.text import Dataset, Rows, divided, named, read_lines, unknown_shares
from fastrnn.data import batches, pack_dialogues, pad
from fastrnn.io._json import strict_json


class Talk(NamedTuple):
    """A dialogue: its turns, and who says each, None if the file does not say."""

    turns: list[str]
    speakers: list[int] | None


def sentences_dataset(
    folder: Path,
    text: str,
    *,
    level: Level = "word",
    min_count: int = 1,
    max_size: int | None = None,
    longest: int | None = None,
    held_out: float = 0.1,
    batch_size: int = 32,
    seed: int = 0,
) -> Dataset:
    """Return the lines of a text, each a sentence, shuffled and cut in two; empty ones are no line.

    Parameters
    ----------
    longest : int or None
        Leave out sentences of more symbols.

    Raises
    ------
    OSError, ValueError
        The file cannot be read, is no UTF-8, or has too few sentences; or an argument breaks its
        rule.
    """
    if longest is not None:
        integer("longest", longest, 1)
    lines = [line.strip() for line in read_lines(named(folder, "text", text))]
    train, judged = divided([line for line in lines if line], held_out, seed, text, "sentences")
    vocabulary = vocabulary_of(train, level, min_count, max_size)
    parts = []
    for lines in (train, judged):
        coded = [vocabulary.encode(line) for line in lines]
        parts.append([ids for ids in coded if longest is None or len(ids) <= longest])
        if not parts[-1]:
            raise ValueError(f"longest = {longest} leaves no sentence of {text}")
    return Dataset(
        _batched(parts[0], [len(ids) for ids in parts[0]], batch_size, seed, pad),
        _in_order(parts[1], batch_size, pad),
        {"vocab": vocabulary},
        (),
        f"{len(parts[0]):,} sentences of {text}, {len(vocabulary)} different {level}s; "
        f"{len(parts[1]):,} held out",
        unknown=unknown_shares(*parts),
    )


def dialogues_dataset(
    folder: Path,
    dialogues: str,
    *,
    said: Literal["all", "answers"] = "all",
    level: Level = "word",
    min_count: int = 1,
    max_size: int | None = None,
    held_out: float = 0.1,
    batch_size: int = 16,
    seed: int = 0,
) -> Dataset:
    """Return dialogues, shuffled and cut in two.

    Parameters
    ----------
    dialogues : str
        JSON lines if the name ends in ``.jsonl``, each a list of turns, or
        ``{"turns": […], "speakers": […]}`` with a number for each turn; else a text with one turn a
        line and an empty line between dialogues.
    said : {"all", "answers"}
        What is learned: all turns but the first, or every second one.

    Raises
    ------
    OSError, ValueError
        The file cannot be read, is no UTF-8, has too few dialogues or a line that is none; or an
        argument breaks its rule.
    """
    if said not in ("all", "answers"):
        raise ValueError(f"said must be 'all' or 'answers', got {said!r}")
    path = named(folder, "dialogues", dialogues)
    talks = read_talks(path)
    train, judged = divided(talks, held_out, seed, dialogues, "dialogues")
    for part in (train, judged):
        if max(len(talk.turns) for talk in part) < 2:
            raise ValueError(f"{dialogues} must hold dialogues of two turns and more on both sides")
    turns = [turn for talk in train for turn in talk.turns]
    vocabulary = vocabulary_of(turns, level, min_count, max_size)

    def packed(rows: Sequence[Talk]) -> tuple[Any, ...]:
        return packed_talks(rows, vocabulary.encode, said)

    return Dataset(
        _batched(train, [len(talk.turns) for talk in train], batch_size, seed, packed),
        _in_order(judged, batch_size, packed),
        {"vocab": vocabulary},
        (),
        f"{len(train):,} dialogues of {dialogues}, {len(turns):,} turns, "
        f"{len(vocabulary)} different {level}s; {len(judged):,} held out",
        unknown=unknown_shares(
            *([vocabulary.encode(turn) for talk in part for turn in talk.turns]
              for part in (train, judged))
        ),
        speakers=max((who + 1 for talk in talks for who in talk.speakers or []), default=0),
    )


def read_talks(path: Path) -> list[Talk]:
    """Return the dialogues of a file; see `dialogues_dataset`."""
    talks = _json_talks(path) if path.suffix == ".jsonl" else _text_talks(path)
    if len({talk.speakers is None for talk in talks}) > 1:
        raise ValueError(f"{path.name} must say who speaks in all dialogues, or in none")
    return talks


def packed_talks(
    rows: Sequence[Talk], encode: Callable[[str], Any], said: str = "all"
) -> tuple[Any, ...]:
    """Return a batch of dialogues, whose turns become symbols by `encode`."""
    batch = pack_dialogues([[encode(turn) for turn in talk.turns] for talk in rows])
    marks = [np.array(talk.speakers, int) for talk in rows if talk.speakers is not None]
    places = np.concatenate([np.arange(len(talk.turns)) for talk in rows])
    chosen = places % 2 == 1 if said == "answers" else places > 0
    return *batch, chosen, *([np.concatenate(marks)] if marks else [])


def _batched(
    things: Sequence[Any], lengths: list[int], batch_size: int, seed: int, pack: Any
) -> Any:
    """Return batches of things of like length, shuffled anew in every epoch."""

    def make(rows: Rows) -> Any:
        return pack([things[i] for i in rows])

    return batches(lengths, batch_size, seed=seed, make=make)


def _in_order(things: Sequence[Any], batch_size: int, pack: Any) -> list[Any]:
    """Return batches in one order for ever, so that codes drawn with the same noise agree."""
    return [pack(things[k : k + batch_size]) for k in range(0, len(things), batch_size)]


def _text_talks(path: Path) -> list[Talk]:
    talks: list[list[str]] = [[]]
    for line in read_lines(path):
        if line.strip():
            talks[-1].append(line.strip())
        elif talks[-1]:
            talks.append([])
    return [Talk(turns, None) for turns in talks if turns]


def _json_talks(path: Path) -> list[Talk]:
    talks = []
    for number, line in enumerate(read_lines(path), 1):
        try:
            talk = _talk(strict_json(line))
        except ValueError as error:
            raise ValueError(f"{path}, line {number}: {error}") from None
        if talk.turns:
            talks.append(talk)
    return talks


def _talk(content: Any) -> Talk:
    """Return the dialogue of one line."""
    turns: Any = content
    speakers: Any = None
    if isinstance(content, dict) and content.keys() == {"turns", "speakers"}:
        turns, speakers = content["turns"], content["speakers"]
    if not isinstance(turns, list) or not all(isinstance(turn, str) for turn in turns):
        raise ValueError(
            'it must be a list of texts, or {"turns": a list of texts, "speakers": of numbers}'
        )
    if speakers is not None:
        numbers = isinstance(speakers, list) and all(
            type(who) is int and who >= 0 for who in speakers
        )
        if not numbers or len(speakers) != len(turns):
            raise ValueError("speakers must be integers, one for each turn, of at least 0")
    return Talk(turns, speakers)
