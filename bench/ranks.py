"""K ranks of one thread beside one process of K threads: a language model, the same batches.

``python -m bench.ranks`` takes turns: one process with K threads, K ranks under ``fastrnn launch``
with one thread each, and one process with one thread and 1/K of the rows. The first two do the same
work, so their ratio is what the exchange costs; K times the third is what perfect ranks reach.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import numpy as np

T, V = 64, 96
WARM = 5  # updates before the clock starts


class Size(NamedTuple):
    """H units, N rows a batch, so many updates in a turn."""

    H: int
    N: int
    updates: int


SIZES = (Size(256, 64, 40), Size(512, 32, 16), Size(512, 64, 12))


def work(size: Size) -> None:
    """Train with all ranks; the first prints tokens a second."""
    from fastrnn import distributed
    from fastrnn.data import contiguous_streams
    from fastrnn.models import LanguageModel
    from fastrnn.train import Adam, Trainer

    H, N, updates = size
    dist, rng = distributed.init(), np.random.default_rng(0)
    model = LanguageModel("lstm", V, H, rng=rng)
    data = contiguous_streams(rng.integers(0, V, N * T * 40 + 1), N=N, T=T)
    trainer = Trainer(model, Adam(), rng=rng, dist=dist, max_norm=1.0, progress=False)
    before = trainer.fit(data, updates=WARM).records[-1]["seconds"]
    after = trainer.fit(data, updates=WARM + updates).records[-1]["seconds"]
    if dist.rank == 0:
        print(updates * N * T / (after - before), flush=True)


def rate(size: Size, threads: int, ranks: int) -> float:
    """Tokens a second of one turn, in processes of its own."""
    command = [sys.executable]
    if ranks > 1:
        command += ["-m", "fastrnn.cli", "launch", "-n", str(ranks)]
    command += [str(Path(__file__)), "--worker", json.dumps(size)]
    env = os.environ | {"FASTRNN_NUM_THREADS": str(threads), "OPENBLAS_NUM_THREADS": "1"}
    done = subprocess.run(command, env=env, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(done.stderr)
    return float(done.stdout.splitlines()[-1])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--ranks", type=int, default=2, metavar="K")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--worker", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.worker:
        return work(Size(*json.loads(given.worker)))
    K = given.ranks
    for size in SIZES:
        part = size._replace(N=max(1, size.N // K))
        turns = [
            (rate(size, K, 1), rate(size, 1, K), rate(part, 1, 1)) for _ in range(given.rounds)
        ]
        threads, ranks, one = (statistics.median(column) for column in zip(*turns, strict=True))
        print(
            f"H {size.H}, N {size.N}: {K} threads {threads:,.0f} tokens/s, {K} ranks {ranks:,.0f}, "
            f"ratio {ranks / threads:.2f}; of {K} times one thread's {one:,.0f}: "
            f"{ranks / (K * one):.2f}",
            flush=True,
        )
    return None


if __name__ == "__main__":
    main()
