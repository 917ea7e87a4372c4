"""Draws how many times faster fastrnn is than the others as a heat map."""

import math
from pathlib import Path
from typing import Any

from bench import table
from bench.baselines import peer_class
from bench.cases import CELLS
from bench.table import Record

CELL_NAMES = list(CELLS)
LIMIT = 4.0  # colours are the same beyond this ratio, either way


def heat_map(results: dict[str, Any], path: Path) -> None:
    """Write a PNG: a panel H × N for each group of the grid, and one panel of the named uses.

    A grid panel shows the ratio to the best other library and its name; the panel of uses shows
    the ratio to each. Blue is fastrnn faster, red is slower.

    Raises
    ------
    ImportError
        When matplotlib is not installed.
    ValueError
        When no record compares fastrnn with anything.
    """
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise ImportError('the heat map needs matplotlib: pip install "fastrnn[plot]"') from error

    compared = [record for record in results["records"] if table.ratios(record)]
    if not compared:
        raise ValueError("there is nothing to draw: no other library ran a case")
    grid = [record for record in compared if record["use"] == "grid"]
    uses = [record for record in compared if record["use"] != "grid"]
    # A line of panels for each cell, so that its threads and works stand side by side.
    grid.sort(key=lambda record: (CELL_NAMES.index(record["cell"]), record["dtype"]))
    panels = list(table.groups(grid).items())
    lines = {(record["cell"], record["dtype"]) for record in grid}
    columns = math.ceil(len(panels) / max(1, len(lines)))
    wide, tall = _most(panels, "N"), _most(panels, "H")
    heights = [len(lines) * (0.8 + 0.4 * tall)] if panels else []
    heights += [0.7 + 0.26 * len(uses)] if uses else []
    size = (max((0.9 + 0.9 * wide) * columns, 9), sum(heights) + 0.6)
    figure = Figure(figsize=size, layout="constrained")
    parts = figure.subfigures(len(heights), 1, height_ratios=heights, squeeze=False)[:, 0]
    for place, (label, members) in enumerate(panels):
        _grid_panel(parts[0].add_subplot(len(lines), columns, place + 1), label, members)
    if uses:
        _uses_panel(parts[-1].add_subplot(), uses, results["peers"][1:])
    machine, versions = results["machine"], results["versions"]
    figure.suptitle(
        "time of the other / time of fastrnn; blue: fastrnn is faster, red: slower\n"
        f"{machine['cpu']}, {machine['cpus']} CPUs; "
        + ", ".join(f"{k} {v}" for k, v in versions.items()),
        fontsize=10,
    )
    figure.savefig(path, dpi=110)


def _most(panels: list[tuple[str, list[Record]]], axis: str) -> int:
    """The most values of H or N that a panel shows."""
    return max((len({record[axis] for record in members}) for _, members in panels), default=0)


def _grid_panel(axes: Any, label: str, members: list[Record]) -> None:
    """H downwards, N to the right; the ratio to the best other library."""
    hidden = sorted({record["H"] for record in members})
    batch = sorted({record["N"] for record in members})
    values: dict[tuple[int, int], tuple[float, str]] = {}
    for record in members:
        best = table.best_peer(record)
        assert best is not None  # table.groups leaves out records without one
        title = peer_class(best).title
        place = (hidden.index(record["H"]), batch.index(record["N"]))
        values[place] = (table.ratios(record)[best], f"\n{title}")
    _paint(axes, values, [f"H={H}" for H in hidden], [f"N={N}" for N in batch])
    axes.set_title(label, fontsize=9)


def _uses_panel(axes: Any, uses: list[Record], names: list[str]) -> None:
    """A row for each case, a column for each library."""
    values = {
        (row, names.index(name)): (ratio, "")
        for row, record in enumerate(uses)
        for name, ratio in table.ratios(record).items()
    }
    labels = [f"{record['use']}: {record['id']}" for record in uses]
    _paint(axes, values, labels, [peer_class(name).title for name in names])


def _paint(
    axes: Any,
    values: dict[tuple[int, int], tuple[float, str]],
    rows: list[str],
    columns: list[str],
) -> None:
    """Coloured squares with the ratio written in; a missing value stays white."""
    bound = math.log2(LIMIT)
    numbers = [[math.nan] * len(columns) for _ in rows]
    for (row, column), (ratio, note) in values.items():
        shade = max(-bound, min(bound, math.log2(ratio)))
        numbers[row][column] = shade
        axes.text(
            column,
            row,
            f"{ratio:.2f}{note}" if ratio < 100 else f"{ratio:.0f}{note}",
            ha="center",
            va="center",
            fontsize=7,
            color="white" if abs(shade) > 0.6 * bound else "black",
        )
    axes.imshow(numbers, cmap="RdBu", vmin=-bound, vmax=bound, aspect="auto")
    axes.set_yticks(range(len(rows)), rows, fontsize=7)
    axes.set_xticks(range(len(columns)), columns, fontsize=7)
