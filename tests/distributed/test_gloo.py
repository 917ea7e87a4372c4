"""Why: who starts ranks by torchrun, Ray or Spark must learn what one process learns; and where one
of them is gone, the others must not wait for ever.
"""

import os
import re
import signal
import socket
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import pytest
from helpers import jobs, places
from helpers.processes import TIMEOUT, environment, wait_until
from helpers.tolerances import RANKS

pytest.importorskip("autograd")
pytest.importorskip("safetensors")
pytest.importorskip("torch")
from fastrnn.distributed import TorchComm
from fastrnn.train import load_latest

HERE = Path(__file__).parent
PAGE = HERE.parents[1] / "docs/howto/distributed.md"

SCRIPT = """
    import atexit, os, signal, sys, time
    import numpy as np
    import torch.distributed
    from helpers import jobs
    from fastrnn.distributed import TorchComm
    rank, size = int(sys.argv[1]), int(sys.argv[2])
    where = sys.argv[3] if len(sys.argv) > 3 else "file://" + os.path.abspath("meeting")
    torch.distributed.init_process_group("gloo", init_method=where, rank=rank, world_size=size)
    dist = TorchComm(timeout_s=TIMEOUT)
    assert (dist.rank, dist.size) == (rank, size)
    def say(*words):
        print(rank, *words, flush=True)
"""
LEARN = """
    for name, job in jobs.JOBS.items():
        for dtype in (np.float64, np.float32):
            params, _ = jobs.train(dist, job, dtype, 20, log_every=1)
            alone, _ = jobs.train(None, job, dtype, 20)
            say(name, dtype.__name__, jobs.digest(params), jobs.distance(params, alone))
    params, _ = jobs.train(dist, jobs.classifier, exchange="bfloat16")
    alone, _ = jobs.train(None, jobs.classifier)
    say("halved", "float64", jobs.digest(params), jobs.distance(params, alone))
"""
CALLS = """
    for dtype in (np.float64, np.float32, np.int64):
        x = np.arange(6, dtype=dtype).reshape(2, 3) + rank
        dist.allreduce_(x)
        expected = size * np.arange(6) + size * (size - 1) // 2
        assert x.dtype == dtype and (x == expected.reshape(2, 3)).all()
    for dtype in (np.uint8, np.uint16, np.int64, np.float32):
        own = np.arange(10 * rank, 11 * rank).astype(dtype)  # rank 0 has nothing
        own.flags.writeable = False
        parts = dist.allgatherv(own)
        for other, part in enumerate(parts):
            assert part.dtype == dtype
            assert part.tolist() == list(range(10 * other, 11 * other))
        x = (10 * rank + np.arange(2 * size).reshape(size, 2)).astype(dtype)
        assert dist.alltoall(x).tolist() == [
            [10 * other + 2 * rank + k for k in (0, 1)] for other in range(size)
        ]
        x = np.array(rank + 7, dtype)
        dist.broadcast_(x)
        assert x == 7
    empty = np.empty(0)
    assert [part.size for part in dist.allgatherv(empty)] == [0] * size
    dist.allreduce_(empty)
    dist.broadcast_(empty)
    assert dist.alltoall(np.empty((size, 0))).shape == (size, 0)
    dist.barrier()
    say("met")
    atexit._run_exitfuncs()
    assert not torch.distributed.is_initialized(), "a thread of PyTorch outlives Python"
"""
LEAVE = """
    x = np.zeros(5)
    dist.allreduce_(x)
    say("met")
    if rank == 1:
        WHAT
    while True:
        dist.allreduce_(x)
"""
LOSE = """
    say("learns")
    jobs.train(dist, jobs.classifier, updates=10**7, checkpoint="disk/run", save_every=3,
               metrics="run.jsonl")
"""


