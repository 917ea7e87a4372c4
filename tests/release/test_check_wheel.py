"""Why: nobody looks into a wheel before a user has it; a program does, and must see each fault."""

import json
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers.processes import TIMEOUT

import fastrnn._core

check_wheel = pytest.importorskip("tools.check_wheel", reason="pyelftools is missing")
pytestmark = pytest.mark.check(40)

INFO = "fastrnn-0.1.0.dist-info"
PYBIND11 = {"type": "library", "name": "pybind11", "version": "3", "purl": "pkg:pypi/pybind11@3"}
LIBGOMP = {"type": "library", "name": "libgomp1", "version": "14", "purl": "pkg:deb/libgomp1@14"}


def bill(*components: dict[str, str]) -> str:
    return json.dumps(
        {"bomFormat": "CycloneDX", "specVersion": "1.6", "components": list(components)}
    )


def good() -> dict[str, Any]:
    """The files of a wheel that passes, with the module that is installed here."""
    return {
        "fastrnn/__init__.py": "",
        "fastrnn/_core.pyi": "",
        "fastrnn/py.typed": "",
        "fastrnn/_core.cpython-311-x86_64-linux-gnu.so": Path(fastrnn._core.__file__).read_bytes(),
        "fastrnn.libs/libgomp-0cc56526.so.1.0.0": b"\x7fELF",
        f"{INFO}/sboms/fastrnn.cdx.json": bill(PYBIND11),
        f"{INFO}/sboms/auditwheel.cdx.json": bill(LIBGOMP),
    }


def problems(files: dict[str, Any], folder: Path) -> list[str]:
    path = folder / "fastrnn-0.1.0-cp311-cp311-manylinux_2_28_x86_64.whl"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    found: list[str] = check_wheel.check(path)
    return found


def test_the_installed_module_is_linked_as_a_release_is(tmp_path: Path) -> None:
    found = problems(good(), tmp_path)
    # An editable install keeps its symbols; of a wheel `make wheel` sees to that.
    assert not [what for what in found if not what.endswith("is not stripped")]


@pytest.mark.parametrize(
    ("name", "content", "what"),
    [
        ("fastrnn/py.typed", None, "fastrnn/py.typed is missing"),
        ("fastrnn/notes.txt", "", "fastrnn/notes.txt does not belong there"),
        ("fastrnn/more.so", b"\x7fELF", "one extension module is wanted"),
        (f"{INFO}/sboms/fastrnn.cdx.json", None, "names pybind11"),
        (f"{INFO}/sboms/fastrnn.cdx.json", "{}", "is no CycloneDX"),
        (f"{INFO}/sboms/fastrnn.cdx.json", bill(PYBIND11 | {"version": ""}), "lacks ['version']"),
        (f"{INFO}/sboms/auditwheel.cdx.json", None, "libgomp-0cc56526.so.1.0.0 is in no bill"),
        ("fastrnn/_pages.py", np.random.default_rng(0).bytes(3 * 2**20), "bytes are more than"),
    ],
)
def test_each_fault_is_seen(name: str, content: Any, what: str, tmp_path: Path) -> None:
    files = good() | {name: content}
    if name == "fastrnn/more.so":
        files["fastrnn/more.so"] = files["fastrnn/_core.cpython-311-x86_64-linux-gnu.so"]
    found = problems({n: c for n, c in files.items() if c is not None}, tmp_path)
    assert any(what in problem for problem in found), found


SOUND = ["-Wl,-z,relro,-z,now,-z,noexecstack", "-Wl,-s", "-fstack-protector-all"]
# What must be seen, and the flag that takes it back.
FAULTS = {
    "exports ['PyInit__core', 'spare'], wanted PyInit__core alone": ["-DSPARE=spare"],
    "is not stripped": ["-Wl,-S"],
    "is not linked with -z now": ["-Wl,-z,lazy"],
    "has no RELRO segment": ["-Wl,-z,norelro"],
    "has an executable stack": ["-Wl,-z,execstack"],
    "has no stack protector": ["-fno-stack-protector"],
    "searches libraries in ['/opt/lib']": ["-Wl,-rpath,/opt/lib"],
}
MODULE = """
void fill(char *);
int PyInit__core(void) { char text[64]; fill(text); return text[0]; }
#ifdef SPARE
int SPARE(void) { return 1; }
#endif
"""


@pytest.mark.skipif(not shutil.which("cc") or sys.platform != "linux", reason="no cc, or no ELF")
@pytest.mark.parametrize("what", ["", *FAULTS])
def test_each_flag_that_is_taken_back_is_seen(what: str, tmp_path: Path) -> None:
    (tmp_path / "core.c").write_text(MODULE)
    words = ["cc", "-shared", "-fPIC", "-o", "core.so", "core.c", *SOUND, *FAULTS.get(what, [])]
    subprocess.run(words, cwd=tmp_path, check=True, timeout=TIMEOUT)
    found = check_wheel.check_module((tmp_path / "core.so").read_bytes())
    assert found == ([what] if what else [])
