"""What ``make bench`` runs: the named uses and a coarse grid in a few minutes, with table and PNG.

python -m bench.run [--seconds 250] [--out FILE]
"""

import argparse
import sys
import time
from pathlib import Path

from bench import baselines, cases, grid

MOST_THREADS = 16  # the coarse grid has no work for more


def main(argv: list[str] | None = None) -> int:
    """Run the command line; the exit codes are those of `grid.store`."""
    parser = argparse.ArgumentParser(prog="python -m bench.run", description=__doc__)
    parser.add_argument("--seconds", type=float, default=250, help="no case starts after that")
    parser.add_argument(
        "--out", type=Path, default=grid.result_path("speed"), help="JSON; the PNG goes beside it"
    )
    options = parser.parse_args(argv)
    deadline = time.monotonic() + options.seconds
    threads = min(baselines.usable_cpus(), MOST_THREADS)
    names = grid.peer_names(None)
    results = grid.run(cases.medium(threads), names, 7, 0.03, deadline, options.out)
    return grid.store(results, options.out)


if __name__ == "__main__":
    sys.exit(main())
