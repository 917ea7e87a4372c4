"""Two programs for tests/test_bench_race.py, which runs them in processes of their own.

There they have a clock of their own as well, which only their updates move.
"""

import os
import time


class Quick:
    """Its quality is the share of updates that it has done; each takes some time."""

    seconds = 0.002

    def __init__(self, updates: int, bend: float) -> None:
        self._updates, self._done, self._bend = updates, 0, 1 + bend
        self._threads = int(os.environ["OMP_NUM_THREADS"])
        time.perf_counter = lambda: self.seconds * self._done

    def update(self, until: int) -> list[float]:
        done, self._done = self._done, until
        return [self._threads + self._loss(i) for i in range(done, until)]

    def quality(self) -> float:
        return self._done / self._updates

    def _loss(self, i: int) -> float:
        return 1 / (1 + i)


class Slow(Quick):
    seconds = 0.02

    def _loss(self, i: int) -> float:
        return self._bend / (1 + i)
