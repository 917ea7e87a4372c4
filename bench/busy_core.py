"""All threads while another process keeps one core busy, beside one thread of an idle machine.

``python -m bench.busy_core`` times each case in turns: with one thread and the other process
stopped, then with all threads and that process spinning. Ratios are of a whole turn's seconds a
call, so that lost slices of time count, and of the median call. The limit is 1.3.
"""

import argparse
import json
import os
import signal
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

import fastrnn
from bench import grid, machine
from bench.baselines import usable_cpus

LIMIT = 1.3
SPIN = "while True: pass"


class Size(NamedTuple):
    """One layer: N rows of T = 100 steps, I = H; with backward or without."""

    cell: str
    H: int
    N: int
    training: bool


SIZES = [
    Size(cell, H, N, training)
    for cell in ("rnn", "gru", "lstm")
    for H in (32, 128, 256, 512)
    for N in (1, 16, 64)
    for training in (False, True)
    if (H, N) != (512, 64)
]


def work(size: Size) -> Callable[[], object]:
    """A call of the layer on random numbers."""
    rng = np.random.default_rng(0)
    layer = {"rnn": fastrnn.RNN, "gru": fastrnn.GRU, "lstm": fastrnn.LSTM}[size.cell](
        size.H, size.H, rng=rng
    )
    x = rng.standard_normal((100, size.N, size.H), dtype=np.float32)

    def train() -> object:
        *_, tape = layer.forward(x)
        return layer.backward(tape, x)

    return train if size.training else lambda: layer(x)


@contextmanager
def neighbour(cpu: int) -> Iterator[subprocess.Popen[bytes]]:
    """Another process on one CPU, stopped at first."""
    with subprocess.Popen([sys.executable, "-c", SPIN]) as process:
        try:
            os.sched_setaffinity(process.pid, {cpu})
            process.send_signal(signal.SIGSTOP)
            yield process
        finally:
            process.kill()


def turn(run: Callable[[], object], threads: int, seconds: float) -> tuple[float, float]:
    """Seconds a call, on average and in the median."""
    times: list[float] = []
    with fastrnn.threads(threads):
        run()
        begin = time.perf_counter()
        while not times or time.perf_counter() - begin < seconds:
            start = time.perf_counter()
            run()
            times.append(time.perf_counter() - start)
    return statistics.fmean(times), statistics.median(times)


def compare(
    size: Size, threads: int, rounds: int, seconds: float, spinner: subprocess.Popen[bytes]
) -> dict[str, Any]:
    """One case: the medians over the rounds."""
    run, pairs = work(size), []
    for _ in range(rounds):
        alone = turn(run, 1, seconds)
        spinner.send_signal(signal.SIGCONT)
        beside = turn(run, threads, seconds)
        spinner.send_signal(signal.SIGSTOP)
        pairs.append((alone, beside))
    return size._asdict() | {
        "one_thread_ms": 1000 * statistics.median(alone[0] for alone, _ in pairs),
        "busy_ms": 1000 * statistics.median(beside[0] for _, beside in pairs),
        "ratio": statistics.median(beside[0] / alone[0] for alone, beside in pairs),
        "median_call_ratio": statistics.median(beside[1] / alone[1] for alone, beside in pairs),
    }


def main() -> None:
    """Run all cases; print a line for each and how many are above the limit."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--threads", type=int, default=usable_cpus())
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=0.2, help="of a turn")
    parser.add_argument("--out", type=Path, default=grid.result_path("busy_core"))
    options = parser.parse_args()
    rows = []
    with neighbour(max(os.sched_getaffinity(0))) as spinner:
        for size in SIZES:
            row = compare(size, options.threads, options.rounds, options.seconds, spinner)
            rows.append(row)
            print(
                "{cell} H={H} N={N} training={training}: {one_thread_ms:.3f} ms on one thread, "
                "{busy_ms:.3f} on all beside a busy core: {ratio:.2f} "
                "({median_call_ratio:.2f})".format(**row),
                flush=True,
            )
    above = [row for row in rows if row["ratio"] > LIMIT]
    print(
        f"{len(above)} of {len(rows)} above {LIMIT}; greatest {max(r['ratio'] for r in rows):.2f}"
    )
    found = {"machine": machine.as_json(machine.describe()), "threads": options.threads}
    options.out.write_text(json.dumps(found | {"rows": rows}, indent=1) + "\n")


if __name__ == "__main__":
    main()
