"""Dialogues: which turn is heard by which context, and what is to be said after it, as indices."""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from fastrnn._checks import lengths as checked_lengths
from fastrnn.data import PAD
from fastrnn.models._parts.reader import labels

Ids = NDArray[np.int64]


class Dialogues(NamedTuple):
    """A batch of N dialogues with P turns to be said.

    Attributes
    ----------
    tokens, lengths : ndarray of int, (T, U) and (U,)
        The turns that the utterance layer reads, each of them once.
    steps : ndarray of int, (N,)
        How many turns each dialogue's context hears: up to the last one before a turn to be said.
    heard : ndarray of int, (M, N)
        Which of the U turns the context hears at each step; 0 beyond the steps.
    said, said_lengths : ndarray of int, (T, P) and (P,)
        The turns to be said.
    before : ndarray of int, (P,)
        The row of the contexts, as (M·N, C), after which each is said.
    again : ndarray of int, (P,)
        Which of the U turns each is; empty where they are not read.
    whose, turns_before : ndarray of int, (P,)
        The dialogue of each, and how many of its turns in the batch come before it.
    heard_by, said_by : ndarray of int, (M, N) and (P,)
        Who speaks; empty where turns bear no marks.
    goes_on : bool or None
        Whether the context begins with the state that the batch before ended with; None: the batch
        is of whole dialogues, and nobody asks for the state after it.
    """

    tokens: Ids
    lengths: Ids
    steps: Ids
    heard: Ids
    said: Ids
    said_lengths: Ids
    before: Ids
    again: Ids
    whose: Ids
    turns_before: Ids
    heard_by: Ids
    said_by: Ids
    goes_on: bool | None

    @property
    def symbols(self) -> int:
        """How many symbols are to be said, the end of each turn included."""
        return int(self.said_lengths.sum()) + len(self.said_lengths)


class Parts(NamedTuple):
    """A batch, opened: its parts as `HRED.loss` describes them, None where one is not given."""

    tokens: Ids
    lengths: Ids
    turns: Ids
    said: NDArray[np.bool_] | None
    speakers: Ids | None
    goes_on: bool | None

    def places(self) -> tuple[Ids, Ids]:
        """Return of which dialogue each turn is, and which of its turns, (U,) each."""
        dialogue = np.repeat(np.arange(len(self.turns)), self.turns)
        begins = np.cumsum(self.turns) - self.turns
        return dialogue, np.arange(len(self.lengths)) - begins[dialogue]


def arranged(
    batch: Any, V: int, read_said: bool, speakers: int = 0, *, once: bool = True
) -> Dialogues:
    """Return the indices of a batch.

    Parameters
    ----------
    batch : tuple (tokens, lengths, turns, …)
        As `HRED.loss` takes it.
    V : int
    read_said : bool
        Whether the utterance layer reads the turns to be said, too.
    speakers : int
        How many there are; 0: turns bear no marks.
    once : bool
        Read equal turns once; False: each of them.

    Raises
    ------
    TypeError, ValueError
        A part has the wrong type, shape, or a value out of range.
    """
    parts = opened(batch, V, speakers)
    tokens, lengths, turns, given, speaks, goes_on = parts
    N, (dialogue, turn) = len(turns), parts.places()
    chosen = turn > 0 if given is None else given
    if (chosen & (turn == 0)).any():
        raise ValueError("said must be False for the first turn of a dialogue: nothing is before")
    if goes_on is None:
        steps = np.zeros(N, np.int64)
        np.maximum.at(steps, dialogue[chosen], turn[chosen])
    else:  # the state after the last turn but one is where the next batch begins
        steps = np.maximum(turns - 1, 0)
    hears = turn < steps[dialogue]
    reads = hears | chosen if read_said else hears
    if once:
        first, number = _distinct(tokens, lengths, reads)
    else:
        first, number = np.flatnonzero(reads), np.cumsum(reads) - 1
    heard, heard_by = np.zeros((2, int(steps.max(initial=0)), N), np.int64)
    heard[turn[hears], dialogue[hears]] = number[hears]
    nobody = np.zeros(0, np.int64)
    if speakers:
        speaks = turn % speakers if speaks is None else speaks
        heard_by[turn[hears], dialogue[hears]] = speaks[hears]
    whose = dialogue[chosen]
    return Dialogues(
        *columns_of(tokens, lengths, first), steps, heard, *columns_of(tokens, lengths, chosen),
        before=(turn[chosen] - 1) * N + whose,
        again=number[chosen] if read_said else nobody,
        whose=whose, turns_before=turn[chosen], heard_by=heard_by,
        said_by=nobody if speaks is None else speaks[chosen], goes_on=goes_on,
    )  # fmt: skip


