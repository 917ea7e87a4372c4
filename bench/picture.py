"""Draws how many times faster fastrnn is than the others: a heat map, and bars for the README."""

import math
from pathlib import Path
from typing import Any

from bench import table
from bench.baselines import peer_class
from bench.cases import CELLS
from bench.table import Record

CELL_NAMES = list(CELLS)
LIMIT = 4.0  # colours are the same beyond this ratio, either way
TICKS = (1 / LIMIT, 0.5, 1, 2, LIMIT)  # of the colour bar


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
    for part in parts:
        bar = part.colorbar(part.axes[0].images[0], ax=part.axes, fraction=0.02, pad=0.01)
        bar.set_ticks([math.log2(tick) for tick in TICKS], labels=[f"{t:g}×" for t in TICKS])
    machine, versions = results["machine"], results["versions"]
    figure.suptitle(
        "time of the other / time of fastrnn; blue: fastrnn is faster, red: slower; grey: not run\n"
        f"{machine['cpu']}, {machine['cpus']} CPUs; "
        + ", ".join(f"{k} {v}" for k, v in versions.items()),
        fontsize=10,
    )
    figure.savefig(path, dpi=110)


def bars(uses: list[Record], results: dict[str, Any], path: Path) -> None:
    """Write a PNG: for each named use that PyTorch can run, how many times longer others take.

    Raises
    ------
    ImportError
        When matplotlib is not installed.
    """
    from matplotlib.figure import Figure

    shown = [record for record in uses if "torch" in table.ratios(record)]
    names = [name for name in results["peers"][1:] if name != table.TWIN]
    figure = Figure(figsize=(8, 0.42 * len(shown) + 1), layout="constrained")
    axes, height = figure.add_subplot(), 0.8 / len(names)
    for k, name in enumerate(names):
        ran = {row: table.ratios(r).get(name) for row, r in enumerate(shown)}
        longer = {row: ratio - 1 for row, ratio in ran.items() if ratio is not None}
        places = [row + height * (k - (len(names) - 1) / 2) for row in longer]
        axes.barh(places, longer.values(), height, left=1, label=peer_class(name).title)
    axes.axvline(1, color="black", linewidth=1)
    axes.set_xscale("log", base=2)
    axes.set_xticks([0.5, 1, 2, 4, 8, 16, 32], ["½", "1", "2", "4", "8", "16", "32"])
    labels = [f"{r['use']}, {r['cell'].partition('_')[0].upper()} {r['H']}, "
              f"{'training' if r['training'] else 'inference'}" for r in shown]  # fmt: skip
    axes.set_yticks(range(len(shown)), labels, fontsize=8)
    axes.invert_yaxis()
    axes.set_xlabel("time / time of fastrnn (to the right of 1: fastrnn is faster)")
    machine = results["machine"]
    where = f"{machine['cpu']}, {machine['cpus']} CPUs, {results['date']}"
    axes.set_title(f"How much longer others take\n{where}", fontsize=10)
    figure.legend(loc="outside upper right", ncols=len(names), frameon=False, fontsize=9)
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
    """Coloured squares with the ratio written in; where nothing was measured it is grey."""
    axes.set_facecolor("0.8")
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
