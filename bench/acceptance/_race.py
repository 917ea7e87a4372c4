"""Two programs for one model, each in a process of its own, in turns: who is good first?

Both begin with the same weights and take the same batches. After every few updates it is the other
one's turn, so that a disturbance of the machine meets both. What is timed are updates alone; the
quality is judged between them, by the same scorer.
"""

import importlib
import importlib.util
import math
import multiprocessing
import os
import re
import time
from contextlib import ExitStack
from multiprocessing.connection import Connection
from pathlib import Path
from statistics import median
from typing import Any, Protocol, Self
from unittest.mock import patch

from bench import load
from bench.acceptance._frame import Skipped, options
from bench.acceptance._frame import main as frame_main
from bench.baselines import usable_cpus
from bench.interleave import THREAD_VARIABLES

PARITY_UPDATES, PARITY = 100, 1e-3


class Program(Protocol):
    """What runs in a process: ``make(**options)`` of a module returns one."""

    def update(self, until: int) -> list[float]:
        """Go on until so many updates are done; return the loss of each new one."""

    def quality(self) -> float:
        """Judge the present weights; not timed."""


def _serve(connection: Connection, module: str, make: str, options: dict[str, Any]) -> None:
    """Answer requests in the child until None comes."""
    program: Program = getattr(importlib.import_module(module), make)(**options)
    before = _peak_mib()
    connection.send(None)
    while (until := connection.recv()) is not None:
        began, used = time.perf_counter(), time.process_time()
        losses = program.update(until)
        seconds, used = time.perf_counter() - began, time.process_time() - used
        peak = _peak_mib()
        connection.send((losses, seconds, used, program.quality(), peak, peak - before))


def _peak_mib() -> float:
    """The most memory that this process has had, in MiB; NaN where the system does not tell.

    getrusage would count what the parent had when it made this process.
    """
    status = Path("/proc/self/status")
    found = re.search(r"VmHWM:\s*(\d+) kB", status.read_text()) if status.exists() else None
    return int(found[1]) / 1024 if found else math.nan


class Runner:
    """The parent's end of one program; use it in a with statement."""

    def __init__(self, module: str, make: str, threads: int, options: dict[str, Any]) -> None:
        self.name, self.losses, self.seconds = make, list[float](), list[float]()
        self.used, self.qualities = list[float](), list[float]()
        self.memory = list[float]()
        context = multiprocessing.get_context("spawn")
        self._connection, child = context.Pipe()
        self._process = context.Process(target=_serve, args=(child, module, make, options))
        with patch.dict(os.environ, dict.fromkeys(THREAD_VARIABLES, str(threads))):
            self._process.start()  # a spawned child reads them when it imports its libraries
        child.close()

    def __enter__(self) -> Self:
        self._connection.recv()
        return self

    def __exit__(self, *error: object) -> None:
        self._process.terminate()
        self._process.join()

    def turn(self, until: int) -> None:
        """Let it go on until so many updates are done."""
        load.settle([child.pid or 0 for child in multiprocessing.active_children()])
        self._connection.send(until)
        losses, seconds, used, quality, *self.memory = self._connection.recv()
        self.losses += losses
        self.seconds.append(seconds)
        self.used.append(used)
        self.qualities.append(quality)

    def report(self, every: int, figure: float, higher: bool) -> dict[str, Any]:
        """What a result file says of one program."""
        good = [i for i, q in enumerate(self.qualities) if (q >= figure if higher else q <= figure)]
        until = good[0] + 1 if good else None
        return {
            "seconds_to_quality": sum(self.seconds[:until]) if until else None,
            "updates_to_quality": until * every if until else None,
            "seconds": sum(self.seconds),
            "median_ms_an_update": 1e3 * median(self.seconds) / every,
            "median_cpu_ms_an_update": 1e3 * median(self.used) / every,
            "quality": self.qualities,
            "peak_mib": self.memory[0],
            "peak_mib_above_the_start": self.memory[1],
        }


