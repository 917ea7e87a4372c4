"""Fixtures of all tests: instruction set, dtype, backend, generator; seeds, skips, the long tier.

`pytest` runs the quick sizes; `pytest --long` adds the tests under tests/long and widens the
others, which ask the `long`, `count` or `seeds` fixture. `FASTRNN_ISA` in the environment narrows
the `isa` fixture to that one, so that a run can be pinned to an instruction set.
"""

import signal
import zlib
from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from typing import Any

import checks
import luck
import numpy as np
import pytest
import skips

TESTS = Path(__file__).parent
luck.install()

try:
    import hypothesis
except ImportError:  # tests/test_minimal.py proves a wheel where there is only pytest
    pass
else:
    # The same examples in every run: a failure must not depend on the day.
    hypothesis.settings.register_profile(
        "fastrnn", derandomize=True, deadline=None, database=None, print_blob=False
    )
    hypothesis.settings.load_profile("fastrnn")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--long", action="store_true", help="run the long tier as well")
    checks.add_options(parser)
    skips.add_options(parser)


def _heed_signals() -> None:
    """Undo what nohup or a shell's & left ignored: programs that tests start would inherit it."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    if hasattr(signal, "SIGHUP"):
        signal.signal(signal.SIGHUP, signal.SIG_DFL)


def pytest_configure(config: pytest.Config) -> None:
    _heed_signals()
    config.pluginmanager.register(skips.Skips(config), "skips")
    path = config.getoption("--scorecard")
    if path is not None:
        tier = "full" if config.getoption("--long") else "quick"
        config.pluginmanager.register(checks.Recorder(path, tier))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, Any, Any]:
    report = yield
    if report.failed and "seeds" in getattr(item, "fixturenames", ()):
        words = f"some are those of --commit {checks.commit_of(item.config)}"
        report.sections.append(("seeds", words))
    return report


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    is_long = TESTS / "long" in (collection_path, *collection_path.parents)
    return True if is_long and not config.getoption("--long") else None


def pytest_collectstart(collector: pytest.Collector) -> None:
    luck.start(collector.nodeid)


def pytest_fixture_setup(fixturedef: pytest.FixtureDef[object]) -> None:
    if fixturedef.scope != "function":  # made for whichever test comes first
        luck.start(f"{fixturedef.baseid}::{fixturedef.argname}")


@pytest.fixture(autouse=True)
def _no_luck(request: pytest.FixtureRequest) -> Iterator[None]:
    """Nothing that this test draws or finds switched depends on the tests before it."""
    luck.start(request.node.nodeid)
    before = luck.switches()
    yield
    luck.put_back(before)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "isa" in metafunc.fixturenames:
        from helpers.runners import isas_under_test

        each = [pytest.param(isa, marks=pytest.mark.every_isa) for isa in isas_under_test()]
        metafunc.parametrize("isa", each, indirect=True)


@pytest.fixture(scope="session")
def long(request: pytest.FixtureRequest) -> bool:
    """Whether the long tier was asked for."""
    return bool(request.config.getoption("--long"))


@pytest.fixture
def count(request: pytest.FixtureRequest, long: bool) -> int:
    """How many cases the test's check asks for in this tier."""
    return checks.cases(list(request.node.iter_markers("check")), long)


@pytest.fixture
def seeds(request: pytest.FixtureRequest, long: bool, count: int) -> list[int]:
    """The same number of seeds, and in the quick tier a tenth that the commit draws."""
    drawn = [] if long else checks.drawn_seeds(checks.commit_of(request.config), count)
    return [*range(count), *drawn]


@pytest.fixture
def tally(record_property: Callable[[str, object], None]) -> Callable[[int], None]:
    """Says how many cases a test has had, where no mark can know."""
    return lambda cases: record_property("cases", cases)


@pytest.fixture
def isa(request: pytest.FixtureRequest) -> Iterator[str]:
    """Each instruction set of this machine, active, and proven to be the one that runs."""
    from helpers.runners import forced_isa

    with forced_isa(request.param):
        yield request.param


@pytest.fixture(params=[np.float32, np.float64], ids=["float32", "float64"])
def dtype(request: pytest.FixtureRequest) -> np.dtype:
    """Either precision."""
    return np.dtype(request.param)


@pytest.fixture(params=["core", "reference"])
def backend(request: pytest.FixtureRequest) -> Iterator[str]:
    """Either backend, in use for the test."""
    import fastrnn

    with fastrnn.use_backend(request.param):
        yield request.param


@pytest.fixture
def rng(request: pytest.FixtureRequest) -> np.random.Generator:
    """A generator that depends on the test's id alone."""
    return np.random.default_rng(zlib.crc32(request.node.nodeid.encode()))
