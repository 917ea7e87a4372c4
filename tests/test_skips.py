"""Why: a test that is skipped proves nothing, and a suite in which nobody counts them shrinks."""

import subprocess
import sys
from pathlib import Path

import pytest
import skips
from helpers.processes import TIMEOUT, environment
from skips import KNOWN, Known, complaints, read_known

HERE = Path(__file__).parent

CONFTEST = """
import pathlib, skips
skips.KNOWN = pathlib.Path("skips.toml")
def pytest_addoption(parser):
    skips.add_options(parser)
def pytest_configure(config):
    config.pluginmanager.register(skips.Skips(config))
"""
TESTS = """
import pytest
def test_runs(): pass
@pytest.mark.parametrize("n", [1, 2])
def test_skips(n): pytest.skip("no judge") if n == 2 else None
def test_always_skips(): pytest.skip("no machine")
"""
FILE = 'import pytest\npytest.importorskip("no_such_judge", reason="no judge")\n'
ALWAYS = '[[skip]]\ntest = "test_a.py::test_always_skips"\nreason = "no such machine"\n'
REST = '[[skip]]\ntest = "test_a.py::test_skips"\nreason = "x"\n'
WHOLE_FILE = '[[skip]]\ntest = "test_b.py"\nreason = "x"\n'


def run(folder: Path, *options: str, known: str = ALWAYS) -> subprocess.CompletedProcess[str]:
    """A suite of four tests and a file that is skipped, in a process of its own."""
    for name, text in {
        "conftest.py": CONFTEST,
        "test_a.py": TESTS,
        "test_b.py": FILE,
        "skips.toml": known,
        "pytest.ini": "[pytest]\n",
    }.items():
        (folder / name).write_text(text)
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-p", "no:randomly", *options],
        cwd=folder,
        env=environment({"PYTHONPATH": str(HERE), "PYTEST_ADDOPTS": None}),
        capture_output=True,
        text=True,
        timeout=TIMEOUT,
        check=False,
    )


def test_what_ran_is_written_and_left_out(tmp_path: Path) -> None:
    assert run(tmp_path, "--record-ran", "deep/ran.txt").returncode == 0
    ran = (tmp_path / "deep/ran.txt").read_text().split()
    assert ran == ["test_a.py::test_runs", "test_a.py::test_skips[1]"]
    out = run(tmp_path, "--leave-out", "deep/ran.txt").stdout
    assert "3 skipped, 2 deselected" in out


def test_a_skip_that_is_not_on_the_list_fails_the_run(tmp_path: Path) -> None:
    done = run(tmp_path, "--only-known-skips")
    assert done.returncode == 1
    assert "test_a.py::test_skips[2] is skipped (no judge) and" in done.stdout
    assert "test_b.py is skipped (no judge) and" in done.stdout
    assert "test_always_skips is" not in done.stdout
    assert run(tmp_path, "--only-known-skips", known=ALWAYS + REST + WHOLE_FILE).returncode == 0


def test_a_line_of_the_list_that_nothing_needs_fails_the_run(tmp_path: Path) -> None:
    gone = '[[skip]]\ntest = "test_a.py::test_runs"\nreason = "x"\n'
    known = ALWAYS + REST + WHOLE_FILE + gone
    done = run(tmp_path, "--only-known-skips", known=known)
    assert done.returncode == 1
    assert "test_a.py::test_runs is in tests/skips.toml and was not skipped" in done.stdout
    assert run(tmp_path, "--only-known-skips", known=known + "sometimes = true\n").returncode == 0


def test_a_line_covers_a_test_its_cases_and_a_file() -> None:
    line = Known("tests/a.py::test_x", "x")
    assert [complaints([line], {name: "y"}) != [] for name in (
        "tests/a.py::test_x", "tests/a.py::test_x[1]", "tests/a.py::test_xy", "tests/a.py",
    )] == [False, False, True, True]  # fmt: skip
    assert not complaints([Known("tests/a.py", "x")], {"tests/a.py::test_x": "y"})


def test_the_list_names_tests_that_there_are() -> None:
    for line in read_known(KNOWN):
        path, _, function = line.test.partition("::")
        assert f"def {function.partition('[')[0]}(" in (HERE.parent / path).read_text(), line


def test_a_line_needs_a_reason(tmp_path: Path) -> None:
    path = tmp_path / "skips.toml"
    path.write_text('[[skip]]\ntest = "x"\nreason = " "\n')
    with pytest.raises(AssertionError, match="without a reason"):
        skips.read_known(path)
