"""Fixtures of all tests: instruction set, dtype, backend, generator; and the long tier.

`pytest` runs the quick sizes; `pytest --long` adds the tests under tests/long and widens the
others, which ask the `long` fixture. `FASTRNN_ISA` in the environment narrows the `isa` fixture
to that one, so that a run can be pinned to an instruction set.
"""

import zlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

TESTS = Path(__file__).parent

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


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    is_long = TESTS / "long" in (collection_path, *collection_path.parents)
    return True if is_long and not config.getoption("--long") else None


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "isa" in metafunc.fixturenames:
        from runners import isas_under_test

        metafunc.parametrize("isa", isas_under_test(), indirect=True)


@pytest.fixture(scope="session")
def long(request: pytest.FixtureRequest) -> bool:
    """Whether the long tier was asked for."""
    return bool(request.config.getoption("--long"))


@pytest.fixture
def isa(request: pytest.FixtureRequest) -> Iterator[str]:
    """Each instruction set of this machine, active, and proven to be the one that runs."""
    from runners import forced_isa

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
