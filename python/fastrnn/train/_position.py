"""Where in its data a training stands, so that no batch is seen twice or left out after a stop."""

from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from typing import Any

from fastrnn._checks import flag, integer

Batch = Any


class Position:
    """Batches, epoch after epoch, from a source that can be set to where a run stopped.

    A source with `state_dict` and `load_state_dict` (those of `fastrnn.data`) keeps its position
    itself. Of any other one the batches already used are counted, and left out after a stop; it
    must give the same ones in every epoch, as a list does.

    Parameters
    ----------
    data : iterable
        A ``for`` loop over it is one epoch.

    Attributes
    ----------
    index : int
        Batches of this epoch that were given.
    carries : bool
        Whether a batch goes on where the one before ended, which data deny by `carries`.
    """

    def __init__(self, data: Iterable[Batch]) -> None:
        self._data: Any = data
        self._has_state = hasattr(data, "state_dict") and hasattr(data, "load_state_dict")
        try:
            one_way = not self._has_state and iter(data) is data
        except TypeError:
            raise TypeError(
                f"data must be an iterable of batches, got {type(data).__name__}"
            ) from None
        if one_way:
            raise TypeError(
                "data must be a list or another iterable that can be run through again, "
                f"got the one-way iterator {type(data).__name__}"
            )
        self.carries = bool(getattr(data, "carries", True))
        self.index = 0
        self._entered = False  # in the middle of an epoch
        self._before: dict[str, Any] | None = None

    def rest_of_epoch(self, count: int = 1) -> Iterator[list[Batch]]:
        """Give the batches from here to the end of the epoch, so many at a time.

        The last time of an epoch may be fewer.

        Raises
        ------
        ValueError
            The data gives no batch at all.
        """
        whole, given = not self._entered, False
        if self._has_state:
            batches: Iterator[Batch] = iter(self._data)
        else:
            batches = islice(iter(self._data), self.index, None)
        while True:
            self._before = self.state_dict()
            several: list[Batch] = []
            while len(several) < count:
                here = self.state_dict() if several else self._before
                try:
                    several.append(next(batches))
                except StopIteration:
                    if several and self._has_state:
                        # It stands in the next epoch, and these batches are of this one.
                        self._data.load_state_dict(here["data"])
                        batches = iter(self._data)
                    break
                given, self._entered = True, True
                self.index += 1
            if not several:
                break
            yield several
        if whole and not given:
            raise ValueError("data gives no batch")
        self.index, self._entered = 0, False

    def back(self) -> None:
        """Go back to before what was given last, a batch or the end of an epoch."""
        if self._before is not None:
            self.load_state_dict(self._before)
            self._before = None

    def done(self) -> None:
        """Say that what was given last, a batch or the end of an epoch, has been dealt with."""
        self._before = None

    def state_dict(self) -> dict[str, Any]:
        """Return the position as JSON can say it."""
        return {
            "index": self.index,
            "entered": self._entered,
            "data": self._data.state_dict() if self._has_state else None,
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go to a position that `state_dict` returned.

        Raises
        ------
        TypeError, ValueError
            It is none, or one of another kind of data, or of other data.
        """
        if (state["data"] is not None) != self._has_state:
            raise ValueError("the position is one of another kind of data")
        index, entered = integer("index", state["index"], 0), flag("entered", state["entered"])
        if entered != (index > 0):
            raise ValueError(f"index is {index}, and entered {entered}: one of them is wrong")
        if self._has_state:
            self._data.load_state_dict(state["data"])
        elif hasattr(self._data, "__len__") and index > len(self._data):
            raise ValueError(f"index is {index}, and the data has {len(self._data)} batches")
        self.index, self._entered = index, entered
