"""Annealing: the weight of the divergence rises from 0 to 1 over so many updates."""

import copy
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from fastrnn._checks import integer
from fastrnn.train._run import Position

if TYPE_CHECKING:
    from fastrnn.distributed import Comm


class Annealed:
    """Batches with the weight of the divergence behind each of them.

    Parameters
    ----------
    data : iterable of tuple
        A ``for`` loop over it is one epoch.
    updates : int or tuple (int, int)
        After how many batches, counted over all epochs, the weight is 1; of two, after how many it
        leaves 0. It rises linearly.
    weighted : callable
        Returns a batch with its weight.
    """

    def __init__(
        self,
        data: Iterable[Any],
        updates: int | tuple[int, int],
        weighted: Callable[[Any, float], Any],
    ) -> None:
        self._data, self._weighted, self._given = data, weighted, 0
        self._position = Position(data)
        self._begin, self._end = updates if isinstance(updates, tuple | list) else (0, updates)

    def __iter__(self) -> Iterator[Any]:
        for (batch,) in self._position.rest_of_epoch():
            if batch is None:  # no rows for this rank
                self._given += 1
                yield None
                continue
            risen = (self._given - self._begin) / (self._end - self._begin)
            weight = min(1.0, max(0.0, risen))
            self._given += 1
            yield self._weighted(batch, weight)

    def shard(self, comm: "Comm") -> "Annealed":
        """Return one rank's part of the batches, at the same position."""
        data: Any = self._data
        if not hasattr(data, "shard"):
            raise TypeError(f"data must have shard(comm), and {type(data).__name__} has none")
        part = copy.copy(self)
        part._data = data.shard(comm)
        part._position = Position(part._data)
        part._position.load_state_dict(self._position.state_dict())
        return part

    def state_dict(self) -> dict[str, Any]:
        """Return the position in the data and how many batches were given."""
        return {"position": self._position.state_dict(), "given": self._given}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go to where `state_dict` was called."""
        given = integer("given", state["given"], 0)
        self._position.load_state_dict(state["position"])
        self._given = given


class Annealing:
    """The part of a model with ``kl_schedule`` that puts the weight into its batches."""

    config: dict[str, Any]

    def _weighted(self, batch: Any, weight: float) -> Any:
        """Return a batch with this weight of the divergence."""
        raise NotImplementedError

    def annealed(self, data: Iterable[Any]) -> Any:
        """Return data whose batches hold the weight of the divergence, for a trainer of your own.

        Parameters
        ----------
        data : iterable of tuple
            Batches as `loss` takes them, without the weight.

        Returns
        -------
        iterable of tuple
            `fastrnn.data.DialogueBatch` or `SentenceBatch`, whose weight rises from 0 to 1 as
            ``kl_schedule`` says. It keeps its position, so a training can resume. Without a
            schedule it is data itself.
        """
        updates = self.config["kl_schedule"]
        return data if updates is None else Annealed(data, updates, self._weighted)

    def batches(self, data: Iterable[Any]) -> Any:
        """Return data as a trainer takes them: with the weights of `annealed`.

        Parameters
        ----------
        data : iterable
            Batches as `loss` takes them, without the weight.

        Returns
        -------
        iterable
            It keeps its position, so a training can resume.
        """
        parent: Any = super()
        return parent.batches(self.annealed(data))


def schedule(value: Any) -> int | list[int] | None:
    """Return when the weight leaves 0 and when it is 1, the second alone if the first is 0."""
    if value is None or not isinstance(value, tuple | list):
        return None if value is None else integer("kl_schedule", value, 1)
    if len(value) != 2:
        raise ValueError(f"kl_schedule must be an int or two, got {len(value)}")
    begin = integer("kl_schedule[0]", value[0], 0)
    return [begin, integer("kl_schedule[1]", value[1], begin + 1)]
