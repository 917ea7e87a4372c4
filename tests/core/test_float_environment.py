"""Why: libraries that leave flush-to-zero on, in any thread, change everybody else's arithmetic
(llvm #57589, CTranslate2 #1018); and kernels that do not flush are 18 times slower on denormals
(oneDNN #561). Subnormals are flushed inside the core's calls and nowhere else.
"""

import ctypes
import platform
import threading
from collections.abc import Callable

import numpy as np
import pytest
from helpers.cases import CELLS, Case, draw
from helpers.processes import output_of
from helpers.runners import core_forward, forced_plan, run_core, run_functions

import fastrnn
from fastrnn import _core

CASE = Case("lstm", T=5, N=6, I=7, H=33)


def control_word() -> int:
    """Rounding, exception masks, flush-to-zero of this thread, without the sticky flags."""
    libm = ctypes.CDLL(None)
    environment = (ctypes.c_uint32 * 16)()
    assert libm.fegetenv(ctypes.byref(environment)) == 0
    if platform.machine() in ("x86_64", "AMD64"):
        return environment[7] & 0xFFC0  # MXCSR follows 28 bytes of x87 state
    return environment[0]  # FPCR


def subnormals_live() -> bool:
    """Whether this thread's arithmetic knows subnormal numbers."""
    small = np.array([5e-324, 2.0**-1074], dtype=np.float64)
    single = np.array([1e-45], dtype=np.float32)
    return bool((small + small != 0).all() and (single + single != 0).all())


def calls() -> list[Callable[[], object]]:
    """One of every kind of call into the core, good and refused."""
    problem = draw(CASE).astype(np.float32)

    def refused() -> None:
        with pytest.raises(ValueError):
            run_core(problem.replace(x=problem.x[..., 1:]))

    return [
        lambda: run_core(problem),
        lambda: run_core(problem, threads=2, split="units"),
        lambda: run_core(problem, threads=2, split="rows"),
        lambda: run_functions(problem, fastrnn),
        lambda: _core.apply_activation("tanh", problem.x.ravel(), np.empty(problem.x.size, "f4")),
        lambda: fastrnn.LSTM(3, 4)(np.ones((2, 1, 3), np.float32)),
        refused,
    ]


linux = pytest.mark.skipif(platform.system() != "Linux", reason="fegetenv layout of glibc")


@pytest.mark.check(15)
@linux
def test_the_probe_sees_flush_to_zero() -> None:
    """A positive control: switching flushing on in a throw-away thread changes what we look at."""
    if platform.machine() not in ("x86_64", "AMD64"):
        pytest.skip("MXCSR is x86")
    seen: list[object] = []

    def switch() -> None:
        libm = ctypes.CDLL(None)
        environment = (ctypes.c_uint32 * 16)()
        libm.fegetenv(ctypes.byref(environment))
        before = control_word()
        environment[7] |= 0x8040
        libm.fesetenv(ctypes.byref(environment))
        seen.extend([control_word() != before, subnormals_live()])

    thread = threading.Thread(target=switch)
    thread.start()
    thread.join()
    assert seen == [True, False]


@pytest.mark.check(15)
@linux
def test_calling_thread_is_left_as_it_was(isa: str) -> None:
    before = control_word()
    for call in calls():
        call()
        assert control_word() == before, isa
        assert subnormals_live()


