"""Why: a link between two machines that goes down must end the job of both. Two network namespaces
stand for the machines, which needs more rights than most places give, and a machine that is not
busy: on a busy one a rank was seen not to come up in its namespace at all.
"""

import os
import re
import signal
import textwrap
import time
from pathlib import Path

import pytest

pytest.importorskip("autograd")
pytest.importorskip("safetensors")
pytest.importorskip("mpi4py")
pytest.importorskip("torch")
from distributed import test_gloo as gloo
from distributed import test_mpi as mpi
from helpers import places
from helpers.processes import TIMEOUT, wait_until

from bench import two_machines
from fastrnn.train import load_latest

pytestmark = mpi.pytestmark


@pytest.mark.check(37)
def test_a_link_that_goes_down_ends_the_job(tmp_path: Path) -> None:
    """MPI's own abort waits for the rank out of reach, and mpiexec for its machine."""
    (tmp_path / "hosts").write_text("\n".join(two_machines.ADDRESSES))
    (tmp_path / "script.py").write_text(textwrap.dedent(mpi.SCRIPT) + textwrap.dedent(mpi.LOSE))
    with places.two_apart():
        process = mpi.start_words(
            tmp_path, "--hosts", "hosts", "script.py", "run",
            prefix=("ip", "netns", "exec", two_machines.SPACES[0]),
            env=two_machines.variables(tmp_path),
        )  # fmt: skip
        try:
            pids = mpi.in_the_middle(process, tmp_path / "run.jsonl", 2)
            began = time.monotonic()
            two_machines.set_link("down")
            _, err = process.communicate(timeout=TIMEOUT)
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
        assert time.monotonic() - began < mpi.SOON
        assert process.returncode == 1
        told = [line for line in err.splitlines() if line.startswith("fastrnn:")]
        assert told == [f"fastrnn: rank 1 has not answered for 2 s; {mpi.RULE}"]
        wait_until(lambda: not any(Path(f"/proc/{pid}").exists() for pid in pids))
    assert load_latest(tmp_path / "run").state["run"]["update"] >= 3


@pytest.mark.check(37)
def test_a_link_that_goes_down_ends_both(tmp_path: Path) -> None:
    with places.two_apart():
        meeting = f"tcp://{two_machines.ADDRESSES[0]}:29500"
        prefixes = [
            ("ip", "netns", "exec", space, "env", f"GLOO_SOCKET_IFNAME={device}")
            for space, device in zip(two_machines.SPACES, two_machines.DEVICES, strict=True)
        ]
        processes = gloo.start(tmp_path, gloo.LOSE, 2, 2.0, meeting, prefixes=prefixes)
        try:
            gloo.wait_for_records(tmp_path, processes)
            two_machines.set_link("down")
        finally:
            told = gloo.ended(processes)
        for code, _, err in told:
            assert code == 1, err
            assert re.fullmatch(
                r"fastrnn: a rank has ended, or does not answer: .*\n", gloo.ours(err)
            )
    assert load_latest(tmp_path / "disk/run").state["run"]["update"] >= 3
