"""Why: whoever loses a checkpoint to a full disk or a kill loses days. Each step of a write fails
here once, in process and in the system, and what stood there before must still stand there.
"""

import errno
import os
import stat
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from helpers import places
from helpers.processes import output_of

from fastrnn.io import _files
from fastrnn.io._files import append, atomic_write, make_folder, on_disk, open_regular, remove

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="rules of POSIX file systems")

OLD, NEW = b"old" * 1000, b"new" * 100_000


@pytest.fixture
def target(tmp_path: Path) -> Path:
    path = tmp_path / "model.safetensors"
    path.write_bytes(OLD)
    return path


@pytest.mark.parametrize("path", [3, None, b"bytes", object()])
def test_what_is_no_path_is_named(path: object) -> None:
    """Also a file's number is none: whatever lies open under it would be read, or written over."""
    for use in (open_regular, _files.read_text, lambda path: atomic_write(path).__enter__()):
        with pytest.raises(TypeError, match=r"path must be a path, a str or os\.PathLike, got "):
            use(path)


def write(path: Path, content: bytes = NEW, pieces: int = 3) -> None:
    with atomic_write(path) as file:
        step = len(content) // pieces + 1
        for start in range(0, len(content), step):
            file.write(content[start : start + step])


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_file_is_made_and_replaced(tmp_path: Path) -> None:
    path = tmp_path / "a"
    for content in (b"", b"x", NEW):
        write(path, content)
        assert path.read_bytes() == content
    assert names(tmp_path) == ["a"]


@pytest.mark.parametrize("umask", [0o000, 0o022, 0o077])
def test_a_new_file_has_the_mode_the_umask_leaves(tmp_path: Path, umask: int) -> None:
    before = os.umask(umask)
    try:
        write(tmp_path / "a")
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "a").stat().st_mode) == 0o666 & ~umask


@pytest.mark.check(32)
@pytest.mark.parametrize("mode", [0o600, 0o640, 0o664, 0o444])
def test_an_old_file_hands_its_mode_on(target: Path, mode: int) -> None:
    target.chmod(mode)
    write(target)
    assert stat.S_IMODE(target.stat().st_mode) == mode
    assert target.read_bytes() == NEW


@pytest.mark.check(32)
@pytest.mark.parametrize("absolute", [True, False])
def test_a_link_stays_and_its_target_is_replaced(target: Path, absolute: bool) -> None:
    folder = target.parent / "elsewhere"
    folder.mkdir()
    link = folder / "latest"
    link.symlink_to(target if absolute else Path("..") / target.name)
    write(link)
    assert link.is_symlink()
    assert target.read_bytes() == NEW
    assert names(folder) == ["latest"]


def test_a_dangling_link_leads_to_a_new_file(tmp_path: Path) -> None:
    (tmp_path / "latest").symlink_to("not-there-yet")
    write(tmp_path / "latest")
    assert (tmp_path / "not-there-yet").read_bytes() == NEW


