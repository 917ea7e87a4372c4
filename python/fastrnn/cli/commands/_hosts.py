"""The machines of ``fastrnn launch --hosts``: their file, and the options of mpiexec for them."""

import re
import subprocess
from pathlib import Path

from fastrnn.io._files import open_regular

_LINE = re.compile(r"(?P<host>[A-Za-z0-9][\w.-]*)(?:(?::|\s+slots\s*=\s*)(?P<slots>\d+))?")


def read_hosts(path: Path) -> dict[str, int]:
    """Return how many ranks each machine takes, by name.

    Parameters
    ----------
    path : Path
        A machine a line, ``HOST``, ``HOST:SLOTS`` or ``HOST slots=SLOTS``; # begins a comment.

    Raises
    ------
    OSError
        It cannot be read.
    ValueError
        A line is something else, a machine has no slots or stands there twice, or there is none.
    """
    hosts: dict[str, int] = {}
    with open_regular(path) as file:
        lines = file.read().decode("utf-8", "replace").splitlines()
    for number, text in enumerate(lines, 1):
        line = text.partition("#")[0].strip()
        if not line:
            continue
        parts = _LINE.fullmatch(line)
        if parts is None:
            rule = "each line must be HOST, HOST:SLOTS or HOST slots=SLOTS"
            raise ValueError(f"{path}, line {number}: {rule}, got {line!r}")
        host, slots = parts["host"], int(parts["slots"] or 1)
        if slots < 1:
            raise ValueError(f"{path}, line {number}: {host} must have 1 slot or more, got 0")
        if host in hosts:
            raise ValueError(f"{path}, line {number}: {host} stands there twice; add its slots")
        hosts[host] = slots
    if not hosts:
        raise ValueError(f"{path} names no host")
    return hosts


def host_options(mpiexec: str, hosts: dict[str, int], variables: list[str]) -> list[str]:
    """Return the options of this mpiexec for these machines, which get these variables, too.

    Raises
    ------
    ValueError
        It is of another MPI than MPICH and Open MPI.
    """
    done = subprocess.run([mpiexec, "--version"], capture_output=True, text=True, check=False)
    machines = ",".join(f"{host}:{slots}" for host, slots in hosts.items())
    if "HYDRA" in done.stdout:  # of MPICH, which hands on all variables
        return ["-hosts", machines]
    if re.search(r"Open ?MPI|OpenRTE|PRRTE", done.stdout):
        return ["--host", machines, *(word for name in variables for word in ("-x", name))]
    version = (done.stdout or done.stderr).strip().partition("\n")[0]
    raise ValueError(f"--hosts is for MPICH and Open MPI, and {mpiexec} says: {version}")
