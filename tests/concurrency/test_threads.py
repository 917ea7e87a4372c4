"""Why: shared scratch, a held GIL or a nested team show only when calls run side by side. Calls
from many Python threads must give the bits of the serial call, and let others work meanwhile.
"""

import ctypes
import functools
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from helpers.cases import CELLS, Case, draw
from helpers.compare import assert_identical
from helpers.processes import TIMEOUT
from helpers.runners import core_forward, forced_plan, run_core, run_functions

import fastrnn
from fastrnn import _core

CASES = [
    Case(cell, T=6, N=5, I=9, H=H, lengths=lengths)
    for cell in CELLS
    for H, lengths in ((17, "none"), (64, "ragged"))
]


@pytest.fixture
def kept_threads() -> Iterator[None]:
    """The process-wide number of threads, put back afterwards."""
    before = fastrnn.get_num_threads()
    yield
    fastrnn.set_num_threads(before)


def in_threads(count: int, work: Callable[[int], object]) -> None:
    """Run work(0) … work(count - 1), all started together; the first failure is raised."""
    gate = threading.Barrier(count)

    def start(index: int) -> None:
        gate.wait(TIMEOUT)
        work(index)

    with ThreadPoolExecutor(count) as pool:
        for future in [pool.submit(start, index) for index in range(count)]:
            future.result(TIMEOUT)


