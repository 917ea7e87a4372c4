"""Why: under a real MPI a rank that fails, is killed or is told to stop leaves the others waiting
for ever, unless somebody ends them; and what they learn must be what one process learns.
"""

import os
import re
import shutil
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
from helpers import jobs, places
from helpers.commands import only_line
from helpers.processes import TIMEOUT, environment
from helpers.tolerances import RANKS

from fastrnn.cli.commands import doctor_ranks as report
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
    import numpy as np
    from helpers import jobs
    from fastrnn import distributed, get_num_threads
    dist = distributed.init()
    def say(*words):
        sys.stdout.write(" ".join(map(str, (dist.rank, *words))) + "\\n")
        sys.stdout.flush()
"""
# A record an update, so that the ranks compare their hashes after each.
LEARN = """
    updates = int(sys.argv[1])
    for name, job in jobs.JOBS.items():
        for dtype in (np.float64, np.float32):
            params, _ = jobs.train(dist, job, dtype, updates, log_every=1)
            alone, _ = jobs.train(None, job, dtype, updates)
            kept = name != "rare" or jobs.unseen_are_kept(params)
            say(name, dtype.__name__, jobs.digest(params), jobs.distance(params, alone), kept)
    say("threads", get_num_threads(), dist.size)
"""
WORK = """
    say("pid", os.getpid())
    jobs.train(dist, jobs.classifier, updates=10**7, checkpoint=sys.argv[1], save_every=10**7,
               on_signal="save", metrics=sys.argv[1] + ".jsonl")
"""
GO_ON = """
    updates = int(sys.argv[1])
    for name in sys.argv[2:]:
        job, where = jobs.JOBS[name], {"checkpoint": name, "resume": True}
        params, records = jobs.train(dist, job, updates=updates, **where)
        alone = jobs.train(None, job, updates=updates)[0]
        say(name, len(records), jobs.digest(params), jobs.distance(params, alone))
"""
END = """
    jobs.train(dist, jobs.classifier, updates=int(sys.argv[1]), checkpoint="classifier",
               resume=True)
"""
RESUME = """
    for updates in (6, 15):
        jobs.train(dist, jobs.sentences, updates=updates, checkpoint="parts", resume=updates > 6)
    parts = jobs.digest(jobs.train(dist, jobs.sentences, updates=20, checkpoint="parts",
                                   resume=True)[0])
    say(parts == jobs.digest(jobs.train(dist, jobs.sentences, updates=20)[0]))
"""
SHORT = """
    x = 10.0 * dist.rank + np.arange(dist.size * 2).reshape(dist.size, 2)
    say("parts", *dist.alltoall(x).ravel())
    params, _ = jobs.train(dist, jobs.classifier, exchange="bfloat16")
    alone, _ = jobs.train(None, jobs.classifier)
    say("learned", jobs.digest(params), jobs.distance(params, alone))
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
    "alltoall": "dist.alltoall(np.zeros((dist.size, 2)))",
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
    return start_words(folder, "-n", ranks, *words)


def start_words(
    folder: Path,
    *words: str,
    prefix: tuple[str, ...] = (),
    env: Mapping[str, str] | None = None,
) -> subprocess.Popen[str]:
    found = [str(HERE.parent), os.environ.get("PYTHONPATH", "")]
    return subprocess.Popen(
        [*prefix, sys.executable, "-m", "fastrnn.cli", "launch", *words],
        env=environment({"PYTHONPATH": os.pathsep.join(filter(None, found)), **(env or {})}),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=folder,
        start_new_session=True,
    )


def lines_of(folder: Path, code: str, ranks: int, *args: str) -> list[list[str]]:
    process = start(folder, code, ranks, *args)
    out, err = process.communicate(timeout=TIMEOUT)
    assert process.returncode == 0, out + err
    return [line.split() for line in out.splitlines()[1:]]


