"""``--dist`` of selftest and doctor: do ranks learn what one process learns, and at what cost?"""

import os
import platform
from time import perf_counter
from typing import Any

import numpy as np

import fastrnn
from fastrnn.cli.commands.doctor import usable_cores
from fastrnn.distributed import Comm, SerialComm, init
from fastrnn.train._trees import flatten

UPDATES = 20
BOUND = 1e-10  # float64: sums in another order, and Adam's first steps
SIZES = (2**10, 2**22, 2**25)  # bytes of an allreduce
V, H, N, T = 96, 256, 32, 32  # the language model whose updates doctor times; N rows are a rank's
WARM, TIMED = 2, 5  # its updates before the clock starts, and those of one figure


def run_ranks_selftest() -> None:
    """Train a small model with all ranks and with one; raise if they have not learned the same."""
    dist = init()
    together, alone = _learned(dist), _learned(SerialComm())
    worst = max(
        float(np.abs(together[name] - array).max() / np.abs(array).max())
        for name, array in alone.items()
    )
    if not worst <= BOUND:
        raise ValueError(f"rank {dist.rank} of {dist.size} is {worst:.1e} away from one process")
    if dist.rank == 0:
        print(f"{_ranks(dist)}: {UPDATES} updates as of one process, largest error {worst:.1e}")
        print("all right")


def _learned(dist: Comm) -> dict[str, Any]:
    """Return the weights of a language model with a carried state and rows that do not divide."""
    from fastrnn.data import contiguous_streams
    from fastrnn.models import LanguageModel
    from fastrnn.train import Adam, Trainer

    rng = np.random.default_rng(0)
    model = LanguageModel("lstm", 9, 24, dtype=np.float64, rng=rng)
    N = 2 * init().size + 1
    data = contiguous_streams(rng.integers(0, 9, N * 60 + 1), N=N, T=8)
    trainer = Trainer(model, Adam(), max_norm=0.5, rng=rng, progress=False, dist=dist)
    trainer.fit(data, updates=UPDATES)
    return flatten("params", model.params)


def run_ranks_doctor() -> None:
    """Print a line for each rank, how fast they add, and what an update costs them."""
    dist = init()
    mine, cores = usable_cores()
    line = (
        f"rank {dist.rank}: host {platform.node()}, process {os.getpid()}, {mine} cores of "
        f"{cores}, {fastrnn.get_num_threads()} threads, {fastrnn.isa()}"
    )
    lines = dist.allgatherv(np.frombuffer(line.encode(), np.uint8))
    if dist.rank == 0:
        print("\n".join(each.tobytes().decode() for each in lines))
        print(_ranks(dist) + ("" if dist.size > 1 else ": start this with fastrnn launch"))
    for size in SIZES if dist.size > 1 else ():
        row = np.ones(size // 4, np.float32)
        seconds = []
        for _ in range(5):
            dist.barrier()
            start = perf_counter()
            dist.allreduce_(row)
            seconds.append(perf_counter() - start)
        if dist.rank == 0:
            rate = size / min(seconds) / 1e9
            print(f"sum of {size // 2**10} KiB: {min(seconds) * 1e3:.3f} ms, {rate:.2f} GB/s")
    if dist.size > 1:
        alone, _ = _seconds(dist, SerialComm())
        together, weights = _seconds(dist, dist)
        if dist.rank == 0:
            print(
                f"update of {weights:,} weights by {N * T:,} symbols a rank: "
                f"{alone * 1e3:.1f} ms without the others, {together * 1e3:.1f} ms with them, "
                f"efficiency {alone / together:.0%}"
            )


def _seconds(dist: Comm, trained: Comm) -> tuple[float, int]:
    """Return the seconds of an update when all ranks train, together or each for itself."""
    from fastrnn.data import contiguous_streams
    from fastrnn.models import LanguageModel
    from fastrnn.train import Adam, Trainer

    rng, rows = np.random.default_rng(0), N * trained.size
    model = LanguageModel("lstm", V, H, rng=rng)
    data = contiguous_streams(rng.integers(0, V, rows * T * (WARM + 2 * TIMED) + 1), N=rows, T=T)
    trainer = Trainer(model, Adam(), max_norm=1.0, rng=rng, progress=False, dist=trained)
    ends: list[float] = []
    for updates in (WARM, WARM + TIMED, WARM + 2 * TIMED):
        dist.barrier()
        ends.append(trainer.fit(data, updates=updates).records[-1]["seconds"] or 0.0)
    weights = sum(array.size for array in flatten("params", model.params).values())
    return min(np.diff(ends)) / TIMED, weights


def _ranks(dist: Comm) -> str:
    return "1 rank" if dist.size == 1 else f"{dist.size} ranks"
