"""Why: under a real MPI a rank that fails, is killed or is told to stop leaves the others waiting
for ever, unless somebody ends them; and what they learn must be what one process learns.
"""

import os
import shutil
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import jobs
import numpy as np
import pytest
from commands import only_line
from processes import TIMEOUT, environment
from tolerances import RANKS

from fastrnn.train import load_latest

pytest.importorskip("autograd")
pytest.importorskip("safetensors")
pytest.importorskip("mpi4py")
BESIDE = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
pytestmark = pytest.mark.skipif(shutil.which("mpiexec", path=BESIDE) is None, reason="no mpiexec")
HERE = Path(__file__).parent
SOON = 60.0  # seconds in which a job must end of which one rank is gone; it takes 2

SCRIPT = """
    import os, sys
    import jobs, numpy as np
    from fastrnn import distributed, get_num_threads
    dist = distributed.init()
    def say(*words):
        sys.stdout.write(" ".join(map(str, (dist.rank, *words))) + "\\n")
        sys.stdout.flush()
"""
LEARN = """
    for name, job in jobs.JOBS.items():
        params, _ = jobs.train(dist, job)
        say(name, jobs.digest(params), jobs.distance(params, jobs.train(None, job)[0]))
    say("threads", get_num_threads(), dist.size)
"""
WORK = """
    say("pid", os.getpid())
    jobs.train(dist, jobs.classifier, updates=10**7, checkpoint=sys.argv[1], save_every=10**7,
               on_signal="save", metrics=sys.argv[1] + ".jsonl")
"""
RESUME = """
    for updates in (6, 15):
        jobs.train(dist, jobs.sentences, updates=updates, checkpoint="parts", resume=updates > 6)
    parts = jobs.digest(jobs.train(dist, jobs.sentences, updates=20, checkpoint="parts",
                                   resume=True)[0])
    say(parts == jobs.digest(jobs.train(dist, jobs.sentences, updates=20)[0]))
"""
RAISE = """
    if dist.rank == 1:
        raise ValueError("boom")
    dist.barrier()
"""
LEAVE = """
    x = np.zeros(5)
    dist.allreduce_(x)
    if dist.rank == LEAVER:
        sys.exit(CODE)
    CALL
"""
CALLS = {
    "barrier": "dist.barrier()",
    "allreduce_": "dist.allreduce_(x)",
    "allgatherv": "dist.allgatherv(x)",
    "broadcast_": "dist.broadcast_(x)",
    "later": "import time; time.sleep(1); dist.allreduce_(x)",
    "fit": "jobs.train(dist, jobs.classifier)",
}
APART = """
    import time
    x = np.ones(3)
    for _ in range(100):
        dist.allreduce_(x)
    if dist.rank == 1:
        sys.exit(0)
    time.sleep(0.3 * dist.rank)
    say("ended")
"""


def start(folder: Path, code: str, ranks: int = 2, *args: str) -> subprocess.Popen[str]:
    path = folder / "script.py"
    path.write_text(textwrap.dedent(SCRIPT) + textwrap.dedent(code))
    return launch(folder, str(ranks), str(path), *args)


def launch(folder: Path, ranks: str, *words: str) -> subprocess.Popen[str]:
    places = [str(HERE), str(HERE.parent), os.environ.get("PYTHONPATH", "")]
    return subprocess.Popen(
        [sys.executable, "-m", "fastrnn.cli", "launch", "-n", ranks, *words],
        env=environment({"PYTHONPATH": os.pathsep.join(filter(None, places))}),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=folder,
        start_new_session=True,
    )


def lines_of(folder: Path, code: str, ranks: int) -> list[list[str]]:
    process = start(folder, code, ranks)
    out, err = process.communicate(timeout=TIMEOUT)
    assert process.returncode == 0, out + err
    return [line.split() for line in out.splitlines()[1:]]


@pytest.mark.check(36)
@pytest.mark.parametrize("ranks", [2, 3])
def test_processes_learn_what_one_learns(tmp_path: Path, ranks: int) -> None:
    lines = lines_of(tmp_path, LEARN, ranks)
    assert len(lines) == ranks * (len(jobs.JOBS) + 1)
    for name in jobs.JOBS:
        found = [line for line in lines if line[1] == name]
        assert len({bits for _, _, bits, _ in found}) == 1
        assert max(float(far) for *_, far in found) < RANKS[np.dtype(np.float64)]
    threads = {int(line[2]) for line in lines if line[1] == "threads"}
    assert len(threads) == 1
    assert threads.pop() * ranks <= max(ranks, os.cpu_count() or 1)


@pytest.mark.check(37)
def test_resumed_is_bitwise_never_stopped(tmp_path: Path) -> None:
    assert sorted(lines_of(tmp_path, RESUME, 2)) == [["0", "True"], ["1", "True"]]


@pytest.mark.check(37)
def test_a_rank_that_fails_ends_the_job(tmp_path: Path) -> None:
    process = start(tmp_path, RAISE)
    began = time.monotonic()
    _, err = process.communicate(timeout=TIMEOUT)
    assert process.returncode == 1
    assert "ValueError: boom" in err
    assert time.monotonic() - began < SOON


