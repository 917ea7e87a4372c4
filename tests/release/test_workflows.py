"""Why: an action that moves, or a token that may do more than it must, can put anything into a
release. `make lint` reads the workflows with other programs; here is what is ours to promise.
"""

import re
import tomllib
from pathlib import Path

import pytest

import fastrnn

ROOT = Path(__file__).parents[2]
FILES = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
pytestmark = [
    pytest.mark.check(40),
    pytest.mark.skipif(not FILES, reason="the source tree is not here"),
]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
PYTHONS = ["3.11", "3.12", "3.13", "3.14"]


def text(name: str) -> str:
    return (ROOT / ".github" / "workflows" / name).read_text("utf-8")


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_every_action_is_a_commit_and_says_its_version(path: Path) -> None:
    uses = re.findall(r"uses: (.*)", path.read_text("utf-8"))
    assert uses
    for action in uses:
        assert re.fullmatch(r"[\w.-]+/[\w.-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+", action), action


def test_one_action_has_one_commit() -> None:
    pairs = {
        tuple(use) for path in FILES for use in re.findall(r"uses: (.*)@(\w+)", path.read_text())
    }
    assert len({name for name, _ in pairs}) == len(pairs)


def test_only_what_publishes_may_write() -> None:
    assert "write" not in text("ci.yml")
    build, publish = text("release.yml").split("\n  publish:\n")
    assert "write" not in build
    assert set(re.findall(r"([\w-]+): write", publish)) == {"id-token", "attestations"}
    assert "secrets." not in build + publish
    assert "environment: pypi" in publish


def test_every_supported_python_and_processor_gets_a_wheel() -> None:
    minor = [f"cp{python.replace('.', '')}-*" for python in PYTHONS]
    assert PROJECT["tool"]["cibuildwheel"]["build"].split() == minor
    named = [c for c in PROJECT["project"]["classifiers"] if re.search(r":: 3\.\d+$", c)]
    assert [c.rpartition(" ")[2] for c in named] == PYTHONS
    assert f"python: {PYTHONS}".replace("'", '"') in text("ci.yml")
    for arch in ("x86_64", "aarch64"):
        assert f"arch: {arch}" in text("release.yml")


def test_the_version_stands_in_both_places() -> None:
    assert PROJECT["project"]["version"] == fastrnn.__version__


def test_addresses_are_given_and_placeholders_are_not_published() -> None:
    urls = PROJECT["project"]["urls"]
    assert {"Homepage", "Documentation", "Source", "Issues", "Changelog"} <= set(urls)
    assert all(re.fullmatch(r"https://[a-z.]+(/\S*)?", url) for url in urls.values())
    pattern = r"://[a-z.]*\.example"
    assert f"grep -q '{pattern}' pyproject.toml" in text("release.yml")
    placeholders = [url for url in urls.values() if re.search(pattern, url)]
    assert placeholders in ([], list(urls.values()))
