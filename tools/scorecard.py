"""The scorecard: forty checks, the tests that prove each of them, and what they said last.

    python tools/scorecard.py                   write docs/reliability.md
    python tools/scorecard.py run make asan     run a command of COMMANDS and record its outcome

A test says by a mark which checks it proves (tests/checks.py), and `pytest --scorecard` records its
outcome in docs/reliability.json. This reads the marks in the source, so that a check whose last
test has gone is seen, and puts both on one page. tests/test_scorecard.py holds it to that.
"""

import ast
import json
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
RECORD = ROOT / "docs" / "reliability.json"
PAGE = ROOT / "docs" / "reliability.md"
sys.path.insert(0, str(ROOT / "tests"))

from checks import write_record  # noqa: E402 - it lies beside the tests, which cannot be installed

# number: what is checked, and what has to come out.
CHECKS = {
    1: (
        "Random sizes, lengths, layers, directions against the float64 twin, forward and backward",
        "float32 within 1e-5 (gradients 5e-5), float64 within 1e-12 (1e-11); no failure",
    ),
    2: ("A systematic grid in which every two settings meet", "every case"),
    3: (
        "Central differences in float64, by every input and weight: cells, operations, models",
        "1e-7 absolute, 1e-5 relative; a repeated backward has equal bits",
    ),
    4: (
        "exp, sigmoid and tanh on every instruction set; in the full tier of all 2³² floats",
        "4 units in the last place; odd to the bit; inside the range; NaN, infinities, zeros exact",
    ),
    5: ("A linear chain of 2,000 steps", "float64 within 1e-11, float32 within 1e-4"),
    6: ("Any number of threads, forward and backward", "equal bits"),
    7: (
        "A row alone, in a batch, elsewhere in it; a stream and the whole sequence; every tile",
        "equal bits",
    ),
    8: (
        "Calls from many Python threads; another thread writes to an input meanwhile",
        "the bits of the serial call; no crash",
    ),
    9: ("Instruction sets against each other", "within rounding; NaN in the same places"),
    10: (
        "Malformed calls: every argument of every public function",
        "TypeError, ValueError or MemoryError that names the argument; no crash",
    ),
    11: (
        "Layouts: Fortran order, strides, unaligned, foreign byte order, memory-mapped",
        "the bits of the contiguous call",
    ),
    12: ("Outputs over inputs and over each other", "as without overlap, or refused by name"),
    13: (
        "No steps, no rows, no features, length 0; NaN in the padding",
        "right; padding is not seen",
    ),
    14: ("One row of NaN or infinity", "all other rows keep their bits"),
    15: (
        "Floating-point environment of caller, new threads and workers",
        "the same before and after; subnormals live outside of calls",
    ),
    16: (
        "Subnormal numbers cost no time inside a call",
        "flushed on every road and thread; none arises from one",
    ),
    17: (
        "Offsets beyond 2³²; absurd shapes",
        "right; a clean error at once, without memory",
    ),
    18: ("Ctrl-C in a long kernel, in a forked child too", "KeyboardInterrupt within 0.3 s"),
    19: (
        "An exception in worker k of n",
        "it arrives as a Python exception; no abort, no hang",
    ),
    20: ("Fork after a team, idle and busy; grandchildren; pools", "all finish, with a full team"),
    21: (
        "Each allocation fails in turn; address space runs out",
        "MemoryError, state unchanged, no exit",
    ),
    22: ("Leaks over thousands of calls, good and bad", "less than 2 MB"),
    23: (
        "Limits of threads: variables, masks, quotas, threadpoolctl, nesting, many callers",
        "team sizes exact; no threads pile up",
    ),
    24: ("Python without the GIL", "everything passes, and the GIL stays off"),
    25: (
        "A second interpreter; exit while daemon threads are inside kernels",
        "ImportError; exit code 0 and no word",
    ),
    26: (
        "Older processors, emulated; no wide instruction outside of its own files",
        "no illegal instruction; dispatch says what runs",
    ),
    27: ("AddressSanitizer and UndefinedBehaviorSanitizer", "no report"),
    28: ("ThreadSanitizer", "no report; a planted race is found"),
    29: (
        "Fuzzing of the core's boundary and of every loader",
        "documented exceptions only; at most 512 MB and 2 s",
    ),
    30: (
        "Hostile files of every kind, under an audit hook",
        "refused within 1 s and 100 MB; nothing imported, run or opened for writing",
    ),
    31: ("kill -9 during saves", "every file loads, old or new; leftovers are cleaned up"),
    32: (
        "The n-th write, fsync or rename fails; full disk, file size limit",
        "the old file is whole; OSError; nothing is left behind",
    ),
    33: ("Flipped bits and cut files", "all are found; the newest good file is used"),
    34: (
        "Training killed at a random moment and resumed",
        "the weights of the training that was never stopped, to the bit",
    ),
    35: (
        "ONNX: its own cases; exports in other runtimes",
        "within 1e-5",
    ),
    36: (
        "One rank against many, on threads and by MPI; ragged tokens, sparse rows",
        "float64 within 1e-10, float32 within 1e-4; equal bits on all ranks",
    ),
    37: (
        "A rank raises, is killed, is told to end; restart by another number of ranks",
        "the job ends; all ranks stop after the same update and resume",
    ),
    38: (
        "What ranks cost: the report of `doctor --dist`",
        "the command measures it; figures are of the machine it runs on",
    ),
    39: (
        "A token file larger than memory; a file that is cut",
        "anonymous memory stays small; an error at once; resume is the same",
    ),
    40: (
        "Wheel, public names, golden files, bill of materials, reproducible and offline builds",
        "all as recorded",
    ),
}

