"""Why: who installs from source on a bare machine must read what to install, not what was tried."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest
from helpers.processes import TIMEOUT

ROOT = Path(__file__).parents[2]


@pytest.mark.skipif(shutil.which("cmake") is None, reason="cmake is not installed")
@pytest.mark.skipif(shutil.which("ninja") is None, reason="ninja is not installed")
@pytest.mark.skipif(not (ROOT / "CMakeLists.txt").exists(), reason="no sources beside the tests")
def test_a_missing_compiler_is_one_sentence(tmp_path: Path) -> None:
    done = subprocess.run(
        ["cmake", "-S", str(ROOT), "-B", str(tmp_path), "-G", "Ninja", "-DFASTRNN_PYTHON=OFF"],
        env=os.environ | {"CXX": "/no/such/compiler", "CMAKE_CXX_COMPILER_LAUNCHER": ""},
        capture_output=True, text=True, timeout=TIMEOUT, check=False,
    )  # fmt: skip
    assert done.returncode == 1
    said = " ".join(done.stderr.split())
    assert "found no compiler: install GCC 11 or Clang 14, or newer (apt-get install g++" in said