def start(
    folder: Path, code: str, size: int, timeout_s: float, *where: str, prefixes: Any = ()
) -> list[subprocess.Popen[str]]:
    """Run the ranks, each after words of its own if there are some, which meet at an address."""
    path = folder / "script.py"
    head = SCRIPT.replace("TIMEOUT", str(timeout_s))
    path.write_text(textwrap.dedent(head) + textwrap.dedent(code))
    return [
        subprocess.Popen(
            [*prefix, sys.executable, str(path), str(rank), str(size), *where], env=at_home(),
            cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )
        for rank, prefix in enumerate(prefixes or [()] * size)
    ]  # fmt: skip


def at_home() -> dict[str, str]:
    places = [str(HERE.parent), os.environ.get("PYTHONPATH", "")]
    places = os.pathsep.join(filter(None, places))
    return environment({"PYTHONPATH": places, "FASTRNN_NUM_THREADS": "1"})


def ended(processes: list[subprocess.Popen[str]]) -> list[tuple[int, str, str]]:
    """Exit code and what was said, by rank; nobody is left behind."""
    try:
        told = [process.communicate(timeout=TIMEOUT) for process in processes]
    finally:
        for process in processes:
            if process.poll() is None:
                process.kill()
    return [(p.returncode, *both) for p, both in zip(processes, told, strict=True)]


@pytest.mark.parametrize("size", [2, 3])
def test_calls(tmp_path: Path, size: int) -> None:
    for rank, (code, out, err) in enumerate(ended(start(tmp_path, CALLS, size, 300))):
        assert code == 0, err
        assert out == f"{rank} met\n"


@pytest.mark.check(36)
@pytest.mark.parametrize("size", [2, 3])
def test_processes_learn_what_one_learns(tmp_path: Path, size: int) -> None:
    lines = []
    for code, out, err in ended(start(tmp_path, LEARN, size, 300)):
        assert code == 0, err
        lines += [line.split() for line in out.splitlines()]
    assert len(lines) == size * (2 * len(jobs.JOBS) + 1)
    for name in (*jobs.JOBS, "halved"):
        for dtype, bound in RANKS.items():
            found = [line for line in lines if line[1:3] == [name, dtype.name]]
            assert len({bits for _, _, _, bits, _ in found}) == (name != "halved" or len(found) > 0)
            assert all(float(far) < (0.1 if name == "halved" else bound) for *_, far in found)


@pytest.mark.check(37)
@pytest.mark.parametrize(("what", "code", "size"), [
    ("sys.exit(0)", 0, 2), ("sys.exit(5)", 5, 3), ("raise ValueError('boom')", 1, 2),
    ("os.kill(os.getpid(), signal.SIGKILL)", -signal.SIGKILL, 3), ("dist.abort(7)", 7, 2),
])  # fmt: skip
def test_a_rank_that_is_gone_ends_the_others(
    tmp_path: Path, what: str, code: int, size: int
) -> None:
    processes = start(tmp_path, LEAVE.replace("WHAT", what), size, 300)
    for rank, (found, out, err) in enumerate(ended(processes)):
        # The others may still have been in the sum when rank 1 had it and left.
        assert out == f"{rank} met\n" or (rank != 1 and not out), err
        # PyTorch may abort as Python ends, if its thread still sends.
        assert found == (code if rank == 1 else 1) or (rank == 1 and found == -signal.SIGABRT), err
        if rank != 1:
            assert re.fullmatch(
                r"fastrnn: a rank has ended, or does not answer: [^\n]+\n", ours(err)
            )


@pytest.mark.check(37)
def test_a_rank_that_is_stopped_ends_the_others(tmp_path: Path) -> None:
    what = "os.kill(os.getpid(), signal.SIGSTOP)"
    processes = start(tmp_path, LEAVE.replace("WHAT", what), 2, 2.0)
    try:
        _, err = processes[0].communicate(timeout=TIMEOUT)
    finally:
        processes[1].kill()
        processes[1].communicate()
    assert processes[0].returncode == 1
    assert re.fullmatch(r"fastrnn: a rank has ended, or does not answer: .*2000 ?ms.*\n", ours(err))