@pytest.mark.check(8, quick=400, full=3_200)
def test_many_python_threads_equal_serial(isa: str, count: int, long: bool) -> None:
    problems = [draw(case).astype(np.float32) for case in CASES]
    serial = [run_core(problem) for problem in problems]
    callers = 16 if long else 8

    def work(index: int) -> None:
        for turn in range(count // callers):
            which = (index + turn) % len(problems)
            split = ("rows", "units", None)[turn % 3]
            found = run_core(problems[which], threads=1 + turn % 3, split=split)
            assert_identical(found, serial[which], f"{isa} thread {index} turn {turn}")

    in_threads(callers, work)


@pytest.mark.check(8)
def test_public_functions_and_one_layer_from_many_threads() -> None:
    problems = [draw(case).astype(np.float32) for case in CASES]
    serial = [run_functions(problem) for problem in problems]
    layer = fastrnn.LSTM(7, 33, 2, rng=np.random.default_rng(1))
    x = np.random.default_rng(2).standard_normal((9, 4, 7)).astype(np.float32)
    y, _ = layer(x)

    def work(index: int) -> None:
        for turn in range(25):
            which = (3 * index + turn) % len(problems)
            assert_identical(run_functions(problems[which]), serial[which], f"thread {index}")
            assert_identical({"y": layer(x)[0]}, {"y": y}, f"layer in thread {index}")

    in_threads(8, work)


def test_forced_plan_belongs_to_its_thread() -> None:
    """The test hook of one thread does not reach the calls of another."""
    problem = draw(CASES[0]).astype(np.float32)
    serial = run_core(problem)
    inside, done = threading.Event(), threading.Event()

    def hold() -> None:
        with forced_plan("units", 1):
            inside.set()
            done.wait(TIMEOUT)

    other = threading.Thread(target=hold)
    other.start()
    inside.wait(TIMEOUT)
    assert_identical(run_core(problem), serial)
    done.set()
    other.join()


@pytest.mark.check(8)
def test_scribbling_on_the_input_meanwhile_does_no_harm_elsewhere() -> None:
    """Values are then unspecified; memory around them and other calls are not."""
    problem = draw(Case("lstm", T=50, N=8, I=16, H=64)).astype(np.float32)
    quiet = draw(Case("gru_before", T=9, N=4, I=7, H=33)).astype(np.float32)
    expected, stop = run_core(quiet), threading.Event()
    noise = problem.replace(x=problem.x.copy(), w_hh=problem.w_hh.copy())

    def scribble() -> None:
        rng = np.random.default_rng(0)
        while not stop.is_set():
            noise.x[...] = rng.standard_normal(noise.x.shape)
            noise.w_hh[...] *= np.float32(0.999)

    writer = threading.Thread(target=scribble)
    writer.start()
    try:
        for _ in range(50):
            tape = _core.Tape()
            arrays = {n: getattr(noise, n) for n in ("x", "w_ih", "w_hh", "b_ih", "b_hh")}
            arrays |= {n: getattr(noise, n) for n in ("w_peephole", "h0", "c0", "lengths")}
            y, h_n, c_n = (np.empty(s, np.float32) for s in ((50, 8, 64), (8, 64), (8, 64)))
            _core.rnn_forward(
                _core.Cell.lstm, **arrays, y=y, h_n=h_n, c_n=c_n, tape=tape, num_threads=2
            )
            _core.rnn_backward(tape, None, h_n, c_n, *[None] * 8)
            assert_identical(run_core(quiet), expected)
    finally:
        stop.set()
        writer.join()


def test_the_gil_is_released_during_a_call() -> None:
    problem = draw(Case("lstm", T=1, N=1, I=1, H=512, bias="none", state="none", upstream="dy"))
    problem = problem.replace(x=np.broadcast_to(problem.x, (3000, 1, 1)))
    case = Case("lstm", T=3000, N=1, I=1, H=512)
    problem = problem.replace(case=case).astype(np.float64)
    steps, stop, started = [0], threading.Event(), threading.Event()

    def count() -> None:
        started.set()
        while not stop.is_set():
            steps[0] += 1

    counter = threading.Thread(target=count)
    counter.start()
    started.wait(TIMEOUT)
    arrays = {n: getattr(problem, n) for n in ("x", "w_ih", "w_hh")}
    empty = dict.fromkeys(("b_ih", "b_hh", "w_peephole", "h0", "c0", "lengths"))
    y, h_n, c_n = np.empty((3000, 1, 512)), np.empty((1, 512)), np.empty((1, 512))
    # One thread of Python holds the GIL for 5 ms at most, so a held GIL allows no step at all
    # between these two lines beyond that slice.
    before = steps[0]
    _core.rnn_forward(_core.Cell.lstm, **arrays, **empty, y=y, h_n=h_n, c_n=c_n, num_threads=1)
    during = steps[0] - before
    stop.set()
    counter.join()
    loop = functools.reduce(lambda total, _: total + 1, range(1000), 0)
    assert loop == 1000
    assert during > 200_000, f"only {during} turns of another thread during a call of 3,000 steps"


@pytest.mark.check(23)
def test_inside_another_parallel_region_a_call_is_serial_and_right() -> None:
    """A caller's own OpenMP region: no nested team, no hang."""
    problem = draw(Case("lstm", T=6, N=8, I=9, H=33)).astype(np.float32)
    expected = core_forward(problem, threads=2)
    runtime = ctypes.CDLL(_core.__file__)  # and what it is linked with: others may bring a second
    if not hasattr(runtime, "GOMP_parallel"):
        pytest.skip("this build has no OpenMP")
    failures: list[BaseException] = []
    teams: list[int] = []

    @ctypes.CFUNCTYPE(None, ctypes.c_void_p)
    def body(_: object) -> None:
        try:
            before = len(list(Path("/proc/self/task").iterdir()))
            with forced_plan("rows", 0):
                assert_identical(core_forward(problem, threads=2), expected)
            teams.append(len(list(Path("/proc/self/task").iterdir())) - before)
        except BaseException as error:  # noqa: BLE001 - carried out of a C callback
            failures.append(error)

    runtime.GOMP_parallel(body, None, 2, 0)
    assert not failures, failures[0]
    assert teams == [0, 0], "a team was started inside a team"


@pytest.mark.usefixtures("kept_threads")
def test_more_threads_than_cores() -> None:
    problems = [draw(Case(cell, T=7, N=19, I=9, H=65)).astype(np.float32) for cell in CELLS]
    expected = [run_core(problem) for problem in problems]
    fastrnn.set_num_threads(8)
    assert fastrnn.get_num_threads() == _core.num_threads() == 8
    for problem, serial in zip(problems, expected, strict=True):
        for split in ("rows", "units"):
            assert_identical(run_core(problem, threads=0, split=split), serial, split)


@pytest.mark.usefixtures("kept_threads")
def test_threads_block_belongs_to_its_thread() -> None:
    fastrnn.set_num_threads(3)
    seen: list[int] = []
    with fastrnn.threads(2):
        other = threading.Thread(target=lambda: seen.append(fastrnn.get_num_threads()))
        other.start()
        other.join()
        assert fastrnn.get_num_threads() == 2
    assert seen == [3]
    assert fastrnn.get_num_threads() == 3
