"""Why: one instruction that a processor lacks ends the process. The package runs on emulated
processors without AVX and without AVX-512, says there what it uses, and no file but those of an
instruction set holds its instructions.
"""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from helpers import source
from helpers.processes import environment, output_of

from fastrnn import _core

pytestmark = [
    pytest.mark.check(26),
    pytest.mark.skipif("avx2" not in _core.build_info()["built isas"], reason="not an x86-64"),
]

EMULATOR = shutil.which("qemu-x86_64")
RUNS = {"Nehalem": ["baseline"], "Haswell": ["baseline", "avx2"]}


@pytest.mark.skipif(EMULATOR is None, reason="no qemu-x86_64")
@pytest.mark.parametrize("processor", RUNS)
def test_an_older_processor_runs_what_it_can(processor: str) -> None:
    assert EMULATOR is not None
    prefix = (EMULATOR, "-cpu", processor)
    code = "import fastrnn; print(fastrnn.isa(), *fastrnn.available_isas())"
    runs = RUNS[processor]
    assert output_of(code, prefix=prefix, timeout=1800).split() == [runs[-1], *runs]
    tests = Path(__file__).with_name("test_minimal.py")
    words = ["-m", "pytest", "-q", "-p", "no:cacheprovider", "-o", "addopts=", str(tests)]
    done = subprocess.run(
        [*prefix, sys.executable, *words],
        env=environment(), capture_output=True, text=True, timeout=3600, check=False,
    )  # fmt: skip
    assert done.returncode == 0, f"exit code {done.returncode}\n{done.stdout}\n{done.stderr}"
    passed = re.search(r"(\d+) passed", done.stdout)
    assert passed is not None
    assert int(passed[1]) >= 18


def objects() -> list[Path]:
    """The object files of all builds on this machine for its own kind of processor."""
    found = source.ROOT.glob("build/**/fastrnn_core.dir/**/*.o")
    return [path for path in found if "aarch64" not in path.parts]


def test_no_wide_instruction_outside_of_its_own_files() -> None:
    if shutil.which("objdump") is None or not objects():
        pytest.skip("no objdump, or no build tree here")
    seen = 0
    for path in objects():
        done = subprocess.run(
            ["objdump", "-d", "--no-show-raw-insn", str(path)],
            capture_output=True, text=True, check=True,
        )  # fmt: skip
        wide = set(re.findall(r"%([yz])mm", done.stdout))
        isa = path.name.partition("_")[0].partition(".")[0] if path.parent.name == "isa" else ""
        allowed = {"avx2": {"y"}, "avx512": {"y", "z"}}.get(isa, set())
        assert wide <= allowed, f"{path} uses {wide}"
        seen += isa == "avx2" and wide == {"y"}
    assert seen, "no object of AVX2 has an instruction of it: is this the right folder?"
