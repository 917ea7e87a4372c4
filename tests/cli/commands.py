"""The program `fastrnn` in a process of its own."""

import subprocess
import sys

from processes import environment

COMMAND = (sys.executable, "-m", "fastrnn.cli")
TIMEOUT = 100.0  # seconds


def run(*args: str, **changes: str) -> subprocess.CompletedProcess[str]:
    """Run it to its end, its output caught in pipes; `changes` go into the environment."""
    return subprocess.run(
        [*COMMAND, *args],
        capture_output=True,
        text=True,
        timeout=TIMEOUT,
        env=environment(changes),
        check=False,
    )


def only_line(text: str) -> str:
    """The one line of `text`; a traceback has more."""
    lines = text.strip().splitlines()
    assert len(lines) == 1, text
    return lines[0]
