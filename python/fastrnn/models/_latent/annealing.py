"""Annealing: the divergence counts for nothing at first, and wholly after so many updates."""

import copy
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from fastrnn._checks import integer
from fastrnn.train._position import Position

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
    enter : callable
        Makes a tuple of a batch that is none.
    """

    def __init__(
        self,
        data: Iterable[Any],
        updates: int | tuple[int, int],
        enter: Callable[[Any], tuple[Any, ...]],
    ) -> None:
        self._data, self._enter, self._given = data, enter, 0
        self._position = Position(data)
        self._begin, self._end = updates if isinstance(updates, tuple | list) else (0, updates)

    def __iter__(self) -> Iterator[Any]:
        for batch in self._position.rest_of_epoch():
            if batch is None:  # no rows for this rank
                self._given += 1
                yield None
                continue
            risen = (self._given - self._begin) / (self._end - self._begin)
            weight = min(1.0, max(0.0, risen))
            self._given += 1
            yield *(batch if isinstance(batch, tuple) else self._enter(batch)), weight

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
    """The part of a model with ``kl_schedule`` that hands the weight to its loss."""

    config: dict[str, Any]
    if TYPE_CHECKING:

        def _enter(self, batch: Any) -> Any: ...

    def annealed(self, data: Iterable[Any]) -> Any:
        """Return data whose batches say how much the divergence counts, for a trainer of your own.

        Parameters
        ----------
        data : iterable of tuple
            Batches as `loss` takes them, without the weight.

        Returns
        -------
        iterable of tuple
            ``(*batch, weight)``, the weight rising from 0 to 1 as ``kl_schedule`` says. It
            keeps its position, so a training can resume. Without a schedule it is data itself.
        """
        updates = self.config["kl_schedule"]
        return data if updates is None else Annealed(data, updates, self._enter)

    def fit(self, data: Iterable[Any], optimiser: Any = None, **options: Any) -> Any:
        """Learn from batches, the divergence weighed by the schedule, which starts anew.

        Parameters
        ----------
        data : iterable of tuple
            Batches as `loss` takes them, without a weight; a ``for`` loop over it is one epoch.
        optimiser : optimiser of `fastrnn.train`, or None
            None: Adam with its defaults.
        **options
            As `LanguageModel.fit`: max_norm, rng, progress, and what
            `fastrnn.train.Trainer.fit` takes.

        Returns
        -------
        fastrnn.train.History

        Raises
        ------
        TypeError, ValueError, FloatingPointError
            As `LanguageModel.fit`.
        """
        from fastrnn.models._parts.model import Model

        assert isinstance(self, Model)
        return Model.fit(self, self.annealed(data), optimiser, **options)


def schedule(value: Any) -> int | list[int] | None:
    """Return when the weight leaves 0 and when it is 1, the second alone if the first is 0."""
    if value is None or not isinstance(value, tuple | list):
        return None if value is None else integer("kl_schedule", value, 1)
    if len(value) != 2:
        raise ValueError(f"kl_schedule must be an int or two, got {len(value)}")
    begin = integer("kl_schedule[0]", value[0], 0)
    return [begin, integer("kl_schedule[1]", value[1], begin + 1)]
