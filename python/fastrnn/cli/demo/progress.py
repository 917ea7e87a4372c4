"""How the training is shown while it runs: a moving bar on a terminal, else plain lines."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn

from fastrnn.cli.demo.training import History, Reporter


@contextmanager
def training_progress(console: Console, seconds: float) -> Iterator[Reporter]:
    """Show the training while the block runs, in the way that fits where the output goes."""
    if not sys.stdout.isatty() or console.is_dumb_terminal:
        yield _Lines(console, seconds)
        return
    columns = (
        TextColumn("training"),
        BarColumn(bar_width=None),
        TextColumn("{task.percentage:3.0f} %"),
        TextColumn("{task.fields[loss]}"),
        TextColumn("{task.fields[rate]}"),
        TextColumn("{task.fields[left]}"),
    )
    with Progress(*columns, console=console) as progress:
        task = progress.add_task("", total=seconds, loss="", rate="", left=_left(seconds))
        yield _Bar(progress, task, seconds)
        progress.update(task, completed=seconds)


class _Bar:
    """A bar with loss, speed and time left; each evaluation leaves a line above it."""

    def __init__(self, progress: Progress, task: TaskID, seconds: float) -> None:
        self._progress, self._task, self._seconds = progress, task, seconds

    def update(self, history: History) -> None:
        now = history.seconds[-1]
        self._progress.update(
            self._task,
            completed=now,
            loss=f"{history.bits[-1]:.3f} bits/char",
            rate=f"{history.rate:,.0f} chars/s",
            left=_left(self._seconds - now),
        )

    def held_out(self, history: History) -> None:
        self._progress.console.print(_line(history, self._seconds), highlight=False)


class _Lines:
    """One line for each evaluation, for log files and pipes."""

    def __init__(self, console: Console, seconds: float) -> None:
        self._console, self._seconds = console, seconds

    def update(self, history: History) -> None:
        """Say nothing: there are thousands of updates."""

    def held_out(self, history: History) -> None:
        self._console.print(_line(history, self._seconds), highlight=False, soft_wrap=True)
        self._console.file.flush()


def _line(history: History, seconds: float) -> str:
    now = history.seconds[-1]
    return (
        f"{now:6.1f} s  {history.bits[-1]:.3f} bits/char  "
        f"held-out {history.held_out_bits[-1]:.3f}  {history.rate:,.0f} chars/s  "
        f"{_left(seconds - now)}"
    )


def _left(seconds: float) -> str:
    return f"{max(0, round(seconds))} s left"
