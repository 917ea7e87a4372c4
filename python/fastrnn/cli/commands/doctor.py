"""``fastrnn doctor``: what makes fastrnn slow or absent on this machine, and the way out."""

import os
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version

import numpy as np

import fastrnn
from fastrnn import runtime

EXTRAS = {
    "autograd": "models and training", "safetensors": "files", "matplotlib": "pictures",
    "onnx": "ONNX files", "tokenizers": "BPE", "sacrebleu": "BLEU", "torch": "fastrnn.torch",
    "mpi4py": "", "keras": "", "onnxruntime": "",
}  # fmt: skip
Finding = tuple[str, str]  # "ok", "note" or "bad", and the line


def run_doctor() -> None:
    """Print all findings; raise if fastrnn cannot compute here."""
    for name, value in runtime.config().items():
        print(f"{name:<15} {value}")
    print()
    bad = []
    for checks in (_instructions, _threads, _load, _memory, _libraries, _packages):
        for level, line in checks():
            print(f"{level:<5} {line}")
            bad += [line] if level == "bad" else []
    if bad:
        raise ValueError(f"{len(bad)} of the findings above need you")


def _instructions() -> Iterator[Finding]:
    isa, there = fastrnn.isa(), fastrnn.available_isas()
    built = runtime.config()["built isas"].split(", ")
    if isa != there[-1]:
        yield "note", f"{isa} is active by FASTRNN_ISA or set_isa, and {there[-1]} would be faster"
    else:
        yield "ok", f"{isa} is the best that this CPU has of {', '.join(built)}"
    y, _ = fastrnn.rnn(np.ones((2, 1, 1)), np.ones((1, 1)), np.zeros((1, 1)))
    error = np.abs(y - np.tanh(1))
    if error.max() > 1e-12:
        yield "bad", f"tanh(1) is off by {error.max():.1e}: run fastrnn selftest"


def usable_cores() -> tuple[int, int]:
    """Return on how many cores this process may run, and how many there are."""
    cores = os.cpu_count() or 1
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else cores, cores


def _threads() -> Iterator[Finding]:
    threads = fastrnn.get_num_threads()
    mine, cores = usable_cores()
    settings = {name: os.environ[name] for name in runtime.THREAD_VARIABLES if name in os.environ}
    why = [f"{name}={value}" for name, value in settings.items()]
    why += [f"the affinity mask has {mine}"] if mine < cores else []
    yield "ok" if threads >= mine else "note", (
        f"{threads} threads on {cores} CPUs"
        + (f"; {', '.join(why)}" if why else "")
        + ("; a cgroup quota or a variable holds them back" if threads < mine and not why else "")
    )
    if runtime.config()["threading"] != "openmp":
        yield "note", "built without OpenMP: teams are made anew for each call"


def _load() -> Iterator[Finding]:
    if not hasattr(os, "getloadavg"):
        return
    load, threads = os.getloadavg()[0], fastrnn.get_num_threads()
    busy = load > threads + 0.5
    yield "note" if busy else "ok", (
        f"the load of this machine is {load:.1f}"
        + ("; others use the CPUs, and figures will be worse than they could be" if busy else "")
    )


def _memory() -> Iterator[Finding]:
    try:
        pages, size = os.sysconf("SC_AVPHYS_PAGES"), os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, ValueError, OSError):
        return
    free = pages * size / 2**30
    yield "note" if free < 1 else "ok", f"{free:.1f} GiB of memory are free"


def _libraries() -> Iterator[Finding]:
    """Other libraries' teams: they are what most often fights for the same cores."""
    try:
        from threadpoolctl import threadpool_info
    except ImportError:
        return
    pools = threadpool_info()
    for pool in pools:
        where = pool["internal_api"]
        yield "ok", f"{where} has {pool['num_threads']} threads ({pool.get('version') or '?'})"
    runtimes = {pool["prefix"] for pool in pools if pool["user_api"] == "openmp"}
    if len(runtimes) > 1:
        yield "note", f"several OpenMP runtimes are loaded, {', '.join(sorted(runtimes))}"
    blas = [p for p in pools if p["user_api"] == "blas" and p["num_threads"] > 1]
    if blas and "OPENBLAS_NUM_THREADS" not in os.environ:
        yield "note", "NumPy's BLAS keeps threads of its own; OPENBLAS_NUM_THREADS=1 in training"


def _packages() -> Iterator[Finding]:
    if int(np.__version__.partition(".")[0]) < 2:
        yield "bad", f"fastrnn needs NumPy 2 or newer, got {np.__version__}"
    for name, use in EXTRAS.items():
        try:
            yield "ok", f"{name} {version(name)}"
        except PackageNotFoundError:
            if use:
                yield "note", f"{name} is not installed: pip install {name}, for {use}"
