"""Why: GCC's OpenMP runtime hangs in a forked child whose parent has used a team; libraries answer
with one thread or with a hang (pytorch #3490, faiss #5206). Children, grandchildren and fork
pools must compute right, with a full team, and end.
"""

import os

import pytest
from helpers.processes import output_of

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")

# Every script starts by using two threads, and ends children that hang.
COMMON = """
    import os, signal, sys, threading, time
    import numpy as np
    import fastrnn
    from fastrnn import _core

    rng = np.random.default_rng(0)
    T, N, I, H = 40, 16, 8, 96
    x, w_ih, w_hh = (rng.standard_normal(s).astype(np.float32) * np.float32(0.2)
                     for s in ((T, N, I), (4 * H, I), (4 * H, H)))
    def call(threads, split="units", steps=T):
        _core.force_plan(split, 0)
        y, h, c = (np.empty(s, np.float32) for s in ((steps, N, H), (N, H), (N, H)))
        xs = x if steps == T else np.broadcast_to(x[:1], (steps, N, I))
        tape = _core.Tape()
        _core.rnn_forward(_core.Cell.lstm, xs, w_ih, w_hh, *[None] * 6, y, h, c,
                          num_threads=threads, tape=tape)
        dw = np.empty_like(w_hh)
        _core.rnn_backward(tape, None, h, c, None, None, dw, *[None] * 5, num_threads=threads)
        return y.tobytes() + dw.tobytes()
    expected = call(1)
    assert call(2) == expected

    def tasks():
        return len(os.listdir("/proc/self/task"))

    def largest_team():
        most, looks, stop = [0], [0], threading.Event()
        def watch():
            while not stop.is_set():
                most[0] = max(most[0], tasks())
                looks[0] += calling[0]
                time.sleep(0.0005)
        calling = [False]
        watcher = threading.Thread(target=watch)
        watcher.start()
        while looks[0] < 20:  # however seldom a busy machine lets it look
            calling[0] = True
            call(2, steps=400)
            calling[0] = False
        stop.set(); watcher.join()
        return most[0]

    def child(work):
        pid = os.fork()
        if pid == 0:
            try:
                os._exit(0 if work() else 3)
            except BaseException:
                import traceback
                traceback.print_exc()
                os._exit(4)
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            done, status = os.waitpid(pid, os.WNOHANG)
            if done:
                return os.waitstatus_to_exitcode(status)
            time.sleep(0.002)
        os.kill(pid, signal.SIGKILL); os.waitpid(pid, 0)
        return "hung"
    layer = fastrnn.LSTM(I, H, bidirectional=True, rng=rng)
    def directions(threads):
        _core.force_plan("calls", 0)
        with fastrnn.threads(threads):
            y, _, tape = layer.forward(x)
            return layer(x)[0].tobytes() + layer.backward(tape, y).x.tobytes()
    sides = directions(1)
    def right():
        return (all(call(2, split) == expected for split in ("rows", "units"))
                and directions(2) == sides)
"""


@pytest.mark.check(20, quick=12, full=100)
def test_children_finish_and_compute_right(count: int) -> None:
    code = COMMON + f"    print([child(right) for _ in range({count})])"
    assert output_of(code) == str([0] * count)


@pytest.mark.check(20, quick=6, full=40)
def test_children_forked_while_another_thread_computes(count: int) -> None:
    code = (
        COMMON
        + f"""
    stop = threading.Event()
    def busy():
        while not stop.is_set():
            call(2)
    worker = threading.Thread(target=busy); worker.start()
    results = [child(right) for _ in range({count})]
    stop.set(); worker.join()
    print(results)
"""
    )
    assert output_of(code) == str([0] * count)


@pytest.mark.check(20)
def test_grandchildren_finish_and_compute_right() -> None:
    code = COMMON + "    print([child(lambda: right() and child(right) == 0) for _ in range(4)])"
    assert output_of(code) == str([0] * 4)


@pytest.mark.check(20)
@pytest.mark.skipif(not os.path.isdir("/proc/self/task"), reason="needs /proc")  # noqa: PTH112
def test_the_child_has_a_full_team() -> None:
    """Main, watcher and a worker at least; with OpenMP also the fresh thread that leads."""
    code = (
        COMMON
        + """
    least = 4 if _core.build_info()["threading"] == "openmp" else 3
    print(child(lambda: largest_team() >= least))
"""
    )
    assert output_of(code) == "0"


@pytest.mark.check(20)
def test_serial_on_request_in_the_child() -> None:
    code = COMMON + "    print(child(lambda: right() and largest_team() == 2))"
    assert output_of(code, env={"FASTRNN_FORK": "serial"}) == "0"


@pytest.mark.check(20)
def test_the_parent_goes_on_after_forking() -> None:
    code = COMMON + "    print([child(right) for _ in range(3)], right())"
    assert output_of(code) == "[0, 0, 0] True"


@pytest.mark.check(20)
def test_a_fork_pool_of_multiprocessing() -> None:
    code = (
        COMMON
        + """
    import multiprocessing
    def work(_):
        return right()
    with multiprocessing.get_context("fork").Pool(2) as pool:
        print(sum(pool.map_async(work, range(12)).get(200)))
"""
    )
    assert output_of(code) == "12"


@pytest.mark.check(20)
def test_fork_before_any_call() -> None:
    code = (
        COMMON.replace("    assert call(2) == expected\n", "") + "    print(child(right), right())"
    )
    assert output_of(code) == "0 True"


# A signal handler forks while two threads are in a kernel. Neither the other thread nor the end of
# the call will ever come in the child: what was called ends there with an error, or with what the
# handler raised. A signal that came between two calls is no case, and another one is sent.
IN_A_HANDLER = (
    COMMON
    + """
    ending, process, children = sys.argv[1], os.getpid(), []
    if sys.argv[2] == "child":
        pid = os.fork()
        if pid:
            sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
        process = os.getpid()
    def handler(*_):
        children.append(os.fork())
        if children[-1] == 0:
            if ending == "exit":
                sys.exit(7)
            if ending == "raise":
                raise LookupError("its own")
            assert call(2) == expected
    signal.signal(signal.SIGALRM, handler)
    def code_of_child():
        children.clear()
        signal.setitimer(signal.ITIMER_REAL, 0.05)
        try:
            while not children:
                call(2, steps=4000)
        except (RuntimeError, LookupError) as error:
            assert os.getpid() != process
            wanted = "its own" if ending == "raise" else "forked by a signal handler"
            os._exit(7 if wanted in str(error) and right() and 5e-324 * 1.0 != 0 else 3)
        if os.getpid() != process:
            os._exit(9)  # between two calls
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline:
            done, status = os.waitpid(children[0], os.WNOHANG)
            if done:
                return os.waitstatus_to_exitcode(status)
            time.sleep(0.002)
        os.kill(children[0], signal.SIGKILL)
        os.waitpid(children[0], 0)
        return "hung"
    codes = [code_of_child()]
    while codes[-1] == 9:
        codes.append(code_of_child())
    assert right()
    print(codes[-1])
"""
)


@pytest.mark.parametrize("where", ["parent", "child"])
@pytest.mark.parametrize("ending", ["return", "raise", "exit"])
def test_a_signal_handler_forks_during_a_call(ending: str, where: str) -> None:
    assert output_of(IN_A_HANDLER, ending, where) == "7"
