"""Two ranks with a slow network between them: efficiency as measured, beside what was predicted.

``python -m bench.two_machines`` makes two network namespaces of Linux, joined by a pair of virtual
devices that let through ``--rate`` (a token bucket, ``tc tbf``) in each direction, and runs
``fastrnn doctor --dist`` by MPICH with a rank in each. They share nothing but the processor, so
each has one thread. Needs root, ``ip`` and ``tc`` (Debian: iproute2). Both are removed at the end.
"""

import argparse
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

SPACES = tuple(f"fastrnn-{os.getpid()}-{k}" for k in (0, 1))
DEVICES = ("fastrnn0", "fastrnn1")
ADDRESSES = ("10.77.0.1", "10.77.0.2")
# In place of rsh: runs a command in the namespace of an address.
LAUNCHER = f"""#!/bin/sh
space={SPACES[1]}
[ "$1" = {ADDRESSES[0]} ] && space={SPACES[0]}
shift
exec ip netns exec $space sh -c "$*"
"""


@contextmanager
def joined(rate: str) -> Iterator[None]:
    """Make both namespaces and what joins them, and remove them at the end."""
    try:
        for space in SPACES:
            _run("ip", "netns", "add", space)
        first, second = DEVICES
        _run(
            "ip", "link", "add", first, "netns", SPACES[0], "type", "veth",
            "peer", "name", second, "netns", SPACES[1],
        )  # fmt: skip
        for space, device, address in zip(SPACES, DEVICES, ADDRESSES, strict=True):
            _run("ip", "-n", space, "addr", "add", f"{address}/30", "dev", device)
            for each in ("lo", device):
                _run("ip", "-n", space, "link", "set", each, "up")
            _run(
                "ip", "netns", "exec", space, "tc", "qdisc", "add", "dev", device, "root",
                "tbf", "rate", rate, "burst", "256kb", "latency", "20ms",
            )  # fmt: skip
        for space, device in zip(SPACES, DEVICES, strict=True):
            _wait_until_up(space, device)
        yield
    finally:
        for space in SPACES:  # what still runs there, then they, and their devices with them
            inside = subprocess.run(
                ["ip", "netns", "pids", space], capture_output=True, text=True, check=False
            )
            for pid in inside.stdout.split():
                with suppress(ProcessLookupError):
                    os.kill(int(pid), signal.SIGKILL)
            subprocess.run(["ip", "netns", "del", space], check=False, stderr=subprocess.DEVNULL)


def variables(folder: Path) -> dict[str, str]:
    """Return what MPICH is told in the environment: a rank in each of them, sent to by TCP alone.

    Else it sees one host, and sends through memory: itself, and the UCX beneath it.
    """
    launcher = folder / "launcher"
    launcher.write_text(LAUNCHER)
    launcher.chmod(0o755)
    return {
        "HYDRA_LAUNCHER": "rsh",
        "HYDRA_LAUNCHER_EXEC": str(launcher),
        "MPIR_CVAR_NOLOCAL": "1",
        "UCX_TLS": "tcp",
        "FASTRNN_NUM_THREADS": "1",
        "OPENBLAS_NUM_THREADS": "1",
    }


def _wait_until_up(space: str, device: str) -> None:
    """Wait until Linux calls a device up, which it may do a second late: UCX takes no other."""
    until = time.monotonic() + 10
    while "state UP" not in _run("ip", "-n", space, "link", "show", device):
        if time.monotonic() > until:
            raise SystemExit(f"{device} does not come up in {space}")
        time.sleep(0.05)


def set_link(state: str) -> None:
    """Set the link between them "down", or "up"."""
    _run("ip", "-n", SPACES[0], "link", "set", DEVICES[0], state)


def _run(*words: str) -> str:
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{' '.join(words)}: {done.stderr.strip()}")
    return done.stdout


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rate", default="1gbit", help="As tc has it; default: %(default)s.")
    given = parser.parse_args()
    if os.geteuid() != 0 or not all(map(shutil.which, ("ip", "tc"))):
        raise SystemExit("this needs root, and ip and tc of iproute2")
    beside = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
    mpiexec = shutil.which("mpiexec", path=beside)
    if mpiexec is None:
        raise SystemExit("this needs mpiexec of MPICH: pip install mpi4py mpich")
    with joined(given.rate), tempfile.TemporaryDirectory() as folder:
        command = [
            "ip", "netns", "exec", SPACES[0], mpiexec, "-hosts", ",".join(ADDRESSES), "-n", "2",
            sys.executable, "-m", "mpi4py", "-m", "fastrnn.cli", "doctor", "--dist",
        ]  # fmt: skip
        env = os.environ | variables(Path(folder))
        print(f"rate {given.rate}: {' '.join(command[4:])}", flush=True)
        return subprocess.run(command, env=env, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
