"""Times libraries against each other in turns, A B C A B C …, each in a process of its own."""

import dataclasses
import json
import math
import os
import statistics
import subprocess
import sys
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from bench import load
from bench.cases import Case

ROOT = Path(__file__).resolve().parent.parent
THREAD_VARIABLES = (
    "FASTRNN_NUM_THREADS",
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
)
AGREEMENT = 1e-2  # of the rms; answers are proven in bench_cells, this only catches different work


class WorkerDiedError(RuntimeError):
    """A worker's process ended in the middle of a conversation."""


class Worker:
    """The parent's end of one ``bench.worker`` process."""

    def __init__(self, name: str, cpus: list[int]) -> None:
        env = os.environ | dict.fromkeys(THREAD_VARIABLES, str(len(cpus)))
        self.name = name
        self.process = subprocess.Popen(
            [sys.executable, "-m", "bench.worker", name, ",".join(map(str, cpus))],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=ROOT,
            env=env,
            start_new_session=True,  # Ctrl-C is for the parent: it keeps what was measured
        )

    def ask(self, **request: Any) -> dict[str, Any]:
        """Send a request and wait for its reply.

        Raises
        ------
        WorkerDiedError
            When the process has ended.
        """
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        try:
            self.process.stdin.write(json.dumps(request) + "\n")
            self.process.stdin.flush()
            line = self.process.stdout.readline()
        except BrokenPipeError:
            line = ""
        if not line:
            code = self.process.wait()
            raise WorkerDiedError(f"the process of {self.name} ended with code {code}")
        reply: dict[str, Any] = json.loads(line)
        return reply

    def close(self) -> None:
        """End the process."""
        self.process.kill()
        self.process.communicate()


class Team:
    """Workers for several libraries on the same CPUs; use it in a with statement.

    Parameters
    ----------
    names : list of str
        Peers of `bench.baselines`; the first is the one that the others are compared with.
    threads : int
        Each worker is confined to that many CPUs, on as many cores as there are.
    """

    def __init__(self, names: list[str], threads: int) -> None:
        self.cpus = cpus_of_distinct_cores(threads)
        self.workers = {name: Worker(name, self.cpus) for name in names}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for worker in self.workers.values():
            worker.close()

    def ask(self, name: str, **request: Any) -> dict[str, Any]:
        """Ask one worker; one that died is replaced and its death is the reply."""
        try:
            return self.workers[name].ask(**request)
        except WorkerDiedError as death:
            self.workers[name] = Worker(name, self.cpus)
            return {"failed": str(death)}

    def measure(self, case: Case, rounds: int, seconds: float) -> dict[str, Any]:
        """Time one case in turns and return its record.

        Parameters
        ----------
        case : Case
        rounds : int
            How often each library has its turn.
        seconds : float
            How long a turn is; a call that takes longer is timed once a turn.

        Returns
        -------
        dict
            The case's fields, ``id``, ``flops``, ``bytes``, ``foreign_cpu`` and ``peers``: for each
            library either ``refused`` or ``failed`` with the reason, or ``min_ms``, ``median_ms``
            and, for all but the first, ``ratio`` (median over rounds of its time / the first's),
            ``ratio_low``, ``ratio_high`` (95 % interval of that median) and ``agrees``.
        """
        fields = dataclasses.asdict(case)
        peers = {name: self.ask(name, do="prepare", case=fields) for name in self.workers}
        ready = [name for name, reply in peers.items() if "sample" in reply]
        turns: dict[str, list[list[float]]] = {name: [] for name in ready}
        pids = [worker.process.pid for worker in self.workers.values()]
        before = load.usage(pids)
        for _ in range(rounds):
            for name in list(turns):
                load.settle(pids)
                reply = self.ask(name, do="turn", seconds=seconds)
                if "failed" in reply:
                    peers[name] = reply
                    del turns[name]
                else:
                    turns[name].append(reply["seconds"])
        return {
            **fields,
            "id": case.id,
            "flops": case.flops(),
            "bytes": case.bytes(),
            "foreign_cpu": load.foreign_share(before, load.usage(pids)),
            "peers": {name: self._record(name, peers, turns) for name in peers},
        }

    def _record(
        self, name: str, peers: dict[str, Any], turns: dict[str, list[list[float]]]
    ) -> dict[str, Any]:
        if name not in turns:
            return {k: v for k, v in peers[name].items() if k in ("refused", "failed")}
        times = [seconds for turn in turns[name] for seconds in turn]
        record: dict[str, Any] = {
            "min_ms": min(times) * 1e3,
            "median_ms": statistics.median(times) * 1e3,
        }
        base = next(iter(self.workers))
        if name != base and base in turns:
            ratios = [
                statistics.median(theirs) / statistics.median(ours)
                for theirs, ours in zip(turns[name], turns[base], strict=True)
            ]
            low, high = median_interval(ratios)
            record |= {
                "ratio": statistics.median(ratios),
                "ratio_low": low,
                "ratio_high": high,
                "agrees": agree(peers[name]["sample"], peers[base]["sample"]),
            }
        return record


def median_interval(values: list[float], confidence: float = 0.95) -> tuple[float, float]:
    """The narrowest pair of order statistics that holds the median with this confidence.

    Notes
    -----
    A value lies below the median with probability 1/2, so the k-th smallest and k-th largest of n
    miss it with probability 2·P(Binomial(n, 1/2) < k). Below 6 values not even the extremes reach
    95 %; they are what you get.
    """
    values, n = sorted(values), len(values)
    k = 1
    while 2 * sum(math.comb(n, j) for j in range(k + 1)) / 2**n <= 1 - confidence:
        k += 1
    return values[k - 1], values[n - k]


def agree(sample: dict[str, Any], reference: dict[str, Any]) -> bool:
    """Whether two answers, as far as sampled, are the same to about a hundredth."""
    if sample.keys() != reference.keys():
        return False
    return all(
        abs(a - b) <= AGREEMENT * max(abs(b), reference[name]["rms"])
        for name in reference
        for a, b in zip(sample[name]["numbers"], reference[name]["numbers"], strict=True)
    )


def cpus_of_distinct_cores(count: int) -> list[int]:
    """CPUs this process may use, one of each core first, then the cores' other CPUs.

    Raises
    ------
    ValueError
        When there are fewer than `count`.
    """
    if not hasattr(os, "sched_getaffinity"):
        return list(range(count))
    usable = sorted(os.sched_getaffinity(0))
    if count > len(usable):
        raise ValueError(f"threads must be at most {len(usable)}, the usable CPUs, got {count}")
    ranked: list[tuple[int, str, int]] = []
    for cpu in usable:
        siblings = Path(f"/sys/devices/system/cpu/cpu{cpu}/topology/thread_siblings_list")
        core = siblings.read_text() if siblings.exists() else str(cpu)
        taken = sum(other == core for _, other, _ in ranked)
        ranked.append((taken, core, cpu))
    return [cpu for _, _, cpu in sorted(ranked, key=lambda entry: (entry[0], entry[2]))][:count]
