"""``fastrnn launch``: a script or command as ranks on this machine or many, under MPI."""

import os
import shlex
import shutil
import signal
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from threading import Event, Thread, Timer

import typer

import fastrnn
from fastrnn.cli.commands._hosts import host_options, read_hosts
from fastrnn.distributed.comm import SILENT
from fastrnn.distributed.mpi import NEEDED
from fastrnn.runtime import THREAD_VARIABLES
from fastrnn.train._interrupt import ENDING

_HOW = "'-n' / '--hosts'"
_PATIENCE = 5.0  # seconds for mpiexec to end by itself when a rank was lost
_COMMANDS = ("train", "selftest", "doctor")  # those that know what ranks are
# Open MPI binds every rank to one core, and lets those that wait keep it busy.
_OPEN_MPI = {
    "PRTE_MCA_hwloc_default_binding_policy": "none",
    "OMPI_MCA_hwloc_base_binding_policy": "none",
    "OMPI_MCA_mpi_yield_when_idle": "1",
}


def run_launch(ranks: int | None, words: list[str], hosts: Path | None = None) -> None:
    """Run the processes, and end as they end.

    Parameters
    ----------
    ranks : int or None
        K, how many; None: as many as the hosts have slots.
    words : list of str
        What to run: ``SCRIPT.py`` or ``CONFIG.toml`` with its options, or a command of fastrnn.
    hosts : Path or None
        A file that names machines; None: this one alone.

    Raises
    ------
    ChildProcessError
        They failed.
    FileNotFoundError
        There is no mpiexec.
    ImportError
        There is no mpi4py.
    ValueError
        The script is not there, the command is one that ranks cannot share, or hosts are wrong
        or too few.
    typer.BadParameter
        Neither ranks nor hosts are given.
    """
    slots: dict[str, int] = {}
    if hosts is not None:
        slots = read_hosts(hosts)
        total = sum(slots.values())
        ranks = total if ranks is None else ranks
        if ranks > total:
            raise ValueError(f"-n must be at most {total}, the slots of {hosts}, got {ranks}")
    elif ranks is None:
        raise typer.BadParameter("one of them must say how many ranks there are", param_hint=_HOW)
    mpiexec, env = _mpiexec(), _OPEN_MPI | dict(os.environ)
    given = [name for name in THREAD_VARIABLES if name in env]
    options = host_options(mpiexec, slots, given) if slots else []
    command = [mpiexec, *options, "-n", str(ranks), sys.executable, "-m", "mpi4py", *_job(words)]
    if not given and hosts is None:  # ranks of many machines divide the cores of each themselves
        share = max(1, fastrnn.get_num_threads() // ranks)
        env |= dict.fromkeys(THREAD_VARIABLES, str(share))
    first = THREAD_VARIABLES[0]
    print(f"{first}={env.get(first, 'unset')} {shlex.join(command)}", flush=True)
    code = _wait(command, env)
    if code == 130:
        raise KeyboardInterrupt
    if code in (1, 2):  # failed or wrong usage, which a rank has told
        sys.exit(code)
    if code:
        raise ChildProcessError(f"the {ranks} ranks ended with exit code {code}")


def _wait(command: list[str], env: dict[str, str]) -> int:
    """Run mpiexec to its end, and return its exit code, 130 after Ctrl-C.

    Ctrl-C in a terminal reaches it too, and what the ranks save then takes its time. What a
    scheduler sends is passed on to it, and by it to the ranks. Where a rank is lost together with
    its machine, mpiexec would wait for that.
    """
    interrupted, lost = False, Event()
    reading, writing = os.pipe()
    with subprocess.Popen(command, env=env, stderr=writing) as process:
        os.close(writing)
        forwarding = Thread(target=_forward, args=(reading, process, lost), daemon=True)
        forwarding.start()
        numbers = [getattr(signal, name) for name in ENDING if hasattr(signal, name)]
        before = {n: signal.signal(n, lambda n, _: process.send_signal(n)) for n in numbers}
        while process.returncode is None:
            try:
                process.wait()
            except KeyboardInterrupt:
                interrupted = True
        for number, handler in before.items():
            signal.signal(number, handler)
    forwarding.join(_PATIENCE)  # what outlives mpiexec may hold its end of the pipe
    if interrupted:
        return 130
    return 1 if lost.is_set() else process.returncode


def _forward(reading: int, process: subprocess.Popen[bytes], lost: Event) -> None:
    """Write what comes from the ranks to stderr; if one was lost, end mpiexec a little later."""
    words, end = SILENT.encode(), b""
    with open(reading, "rb", buffering=0) as pipe:
        while chunk := pipe.read(2**16):
            os.write(2, chunk)
            end += chunk
            if words in end and not lost.is_set():
                lost.set()
                killer = Timer(_PATIENCE, process.kill)
                killer.daemon = True
                killer.start()
            end = end[1 - len(words) :]


def _mpiexec() -> str:
    """Return the launcher of the MPI that mpi4py finds: the one beside Python comes first."""
    if find_spec("mpi4py") is None:
        raise ImportError(f"fastrnn launch needs mpi4py: {NEEDED}")
    beside = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)])
    mpiexec = shutil.which("mpiexec", path=beside)
    if mpiexec is None:
        raise FileNotFoundError(
            f"fastrnn launch needs mpiexec, which no folder of PATH has: {NEEDED}"
        )
    return mpiexec


def _job(words: list[str]) -> list[str]:
    """Return what Python is to run."""
    first = words[0]
    if first.endswith(".py"):
        if not Path(first).is_file():
            raise ValueError(f"{first} is no file")
        return words
    if not first.endswith(".toml") and first not in _COMMANDS:
        raise ValueError(
            f"launch runs SCRIPT.py, CONFIG.toml or one of {', '.join(_COMMANDS)}, got {first!r}"
        )
    command = ["train"] if first.endswith(".toml") else []
    return ["-m", "fastrnn.cli", *command, *words]
