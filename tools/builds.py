"""Other builds of the module than the usual one, each with its self-test and tests of its own.

    python tools/builds.py NAME... [-- ARGUMENTS OF PYTEST]
    python tools/builds.py --lacks NAME     say what it needs and this machine lacks, if anything

A build is a compiler, a threading backend, a sanitizer, a Python or a NumPy: a row of BUILDS. It is
made in build/NAME with warnings as errors, beside the installed module and not in its place, by the
tools of constraints/build.txt, which are installed beside the Python that runs this. What a build
needs and this machine lacks is a skip, which is counted; a run of skips alone has shown nothing and
fails.
"""

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
SETTINGS = ("FASTRNN_SELFTEST=ON", "FASTRNN_WERROR=ON")
NO_OPENMP = "FASTRNN_OPENMP=OFF"
BASELINE_ONLY = "FASTRNN_BASELINE_ONLY=ON"  # threads know nothing of the others: half the time
LINES = ("CMAKE_BUILD_TYPE=Debug", "CMAKE_CXX_FLAGS_DEBUG=-g1")  # a report has a file and a line

# What a Python must have to build the module and to run its tests.
READY = "import ensurepip, sysconfig; open(sysconfig.get_path('include') + '/Python.h')"
# An editable install would be found before it.
WHICH = """
import sys, fastrnn
from fastrnn import _core
fastrnn.show_config()
if not _core.__file__.startswith(sys.argv[1]):
    sys.exit(f"another module would be tested: {_core.__file__}")
"""


@dataclass(frozen=True)
class Build:
    """How a build differs from the usual one."""

    compiler: str = "c++"
    settings: tuple[str, ...] = ()  # of CMake
    flags: str = ""
    sanitizer: str = ""  # whose library has to be loaded before Python
    python: str = ""  # another one than this, with an environment of its own
    numpy: str = "numpy"
    env: Mapping[str, str] = field(default_factory=dict)


ASAN_ENV = {
    # Python itself leaks; a refused allocation is a MemoryError here, not an error.
    "ASAN_OPTIONS": "detect_leaks=0:allocator_may_return_null=1:strict_init_order=1"
    ":use_sigaltstack=0"
    # GCC keeps its copies of stack frames at multiples of 32 bytes, and vectors of AVX-512 need 64.
    ":detect_stack_use_after_return=0",
    "UBSAN_OPTIONS": "print_stacktrace=1:halt_on_error=1",
    "PYTHONMALLOC": "malloc",
}
# Other people's modules have not been compiled for it. A report ends the process.
TSAN_ENV = {"TSAN_OPTIONS": "ignore_noninstrumented_modules=1:halt_on_error=1:exitcode=66"}

BUILDS = {
    "gcc12": Build("g++-12"),
    "gcc14": Build("g++-14"),
    "clang14": Build("clang++-14", settings=(NO_OPENMP,)),  # Debian has one libomp at a time
    "clang": Build("clang++-19"),
    "openmp-off": Build(settings=(NO_OPENMP, BASELINE_ONLY)),
    "python3.11": Build(python="python3.11"),
    "python3.13": Build(python="python3.13"),
    "numpy2.0": Build(python="python3.11", numpy="numpy==2.0.*"),
    "python3.14t": Build(python="python3.14t", env={"PYTHON_GIL": "0"}),
    "asan": Build(
        flags="-O1 -fno-omit-frame-pointer -fsanitize=address,undefined -fno-sanitize=vptr"
        " -fno-sanitize-recover=undefined",
        settings=LINES,
        sanitizer="asan",
        env=ASAN_ENV,
    ),
    # Threads of our own, which the sanitizer sees: it knows nothing of an OpenMP runtime's.
    "tsan": Build(
        "clang++-19",
        flags="-O1 -fno-omit-frame-pointer -fsanitize=thread -shared-libsan",
        settings=(*LINES, NO_OPENMP, BASELINE_ONLY),
        sanitizer="tsan",
        env=TSAN_ENV,
    ),
}


def run(command: Sequence[str | Path], env: Mapping[str, str] | None = None) -> None:
    """Run a command to its good end."""
    words = [str(word) for word in command]
    print("+", " ".join(words), flush=True)
    subprocess.run(words, cwd=ROOT, env={**os.environ, **(env or {})}, check=True)


def path_of(library: str, compiler: str) -> str:
    """Where a compiler finds a library; its bare name where it does not."""
    words = [compiler, f"-print-file-name={library}"]
    return subprocess.check_output(words, text=True).strip()


def libraries(build: Build) -> list[str]:
    """What has to be loaded before Python: paths, or the bare name of what is not there."""
    if not build.sanitizer:
        return []
    clang = "clang" in build.compiler
    runtime = f"libclang_rt.{build.sanitizer}-{os.uname().machine}.so" if clang else None
    # The C++ library as well, or the sanitizer does not find what throws.
    names = [runtime or f"lib{build.sanitizer}.so", "libstdc++.so.6"]
    return [path_of(name, build.compiler) for name in names]


