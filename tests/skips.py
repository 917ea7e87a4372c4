"""Which tests a run leaves out: no test may be skipped unless tests/skips.toml says why.

`--record-ran FILE` writes down the tests that ran. `--leave-out FILE` runs only the others, so that
an environment with the judges (PyTorch, ONNX Runtime, Keras, gensim, MPI) runs what one without
them had to skip. `--only-known-skips` fails for a skip that tests/skips.toml does not name, and for
a line there whose test was not skipped.
"""

import tomllib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import pytest

KNOWN = Path(__file__).parent / "skips.toml"


@dataclass(frozen=True)
class Known:
    """One line of tests/skips.toml: a test or a file of tests that may be skipped, and why."""

    test: str
    reason: str
    sometimes: bool = False  # some machines can run it

    def covers(self, nodeid: str) -> bool:
        return nodeid == self.test or nodeid.startswith((self.test + "[", self.test + "::"))


def read_known(path: Path) -> list[Known]:
    """The lines of tests/skips.toml, each with its reason."""
    known = [Known(**line) for line in tomllib.loads(path.read_text()).get("skip", [])]
    assert all(line.reason.strip() for line in known), "a skip without a reason"
    return known


def complaints(known: Iterable[Known], skipped: dict[str, str]) -> list[str]:
    """What is wrong: skips that nobody explained, and explanations that nothing needs."""
    known = list(known)
    unknown = [
        f"{nodeid} is skipped ({reason}) and tests/skips.toml does not say why"
        for nodeid, reason in skipped.items()
        if not any(line.covers(nodeid) for line in known)
    ]
    needless = [
        f"{line.test} is in tests/skips.toml and was not skipped"
        for line in known
        if not line.sometimes and not any(line.covers(nodeid) for nodeid in skipped)
    ]
    return unknown + needless


def reason(report: pytest.CollectReport | pytest.TestReport) -> str:
    """What a skipped test says of it."""
    why = report.longrepr
    return (why[2] if isinstance(why, tuple) else str(why)).removeprefix("Skipped: ")


class Skips:
    """A plugin of pytest that keeps account of what ran and what was skipped."""

    def __init__(self, config: pytest.Config) -> None:
        self._record, self._leave_out = config.option.record_ran, config.option.leave_out
        self._known = read_known(KNOWN) if config.option.only_known_skips else None
        self._ran: set[str] = set()
        self._skipped: dict[str, str] = {}
        self._complaints: list[str] = []

    def pytest_collection_modifyitems(
        self, config: pytest.Config, items: list[pytest.Item]
    ) -> None:
        if self._leave_out is None:
            return
        ran = set(self._leave_out.read_text().splitlines())
        config.hook.pytest_deselected(items=[item for item in items if item.nodeid in ran])
        items[:] = [item for item in items if item.nodeid not in ran]

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        self._note(report)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        self._note(report)
        if report.when == "call" and not report.skipped:
            self._ran.add(report.nodeid)

    def _note(self, report: pytest.CollectReport | pytest.TestReport) -> None:
        if report.skipped:
            self._skipped[report.nodeid] = reason(report)

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self, session: pytest.Session, exitstatus: int) -> None:
        if self._record is not None:
            self._record.parent.mkdir(parents=True, exist_ok=True)
            self._record.write_text("".join(f"{nodeid}\n" for nodeid in sorted(self._ran)))
        if self._known is not None:
            self._complaints = complaints(self._known, self._skipped)
            if self._complaints and exitstatus == pytest.ExitCode.OK:
                session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        if self._complaints:
            terminalreporter.section("skips", red=True)
        for complaint in self._complaints:
            terminalreporter.line(complaint)


def add_options(parser: pytest.Parser) -> None:
    """The three options, for tests/conftest.py."""
    group = parser.getgroup("skips")
    group.addoption("--record-ran", type=Path, metavar="FILE", help="write the tests that ran")
    group.addoption("--leave-out", type=Path, metavar="FILE", help="run only the other tests")
    group.addoption(
        "--only-known-skips", action="store_true", help="hold the skips to tests/skips.toml"
    )
