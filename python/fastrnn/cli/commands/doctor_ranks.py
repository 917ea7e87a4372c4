"""``fastrnn doctor --dist``: what ranks cost here, and the efficiency to expect of more of them."""

import os
import platform
from itertools import islice, pairwise
from time import perf_counter
from typing import Any, NamedTuple

import numpy as np

import fastrnn
from fastrnn._row_gradient import RowGradient
from fastrnn.cli.commands.doctor import usable_cores
from fastrnn.cli.commands.ranks import ranks_of
from fastrnn.distributed import Comm, SerialComm, init
from fastrnn.train._efficiency import Gradients, Network, Table, efficiency, exchange_seconds
from fastrnn.train._ranks import Arena
from fastrnn.train._trees import flatten

SIZES = (2**10, 2**22, 2**25)  # bytes of a sum
MORE = (4, 8, 16, 32, 64)  # ranks that are predicted beside those there are
WAYS = tuple((k, halved) for k in (1, 4) for halved in (False, True))  # accumulate, bfloat16
ROUNDS = 2  # of what is timed, of which the shorter counts


class Example(NamedTuple):
    """A language model with an LSTM of H units, and what is timed of it.

    A rank's part of a batch has N rows of T symbols; a figure is of updates by so many batches.
    """

    name: str
    V: int
    H: int
    N: int
    T: int
    batches: int


EXAMPLES = (
    Example("characters", V=96, H=256, N=32, T=32, batches=4),
    Example("words", V=30_000, H=256, N=32, T=35, batches=1),
)


def run_ranks_doctor() -> None:
    """Print a line for each rank, how fast they add, and what updates cost them and would cost."""
    dist = init()
    mine, cores = usable_cores()
    line = (
        f"rank {dist.rank}: host {platform.node()}, process {os.getpid()}, {mine} cores of "
        f"{cores}, {fastrnn.get_num_threads()} threads, {fastrnn.isa()}"
    )
    lines = dist.allgatherv(np.frombuffer(line.encode(), np.uint8))

    def write(line: str) -> None:
        if dist.rank == 0:
            print(line, flush=True)

    for each in lines:
        write(each.tobytes().decode())
    write(ranks_of(dist) + ("" if dist.size > 1 else ": start this with fastrnn launch"))
    if dist.size == 1:
        return
    seconds = [_seconds_of_a_sum(dist, size) for size in SIZES]
    for size, took in zip(SIZES, seconds, strict=True):
        write(f"sum of {size // 2**10} KiB: {took * 1e3:.3f} ms, {size / took / 1e9:.2f} GB/s")
    network = Network.measured(dist.size, seconds[0], seconds[-1], SIZES[-1])
    write(
        f"network: {network.latency * 1e6:.0f} us a call of two ranks, "
        f"{network.bandwidth / 1e9:.3f} GB/s from each rank"
    )
    for example in EXAMPLES:
        _report(dist, example, network, write)


def _report(dist: Comm, example: Example, network: Network, write: Any) -> None:
    """Measure a model alone and together, and print both beside what is predicted."""
    V, H, N, T = example[1:5]
    gradients = {k: _gradients(example, k) for k, _ in WAYS}
    weights = gradients[1].whole + sum(table.V * table.E for table in gradients[1].tables)
    write("")
    write(
        f"{example.name}: LSTM of {H} units and {V:,} symbols, {weights:,} weights; "
        f"{N} x {T} symbols a rank and batch"
    )
    others = [n for n in MORE if n > dist.size]
    head = "".join(f"{n:>6}" for n in (dist.size, *others))
    write(f"{'':25}{'alone':>10}{'sent':>11}{'together':>10}  efficiency; predicted of{head}")
    alone = {k: _seconds(dist, SerialComm(), example, k, False) for k in sorted(gradients)}
    for k, halved in WAYS:
        together = _seconds(dist, dist, example, k, halved)
        work = _seconds_of_work(gradients[k], halved)
        predicted = [
            efficiency(alone[k], exchange_seconds(n, gradients[k], halved, network, work))
            for n in (dist.size, *others)
        ]
        sent = gradients[k].sent(dist.size, halved)
        write(
            f"accumulate {k}, {'bfloat16' if halved else 'float32':9}   {alone[k] * 1e3:7.1f} ms"
            f" {sent / 1e6:7.2f} MB {together * 1e3:6.1f} ms {alone[k] / together:11.0%}{'':14}"
            + "".join(f"{each:6.0%}" for each in predicted)
        )


