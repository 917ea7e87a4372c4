"""Runs cases against every importable library in turns, and prints, stores and draws the result.

    python -m bench.grid --cells lstm,gru_after --hidden 128,256 --batch 1,64 --threads 1,2

By default it runs the whole grid: an hour and more. Run it on a quiet machine.
"""

import argparse
import json
import platform
import re
import signal
import sys
import time
from pathlib import Path
from typing import Any

from bench import baselines, cases, load, machine, picture, table
from bench.cases import Case
from bench.interleave import Team

RESULTS = Path(__file__).parent / "results"
PEAK_DRIFT = 0.10  # beyond it, percentages of peak and roofline mean nothing
ATTEMPTS = 3  # at a case beside which other programs are at work


def main(argv: list[str] | None = None) -> int:
    """Run the command line; the exit codes are those of `store`, and 2 for wrong usage."""
    options = _parser().parse_args(argv)
    try:
        selected = select(options)
        names = peer_names(options.peers)
    except ValueError as error:
        print(f"bench.grid: {error}", file=sys.stderr)
        return 2
    results = run(selected, names, options.rounds, options.turn_ms / 1e3, out=options.out)
    return store(results, options.out)


def _parser() -> argparse.ArgumentParser:
    def words(text: str) -> list[str]:
        return text.split(",")

    def numbers(text: str) -> list[int]:
        return [int(word) for word in text.split(",")]

    cpus = baselines.usable_cpus()
    parser = argparse.ArgumentParser(prog="python -m bench.grid", description=__doc__)
    add = parser.add_argument
    add("--cells", type=words, default=list(cases.GRID_CELLS), help=", ".join(cases.CELLS))
    add("--hidden", type=numbers, default=list(cases.GRID_HIDDEN), help="values of H = I")
    add("--batch", type=numbers, default=list(cases.GRID_BATCH), help="values of N")
    add("--threads", type=numbers, default=sorted({1, cpus}), help="numbers of threads")
    add("--dtype", type=words, default=["float32"], help="float32, float64 or both")
    add("--uses", action="store_true", help="add the cases named after uses and DeepBench")
    add("--rounds", type=int, default=7, help="turns of each library in each case")
    add("--turn-ms", type=float, default=50, help="length of a turn")
    add("--peers", type=words, default=None, help="default: all that are importable")
    add("--out", type=Path, default=result_path("grid"), help="JSON; the PNG goes beside it")
    return parser


def select(options: argparse.Namespace) -> list[Case]:
    """The cases that the options name.

    Raises
    ------
    ValueError
        For an unknown cell or dtype, and for sizes and counts that are not positive.
    """
    for name, given, allowed in (
        ("--cells", options.cells, list(cases.CELLS)),
        ("--dtype", options.dtype, ["float32", "float64"]),
    ):
        if unknown := sorted(set(given) - set(allowed)):
            raise ValueError(f"{name} must be among {', '.join(allowed)}, got {unknown[0]!r}")
    if min(options.hidden + options.batch + options.threads + [options.rounds]) < 1:
        raise ValueError("--hidden, --batch, --threads and --rounds must be at least 1")
    if max(options.threads) > baselines.usable_cpus():
        raise ValueError(f"--threads must be at most {baselines.usable_cpus()}, the usable CPUs")
    selected: list[Case] = []
    if options.uses:
        for n in options.threads:
            selected += [*cases.uses(n), *cases.composites(n), *cases.deepbench(n)]
    selected += cases.grid(
        options.cells, options.hidden, options.batch, options.threads, options.dtype
    )
    return list(dict.fromkeys(selected))


def peer_names(wanted: list[str] | None) -> list[str]:
    """Names of the libraries to run, fastrnn first.

    Raises
    ------
    ValueError
        When a name is unknown or its package is not importable.
    """
    importable = baselines.importable()
    for name in wanted or []:
        if name not in importable:
            packages = baselines.peer_class(name).packages
            raise ValueError(f"--peers: {name} needs {' and '.join(packages)} to be importable")
    names = wanted or importable
    return [table.BASE, *(name for name in names if name != table.BASE)]


