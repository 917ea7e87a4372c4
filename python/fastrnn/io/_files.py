"""The one place that opens files: what is written is there whole, what is read has an end.

A process that is killed, a full disk or a power cut must never leave half a file under a name that
somebody reads. So everything is written beside its target and moved over it when it is safe. And a
loader must never wait for a pipe or read a device that has no end.
"""

import contextlib
import errno
import io
import os
import re
import secrets
import socket
import stat
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any, BinaryIO, cast

from fastrnn._checks import file_path

if sys.platform != "win32":
    import fcntl

__all__ = [
    "NoRegularFileError",
    "append",
    "atomic_write",
    "make_folder",
    "not_utf8",
    "on_disk",
    "open_regular",
    "read_regular",
    "read_text",
    "remove",
    "remove_stale",
    "scratch",
]

# Errors that say "this file system has no such thing", not "this failed".
_NOT_HERE = (errno.EINVAL, errno.ENOLCK, errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP)


@contextlib.contextmanager
def atomic_write(path: str | os.PathLike[str]) -> Iterator[BinaryIO]:
    """Open a file that takes the place of `path` when the block ends without an exception.

    Parameters
    ----------
    path : path
        A symbolic link is followed: the file it points to is replaced and the link stays. An
        existing file hands its permission bits on; a new one gets what the umask leaves of 0666.

    Yields
    ------
    binary file
        Written to a temporary file in the folder of the target. It is on the disk (``fsync``)
        before it is renamed, and so is the folder afterwards. What writers of the same target left
        behind that were killed is removed first.

    Raises
    ------
    OSError
        Writing failed, or the target is no regular file. What stood at `path` is still there
        and the temporary file is gone; likewise after an exception in the block. There is one
        exception, which its message names: the new file stands at `path`, and only its folder
        could not be synced, so that a power cut may bring the old one back.

    Examples
    --------
    >>> from fastrnn.io._files import atomic_write
    >>> with atomic_write("notes.txt") as file:
    ...     _ = file.write(b"all or nothing")
    >>> from pathlib import Path
    >>> Path("notes.txt").read_text()
    'all or nothing'
    """
    target = Path(os.path.realpath(file_path("path", path)))
    mode = _mode_to_keep(target)
    with contextlib.suppress(OSError):  # a folder that may be written to, but not listed
        _remove_stale(target.parent, target.name)
    temporary, descriptor = _create(target)
    raw = _Descriptor(descriptor, target)
    file = io.BufferedWriter(raw)
    try:
        try:
            yield cast("BinaryIO", file)
            file.close()
            if mode is not None and sys.platform != "win32":
                os.fchmod(descriptor, mode)
            raw.sync()
            # Most of what can go wrong with the folder goes wrong here, before anything changes.
            _sync_folder(target.parent)
            # The lock is held across the rename: until then a cleaner must not take the file away.
            if sys.platform != "win32":
                temporary.replace(target)
        finally:
            raw.abandon()
            file.close()
            os.close(descriptor)
        if sys.platform == "win32":  # there an open file cannot be renamed
            temporary.replace(target)
    except BaseException:
        with contextlib.suppress(OSError):
            temporary.unlink()
        raise
    try:
        _sync_folder(target.parent)
    except OSError as error:
        text = f"the new file is there, but its folder could not be synced ({error.strerror})"
        raise OSError(error.errno, text, str(target)) from None


def on_disk(file: BinaryIO) -> None:
    """Bring all that was written to a file of `atomic_write` so far onto the disk.

    For several files that belong together: none is renamed before all of them are safe.

    Raises
    ------
    OSError
        The disk is full or broken.
    """
    file.flush()
    raw = getattr(file, "raw")  # noqa: B009  BinaryIO has none, a buffered file has
    raw.sync()


def remove(path: str | os.PathLike[str]) -> None:
    """Remove a file, if it is there, and have the disk know before anything else is done."""
    Path(path).unlink(missing_ok=True)
    _sync_folder(Path(path).parent)


def make_folder(path: str | os.PathLike[str]) -> None:
    """Make a folder and those above it that are missing, so that they survive a power cut.

    Raises
    ------
    OSError
        One cannot be made, or a file stands in its place.
    """
    folder = Path(path)
    missing = [each for each in (folder, *folder.parents) if not each.exists()]
    folder.mkdir(parents=True, exist_ok=True)
    for each in reversed(missing):
        _sync_folder(each.parent)


class NoRegularFileError(OSError):
    """What should be read is a pipe or a device."""


