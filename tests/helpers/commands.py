"""The program `fastrnn` in a process of its own."""

import subprocess
import sys

from helpers.processes import TIMEOUT, environment

COMMAND = (sys.executable, "-m", "fastrnn.cli")

# The demo trains against the clock. With this one it makes the same updates on every machine: it
# moves on by a tick whenever it is looked at, until it stands.
DEMO = """
import itertools, sys
from fastrnn.cli import main
from fastrnn.train import _loop
tick, last = map(float, sys.argv[1:3])
looks = itertools.count()
_loop.perf_counter = lambda: min(next(looks) * tick, last)
sys.exit(main(["demo", *sys.argv[3:]]))
"""


def demo_command(tick: float, last: float = 1e9) -> list[str]:
    """The program `fastrnn demo` with such a clock."""
    return [sys.executable, "-c", DEMO, str(tick), str(last)]


def run(*args: str, **changes: str) -> subprocess.CompletedProcess[str]:
    """Run it to its end, its output caught in pipes; `changes` go into the environment."""
    return run_command([*COMMAND, *args], **changes)


def run_command(command: list[str], **changes: str) -> subprocess.CompletedProcess[str]:
    """The same with a command of one's own."""
    return subprocess.run(
        command,
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