def lacks(build: Build) -> str:
    """What the build needs and this machine lacks; nothing where it can be made."""
    if shutil.which(build.compiler) is None:
        return f"no {build.compiler}"
    needed = libraries(build)
    if "clang" in build.compiler and NO_OPENMP not in build.settings:
        needed.append(path_of("libomp.so", build.compiler))
    absent = [name for name in needed if not Path(name).is_absolute()]
    if absent:
        return f"no {absent[0]} of {build.compiler}"
    python = shutil.which(build.python or sys.executable) or "false"
    done = subprocess.run([python, "-c", READY], stderr=subprocess.DEVNULL, check=False)
    return (
        f"no {build.python or sys.executable} with ensurepip and headers" if done.returncode else ""
    )


def interpreter(build: Build, folder: Path) -> str:
    """The Python of a build, with what building and the tests need."""
    python, install = Path(sys.executable), ["-m", "pip", "install", "--quiet"]
    if build.python:
        python = folder / "venv" / "bin" / "python"
        if not python.exists():
            run([build.python, "-m", "venv", folder / "venv"])
            run([python, *install, "--upgrade", "pip>=25.1"])
        run([python, *install, "--group", "test", build.numpy, "safetensors"])
    # Not in a folder that pip makes for each build, or the bindings are compiled anew every time.
    run([python, *install, "--require-hashes", "-r", ROOT / "constraints" / "build.txt"])
    return str(python)


def make(name: str, arguments: Sequence[str]) -> None:
    """Build, run the self-test, then pytest with these arguments, if there are any."""
    build, folder = BUILDS[name], ROOT / "build" / name
    python = interpreter(build, folder)
    site = folder / "site"
    shutil.rmtree(site, ignore_errors=True)
    words = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps"]
    words += ["--no-build-isolation", "--target", site]
    words += [f"-Cbuild-dir={folder / 'cmake'}", "-Cinstall.strip=false"]
    words += [f"-Ccmake.define.{setting}" for setting in (*SETTINGS, *build.settings)]
    run([*words, "."], {"CXX": build.compiler, "CXXFLAGS": build.flags})
    selftest = folder / "cmake" / "cpp" / "fastrnn_selftest"
    first = libraries(build)
    env = dict(build.env)
    if first:  # a sanitizer's own, which is found beside its compiler alone
        env["LD_LIBRARY_PATH"] = str(Path(first[0]).parent)
    run([selftest], env)
    if build.sanitizer == "tsan":
        find_planted_race(selftest, env)
    if arguments:
        env |= {"PYTHONPATH": str(site), "PYTHONDONTWRITEBYTECODE": "1"}
        env |= {"LD_PRELOAD": " ".join(first)} if first else {}
        run([python, "-c", WHICH, site], env)
        run([python, "-m", "pytest", "-q", "-p", "no:cacheprovider", *arguments], env)


def find_planted_race(selftest: Path, env: Mapping[str, str]) -> None:
    """A detector that finds nothing may be one that does not look."""
    words = [str(selftest), "--planted-race"]
    done = subprocess.run(
        words, env={**os.environ, **env}, capture_output=True, text=True, check=False
    )
    if done.returncode == 0 or "WARNING: ThreadSanitizer: data race" not in done.stderr:
        sys.exit(f"builds: the planted race was not found\n{done.stdout}{done.stderr}")
    print("the planted race was found", flush=True)


def main(arguments: Sequence[str]) -> int:
    """Make the builds that are named, one after the other, and say how each one went."""
    words = list(arguments)
    asked = words[:1] == ["--lacks"]
    cut = words.index("--") if "--" in words else len(words)
    names, tests = words[asked:cut], words[cut + 1 :]
    if not names or not set(names) <= set(BUILDS):
        print(f"builds: name some of {', '.join(BUILDS)}", file=sys.stderr)
        return 2
    if asked:
        print(*filter(None, (lacks(BUILDS[name]) for name in names)), sep=", ", end="")
        return 0
    results = {}
    for name in names:
        start, lack = time.monotonic(), lacks(BUILDS[name])
        try:
            if not lack:
                make(name, tests)
            results[name] = f"SKIPPED: {lack}" if lack else "ok"
        except subprocess.CalledProcessError as error:
            results[name] = f"FAILED: {error.cmd[0]} ended with {error.returncode}"
        results[name] += f" ({time.monotonic() - start:.0f} s)"
    skips = sum("SKIPPED" in result for result in results.values())
    for name, result in results.items():
        print(f"{name:12} {result}")
    print(f"{len(results)} builds, {skips} skipped")
    failed = any("FAILED" in result for result in results.values())
    return int(failed or skips == len(results))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
