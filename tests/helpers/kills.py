"""Processes that are killed at random moments, and what must be true of the files they leave."""

import hashlib
import random
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from fastrnn.io import load_checkpoint
from fastrnn.io._files import remove_stale
from helpers.processes import TIMEOUT, environment

HERE = Path(__file__).parent

SAVES = """
    import sys
    import numpy as np
    from fastrnn.io import save_checkpoint
    for k in range(10**9):
        w = np.random.default_rng(k).random(200_000)
        save_checkpoint(sys.argv[1], {"w": w}, {"k": k})
        print(k, flush=True)
"""


def start(*command: str, threads: int = 1) -> subprocess.Popen[str]:
    env = environment({"PYTHONPATH": str(HERE.parent), "FASTRNN_NUM_THREADS": str(threads)})
    return subprocess.Popen(
        [sys.executable, *command],
        env=env,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def kill(process: subprocess.Popen[str]) -> None:
    process.send_signal(signal.SIGKILL)
    process.communicate(timeout=TIMEOUT)


def kill_savers(path: Path, times: int, seed: int) -> None:
    """Kill a process that does nothing but save; the file is one of those it has saved."""
    rng = random.Random(seed)
    for _ in range(times):
        process = start("-c", textwrap.dedent(SAVES), str(path))
        assert process.stdout is not None
        process.stdout.readline()
        time.sleep(rng.uniform(0, 0.05))
        kill(process)
        found = load_checkpoint(path)
        w = np.random.default_rng(found.state["k"]).random(200_000)
        assert found.tensors["w"].tobytes() == w.tobytes()
        remove_stale(path.parent)
        assert [other.name for other in path.parent.iterdir()] == [path.name]


def toy(folder: Path, updates: int) -> Callable[[int], subprocess.Popen[str]]:
    """The training of toy.py, by its number of threads."""
    command = str(HERE / "toy.py"), str(folder), str(updates), "3"
    return lambda threads: start(*command, threads=threads)


def outcome(process: subprocess.Popen[str]) -> str:
    """What a training that is left alone prints: a digest of all its weights, and its last loss."""
    out, errors = process.communicate(timeout=TIMEOUT)
    assert process.returncode == 0, errors
    return out


def interrupted(process: subprocess.Popen[str], twice: bool) -> None:
    """Press Ctrl-C, once or impatiently twice: it saves and leaves."""
    process.send_signal(signal.SIGINT)
    if twice:
        process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=TIMEOUT)
    assert process.returncode in (0, 130), errors  # 0: it had just come to its end


def stop_training(
    folder: Path,
    begin: Callable[[int], subprocess.Popen[str]],
    times: int,
    seed: int,
    *,
    kills: bool,
) -> str:
    """Stop a training again and again, then let it end; every checkpoint on the way loads.

    `begin` starts it with a number of threads, which changes from time to time.
    """
    rng = random.Random(seed)
    for k in range(times):
        before = state_of(folder)
        process = begin(1 + k % 2)
        began = time.monotonic()
        while state_of(folder) == before and process.poll() is None:
            assert time.monotonic() - began < TIMEOUT, "no checkpoint is written"
            time.sleep(0.002)
        time.sleep(rng.uniform(0, 0.06))
        if kills:
            kill(process)
        else:
            interrupted(process, twice=rng.random() < 0.5)
        files = sorted(folder.glob("checkpoint-*"))
        assert files
        for path in files:
            assert load_checkpoint(path).state["run"]["update"] == int(path.name[11:19])
    return outcome(begin(1 + times % 2))


def state_of(folder: Path) -> str:
    """The names of the files there."""
    names = sorted(path.name for path in folder.glob("checkpoint-*"))
    return hashlib.sha256("".join(names).encode()).hexdigest()


# `fastrnn train`, to which a signal comes at the beginning of an update, by a clock of the test's:
# an update takes 40 seconds, so checkpoints of every five minutes are those of 8 updates.
STOPPED = """
    import os, signal, sys
    from fastrnn.train import _loop
    from fastrnn.train._step import Step

    config, name, update = sys.argv[1], sys.argv[2], int(sys.argv[3])
    done, step = 0, Step.__call__
    _loop.perf_counter = lambda: 40.0 * done

    def stopped(self, batch, run, *others):
        global done
        if run.update + 1 == update:
            os.kill(os.getpid(), getattr(signal, name))
        done += 1
        return step(self, batch, run, *others)

    Step.__call__ = stopped
    from fastrnn.cli import main
    sys.exit(main(["train", config, "--resume"]))
"""
SECONDS_LOST, SECONDS_OF_AN_UPDATE = 300, 40  # of what kill -9 may cost; of the clock above
SIGNALS = {"SIGKILL": -9, "SIGTERM": 0, "SIGHUP": 0, "SIGINT": 130}  # and what the command returns


def train_command(config: Path, name: str = "SIGTERM", update: int = 0) -> int:
    """Run `fastrnn train --resume`, with a signal before this update; return its exit code."""
    process = start("-c", textwrap.dedent(STOPPED), str(config), name, str(update))
    process.communicate(timeout=TIMEOUT)
    return int(process.returncode)


def stop_command(config: Path, folder: Path, stops: list[tuple[str, int]]) -> None:
    """Stop a training by its command at these updates, in rising order, and let it end.

    What is lost is an update that was not whole, or with kill -9 at most the last minutes.
    """
    for name, update in stops:
        assert train_command(config, name, update) == SIGNALS[name], name
        files = sorted(folder.glob("checkpoint-*"))
        saved = int(files[-1].name[11:19]) if files else 0
        if name == "SIGKILL":
            assert (update - 1 - saved) * SECONDS_OF_AN_UPDATE <= SECONDS_LOST, (update, saved)
        else:  # a signal ends it after the update, Ctrl-C before it
            assert saved == update - (name == "SIGINT"), (name, update, saved)
        for path in files:
            load_checkpoint(path)
    assert train_command(config) == 0


def moments(seed: int, count: int, updates: int) -> list[tuple[str, int]]:
    """So many signals and the updates at which they come, in rising order."""
    rng = random.Random(seed)
    places = sorted(rng.sample(range(2, updates + 1), count))
    return [(rng.choice(list(SIGNALS)), place) for place in places]
