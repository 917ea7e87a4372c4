"""How much of the machine others used while a bench ran: a timing is worth as much as its quiet."""

import os
import time
from dataclasses import dataclass
from pathlib import Path

LIMIT = 0.05  # share of all CPUs; above it, a figure is marked
SLICE_SECONDS = 0.02  # longer than the clock tick that processor time is counted in
PATIENCE_SECONDS = 1.0


@dataclass(frozen=True)
class Usage:
    """Clock ticks since boot: of all CPUs, those that were busy, and those of our processes."""

    total: int
    busy: int
    ours: int


def usage(pids: list[int]) -> Usage | None:
    """Read the counters; `pids` are the processes that count as ours. None where unsupported."""
    stat = Path("/proc/stat")
    if not stat.exists():
        return None
    # user nice system idle iowait irq softirq steal; guest time is within user time
    ticks = [int(word) for word in stat.read_text().split("\n", 1)[0].split()[1:9]]
    ours = sum(_process_ticks(pid) for pid in [os.getpid(), *pids])
    return Usage(sum(ticks), sum(ticks) - ticks[3] - ticks[4], ours)


def _process_ticks(pid: int) -> int:
    """User and system time of a process with all its threads; 0 when it is gone."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return 0
    words = text.rpartition(")")[2].split()  # the name before it may hold blanks
    return int(words[11]) + int(words[12])


def settle(pids: list[int]) -> bool:
    """Wait until these processes sleep: thread pools spin for a while after their work.

    Whoever has the next turn would else find a core taken. False: one of them is still at work
    after `PATIENCE_SECONDS`. Where processor times cannot be read it is `SLICE_SECONDS` that pass.
    """
    end = time.monotonic() + PATIENCE_SECONDS
    ticks = [_process_ticks(pid) for pid in pids]
    while time.monotonic() < end:
        time.sleep(SLICE_SECONDS)
        before, ticks = ticks, [_process_ticks(pid) for pid in pids]
        if ticks == before:
            return True
    return False


def foreign_share(before: Usage | None, after: Usage | None) -> float | None:
    """Share of all CPUs that processes other than ours used in between; None: unknown."""
    if before is None or after is None or after.total == before.total:
        return None
    foreign = (after.busy - before.busy) - (after.ours - before.ours)
    return max(0.0, foreign / (after.total - before.total))
