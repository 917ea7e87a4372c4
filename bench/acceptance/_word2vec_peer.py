"""What both benches of word vectors share: their options, and a worker's run beside its peer's."""

import argparse
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import fastrnn
from bench.acceptance import _frame

WORKER = Path(__file__).with_name("_word2vec_worker.py")
HOW = "the first lines of the bench, or of _word2vec_corpus.py, say how to make it"
LIBRARIES = ("fastrnn", "gensim")


def parser(task: str, about: str | None) -> argparse.ArgumentParser:
    """Return the options of a bench with the Python of the peer."""
    options = _frame.options(task, about)
    options.add_argument(
        "--peer-python", default=sys.executable, metavar="PYTHON", help="one that has gensim"
    )
    return options


def corpus(bench: _frame.Frame, name: str) -> Path:
    """Return the path of a text in the data folder, having noted its hash.

    Raises
    ------
    bench.acceptance._frame.Skipped
        It, or gensim, is not here.
    """
    path = None if bench.given.data is None else Path(bench.given.data) / name
    if path is None or not path.is_file():
        raise _frame.Skipped(f"{name} is not here ({HOW})")
    found = subprocess.run(
        [bench.given.peer_python, "-c", "import gensim; print(gensim.__version__)"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    if found.returncode != 0:
        raise _frame.Skipped("gensim is not here (pip install gensim, or --peer-python)")
    bench.seen(name, path.read_bytes())
    bench.configuration["gensim"] = found.stdout.strip()
    return path


def run(bench: _frame.Frame, library: str, **options: Any) -> dict[str, Any]:
    """Return what one worker reports."""
    python = bench.given.peer_python if library == "gensim" else sys.executable
    path = [str(Path(fastrnn.__file__).parents[1])] if library == "fastrnn" else []
    given = json.dumps({"library": library, "path": path, **options})
    done = subprocess.run(
        [python, str(WORKER), given], capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        raise RuntimeError(f"{library} failed: {done.stderr.strip().splitlines()[-1:]}")
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found