def _seconds_of_a_sum(dist: Comm, size: int) -> float:
    row = np.ones(size // 4, np.float32)
    seconds = []
    for _ in range(50 if size == SIZES[0] else 5):
        dist.barrier()
        start = perf_counter()
        dist.allreduce_(row)
        seconds.append(perf_counter() - start)
    return min(seconds)


def _parts(example: Example, ranks: int, batches: int) -> tuple[Any, Any]:
    """Return the model, and batches of symbols, some of which are frequent as in a text."""
    from fastrnn.data import contiguous_streams
    from fastrnn.models import LanguageModel

    V, H, N, T = example[1:5]
    rng = np.random.default_rng(0)
    model = LanguageModel("lstm", V, H, rng=rng)
    share = 1 / (np.arange(V) + 2.7)  # G. K. Zipf's law, with B. Mandelbrot's shift
    tokens = rng.choice(V, N * ranks * T * batches + 1, p=share / share.sum())
    return model, contiguous_streams(tokens, N=N * ranks, T=T)


def _gradients(example: Example, k: int) -> Gradients:
    """Return what a rank sends of an update of k batches."""
    from fastrnn.ops import value_and_grad

    model, data = _parts(example, 1, k)
    differentiate = value_and_grad(model.loss, rows="exact")
    whole, used = 0, dict[str, RowGradient]()
    for batch in islice(data, k):
        whole, grads = 0, differentiate(model.params, batch)[1]
        for name, grad in flatten("grads", grads, rows=True).items():
            if isinstance(grad, RowGradient):
                rows = np.union1d(used[name].rows, grad.rows) if name in used else grad.rows
                used[name] = RowGradient(rows, np.zeros((len(rows), grad.shape[1])), grad.shape)
            else:
                whole += grad.size
    tables = tuple(Table(*grad.shape, len(grad.rows)) for grad in used.values())
    return Gradients(whole, tables, 4)


def _seconds_of_work(gradients: Gradients, halved: bool) -> float:
    """Return how long a rank alone gathers and rounds such gradients."""
    arrays: dict[str, Any] = {"whole": np.zeros(gradients.whole, np.float32)}
    own = dict(arrays)
    for number, (V, E, U) in enumerate(gradients.tables):
        arrays[f"table {number}"] = np.zeros((V, E), np.float32)
        own[f"table {number}"] = RowGradient(np.arange(U), np.zeros((U, E), np.float32), (V, E))
    arena, seconds = Arena(halved), []
    for _ in range(1 + ROUNDS):
        start = perf_counter()
        arena.sum(SerialComm(), arrays, own, 0.5, "exact")
        seconds.append(perf_counter() - start)
    return min(seconds[1:])


def _seconds(dist: Comm, trained: Comm, example: Example, k: int, halved: bool) -> float:
    """Return the seconds of an update when all ranks train, together or each for itself."""
    from fastrnn.train import Adam, Trainer

    step = max(1, example.batches // k)
    ends = [1, *(1 + step * n for n in range(1, 1 + ROUNDS))]  # the first update is not timed
    model, data = _parts(example, trained.size, k * ends[-1])
    trainer = Trainer(
        model, Adam(), max_norm=1.0, progress=False, dist=trained, accumulate=k,
        exchange="bfloat16" if halved else None,
    )  # fmt: skip
    seconds: list[float] = []
    for updates in ends:
        dist.barrier()
        seconds.append(trainer.fit(data, updates=updates).records[-1]["seconds"] or 0.0)
    return min(b - a for a, b in pairwise(seconds)) / step
