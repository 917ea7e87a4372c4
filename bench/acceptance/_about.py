"""What a result needs to be read years later: commit, date, machine and versions."""

import os
import platform
import subprocess
import time
from importlib import metadata
from pathlib import Path
from typing import Any

from bench import machine

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("numpy", "autograd", "torch", "gensim", "sacrebleu", "tokenizers", "scikit-learn")


def about_this_run() -> dict[str, Any]:
    """Return commit, date, machine and versions."""
    import fastrnn

    done = subprocess.run(
        ["git", "-C", str(ROOT), "describe", "--always", "--dirty"],
        check=False,
        capture_output=True,
        text=True,
    )
    versions = {"python": platform.python_version(), "fastrnn": fastrnn.__version__}
    for name in PACKAGES:
        try:
            versions[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            versions[name] = "not installed"
    found = machine.as_json(machine.measure([fastrnn.get_num_threads()]))
    found["memory_gib"] = _memory_gib()
    return {
        "commit": done.stdout.strip() or "unknown",
        "date": time.strftime("%Y-%m-%d"),
        "machine": found,
        "isa": fastrnn.isa(),
        "threads": fastrnn.get_num_threads(),
        "versions": versions,
    }


def _memory_gib() -> float | None:
    """Return the machine's memory, None where the system does not tell."""
    try:
        return round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1)
    except (AttributeError, OSError, ValueError):
        return None
