"""The decoder with attention beside an idiomatic PyTorch loop: forward and backward, in turns.

``python -m bench.attention`` prints, for each size, the median time of both and the median of the
rounds' ratios, by the clock and by the processor time of all threads, which busy neighbours change
less. ``--out FILE`` also writes them as JSON. Sizes are those of an encoder that reads in both
directions: memory has 2·H columns.
"""

import argparse
import json
import os
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import autograd.numpy as anp
import numpy as np

import fastrnn
from bench import load, machine
from bench.baselines import usable_cpus
from bench.peer_torch_attention import torch_decoder
from fastrnn import ops


class Size(NamedTuple):
    """S and T source and target steps, N rows, H hidden units; A and E are H, C is 2·H."""

    cell: str
    H: int
    N: int
    S: int = 30
    T: int = 30


SIZES = [
    Size("gru", 128, 32), Size("lstm", 128, 32), Size("gru", 256, 64), Size("lstm", 256, 64),
]  # fmt: skip


class Problem(NamedTuple):
    """The numbers of a size, the same for everybody; g weighs the results in the loss."""

    size: Size
    params: dict[str, np.ndarray]
    x: np.ndarray
    memory: np.ndarray
    g: tuple[np.ndarray, np.ndarray]


def problem(size: Size) -> Problem:
    """Draw the numbers of a size in float32."""
    rng = np.random.default_rng(0)
    H, C = size.H, 2 * size.H
    rows = H * (3 if size.cell == "gru" else 4)
    shapes = {
        "weight_ih": (rows, H + C), "weight_hh": (rows, H), "bias_ih": (rows,), "bias_hh": (rows,),
        "weight_query": (H, H), "weight_key": (H, C), "bias_key": (H,), "vector": (H,),
    }  # fmt: skip

    def normal(*shape: int) -> np.ndarray:
        return rng.standard_normal(shape, dtype=np.float32)

    params = {n: normal(*shape) / np.float32(H**0.5) for n, shape in shapes.items()}
    g = normal(size.T, size.N, H), normal(size.T, size.N, C)
    return Problem(size, params, normal(size.T, size.N, H), normal(size.S, size.N, C), g)


def run_fastrnn(p: Problem, threads: int) -> Callable[[], float]:
    """One loss and its gradient by weights, inputs and memory."""

    def loss(given: dict[str, Any]) -> Any:
        outputs, contexts, _, _ = ops.attention_decoder(
            given["x"], given["memory"], given["params"], cell=p.size.cell
        )
        return anp.sum(p.g[0] * outputs) + anp.sum(p.g[1] * contexts)

    differentiate = ops.value_and_grad(loss)
    given = {"params": p.params, "x": p.x, "memory": p.memory}

    def update() -> float:
        with fastrnn.threads(threads):
            return float(differentiate(given)[0])

    return update


def run_torch(p: Problem, threads: int) -> Callable[[], float]:
    """The same with PyTorch."""
    torch, decode, weights = torch_decoder(p.params, p.size.cell, threads)
    x, memory = (torch.from_numpy(a).requires_grad_() for a in (p.x, p.memory))
    g = [torch.from_numpy(a) for a in p.g]

    def update() -> float:
        for leaf in (*weights, x, memory):
            leaf.grad = None
        outputs, contexts, _ = decode(x, memory)
        loss = (g[0] * outputs).sum() + (g[1] * contexts).sum()
        loss.backward()
        return float(loss.detach())

    return update


def race(size: Size, threads: int, rounds: int) -> dict[str, Any]:
    """Time both in turns."""
    numbers = problem(size)
    runs = {"fastrnn": run_fastrnn(numbers, threads), "torch": run_torch(numbers, threads)}
    values = {name: run() for name, run in runs.items()}
    np.testing.assert_allclose(values["fastrnn"], values["torch"], rtol=1e-3)
    times: dict[str, list[float]] = {name: [] for name in runs}
    costs: dict[str, list[float]] = {name: [] for name in runs}
    for _ in range(rounds):
        for name, run in runs.items():
            load.settle([os.getpid()])
            run()
            start, cost = time.perf_counter(), time.process_time()
            run()
            costs[name].append(time.process_time() - cost)
            times[name].append(time.perf_counter() - start)
    result = {**size._asdict(), "threads": threads, "rounds": rounds}
    for kind, found in (("", times), ("cpu_", costs)):
        ratios = [b / a for a, b in zip(found["fastrnn"], found["torch"], strict=True)]
        result |= {f"{n}_{kind}ms": 1000 * statistics.median(each) for n, each in found.items()}
        result |= {f"{kind}ratio": statistics.median(ratios)}
        result |= {f"{kind}ratio_range": [min(ratios), max(ratios)]}
    return result


def main() -> None:
    """Run the sizes and print a line for each."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--threads", type=int, default=usable_cpus())
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    rows = []
    for size in SIZES:
        rows.append(race(size, options.threads, options.rounds))
        line = (
            "{cell} H={H} N={N}: {fastrnn_ms:.2f} ms, PyTorch {torch_ms:.2f}, {ratio:.2f} times as "
            "fast; processor time {fastrnn_cpu_ms:.2f} and {torch_cpu_ms:.2f}, {cpu_ratio:.2f}"
        )
        print(line.format(**rows[-1]), flush=True)
    if options.out is not None:
        found = {"machine": machine.as_json(machine.describe()), "load": os.getloadavg()}
        options.out.write_text(json.dumps(found | {"rows": rows}, indent=1) + "\n")


if __name__ == "__main__":
    main()