@pytest.mark.check(15)
@linux
def test_new_threads_are_normal_and_stay_so() -> None:
    found: list[object] = []

    def work() -> None:
        before = control_word()
        for call in calls():
            call()
            found.append(control_word() == before and subnormals_live())

    for call in calls():
        call()
    threads = [threading.Thread(target=work) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 3 * len(calls())
    assert all(found)


@pytest.mark.check(15)
@linux
def test_pooled_workers_are_normal_after_a_call() -> None:
    """The OpenMP pool is shared with other libraries: look into its threads through the runtime."""
    runtime = ctypes.CDLL(_core.__file__)  # and what it is linked with: others may bring a second
    if not hasattr(runtime, "GOMP_parallel"):
        pytest.skip("this build has no OpenMP pool")
    run_core(draw(CASE), threads=2, split="rows")
    found: dict[int, bool] = {}

    @ctypes.CFUNCTYPE(None, ctypes.c_void_p)
    def look(_: object) -> None:
        found[threading.get_native_id()] = subnormals_live() and not control_word() & 0x8040

    runtime.GOMP_parallel(look, None, 2, 0)
    assert len(found) == 2, "the pool was not reached"
    assert all(found.values())


@pytest.mark.check(15)
def test_import_leaves_the_environment_alone() -> None:
    code = "import numpy as np, warnings; warnings.simplefilter('error'); import fastrnn;"
    code += "np.finfo(np.float32), np.finfo(np.float64); print(np.float64(5e-324) * 1.0 != 0)"
    assert output_of(code) == "True"


@pytest.mark.check(15, 16)
@pytest.mark.parametrize("split", ["rows", "units"])
def test_subnormals_are_flushed_inside_on_every_thread(
    split: str, isa: str, dtype: np.dtype
) -> None:
    """The serial road, the caller and the workers have one mode, or a row would depend on it."""
    problem = draw(Case("rnn_linear", T=2, N=8, I=1, H=64, state="none", bias="none"))
    tiny = float(np.finfo(dtype).smallest_subnormal) * 8
    weights = {"w_ih": np.ones((64, 1)), "w_hh": np.eye(64)}
    problem = problem.replace(x=np.full((2, 8, 1), tiny), **weights).astype(dtype)
    assert (problem.x != 0).all()
    for threads in (1, 2, 3):
        with forced_plan(split, 0):
            y = core_forward(problem, threads=threads)["y"]
        assert not y.any(), f"{isa} {threads} threads"


@pytest.mark.check(16)
@pytest.mark.parametrize("split", ["rows", "units"])
def test_subnormal_numbers_come_in_as_zeros(split: str, isa: str, dtype: np.dtype) -> None:
    """A power of two would make them normal again: reading them is what costs time elsewhere."""
    problem = draw(Case("rnn_linear", T=2, N=8, I=1, H=64, state="none", bias="none"))
    info = np.finfo(dtype)
    small, large = float(info.smallest_subnormal) * 8, 2.0 ** (info.maxexp - 28)
    assert small * large > info.tiny, "without the rule nothing would be lost"
    problem = problem.replace(
        x=np.full((2, 8, 1), small),
        w_ih=np.full((64, 1), large),
        w_hh=np.eye(64),
        dy=np.full((2, 8, 64), small),
        dh_n=np.zeros((8, 64)),
    ).astype(dtype)
    for threads in (1, 2, 3):
        found = run_core(problem, threads=threads, split=split)
        assert not any(a.any() for a in found.values()), f"{isa} {threads} threads"


@pytest.mark.check(16, quick=1, full=12)
@pytest.mark.parametrize("cell", CELLS)
def test_fading_numbers_leave_no_subnormal_one(cell: str, seeds: list[int], isa: str) -> None:
    """oneDNN #561: a signal that ends, after which state and gradient fade step by step."""
    tiny = np.finfo(np.float32).tiny
    for seed in seeds:
        T, N, I, H = (int(n) for n in np.random.default_rng([16, seed]).integers(1, 40, 4))
        problem = draw(Case(cell, T=T + 60, N=N, I=I, H=H, bias="none", state="none", seed=seed))
        fading = 10.0 ** -np.arange(T + 60)[:, None, None]
        problem = problem.replace(
            x=problem.x * fading,
            w_hh=problem.w_hh * 0.05,
            dy=problem.dy * fading[::-1],
            dh_n=problem.dh_n * 1e-30,
            dc_n=None if problem.dc_n is None else problem.dc_n * 1e-30,
        )
        with np.errstate(under="ignore"):
            problem = problem.astype(np.float32)
        for name, array in run_core(problem, threads=1 + seed % 2).items():
            size = np.abs(array)
            assert not ((size > 0) & (size < tiny)).any(), f"{isa} {problem.case} {name}"


@pytest.mark.check(16)
@pytest.mark.parametrize("cell", CELLS)
def test_subnormal_weights_do_no_harm(cell: str, isa: str) -> None:
    problem = draw(Case(cell, T=3, N=2, I=5, H=9)).astype(np.float32)
    tiny = problem.replace(w_hh=problem.w_hh * np.float32(1e-40))
    zero = problem.replace(w_hh=np.zeros_like(problem.w_hh))
    found, expected = run_core(tiny), run_core(zero)
    assert np.array_equal(found["y"], expected["y"]), isa
