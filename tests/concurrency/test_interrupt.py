"""Why: a kernel of a minute that ignores Ctrl-C makes people kill the process. A signal ends the
call within 0.3 s with KeyboardInterrupt, in forward and backward, alone and in a team, and the
next call is right. The seconds are those that each thread works: other programs take none of them.
"""

import os
import select
import signal
import subprocess
import sys
import textwrap

import numpy as np
import pytest
from helpers.processes import TIMEOUT, environment, output_of, processor_seconds, wait_until_busy
from helpers.tolerances import INTERRUPT_SECONDS

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="reads another process's clock")

# The child prints how much processor time it had used when the exception reached it.
SCRIPT = """
    import os, sys, time
    import numpy as np
    from fastrnn import _core

    kind, split, threads, forked = sys.argv[1], sys.argv[2], int(sys.argv[3]), sys.argv[4] == "fork"
    f, H = np.float32, 512
    rng = np.random.default_rng(0)
    w_ih, w_hh = (rng.uniform(-0.05, 0.05, s).astype(f) for s in ((4 * H, 1), (4 * H, H)))

    def forward(T, N, tape=None, threads=threads):
        x = np.broadcast_to(f(0.5), (T, N, 1))
        y, h, c = (np.empty(s, f) for s in ((T, N, H), (N, H), (N, H)))
        none = [None] * 6
        x = np.ascontiguousarray(x)
        _core.rnn_forward(_core.Cell.lstm, x, w_ih, w_hh, *none, y, h, c, False, threads, tape)
        return y, h, c

    _core.force_plan(None if split == "auto" else split, 0)
    expected = forward(20, 2)[0].tobytes()
    if forked:
        forward(20, 2, threads=2)
        pid = os.fork()
        if pid:
            os.waitpid(pid, 0)
            sys.exit(0)
    if kind == "backward":
        T = 20000
        tape = _core.Tape()
        y, h, c = forward(T, 2, tape, threads=2)
        dw, dx = np.empty_like(w_hh), np.empty((T, 2, 1), f)
    print("ready", os.getpid(), flush=True)
    try:
        if kind == "forward":
            forward(60000, 2)
        else:
            _core.rnn_backward(tape, y, h, c, dx, None, dw, *[None] * 5, num_threads=threads)
    except KeyboardInterrupt:
        print("interrupted", time.process_time(), flush=True)
    else:
        print("finished", 0, flush=True)
    print("right" if forward(20, 2)[0].tobytes() == expected else "wrong", 0, flush=True)
"""


# Calls that are over in a moment but large, one after the other: signals hit the packing of
# weights, single steps and weight gradients alike.
LARGE = """
    import sys, time
    import numpy as np
    import fastrnn

    kind, dtype, (T, N, I, H, signals) = sys.argv[1], sys.argv[2], map(int, sys.argv[3:])
    x = np.full((T, N, I), 0.1, dtype)
    w_ih, w_hh = np.full((4 * H, I), 1e-4, dtype), np.full((4 * H, H), 1e-4, dtype)
    def call():
        if kind == "forward":
            return fastrnn.lstm(x, w_ih, w_hh, num_threads=1)[0]
        y, _, tape = fastrnn.lstm_forward(x, w_ih, w_hh, num_threads=1)
        fastrnn.lstm_backward(tape, dy=y)
        return y
    expected = call().tobytes()
    for _ in range(signals):
        print("ready", flush=True)
        try:
            while True:
                call()
        except KeyboardInterrupt:
            print(time.process_time(), flush=True)
    print("right" if call().tobytes() == expected else "wrong", flush=True)
"""


def read_line(process: subprocess.Popen[bytes]) -> list[str]:
    """The next line of a process, within a time limit; select sees no line that Python buffers."""
    assert process.stdout is not None
    ready, _, _ = select.select([process.stdout], [], [], TIMEOUT)
    assert ready, f"nothing printed within {TIMEOUT} s"
    return process.stdout.readline().decode().split()


