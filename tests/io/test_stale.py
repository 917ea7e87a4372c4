"""Why: writers die and leave their temporary files. Cleaning up must never take one away from a
writer that lives, however the two meet.
"""

import sys
import threading
from pathlib import Path

import pytest
from helpers.processes import run_python

from fastrnn.io import _files
from fastrnn.io._files import atomic_write, remove_stale

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="locks of POSIX file systems")

OLD, NEW = b"old" * 1000, b"new" * 100_000


@pytest.fixture
def target(tmp_path: Path) -> Path:
    path = tmp_path / "model.safetensors"
    path.write_bytes(OLD)
    return path


def write(path: Path, content: bytes = NEW) -> None:
    with atomic_write(path) as file:
        file.write(content)


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


KILLED = """
    import os, sys
    from fastrnn.io._files import atomic_write
    with atomic_write(sys.argv[1]) as file:
        file.write(b"half")
        file.flush()
        os.kill(os.getpid(), 9)
"""


@pytest.mark.check(31)
def test_a_killed_writer_leaves_the_old_file_and_a_stale_one_that_is_removed(target: Path) -> None:
    assert run_python(KILLED, str(target)).returncode == -9
    assert target.read_bytes() == OLD
    (stale,) = [name for name in names(target.parent) if name != target.name]
    assert stale.startswith(f".{target.name}.tmp-")
    others = [target.parent / name for name in (".x.tmp-mine", "y.tmp-host-1-0123abcd", ".bashrc")]
    for other in others:
        other.write_bytes(b"")
    (target.parent / ".d.tmp-host-1-0123abcd").mkdir()
    (target.parent / ".l.tmp-host-1-0123abcd").symlink_to(target)
    assert remove_stale(target.parent) == [target.parent / stale]
    assert all(other.exists() for other in others)
    assert remove_stale(target.parent) == []
    assert remove_stale(target.parent / "nowhere") == []


def test_a_living_writer_keeps_its_file(target: Path) -> None:
    with atomic_write(target) as file:
        file.write(NEW)
        assert remove_stale(target.parent) == []
    assert target.read_bytes() == NEW


def test_a_cleaner_that_is_quicker_than_the_lock_costs_one_more_try(
    target: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, cleaned = _files.fcntl.flock, []

    def late(descriptor: int, how: int) -> None:
        if how == _files.fcntl.LOCK_EX and not cleaned:
            cleaned.append(None)
            cleaned[0] = remove_stale(target.parent)
        real(descriptor, how)

    monkeypatch.setattr(_files.fcntl, "flock", late)
    write(target)
    assert len(cleaned[0]) == 1
    assert target.read_bytes() == NEW
    assert names(target.parent) == [target.name]


def test_writers_and_cleaners_at_once(tmp_path: Path) -> None:
    contents = [bytes([i]) * 50_000 for i in range(4)]
    failures: list[Exception] = []

    def repeat(content: bytes) -> None:
        try:
            for _ in range(25):
                write(tmp_path / "a", content)
                assert (tmp_path / "a").read_bytes() in contents
                remove_stale(tmp_path)
        except (OSError, AssertionError) as error:
            failures.append(error)

    threads = [threading.Thread(target=repeat, args=(content,)) for content in contents]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures
    assert names(tmp_path) == ["a"]


def test_the_next_save_removes_what_a_killed_one_left(target: Path) -> None:
    """Of its own target: what others left may be another program's matter."""
    for name in (target.name, "other"):
        assert run_python(KILLED, str(target.with_name(name))).returncode == -9
    assert len(names(target.parent)) == 3
    with atomic_write(target) as file:
        file.write(NEW)
        living = [name for name in names(target.parent) if name.startswith(f".{target.name}.tmp")]
        write(target)  # a second writer leaves the living first one alone
        assert set(living) < set(names(target.parent))
    assert [name[:10] for name in names(target.parent)] == [".other.tmp", "model.safe"]


def test_a_folder_that_cannot_be_listed_can_be_written_to(
    target: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(_files.os, "scandir", refused)
    write(target)
    assert target.read_bytes() == NEW
