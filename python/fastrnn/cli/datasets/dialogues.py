"""Files of sentences and of dialogues for ``fastrnn train``."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike

from fastrnn._checks import integer
from fastrnn.cli._dialogues import Dialogue, dialogues_of
from fastrnn.cli.datasets.parallel import Level, vocabulary_of
from fastrnn.cli.datasets.text import Dataset, Rows, divided, named, read_lines, unknown_shares
from fastrnn.data import DialogueBatch, batches, pack_dialogues, pad


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
        batched(parts[0], [len(ids) for ids in parts[0]], batch_size, seed, pad),
        list(InOrder(parts[1], batch_size, pad)),
        {"vocab": vocabulary},
        (),
        f"{len(parts[0]):,} sentences of {text}, {len(vocabulary)} different {level}s; "
        f"{len(parts[1]):,} held out",
        batch_size * (max(map(len, parts[0])) + 1),
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
    check_targets(said)
    path = named(folder, "dialogues", dialogues)
    every = read_dialogues(path)
    train, test = divided(every, held_out, seed, dialogues, "dialogues")
    for part in (train, test):
        check_turns(dialogues, max(len(row.turns) for row in part))
    turns = [turn for dialogue in train for turn in dialogue.turns]
    vocabulary = vocabulary_of(turns, level, min_count, max_size)

    coded = [
        [vocabulary.encode(turn) for dialogue in part for turn in dialogue.turns]
        for part in (train, test)
    ]

    def packed(rows: Sequence[Dialogue]) -> DialogueBatch:
        return packed_dialogues(rows, vocabulary.encode, said)

    return Dataset(
        batched(train, [len(dialogue.turns) for dialogue in train], batch_size, seed, packed),
        list(InOrder(test, batch_size, packed)),
        {"vocab": vocabulary},
        (),
        f"{len(train):,} dialogues of {dialogues}, {len(turns):,} turns, "
        f"{len(vocabulary)} different {level}s; {len(test):,} held out",
        batch_size * max(len(row.turns) for row in train) * (max(map(len, coded[0])) + 1),
        unknown=unknown_shares(*coded),
        speakers=max((who + 1 for dialogue in every for who in dialogue.speakers or []), default=0),
    )


def check_targets(said: str) -> None:
    """Refuse what does not say which turns are learned."""
    if said not in ("all", "answers"):
        raise ValueError(f"said must be 'all' or 'answers', got {said!r}")


def check_turns(name: str, most: int) -> None:
    """Refuse dialogues, learned or held out, of which none has a reply."""
    if most < 2:
        raise ValueError(f"{name} must hold dialogues of two turns and more on both sides")


def read_dialogues(path: Path) -> list[Dialogue]:
    """Return the dialogues of a file; see `dialogues_dataset`."""
    return list(dialogues_of(path, read_lines(path)))


def packed_dialogues(
    rows: Sequence[Dialogue], encode: Callable[[Any], Any], said: str = "all"
) -> DialogueBatch:
    """Return a batch of dialogues, whose turns become symbols by `encode`."""
    batch = pack_dialogues([[encode(turn) for turn in row.turns] for row in rows])
    speakers = [np.array(row.speakers, int) for row in rows if row.speakers is not None]
    position = np.concatenate([np.arange(len(row.turns)) for row in rows])
    targets = position % 2 == 1 if said == "answers" else position > 0
    return DialogueBatch(*batch, targets, np.concatenate(speakers) if speakers else None)


def batched(
    examples: Any, lengths: ArrayLike, batch_size: int, seed: int, pack: Any
) -> Any:
    """Return batches of examples of similar length, shuffled anew in every epoch."""

    def make(rows: Rows) -> Any:
        return pack([examples[i] for i in rows])

    return batches(lengths, batch_size, seed=seed, make=make)


class InOrder:
    """Batches in a fixed order, so that the same noise gives the same latent vectors."""

    def __init__(self, examples: Any, batch_size: int, pack: Any) -> None:
        self._examples, self._size, self._pack = examples, batch_size, pack

    def __iter__(self) -> Iterator[Any]:
        for k in range(0, len(self._examples), self._size):
            rows = range(k, min(k + self._size, len(self._examples)))
            yield self._pack([self._examples[i] for i in rows])
