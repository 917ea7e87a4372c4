"""Why: libgomp ends the process when it cannot start a thread, and half-written results after a
failed allocation corrupt a training run. Where memory is short a call raises MemoryError, changes
nothing, and the next call works; and nothing leaks over thousands of calls, good and bad.
"""

import os

import numpy as np
import pytest
from helpers.processes import TIMEOUT, output_of
from helpers.tolerances import LEAK_BYTES

linux = pytest.mark.skipif(not os.path.isdir("/proc/self"), reason="needs /proc")  # noqa: PTH112

LIMITED = """
    import resource, sys
    import numpy as np
    import fastrnn
    from fastrnn import _core

    room, threads = int(sys.argv[1]) * 2**20, int(sys.argv[2])
    f, T, N, H = np.float32, 4000, 32, 64
    x = np.ones((T, N, 8), f)
    w_ih, w_hh = np.full((4 * H, 8), 0.01, f), np.full((4 * H, H), 0.01, f)
    y, h, c = (np.full(s, 7, f) for s in ((T, N, H), (N, H), (N, H)))
    wide = np.broadcast_to(f(0.01), (4 * 8192, 8192))
    none = [None] * 6
    small = (x[:5], w_ih, w_hh)
    expected = [a.tobytes() for a in (fastrnn.lstm(*small)[0],)]

    def forward(tape):
        _core.rnn_forward(_core.Cell.lstm, x, w_ih, w_hh, *none, y, h, c, False, threads, tape)

    calls = {
        "forward": lambda: fastrnn.lstm(np.broadcast_to(x[:1], (400000, N, 8)), w_ih, w_hh),
        "forward with a tape": lambda: forward(_core.Tape()),
        "packing": lambda: _core.PackedWeights(_core.Cell.lstm, None, wide, None, None, None),
    }
    status = dict(line.split(":", 1) for line in open("/proc/self/status"))
    size = int(status["VmSize"].split()[0]) * 1024
    before = [a.tobytes() for a in (x, w_ih, w_hh)]
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    found = []

    # Starting a team may fail as well; it then shrinks, and libgomp's exit is never reached.
    _core.force_plan("rows", 0)
    resource.setrlimit(resource.RLIMIT_AS, (size + room, hard))
    try:
        fastrnn.lstm(*small, num_threads=threads)
    except MemoryError:
        pass
    finally:
        resource.setrlimit(resource.RLIMIT_AS, (soft, hard))

    for name, call in calls.items():
        resource.setrlimit(resource.RLIMIT_AS, (size + room, hard))
        try:
            call()
        except MemoryError:
            found.append("MemoryError")
        except BaseException as error:
            found.append(repr(error))
        else:
            found.append("enough")
        finally:
            resource.setrlimit(resource.RLIMIT_AS, (soft, hard))
    assert [a.tobytes() for a in (x, w_ih, w_hh)] == before, "an input changed"
    assert fastrnn.lstm(*small, num_threads=threads)[0].tobytes() == expected[0]
    print(*found)
"""


BACKWARD = """
    import resource, sys
    import numpy as np
    from fastrnn import _core
    threads = int(sys.argv[1])
    f, T, N, H, I = np.float32, 64, 4, 1024, 1024
    rng = np.random.default_rng(0)
    shapes = (T, N, I), (4 * H, I), (4 * H, H)
    x, w_ih, w_hh = (rng.uniform(-0.1, 0.1, s).astype(f) for s in shapes)
    def forward():
        tape = _core.Tape()
        y, h, c = (np.empty(s, f) for s in ((T, N, H), (N, H), (N, H)))
        _core.rnn_forward(_core.Cell.lstm, x, w_ih, w_hh, *[None] * 6, y, h, c, False, 1, tape)
        return tape, y, h, c
    tape, y, h, c = forward()
    # What forward worked in is kept for the next call; this takes it away from backward.
    packed = _core.PackedWeights(_core.Cell.lstm, w_ih, w_hh, None, None, None)
    dw_ih, dw_hh, dx = np.full_like(w_ih, 7), np.full_like(w_hh, 7), np.full_like(x, 7)
    def backward(tape):
        _core.rnn_backward(tape, None, h, c, dx, dw_ih, dw_hh, *[None] * 5, num_threads=threads)
    status = dict(line.split(":", 1) for line in open("/proc/self/status"))
    size = int(status["VmSize"].split()[0]) * 1024
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (size + 2**20, hard))
    try:
        backward(tape)
    except MemoryError:
        word = "MemoryError"
    else:
        word = "enough"
    finally:
        resource.setrlimit(resource.RLIMIT_AS, (soft, hard))
    untouched = all((a == 7).all() for a in (dw_ih, dw_hh, dx))
    backward(tape)  # which is as good as new
    print(word, untouched, np.isfinite(dw_hh).all() and dw_hh.any())
"""

