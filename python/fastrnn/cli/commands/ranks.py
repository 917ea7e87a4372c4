"""``fastrnn selftest --dist``: do ranks learn what one process learns?"""

from typing import Any

import numpy as np

from fastrnn.distributed import Comm, SerialComm, init
from fastrnn.train._trees import flatten

UPDATES = 20
BOUND = 1e-10  # float64: sums in another order, and Adam's first steps


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
        print(f"{ranks_of(dist)}: {UPDATES} updates as of one process, largest error {worst:.1e}")
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


def ranks_of(dist: Comm) -> str:
    """Return how many they are, in words."""
    return "1 rank" if dist.size == 1 else f"{dist.size} ranks"
