"""What this machine can do at most: multiply-add peak, read bandwidth by size, barrier cost."""

import ctypes
import dataclasses
import functools
import os
import platform
import shutil
import subprocess
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from bench.baselines import usable_cpus
from bench.cases import Case

SOURCE = Path(__file__).parent / "native" / "machine.cpp"
FLAGS = ("-std=c++20", "-O3", "-march=native", "-ffp-contract=fast", "-pthread")
# Close together in the L2: there Zen 5 reads 64 to 384 kB at three quarters of the rate of 512 kB.
READ_SIZES = tuple(k << 10 for k in (24, 64, 128, 256, 512, 2048, 4096, 8192, 16384, 131072))


@dataclass
class Machine:
    """A machine and what was measured on it; keys are strings because JSON has no others.

    Attributes
    ----------
    cpu : str
        The processor's name.
    cpus : int
        How many this process may use.
    caches : dict
        Bytes of each data cache, ``"L1"``, ``"L2"``, ``"L3"``, as far as the system tells.
    peak : dict
        ``peak[dtype][threads]``, GFLOP/s of fused multiply-adds in registers.
    read : dict
        ``read[threads][bytes]``, GB/s of all threads together, each reading ``bytes`` of its own.
    barrier : dict
        ``barrier[threads]``, microseconds.
    note : str
        Why nothing was measured, or empty.
    """

    cpu: str
    cpus: int
    caches: dict[str, int]
    peak: dict[str, dict[str, float]] = field(default_factory=dict)
    read: dict[str, dict[str, float]] = field(default_factory=dict)
    barrier: dict[str, float] = field(default_factory=dict)
    note: str = ""

    def peak_gflops(self, dtype: str, threads: int) -> float | None:
        """The peak in GFLOP/s, None when it was not measured."""
        return self.peak.get(dtype, {}).get(str(threads))

    def read_gbytes(self, bytes_per_thread: float, threads: int) -> float | None:
        """Bandwidth at any size, between measured sizes on a logarithmic scale; None: unknown."""
        curve = self.read.get(str(threads))
        if not curve:
            return None
        sizes = np.log([float(size) for size in curve])
        return float(np.interp(np.log(max(bytes_per_thread, 1)), sizes, list(curve.values())))


@functools.cache
def _library() -> ctypes.CDLL | str:
    """The helper, compiled for this machine, or the reason why there is none."""
    compiler = os.environ.get("CXX") or next(
        (found for name in ("c++", "g++", "clang++") if (found := shutil.which(name))), None
    )
    if compiler is None:
        return "skipped: no compiler"
    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder) / "machine.so"
        command = [*compiler.split(), *FLAGS, "-shared", "-fPIC", str(SOURCE), "-o", str(target)]
        done = subprocess.run(command, check=False, capture_output=True, text=True)
        if done.returncode != 0:
            return f"skipped: {compiler} failed: {done.stderr.strip()}"
        library = ctypes.CDLL(str(target))
    library.machine_peak.restype = ctypes.c_double
    library.machine_peak.argtypes = (ctypes.c_int, ctypes.c_int, ctypes.c_double)
    library.machine_read.restype = ctypes.c_double
    library.machine_read.argtypes = (ctypes.c_int, ctypes.c_int64, ctypes.c_double)
    library.machine_barrier.restype = ctypes.c_double
    library.machine_barrier.argtypes = (ctypes.c_int, ctypes.c_int)
    return library


def measure_peak(dtype: str, threads: int, seconds: float = 0.1) -> float | None:
    """Best of three: GFLOP/s of fused multiply-adds in registers; None without a compiler."""
    library = _library()
    if isinstance(library, str):
        return None
    is_double = int(dtype == "float64")
    return float(max(library.machine_peak(threads, is_double, seconds / 3) for _ in range(3)) / 1e9)