# Proofs that no test of Python can give by itself, with the checks that they prove.
COMMANDS = {
    "make asan": (19, 23, 27),  # the core's own tests too: throwing workers, quotas of groups
    "make tsan": (28,),
    "make fuzz SECONDS=1800": (29,),
    "make wheel": (40,),
    "make reproducible": (40,),
}
TIERS = ("quick", "full")
HEAD = """<!-- Written by tools/scorecard.py: `make scorecard` runs the checks and writes it. -->

# Reliability

What fastrnn promises, as forty checks. Each is proved by tests: with some cases in every run of the
tests, and with many more by `make full`. A case is what the test varies most: a seed, a shape, a
malformed call, a file. The outcomes below are the last that were recorded, and no more than that:
your own come from `make scorecard`.

"""


@dataclass(frozen=True)
class Proof:
    """A test or a command, the checks that it proves, and whether only the full tier has it."""

    name: str
    numbers: tuple[int, ...]
    only_full: bool = False


def proofs() -> list[Proof]:
    """Every marked test of the source, and the commands."""
    found = [
        Proof(f"{path.relative_to(ROOT).as_posix()}::{name}", numbers, path.parent.name == "long")
        for path in sorted((ROOT / "tests").rglob("test_*.py"))
        for name, numbers in _marked(ast.parse(path.read_text()))
    ]
    return [*found, *(Proof(name, numbers) for name, numbers in COMMANDS.items())]


def _marked(module: ast.Module) -> Iterator[tuple[str, tuple[int, ...]]]:
    everywhere: list[int] = []
    for node in module.body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "pytestmark":
            everywhere += _numbers(node.value)
    for node in module.body:
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
            own = [n for decorator in node.decorator_list for n in _numbers(decorator)]
            if own or everywhere:
                yield node.name, tuple(sorted({*own, *everywhere}))


def _numbers(node: ast.expr) -> list[int]:
    """The numbers in every pytest.mark.check(…) below a node."""
    calls = (n for n in ast.walk(node) if isinstance(n, ast.Call))
    marks = (c for c in calls if ast.unparse(c.func) == "pytest.mark.check")
    return [int(ast.literal_eval(argument)) for mark in marks for argument in mark.args]


def outcome(row: dict[str, Any] | None) -> str:
    """One result in words."""
    if row is None:
        return "not run"
    words = [f"{row['failed']} failed"] if row["failed"] else []
    if row["passed"]:
        words.append(f"{row['cases']:,} passed")
    why = f": {row['why']}" if row.get("why") else ""
    words += [f"{row['skipped']} skipped{why}"] if row["skipped"] else []
    return ", ".join(words) + f" ({row['seconds']:,} s)"


def verdict(rows: list[dict[str, Any] | None]) -> str:
    """All results of a check in one tier in words."""
    known = [row for row in rows if row]
    if any(row["failed"] for row in known):
        return "**fails**"
    if not known:
        return "not run"
    if not any(row["passed"] for row in known):
        return "skipped"
    count = sum(row["cases"] for row in known)
    total = f"{count:,} case" if count == 1 else f"{count:,} cases"
    whole = len(known) == len(rows) and not any(row["skipped"] for row in known)
    return total if whole else f"{total}, in part"


def page(record: dict[str, dict[str, Any]], found: list[Proof]) -> str:
    """The page: one table of all checks, then the tests of each."""
    lines = ["| # | check | holds when | quick | full |", "|---|---|---|---|---|"]
    details = []
    for number, (what, holds) in CHECKS.items():
        own = [proof for proof in found if number in proof.numbers]
        results = {
            tier: [
                record.get(tier, {}).get(proof.name)
                for proof in own
                if tier == "full" or not proof.only_full
            ]
            for tier in TIERS
        }
        cells = [str(number), what, holds, *(verdict(results[tier]) for tier in TIERS)]
        lines.append(f"| {' | '.join(cells)} |")
        details += ["", f"## {number}. {what}", "", "| proof | quick | full |", "|---|---|---|"]
        for proof in own:
            told = [outcome(record.get(tier, {}).get(proof.name)) for tier in TIERS]
            told[0] = "—" if proof.only_full else told[0]
            details.append(f"| `{proof.name.removeprefix('tests/')}` | {' | '.join(told)} |")
    return HEAD + "\n".join([*lines, *details]) + "\n"


def read_record() -> dict[str, dict[str, Any]]:
    """What came of every test when it was recorded last, by tier."""
    record: dict[str, dict[str, Any]] = json.loads(RECORD.read_text())
    return record


def run(command: str) -> int:
    """Run one of COMMANDS and record what came of it, in both tiers, as it has one size."""
    start = time.monotonic()
    status = subprocess.run(command.split(), cwd=ROOT, check=False).returncode
    row = {"cases": int(status == 0), "passed": int(status == 0), "failed": int(status != 0)}
    row |= {"skipped": 0, "seconds": round(time.monotonic() - start)}
    record = read_record()
    for tier in TIERS:
        record.setdefault(tier, {})[command] = row
    write_record(RECORD, record)
    return status


def main(arguments: list[str]) -> int:
    """Write the page, after running a command if one is named."""
    status = 0
    if arguments:
        command = " ".join(arguments[1:])
        if arguments[0] != "run" or command not in COMMANDS:
            print(f"scorecard: run one of {', '.join(COMMANDS)}", file=sys.stderr)
            return 2
        status = run(command)
    record, found = read_record(), proofs()
    names = {proof.name for proof in found}
    kept = {t: {n: row for n, row in rows.items() if n in names} for t, rows in record.items()}
    if kept != record:  # tests that are gone or have lost their mark
        write_record(RECORD, kept)
    PAGE.write_text(page(kept, found))
    return status


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
