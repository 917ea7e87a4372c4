"""Files of sentences and of dialogues for ``fastrnn train``."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np

from fastrnn._checks import integer
from fastrnn.cli.datasets.parallel import Level, vocabulary_of
from fastrnn.cli.datasets.text import Dataset, Rows, divided, named, read_lines, unknown_shares
from fastrnn.data import DialogueBatch, batches, pack_dialogues, pad
from fastrnn.io._json import strict_json


class Dialogue(NamedTuple):
    """A dialogue: its turns, and the speaker of each, None if the file has no speakers."""

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
    train, test = divided([line for line in lines if line], held_out, seed, text, "sentences")
    vocabulary = vocabulary_of(train, level, min_count, max_size)
    parts = []
    for lines in (train, test):
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
    every = read_dialogues(path)
    train, test = divided(every, held_out, seed, dialogues, "dialogues")
    for part in (train, test):
        if max(len(row.turns) for row in part) < 2:
            raise ValueError(f"{dialogues} must hold dialogues of two turns and more on both sides")
    turns = [turn for dialogue in train for turn in dialogue.turns]
    vocabulary = vocabulary_of(turns, level, min_count, max_size)

    def packed(rows: Sequence[Dialogue]) -> DialogueBatch:
        return packed_dialogues(rows, vocabulary.encode, said)

    return Dataset(
        _batched(train, [len(dialogue.turns) for dialogue in train], batch_size, seed, packed),
        _in_order(test, batch_size, packed),
        {"vocab": vocabulary},
        (),
        f"{len(train):,} dialogues of {dialogues}, {len(turns):,} turns, "
        f"{len(vocabulary)} different {level}s; {len(test):,} held out",
        unknown=unknown_shares(
            *(
                [vocabulary.encode(turn) for dialogue in part for turn in dialogue.turns]
                for part in (train, test)
            )
        ),
        speakers=max((who + 1 for dialogue in every for who in dialogue.speakers or []), default=0),
    )


def read_dialogues(path: Path) -> list[Dialogue]:
    """Return the dialogues of a file; see `dialogues_dataset`."""
    every = _read_json_lines(path) if path.suffix == ".jsonl" else _read_text(path)
    if len({row.speakers is None for row in every}) > 1:
        raise ValueError(f"{path.name} must name speakers in all dialogues, or in none")
    return every


def packed_dialogues(
    rows: Sequence[Dialogue], encode: Callable[[str], Any], said: str = "all"
) -> DialogueBatch:
    """Return a batch of dialogues, whose turns become symbols by `encode`."""
    batch = pack_dialogues([[encode(turn) for turn in row.turns] for row in rows])
    speakers = [np.array(row.speakers, int) for row in rows if row.speakers is not None]
    position = np.concatenate([np.arange(len(row.turns)) for row in rows])
    targets = position % 2 == 1 if said == "answers" else position > 0
    return DialogueBatch(*batch, targets, np.concatenate(speakers) if speakers else None)


def _batched(
    examples: Sequence[Any], lengths: list[int], batch_size: int, seed: int, pack: Any
) -> Any:
    """Return batches of examples of similar length, shuffled anew in every epoch."""

    def make(rows: Rows) -> Any:
        return pack([examples[i] for i in rows])

    return batches(lengths, batch_size, seed=seed, make=make)


def _in_order(examples: Sequence[Any], batch_size: int, pack: Any) -> list[Any]:
    """Return batches in a fixed order, so that the same noise gives the same latent vectors."""
    return [pack(examples[k : k + batch_size]) for k in range(0, len(examples), batch_size)]


def _read_text(path: Path) -> list[Dialogue]:
    every: list[list[str]] = [[]]
    for line in read_lines(path):
        if line.strip():
            every[-1].append(line.strip())
        elif every[-1]:
            every.append([])
    return [Dialogue(turns, None) for turns in every if turns]


def _read_json_lines(path: Path) -> list[Dialogue]:
    every = []
    for number, line in enumerate(read_lines(path), 1):
        try:
            dialogue = _parsed(strict_json(line))
        except ValueError as error:
            raise ValueError(f"{path}, line {number}: {error}") from None
        if dialogue.turns:
            every.append(dialogue)
    return every


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
    if speakers is not None:
        numbers = isinstance(speakers, list) and all(
            type(who) is int and who >= 0 for who in speakers
        )
        if not numbers or len(speakers) != len(turns):
            raise ValueError("speakers must be integers, one for each turn, of at least 0")
    return Dialogue(turns, speakers)