def measure(threads: list[int], seconds: float = 0.1) -> Machine:
    """Measure for each number of threads; each figure takes about `seconds`."""
    machine = describe()
    library = _library()
    if isinstance(library, str):
        machine.note = library
        return machine
    for n in threads:
        for dtype in ("float32", "float64"):
            peak = measure_peak(dtype, n, seconds)
            assert peak is not None
            machine.peak.setdefault(dtype, {})[str(n)] = round(peak, 1)
        machine.read[str(n)] = {
            str(size): round(library.machine_read(n, size, seconds) / 1e9, 1) for size in READ_SIZES
        }
        if n > 1:
            machine.barrier[str(n)] = round(library.machine_barrier(n, 20000) * 1e6, 3)
    return machine


def describe() -> Machine:
    """The machine's name and sizes, nothing measured."""
    caches = {}
    for folder in sorted(Path("/sys/devices/system/cpu/cpu0/cache").glob("index*")):
        if (folder / "type").read_text().strip() != "Instruction":
            size = (folder / "size").read_text().strip()
            unit = {"K": 1 << 10, "M": 1 << 20}.get(size[-1], 1)
            caches["L" + (folder / "level").read_text().strip()] = int(size.rstrip("KM")) * unit
    return Machine(_cpu_name(), usable_cpus(), caches)


def _cpu_name() -> str:
    """The processor's name; with family and model, where virtual machines call several alike."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    about = dict(line.replace("\t", "").split(": ", 1) for line in lines if ": " in line)
    name = about.get("model name") or platform.processor() or platform.machine()
    if {"cpu family", "model"} <= about.keys():
        name += f" (family {about['cpu family']}, model {about['model']})"
    return name


def roofline_seconds(case: Case, machine: Machine) -> float | None:
    """The least time that the measured peak and bandwidth allow; None when they are unknown.

    Notes
    -----
    Products that need no order in time run at the peak. A step's recurrent product runs at the
    peak or, where that takes longer, at the rate at which all threads together read their slices
    of w_hh. Activations, barriers and the latency of one step are left out, so for N = 1 and
    H <= 64 no kernel can come close to this.
    """
    peak = machine.peak_gflops(case.dtype, case.threads)
    weights = case.kind.gates * case.H * case.H * np.dtype(case.dtype).itemsize
    bandwidth = machine.read_gbytes(weights / case.threads, case.threads)
    if peak is None or bandwidth is None:
        return None
    rows = case.active_rows()
    sweeps = list(case.sweeps())
    per_row = 2 * case.kind.gates * case.H * case.H
    step = np.maximum(rows * per_row / (peak * 1e9), (rows > 0) * weights / (bandwidth * 1e9)).sum()
    free = case.flops() - per_row * int(rows.sum()) * len(sweeps) * (2 if case.training else 1)
    return float(free / (peak * 1e9) + step * len(sweeps) * (2 if case.training else 1))


def as_text(machine: Machine) -> str:
    """A few lines for people."""
    sizes = ", ".join(f"{k} {v >> 10} kB" for k, v in machine.caches.items())
    lines = [f"{machine.cpu}, {machine.cpus} usable CPUs; {sizes or 'cache sizes unknown'}"]
    if machine.note:
        return "\n".join([*lines, f"peak and bandwidth: {machine.note}"])
    for n, curve in machine.read.items():
        peaks = ", ".join(f"{machine.peak[d][n]:.0f} GFLOP/s {d}" for d in machine.peak)
        barrier = f"; barrier {machine.barrier[n]:.2f} us" if n in machine.barrier else ""
        lines.append(f"{n} thread{'' if n == '1' else 's'}: peak {peaks}{barrier}")
        reads = (
            f"{_level(int(s), machine.caches)} {_size(int(s))} {v:.0f}" for s, v in curve.items()
        )
        lines.append("  read GB/s by bytes per thread: " + ", ".join(reads))
    return "\n".join(lines)


def as_json(machine: Machine) -> dict[str, Any]:
    """The same for a JSON file."""
    return dataclasses.asdict(machine)


def _level(size: int, caches: dict[str, int]) -> str:
    """The smallest cache that holds a buffer of this size, for one thread."""
    holding = [name for name, capacity in sorted(caches.items()) if size <= capacity]
    return holding[0] if holding else "DRAM"


def _size(size: int) -> str:
    return f"{size >> 20} MB" if size >= 1 << 20 else f"{size >> 10} kB"