LEAKS = """
    import os, sys
    import numpy as np
    import fastrnn
    from fastrnn import _core
    rng = np.random.default_rng(0)
    f = np.float32
    x = rng.standard_normal((9, 4, 8)).astype(f)
    w = {G: [rng.standard_normal((G * 32, n)).astype(f) for n in (8, 32)] for G in (1, 3, 4)}
    layer = fastrnn.LSTM(8, 32, 2, bidirectional=True)

    def good(turn):
        threads = 1 + turn % 3
        fastrnn.lstm(x, *w[4], num_threads=threads)
        y, h_n, tape = fastrnn.gru_forward(x, *w[3], num_threads=threads)
        tape.gates
        if turn % 2:
            fastrnn.gru_backward(tape, y, h_n)
        fastrnn.rnn(x, *w[1])
        layer(x)
        stream = layer.stream if turn % 5 else fastrnn.LSTM(8, 32).stream(4)
        if turn % 5 == 0:
            stream.step(x[0])

    def bad(turn):
        calls = [
            lambda: fastrnn.lstm(x[..., 1:], *w[4]),
            lambda: fastrnn.lstm(x.astype(np.float64), *w[4]),
            lambda: fastrnn.gru(x, *w[4]),
            lambda: fastrnn.rnn(x, *w[1], lengths=[1, 2, 3, 400]),
            lambda: fastrnn.lstm_backward(None),
            lambda: _core.rnn_forward(_core.Cell.lstm, x, *w[4], *[None] * 9),
            lambda: fastrnn.set_isa("none"),
        ]
        try:
            calls[turn % len(calls)]()
        except (TypeError, ValueError):
            return
        raise AssertionError(turn)

    def resident():
        return int(open("/proc/self/statm").read().split()[1]) * os.sysconf("SC_PAGESIZE")

    count = int(sys.argv[1])
    for turn in range(300):
        good(turn), bad(turn)
    before = resident()
    for turn in range(count):
        good(turn) if turn % 2 else bad(turn)
    print(resident() - before)
"""


@pytest.mark.check(21)
@linux
@pytest.mark.parametrize("threads", ["1", "2", "8"])
@pytest.mark.parametrize("room", ["1", "8", "64"])
def test_too_little_address_space(room: str, threads: str) -> None:
    assert output_of(LIMITED, room, threads).split() == ["MemoryError"] * 3


@pytest.mark.check(21, quick=2, full=30)
@linux
def test_any_limit_of_the_address_space(count: int) -> None:
    """Wherever the limit falls, each call ends with MemoryError or with the right result."""
    rng = np.random.default_rng(21)
    for _ in range(count):
        room, threads = rng.integers(1, 512), rng.choice([1, 2, 8])
        found = output_of(LIMITED, str(room), str(threads)).split()
        assert set(found) <= {"MemoryError", "enough"}, f"{room} MiB, {threads} threads: {found}"


@pytest.mark.check(21)
@linux
@pytest.mark.parametrize("threads", ["1", "2"])
def test_too_little_address_space_for_backward(threads: str) -> None:
    assert output_of(BACKWARD, threads) == "MemoryError True True"


@pytest.mark.check(22, quick=2_000, full=10_000)
@linux
def test_nothing_leaks(count: int) -> None:
    grown = int(output_of(LEAKS, str(count), timeout=TIMEOUT))
    assert grown < LEAK_BYTES, f"{grown / 2**20:.1f} MiB more after the calls"


@linux
def test_training_calls_reuse_the_memory_of_their_tapes() -> None:
    """Fresh memory would be faulted in page by page: 1,000 of them for this tape in each call."""
    script = """
        import resource
        import numpy as np
        import fastrnn

        layer, x = fastrnn.LSTM(64, 64), np.zeros((100, 32, 64), np.float32)

        def update():
            y, _, tape = layer.forward(x)
            nbytes = tape.nbytes
            layer.backward(tape, y)
            return nbytes

        def faults():
            return resource.getrusage(resource.RUSAGE_SELF).ru_minflt

        nbytes, before = [update() for _ in range(3)][-1], faults()
        for _ in range(20):
            update()
        print(nbytes // resource.getpagesize(), (faults() - before) // 20)
    """
    pages, fresh = map(int, output_of(script).split())
    assert pages > 900
    assert fresh < pages / 4
