"""Writes the README's tables of speed, and their picture, from what is in results/: what bench.run
has left, and of fewer bits than float32 what bench.precision has.

python -m bench.report [--check]
"""

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from bench import picture, table
from bench.baselines import peer_class
from bench.grid import RESULTS

ROOT = Path(__file__).resolve().parent.parent
README, PICTURE = ROOT / "README.md", ROOT / "docs" / "images" / "speed.png"
PRECISION = "precision-*.json"
BEGIN, END = "<!-- speed table: begin -->", "<!-- speed table: end -->"


def main(argv: list[str] | None = None) -> int:
    """Rewrite the README's table; with ``--check``, exit with 1 when it is not up to date."""
    parser = argparse.ArgumentParser(prog="python -m bench.report", description=__doc__)
    parser.add_argument("--check", action="store_true", help="change nothing, only compare")
    parser.add_argument("--readme", type=Path, default=README)
    parser.add_argument("--results", type=Path, default=RESULTS)
    options = parser.parse_args(argv)
    old = options.readme.read_text()
    try:
        new = replaced(old, tables(options.results))
    except ValueError as error:
        print(f"bench.report: {error}", file=sys.stderr)
        return 1
    if options.check:
        print("the speed table is " + ("up to date" if new == old else "out of date"))
        return int(new != old)
    options.readme.write_text(new)
    print(f"wrote the speed table into {options.readme}")
    for result in measured(options.results)[:1]:
        picture.bars(named(result), result, PICTURE)
        print(f"wrote {PICTURE}")
    return 0


def replaced(text: str, content: str) -> str:
    """The text with `content` between the two markers.

    Raises
    ------
    ValueError
        When a marker is missing, doubled or out of order.
    """
    if text.count(BEGIN) != 1 or text.count(END) != 1 or text.index(BEGIN) > text.index(END):
        raise ValueError(f"the README must hold {BEGIN} once and after it {END} once")
    head, rest = text.split(BEGIN)
    return head + BEGIN + "\n" + content + "\n" + END + rest.split(END)[1]


def tables(folder: Path) -> str:
    """One table for each file of `bench.run`, then of `bench.precision`, in the order of names.

    Raises
    ------
    ValueError
        When there is none.
    """
    found = [markdown(result) for result in measured(folder)]
    if not found:
        raise ValueError(f"{folder} holds no results; run python -m bench.run")
    found += [few_bits(json.loads(path.read_text())) for path in sorted(folder.glob(PRECISION))]
    return "\n\n".join(found)


def measured(folder: Path) -> list[dict[str, Any]]:
    """What each file holds that ``python -m bench.run`` wrote, if it has named uses."""
    results = [json.loads(path.read_text()) for path in sorted(folder.glob("speed-*.json"))]
    return [result for result in results if named(result)]


def named(result: dict[str, Any]) -> list[table.Record]:
    """The records of named uses that fastrnn ran."""
    return [
        record
        for record in result["records"]
        if record["use"] != "grid"
        and "min_ms" in record["peers"][table.BASE]
        and "left_out" not in record
    ]


def markdown(result: dict[str, Any]) -> str:
    """The table of one machine: fastrnn's time and rate, how many times longer the others take."""
    others = [name for name in result["peers"] if name != table.BASE]
    titles = [f"{peer_class(name).title} takes" for name in others]
    heads = ["use", "shape", "fastrnn", "GFLOP/s", "% of peak", *titles]
    lines = [_row(heads), _row(["---", "---", *["---:"] * (len(heads) - 2)])]
    for record in named(result):
        mine, peak = record["peers"][table.BASE], record["percent_of_peak"]
        cells = [f"{record['use']} ({_work(record)})", _shape(record)]
        cells += [table.duration(mine["min_ms"])]
        cells += [f"{record['gflops']:.1f}", "–" if peak is None else f"{peak:.0f}"]
        ratios = table.ratios(record)
        cells += [_times(ratios[name]) if name in ratios else "–" for name in others]
        lines.append(_row(cells))
    machine, versions = result["machine"], result["versions"]
    threads = sorted({record["threads"] for record in named(result)})
    peaks = [machine["peak"].get("float32", {}).get(str(n)) for n in threads]
    shown = ", ".join(
        f"{p:.0f} GFLOP/s on {table.threads(n)}" for p, n in zip(peaks, threads, strict=True) if p
    )
    note = f"{machine['cpu']}, {machine['cpus']} CPUs, {result['isa']}"
    note += f", float32 peak {shown}" if shown else ""
    note += f"; {result['system']}; " + ", ".join(f"{k} {v}" for k, v in versions.items())
    note += f"; {result['date']}. Times are the least, ratios the median of alternating rounds"
    note += " of forward, or of forward and backward with every gradient."
    return "\n".join([*lines, "", note])


def few_bits(result: dict[str, Any]) -> str:
    """The table of one machine: the time of a layer in each precision, of everybody.

    Of layers of 512 units, or of the size next to it that there is, with the most threads.
    """
    names = result["peers"]
    heads = ["layer", *(peer_class(name).title for name in names)]
    lines = [_row(heads), _row(["---", *["---:"] * (len(heads) - 1)])]
    most = max(record["threads"] for record in result["records"])
    H = min((record["H"] for record in result["records"]), key=lambda H: abs(H - 512))
    for record in result["records"]:
        if "left_out" in record or (record["threads"], record["H"]) != (most, H):
            continue
        times = [record["peers"][name].get("min_ms") for name in names]
        cells = ["–" if ms is None else table.duration(ms) for ms in times]
        lines.append(_row([f"{_shape(record)} ({_work(record)})", *cells]))
    versions = {name.split()[0]: version for name, version in result["versions"].items()}
    note = f"{result['machine']['cpu']}, {result['isa']}, {table.threads(most)}; "
    note += ", ".join(f"{name} {version}" for name, version in versions.items())
    note += f"; {result['date']}. Times are the least of alternating rounds; what has no precision"
    return "\n".join([*lines, "", note + " in its name is float32."])


def _row(cells: list[str]) -> str:
    return "| " + " | ".join(cells) + " |"


def _work(record: table.Record) -> str:
    return "training" if record["training"] else "inference"


def _shape(record: table.Record) -> str:
    """Cell and sizes, with what is special about the case."""
    kind = record["cell"] + f" T{record['T']} N{record['N']} I{record['I']} H{record['H']}"
    special = [f"{record['layers']} layers"] if record["layers"] > 1 else []
    special += [word for word in ("bidirectional", "ragged", "stream") if record[word]]
    special += [record["dtype"]] if record["dtype"] != "float32" else []
    return ", ".join([kind, *special])


def _times(ratio: float) -> str:
    return f"{ratio:.2f}×" if ratio < 2 else f"{ratio:.1f}×" if ratio < 10 else f"{ratio:.0f}×"


if __name__ == "__main__":
    sys.exit(main())
