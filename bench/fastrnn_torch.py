"""fastrnn.torch beside torch.nn in one training loop: forward, loss, backward, an optimiser's step.

    python -m bench.fastrnn_torch --threads 1 --hidden 64 128 256 512

Both modules have the same weights and see the same batch. They take turns, update by update; the
table gives the least time of each, the ratio of these, and the median of the ratios of neighbours.
Packed: lengths spread evenly over 1..T.
"""

import argparse
import itertools
import json
import statistics
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch

import fastrnn.torch

KINDS = ("LSTM", "GRU", "RNN")


def pair(kind: str, H: int, layers: int) -> dict[str, Any]:
    """torch.nn's module and ours, with equal weights."""
    there = getattr(torch.nn, kind)(H, H, layers)
    here = getattr(fastrnn.torch, kind)(H, H, layers)
    here.load_state_dict(there.state_dict())
    return {"torch.nn": there, "fastrnn.torch": here}


def batch(T: int, N: int, H: int, packed: bool) -> Any:
    """A random input (T, N, H), or a packed sequence of it."""
    x = torch.from_numpy(np.random.default_rng(0).standard_normal((T, N, H), dtype=np.float32))
    if not packed:
        return x
    lengths = np.linspace(1, T, N).round().astype(np.int64)[::-1].copy()
    return torch.nn.utils.rnn.pack_padded_sequence(x, torch.from_numpy(lengths))


def update(module: Any, optimiser: Any, x: Any) -> None:
    """One step of an ordinary training loop."""
    optimiser.zero_grad()
    y, _ = module(x)
    data = y.data if isinstance(y, torch.nn.utils.rnn.PackedSequence) else y
    data.square().mean().backward()
    optimiser.step()


def measure(kind: str, H: int, layers: int, packed: bool, args: Any) -> dict[str, Any]:
    """Milliseconds an update of both, and how many times ours is as fast."""
    modules, x = pair(kind, H, layers), batch(args.steps, args.rows, H, packed)
    optimisers = {n: torch.optim.SGD(m.parameters(), lr=1e-3) for n, m in modules.items()}
    times: dict[str, list[float]] = {name: [] for name in modules}
    for name, module in modules.items():
        update(module, optimisers[name], x)
    end = time.perf_counter() + args.seconds
    while len(times["torch.nn"]) < args.least or time.perf_counter() < end:
        for name, module in modules.items():
            start = time.perf_counter()
            update(module, optimisers[name], x)
            times[name].append(time.perf_counter() - start)
    ratios = [a / b for a, b in zip(*times.values(), strict=True)]
    row = {"kind": kind, "H": H, "layers": layers, "packed": packed}
    milliseconds = {name: 1e3 * min(found) for name, found in times.items()}
    least = milliseconds["torch.nn"] / milliseconds["fastrnn.torch"]
    return row | milliseconds | {"ratio": least, "median_ratio": statistics.median(ratios)}


def main() -> None:
    """Print the table, and write it if asked to."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--kinds", nargs="+", choices=KINDS, default=KINDS)
    parser.add_argument("--hidden", type=int, nargs="+", default=[64, 128, 256, 512])
    parser.add_argument("--layers", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--steps", type=int, default=50, help="T")
    parser.add_argument("--rows", type=int, default=32, help="N")
    parser.add_argument("--seconds", type=float, default=1.0, help="of each line")
    parser.add_argument("--least", type=int, default=5, help="updates of each module")
    parser.add_argument("--out", type=Path, help="a JSON file")
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    fastrnn.set_num_threads(args.threads)
    rows = []
    print(f"T={args.steps} N={args.rows} float32, {args.threads} threads, milliseconds an update")
    for packed, kind, layers, H in itertools.product(
        (False, True), args.kinds, args.layers, args.hidden
    ):
        row = measure(kind, H, layers, packed, args)
        rows.append(row)
        print(
            f"{kind:4} H={H:<4} L={layers} {'packed' if packed else 'padded'}  "
            f"{row['torch.nn']:8.2f} {row['fastrnn.torch']:8.2f}  {row['ratio']:5.2f}x "
            f"{row['median_ratio']:5.2f}x",
            flush=True,
        )
    if args.out is not None:
        about = {"torch": torch.__version__, "fastrnn": fastrnn.__version__, "isa": fastrnn.isa()}
        about |= {"threads": args.threads, "steps": args.steps, "rows_in_batch": args.rows}
        args.out.write_text(json.dumps(about | {"rows": rows}, indent=1) + "\n")


if __name__ == "__main__":
    main()
