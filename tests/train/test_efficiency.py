"""Why: who rents 64 machines by a prediction pays for its mistakes."""

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fastrnn.distributed import Comm, ThreadComm
from fastrnn.train import RowGradient
from fastrnn.train._efficiency import Gradients, Network, Table, efficiency, exchange_seconds
from fastrnn.train._ranks import BUCKET, Arena


def test_a_sum_of_two_ranks_by_hand() -> None:
    """10⁶ numbers of 4 bytes at 125 MB/s: each rank sends half of them twice, 4 MB in 32 ms."""
    gradients = Gradients(10**6, (), 4)
    network = Network(latency=1e-3, bandwidth=125e6)
    assert gradients.sent(2, halved=False) == 4e6
    assert exchange_seconds(2, gradients, False, network, 0.005) == pytest.approx(0.040)
    assert exchange_seconds(2, gradients, True, network, 0.005) == pytest.approx(0.025)
    assert efficiency(0.120, 0.040) == pytest.approx(0.75)
    # Of 64 ranks each sends 2 · 63/64 of them, and six steps of doubling come with each call.
    expected = 3 * 6e-3 + 2 * 63 / 64 * 4e6 / 125e6
    assert exchange_seconds(64, gradients, False, network, 0.0) == pytest.approx(expected)


def test_rows_are_sent_until_all_ranks_have_the_table() -> None:
    gradients = Gradients(0, (Table(V=100, E=8, U=20),), 4)
    assert gradients.sent(4, halved=False) == 3 * 20 * (8 * 4 + 8)
    assert gradients.sent(4, halved=True) == 3 * 20 * (8 * 2 + 8)
    assert gradients.sent(5, halved=False) == 2 * 4 / 5 * 800 * 4 + 4 * 20 * 8
    assert gradients.numbers(4) == 0
    assert gradients.numbers(5) == 800


def test_a_network_is_what_was_measured_of_it() -> None:
    network = Network.measured(8, short=3e-4, long=0.1003, size=2**20)
    assert network.latency == pytest.approx(1e-4)
    assert network.seconds(8, 1, 2 * 7 / 8 * 2**20) == pytest.approx(0.1003)


class Counting(Comm):
    """Counts the calls of a rank, and the bytes that it must send for them."""

    def __init__(self, comm: Comm) -> None:
        self.comm, self.rank, self.size = comm, comm.rank, comm.size
        self.calls, self.sent = 0, 0.0

    def _count(self, array: Any, times: float) -> None:
        self.calls += 1
        self.sent += times * array.nbytes

    def allreduce_(self, array: Any) -> None:
        self._count(array, 2 * (self.size - 1) / self.size)
        self.comm.allreduce_(array)

    def allgatherv(self, array: Any) -> Any:
        self._count(array, self.size - 1)
        return self.comm.allgatherv(array)

    def alltoall(self, array: Any) -> Any:
        self._count(array, (self.size - 1) / self.size)
        return self.comm.alltoall(array)


@pytest.mark.parametrize("halved", [False, True])
@pytest.mark.parametrize("ranks", [2, 3, 4])
@pytest.mark.parametrize("used", [0, 300, 900])
def test_bytes_and_calls_are_those_of_the_exchange(ranks: int, used: int, halved: bool) -> None:
    """With 900 of 1,200 rows each the ranks send the table, with 300 each four of them do."""
    V, E, whole = 1200, 4, BUCKET // 4 + 1200
    arrays = {"table": np.zeros((V, E), np.float32), "w": np.zeros(whole, np.float32)}

    def job(comm: Comm) -> tuple[int, float]:
        counting = Counting(comm)
        own: dict[str, Any] = {"w": np.ones(whole, np.float32)}
        rows = np.arange(used) + 100 * comm.rank
        own["table"] = RowGradient(rows, np.ones((used, E), np.float32), (V, E))
        if not used:
            own["table"] = own["table"].dense()
        Arena(halved).sum(counting, arrays, own, 1.0, "exact")
        return counting.calls, counting.sent

    tables = (Table(V, E, used),) if used else ()
    gradients = Gradients(whole if used else whole + V * E, tables, 4)
    for calls, sent in ThreadComm.run(ranks, job):
        extra = 0 if used else 1  # the ranks ask each other for rows, and nobody has any
        assert calls + 2 - extra == gradients.calls(ranks, halved)
        assert sent == pytest.approx(gradients.sent(ranks, halved), abs=200)


def test_the_table_of_the_docs_is_of_this_formula() -> None:
    H, V, ranks = 256, 30_000, (2, 4, 8, 16, 32, 64)
    whole, network = 2 * 4 * H * (H + 1) + (H + 1) * V, Network(1e-4, 0.118e9)
    page = Path(__file__).parents[2] / "docs/howto/distributed.md"
    found = re.findall(
        r"^\| ([14]) \| (float32|bfloat16) \| (.*) \|$", page.read_text(), re.MULTILINE
    )
    assert len(found) == 4
    for k, kind, row in found:
        gradients = Gradients(whole, (Table(V, H, {"1": 600, "4": 1700}[k]),), 4)
        halved, work = kind == "bfloat16", {"bfloat16": 0.06, "float32": 0.02}[kind]
        expected = [
            efficiency(0.25 * int(k), exchange_seconds(n, gradients, halved, network, work))
            for n in ranks
        ]
        assert row.split(" | ") == [f"{each:.0%}" for each in expected]
