"""Why: who builds a release again must get its bits, or nobody can tell what is in them. `make
reproducible` builds twice; here is what it looks for, and that it finds it.
"""

import io
import tarfile
import zipfile
from pathlib import Path

import pytest

from tools import reproducible

pytestmark = pytest.mark.check(40)


def wheel(path: Path, files: dict[str, str], year: int = 2026, level: int = 9) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=level) as archive:
        for name, content in files.items():
            archive.writestr(zipfile.ZipInfo(name, (year, 1, 1, 0, 0, 0)), content)
    return path


def sdist(path: Path, content: bytes, owner: str = "") -> Path:
    with tarfile.open(path, "w") as archive:
        member = tarfile.TarInfo("fastrnn/a.py")
        member.size, member.uname = len(content), owner
        archive.addfile(member, io.BytesIO(content))
    return path


def test_equal_archives_pass_and_each_difference_is_named(tmp_path: Path) -> None:
    files = {"a.py": "a", "b.py": "b"}
    first = wheel(tmp_path / "first.whl", files)
    other = tmp_path / "second.whl"
    assert reproducible.compare(first, wheel(other, files)) == []
    for second, named in [
        (files | {"b.py": "c"}, "first.whl: b.py"),
        (files | {"c.py": ""}, "first.whl: c.py"),
        (dict(reversed(files.items())), "first.whl: the order"),
    ]:
        (line,) = reproducible.compare(first, wheel(other, second))
        assert line.startswith(named)
    assert len(reproducible.compare(first, wheel(other, files, year=2025))) == 2


def test_owners_in_an_sdist_are_seen(tmp_path: Path) -> None:
    first = sdist(tmp_path / "first.tar", b"x = 1\n")
    assert reproducible.compare(first, sdist(tmp_path / "same.tar", b"x = 1\n")) == []
    for second in (
        sdist(tmp_path / "owner.tar", b"x = 1\n", owner="me"),
        sdist(tmp_path / "text.tar", b"x = 2\n"),
    ):
        assert reproducible.compare(first, second) == ["first.tar: fastrnn/a.py"]


def test_a_file_that_is_there_twice_is_seen(tmp_path: Path) -> None:
    first = sdist(tmp_path / "first.tar", b"x = 1\n")
    second = sdist(tmp_path / "second.tar", b"x = 1\n")
    with tarfile.open(second, "a") as archive:
        archive.addfile(tarfile.TarInfo("fastrnn/a.py"))
    assert reproducible.compare(first, second) == ["first.tar: fastrnn/a.py again"]


def test_a_build_that_needs_a_network_is_refused(tmp_path: Path) -> None:
    """Its requirements are those that are installed; one that is not cannot be fetched."""
    text = '[build-system]\nrequires = ["fastrnn-is-no-backend"]\nbuild-backend = "missing"\n'
    with tarfile.open(tmp_path / "fastrnn-1.tar.gz", "w:gz") as archive:
        member = tarfile.TarInfo("fastrnn-1/pyproject.toml")
        member.size = len(text)
        archive.addfile(member, io.BytesIO(text.encode()))
    pytest.importorskip("build")
    with pytest.raises(SystemExit, match="does not build without a network"):
        reproducible.build_again(tmp_path / "fastrnn-1.tar.gz", tmp_path)
