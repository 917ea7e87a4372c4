"""Every case of `bench.cases` in fastrnn, its NumPy twin and each importable library.

By default the small cases run; ``FASTRNN_BENCH=full`` runs every case. Everybody gets as many
threads as this process may use CPUs, so confine it (``taskset -c 0``) to bench one thread. Benches
of one shape form a group. For figures to rely on, run ``python -m bench.grid``, where libraries
take turns in processes of their own.
"""

import functools
import os
from typing import Any

import pytest

from bench import answers, baselines, cases, machine
from bench.cases import Case

THREADS = baselines.usable_cpus()
CASES = (cases.full if os.environ.get("FASTRNN_BENCH") == "full" else cases.smoke)(THREADS)
RUNS = [
    pytest.param(case, name, id=f"{case.use.replace(' ', '_')}-{case.id}-{name}")
    for case in CASES
    for name in baselines.importable()
    if baselines.peer_class(name).refusal(case) is None
]


@functools.cache
def peak(dtype: str) -> float | None:
    """The machine's multiply-add peak in GFLOP/s."""
    return machine.measure_peak(dtype, THREADS)


@pytest.mark.filterwarnings("ignore")  # what other libraries warn of is not ours to fail on
@pytest.mark.benchmark(max_time=0.2, min_rounds=3, warmup=False)
@pytest.mark.parametrize(("case", "name"), RUNS)
def test_case(benchmark: Any, case: Case, name: str) -> None:
    """Time a case, then compare its answer with the twin's in float64."""
    peer = baselines.peer_class(name)()
    prepared = peer.prepare(baselines.problem(case))
    prepared.run()  # compiles, packs and wakes threads
    benchmark.group = f"{case.use}: {case.id}"
    benchmark(prepared.run)
    answers.check(case, prepared.answer())

    import fastrnn

    info = {
        "peer": name,
        "version": peer.version(),
        "shape": {"T": case.T, "N": case.N, "I": case.I, "H": case.H},
        "cell": case.cell,
        "work": case.work,
        "dtype": case.dtype,
        "threads": case.threads,
        "isa": fastrnn.isa(),
        "flops": case.flops(),
        "bytes": case.bytes(),
    }
    top = peak(case.dtype)
    if benchmark.stats is not None and top is not None:
        info["percent_of_peak"] = 100 * case.flops() / benchmark.stats.stats.min / 1e9 / top
    benchmark.extra_info.update(info)
