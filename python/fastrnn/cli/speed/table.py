"""Speed on the machine at hand: fastrnn, its NumPy twin and the importable peers side by side.

Every system computes the same layer with the same weights on the same input, with as many threads
as fastrnn uses, and has to give the same y before it is timed.
"""

from dataclasses import dataclass
from time import perf_counter, sleep

import numpy as np
from numpy.typing import NDArray
from rich.box import SIMPLE
from rich.console import Console
from rich.measure import Measurement
from rich.table import Table

import fastrnn
from fastrnn.cli.speed.peers import Call, Layer, System, installed_systems

CELLS: tuple[type[Layer], ...] = (fastrnn.RNN, fastrnn.GRU, fastrnn.LSTM)
BURST = 0.02  # seconds of calls that one reading of the clock covers, at least
# Seconds before a burst: OpenBLAS' threads keep spinning for 0.1 s after a product (NumPy 2.4), and
# whoever was timed next would have had half a core less.
PAUSE = 0.2
# Of y in float32, absolute, |y| ≤ 1. Rounding is some 1e-6; gates in a wrong order are off by 0.1.
TOLERANCE = 1e-4


@dataclass(frozen=True)
class Case:
    """The sizes of one line of the table, and whether the gradients are wanted too."""

    T: int
    N: int
    H: int
    training: bool


@dataclass(frozen=True)
class Speeds:
    """What the table says: the systems, and the seconds of each for every line."""

    systems: list[str]
    rows: dict[str, list[float]]


T, H = 64, 128  # of the table
CASES = (Case(T, 32, H, False), Case(T, 32, H, True), Case(T, 1, H, False))


def measure(cell: type[Layer], case: Case, systems: list[System], rounds: int) -> list[float]:
    """Return the seconds of one call for each of `systems`, NaN where one cannot do it.

    Parameters
    ----------
    cell : type
        ``fastrnn.RNN``, ``GRU`` or ``LSTM``.
    case : Case
        What to compute.
    systems : list of System
        The first one's y is the right one.
    rounds : int
        Readings; the systems take turns, and each one's best is returned: what else runs on the
        machine can only add.

    Raises
    ------
    RuntimeError
        A system computes something else.
    """
    rng = np.random.default_rng(0)
    layer = cell(case.H, case.H, rng=rng)
    x = rng.standard_normal((case.T, case.N, case.H)).astype(np.float32)
    dy = rng.standard_normal(x.shape).astype(np.float32) if case.training else None
    calls = [system.prepare(layer, x, dy) for system in systems]
    expected: NDArray[np.float32] | None = None
    for system, call in zip(systems, calls, strict=True):
        if call is None:
            continue
        y = call()
        expected = y if expected is None else expected
        if not np.allclose(y, expected, rtol=0, atol=TOLERANCE):
            raise RuntimeError(f"{system.name} and {systems[0].name} disagree on a {cell.__name__}")
    readings = [[_seconds(call) for call in calls] for _ in range(rounds)]
    return [min(column) for column in zip(*readings, strict=True)]


def _seconds(call: Call | None) -> float:
    """Return the mean seconds of a call over one burst, the first call after the pause apart."""
    if call is None:
        return float("nan")
    sleep(PAUSE)
    call()
    count, began = 0, perf_counter()
    while (now := perf_counter()) < began + BURST or count == 0:
        call()
        count += 1
    return (now - began) / count


def report_speed(console: Console, *, rounds: int) -> Speeds:
    """Measure, print the table and return its numbers; `rounds` readings for each."""
    systems, missing = installed_systems()
    speeds = Speeds([system.name for system in systems], {})
    table = Table(box=SIMPLE, show_edge=False)
    for head in ("cell", "work", "N"):
        table.add_column(head, no_wrap=True)
    for system in systems:
        head = "\n".join(system.name.rsplit(" ", 1))
        table.add_column(head, justify="right", no_wrap=True)
    for case in CASES:
        for cell in CELLS:
            seconds = measure(cell, case, systems, rounds)
            work = "training" if case.training else "forward"
            speeds.rows[f"{cell.__name__} {work} N={case.N}"] = seconds
            others = (_beside(own, seconds[0]) for own in seconds[1:])
            table.add_row(cell.__name__, work, str(case.N), f"{1e3 * seconds[0]:.2f}", *others)
        table.add_section()
    console.print(
        f"\nspeed: milliseconds a call, and how many times fastrnn's they are\n"
        f"(T={T}, I=H={H}, float32, {fastrnn.get_num_threads()} threads, NumPy {np.__version__}; "
        "training is forward and backward)",
        soft_wrap=True,
    )
    # Rich shortens what is wider than the output; a figure without its end is a wrong one.
    table.width = Measurement.get(console, console.options.update(max_width=1000), table).maximum
    console.print(table, crop=False)
    if missing:
        console.print(f"not importable here: {', '.join(missing)}", soft_wrap=True)
    return speeds


def _beside(seconds: float, own: float) -> str:
    """Return milliseconds and how many times fastrnn's they are."""
    return "–" if np.isnan(seconds) else f"{1e3 * seconds:.2f} {seconds / own:5.1f}×"
