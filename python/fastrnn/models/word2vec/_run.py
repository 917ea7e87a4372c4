"""One training of word vectors: epochs over the pieces of a text, progress and exact losses."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastrnn import _core
from fastrnn.models.word2vec._ranks import Ranks
from fastrnn.train._progress import Display, Status, display

ROW = 16  # floats: rows are multiples of a cache line, so that no vector needs a tail
_SLICE_SECONDS = 0.3  # between two looks at the clock
_LOG_SECONDS = 10.0


def padded_rows(V: int, size: int) -> NDArray[np.float32]:
    """Return zeros (V, stride), stride the next multiple of a row unit, on a cache line."""
    stride = -(-size // ROW) * ROW
    block = np.zeros(V * stride + ROW, np.float32)
    start = -(block.ctypes.data // block.itemsize) % ROW
    return block[start : start + V * stride].reshape(V, stride)


@dataclass
class Rows:
    """The matrices of a model as the core wants them; the user's arrays are views of them."""

    vectors: NDArray[np.float32]
    outputs: NDArray[np.float32] | None
    nodes: NDArray[np.float32] | None


@dataclass(frozen=True)
class Schedule:
    """How long and how fast to learn.

    Attributes
    ----------
    epochs, words : int
        Words of the vocabulary in one epoch.
    first, last : float
        The learning rate, which falls linearly by words.
    seed, threads : int
    """

    epochs: int
    words: int
    first: float
    last: float
    seed: int
    threads: int


@dataclass
class Watch:
    """Who is told of a training as it goes.

    Attributes
    ----------
    model : Word2Vec
    callbacks : sequence of object
        Those that have a method of an event's name are called with the model.
    progress : bool
    """

    model: Any
    callbacks: Sequence[Any]
    progress: bool

    def notify(self, event: str, total: float) -> None:
        """Call everybody who listens to an event, the loss so far being what the model says."""
        self.model._latest_loss = total
        for callback in self.callbacks:
            listener = getattr(callback, event, None)
            if listener is not None:
                listener(self.model)


class _WordStatus(Status):
    """The line of a training of word vectors."""

    def __str__(self) -> str:
        return (
            f"epoch {self.epoch}  loss {self.loss:.4f}  {self.rate:,.0f} words/s  "
            f"{self.seconds_left:.0f} s left"
        )


class _Run:
    def __init__(
        self, tables: Any, rows: Rows, source: Any, schedule: Schedule, ranks: Ranks
    ) -> None:
        self._tables, self._rows, self._source, self._schedule = tables, rows, source, schedule
        self._ranks = ranks
        self._start = self._logged = time.perf_counter()
        self._done = self._step = 0
        self.losses: list[float] = []
        self.total = 0.0  # the loss of all predictions so far, which is no mean

    def epoch(self, number: int, show: Display) -> None:
        """Teach all pieces once; the pieces of a call last about as long as a look is wanted."""
        pieces = _core.word2vec_pieces(self._source)
        schedule, rows, ranks = self._schedule, self._rows, self._ranks
        loss, predictions, begin = 0.0, 0, 0
        threads = max(schedule.threads, 1)
        if ranks.alone:
            self._step = max(self._step, 4 * threads)
        else:  # the same on all ranks
            self._step = ranks.pieces_at_once(pieces, schedule.words, threads)
        while begin < pieces:
            end = min(begin + self._step, pieces)
            before = time.perf_counter()
            more, count, words = ranks.summed(*_core.word2vec_train(
                self._tables, rows.vectors, rows.outputs, rows.nodes, self._source,
                *ranks.own(begin, end), (schedule.first, schedule.last),
                (float(self._done), float(max(schedule.words * schedule.epochs, 1))),
                (schedule.seed * 1_000_003 + number) % 2**64, schedule.threads,
            ))  # fmt: skip
            ranks.average(end == pieces)
            loss, predictions, begin = loss + more, predictions + int(count), end
            self.total += more
            self._done += int(words)
            if ranks.alone and time.perf_counter() - before < _SLICE_SECONDS:
                self._step *= 2
            self._show(show, number + 1, loss / max(predictions, 1), begin == pieces)
        self._check(number + 1)
        self.losses.append(loss / max(predictions, 1))

    def _check(self, epoch: int) -> None:
        """Look for vectors that have diverged: the core's loss is a product, which hides a NaN."""
        matrices = [rows for rows in vars(self._rows).values() if rows is not None]
        if not all(np.isfinite(rows.sum(dtype=np.float64)) for rows in matrices):
            raise FloatingPointError(
                f"the vectors are not finite after epoch {epoch}; a lower alpha may help"
            )

    def _show(self, show: Display, epoch: int, loss: float, ended: bool) -> None:
        now = time.perf_counter()
        rate = self._done / max(now - self._start, 1e-9)
        fraction = self._done / max(self._schedule.words * self._schedule.epochs, 1)
        left = (now - self._start) * (1 - fraction) / max(fraction, 1e-9)
        status = _WordStatus(0, epoch, loss, 0.0, rate, "words", fraction, max(left, 0.0))
        show.update(status)
        if ended or now - self._logged > _LOG_SECONDS:
            self._logged = now
            show.log(status)


def run(
    tables: Any,
    rows: Rows,
    source: Any,
    schedule: Schedule,
    first_epoch: int,
    watch: Watch,
    ranks: Ranks,
) -> list[float]:
    """Teach and return the mean loss of every epoch, summed in float64."""
    work = _Run(tables, rows, source, schedule, ranks)
    with display(watch.progress and ranks.first) as show:
        watch.notify("on_train_begin", 0.0)
        for number in range(schedule.epochs):
            watch.notify("on_epoch_begin", work.total)
            work.epoch(first_epoch + number, show)
            watch.notify("on_epoch_end", work.total)
        watch.notify("on_train_end", work.total)
    return work.losses
