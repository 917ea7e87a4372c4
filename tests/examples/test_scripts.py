"""Why: an experiment is for taking away. A script that reaches into the package's own parts, or
that runs from a checkout only, cannot be.
"""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from helpers.processes import TIMEOUT
from helpers.source import ROOT, files, python_imports

import fastrnn

EXAMPLES = ROOT / "examples"
BESIDE = {path.stem for path in EXAMPLES.glob("*.py")} | {"toys"}
NEEDED = {"numpy", "autograd", "matplotlib", "typer", "torch", "fastrnn"}


@pytest.mark.parametrize("path", files(EXAMPLES, ".py"), ids=lambda path: path.stem)
def test_scripts_import_fastrnn_and_what_stands_beside_them(path: Path) -> None:
    for _, name in python_imports(path):
        top, _, rest = name.partition(".")
        assert top in NEEDED | BESIDE | set(sys.stdlib_module_names), f"{path.name}: {name}"
        if top == "fastrnn":
            assert not any(part.startswith("_") for part in rest.split(".")), f"{path.name}: {name}"
            assert rest.partition(".")[0] != "cli", f"{path.name}: {name}"


def test_a_copied_folder_runs(tmp_path: Path) -> None:
    """Its own files, too: what is changed in the copy takes effect."""
    shutil.copytree(EXAMPLES, tmp_path / "mine")
    helpers = tmp_path / "mine" / "_script.py"
    helpers.write_text(helpers.read_text("utf-8").replace("picture: ", "my picture: "), "utf-8")
    done = subprocess.run(
        [sys.executable, "mine/vanishing_gradient.py", "--quick", "--plot", "out"],
        check=False, cwd=tmp_path, capture_output=True, text=True, timeout=TIMEOUT,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    assert "my picture: out/vanishing_gradient.png" in done.stdout.replace("\\", "/")


def test_toys_are_no_part_of_the_package() -> None:
    modules = {path.stem for path in (EXAMPLES / "toys").glob("[a-z]*.py")}
    assert len(modules) > 5
    assert not modules & {path.stem for path in (Path(fastrnn.__file__).parent / "data").glob("*")}