def interrupt(*args: str) -> float:
    """Start the script, send SIGINT in the middle of the kernel; seconds of work until it ends."""
    process = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(SCRIPT), *args],
        env=environment(),
        stdout=subprocess.PIPE,
        bufsize=0,
    )
    try:
        word, pid = read_line(process)
        assert word == "ready"
        wait_until_busy(int(pid), 0.2)
        sent = processor_seconds(int(pid))
        os.kill(int(pid), signal.SIGINT)
        word, seen = read_line(process)
        assert word == "interrupted", "the kernel was over before the signal; make it longer"
        assert read_line(process)[0] == "right"
        assert process.wait(TIMEOUT) == 0
        return (float(seen) - sent) / int(args[2])
    finally:
        process.kill()
        process.wait()
        assert process.stdout is not None
        process.stdout.close()


def interrupt_large(delays: list[float], *args: str) -> list[float]:
    """Start LARGE, send SIGINT after so much work of its loop; the work until each one is over."""
    process = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(LARGE), *args, str(len(delays))],
        env=environment(),
        stdout=subprocess.PIPE,
        bufsize=0,
    )
    took = []
    try:
        for delay in delays:
            assert read_line(process) == ["ready"]
            wait_until_busy(process.pid, delay)
            sent = processor_seconds(process.pid)
            process.send_signal(signal.SIGINT)
            took.append(float(read_line(process)[0]) - sent)
        assert read_line(process) == ["right"]
        assert process.wait(TIMEOUT) == 0
        return took
    finally:
        process.kill()
        process.wait()
        assert process.stdout is not None
        process.stdout.close()


RUNS = [
    ("forward", "auto", "1", "-"),
    ("forward", "rows", "2", "-"),
    ("forward", "units", "2", "-"),
    ("backward", "units", "2", "-"),
    ("backward", "rows", "1", "-"),
    ("forward", "units", "2", "fork"),
]


@pytest.mark.check(18, quick=1, full=4)
@pytest.mark.parametrize("args", RUNS, ids="-".join)
def test_control_c_ends_a_long_kernel(args: tuple[str, ...], count: int) -> None:
    for _ in range(count):
        delay = interrupt(*args)
        assert delay <= INTERRUPT_SECONDS, f"{delay:.3f} s until KeyboardInterrupt"


# T, N, I, H
LARGE_RUNS = [
    ("forward", "float32", "1", "1", "1", "4096"),
    ("training", "float32", "2", "1", "1", "4096"),
    ("training", "float64", "2", "1", "1", "2048"),
    ("training", "float32", "2", "2", "400000", "16"),
]


@pytest.mark.check(18, quick=3, full=12)
@pytest.mark.parametrize("args", LARGE_RUNS, ids="-".join)
def test_control_c_ends_a_large_step(args: tuple[str, ...], count: int) -> None:
    delays = np.random.default_rng(0).uniform(0.05, 0.6, count).tolist()
    took = interrupt_large(delays, *args)
    assert max(took) <= INTERRUPT_SECONDS, f"{max(took):.3f} s until KeyboardInterrupt"


HANDLER = """
    import signal, sys
    import numpy as np
    import fastrnn

    threads = int(sys.argv[1])
    rng = np.random.default_rng(0)
    shapes = (2000, 4, 32), (1024, 32), (1024, 256)
    x, w_ih, w_hh = (rng.uniform(-0.1, 0.1, s).astype(np.float32) for s in shapes)
    def call(x):
        y, _, tape = fastrnn.lstm_forward(x, w_ih, w_hh, num_threads=threads)
        return y.tobytes() + fastrnn.lstm_backward(tape, dy=y).w_hh.tobytes()
    large, small = call(x), call(x[:50])
    seen = []
    def handler(*_):
        seen.append(call(x[:50]) == small and 5e-324 * 1.0 != 0)
    signal.signal(signal.SIGALRM, handler)
    signal.setitimer(signal.ITIMER_REAL, 0.06, 0.06)
    while len(seen) < 5:
        assert call(x) == large
    signal.setitimer(signal.ITIMER_REAL, 0)
    def raising(*_):
        raise LookupError("its own")
    signal.signal(signal.SIGALRM, raising)
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.06)
        while True:
            call(x)
    except LookupError as error:
        print(all(seen), error)
"""


@pytest.mark.check(18)
@pytest.mark.parametrize("threads", ["1", "2"])
def test_a_signal_handler_may_use_the_package_and_may_raise(threads: str) -> None:
    """It runs in the middle of a kernel, whose result and floating-point mode are not touched."""
    assert output_of(HANDLER, threads) == "True its own"
