"""Dialogues as indices: which turns each context reads, and which turn is predicted from it."""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from fastrnn._checks import lengths as checked_lengths
from fastrnn.data import PAD, DialogueBatch
from fastrnn.models._parts.reader import labels

Ids = NDArray[np.int64]


class Dialogues(NamedTuple):
    """A batch of N dialogues, P of whose turns are targets: turns that the model has to predict.

    Attributes
    ----------
    tokens, lengths : ndarray of int, (T, U) and (U,)
        The turns that the utterance layer reads, each of them once.
    steps : ndarray of int, (N,)
        How many turns the context of each dialogue reads: up to the last one before a target.
    context_turns : ndarray of int, (M, N)
        Which of the U turns the context reads at each step; 0 beyond the steps.
    targets, target_lengths : ndarray of int, (T, P) and (P,)
        The turns to predict.
    context_rows : ndarray of int, (P,)
        The row of the contexts, as (M·N, C), from which each target is predicted.
    target_turns : ndarray of int, (P,)
        Which of the U turns each target is; empty where targets are not read.
    target_dialogues, turns_before : ndarray of int, (P,)
        The dialogue of each target, and how many of its turns in the batch come before it.
    context_speakers, target_speakers : ndarray of int, (M, N) and (P,)
        Who speaks; empty where turns have no speakers.
    continued : bool or None
        Whether the context begins with the final state of the batch before; None: the batch is of
        whole dialogues, and nobody asks for the state after it.
    """

    tokens: Ids
    lengths: Ids
    steps: Ids
    context_turns: Ids
    targets: Ids
    target_lengths: Ids
    context_rows: Ids
    target_turns: Ids
    target_dialogues: Ids
    turns_before: Ids
    context_speakers: Ids
    target_speakers: Ids
    continued: bool | None

    @property
    def symbols(self) -> int:
        """How many symbols there are to predict, the end of each turn included."""
        return int(self.target_lengths.sum()) + len(self.target_lengths)


class Parts(NamedTuple):
    """The checked parts of a batch, as `HRED.loss` describes them; None where one is not given."""

    tokens: Ids
    lengths: Ids
    turns: Ids
    targets: NDArray[np.bool_] | None
    speakers: Ids | None
    continued: bool | None

    def positions(self) -> tuple[Ids, Ids]:
        """Return the dialogue of each turn, and its position in that dialogue, (U,) each."""
        dialogue = np.repeat(np.arange(len(self.turns)), self.turns)
        begins = np.cumsum(self.turns) - self.turns
        return dialogue, np.arange(len(self.lengths)) - begins[dialogue]


def indexed(
    batch: Any, V: int, read_targets: bool, speakers: int = 0, *, once: bool = True
) -> Dialogues:
    """Return the indices of a batch.

    Parameters
    ----------
    batch : tuple
        As `HRED.loss` takes it.
    V : int
    read_targets : bool
        Whether the utterance layer reads the targets, too.
    speakers : int
        How many there are; 0: turns have no speakers.
    once : bool
        Read equal turns once; False: each of them.

    Raises
    ------
    TypeError, ValueError
        A part has the wrong type, shape, or a value out of range.
    """
    parts = checked_parts(batch, V, speakers)
    tokens, lengths, turns, given, speaker, continued = parts
    N, (dialogue, position) = len(turns), parts.positions()
    target = position > 0 if given is None else given
    if (target & (position == 0)).any():
        raise ValueError("targets must be False for the first turn of a dialogue, got True")
    if continued is None:
        steps = np.zeros(N, np.int64)
        np.maximum.at(steps, dialogue[target], position[target])
    else:  # the state after the last turn but one is where the next batch begins
        steps = np.maximum(turns - 1, 0)
    in_context = position < steps[dialogue]
    is_read = in_context | target if read_targets else in_context
    if once:
        first, number = _distinct(tokens, lengths, is_read)
    else:
        first, number = np.flatnonzero(is_read), np.cumsum(is_read) - 1
    context_turns, context_speakers = np.zeros((2, int(steps.max(initial=0)), N), np.int64)
    context_turns[position[in_context], dialogue[in_context]] = number[in_context]
    none = np.zeros(0, np.int64)
    if speakers:
        speaker = position % speakers if speaker is None else speaker
        context_speakers[position[in_context], dialogue[in_context]] = speaker[in_context]
    target_dialogues = dialogue[target]
    return Dialogues(
        *columns_of(tokens, lengths, first), steps, context_turns,
        *columns_of(tokens, lengths, target),
        context_rows=(position[target] - 1) * N + target_dialogues,
        target_turns=number[target] if read_targets else none,
        target_dialogues=target_dialogues, turns_before=position[target],
        context_speakers=context_speakers,
        target_speakers=none if speaker is None else speaker[target], continued=continued,
    )  # fmt: skip


