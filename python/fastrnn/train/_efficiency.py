"""The efficiency to expect of many ranks: arithmetic with what was measured of one and of a few."""

from math import ceil, log2
from typing import NamedTuple

from fastrnn.train._ranks import BUCKET


class Table(NamedTuple):
    """A table of V rows of E numbers, of which the gradient of a rank has U."""

    V: int
    E: int
    U: int


class Network(NamedTuple):
    """Seconds of a call of two ranks that sends next to nothing, and bytes a second.

    A sum of B bytes by n ranks takes latency · log₂ n + 2(n−1)/n · B / bandwidth: each rank sends
    1/n of them to each other one, and again when they are added. [1]_

    References
    ----------
    .. [1] R. Thakur, R. Rabenseifner and W. Gropp, "Optimization of Collective Communication
       Operations in MPICH", International Journal of High Performance Computing Applications 19(1),
       2005.
    """

    latency: float
    bandwidth: float

    def seconds(self, ranks: int, calls: int, sent: float) -> float:
        """Return the seconds of so many calls, in which a rank sends so many bytes."""
        return calls * self.latency * log2(ranks) + sent / self.bandwidth

    @classmethod
    def measured(cls, ranks: int, short: float, long: float, size: int) -> "Network":
        """Return the one on which a sum of nearly nothing, and one of so many bytes, take this."""
        moved = 2 * (ranks - 1) / ranks * size
        return cls(short / log2(ranks), moved / max(long - short, 1e-9))


class Gradients(NamedTuple):
    """What the ranks send in one update.

    Attributes
    ----------
    whole : int
        Numbers of the arrays that are sent whole.
    tables : tuple of Table
        Of these a rank sends the rows that it has, unless all ranks together have as many as the
        table. They cost bytes, and next to no arithmetic.
    itemsize : int
        Bytes of a number.
    """

    whole: int
    tables: tuple[Table, ...]
    itemsize: int

    def numbers(self, ranks: int) -> int:
        """Return how many are sent by whole arrays."""
        dense = [table for table in self.tables if ranks * table.U >= table.V]
        return self.whole + sum(table.V * table.E for table in dense)

    def sent(self, ranks: int, halved: bool) -> float:
        """Return the bytes that a rank sends to others, as bfloat16 or as they are."""
        width = 2 if halved else self.itemsize
        rows = sum(table.U * table.E * width for table in self.tables if ranks * table.U < table.V)
        ids = sum(8 * table.U for table in self.tables)
        whole = self.numbers(ranks) * width
        return 2 * (ranks - 1) / ranks * whole + (ranks - 1) * (rows + ids)

    def calls(self, ranks: int, halved: bool) -> int:
        """Return the calls that all ranks make: of sums, of numbers of rows, ids, and rows."""
        parts = ceil(self.numbers(ranks) * self.itemsize / BUCKET)
        by_rows = sum(ranks * table.U < table.V for table in self.tables)
        rows = 1 + len(self.tables) + by_rows if self.tables else 0
        return 2 + rows + parts * (2 if halved else 1)  # 2: the terms, and what all agree on


def exchange_seconds(
    ranks: int, gradients: Gradients, halved: bool, network: Network, work: float
) -> float:
    """Return the seconds in which so many ranks add their gradients.

    Parameters
    ----------
    ranks : int
    gradients : Gradients
    halved : bool
        Whether they are sent as bfloat16.
    network : Network
    work : float
        Seconds that one rank takes to gather and to round its gradients and sends nothing.

    Returns
    -------
    float
    """
    grown = gradients.numbers(ranks) / max(gradients.numbers(1), 1)
    calls, sent = gradients.calls(ranks, halved), gradients.sent(ranks, halved)
    return work * grown + network.seconds(ranks, calls, sent)


def efficiency(alone: float, exchange: float) -> float:
    """Return which part of n times the speed of one rank n of them reach.

    Parameters
    ----------
    alone : float
        Seconds of an update of one rank, with as much data as each of several has.
    exchange : float
        Seconds that the gradients of an update take, which are sent after they are computed.

    Returns
    -------
    float
    """
    return alone / (alone + exchange)
