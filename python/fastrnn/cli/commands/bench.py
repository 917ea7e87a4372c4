"""The speed table of this machine by itself, with a picture of it."""

from pathlib import Path

import numpy as np
from rich.console import Console

import fastrnn
from fastrnn import plot
from fastrnn.cli._speed import Speeds, report_speed


def run_bench(*, rounds: int, threads: int | None, out: Path) -> None:
    """Measure, print the table and draw it; the parameters are the options of ``fastrnn bench``.

    Parameters
    ----------
    rounds : int
        Readings for each number.
    threads : int or None
        For `fastrnn.set_num_threads`.
    out : Path
        Folder of the picture; made if it does not exist.
    """
    console = Console(highlight=False)
    plot.require_matplotlib()  # what would fail at the end fails before the measurement
    out.mkdir(parents=True, exist_ok=True)
    if threads is not None:
        fastrnn.set_num_threads(threads)
    speeds = report_speed(console, rounds=rounds)
    picture = out / "speed.png"
    _draw(speeds, picture)
    console.print(f"\npicture: {picture}", markup=False, soft_wrap=True)


def _draw(speeds: Speeds, path: Path) -> None:
    """Write a picture with one group of bars for each line of the table."""
    figure = plot.require_matplotlib()(figsize=(8, 6), layout="constrained")
    axes = figure.subplots()
    places = np.arange(len(speeds.rows))
    height = 0.8 / len(speeds.systems)
    for number, system in enumerate(speeds.systems):
        milliseconds = [1e3 * seconds[number] for seconds in speeds.rows.values()]
        axes.barh(places + number * height, milliseconds, height, label=system)
    axes.set_yticks(places + 0.4 - height / 2, list(speeds.rows))
    axes.invert_yaxis()
    axes.set_xscale("log")
    axes.set_xlabel("milliseconds a call, less is better")
    axes.set_title(f"{fastrnn.isa()}, {fastrnn.get_num_threads()} threads")
    figure.legend(loc="outside lower center", ncols=3)
    plot.save(figure, path)