@pytest.mark.check(36, quick=20, full=100)  # updates
@pytest.mark.parametrize("ranks", [2, 3])
def test_processes_learn_what_one_learns(tmp_path: Path, ranks: int, count: int) -> None:
    lines = lines_of(tmp_path, LEARN, ranks, str(count))
    assert len(lines) == ranks * (2 * len(jobs.JOBS) + 1)
    for name in jobs.JOBS:
        for dtype, bound in RANKS.items():
            found = [line for line in lines if line[1:3] == [name, dtype.name]]
            assert len(found) == ranks
            assert len({bits for _, _, _, bits, _, _ in found}) == 1
            assert max(float(far) for *_, far, _ in found) < bound
            assert all(kept == "True" for *_, kept in found)
    threads = {int(line[2]) for line in lines if line[1] == "threads"}
    assert len(threads) == 1
    assert threads.pop() * ranks <= max(ranks, os.cpu_count() or 1)


def test_gradients_in_half_of_the_bytes(tmp_path: Path) -> None:
    lines = lines_of(tmp_path, SHORT, 3)
    parts = {int(line[0]): list(map(float, line[2:])) for line in lines if line[1] == "parts"}
    for rank in range(3):
        assert parts[rank] == [10 * other + 2 * rank + k for other in range(3) for k in (0, 1)]
    learned = [line for line in lines if line[1] == "learned"]
    assert len(learned) == 3
    assert len({bits for _, _, bits, _ in learned}) == 1
    assert all(0 < float(far) < 0.1 for *_, far in learned)


@pytest.mark.check(37)
def test_resumed_is_bitwise_never_stopped(tmp_path: Path) -> None:
    assert sorted(lines_of(tmp_path, RESUME, 2)) == [["0", "True"], ["1", "True"]]


