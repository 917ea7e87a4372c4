"""Fuzzes the boundary of `_core` and every loader by coverage, with atheris: `make fuzz`.

    python tests/fuzz/run.py [--seconds 60] [--jobs 2] [TARGET ...]

Each target begins with the inputs of tests/fuzz/corpus, and with what earlier runs have left under
build/fuzz. An input that ends in an undocumented error, takes more than 512 MB or 2 s of processor
time is written to build/fuzz/found and fails the run; put it into tests/fuzz/corpus with the fix.
"""

import argparse
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

HERE = Path(__file__).parent
BUILD = HERE.parents[1] / "build" / "fuzz"
HANG = 60  # seconds by the clock after which an input is given up
sys.path.insert(0, str(HERE.parent))


def fuzz(name: str, seconds: int) -> None:
    """Fuzz one target in this process; it ends the process."""
    import atheris

    with atheris.instrument_imports(include=["fastrnn", "tomllib", "zipfile"]):
        from fuzz.targets import MAKERS, checked

        work = BUILD / "work" / name
        shutil.rmtree(work, ignore_errors=True)
        work.mkdir(parents=True)
        target = MAKERS[name](work)
    corpus, found = BUILD / "corpus" / name, BUILD / "found" / name
    for folder in (corpus, found):
        folder.mkdir(parents=True, exist_ok=True)
    for i, seed in enumerate(target.seeds()):
        (corpus / f"seed-{i}").write_bytes(seed)
    kept = HERE / "corpus" / name
    folders = [str(corpus), *([str(kept)] if kept.is_dir() else [])]
    limits = [f"-max_total_time={seconds}", "-rss_limit_mb=512", f"-timeout={HANG}"]
    limits += ["-max_len=32768", f"-artifact_prefix={found}/"]
    limits += ["-print_final_stats=1", "-close_fd_mask=1"]
    atheris.Setup([sys.argv[0], *limits, *folders], lambda data: checked(target, data))
    atheris.Fuzz()


def run(name: str, seconds: int) -> str | None:
    """Fuzz one target in a process of its own; return what went wrong."""
    words = [sys.executable, __file__, "--only", name, "--seconds", str(seconds)]
    try:
        done = subprocess.run(
            words, capture_output=True, text=True, errors="replace", timeout=seconds + 4 * HANG,
            check=False,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        return "it did not end"
    stats = {line.split()[0].removeprefix("stat::").rstrip(":"): line.split()[-1]
             for line in done.stderr.splitlines() if line.startswith("stat::")}  # fmt: skip
    print(f"{name}: {stats.get('number_of_executed_units', '?')} inputs, "
          f"{stats.get('peak_rss_mb', '?')} MB", flush=True)  # fmt: skip
    return None if done.returncode == 0 else (done.stdout + done.stderr)[-6000:]


def main() -> int:
    """Fuzz the targets that the command line names, or all of them."""
    from fuzz.targets import MAKERS

    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("targets", nargs="*", metavar="TARGET", help=", ".join(MAKERS))
    parser.add_argument("--seconds", type=int, default=60, help="for each target")
    parser.add_argument("--jobs", type=int, default=2, help="targets at a time")
    options = parser.parse_args()
    names = options.targets or list(MAKERS)
    for name in names:
        if name not in MAKERS:
            parser.error(f"unknown target {name}")
    with ThreadPoolExecutor(options.jobs) as pool:
        outcomes = dict(zip(names, pool.map(lambda n: run(n, options.seconds), names), strict=True))
    for name, text in outcomes.items():
        if text is not None:
            print(f"--- {name} FAILED\n{text}", file=sys.stderr)
    return int(any(text is not None for text in outcomes.values()))


if __name__ == "__main__":
    if "--only" in sys.argv:
        fuzz(sys.argv[sys.argv.index("--only") + 1], int(sys.argv[-1]))
    else:
        sys.exit(main())