def open_regular(path: str | os.PathLike[str]) -> BinaryIO:
    """Open a file for reading, at once: a pipe might never begin, and a device never end.

    Raises
    ------
    NoRegularFileError
        It is a pipe or a device.
    OSError
        It cannot be opened, or is a folder.

    Examples
    --------
    >>> from fastrnn.io._files import atomic_write, open_regular
    >>> with atomic_write("notes.txt") as file:
    ...     _ = file.write(b"to the end")
    >>> with open_regular("notes.txt") as file:
    ...     file.read()
    b'to the end'
    """
    file: BinaryIO = open(file_path("path", path), "rb", opener=_at_once)  # noqa: SIM115
    try:
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            text = "it is no regular file; write what a pipe gives to a file first"
            raise NoRegularFileError(errno.EINVAL, text, os.fspath(path))
    except BaseException:
        file.close()
        raise
    return file


def not_utf8(name: object, error: UnicodeDecodeError, first: int = 1) -> str:
    """Return what is said everywhere of text that is no UTF-8; first is the number of its line."""
    line = first + error.object.count(b"\n", 0, error.start)
    return f"{name} is not UTF-8: byte 0x{error.object[error.start]:02x} in line {line}"


def no_token_file(path: str | os.PathLike[str]) -> None:
    """Raise ValueError for a token file: many ids are UTF-8, and mean nothing as a text."""
    file = file_path("path", path)
    if file.suffix == ".bin" and all(file.with_suffix(s).exists() for s in (".idx", ".json")):
        raise ValueError(
            f"{file} is a token file, no text; fastrnn train reads it with its vocabulary"
        )


def read_text(path: str | os.PathLike[str]) -> str:
    """Return what a text file holds, its ends of lines as line feeds.

    Raises
    ------
    OSError, ValueError
        As `open_regular`, or it is no UTF-8, or a token file.
    """
    no_token_file(path)
    try:
        with io.TextIOWrapper(open_regular(path), encoding="utf-8") as file:
            return file.read()
    except UnicodeDecodeError as error:
        raise ValueError(not_utf8(os.fspath(path), error)) from None


def read_regular(path: str | os.PathLike[str], max_bytes: int) -> bytes:
    """Return the content of a regular file.

    Raises
    ------
    OSError
        As `open_regular`.
    ValueError
        It has more than `max_bytes`; the message names it.
    """
    with open_regular(path) as file:
        content = b""
        if os.fstat(file.fileno()).st_size <= max_bytes:
            content = file.read(max_bytes + 1)  # it may grow while it is read
            if len(content) <= max_bytes:
                return content
    raise ValueError(f"{os.fspath(path)} is larger than {max_bytes} bytes")


def _at_once(path: str, flags: int) -> int:
    """Open without waiting for the other end of a pipe."""
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_NOCTTY", 0))


def append(path: str | os.PathLike[str], data: bytes) -> None:
    r"""Add `data` at the end of a file, which is made if it does not exist.

    Parameters
    ----------
    path : path
        A log, whose reader can live with half a line at its end.
    data : bytes
        Handed to the system before this returns, but not forced on to the disk.

    Raises
    ------
    OSError
        It could not be written, or not whole.

    Examples
    --------
    >>> from fastrnn.io._files import append
    >>> append("log.txt", b"one line\n")
    """
    flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | getattr(os, "O_CLOEXEC", 0)
    descriptor = os.open(path, flags | getattr(os, "O_BINARY", 0), 0o666)
    raw = _Descriptor(descriptor, Path(path))
    try:
        rest = memoryview(data)
        while rest:
            rest = rest[raw.write(rest) :]
    finally:
        os.close(descriptor)


def scratch(folder: str | os.PathLike[str]) -> IO[str]:
    r"""Open a text file without a name, for what is larger than memory: closed, it is gone.

    Half characters are kept as they are.

    Parameters
    ----------
    folder : path
        On whose disk it is; the system's own folder for such files may be in memory.

    Raises
    ------
    OSError
        The folder cannot be written to.

    Examples
    --------
    >>> from fastrnn.io._files import scratch
    >>> with scratch(".") as file:
    ...     _ = file.write("one line\n")
    ...     _ = file.seek(0)
    ...     file.read()
    'one line\n'
    """
    try:
        return tempfile.TemporaryFile(
            "w+", encoding="utf-8", errors="surrogatepass", newline="\n", dir=folder
        )
    except OSError as error:
        raise OSError(error.errno, error.strerror, os.fspath(folder)) from None