@pytest.mark.check(37)
@pytest.mark.parametrize(("code", "leaver", "call", "ranks"), [
    ("0", 1, "barrier", 2), ("", 0, "allreduce_", 3), ("1", 1, "allgatherv", 2),
    ("5", 1, "broadcast_", 2), ("0", 2, "later", 3), ("0", 1, "fit", 2),
])  # fmt: skip
def test_a_rank_that_leaves_ends_those_that_wait(
    tmp_path: Path, code: str, leaver: int, call: str, ranks: int
) -> None:
    script = LEAVE.replace("LEAVER", str(leaver)).replace("CODE", code)
    process = start(tmp_path, script.replace("CALL", CALLS[call]), ranks)
    try:
        _, err = process.communicate(timeout=TIMEOUT)
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
    assert process.returncode == 1
    said = [line for line in err.splitlines() if "has ended" in line]
    words = "has ended while others wait for it: all ranks must make the same calls"
    assert said == [f"fastrnn: rank {leaver} {words}"]
    assert "Traceback" not in err


@pytest.mark.check(37)
def test_ranks_may_end_one_after_the_other(tmp_path: Path) -> None:
    assert sorted(lines_of(tmp_path, APART, 3)) == [["0", "ended"], ["2", "ended"]]


def working(folder: Path) -> tuple[subprocess.Popen[str], list[int]]:
    """A job in the middle of its training, and the processes of its ranks."""
    process = start(folder, WORK, 2, str(folder / "run"))
    assert process.stdout is not None
    process.stdout.readline()
    found = sorted(process.stdout.readline().split() for _ in range(2))
    metrics, deadline = folder / "run.jsonl", time.monotonic() + TIMEOUT
    while not (metrics.exists() and metrics.read_text()):  # the first updates that all have made
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline, "no update is made"
        time.sleep(0.01)
    return process, [int(pid) for *_, pid in found]


@pytest.mark.check(37)
def test_a_killed_rank_ends_the_job(tmp_path: Path) -> None:
    process, pids = working(tmp_path)
    began = time.monotonic()
    os.kill(pids[1], signal.SIGKILL)
    _, err = process.communicate(timeout=TIMEOUT)
    assert time.monotonic() - began < SOON
    assert process.returncode == 1
    assert "the 2 ranks ended with exit code" in err.splitlines()[-1]
    assert not any(Path(f"/proc/{pid}").exists() for pid in pids)


@pytest.mark.check(37)
@pytest.mark.parametrize("everybody", [True, False])
def test_ctrl_c_saves_once_and_exits_with_130(tmp_path: Path, everybody: bool) -> None:
    process, pids = working(tmp_path)
    if everybody:
        os.killpg(process.pid, signal.SIGINT)
    else:
        os.kill(pids[1], signal.SIGINT)
    _, err = process.communicate(timeout=TIMEOUT)
    assert process.returncode == 130, err
    assert err.splitlines()[-1] == "fastrnn: interrupted"
    assert len(list((tmp_path / "run").iterdir())) == 1


@pytest.mark.check(37)
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGUSR1])
def test_a_scheduler_ends_all_ranks_after_the_same_update(tmp_path: Path, number: int) -> None:
    process, pids = working(tmp_path)
    os.kill(process.pid if number == signal.SIGTERM else pids[1], number)
    out, err = process.communicate(timeout=TIMEOUT)
    assert process.returncode == 0, out + err
    found = load_latest(tmp_path / "run")
    assert found.state["run"]["update"] > 0
    assert len(found.state["ranks"]) == 1


@pytest.mark.check(38)
def test_the_commands_that_look_at_ranks(tmp_path: Path) -> None:
    for command, said in (("selftest", "all right"), ("doctor", "GB/s")):
        process = launch(tmp_path, "3", command, "--dist")
        out, err = process.communicate(timeout=TIMEOUT)
        assert process.returncode == 0, err
        assert said in out.splitlines()[-1]
        assert "3 ranks" in out


def test_a_config_is_trained_by_two_ranks(tmp_path: Path) -> None:
    (tmp_path / "t.txt").write_text("the cat sat on the mat and saw the rat . " * 40)
    (tmp_path / "a.toml").write_text(
        textwrap.dedent("""
        [model]
        kind = "LanguageModel"
        cell = "gru"
        hidden_size = 8
        [data]
        text = "t.txt"
        level = "character"
        N = 4
        T = 8
        [optimiser]
        kind = "Adam"
        [training]
        folder = "run"
        updates = 20
    """)
    )

    def launched(*words: str) -> tuple[int, str, str]:
        process = launch(tmp_path, "2", *words)
        out, err = process.communicate(timeout=TIMEOUT)
        return process.returncode, out, err

    code, out, err = launched("a.toml")
    assert code == 0, err
    assert out.count("held out: loss") == 1
    assert out.count("model: LanguageModel") == 1
    assert (tmp_path / "run" / "model.safetensors").exists()
    code, _, err = launched("train", "a.toml")
    assert code == 1
    ours = [line for line in err.splitlines() if not line.startswith("Abort(1)")]  # MPICH's own
    assert "has checkpoints of another training" in only_line("\n".join(ours))
    assert launched("train", "--nonsense")[0] == 2