def _distinct(tokens: Ids, lengths: Ids, is_read: NDArray[np.bool_]) -> tuple[Ids, Ids]:
    """Return which turns to read, equal ones once, and the number of each turn among them, (U,).

    The vector of a turn depends on its symbols alone, and many turns of a corpus are equal.
    """
    where = np.flatnonzero(is_read)
    rows = np.column_stack([lengths[where], tokens[:, where].T])
    keys = np.ascontiguousarray(rows).view(np.dtype((np.void, rows.dtype.itemsize * len(rows.T))))
    _, first, inverse = np.unique(keys.ravel(), return_index=True, return_inverse=True)
    number = np.zeros(len(lengths), np.int64)
    number[where] = inverse
    return where[first], number


def columns_of(tokens: Ids, lengths: Ids, chosen: Any) -> tuple[Ids, Ids]:
    """Return the chosen turns, as short as they can be."""
    kept = lengths[chosen]
    return tokens[: int(kept.max(initial=0)), chosen], kept


def as_batch(batch: Any) -> DialogueBatch:
    """Return a batch by names; a plain tuple has its first three parts, and any of the others.

    Raises
    ------
    TypeError
        It is no tuple of three to seven parts.
    """
    if isinstance(batch, DialogueBatch):
        return batch
    if not isinstance(batch, tuple) or not 3 <= len(batch) <= 7:
        raise TypeError(
            "batch must be (tokens, lengths, turns), or a fastrnn.data.DialogueBatch with any of "
            f"targets, speakers, continued and weight; got {type(batch).__name__}"
            + (f" of {len(batch)}" * isinstance(batch, tuple))
        )
    more, named = list(batch[3:]), dict[str, Any]()
    if more and isinstance(more[-1], (int, float, np.number)) and not isinstance(more[-1], bool):
        named["weight"] = more.pop()
    if more and isinstance(more[-1], (bool, np.bool_)):
        named["continued"] = bool(more.pop())
    if more and np.asarray(more[-1]).dtype.kind in "iu":
        named["speakers"] = more.pop()
    if len(more) + ("speakers" in named) > 2:
        raise TypeError(
            f"batch must have at most targets and speakers behind turns, got {len(more)} arrays: "
            "name them, as in fastrnn.data.DialogueBatch(*packed, targets=…, speakers=…)"
        )
    return DialogueBatch(*batch[:3], *more, **named)


def checked_parts(batch: Any, V: int, speakers: int = 0) -> Parts:
    """Return the parts of a batch, checked; see `indexed`."""
    batch = as_batch(batch)
    tokens = np.asarray(batch.tokens)
    if tokens.ndim != 2:
        raise ValueError(f"tokens must have shape (T, U), got {tokens.shape}")
    T, U = tokens.shape
    lengths = checked_lengths(batch.lengths, T, U, False)
    turns = np.asarray(batch.turns)
    if turns.ndim != 1 or (turns.dtype.kind not in "iu" and turns.size):
        raise TypeError(f"turns must be integers of shape (N,), got {turns.dtype} {turns.shape}")
    if (turns < 0).any() or turns.sum() != U:
        raise ValueError(f"turns must be counts whose sum is U = {U}, got {turns.tolist()}")
    exists = np.arange(T)[:, None] < lengths
    tokens = labels("tokens", tokens, exists, V, PAD)
    targets = None if batch.targets is None else np.asarray(batch.targets)
    if targets is not None and (targets.shape != (U,) or targets.dtype != np.bool_):
        raise TypeError(
            f"targets must be bool of shape ({U},), got {targets.dtype} {targets.shape}"
        )
    speaker = None if batch.speakers is None else _checked_speakers(batch.speakers, U, speakers)
    return Parts(tokens, lengths, turns.astype(np.int64), targets, speaker, batch.continued)


def _checked_speakers(given: Any, U: int, speakers: int) -> Ids:
    """Return the speaker of each turn, (U,)."""
    speaker = np.asarray(given)
    if speakers == 0:
        raise ValueError("the batch names speakers, and the model was made without speakers")
    if speaker.shape != (U,) or speaker.dtype.kind not in "iu":
        raise ValueError(
            f"speakers must be integers of shape ({U},), got {speaker.dtype} {speaker.shape}"
        )
    if ((speaker < 0) | (speaker >= speakers)).any():
        raise ValueError(f"speakers must lie in 0..{speakers - 1}, got {speaker.tolist()}")
    return speaker.astype(np.int64)
