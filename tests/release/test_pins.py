"""Why: a package that is replaced on its way must not get into a wheel, so CI builds with the very
files whose hashes are written down, and the list has to have everything that a build asks for.
"""

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.version import Version

ROOT = Path(__file__).parents[2]
pytestmark = [
    pytest.mark.check(40),
    pytest.mark.skipif(not (ROOT / "constraints").is_dir(), reason="the source tree is not here"),
]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))


def pins(name: str) -> dict[str, tuple[Version, list[str]]]:
    """The packages of a list, each with its version and its hashes."""
    text = (ROOT / "constraints" / f"{name}.txt").read_text("utf-8")
    text = re.sub(r"^#.*\n", "", text, flags=re.MULTILINE).replace("\\\n", " ")
    found = {}
    for line in text.splitlines():
        requirement, _, hashes = line.partition(" --hash=")
        package = Requirement(requirement.strip())
        (pin,) = package.specifier
        assert pin.operator == "==", line
        found[package.name] = Version(pin.version), [h.strip() for h in hashes.split("--hash=")]
    return found


def group(name: str) -> list[Requirement]:
    """A dependency group with those that it includes."""
    found: list[Requirement] = []
    entry: Any
    for entry in PROJECT["dependency-groups"][name]:
        more = group(entry["include-group"]) if isinstance(entry, dict) else [Requirement(entry)]
        found += more
    return found


@pytest.mark.parametrize("name", ["build", "wheel"])
def test_all_that_a_build_asks_for_is_pinned_with_hashes(name: str) -> None:
    kept = pins(name)
    wanted = [*group(name), *map(Requirement, PROJECT["build-system"]["requires"])]
    assert len(wanted) >= 4
    for requirement in wanted:
        assert requirement.name in kept, f"{requirement}: make pins"
        assert kept[requirement.name][0] in requirement.specifier, f"{requirement}: make pins"
    for package, (_, hashes) in kept.items():
        assert hashes, package
        assert all(re.fullmatch(r"sha256:[0-9a-f]{64}", one) for one in hashes), package


def test_both_lists_agree_and_name_no_host() -> None:
    build, wheel = pins("build"), pins("wheel")
    assert build.items() <= wheel.items()
    for path in (ROOT / "constraints").iterdir():
        assert "//" not in path.read_text("utf-8"), path.name


def test_wheels_are_built_with_them() -> None:
    """By `make wheel`, by the installation that the tests run on, and on every other platform."""
    makefile = (ROOT / "Makefile").read_text("utf-8")
    assert "--require-hashes -r constraints/wheel.txt" in makefile
    assert "--build-constraint constraints/build.txt ." in makefile
    other = PROJECT["tool"]["cibuildwheel"]
    assert "--require-hashes -r {package}/constraints/build.txt" in other["before-build"]
    assert other["build-frontend"]["args"] == ["--no-isolation"]
