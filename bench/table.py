"""Records of timed cases as text: one line a case, geometric means, the worst cases."""

import math
from collections.abc import Iterable
from typing import Any

from bench import load
from bench.baselines import peer_class

Record = dict[str, Any]
BASE, TWIN = "fastrnn", "numpy"
MARKS = (
    "Columns of the other libraries: their time / fastrnn's.\n"
    "= tie (interval holds 1.00), ? answers differ, ! other programs used more than 5 % of the CPUs"
)


def ratios(record: Record) -> dict[str, float]:
    """Time of each other library / time of fastrnn, for those that ran the case.

    None where other programs were at work on the machine all the time.
    """
    if "left_out" in record:
        return {}
    return {name: peer["ratio"] for name, peer in record["peers"].items() if "ratio" in peer}


def best_peer(record: Record) -> str | None:
    """The fastest other library; our own twin only where no other ran; None when nobody did."""
    found = ratios(record)
    others = {name: ratio for name, ratio in found.items() if name != TWIN} or found
    return min(others, key=others.__getitem__) if others else None


def best_ratio(record: Record) -> float:
    """The ratio to `best_peer`, which must exist."""
    best = best_peer(record)
    assert best is not None
    return ratios(record)[best]


def marks(record: Record) -> str:
    """What to know before believing a record; see `MARKS`."""
    best = best_peer(record)
    peers = record["peers"].values()
    found = ""
    if best and record["peers"][best]["ratio_low"] <= 1 <= record["peers"][best]["ratio_high"]:
        found += "="
    if not all(peer.get("agrees", True) for peer in peers):
        found += "?"
    if (record["foreign_cpu"] or 0) > load.LIMIT:
        found += "!"
    return found


def header(names: list[str]) -> str:
    """Two lines above the records; `names` as they were measured, fastrnn first."""
    columns = f"{'case':62} {'least':>9} {'median':>9} {'GF/s':>6} {'%peak':>6} {'%roof':>6}"
    titles = "".join(f" {peer_class(name).title[:12]:>12}" for name in names[1:])
    line = columns + titles + "  best"
    return line + "\n" + "-" * len(line)


def line(record: Record, names: list[str]) -> str:
    """One record; other libraries as ratios of their time to fastrnn's."""
    mine = record["peers"][BASE]
    label = record["id"] if record["use"] == "grid" else f"{record['use']}: {record['id']}"
    if "min_ms" not in mine:
        return f"{label:62} {mine.get('refused') or 'failed: ' + last_line(mine['failed'])}"
    if "left_out" in record:
        return f"{label:62} left out: {record['left_out']}"
    least, median = duration(mine["min_ms"]), duration(mine["median_ms"])
    text = f"{label:62} {least:>9} {median:>9} {record['gflops']:6.1f}"
    text += _percent(record["percent_of_peak"]) + _percent(record["percent_of_roofline"])
    for name in names[1:]:
        peer = record["peers"][name]
        shown = f"{peer['ratio']:.2f}" if "ratio" in peer else "failed" if "failed" in peer else "-"
        text += f" {shown:>12}"
    best = best_peer(record)
    return text + (f"  {record['peers'][best]['ratio']:.2f} {best}" if best else "") + marks(record)


def duration(ms: float) -> str:
    """A time in milliseconds, or in microseconds where that is shorter to read."""
    return f"{ms:#.3g} ms".replace(". ", " ") if ms >= 0.1 else f"{1e3 * ms:.1f} µs"


def last_line(text: str) -> str:
    """The last line of a traceback: the exception itself."""
    return text.strip().splitlines()[-1]


def _percent(value: float | None) -> str:
    return f"{'-':>7}" if value is None else f"{value:7.1f}"


def geometric_mean(values: Iterable[float]) -> float:
    """The mean that treats twice as fast and half as fast as opposites."""
    logs = [math.log(value) for value in values]
    return math.exp(sum(logs) / len(logs))


def groups(records: list[Record]) -> dict[str, list[Record]]:
    """Grid records by cell, work and threads; everything else under its use."""
    found: dict[str, list[Record]] = {}
    for record in records:
        if ratios(record):
            work = "forward+backward" if record["training"] else "forward"
            of = f"{record['cell']} {record['dtype']}" if record["use"] == "grid" else "uses:"
            found.setdefault(f"{of} {work}, {threads(record['threads'])}", []).append(record)
    return found


def threads(count: int | str) -> str:
    """The count with its noun."""
    return f"{count} thread" if int(count) == 1 else f"{count} threads"


def summary(records: list[Record], names: list[str]) -> str:
    """Geometric mean and minimum of the ratios in each group, then the five worst cases."""
    lines = [f"{'group':46} {'cases':>5} {'best peer':>10} {'minimum':>8}  geometric mean against"]
    for label, members in groups(records).items():
        best = [best_ratio(record) for record in members]
        text = f"{label:46} {len(members):5} {geometric_mean(best):10.2f} {min(best):8.2f} "
        for name in names[1:]:
            against = [ratios(record)[name] for record in members if name in ratios(record)]
            text += f" {name} {geometric_mean(against):.2f}" if against else ""
        lines.append(text)
    compared = [record for record in records if ratios(record)]
    worst = sorted(compared, key=best_ratio)[:5]
    lines += ["worst against the best peer:"] if worst else []
    for record in worst:
        best_name = best_peer(record)
        peer = record["peers"][best_name]
        lines.append(
            f"  {record['id']:50} {peer['ratio']:.2f} ({peer['ratio_low']:.2f} to "
            f"{peer['ratio_high']:.2f}) {best_name} {marks(record)}"
        )
    return "\n".join(lines)


def failures(records: list[Record]) -> list[str]:
    """One line for each library and exception, with the cases that failed with it."""
    found: dict[str, list[str]] = {}
    for record in records:
        for name, peer in record["peers"].items():
            if "failed" in peer:
                found.setdefault(f"{name} failed: {last_line(peer['failed'])}", []).append(
                    record["id"]
                )
    return [f"{failure}: {', '.join(ids)}" for failure, ids in found.items()]
