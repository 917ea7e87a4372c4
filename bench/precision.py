"""What int8 and bfloat16 gain over float32, and how other libraries do with them.

    python -m bench.precision --cells lstm,gru_after --hidden 128,512 --batch 1,16,64 --threads 1,2

Forward of one layer of T = 50 steps, weights packed or quantised before the clock starts; with
`--training` also forward and backward, of float32 and bfloat16. Libraries take turns, each in a
process of its own; a figure is a median over the rounds.
"""

import argparse
import sys
from pathlib import Path
from typing import Any

from bench import baselines, grid, table
from bench.cases import Case

STEPS = 50


def main(argv: list[str] | None = None) -> int:
    """Run the command line; the exit codes are those of `bench.grid.store`."""
    options = _parser().parse_args(argv)
    selected = [
        Case("grid", cell, STEPS, N, H, H, training, threads=threads)
        for training in ((False, True) if options.training else (False,))
        for threads in options.threads
        for cell in options.cells
        for H in options.hidden
        for N in options.batch
    ]
    others = [
        name for name in ("onednn", *baselines.FEW_BITS) if baselines.peer_class(name).importable()
    ]
    results = grid.run(selected, [table.BASE, *others], options.rounds, options.turn_ms / 1e3)
    print("\n" + gains(results["records"]))
    return grid.store(results, options.out, draw=False)


def _parser() -> argparse.ArgumentParser:
    def words(text: str) -> list[str]:
        return text.split(",")

    def numbers(text: str) -> list[int]:
        return [int(word) for word in text.split(",")]

    parser = argparse.ArgumentParser(prog="python -m bench.precision", description=__doc__)
    add = parser.add_argument
    add("--cells", type=words, default=["lstm", "gru_after", "gru_before", "rnn_tanh"])
    add("--hidden", type=numbers, default=[128, 256, 512, 1024], help="values of H = I")
    add("--batch", type=numbers, default=[1, 16, 64], help="values of N")
    add("--threads", type=numbers, default=sorted({1, baselines.usable_cpus()}))
    add("--training", action="store_true", help="forward and backward, too")
    add("--rounds", type=int, default=7, help="turns of each library in each case")
    add("--turn-ms", type=float, default=50, help="length of a turn")
    add("--out", type=Path, default=grid.result_path("precision"), help="JSON")
    return parser


def gains(records: list[dict[str, Any]]) -> str:
    """How much faster than float32 and than the best other library each precision is."""
    lines = [f"{'':28} {'cases':>5} {'over float32':>24} {'over the best other':>24}"]
    for precision in ("int8", "bfloat16"):
        mine = f"fastrnn {precision}"
        for cell, what in dict.fromkeys((r["cell"], r["training"]) for r in records):
            alike = [r for r in records if (r["cell"], r["training"]) == (cell, what)]
            times = [table.ratios(record) for record in alike]
            over, best = [], []
            for found in (found for found in times if mine in found):
                others = [t for name, t in found.items() if name.split()[1:] == [precision]]
                others.remove(found[mine])
                over.append(1 / found[mine])
                best += [min(others) / found[mine]] if others else []
            if not over:
                continue
            name = f"{cell} {precision}" + " training" * what
            lines.append(f"{name:28} {len(over):5} {_spread(over):>24} {_spread(best):>24}")
    return "\n".join(lines)


def _spread(values: list[float]) -> str:
    """Geometric mean, and from which to which."""
    if not values:
        return "-"
    return f"{table.geometric_mean(values):.2f} ({min(values):.2f} to {max(values):.2f})"


if __name__ == "__main__":
    sys.exit(main())
