"""Fresh Python processes with a hard time limit, for what a running interpreter cannot show."""

import os
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable, Mapping

TIMEOUT = 600.0  # seconds; a hang is a failure, and a busy machine is no hang


def run_python(
    code: str,
    *args: str,
    env: Mapping[str, str | None] | None = None,
    timeout: float = TIMEOUT,
    prefix: tuple[str, ...] = (),
) -> subprocess.CompletedProcess[str]:
    """Run `code` in a fresh interpreter and return what came of it, whatever its exit code."""
    return subprocess.run(
        [*prefix, sys.executable, "-c", textwrap.dedent(code), *args],
        env=environment(env),
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )


def output_of(
    code: str,
    *args: str,
    env: Mapping[str, str | None] | None = None,
    timeout: float = TIMEOUT,
    prefix: tuple[str, ...] = (),
) -> str:
    """What `code` prints; it must end with exit code 0."""
    done = run_python(code, *args, env=env, timeout=timeout, prefix=prefix)
    assert done.returncode == 0, f"exit code {done.returncode}\n{done.stdout}\n{done.stderr}"
    return done.stdout.strip()


def environment(changes: Mapping[str, str | None] | None = None) -> dict[str, str]:
    """This environment without our own switches, with `changes`; None removes a variable."""
    ours = ("FASTRNN_ISA", "FASTRNN_NUM_THREADS", "OMP_NUM_THREADS")
    merged: dict[str, str | None] = {**os.environ, **dict.fromkeys(ours), **(changes or {})}
    return {name: value for name, value in merged.items() if value is not None}


def processor_seconds(pid: int) -> float:
    """Processor time that a process has used with all its threads, as it would read it itself.

    What others do on the machine hardly changes it. Linux makes the number of such a clock from
    the process's own (`clock_getcpuclockid`).
    """
    return time.clock_gettime((~pid << 3) | 2)


def wait_until_busy(pid: int, seconds: float) -> None:
    """Wait until a process has worked for so much longer."""
    enough, deadline = processor_seconds(pid) + seconds, time.monotonic() + TIMEOUT
    while processor_seconds(pid) < enough:
        assert time.monotonic() < deadline, f"process {pid} does not work"
        time.sleep(0.005)


def wait_until(done: Callable[[], bool]) -> None:
    """Wait until something is so that other processes bring about."""
    deadline = time.monotonic() + TIMEOUT
    while not done():
        assert time.monotonic() < deadline
        time.sleep(0.005)