def remove_stale(folder: str | os.PathLike[str]) -> list[Path]:
    """Remove the temporary files of writers that died, and return what was removed.

    A living writer holds a lock on its file, in whatever container it runs; a file whose lock can
    be taken has no owner any more. Where there are no locks nothing is removed.

    Parameters
    ----------
    folder : path
        Searched itself, without the folders in it. It need not exist.

    Examples
    --------
    >>> from fastrnn.io._files import remove_stale
    >>> remove_stale(".")
    []
    """
    return _remove_stale(Path(folder), None) if Path(folder).is_dir() else []


def _remove_stale(folder: Path, target: str | None) -> list[Path]:
    """Do the same for one target, or for all."""
    removed: list[Path] = []
    if sys.platform == "win32":
        return removed
    head = ".+" if target is None else re.escape(target)
    pattern = re.compile(rf"\.{head}\.tmp-[^/]+-\d+-[0-9a-f]{{8}}")
    with os.scandir(folder) as entries:
        names = sorted(entry.name for entry in entries if pattern.fullmatch(entry.name))
    for path in (folder / name for name in names):
        with contextlib.suppress(OSError):  # gone by now, locked, not ours: somebody else's matter
            descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
            try:
                if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                    continue
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                if _is(path, descriptor):
                    path.unlink()
                    removed.append(path)
            finally:
                os.close(descriptor)
    return removed


class _Descriptor(io.RawIOBase):
    """A file descriptor as a raw stream, whose errors name the file that was meant.

    The buffer above it repeats what was written short.
    """

    def __init__(self, descriptor: int, target: Path) -> None:
        self._descriptor: int | None = descriptor
        self._target = str(target)

    def writable(self) -> bool:
        return True

    def write(self, data: Any, /) -> int:
        if self._descriptor is None:
            return memoryview(data).nbytes
        try:
            return os.write(self._descriptor, data)
        except OSError as error:
            raise OSError(error.errno, error.strerror, self._target) from None

    def sync(self) -> None:
        if self._descriptor is not None:
            try:
                os.fsync(self._descriptor)
            except OSError as error:
                raise OSError(error.errno, error.strerror, self._target) from None

    def abandon(self) -> None:
        """Let go of the descriptor: its number may soon be another file's."""
        self._descriptor = None


def _mode_to_keep(target: Path) -> int | None:
    """Return the permission bits of the target, None if there is no such file yet."""
    try:
        mode = target.stat().st_mode
    except FileNotFoundError:
        return None
    if not stat.S_ISREG(mode):
        number = errno.EISDIR if stat.S_ISDIR(mode) else errno.EINVAL
        raise OSError(number, "not a regular file, so it cannot be replaced", str(target))
    return stat.S_IMODE(mode) & 0o777


def _create(target: Path) -> tuple[Path, int]:
    """Return a new temporary file beside the target, locked, and its descriptor."""
    host = re.sub(r"[^\w.]", "_", socket.gethostname())[:32] or "host"
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL
    flags |= getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)
    while True:
        name = f".{target.name}.tmp-{host}-{os.getpid()}-{secrets.token_hex(4)}"
        temporary = target.with_name(name)
        try:
            descriptor = os.open(temporary, flags, 0o666)
        except FileExistsError:
            continue
        except OSError as error:
            raise OSError(error.errno, error.strerror, str(target)) from None
        try:
            if _lock(descriptor) and _is(temporary, descriptor):
                return temporary, descriptor
        except BaseException:
            os.close(descriptor)
            with contextlib.suppress(OSError):
                temporary.unlink()
            raise
        os.close(descriptor)  # a cleaner was quicker than our lock: once more, under a new name


def _lock(descriptor: int) -> bool:
    """Wait for the lock that keeps cleaners away; True also where there are no locks."""
    if sys.platform != "win32":
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        except OSError as error:
            if error.errno not in _NOT_HERE:
                raise
    return True


def _is(path: Path, descriptor: int) -> bool:
    """Whether the path still leads to the open file."""
    try:
        there = os.lstat(path)
    except FileNotFoundError:
        return False
    here = os.fstat(descriptor)
    return (there.st_dev, there.st_ino) == (here.st_dev, here.st_ino)


def _sync_folder(folder: Path) -> None:
    """Make the rename itself survive a power cut, where folders can be synced."""
    if sys.platform == "win32":
        return
    descriptor = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in _NOT_HERE:
            raise
    finally:
        os.close(descriptor)
