"""Why: containers, schedulers and users limit threads in four places, and a library that ignores
one of them oversubscribes the machine. Team sizes are read in fresh processes, from the system.
"""

import functools
import os

import pytest
from helpers.processes import output_of, run_python

from fastrnn import _core

CORES = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
REPORT = "import fastrnn; print(fastrnn.get_num_threads())"

# Counts the threads of the operating system after one call with a forced split.
COUNT = """
    import os, sys
    import numpy as np
    import fastrnn
    from fastrnn import _core
    def tasks():
        return len(os.listdir("/proc/self/task"))
    before = tasks()
    T, N, H = 4, 64, 64
    _core.force_plan("rows", 0)
    f = np.float32
    y, h_n = np.empty((T, N, H), f), np.empty((N, H), f)
    none = [None] * 6
    def call():
        _core.rnn_forward(_core.Cell.rnn_tanh, np.ones((T, N, 3), f), np.ones((H, 3), f),
                          np.eye(H, dtype=f), *none, y, h_n, None, False, int(sys.argv[1]))
    call()
    assert np.isfinite(y).all()
    print(tasks() - before)
"""
QUIET = {"OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}

linux = pytest.mark.skipif(not os.path.isdir("/proc/self/task"), reason="needs /proc")  # noqa: PTH112


@functools.cache
def unlimited() -> int:
    """The default without any variable: affinity mask, physical cores, cgroup quota."""
    return int(output_of(REPORT))


def kept(threads: int) -> int:
    """The threads of a team that wait for the next call: OpenMP's. Our own end with the call, and
    the core's self-test counts them.
    """
    return threads - 1 if _core.build_info()["threading"] == "openmp" else 0


@pytest.mark.check(23)
def test_the_default_is_within_the_affinity_mask() -> None:
    assert 1 <= unlimited() <= CORES


@pytest.mark.check(23)
@pytest.mark.parametrize(
    ("env", "limit"),
    [
        ("OMP_NUM_THREADS=1", 1),
        ("OMP_NUM_THREADS=2,1", 2),
        ("FASTRNN_NUM_THREADS=1", 1),
        ("FASTRNN_NUM_THREADS=2 OMP_NUM_THREADS=1", 1),
        ("FASTRNN_NUM_THREADS=1 OMP_NUM_THREADS=2", 1),
        ("FASTRNN_NUM_THREADS=2", 2),
        ("OMP_NUM_THREADS=4096", 4096),
        ("FASTRNN_NUM_THREADS=1024", 1024),
    ],
)
def test_the_default_is_the_smallest_limit(env: str, limit: int) -> None:
    variables = dict(word.split("=") for word in env.split())
    assert int(output_of(REPORT, env=variables)) == min(limit, unlimited())


@pytest.mark.check(23)
@pytest.mark.parametrize("text", ["0", "-1", "two", "1.5", "99999"])
def test_a_limit_that_is_no_number_is_refused_by_name(text: str) -> None:
    done = run_python(REPORT, env={"FASTRNN_NUM_THREADS": text})
    assert done.returncode == 1
    last = done.stderr.strip().splitlines()[-1]
    assert "FASTRNN_NUM_THREADS" in last
    assert text in last


@pytest.mark.check(23)
@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="no affinity masks here")
def test_the_affinity_mask_is_respected() -> None:
    one = min(os.sched_getaffinity(0))
    code = f"import os; os.sched_setaffinity(0, {{{one}}}); {REPORT}"
    assert output_of(code) == "1"


@pytest.mark.check(23)
def test_set_num_threads_overrides_the_environment() -> None:
    code = "import fastrnn; fastrnn.set_num_threads(8); print(fastrnn.get_num_threads())"
    assert output_of(code, env={"OMP_NUM_THREADS": "1"}) == "8"


@pytest.mark.check(23)
@linux
@pytest.mark.parametrize("threads", [1, 2, 3, 8])
def test_the_team_has_the_size_that_was_asked_for(threads: int) -> None:
    """One thread starts none; n threads start n - 1, whatever the number of cores."""
    assert int(output_of(COUNT, str(threads), env=QUIET)) == kept(threads)


@pytest.mark.check(23)
@linux
def test_small_work_starts_no_threads_by_itself() -> None:
    code = COUNT.replace('_core.force_plan("rows", 0)', "").replace(
        "T, N, H = 4, 64, 64", "T, N, H = 2, 1, 4"
    )
    assert int(output_of(code, "0", env=QUIET)) == 0


@pytest.mark.check(23)
@linux
def test_many_callers_do_not_pile_up_threads() -> None:
    """16 callers with teams of 2: at most one more thread each, and none is left behind busy."""
    code = (
        COUNT.replace("    call()\n", "    call()\n    import threading\n", 1)
        + """
    callers = [threading.Thread(target=call) for _ in range(16)]
    [c.start() for c in callers]; most = tasks(); [c.join() for c in callers]
    assert most - before <= 16 * 2 + 2, most
"""
    )
    assert int(output_of(code, "2", env=QUIET).splitlines()[0]) == kept(2)


@linux
def test_idle_threads_do_not_spin_after_a_call() -> None:
    """No thread of the team burns a core once the call is over."""
    code = (
        COUNT
        + """
    import time
    call(); time.sleep(0.2)
    start = time.process_time(); time.sleep(1.0)
    print(time.process_time() - start)
"""
    )
    used = float(output_of(code, "2", env=QUIET).splitlines()[-1])
    assert used < 0.3, f"{used:.2f} s of processor time during one second of sleep"


@pytest.mark.check(23)
@linux
def test_threadpoolctl_is_honoured() -> None:
    """It lowers the default and set_num_threads for its block; a block's or a call's own stays."""
    pytest.importorskip("threadpoolctl")
    code = (
        COUNT.replace("int(sys.argv[1])", "wanted").replace(
            "    call()\n    assert", "    wanted = 1; call()\n    assert"
        )
        + """
    from threadpoolctl import threadpool_limits
    def team(n):
        global wanted
        wanted = n; before = tasks(); call()
        return tasks() - before
    fastrnn.set_num_threads(2)
    with threadpool_limits(1):
        assert fastrnn.get_num_threads() == 1 and team(0) == 0
        fastrnn.set_num_threads(3)
        assert fastrnn.get_num_threads() == 1
        with fastrnn.threads(2):
            assert fastrnn.get_num_threads() == 2
        assert team(2) == 1
    with threadpool_limits(1, user_api="openmp"):
        assert fastrnn.get_num_threads() == 1
    with threadpool_limits(1, user_api="blas"):
        assert fastrnn.get_num_threads() == 3
    assert fastrnn.get_num_threads() == 3 and team(0) == 1
"""
    )
    if "openmp" not in output_of("import fastrnn; fastrnn.show_config()"):
        pytest.skip("this build has no OpenMP")
    # On one core OpenMP's own number is 1 already, and a limit of 1 would be no news.
    assert output_of(code, env={**QUIET, "OMP_NUM_THREADS": "4"}).split() == ["0"]