def wait_for_records(folder: Path, processes: list[subprocess.Popen[str]]) -> None:
    def there() -> bool:
        gone = [process for process in processes if process.poll() is not None]
        assert not gone, gone[0].communicate()
        metrics = folder / "run.jsonl"
        return metrics.exists() and metrics.read_text().count("\n") >= 2

    wait_until(there)


@pytest.mark.check(37)
def test_a_full_disk_of_rank_0_ends_both(tmp_path: Path) -> None:
    with places.small_disk(tmp_path / "disk", "2m"):
        processes = start(tmp_path, LOSE, 2, 300)
        try:
            wait_for_records(tmp_path, processes)
            places.fill(tmp_path / "disk")
        finally:
            (first, _, full), (second, _, lost) = ended(processes)
        # PyTorch may abort as Python ends, if its thread still sends.
        assert first in (1, -signal.SIGABRT), full
        assert second == 1, lost
        assert ours(full).count("No space left on device") == 1
        assert re.fullmatch(r"fastrnn: a rank has ended, or does not answer: .*\n", ours(lost))
        assert load_latest(tmp_path / "disk/run").state["run"]["update"] >= 3


def ours(err: str) -> str:
    """What was said without the lines of PyTorch's own log."""
    return "".join(line for line in err.splitlines(True) if not re.match(r"\[?[WEI]\d{4} ", line))


@pytest.mark.parametrize("size", [2, 3])
def test_the_recipe_for_torchrun(tmp_path: Path, size: int) -> None:
    """As the page has it: script and command."""
    page = PAGE.read_text()
    script = re.search(r"```python\n(import torch.distributed\n.*?)```", page, re.DOTALL)[1]
    (tmp_path / "script.py").write_text(script)
    command = re.search(r"^torchrun (.*)$", page, re.MULTILINE)[1]
    words = command.replace("--nproc-per-node 2", f"--nproc-per-node {size}").split("#")[0].split()
    done = subprocess.run(
        [sys.executable, "-m", "torch.distributed.run", *words],
        env=at_home(), cwd=tmp_path, capture_output=True, text=True, timeout=TIMEOUT, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stdout.count(f"of {size} ranks") == 1
    losses = [float(loss) for loss in re.findall(r"loss (\S+)", done.stdout)]
    assert len(losses) == 1
    assert losses[0] == pytest.approx(alone(script, tmp_path), abs=2e-4)


def alone(script: str, folder: Path) -> float:
    """The loss that the same script has with one process."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    env = at_home() | {"RANK": "0", "WORLD_SIZE": "1", "MASTER_ADDR": "127.0.0.1"}
    (folder / "one.py").write_text(script.replace('"run"', '"one"'))
    done = subprocess.run(
        [sys.executable, "one.py"], env=env | {"MASTER_PORT": str(port)}, cwd=folder,
        capture_output=True, text=True, timeout=TIMEOUT, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return float(re.search(r"loss (\S+)", done.stdout)[1])


def test_what_is_missing_is_named() -> None:
    with pytest.raises(RuntimeError, match="init_process_group comes before TorchComm"):
        TorchComm()
    for wrong in (0, -1.0, "soon", True):
        with pytest.raises((TypeError, ValueError), match="timeout_s"):
            TorchComm(timeout_s=wrong)


def test_processes_of_torchrun_are_not_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each would train alone, and all would write to one folder."""
    from fastrnn.distributed import init, mpi

    for name in (*mpi._RANKS, mpi._SLURM):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TORCHELASTIC_RUN_ID", "none")
    monkeypatch.setenv("WORLD_SIZE", "4")
    with pytest.raises(RuntimeError, match=r"torchrun started 4 processes.*TorchComm"):
        init()
    monkeypatch.setenv("WORLD_SIZE", "1")
    assert init().size == 1
