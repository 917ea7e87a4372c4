"""How a training is shown while it runs: a moving bar on a terminal, else plain lines."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from math import isfinite
from typing import NamedTuple, Protocol


class Status(NamedTuple):
    """What can be told after an update.

    Attributes
    ----------
    update, epoch : int
        Done so far.
    loss : float
        Its mean since the last record, as in the log and the picture.
    gradient_norm : float
        Of the last update, before clipping.
    rate, unit : float, str
        How much is done in a second, and of what: tokens or updates.
    fraction : float
        Of the work that the limits allow; 0 if nobody knows.
    seconds_left : float
        Infinite if nobody knows.
    """

    update: int
    epoch: int
    loss: float
    gradient_norm: float
    rate: float
    unit: str
    fraction: float
    seconds_left: float

    def __str__(self) -> str:
        left = f"{self.seconds_left:.0f} s left" if isfinite(self.seconds_left) else ""
        return (
            f"update {self.update}  loss {self.loss:.4f}  gradient {self.gradient_norm:.3g}  "
            f"{self.rate:,.0f} {self.unit}/s  {left}"
        ).rstrip()


class Display(Protocol):
    """Someone who is told how a training goes."""

    def update(self, status: Status) -> None:
        """Take note of an update; called some ten times a second."""

    def log(self, status: Status) -> None:
        """Take note of a record of the training; called every `log_every` updates."""

    def write(self, line: str) -> None:
        """Show one line that stays."""


@contextmanager
def display(wanted: bool) -> Iterator[Display]:
    """Show the training while the block runs, in the way that fits where the output goes."""
    if not wanted:
        yield _Nothing()
        return
    try:
        from rich.console import Console
        from rich.progress import BarColumn, Progress, TextColumn
    except ImportError:
        yield _Lines()
        return
    console = Console(highlight=False)
    if not sys.stdout.isatty() or console.is_dumb_terminal:
        yield _Lines()
        return
    columns = (BarColumn(bar_width=20), TextColumn("{task.description}", markup=False))
    with Progress(*columns, console=console, refresh_per_second=5) as progress:
        yield _Bar(progress)


class _Nothing:
    def update(self, status: Status) -> None:
        """Show nothing."""

    def log(self, status: Status) -> None:
        """Show nothing."""

    def write(self, line: str) -> None:
        """Show nothing."""


class _Lines(_Nothing):
    """Lines for log files and pipes."""

    def log(self, status: Status) -> None:
        self.write(str(status))

    def write(self, line: str) -> None:
        print(line, flush=True)


class _Bar(_Nothing):
    """A bar with everything in it; what is said leaves a line above it."""

    def __init__(self, progress: "Progress") -> None:  # type: ignore[name-defined]  # noqa: F821
        self._progress = progress
        self._task = progress.add_task("", total=None)

    def update(self, status: Status) -> None:
        total = 1.0 if status.fraction else None
        self._progress.update(
            self._task, description=str(status), completed=status.fraction, total=total
        )

    def write(self, line: str) -> None:
        self._progress.console.print(line, markup=False, soft_wrap=True)
