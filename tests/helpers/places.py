"""Places that few tests need: two machines that only a link joins, and a disk that is soon full."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from bench import two_machines


@contextmanager
def two_apart() -> Iterator[None]:
    """Network namespaces as `bench.two_machines` makes them; a test that may not is skipped."""
    with ExitStack() as stack:
        try:
            if os.geteuid() != 0:
                raise PermissionError
            stack.enter_context(two_machines.joined("1gbit"))
        except (OSError, SystemExit):
            pytest.skip("no right, or no tool, to make network namespaces")
        yield


@contextmanager
def small_disk(folder: Path, size: str) -> Iterator[None]:
    """A file system of so many bytes in a folder; a test that may not mount one is skipped."""
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder)]
    try:
        done = subprocess.run(command, capture_output=True, check=False)
        mounted = os.geteuid() == 0 and done.returncode == 0
    except OSError:
        mounted = False
    if not mounted:
        pytest.skip("no right to mount a small disk")
    try:
        yield
    finally:
        subprocess.run(["umount", str(folder)], check=True)


def fill(folder: Path) -> None:
    """Leave no byte free."""
    with (folder / "filler").open("wb", buffering=0) as file:
        try:
            while file.write(bytes(2**12)) == 2**12:
                pass
        except OSError:
            pass