def _distinct(tokens: Ids, lengths: Ids, reads: NDArray[np.bool_]) -> tuple[Ids, Ids]:
    """Return which turns to read, equal ones once, and the number of each turn among them, (U,).

    People say many things again and again, and what a turn is read as depends on nothing else.
    """
    where = np.flatnonzero(reads)
    rows = np.column_stack([lengths[where], tokens[:, where].T])
    keys = np.ascontiguousarray(rows).view(np.dtype((np.void, rows.dtype.itemsize * len(rows.T))))
    _, first, again = np.unique(keys.ravel(), return_index=True, return_inverse=True)
    number = np.zeros(len(lengths), np.int64)
    number[where] = again
    return where[first], number


def columns_of(tokens: Ids, lengths: Ids, chosen: Any) -> tuple[Ids, Ids]:
    """Return the chosen turns, as short as they can be."""
    kept = lengths[chosen]
    return tokens[: int(kept.max(initial=0)), chosen], kept


def check_parts(batch: Any) -> None:
    """Refuse what is no batch at all."""
    if not isinstance(batch, tuple) or not 3 <= len(batch) <= 6:
        raise TypeError(
            "batch must be (tokens, lengths, turns), and after them any of said, speakers, goes_on;"
            f" got {type(batch).__name__}" + (f" of {len(batch)}" * isinstance(batch, tuple))
        )


def opened(batch: Any, V: int, speakers: int = 0) -> Parts:
    """Return the parts of a batch, checked; see `arranged`."""
    check_parts(batch)
    tokens = np.asarray(batch[0])
    if tokens.ndim != 2:
        raise ValueError(f"tokens must have shape (T, U), got {tokens.shape}")
    T, U = tokens.shape
    lengths = checked_lengths(batch[1], T, U, False)
    turns = np.asarray(batch[2])
    if turns.ndim != 1 or (turns.dtype.kind not in "iu" and turns.size):
        raise TypeError(f"turns must be integers of shape (N,), got {turns.dtype} {turns.shape}")
    if (turns < 0).any() or turns.sum() != U:
        raise ValueError(f"turns must be counts whose sum is U = {U}, got {turns.tolist()}")
    exists = np.arange(T)[:, None] < lengths
    tokens = labels("tokens", tokens, exists, V, PAD)
    more = list(batch[3:])
    goes_on = bool(more.pop()) if more and isinstance(more[-1], (bool, np.bool_)) else None
    marks = _marks(more.pop(), U, speakers) if more and _is_of_integers(more[-1]) else None
    said = None
    for given in map(np.asarray, more):
        if said is not None or given.shape != (U,) or given.dtype != np.bool_:
            raise TypeError(f"said must be bool of shape ({U},), got {given.dtype} {given.shape}")
        said = given
    return Parts(tokens, lengths, turns.astype(np.int64), said, marks, goes_on)


def _is_of_integers(part: Any) -> bool:
    return np.asarray(part).dtype.kind in "iu"


def _marks(given: Any, U: int, speakers: int) -> Ids:
    """Return who says each turn, checked."""
    marks = np.asarray(given)
    if speakers == 0:
        raise ValueError("speakers stand in the batch, and the model was made without speakers")
    if marks.shape != (U,):
        raise ValueError(f"speakers must be integers of shape ({U},), got shape {marks.shape}")
    if ((marks < 0) | (marks >= speakers)).any():
        raise ValueError(f"speakers must lie in 0..{speakers - 1}, got {marks.tolist()}")
    return marks.astype(np.int64)
