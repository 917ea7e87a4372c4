"""Why: a promise whose test has gone, or was never run, is still read as one. Every check of the
scorecard has tests, and its page says what they said last, which was not that they fail.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import checks
import pytest
from helpers import source
from helpers.processes import TIMEOUT

pytestmark = pytest.mark.skipif(not source.CORE.is_dir(), reason="the source tree is not here")

if source.CORE.is_dir():
    sys.path.insert(0, str(source.ROOT / "tools"))
    import scorecard

AGAIN = "; run `python tools/scorecard.py`, or `make scorecard` for new outcomes"


def test_every_check_has_a_proof_and_every_mark_is_of_one() -> None:
    proved = {number for proof in scorecard.proofs() for number in proof.numbers}
    assert proved == set(scorecard.CHECKS) == set(range(1, 41))


def test_the_page_is_what_the_program_writes() -> None:
    written = scorecard.page(scorecard.read_record(), scorecard.proofs())
    assert scorecard.PAGE.read_text() == written, f"{scorecard.PAGE} is old{AGAIN}"


def test_what_fails_is_skipped_or_was_not_run_is_shown_as_such() -> None:
    def row(passed: int, failed: int = 0, skipped: int = 0) -> dict[str, object]:
        told = {"cases": 10 * passed, "passed": passed, "failed": failed, "skipped": skipped}
        return {**told, "seconds": 2, **({"why": "no such machine"} if skipped else {})}

    rows = {"a": row(3), "b": row(2, failed=1), "c": row(0, skipped=2), "d": row(1, skipped=1)}
    checks_of = {"a": (1, 2, 3, 5), "b": (2,), "c": (4, 5), "d": (6,), "e": (3, 7), "f": (1,)}
    proofs = [scorecard.Proof(n, numbers, n == "f") for n, numbers in checks_of.items()]
    page = scorecard.page({"quick": rows}, proofs).splitlines()
    quick = {}
    for line in page:
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if cells[0].isdigit():
            quick[int(cells[0])] = cells[3]
            assert cells[4] == "not run"
    assert [quick[n] for n in range(1, 9)] == [
        "30 cases", "**fails**", "30 cases, in part", "skipped", "30 cases, in part",
        "10 cases, in part", "not run", "not run",
    ]  # fmt: skip
    for told in (
        "| `b` | 1 failed, 20 passed (2 s) | not run |",
        "| `c` | 2 skipped: no such machine (2 s) | not run |",
        "| `e` | not run | not run |",
        "| `f` | — | not run |",
    ):
        assert told in page


def test_no_outcome_is_a_failure() -> None:
    for rows in scorecard.read_record().values():
        for name, row in rows.items():
            assert not row["failed"], f"{name} fails{AGAIN}"


EXAMPLE = """
    import pytest

    @pytest.mark.check(3, quick=20, full=200)
    @pytest.mark.parametrize("k", [0, 1, 2])
    def test_some(k, seeds):
        assert k < 2 and len(seeds) in (20, 22, 200)

    @pytest.mark.check(4)
    def test_one():
        pass

    @pytest.mark.check(5)
    @pytest.mark.parametrize("k", [0, 1])
    def test_other(k):
        if k:
            pytest.skip("no such machine")
"""


@pytest.mark.parametrize(("options", "tier", "drawn"), [
    ((), "quick", None), (("--commit", ""), "quick", 0), (("--long",), "full", 0),
])  # fmt: skip
def test_a_run_is_recorded(
    options: tuple[str, ...], tier: str, drawn: int | None, tmp_path: Path
) -> None:
    folder = source.ROOT / "tests"
    test, record = tmp_path / "test_example.py", tmp_path / "record.json"
    test.write_text("\n".join(line[4:] for line in EXAMPLE.splitlines()))
    words = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--rootdir", tmp_path]
    words += ["--confcutdir", tmp_path, "-c", source.ROOT / "pyproject.toml", "-p", "conftest"]
    env = {**os.environ, "PYTHONPATH": str(folder)}
    words += [f"--scorecard={record}", *options, test]
    done = subprocess.run(
        [str(w) for w in words], env=env, capture_output=True, text=True, timeout=TIMEOUT,
        check=False,
    )
    assert done.returncode == 1, done.stdout + done.stderr
    rows = json.loads(record.read_text())[tier]
    some, one = (rows[f"test_example.py::test_{name}"] for name in ("some", "one"))
    assert (some["passed"], some["failed"]) == (2, 1)
    assert some["cases"] == 2 * (200 if tier == "full" else 20)
    assert (one["passed"], one["failed"], one["cases"]) == (1, 0, 1)
    other = rows["test_example.py::test_other"]
    assert (other["passed"], other["skipped"], other["why"]) == (1, 1, "no such machine")
    commit = checks.head() if drawn is None else ""
    assert f"--commit {commit}" in done.stdout


STOPPED = """
    import pytest

    @pytest.mark.check(3)
    def test_first():
        pass

    @pytest.mark.check(3)
    @pytest.mark.parametrize("k", [0, 1, 2])
    def test_part(k):
        if k == 1:
            raise KeyboardInterrupt
"""


def test_of_a_run_that_was_stopped_only_whole_tests_count(tmp_path: Path) -> None:
    test, record = tmp_path / "test_stopped.py", tmp_path / "record.json"
    test.write_text("\n".join(line[4:] for line in STOPPED.splitlines()))
    words = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:randomly"]
    words += ["--rootdir", tmp_path, "--confcutdir", tmp_path, "-c", source.ROOT / "pyproject.toml"]
    words += ["-p", "conftest", f"--scorecard={record}", test]
    env = {**os.environ, "PYTHONPATH": str(source.ROOT / "tests")}
    done = subprocess.run(
        [str(w) for w in words], env=env, capture_output=True, text=True, timeout=TIMEOUT,
        check=False,
    )  # fmt: skip
    assert done.returncode == 2, done.stdout + done.stderr
    assert list(json.loads(record.read_text())["quick"]) == ["test_stopped.py::test_first"]


def test_seeds_of_a_commit_depend_on_it_alone() -> None:
    once, again, other = (checks.drawn_seeds(commit, 95) for commit in ("a1", "a1", "b2"))
    assert once == again != other
    assert len(once) == 10
    assert min(once) >= checks.DRAWN
    assert checks.drawn_seeds("", 95) == []
