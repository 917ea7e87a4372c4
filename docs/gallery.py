"""Pages that are made by running the project: a gallery of the examples, and the command line.

    python docs/gallery.py             run every example whole, as `make gallery` does
    python docs/gallery.py NAME...     run these

What an example printed and drew lies in build/gallery/NAME until its program changes. As an
extension of Sphinx this file runs those that are missing with --quick, which takes seconds each,
and says so on their pages; `-D gallery_runs=` (nothing) leaves them out.
"""

import ast
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import typer
from typer.cli import get_docs_for_click

from fastrnn.cli._app import app
from fastrnn.cli._flags import with_plain_flags
from fastrnn.cli.demos import NAMES

ROOT = Path(__file__).parents[1]
EXAMPLES, RUNS, MADE = ROOT / "examples", ROOT / "build" / "gallery", ROOT / "docs" / "made"
DATA = RUNS / "data"  # the packages whose files some examples read


def program(name: str) -> str:
    """Say by a hash what an example runs, apart from the compiled module."""
    shared = [*EXAMPLES.glob("_*.py"), *(EXAMPLES / "toys").glob("*.py")]
    texts = [path.read_bytes() for path in [EXAMPLES / f"{name}.py", *sorted(shared)]]
    return hashlib.sha256(b"\0".join(texts)).hexdigest()


def record_of(name: str) -> dict[str, Any] | None:
    """Return what is known of the last run of an example; None where its program is another."""
    path = RUNS / name / "record.json"
    record: dict[str, Any] = json.loads(path.read_text("utf-8")) if path.exists() else {}
    return record if record.get("program") == program(name) else None


def run(name: str, *, quick: bool) -> None:
    """Run an example in an empty folder, and keep what it prints and draws."""
    command = [sys.executable, "-m", "fastrnn", "demo", name, *(["--quick"] if quick else [])]
    # Plain lines of 88 columns, and data of the folder of downloads alone.
    env = {**os.environ, "COLUMNS": "88", "NO_COLOR": "1", "FASTRNN_DATA": str(DATA)}
    with tempfile.TemporaryDirectory() as folder:
        began = time.perf_counter()
        ran = subprocess.run(
            [*command, "--plot", "pictures"], cwd=folder, env=env, stdin=subprocess.DEVNULL,
            capture_output=True, text=True, timeout=1800, check=False,
        )  # fmt: skip
        seconds = time.perf_counter() - began
        if ran.returncode not in (0, 3):  # 3: its data is missing
            sys.exit(f"{' '.join(command)} ended with {ran.returncode}:\n{ran.stderr}")
        pictures = Path(folder, "pictures")
        pictures.mkdir(exist_ok=True)  # an example that was skipped draws none
        shutil.rmtree(RUNS / name, ignore_errors=True)
        shutil.copytree(pictures, RUNS / name)
    record = {
        "program": program(name), "quick": quick, "seconds": round(seconds, 1),
        "skipped": ran.returncode == 3, "output": (ran.stdout + ran.stderr).strip(),
    }  # fmt: skip
    (RUNS / name / "record.json").write_text(json.dumps(record, indent=1), "utf-8")


def run_missing(names: tuple[str, ...], *, quick: bool) -> None:
    """Run what has no record yet, or only a quick one where a whole one is asked for."""
    known = {name: record_of(name) for name in names}
    missing = [name for name, r in known.items() if r is None or (r["quick"] and not quick)]
    with ThreadPoolExecutor(max(1, (os.cpu_count() or 2) // 2)) as pool:
        list(pool.map(lambda name: run(name, quick=quick), missing))


def title_of(name: str) -> str:
    """Return the first sentence of an example, without its full stop."""
    doc = ast.get_docstring(ast.parse((EXAMPLES / f"{name}.py").read_text("utf-8"))) or ""
    return doc.partition("\n")[0].rstrip(".")


def page(name: str) -> str:
    """Return the page of an example: what it claims, what it draws and prints, its program."""
    record = record_of(name)
    doc = ast.get_docstring(ast.parse((EXAMPLES / f"{name}.py").read_text("utf-8"))) or ""
    pictures = sorted((RUNS / name).glob("*.png"))
    for path in pictures:
        shutil.copy(path, MADE / "gallery" / f"{name}-{path.name}")
    output = f"\n\n```text\n{record['output']}\n```" if record else ""
    if record is None:
        ran = "It was not run for these pages."
    elif record["skipped"]:
        ran = "It reads data that was not there when these pages were made:"
    elif record["quick"]:
        ran = f"Run with `--quick` in {record['seconds']:,} s, too short for figures to quote:"
    else:
        ran = f"It took {record['seconds']:,} s on the machine that made these pages:"
    images = "".join(f"![{p.stem}]({name}-{p.name})\n\n" for p in pictures)
    return (
        f"# {title_of(name)}\n\n{doc.partition(chr(10))[2].strip()}\n\n{images}"
        f"`fastrnn demo {name}` runs it, and so does `python examples/{name}.py`. {ran}"
        f"{output}\n\n## Program\n\n"
        f"```{{literalinclude}} ../../../examples/{name}.py\n:language: python\n```\n"
    )


def cards() -> str:
    """Return the front page of the gallery: a picture and a line for each example."""
    lines = ["# Gallery", "", "Each picture leads to what was run for it, and what came out.", ""]
    lines += ["::::{grid} 1 2 3 3", ":gutter: 3", ""]
    for name in NAMES:
        pictures = sorted((RUNS / name).glob("*.png"))
        image = [f":img-top: {name}-{pictures[0].name}"] if pictures else []
        lines += [f":::{{grid-item-card}} `{name}`", f":link: {name}", ":link-type: doc", *image]
        lines += [f"\n{title_of(name)}", ":::", ""]
    lines += ["::::", "", "```{toctree}", ":hidden:", "", *NAMES, "```", ""]
    return "\n".join(lines)


def command_line() -> str:
    """Return the page of all commands and options, from the program itself."""
    command = with_plain_flags(typer.main.get_command(app))
    context = typer.Context(command, info_name="fastrnn")
    return get_docs_for_click(obj=command, ctx=context, name="fastrnn", title="Command line")


def write(path: Path, text: str) -> None:
    """Write a page, but leave one that is the same: Sphinx reads again what is newer."""
    if not path.exists() or path.read_text("utf-8") != text:
        path.write_text(text, "utf-8")


def make(sphinx: Any) -> None:
    """Write all pages of this file."""
    if sphinx.config.gallery_runs:
        run_missing(NAMES, quick=True)
    (MADE / "gallery").mkdir(parents=True, exist_ok=True)
    for name in NAMES:
        write(MADE / "gallery" / f"{name}.md", page(name))
    write(MADE / "gallery" / "index.md", cards())
    write(MADE / "command_line.md", command_line())


def setup(sphinx: Any) -> dict[str, bool]:
    """Be an extension of Sphinx."""
    sphinx.add_config_value("gallery_runs", "quick", "env", str)
    sphinx.connect("builder-inited", make)
    return {"parallel_read_safe": True}


if __name__ == "__main__":
    run_missing(tuple(sys.argv[1:]) or NAMES, quick=False)
