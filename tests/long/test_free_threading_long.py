"""Why: without a GIL every call may meet every other. The tests of core, layers and threads pass in
such a Python, if there is one: python3.14t, or the one that FASTRNN_FREE_THREADED names.
"""

import os
import shutil
import subprocess
from pathlib import Path

import pytest
from helpers.source import ROOT

PYTHON = os.environ.get("FASTRNN_FREE_THREADED") or shutil.which("python3.14t")
NEEDED = ("pytest>=9", "hypothesis", "threadpoolctl", "autograd", "safetensors", "onnx")


@pytest.mark.check(24)
@pytest.mark.skipif(PYTHON is None, reason="no python3.14t here, or FASTRNN_FREE_THREADED")
def test_the_tests_pass_without_a_gil(tmp_path: Path) -> None:
    subprocess.run([str(PYTHON), "-m", "venv", str(tmp_path)], check=True, timeout=300)
    python = str(tmp_path / "bin" / "python")
    words = [python, "-m", "pip", "install", "--quiet", str(ROOT), *NEEDED]
    subprocess.run(words, check=True, timeout=3600)
    folders = [str(ROOT / "tests" / name) for name in ("core", "python", "concurrency")]
    words = [python, "-m", "pytest", "-q", "-p", "no:cacheprovider", *folders]
    env = {**os.environ, "PYTHON_GIL": "0"}
    subprocess.run(words, cwd=ROOT, env=env, check=True, timeout=7200)
