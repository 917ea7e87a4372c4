"""Segments: long dialogues trained a few turns an update, the context's state carried over."""

import copy
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from fastrnn._checks import integer
from fastrnn.data import DialogueBatch
from fastrnn.models._dialogue.dialogues import checked_parts, columns_of
from fastrnn.train._run import Position

if TYPE_CHECKING:
    from fastrnn.distributed import Comm


def segments(batch: Any, turns: int, V: int, speakers: int) -> list[DialogueBatch]:
    """Return a batch of dialogues as batches, each of which continues the one before.

    Parameters
    ----------
    batch : tuple
        As `HRED.loss` takes it, of whole dialogues.
    turns : int
        S: each dialogue has at most S + 1 turns in a batch. The first of them is read and not
        predicted, since the batch before has predicted it; so gradients reach one turn back.
    V, speakers : int
        Of the model.

    Raises
    ------
    TypeError, ValueError
        A part has the wrong type, shape, or a value out of range; or it is a segment already.
    """
    parts = checked_parts(batch, V, speakers)
    tokens, lengths, counts, targets, speaker, continued = parts
    if continued is not None:
        raise ValueError("batch must be of whole dialogues, got a part of them")
    dialogue, position = parts.positions()
    targets = position > 0 if targets is None else targets
    if speakers and speaker is None:
        speaker = position % speakers
    batches = []
    for start in range(0, max(int(counts.max(initial=0)) - 1, 1), turns):
        size = np.where(counts > start + 1, np.clip(counts - start, 0, turns + 1), 0)
        chosen = (position >= start) & (position < start + size[dialogue])
        predicted = (targets & (position > start))[chosen]
        of_turns = None if speaker is None else speaker[chosen]
        columns = columns_of(tokens, lengths, chosen)
        batches.append(DialogueBatch(*columns, size, predicted, of_turns, start > 0))
    return batches


class Segments:
    """Batches of dialogues in segments; it keeps its position, so a training can resume.

    Parameters
    ----------
    data : iterable of tuple
        A ``for`` loop over it is one epoch.
    turns, V, speakers : int
        As `segments`.
    """

    def __init__(self, data: Iterable[Any], turns: int, V: int, speakers: int) -> None:
        self._position, self._how = Position(data), (turns, V, speakers)
        self._share: slice | None = None
        self._given = 0  # segments of the batch that is being given
        self._here = self._position.state_dict()  # before that batch

    def __iter__(self) -> Iterator[Any]:
        batches = self._position.rest_of_epoch()
        while True:
            self._here = self._position.state_dict()
            several = next(batches, None)
            if several is None:
                return
            (batch,) = several
            parts = [self._shared(part) for part in segments(batch, *self._how)]
            while self._given < len(parts):
                self._given += 1
                yield parts[self._given - 1]
            self._given = 0

    def _shared(self, part: DialogueBatch) -> DialogueBatch | None:
        """Return this rank's dialogues of a segment; None if it has none in the batch."""
        if self._share is None:
            return part
        mine = np.zeros(len(part.turns), np.bool_)
        mine[self._share] = True
        if not mine.any():
            return None
        chosen = np.repeat(mine, part.turns)
        tokens, lengths = columns_of(part.tokens, part.lengths, chosen)
        return part._replace(
            tokens=tokens, lengths=lengths, turns=part.turns[mine], targets=part.targets[chosen],
            speakers=None if part.speakers is None else part.speakers[chosen],
        )  # fmt: skip

    def shard(self, comm: "Comm") -> "Segments":
        """Return one rank's dialogues of every batch, at the same position.

        Every rank reads all batches, for how many segments there are depends on all dialogues.
        """
        part = copy.copy(self)
        part._share = slice(comm.rank, None, comm.size)
        return part

    def state_dict(self) -> dict[str, Any]:
        """Return the position in the data, and how many segments of the next batch were given."""
        position = self._here if self._given else self._position.state_dict()
        return {"position": position, "given": self._given}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go to where `state_dict` was called."""
        given = integer("given", state["given"], 0)
        self._position.load_state_dict(state["position"])
        self._given, self._here = given, state["position"]


class Segmented:
    """The part of `HRED` and `VHRED` that trains on long dialogues in segments."""

    if TYPE_CHECKING:
        _vocab: int
        _speakers: int

    def segmented(self, data: Iterable[Any], segment_turns: int) -> Any:
        """Return data whose batches are parts of dialogues, for a trainer of your own.

        Parameters
        ----------
        data : iterable of tuple
            Batches of whole dialogues, as `loss` takes them.
        segment_turns : int
            S, how many turns of each dialogue a batch predicts, at least 1; the turn before them
            is read again.

        Returns
        -------
        iterable of fastrnn.data.DialogueBatch
            `loss_with_state` carries the context from one to the next. It keeps
            its position, so a training can resume.

        Raises
        ------
        TypeError, ValueError
            segment_turns is no integer of at least 1.
        """
        turns = integer("segment_turns", segment_turns, 1)
        return Segments(data, turns, self._vocab, self._speakers)

    def batches(self, data: Iterable[Any], *, segment_turns: int | None = None) -> Any:
        """Return data as a trainer takes them: whole dialogues, or a few turns an update.

        Parameters
        ----------
        data : iterable of tuple
            Batches of whole dialogues, as `loss` takes them.
        segment_turns : int or None
            S: an update predicts S turns of each dialogue, and its gradient ends there, but the
            context is carried over: truncated backpropagation through time. None: whole dialogues.

        Returns
        -------
        iterable
            It keeps its position, so a training can resume.

        Raises
        ------
        TypeError, ValueError
            segment_turns is no integer of at least 1.
        """
        if segment_turns is not None:
            data = self.segmented(data, segment_turns)
        parent: Any = super()
        return parent.batches(data)