@pytest.mark.check(37)
def test_resumed_by_another_number_of_ranks(tmp_path: Path, long: bool) -> None:
    names = list(jobs.JOBS) if long else ["windows", "rare", "classifier"]
    for sizes in ((2, 1, 3), (3, 2, 1), (1, 3, 2)) if long else ((2, 1, 3),):
        folder = tmp_path / "-".join(map(str, sizes))
        folder.mkdir()
        for ranks, updates in zip(sizes, (6, 12, 18), strict=True):
            lines = lines_of(folder, GO_ON, ranks, str(updates), *names)
            for name in names:
                found = [line for line in lines if line[1] == name]
                assert len(found) == ranks
                assert len({bits for _, _, _, bits, _ in found}) == 1
                bound = 0.1 if name in jobs.CARRYING else RANKS[np.dtype(np.float64)]
                assert max(float(far) for *_, far in found) < bound
                assert {int(records) for _, _, records, _, _ in found} == {updates // 3}


@pytest.mark.check(37, quick=1, full=10)
def test_a_rank_that_fails_ends_the_job(tmp_path: Path, count: int) -> None:
    for _ in range(count):
        process = start(tmp_path, RAISE)
        began = time.monotonic()
        _, err = process.communicate(timeout=TIMEOUT)
        assert process.returncode == 1
        assert "ValueError: boom" in err
        assert time.monotonic() - began < SOON


@pytest.mark.check(37)
@pytest.mark.parametrize(("code", "leaver", "call", "ranks"), [
    ("0", 1, "barrier", 2), ("", 0, "allreduce_", 3), ("1", 1, "allgatherv", 2),
    ("0", 1, "alltoall", 2),
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


SILENT = """
    import signal, time
    dist = distributed.init(timeout_s=1.5)
    for k in range(50):
        dist.barrier()
        dist.allreduce_(np.ones(3))
    time.sleep(0.7 * dist.rank)  # late, not silent
    dist.barrier()
    say("met")
    if dist.rank == SILENT:
        WHAT
    CALL
"""
RULE = "timeout_s must be longer than what one rank does alone, such as a validation"
STOP = {
    "is stopped": "os.kill(os.getpid(), signal.SIGSTOP)",
    "works too long": "time.sleep(600)",
}


@pytest.mark.check(37)
@pytest.mark.parametrize(("what", "silent", "ranks", "call"), [
    ("is stopped", 1, 2, "dist.allreduce_(np.ones(3))"), ("is stopped", 0, 3, "dist.barrier()"),
    ("works too long", 2, 3, "dist.broadcast_(np.ones(3))"),
])  # fmt: skip
def test_a_rank_that_does_not_answer_ends_the_job(
    tmp_path: Path, what: str, silent: int, ranks: int, call: str
) -> None:
    script = SILENT.replace("SILENT", str(silent)).replace("WHAT", STOP[what])
    process = start(tmp_path, script.replace("CALL", call), ranks)
    try:
        out, err = process.communicate(timeout=TIMEOUT)
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
    assert out.count("met") == ranks, err
    assert process.returncode == 1
    found = [line for line in err.splitlines() if "not answered" in line]
    assert found == [f"fastrnn: rank {silent} has not answered for 1.5 s; {RULE}"]


def working(folder: Path, records: int = 1) -> tuple[subprocess.Popen[str], list[int]]:
    """A job in the middle of its training, and the processes of its ranks."""
    folder.mkdir(exist_ok=True)
    process = start(folder, WORK, 2, str(folder / "run"))
    return process, in_the_middle(process, folder / "run.jsonl", records)


def in_the_middle(process: subprocess.Popen[str], metrics: Path, records: int = 1) -> list[int]:
    """Wait until two ranks have made so many records, and return their processes."""
    assert process.stdout is not None
    process.stdout.readline()
    found = sorted(process.stdout.readline().split() for _ in range(2))
    deadline = time.monotonic() + TIMEOUT
    while not (metrics.exists() and metrics.read_text().count("\n") >= records):
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline, "no update is made"
        time.sleep(0.01)
    return [int(pid) for *_, pid in found]


@pytest.mark.check(37, quick=1, full=10)
def test_a_killed_rank_ends_the_job(tmp_path: Path, count: int) -> None:
    for turn in range(count):
        process, pids = working(tmp_path / str(turn), 1 + 3 * turn)
        began = time.monotonic()
        os.kill(pids[turn % 2], signal.SIGKILL)
        _, err = process.communicate(timeout=TIMEOUT)
        assert time.monotonic() - began < SOON
        assert process.returncode == 1
        assert "the 2 ranks ended with exit code" in err.splitlines()[-1]
        assert not any(Path(f"/proc/{pid}").exists() for pid in pids)


LOSE = """
    dist = distributed.init(timeout_s=2.0)
    say("pid", os.getpid())
    jobs.train(dist, jobs.classifier, updates=10**7, checkpoint=sys.argv[1], save_every=3,
               metrics="run.jsonl")
"""


@pytest.mark.check(37)
def test_a_full_disk_of_rank_0_ends_the_job(tmp_path: Path) -> None:
    with places.small_disk(tmp_path / "disk", "2m"):
        process = start(tmp_path, LOSE, 2, str(tmp_path / "disk" / "run"))
        pids = in_the_middle(process, tmp_path / "run.jsonl", 2)
        began = time.monotonic()
        places.fill(tmp_path / "disk")
        _, err = process.communicate(timeout=TIMEOUT)
        assert time.monotonic() - began < SOON
        assert process.returncode == 1
        assert err.count("No space left on device") == 1
        assert err.count("Traceback") == 1
        assert not any(Path(f"/proc/{pid}").exists() for pid in pids)
        assert load_latest(tmp_path / "disk" / "run").state["run"]["update"] >= 3


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


@pytest.mark.check(37, quick=1, full=10)
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGUSR1])
def test_a_scheduler_ends_all_ranks_after_the_same_update(
    tmp_path: Path, number: int, count: int
) -> None:
    """The ranks compare their weights before they save; others go on from what they have saved."""
    for turn in range(count):
        folder = tmp_path / str(turn)
        process, pids = working(folder, 1 + 3 * turn)
        os.kill(process.pid if number == signal.SIGTERM else pids[1], number)
        out, err = process.communicate(timeout=TIMEOUT)
        assert process.returncode == 0, out + err
        found = load_latest(folder / "run")
        updates = found.state["run"]["update"]
        assert updates > 0
        assert len(found.state["ranks"]) == 1
        (folder / "run").rename(folder / "classifier")
        more = {"updates": updates + 5, "checkpoint": folder / "one", "resume": True}
        shutil.copytree(folder / "classifier", folder / "one")
        alone = jobs.train(None, jobs.classifier, **more)[0]
        lines_of(folder, END, 3, str(updates + 5))
        three = load_latest(folder / "classifier").tensors
        three = {name: three["model." + name] for name in alone}
        assert jobs.distance(three, alone) < RANKS[np.dtype(np.float64)]


@pytest.mark.check(38)
def test_the_ranks_test_themselves(tmp_path: Path) -> None:
    process = launch(tmp_path, "3", "selftest", "--dist")
    out, err = process.communicate(timeout=TIMEOUT)
    assert process.returncode == 0, err
    assert "3 ranks" in out
    assert out.splitlines()[-1] == "all right"


@pytest.mark.check(38)
def test_the_report_of_what_ranks_cost(tmp_path: Path) -> None:
    """``fastrnn doctor --dist`` with smaller models, which take seconds instead of minutes."""
    H, vocabularies = 32, (96, 30_000)
    (tmp_path / "report.py").write_text(
        "from fastrnn.cli.commands import doctor_ranks as report\n"
        f"sizes = zip(report.EXAMPLES, {vocabularies})\n"
        f"report.EXAMPLES = tuple(e._replace(V=V, H={H}) for e, V in sizes)\n"
        "report.run_ranks_doctor()\n",
        "utf-8",
    )
    process = launch(tmp_path, "2", "report.py")
    out, err = process.communicate(timeout=TIMEOUT)
    assert process.returncode == 0, err
    lines = out.splitlines()[1:]
    assert [line.split(":")[0] for line in lines[:2]] == ["rank 0", "rank 1"]
    assert len({re.search(r"process (\d+)", line)[1] for line in lines[:2]}) == 2
    assert lines[2] == "2 ranks"
    for size, line in zip(report.SIZES, lines[3:6], strict=True):
        told = re.fullmatch(r"sum of (\d+) KiB: (\d+\.\d+) ms, (\d+\.\d+) GB/s", line)
        kib, ms, rate = map(float, told.groups())
        assert kib * 2**10 == size
        assert ms > 0
        assert rate == pytest.approx(size / ms / 1e6, rel=0.01 + 1e-3 / ms, abs=0.01)
    told = re.fullmatch(r"network: (\d+) us a call of two ranks, (\S+) GB/s from .*", lines[6])
    assert min(map(float, told.groups())) > 0
    for V, sent, start in zip(vocabularies, (1, 2), (7, 14), strict=True):
        weights = V * H + 2 * 4 * H * (H + 1) + (H + 1) * V
        assert lines[start] == ""
        assert f"{V:,} symbols, {weights:,} weights" in lines[start + 1]
        assert lines[start + 2].split()[-6:] == ["2", "4", "8", "16", "32", "64"]
        for (k, halved), line in zip(report.WAYS, lines[start + 3 : start + 7], strict=True):
            words = line.replace("%", "").split()
            assert words[:3] == ["accumulate", f"{k},", "bfloat16" if halved else "float32"]
            alone, bytes_sent, together = (float(words[n]) for n in (3, 5, 7))
            rounded = 0.01 + 0.06 / alone + 0.06 / together  # they are printed to 0.1 ms
            assert float(words[9]) == pytest.approx(100 * alone / together, abs=1, rel=rounded)
            # Of the words' embedding a rank has few rows, so about half of the weights are sent.
            assert bytes_sent * 1e6 == pytest.approx(weights * (4 - 2 * halved) / sent, rel=0.15)
            predicted = [float(word) for word in words[10:]]
            assert len(predicted) == 6
            assert predicted == sorted(predicted, reverse=True)
            assert 0 < predicted[-1] <= predicted[0] <= 100


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


def test_machines_of_a_file_are_where_ranks_run(tmp_path: Path) -> None:
    (tmp_path / "hosts").write_text("localhost:2\n")
    (tmp_path / "script.py").write_text(textwrap.dedent(SCRIPT) + 'say("of", dist.size)\n')
    process = start_words(tmp_path, "--hosts", "hosts", "script.py")
    out, err = process.communicate(timeout=TIMEOUT)
    assert process.returncode == 0, err
    assert "localhost:2" in out.splitlines()[0]
    assert sorted(out.splitlines()[1:]) == ["0 of 2", "1 of 2"]
