"""Why: where MPI is missing or of another kind, ranks would each train alone and nobody notice."""

import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from helpers.commands import only_line

from fastrnn import get_num_threads
from fastrnn.cli import main
from fastrnn.cli.commands import launch
from fastrnn.distributed import SerialComm, init, mpi


def fake(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, *, code: int, version: str = "") -> None:
    """Put an mpiexec of this version beside Python that ends with this code, and an mpi4py."""
    (tmp_path / "mpi4py.py").touch()
    monkeypatch.syspath_prepend(str(tmp_path))
    python = tmp_path / "python"
    python.touch()
    monkeypatch.setattr(sys, "executable", str(python))
    launcher = tmp_path / "mpiexec"
    told = f'[ "$1" = --version ] && echo "{version}" && exit 0\n'
    launcher.write_text(f'#!/bin/sh\n{told}echo "$FASTRNN_NUM_THREADS $@"\nexit {code}\n')
    launcher.chmod(0o755)
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    monkeypatch.delenv("FASTRNN_NUM_THREADS", raising=False)


@pytest.mark.parametrize(("code", "ours"), [(0, 0), (1, 1), (9, 1), (130, 130), (2, 2)])
def test_exit_codes_and_the_share_of_threads(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capfd: Any, code: int, ours: int
) -> None:
    fake(monkeypatch, tmp_path, code=code)
    (tmp_path / "a.py").touch()
    script = str(tmp_path / "a.py")
    assert main(["launch", "-n", "3", script, "--seed", "4", "-n", "5"]) == ours
    out, err = capfd.readouterr()
    first, second = out.splitlines()
    words = f"-n 3 {sys.executable} -m mpi4py {script} --seed 4 -n 5"
    threads = max(1, get_num_threads() // 3)
    assert first == f"FASTRNN_NUM_THREADS={threads} {tmp_path / 'mpiexec'} {words}"
    assert second == f"{threads} {words}"
    said = {130: "interrupted", 0: "", 1: "", 2: ""}
    assert err.strip().removeprefix("fastrnn: ") == said.get(
        code, f"the 3 ranks ended with exit code {code}"
    )


def test_what_a_rank_runs(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capfd: Any) -> None:
    fake(monkeypatch, tmp_path, code=0)
    monkeypatch.setenv("FASTRNN_NUM_THREADS", "7")
    cli = f"-n 2 {sys.executable} -m mpi4py -m fastrnn.cli"
    for words, runs in (
        (["a.toml"], f"7 {cli} train a.toml"),
        (["train", "a.toml", "--resume"], f"7 {cli} train a.toml --resume"),
    ):
        assert main(["launch", "-n", "2", *words]) == 0
        assert capfd.readouterr().out.splitlines()[1] == runs
    assert main(["launch", "-n", "2", "absent.py"]) == 1
    assert capfd.readouterr().err == "fastrnn: absent.py is no file\n"
    assert main(["launch", "-n", "2", "demo"]) == 1
    rule = "launch runs SCRIPT.py, CONFIG.toml or one of train, selftest, doctor, got 'demo'"
    assert capfd.readouterr().err == f"fastrnn: {rule}\n"


def test_what_is_missing_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    fake(monkeypatch, tmp_path, code=0)
    (tmp_path / "mpiexec").unlink()
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(FileNotFoundError, match=r"mpiexec.*fastrnn\[mpi\]"):
        launch.run_launch(2, ["a.toml"])
    monkeypatch.setattr(launch, "find_spec", {}.get)
    with pytest.raises(ImportError, match=r"mpi4py.*fastrnn\[mpi\]"):
        launch.run_launch(2, ["a.toml"])


def hosts_file(folder: Path, text: str) -> str:
    path = folder / "hosts"
    path.write_text(text)
    return str(path)


HYDRA, OPEN = "HYDRA build details:", "mpirun (Open MPI) 5.0.3"
RULE = "each line must be HOST, HOST:SLOTS or HOST slots=SLOTS"
HOSTS = "# ours\nnode1:2\n\n  node-2.lan slots = 3  # the new one\n10.0.0.7\n"


@pytest.mark.parametrize(("version", "options"), [
    (HYDRA, "-hosts node1:2,node-2.lan:3,10.0.0.7:1"),
    (OPEN, "--host node1:2,node-2.lan:3,10.0.0.7:1"),
])  # fmt: skip
def test_hosts_become_options_of_mpiexec(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capfd: Any, version: str, options: str
) -> None:
    fake(monkeypatch, tmp_path, code=0, version=version)
    hosts = hosts_file(tmp_path, HOSTS)
    job = f"{sys.executable} -m mpi4py -m fastrnn.cli train a.toml"
    for words, ranks in (([], 6), (["-n", "4"], 4)):
        assert main(["launch", "--hosts", hosts, *words, "a.toml"]) == 0
        told, ran = capfd.readouterr().out.splitlines()
        # The cores of other machines are not ours to divide.
        assert (
            told == f"FASTRNN_NUM_THREADS=unset {tmp_path / 'mpiexec'} {options} -n {ranks} {job}"
        )
        assert ran == f" {options} -n {ranks} {job}"
    monkeypatch.setenv("OMP_NUM_THREADS", "8")
    assert main(["launch", "--hosts", hosts, "a.toml"]) == 0
    handed_on = " -x OMP_NUM_THREADS" if version == OPEN else ""
    assert f" {options}{handed_on} -n 6 {job}" == capfd.readouterr().out.splitlines()[1]


@pytest.mark.parametrize(("text", "says"), [
    ("a:2\nb 4\n", f"hosts, line 2: {RULE}, got 'b 4'"),
    ("a:-1\n", f"hosts, line 1: {RULE}, got 'a:-1'"),
    ("a,b\n", f"hosts, line 1: {RULE}, got 'a,b'"),
    ("--launcher:2\n", f"line 1: {RULE}"),
    ("a:2\nb:0\n", "hosts, line 2: b must have 1 slot or more, got 0"),
    ("a:2\na slots=3\n", "hosts, line 2: a stands there twice"),
    ("# none\n", "hosts names no host"),
    ("a\nb\n", "-n must be at most 2, the slots of"),
])  # fmt: skip
def test_machines_that_are_wrong(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capfd: Any, text: str, says: str
) -> None:
    fake(monkeypatch, tmp_path, code=0, version=HYDRA)
    hosts = hosts_file(tmp_path, text)
    assert main(["launch", "-n", "3", "--hosts", hosts, "a.toml"]) == 1
    out, err = capfd.readouterr()
    assert says in only_line(err)
    assert not out


def test_a_file_of_machines_that_is_missing(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capfd: Any
) -> None:
    fake(monkeypatch, tmp_path, code=0, version="Some MPI 3")
    absent = str(tmp_path / "absent")
    assert main(["launch", "--hosts", absent, "a.toml"]) == 1
    assert absent in only_line(capfd.readouterr().err)
    assert main(["launch", "--hosts", hosts_file(tmp_path, "a"), "a.toml"]) == 1
    said = only_line(capfd.readouterr().err)
    assert said.startswith("fastrnn: --hosts is for MPICH and Open MPI, and ")
    assert said.endswith("says: Some MPI 3")


@pytest.mark.check(38)
def test_one_rank_is_looked_at_too(capfd: Any) -> None:
    pytest.importorskip("autograd")
    assert main(["selftest", "--dist"]) == main(["doctor", "--dist"]) == 0
    out = capfd.readouterr().out
    assert "1 rank: 20 updates as of one process, largest error 0.0e+00" in out
    assert "1 rank: start this with fastrnn launch" in out


def test_wrong_usage() -> None:
    for words in ((), ("-n", "2"), ("a.toml",), ("-n", "0", "a.toml")):
        assert main(["launch", *words]) == 2


def test_without_a_launcher_a_process_is_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in mpi._RANKS:
        monkeypatch.delenv(name, raising=False)
    assert isinstance(init(), SerialComm)


def test_under_a_launcher_nobody_is_alone_by_mistake(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PMI_RANK", "0")
    monkeypatch.setitem(sys.modules, "mpi4py", None)  # as if it were not there
    with pytest.raises(ImportError, match=r"mpi4py is missing.*fastrnn\[mpi\]"):
        init()
    monkeypatch.setenv("PMI_SIZE", "4")
    world = SimpleNamespace(COMM_WORLD=SimpleNamespace(size=1))
    monkeypatch.setitem(sys.modules, "mpi4py", SimpleNamespace(MPI=world))
    with pytest.raises(RuntimeError, match="started 4 ranks, and mpi4py sees 1"):
        init()


@pytest.mark.parametrize("wrong", [0, -1.0, "soon", True])
def test_a_timeout_is_a_number_above_0(wrong: Any) -> None:
    with pytest.raises((TypeError, ValueError), match="timeout_s"):
        init(timeout_s=wrong)


def test_tasks_of_srun_that_know_nothing_of_each_other_are_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Each would train alone, and all would write to one folder."""
    from fastrnn import distributed
    from fastrnn.distributed.mpi import _RANKS

    for name in _RANKS:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("SLURM_STEP_NUM_TASKS", "4")
    with pytest.raises(RuntimeError, match=r"srun started 4 tasks, .* srun --mpi=pmix"):
        distributed.init()
    monkeypatch.setenv("SLURM_STEP_NUM_TASKS", "1")
    assert distributed.init().size == 1