def test_what_is_no_file_is_not_replaced(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    for path in (tmp_path, tmp_path / "fifo", Path(os.devnull)):
        with pytest.raises(OSError, match="not a regular file"), atomic_write(path):
            pass
    assert names(tmp_path) == ["fifo"]
    assert not Path(os.devnull).is_file()


def test_an_exception_in_the_block_leaves_no_trace(target: Path) -> None:
    for kind in (ValueError, KeyboardInterrupt, SystemExit):

        def fail(kind: type[BaseException] = kind) -> None:
            with atomic_write(target) as file:
                file.write(NEW)
                raise kind

        with pytest.raises(kind):
            fail()
        assert target.read_bytes() == OLD
        assert names(target.parent) == [target.name]


def test_nothing_is_written_after_the_block(target: Path) -> None:
    """The number of a closed descriptor is soon another file's."""
    kept = []

    def keep() -> None:
        with atomic_write(target) as file:
            file.write(b"kept in the buffer")
            kept.append(file)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        keep()
    other = target.parent / "other"
    with other.open("wb"):
        with pytest.raises(ValueError, match="closed"):
            kept[0].write(b"x")
        del kept[0]
    assert other.read_bytes() == b""


CALLS = ("write", "fsync", "fchmod", "replace", "close")


@pytest.mark.check(32)
@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("number", [errno.EIO, errno.ENOSPC])
def test_every_failing_call_is_one_error_and_no_loss(
    target: Path, monkeypatch: pytest.MonkeyPatch, call: str, number: int
) -> None:
    """The n-th call fails, for every n there is; after the rename the new file stands there."""
    real: Callable[..., object] = getattr(os, call)
    calls = failing = 0

    def sometimes(*args: object) -> object:
        nonlocal calls
        calls += 1
        if calls == failing:
            if call == "close":
                real(*args)
            raise OSError(number, os.strerror(number))
        return real(*args)

    monkeypatch.setattr(_files.os, call, sometimes)
    errors: list[OSError] = []
    for nth in range(1, 20):
        target.write_bytes(OLD)
        calls, failing = 0, nth
        try:
            write(target)
        except OSError as error:
            errors.append(error)
        else:
            break
        assert target.read_bytes() in (OLD, NEW)
        assert names(target.parent) == [target.name]
        if call == "write":
            assert target.read_bytes() == OLD
    assert {error.errno for error in errors} == {number}
    assert call != "write" or {error.filename for error in errors} == {str(target)}
    assert target.read_bytes() == NEW


@pytest.mark.check(32)
def test_short_writes_are_finished(target: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = os.write
    monkeypatch.setattr(_files.os, "write", lambda fd, data: real(fd, bytes(data)[:1000]))
    write(target)
    append(target.parent / "log", NEW)
    assert target.read_bytes() == (target.parent / "log").read_bytes() == NEW


def test_a_file_system_without_locks_or_folder_sync_will_do(
    target: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_locks(*args: object) -> None:
        raise OSError(errno.ENOLCK, "no locks")

    real = os.fsync

    def no_folders(descriptor: int) -> None:
        if stat.S_ISDIR(os.fstat(descriptor).st_mode):
            raise OSError(errno.EINVAL, "a folder")
        real(descriptor)

    monkeypatch.setattr(_files.fcntl, "flock", no_locks)
    monkeypatch.setattr(_files.os, "fsync", no_folders)
    write(target)
    assert target.read_bytes() == NEW


FSIZE = """
    import errno, resource, signal, sys
    from pathlib import Path
    from fastrnn.io._files import atomic_write
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, resource.RLIM_INFINITY))
    try:
        with atomic_write(sys.argv[1]) as file:
            file.write(b"n" * 300_000)
    except OSError as error:
        print(errno.errorcode[error.errno], error.filename == sys.argv[1])
"""


@pytest.mark.check(32)
def test_a_file_too_large_for_the_system(target: Path) -> None:
    assert output_of(FSIZE, str(target)) == "EFBIG True"
    assert target.read_bytes() == OLD
    assert names(target.parent) == [target.name]


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "disk"
    with places.small_disk(folder, "256k"):
        yield folder


@pytest.mark.check(32)
def test_a_full_disk(small_disk: Path) -> None:
    path = small_disk / "a"
    path.write_bytes(OLD)
    with pytest.raises(OSError, match="No space left"):
        write(path)
    assert path.read_bytes() == OLD
    assert names(small_disk) == ["a"]
    write(path, NEW[:200_000])  # the space has been given back


def test_append_adds_lines(tmp_path: Path) -> None:
    append(tmp_path / "log", b"1\n")
    append(tmp_path / "log", b"2\n")
    assert (tmp_path / "log").read_bytes() == b"1\n2\n"
    with pytest.raises(OSError, match="No such file"):
        append(tmp_path / "nowhere" / "log", b"")
    with pytest.raises(FileNotFoundError) as caught:
        write(tmp_path / "nowhere" / "model")
    assert caught.value.filename == str(tmp_path / "nowhere" / "model")  # not the temporary one


@pytest.fixture
def synced(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The paths of what is synced, in order."""
    found: list[str] = []
    real = os.fsync

    def noted(descriptor: int) -> None:
        found.append(str(Path(f"/proc/self/fd/{descriptor}").readlink()))
        real(descriptor)

    monkeypatch.setattr(_files.os, "fsync", noted)
    return found


def test_files_that_belong_together_change_together(tmp_path: Path, synced: list[str]) -> None:
    """`on_disk` says of each that it is safe before any of them is renamed."""
    for name in ("a", "b"):
        (tmp_path / name).write_bytes(OLD)
    with atomic_write(tmp_path / "a") as a, atomic_write(tmp_path / "b") as b:
        for file in (a, b):
            file.write(NEW)
            on_disk(file)
        assert [Path(name).name[:2] for name in synced] == [".a", ".b"]
        assert {(tmp_path / name).read_bytes() for name in ("a", "b")} == {OLD}
        assert {path.stat().st_size for path in tmp_path.glob(".?.tmp-*")} == {len(NEW)}
        remove(tmp_path / "c")
        assert synced[-1] == str(tmp_path)
    assert {(tmp_path / name).read_bytes() for name in ("a", "b")} == {NEW}


def test_a_folder_that_cannot_be_synced(target: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Before the rename the old file stays; after it, the error says that the new one is there."""
    real, calls = os.fsync, 0

    def failing(descriptor: int) -> None:
        nonlocal calls
        if stat.S_ISDIR(os.fstat(descriptor).st_mode):
            calls += 1
            if calls == bad:
                raise OSError(errno.EIO, "broken")
        real(descriptor)

    monkeypatch.setattr(_files.os, "fsync", failing)
    bad = 1
    with pytest.raises(OSError, match="broken"):
        write(target)
    assert target.read_bytes() == OLD
    assert names(target.parent) == [target.name]
    bad, calls = 2, 0
    with pytest.raises(OSError, match="the new file is there, but its folder") as caught:
        write(target)
    assert (caught.value.errno, caught.value.filename) == (errno.EIO, str(target))
    assert target.read_bytes() == NEW


def test_a_new_folder_is_on_the_disk(tmp_path: Path, synced: list[str]) -> None:
    for _ in range(2):
        make_folder(tmp_path / "runs" / "first" / "part")
        assert synced == [
            str(tmp_path), str(tmp_path / "runs"), str(tmp_path / "runs" / "first"),
        ]  # fmt: skip
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(FileExistsError):
        make_folder(tmp_path / "file")


def test_what_is_no_file_is_not_read(tmp_path: Path) -> None:
    """A pipe without a writer would be waited for, and a device need not end."""
    os.mkfifo(tmp_path / "fifo")
    for path in (tmp_path / "fifo", Path("/dev/zero"), Path("/dev/tty")):
        with pytest.raises(OSError, match=r"no regular file|No such device"):
            open_regular(path)
    with pytest.raises(IsADirectoryError):
        open_regular(tmp_path)
    with pytest.raises(TypeError):
        open_regular(0)  # type: ignore[arg-type]
    write(tmp_path / "a")
    with open_regular(tmp_path / "a") as file:
        assert file.name == str(tmp_path / "a")
        assert file.read() == NEW
