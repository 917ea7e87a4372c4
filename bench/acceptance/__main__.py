"""Runs the acceptance benches that are named, or all, and counts what ran and what was skipped.

    python -m bench.acceptance --summary
    python -m bench.acceptance addition dates -- --data DIR --seeds 0,1,2

What stands behind ``--`` goes to every bench; each has a ``--help``.
"""

import argparse
import json
import sys
from collections import Counter
from importlib import import_module
from pathlib import Path

from bench.acceptance import _frame


def names() -> list[str]:
    """Return the benches of this folder."""
    return sorted(path.stem for path in Path(__file__).parent.glob("[!_]*.py"))


def summary(folder: Path) -> list[str]:
    """Return the committed results in lines, the counts last."""
    lines, tasks, gates = [], Counter[str](), Counter[str]()
    for path in sorted(folder.glob("acceptance-*.json")):
        result = json.loads(path.read_text())
        tasks[result["status"]] += 1
        gates.update(result["verdicts"])
        lines.append(f"\n{result['task']} ({result['date']}, {result['commit']}), {path.name}")
        lines += [f"  {_frame.line(name, found)}" for name, found in result["metrics"].items()]
        lines += [f"  skipped: {reason}" for reason in result["skipped"]]
    counted = ", ".join(f"{gates[word]} {word}" for word in ("passed", "failed", "skipped"))
    lines.append(f"\ntasks: {tasks['ran']} ran, {tasks['skipped']} skipped; gates: {counted}")
    return lines


def main(argv: list[str] | None = None) -> int:
    """Run the command line; the exit code is 1 when a gate was missed, 2 for wrong usage."""
    words = sys.argv[1:] if argv is None else argv
    cut = words.index("--") if "--" in words else len(words)
    parser = argparse.ArgumentParser(
        prog="python -m bench.acceptance",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("tasks", nargs="*", metavar="TASK", help=", ".join(names()))
    parser.add_argument("--summary", action="store_true", help="run nothing, read the results")
    parser.add_argument("--out", type=Path, default=_frame.RESULTS, help="folder of the results")
    given = parser.parse_args(words[:cut])
    if unknown := sorted(set(given.tasks) - set(names())):
        parser.error(f"TASK must be among {', '.join(names())}, got {unknown[0]!r}")
    passed_on, failed = [*words[cut + 1 :], "--out", str(given.out)], False
    for task in [] if given.summary else given.tasks or names():
        print(f"== {task}", flush=True)
        failed |= import_module(f"bench.acceptance.{task}").main(passed_on) != 0
    print("\n".join(summary(given.out)))
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