def run(
    selected: list[Case],
    names: list[str],
    rounds: int,
    seconds: float,
    deadline: float | None = None,
    out: Path | None = None,
) -> dict[str, Any]:
    """Measure the machine, then every case, showing and keeping each line as it comes.

    Ctrl-C and SIGTERM end it with what there is.

    Parameters
    ----------
    selected : list of Case
    names : list of str
        Libraries, fastrnn first.
    rounds, seconds
        As in `Team.measure`.
    deadline : float or None
        On the clock of `time.monotonic`: a case is not started after it but listed in ``skipped``.
    out : Path or None
        Where the results so far are written after every case.

    Returns
    -------
    dict
        What `store` writes: ``machine``, ``system``, ``versions``, ``records``, ``skipped``, …
    """
    threads = sorted({case.threads for case in selected})
    found = machine.measure(threads)
    results = about(found, names)
    show_line(machine.as_text(found))
    show_line(", ".join(f"{k} {v}" for k, v in results["versions"].items()) + "\n")
    show_line(f"{table.MARKS}\n\n{table.header(names)}")
    records, results["interrupted"] = results["records"], False
    ran: set[Case] = set()
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        for n in threads:
            with Team(names, n) as team:
                for case in (case for case in selected if case.threads == n):
                    if deadline is None or time.monotonic() < deadline:
                        records.append(rated(quiet(team, case, rounds, seconds), case, found))
                        ran.add(case)
                        show_line(table.line(records[-1], names))
                        if out is not None:
                            write(results, out)
    except KeyboardInterrupt:
        results["interrupted"] = True
        show_line("interrupted: what was measured so far is kept")
    finally:
        signal.signal(signal.SIGTERM, before)
    results["skipped"] = skipped = [case.id for case in selected if case not in ran]
    results["peak_moved"] = peak_moved(found)
    show_line("\n" + table.summary(records, names))
    for line in table.failures(records):
        show_line(line)
    if skipped:
        show_line(f"{len(skipped)} of {len(selected)} cases were not run; the JSON file lists them")
    if (results["peak_moved"] or 0) > PEAK_DRIFT:
        show_line(
            f"the peak moved by {results['peak_moved']:.0%}: do not use percentages of this run"
        )
    return results


def quiet(team: Team, case: Case, rounds: int, seconds: float) -> table.Record:
    """Measure a case, again where other programs took part of the CPUs.

    After `ATTEMPTS` its ratios are left out: what they would say is of the other programs.
    """
    for _ in range(ATTEMPTS):
        record = team.measure(case, rounds, seconds)
        if (record["foreign_cpu"] or 0) <= load.LIMIT:
            return record
    record["left_out"] = f"other programs took {record['foreign_cpu']:.0%} of the CPUs"
    return record


def show_line(text: str) -> None:
    """Print at once, also into a pipe: a run takes minutes."""
    print(text, flush=True)


def about(found: machine.Machine, names: list[str]) -> dict[str, Any]:
    """Everything a result needs to be read years later, and no records yet."""
    import fastrnn

    return {
        "machine": machine.as_json(found),
        "system": f"{platform.system()} {platform.machine()}, Python {platform.python_version()}",
        "isa": fastrnn.isa(),
        "versions": {name: baselines.peer_class(name).version() for name in names},
        "date": time.strftime("%Y-%m-%d"),
        "peers": names,
        "records": [],
    }


def rated(record: table.Record, case: Case, found: machine.Machine) -> table.Record:
    """The record with fastrnn's rate in GFLOP/s and as percentages of what the machine can do."""
    mine = record["peers"][table.BASE]
    peak, least = found.peak_gflops(case.dtype, case.threads), machine.roofline_seconds(case, found)
    if "min_ms" not in mine:
        return record
    seconds = mine["min_ms"] / 1e3
    gflops = case.flops() / seconds / 1e9
    record["gflops"] = gflops
    record["percent_of_peak"] = None if peak is None else 100 * gflops / peak
    record["percent_of_roofline"] = None if least is None else 100 * least / seconds
    return record


def peak_moved(found: machine.Machine) -> float | None:
    """Largest relative change of the float32 peak since it was measured; None: not measured."""
    changes = [
        abs((machine.measure_peak("float32", int(n)) or 0) / peak - 1)
        for n, peak in found.peak.get("float32", {}).items()
    ]
    return max(changes, default=None)


def result_path(kind: str) -> Path:
    """One JSON file of each kind for each machine, named after its processor."""
    found = machine.describe()
    name = re.sub(r"[^a-z0-9]+", "-", f"{found.cpu} {found.cpus} cpus".lower()).strip("-")
    return RESULTS / f"{kind}-{name}.json"


def store(results: dict[str, Any], out: Path, draw: bool = True) -> int:
    """Write the JSON file, if there are records, and the heat map beside it, if that can be drawn.

    Parameters
    ----------
    results : dict
        Of `run`.
    out : Path
    draw : bool
        False: no heat map, which compares fastrnn in float32 with everybody.

    Returns
    -------
    int
        The exit code: 130 after an interrupt, 1 when a library failed a case, else 0.
    """
    code = 1 if table.failures(results["records"]) else 0
    code = 130 if results["interrupted"] else code
    if not results["records"]:
        print("nothing was measured, nothing is written")
        return code
    write(results, out)
    print(f"wrote {out}")
    if not draw:
        return code
    try:
        picture.heat_map(results, out.with_suffix(".png"))
    except (ImportError, ValueError) as error:
        print(error)
    else:
        print(f"wrote {out.with_suffix('.png')}")
    return code


def write(results: dict[str, Any], out: Path) -> None:
    """Write the JSON file, which a program that is killed meanwhile does not damage."""
    out.parent.mkdir(parents=True, exist_ok=True)
    beside = out.with_suffix(".part")
    beside.write_text(json.dumps(results, indent=1) + "\n")
    beside.replace(out)


if __name__ == "__main__":
    sys.exit(main())
