"""Peak memory of one layer beside PyTorch's, forward and in training, in a process of its own each.

``python -m bench.memory`` prints how far the resident memory rises above what it was before the
call, in MiB and, less the call's results (y, and in training the gradients), in floats for each of
the T·N·H elements of y. From the shortest and the longest sequence follow the floats that each
further element costs, and the rest, which does not grow with T: packed weights, the chunk of rows
at work, and unfinished pages. The limits in training: LSTM 5, GRU 4, RNN 1. Linux only.
"""

import argparse
import itertools
import json
import multiprocessing
from pathlib import Path
from typing import Any

import numpy as np

from bench import grid, machine

KEPT = {"LSTM": 5, "GRU": 4, "RNN": 1}
MIB = 1 << 20


def status(key: str) -> int:
    """A size of this process in bytes, as Linux tells it."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) << 10 for line in lines if line.startswith(key + ":"))


def rise(run: Any, x: Any) -> int:
    """Bytes by which resident memory rises while run(x) is at work, after a short run."""
    run(x[:2])
    Path("/proc/self/clear_refs").write_text("5")  # the peak begins anew
    before = status("VmRSS")
    results = run(x)
    peak = status("VmHWM") - before
    del results
    return peak


def fastrnn_run(kind: str, H: int, training: bool) -> Any:
    """What it is to call, or to train, fastrnn's layer; it returns all results."""
    import fastrnn

    layer = getattr(fastrnn, kind)(H, H, rng=np.random.default_rng(0))

    def train(x: Any) -> Any:
        y, state, tape = layer.forward(x)
        return y, state, layer.backward(tape, x)

    return train if training else layer


def torch_run(kind: str, H: int, training: bool) -> Any:
    """The same of PyTorch's."""
    import torch

    layer = getattr(torch.nn, kind)(H, H)

    def train(x: Any) -> Any:
        given = torch.from_numpy(x).requires_grad_()
        y, state = layer(given)
        y.backward(torch.from_numpy(x))
        return y, state, given.grad

    def infer(x: Any) -> Any:
        with torch.inference_mode():
            return layer(torch.from_numpy(x))

    return train if training else infer


def measure(program: str, kind: str, T: int, N: int, H: int, training: bool) -> int:
    """Run in a fresh process: bytes of the rise."""
    runs = {"fastrnn": fastrnn_run, "torch": torch_run}
    x = np.random.default_rng(0).standard_normal((T, N, H), dtype=np.float32)
    return rise(runs[program](kind, H, training), x)


def result_bytes(kind: str, T: int, N: int, H: int, training: bool) -> int:
    """What a call hands to its caller: y, and in training the gradients by x and the weights."""
    gates = {"LSTM": 4, "GRU": 3, "RNN": 1}[kind]
    return 4 * (T * N * H * (2 if training else 1) + (2 * gates * H * H if training else 0))


def growth(first: dict[str, Any], last: dict[str, Any], program: str) -> tuple[float, float]:
    """Floats beyond results for each further element of y, and MiB of what does not grow."""
    (kind, T, N, H, training) = (first[k] for k in ("kind", "T", "N", "H", "training"))
    elements = (last["T"] - T) * N * H
    beyond = [
        row[program + "_mib"] * MIB - result_bytes(kind, row["T"], N, H, training)
        for row in (first, last)
    ]
    floats = (beyond[1] - beyond[0]) / (4 * elements)
    return floats, (beyond[0] - floats * 4 * T * N * H) / MIB


def case(kind: str, T: int, N: int, H: int, training: bool) -> dict[str, Any]:
    """Both programs, one after the other."""
    row: dict[str, Any] = {"kind": kind, "T": T, "N": N, "H": H, "training": training}
    results = result_bytes(kind, T, N, H, training)
    for program in ("fastrnn", "torch"):
        with multiprocessing.get_context("spawn").Pool(1) as pool:
            peak = pool.apply(measure, (program, kind, T, N, H, training))
        row[program + "_mib"] = peak / MIB
        row[program + "_floats"] = (peak - results) / (4 * T * N * H)
    return row | {"ratio": row["torch_mib"] / row["fastrnn_mib"], "kept": KEPT[kind]}


def main() -> None:
    """Print a line for each case."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, nargs="+", default=[200, 400])
    parser.add_argument("--rows", type=int, default=64)
    parser.add_argument("--hidden", type=int, nargs="+", default=[128, 256])
    parser.add_argument("--out", type=Path, default=grid.result_path("memory"))
    options = parser.parse_args()
    rows, growths = [], []
    for kind, H, training in itertools.product(KEPT, options.hidden, (False, True)):
        cases = [case(kind, T, options.rows, H, training) for T in sorted(options.steps)]
        for row in cases:
            print(
                "{kind} H={H} N={N} T={T} training={training}: fastrnn {fastrnn_mib:.1f} MiB "
                "({fastrnn_floats:.2f} floats beyond results), PyTorch {torch_mib:.1f} "
                "({torch_floats:.2f}), {ratio:.2f} times as much".format(**row),
                flush=True,
            )
        rows += cases
        if len(cases) > 1:
            found = {name: growth(cases[0], cases[-1], name) for name in ("fastrnn", "torch")}
            growths.append({"kind": kind, "H": H, "training": training} | found)
            print(
                "  each further element of y costs {:.2f} floats, all else {:.2f} MiB; "
                "PyTorch {:.2f}, {:.2f}".format(*found["fastrnn"], *found["torch"]),
                flush=True,
            )
    results = {"machine": machine.as_json(machine.describe()), "rows": rows, "growth": growths}
    options.out.write_text(json.dumps(results, indent=1) + "\n")


if __name__ == "__main__":
    main()
