"""Why: what happens when memory runs out is decided at whichever allocation happens to fail. Each
allocation of a call fails in turn, alone and with all that follow; the call must then raise
MemoryError, or succeed in spite of it, and must leave weights, inputs and states as they were.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from helpers.processes import output_of
from helpers.source import CPP

from fastrnn import _core

COMPILER = os.environ.get("CXX") or shutil.which("c++") or shutil.which("g++")
pytestmark = [
    pytest.mark.skipif(sys.platform != "linux", reason="preloads a library"),
    pytest.mark.skipif(COMPILER is None, reason="no C++ compiler"),
    pytest.mark.skipif(not CPP.is_dir(), reason="the source tree is not here"),
]

SCRIPT = """
    import ctypes, sys
    import numpy as np
    import fastrnn
    from fastrnn import _core

    shim = ctypes.CDLL(sys.argv[1])
    name, threads, all_after, final = sys.argv[2], *map(int, sys.argv[3:])
    shim.stop_failing.restype = ctypes.c_long
    rng = np.random.default_rng(0)
    T, N, I, H = 7, 5, 9, 33  # small, so that no workspace is kept for the next call
    shapes = (T, N, I), (4 * H, I), (4 * H, H), (4 * H,), (N, H), (N, H)
    arrays = x, w_ih, w_hh, b_ih, h0, c0 = [rng.standard_normal(s) for s in shapes]
    layer = fastrnn.LSTM(I, H, 2, bidirectional=True, merge_mode="sum", dtype=float, rng=rng)
    gru = fastrnn.GRU(I, [H, 5], dtype=float, rng=rng)
    stream = gru.stream(N)
    lengths = np.array([3, 7, 0, 1, 5], np.int32)
    start = [h.copy() for h in stream.state]
    kept = {}

    def bits(result):
        if isinstance(result, np.ndarray):
            return result.tobytes()
        if isinstance(result, (tuple, list)):
            return b"".join(map(bits, result))
        return b"" if result is None else bits(list(vars(result).values()))

    def lstm():
        return fastrnn.lstm(x, w_ih, w_hh, b_ih, None, h0, c0, lengths=lengths,
                            num_threads=threads)
    def forward():
        y, state, tape = fastrnn.lstm_forward(x, w_ih, w_hh, b_ih, None, h0, c0,
                                              num_threads=threads)
        return y, state, tape.gates, tape.c
    def make_tape():
        kept["tape"] = fastrnn.lstm_forward(x, w_ih, w_hh, b_ih, None, h0, c0,
                                            num_threads=threads)[2]
    def backward():
        return fastrnn.lstm_backward(kept["tape"], dy=np.ones((T, N, H)), dh_n=h0)
    def make_tapes():
        tapes = kept["tapes"] = [_core.Tape(), _core.Tape()]
        for tape in tapes:
            _core.rnn_forward(_core.Cell.lstm, x, w_ih, w_hh, b_ih, None, None, h0, c0, None,
                              True, True, True, tape=tape)
    def backward_both():
        dh0s = np.empty((2, N, H))
        both = [(tape, None, h0, c0, True, True, True, True, None, dh0, None, None, threads,
                 None, None, None, None, second)
                for tape, dh0, second in zip(kept["tapes"], dh0s, (False, True))]
        return _core.rnn_backward_both(*both), dh0s
    def layers():
        with fastrnn.threads(threads):
            y, state, tape = layer.forward(x, lengths=lengths)
            grads = layer.backward(tape, dy=y)
            return layer(x), y, state, grads.x, list(grads.params.values())
    def reset():
        stream.state = start
    def steps():
        with fastrnn.threads(threads):
            return stream.step(x[0]), stream.run(x)

    def new_stream():
        with fastrnn.threads(threads):
            return gru.stream(N).run(x)

    call, before = {
        "lstm": (lstm, list), "lstm_forward": (forward, list), "LSTM": (layers, list),
        "directions": (layers, list), "backward_both": (backward_both, make_tapes),
        "lstm_backward": (backward, make_tape), "Stream": (steps, reset),
        "stream": (new_stream, list),
    }[name]
    _core.force_plan("calls" if name in ("directions", "backward_both") else "units", 0)
    before()
    expected = bits(call())  # what is made once is made now
    unchanged = bits([*arrays, *layer.params.values()])
    number, raised = 0, 0
    while True:
        before()
        state = bits(stream.state)
        shim.fail_allocation(ctypes.c_long(number), all_after)
        try:
            result = call()
        except MemoryError:
            result = None
        finally:
            failed = shim.stop_failing()
        raised += result is None
        where = f"{name}, allocation {number}"
        assert result is not None or failed, f"{where}: MemoryError without a failure"
        assert not (failed and final and result is not None), f"{where}: no MemoryError"
        assert result is None or bits(result) == expected, f"{where}: a wrong result"
        assert bits([*arrays, *layer.params.values()]) == unchanged, f"{where}: an input changed"
        # Of two calls one after the other, the first is over before the second needs memory.
        again = name == "lstm_backward" or (name == "backward_both" and threads == 2)
        if again and result is None:
            assert bits(call()) == expected, f"{where}: a tape is gone"
        if name == "Stream" and result is None:
            # Either no step was taken, or step() was and run() was not.
            now = bits(stream.state)
            reset()
            stream.step(x[0])
            assert now in (state, bits(stream.state)), f"{where}: the state changed"
        if not failed:
            break
        number += 1
    before()
    assert bits(call()) == expected
    print(number, raised)
"""


CALLS = [
    "lstm", "lstm_forward", "lstm_backward", "LSTM", "directions", "backward_both", "Stream",
    "stream",
]  # fmt: skip


@pytest.fixture(scope="module")
def shim(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The library to preload."""
    library = tmp_path_factory.mktemp("shim") / "failing_allocator.so"
    source = CPP / "tests" / "failing_allocator.cpp"
    options = ["-std=c++20", "-O1", "-shared", "-fPIC", "-o", str(library), str(source), "-ldl"]
    subprocess.run([str(COMPILER), *options], check=True)
    return library


@pytest.mark.check(21)
@pytest.mark.parametrize("all_after", ["0", "1"], ids=["one", "all"])
@pytest.mark.parametrize("threads", ["1", "2"])
@pytest.mark.parametrize("name", CALLS)
def test_every_allocation_fails_once(name: str, threads: str, all_after: str, shim: Path) -> None:
    env = {"LD_PRELOAD": str(shim)}
    # Where threads of our own cannot be made, a smaller team does the work, and nothing is wrong.
    kept = threads == "1" or _core.build_info()["threading"] == "openmp"
    final = "1" if kept and all_after == "1" else "0"
    printed = output_of(SCRIPT, str(shim), name, threads, all_after, final, env=env)
    number, raised = map(int, printed.split())
    assert number >= 5, f"only {number} allocations were seen"
    assert raised >= 5, f"only {raised} calls raised"
    assert final == "0" or raised == number