def race(
    module: str,
    makes: list[str],
    *,
    threads: int,
    updates: int,
    every: int,
    figure: float,
    higher: bool,
    **options: Any,
) -> dict[str, Any]:
    """Run programs in turns, the first of `makes` against each of the others.

    Parameters
    ----------
    module, makes
        Where the programs are made, and the functions there that make them.
    threads, updates, every
        Of each program; every so many updates the others have their turn.
    figure, higher
        The quality to reach, and whether more is better.
    **options
        For the functions, which get the number of updates as well.

    Returns
    -------
    dict
        ``"programs"`` by name; ``"parity"``: how far the first losses of each program are from
        the first one's, relatively; ``"times_faster"``: by how much the first program takes less
        time to the quality, and for an update by the medians.
    """
    given = {**options, "updates": updates}
    with ExitStack() as stack:
        runners = [stack.enter_context(Runner(module, make, threads, given)) for make in makes]
        for until in range(every, updates + 1, every):
            for runner in runners:
                runner.turn(until)
    reports = {r.name: r.report(every, figure, higher) for r in runners}
    first, *others = runners
    parity = {o.name: _apart(first.losses, o.losses) for o in others}
    ours = reports[first.name]
    faster = {}
    for other in others:
        peer = reports[other.name]
        faster[other.name] = {
            word: peer[key] / ours[key] if ours[key] and peer[key] else None
            for word, key in (
                ("to_quality", "seconds_to_quality"),
                ("an_update", "median_ms_an_update"),
                ("cpu_an_update", "median_cpu_ms_an_update"),
            )
        }
    return {"figure": figure, "programs": reports, "parity": parity, "times_faster": faster}


def _apart(a: list[float], b: list[float]) -> float:
    """The largest relative difference of the first losses."""
    pairs = zip(a[:PARITY_UPDATES], b[:PARITY_UPDATES], strict=False)
    return max(abs(x - y) / abs(y) for x, y in pairs)


def report(
    frame: Any,
    name: str,
    times: float | None,
    module: str,
    makes: list[str],
    *,
    given: dict[str, Any],
    **how: Any,
) -> None:
    """Race once for each seed of a frame; figures and gates go into it, no `times`: no gate.

    Raises
    ------
    Skipped
        PyTorch is not installed.
    """
    if importlib.util.find_spec("torch") is None:
        raise Skipped("PyTorch is not here (pip install torch)")
    threads = frame.given.threads or usable_cpus()
    how |= {k: v for k in ("updates", "figure") if (v := getattr(frame.given, k)) is not None}
    metric = f"{name}: times faster to the quality than PyTorch"
    for seed in frame.seeds:
        with frame.run(name, seed) as note:
            found = race(module, makes, threads=threads, seed=seed, **how, **given)
            note.update(found, threads=threads)
        found_times = [entry["to_quality"] or 0.0 for entry in found["times_faster"].values()]
        frame.record(metric, seed, min(found_times))
        for key, word in (("an_update", "faster"), ("cpu_an_update", "less CPU time")):
            times_an_update = min(entry[key] for entry in found["times_faster"].values())
            frame.record(f"{name}: times {word} an update than PyTorch", seed, times_an_update)
        frame.record(f"{name}: losses of 100 updates apart", seed, max(found["parity"].values()))
        ours, *others = found["programs"].values()
        least = min(other["peak_mib"] for other in others)
        frame.record(f"{name}: peak memory beside PyTorch", seed, ours["peak_mib"] / least)
    if times is not None:
        frame.gate(metric, at_least=times)
    frame.gate(f"{name}: losses of 100 updates apart", at_most=PARITY)
    frame.gate(f"{name}: peak memory beside PyTorch", at_most=1.0)


def main(task: str, about: str | None, measure: Any, argv: list[str] | None) -> int:
    """Run a bench; teams of different size have results of their own."""
    parser = options(task, about)
    parser.add_argument("--updates", type=int, default=None, help="default: the bench's own")
    parser.add_argument("--figure", type=float, default=None, help="the quality to reach")
    threads = parser.parse_args(argv).threads or usable_cpus()
    team = "1-thread" if threads == 1 else f"{threads}-threads"
    return frame_main(f"{task}-{team}", about, measure, argv=argv, parser=parser)
