"""What every acceptance bench shares: options, data with their hashes, figures, gates, one JSON.

    bench = Frame("addition", __doc__, argv)
    text = bench.read("dates-additions/addition.txt", lines=50_000)     # or the task is skipped
    for seed in bench.seeds:
        bench.record("exact match, reversed", seed, value)
    bench.gate("exact match, reversed", at_least=0.97)
    return bench.store()

A gate is passed when the mean over the seeds lies on the right side of its limit by two standard
errors; one seed has no standard error, and the file says how many there were.
"""

import argparse
import hashlib
import json
import math
import os
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from bench.acceptance._about import ROOT, about_this_run

RESULTS = ROOT / "bench" / "results"
CHANNEL_B = "plain data files of the project; --data DIR or FASTRNN_DATA names their folder"


class Skipped(Exception):  # noqa: N818  no error: a result of its own
    """Something that a task needs is not here; the text says what, and how to get it."""


def _seeds(text: str) -> list[int]:
    """Turn "0,1,2" into numbers; "3" alone is seed 3."""
    return [int(word) for word in text.split(",")]


def options(task: str, about: str | None) -> argparse.ArgumentParser:
    """Return the parser with the options that every acceptance bench has."""
    parser = argparse.ArgumentParser(
        prog=f"python -m bench.acceptance.{task}",
        description=about,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    given = os.environ.get("FASTRNN_DATA")
    add("--data", type=Path, default=Path(given) if given else None, help="else FASTRNN_DATA")
    add("--seeds", type=_seeds, default=[0, 1, 2], help="as 0,1,2")
    add("--threads", type=int, default=None, help="default: what fastrnn finds")
    add("--budget", type=float, default=None, help="seconds a run; default: the task's own")
    add("--out", type=Path, default=RESULTS, help="folder of the JSON file")
    return parser


def trained(parser: argparse.ArgumentParser, *, epochs: int, rate: float) -> None:
    """Add the options of a task that trains a model."""
    add = parser.add_argument
    add("--epochs", type=int, default=epochs, help=f"default: {epochs}")
    add("--rate", type=float, default=rate, help=f"greatest learning rate; default: {rate}")
    add("--seconds", type=float, default=None, help="stop each training then; default: never")


def columns(rows: Sequence[Sequence[str]]) -> list[list[str]]:
    """Turn rows of question and answer into the questions and the answers."""
    return [list(column) for column in zip(*rows, strict=True)]


def by_parts(
    parser: argparse.ArgumentParser, task: str, parts: list[str], argv: list[str] | None
) -> str:
    """Add ``--parts``, and return the name of the task: some parts have a result of their own."""
    parser.add_argument("--parts", nargs="+", choices=parts, default=parts)
    asked = parser.parse_args(argv).parts
    return "-".join([task, *([] if asked == parts else asked)])


class Frame:
    """One run of one task: what it read, what it measured, and what that is held to.

    Parameters
    ----------
    task : str
        Names the result: ``acceptance-TASK.json``.
    about : str or None
        Of ``--help``.
    argv : list of str or None
        The command line; None: that of the process.
    budget : float
        Seconds that a run may take when ``--budget`` does not say.
    parser : argparse.ArgumentParser or None
        `options` with more options in it, whose values are in ``given``.
    """

    def __init__(
        self,
        task: str,
        about: str | None,
        argv: list[str] | None = None,
        *,
        budget: float = 120,
        parser: argparse.ArgumentParser | None = None,
    ) -> None:
        import fastrnn

        self.given = (parser or options(task, about)).parse_args(argv)
        self.task, self.seeds = task, self.given.seeds
        self.budget = budget if self.given.budget is None else self.given.budget
        if self.given.threads is not None:
            fastrnn.set_num_threads(self.given.threads)
        self.configuration: dict[str, Any] = {}
        self.samples: dict[str, Any] = {}
        self._files: list[dict[str, Any]] = []
        self._values: dict[str, dict[int, float]] = {}
        self._gates: dict[str, dict[str, Any]] = {}
        self._runs: list[dict[str, Any]] = []
        self._skipped: list[str] = []
        self._began = time.perf_counter()

    def read(self, name: str, *, lines: int | None = None) -> str:
        """Return the text of a data file, having counted its lines.

        Raises
        ------
        Skipped
            It is not there, or no folder was named.
        ValueError
            It is there with another number of lines: figures would not compare.
        """
        path = None if self.given.data is None else self.given.data / name
        if path is None or not path.is_file():
            raise Skipped(f"{name} is not here ({CHANNEL_B})")
        return self.seen(name, path.read_bytes(), lines=lines)

    def note(self, name: str, content: bytes) -> None:
        """Note a data file's hash and counts."""
        digest, lines = hashlib.sha256(content).hexdigest(), content.count(b"\n")
        self._files.append({"file": name, "sha256": digest, "lines": lines, "bytes": len(content)})

    def seen(self, name: str, content: bytes, *, lines: int | None = None) -> str:
        """Note a text file's hash and counts, and return its text."""
        self.note(name, content)
        found = content.count(b"\n")
        if lines is not None and found != lines:
            raise ValueError(f"{name} must have {lines:,} lines, got {found:,}")
        return content.decode()

    @contextmanager
    def part(self, name: str) -> Iterator[None]:
        """Let a part of a task be skipped while the others go on."""
        try:
            yield
        except Skipped as reason:
            self.skip(f"{name}: {reason}")

    def skip(self, reason: str) -> None:
        """Note and say what was skipped, which is not the same as passed."""
        self._skipped.append(reason)
        print(f"skipped: {reason}", flush=True)

    @contextmanager
    def run(
        self, name: str, seed: int, *, budget: float | None = None, **about: Any
    ) -> Iterator[dict[str, Any]]:
        """Time one training; what is put into the dict stands in the JSON beside the seconds."""
        note: dict[str, Any] = {"run": name, "seed": seed, **about}
        began, worked = time.perf_counter(), time.process_time()
        yield note
        note["seconds"] = round(time.perf_counter() - began, 2)
        note["cpu_seconds"] = round(time.process_time() - worked, 2)  # what others cannot lengthen
        note["within_budget"] = note["seconds"] <= (budget or self.budget)
        self._runs.append(note)

    def record(self, metric: str, seed: int, value: float) -> None:
        """Note a figure of one seed, and show it."""
        self._values.setdefault(metric, {})[seed] = float(value)
        print(f"{metric}, seed {seed}: {value:.4f}", flush=True)

    def metrics(self) -> list[str]:
        """Return the names of what was recorded so far."""
        return list(self._values)

    def gate(
        self,
        metric: str,
        *,
        at_least: float | None = None,
        at_most: float | None = None,
        calibrated: bool = True,
    ) -> None:
        """Hold the mean of a metric to a limit.

        Parameters
        ----------
        metric : str
        at_least, at_most : float or None
            One of them.
        calibrated : bool
            False while the limit is an estimate that no run of another library confirmed yet.
        """
        if (at_least is None) == (at_most is None):
            raise ValueError("gate needs at_least or at_most")
        limit = {"at_least": at_least} if at_least is not None else {"at_most": at_most}
        self._gates[metric] = {**limit, "calibrated": calibrated}

    def _judged(self, metric: str) -> dict[str, Any]:
        """Return a metric with mean, standard deviation, gate and verdict."""
        values = self._values.get(metric, {})
        found: dict[str, Any] = {"per_seed": {str(k): v for k, v in values.items()}}
        if values:
            n = len(values)
            found["mean"] = statistics.fmean(values.values())
            found["sd"] = statistics.stdev(values.values()) if n > 1 else None
        gate = self._gates.get(metric)
        if gate is not None:
            found["gate"] = gate
            found["verdict"] = verdict(found, gate)
        return found

    def store(self, *, status: str = "ran") -> int:
        """Write the JSON file, print the figures; return 1 if a gate was missed, else 0."""
        metrics = {name: self._judged(name) for name in {**self._values, **self._gates}}
        verdicts = [found["verdict"] for found in metrics.values() if "verdict" in found]
        counts = {word: verdicts.count(word) for word in ("passed", "failed", "skipped")}
        result = {
            "task": self.task,
            "status": status,
            **about_this_run(),
            "configuration": self.configuration,
            "seeds": self.seeds,
            "files": self._files,
            "metrics": metrics,
            "verdicts": counts,
            "skipped": self._skipped,
            "runs": self._runs,
            "budget_seconds": self.budget,
            "wall_clock_seconds": round(time.perf_counter() - self._began, 1),
            "samples": self.samples,
        }
        for name, found in metrics.items():
            print(line(name, found))
        self.given.out.mkdir(parents=True, exist_ok=True)
        path = self.given.out / f"acceptance-{self.task}.json"
        path.write_text(json.dumps(result, indent=1, ensure_ascii=False) + "\n")
        print(f"{self.task}: {status}, {counts}; wrote {path}", flush=True)
        return 1 if counts["failed"] else 0


def verdict(found: dict[str, Any], gate: dict[str, Any]) -> str:
    """Return passed, failed, or skipped where nothing was measured."""
    if "mean" not in found:
        return "skipped"
    margin = 2 * (found["sd"] or 0) / math.sqrt(len(found["per_seed"]))
    if "at_least" in gate:
        good = found["mean"] - margin >= gate["at_least"]
    else:
        good = found["mean"] + margin <= gate["at_most"]
    return "passed" if good else "failed"  # a mean that is NaN fails


def line(name: str, found: dict[str, Any]) -> str:
    """Return a metric in one line for people."""
    if "mean" not in found:
        return f"{name}: skipped"
    spread = "" if found["sd"] is None else f" ± {found['sd']:.4f}"
    n = len(found["per_seed"])
    text = f"{name}: {found['mean']:.4f}{spread} ({n} seed{'s' * (n != 1)})"
    if "gate" not in found:
        return text
    (bound, limit), *_ = found["gate"].items()
    estimate = "" if found["gate"]["calibrated"] else ", an estimate"
    return f"{text}; {bound.replace('_', ' ')} {limit}{estimate}: {found['verdict']}"


def main(task: str, about: str | None, measure: Callable[[Frame], None], **how: Any) -> int:
    """Run a whole bench: `measure` fills the frame, or raises Skipped; return the exit code."""
    frame = Frame(task, about, **how)
    status = "ran"
    try:
        measure(frame)
    except Skipped as reason:
        frame.skip(str(reason))
        status = "skipped"
    return frame.store(status=status)
