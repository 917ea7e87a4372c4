"""What every source of batches shares: a position of two integers that can be saved and restored.

The order within an epoch depends on (seed, epoch) alone, through the counter-based generator
Philox, so nothing else has to be kept to go on exactly where a run stopped.
"""

import copy
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, Generic, Self, TypeVar

import numpy as np

from fastrnn._checks import integer

if TYPE_CHECKING:
    from fastrnn.distributed import Comm

B = TypeVar("B")


def philox(*key: int) -> np.random.Generator:
    """Return a generator that depends on these integers alone, (seed, epoch) or more."""
    return np.random.Generator(np.random.Philox(np.random.SeedSequence(key)))


def no_rows() -> Any:
    """Return what a rank gets of a batch that has fewer rows than there are ranks.

    None, which no type says: only a trainer of several ranks ever sees it.
    """
    return None


class Loader(Generic[B]):
    """Batches in epochs. A ``for`` loop runs from the present position to the end of the epoch.

    Attributes
    ----------
    epoch, batch : int
        The position: batches 0..batch−1 of this epoch have been given.
    seed : int
        With the epoch, it decides the order.
    carries : bool
        Whether a model's state after a batch is where the next one begins.
    """

    carries = True

    def __init__(self, seed: int) -> None:
        self.seed = integer("seed", seed, 0, 2**63 - 1)
        self.epoch = 0
        self.batch = 0
        self._share = slice(None)

    def __len__(self) -> int:
        """Return the number of batches of an epoch."""
        raise NotImplementedError

    def _get(self, epoch: int, batch: int) -> B:
        """Return one batch; a subclass says which."""
        raise NotImplementedError

    def __iter__(self) -> Iterator[B]:
        while self.batch < len(self):
            # Counted before it is given: who saves the position while using batch k goes on
            # with batch k + 1.
            self.batch += 1
            yield self._get(self.epoch, self.batch - 1)
        self.epoch += 1
        self.batch = 0

    def shard(self, comm: "Comm") -> Self:
        """Return a loader of one rank's rows of every batch, at the same position.

        `fastrnn.train.Trainer` calls it, so that each batch is shared by its ranks.

        Parameters
        ----------
        comm : fastrnn.distributed.Comm
            Row n goes to rank n mod size, which spreads long and short rows evenly.

        Returns
        -------
        Loader
            With the same number of batches on all ranks; None for a batch without rows for this
            one. Its positions are those of the whole.
        """
        part = copy.copy(self)
        part._share = slice(comm.rank, None, comm.size)
        return part

    def state_dict(self) -> dict[str, int]:
        """Return the position, and what tells this loader from another one."""
        return {
            "epoch": self.epoch,
            "batch": self.batch,
            "seed": self.seed,
            "batches": len(self),
        }

    def load_state_dict(self, state: Mapping[str, int]) -> None:
        """Go to a position that `state_dict` returned.

        Raises
        ------
        ValueError
            It is no such position, or one of a loader with another seed or other data.
        """
        own = self.state_dict()
        if set(state) != set(own):
            raise ValueError(f"state must have the keys {sorted(own)}, got {sorted(state)}")
        for name in ("seed", "batches"):
            if state[name] != own[name]:
                raise ValueError(
                    f"state is of another loader: {name} = {state[name]}, here {own[name]}"
                )
        epoch = integer("epoch", state["epoch"], 0)
        self.batch = integer("batch", state["batch"], 0, own["batches"])
        self.epoch = epoch
