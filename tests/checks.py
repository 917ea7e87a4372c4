"""The scorecard's side of a run: how many cases a check takes in this tier, and what came of it.

A test that proves check 9 of docs/reliability.md says so, with the cases of one test in either
tier, and asks for them as `count` or, where a case is a seed, as `seeds`:

    @pytest.mark.check(9, quick=40, full=400)
    def test_instruction_sets_agree(cell, seeds): ...

Where the cases are only known in the end, a test tells the fixture `tally` their number.

The quick tier adds a tenth of seeds drawn from the commit, so that CI does not look at the same
cases for ever; `--commit` draws those of another one again. `--scorecard` records the outcome of
every test of a check in docs/reliability.json, from which tools/scorecard.py makes the page.
"""

import functools
import json
import subprocess
from collections import Counter
from collections.abc import Generator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import skips
from helpers.processes import TIMEOUT

ROOT = Path(__file__).parents[1]
RECORD = ROOT / "docs" / "reliability.json"
DRAWN = 10**6  # seeds that are drawn lie beyond it, fixed ones below


def add_options(parser: pytest.Parser) -> None:
    """The options of the scorecard."""
    parser.addoption("--commit", help="draw a tenth of the quick seeds from this commit's id")
    parser.addoption(
        "--scorecard",
        nargs="?",
        type=Path,
        const=RECORD,
        metavar="FILE",
        help=f"record what came of each check in FILE, {RECORD.relative_to(ROOT)} by default",
    )


def cases(marks: list[pytest.Mark], long: bool) -> int:
    """The cases that the nearest mark with a number asks of one test; 1 where none has."""
    tier = "full" if long else "quick"
    return next((int(mark.kwargs[tier]) for mark in marks if tier in mark.kwargs), 1)


@functools.cache
def head() -> str:
    """The id of the commit that is checked out, or nothing outside of this project's git."""
    words = ["git", "-C", str(ROOT), "rev-parse", "--show-toplevel", "HEAD"]
    try:
        done = subprocess.run(words, capture_output=True, text=True, check=True, timeout=TIMEOUT)
    except (OSError, subprocess.SubprocessError):
        return ""
    top, commit = done.stdout.split("\n")[:2]
    return commit if Path(top).resolve() == ROOT.resolve() else ""


def commit_of(config: pytest.Config) -> str:
    """The commit whose seeds are drawn: the one of `--commit`, or what is checked out."""
    given = config.getoption("--commit")
    return head() if given is None else str(given)


def drawn_seeds(commit: str, count: int) -> list[int]:
    """A tenth of `count` seeds that depend on the commit alone; none without a commit."""
    if not commit:
        return []
    rng = np.random.default_rng(list(commit.encode()))
    return [int(seed) for seed in rng.integers(DRAWN, 10**9, -(-count // 10))]


class Recorder:
    """Adds up what came of every test that has the mark of a check, and writes it at the end."""

    def __init__(self, path: Path, tier: str) -> None:
        self.path, self.tier = path, tier
        self.found: dict[str, dict[str, Any]] = {}
        self.left: Counter[str] = Counter()  # cases of a test that have not run

    @pytest.hookimpl(trylast=True)
    def pytest_collection_finish(self, session: pytest.Session) -> None:
        self.left = Counter(item.nodeid.partition("[")[0] for item in session.items)

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(self, item: pytest.Item) -> Generator[None, Any, Any]:
        report = yield
        marks = list(item.iter_markers("check"))
        if marks:
            name = item.nodeid.partition("[")[0]
            empty = {"cases": 0, "passed": 0, "failed": 0, "skipped": 0, "seconds": 0.0}
            row = self.found.setdefault(name, empty)
            row["seconds"] += report.duration
            self.left[name] -= report.when == "teardown"
            row["failed"] += report.failed
            row["skipped"] += report.skipped
            if report.skipped:
                row["why"] = skips.reason(report)
            if report.when == "call" and report.passed:
                row["passed"] += 1
                told = dict(item.user_properties).get("cases")
                row["cases"] += told or cases(marks, self.tier == "full")
        return report

    def pytest_sessionfinish(self) -> None:
        known = json.loads(self.path.read_text()) if self.path.exists() else {}
        # Of a run that was stopped: a test that ran in part has failed, or has not run.
        whole = {n: row for n, row in self.found.items() if row["failed"] or not self.left[n]}
        for row in whole.values():
            row["seconds"] = round(row["seconds"])
        known[self.tier] = known.get(self.tier, {}) | whole
        write_record(self.path, known)


def write_record(path: Path, record: dict[str, dict[str, Any]]) -> None:
    """One line a test, in order, so that a change of one is a change of one line."""
    tiers = []
    for tier, rows in sorted(record.items(), reverse=True):
        lines = [f"  {json.dumps(name)}: {json.dumps(row)}" for name, row in sorted(rows.items())]
        tiers.append(f" {json.dumps(tier)}: {{\n" + ",\n".join(lines) + "\n }")
    path.write_text("{\n" + ",\n".join(tiers) + "\n}\n")
