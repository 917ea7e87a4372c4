"""Dialogues: which turn is heard by which context, and what is to be said after it, as indices."""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from fastrnn._checks import lengths as checked_lengths
from fastrnn.data import PAD
from fastrnn.models._reader import labels

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
    memory, memory_lengths : ndarray of int, (M, P) and (P,)
        The turns before each, as `heard` has them, and how many there are.
    """

    tokens: Ids
    lengths: Ids
    steps: Ids
    heard: Ids
    said: Ids
    said_lengths: Ids
    before: Ids
    again: Ids
    memory: Ids
    memory_lengths: Ids

    @property
    def symbols(self) -> int:
        """How many symbols are to be said, the end of each turn included."""
        return int(self.said_lengths.sum()) + len(self.said_lengths)


def arranged(batch: Any, V: int, read_said: bool, *, once: bool = True) -> Dialogues:
    """Return the indices of a batch.

    Parameters
    ----------
    batch : tuple (tokens, lengths, turns) or (tokens, lengths, turns, said)
        As `HRED.loss` takes it.
    V : int
    read_said : bool
        Whether the utterance layer reads the turns to be said, too.
    once : bool
        Read equal turns once; False: each of them.

    Raises
    ------
    TypeError, ValueError
        A part has the wrong type, shape, or a value out of range.
    """
    tokens, lengths, turns, given = _parts(batch, V)
    N, U = len(turns), len(lengths)
    dialogue = np.repeat(np.arange(N), turns)
    turn = np.arange(U) - (np.cumsum(turns) - turns)[dialogue]
    chosen = turn > 0 if given is None else given
    if (chosen & (turn == 0)).any():
        raise ValueError("said must be False for the first turn of a dialogue: nothing is before")
    steps = np.zeros(N, np.int64)
    np.maximum.at(steps, dialogue[chosen], turn[chosen])
    hears = turn < steps[dialogue]
    reads = hears | chosen if read_said else hears
    if once:
        first, number = _distinct(tokens, lengths, reads)
    else:
        first, number = np.flatnonzero(reads), np.cumsum(reads) - 1
    heard = np.zeros((int(steps.max(initial=0)), N), np.int64)
    heard[turn[hears], dialogue[hears]] = number[hears]
    whose = dialogue[chosen]
    return Dialogues(
        *_columns(tokens, lengths, first), steps, heard, *_columns(tokens, lengths, chosen),
        before=(turn[chosen] - 1) * N + whose,
        again=number[chosen] if read_said else np.zeros(0, np.int64),
        memory=heard[:, whose], memory_lengths=turn[chosen],
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


def _columns(tokens: Ids, lengths: Ids, chosen: Any) -> tuple[Ids, Ids]:
    """Return the chosen turns, as short as they can be."""
    kept = lengths[chosen]
    return tokens[: int(kept.max(initial=0)), chosen], kept


def check_parts(batch: Any) -> None:
    """Refuse what is no batch at all."""
    if not isinstance(batch, tuple) or len(batch) not in (3, 4):
        raise TypeError(
            "batch must be (tokens, lengths, turns) or (tokens, lengths, turns, said), "
            f"got {type(batch).__name__}" + (f" of {len(batch)}" * isinstance(batch, tuple))
        )


def _parts(batch: Any, V: int) -> tuple[Ids, Ids, Ids, NDArray[np.bool_] | None]:
    """Return tokens, lengths, turns and which are to be said, checked; None where none is given."""
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
    if len(batch) == 3:
        return tokens, lengths, turns.astype(np.int64), None
    said = np.asarray(batch[3])
    if said.dtype != np.bool_ or said.shape != (U,):
        raise TypeError(f"said must be bool of shape ({U},), got {said.dtype} {said.shape}")
    return tokens, lengths, turns.astype(np.int64), said
