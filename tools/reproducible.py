"""Build a release again in another folder, without a network, and compare it bit for bit.

Usage, with SOURCE_DATE_EPOCH as it was for the first build:
    python tools/reproducible.py again DIST WHEELHOUSE
    python tools/reproducible.py compare FIRST SECOND

DIST holds an sdist and the wheel made from it, WHEELHOUSE what auditwheel made of that. The sdist
is unpacked elsewhere and makes an sdist and a wheel again. `compare` only looks at two archives.
Exit code 1 says what differs.
"""

import hashlib
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from pathlib import Path


def digest(content: bytes) -> str:
    """Return the SHA-256 of some bytes."""
    return hashlib.sha256(content).hexdigest()


def only(folder: Path, pattern: str) -> Path:
    """Return the one file of a folder that matches."""
    (found,) = folder.glob(pattern)
    return found


def entries(archive: Path) -> dict[str, str]:
    """Return the members of a wheel or an sdist, in order, each with all that is kept of it."""
    if archive.suffix == ".whl":
        with zipfile.ZipFile(archive) as wheel:
            return {
                i.filename: f"{digest(wheel.read(i))} {i.date_time} {i.external_attr:o}"
                for i in wheel.infolist()
            }
    found = {}
    with tarfile.open(archive) as sdist:
        for member in sdist:
            file = sdist.extractfile(member)
            content = file.read() if file else b""
            name = f"{member.name} again" if member.name in found else member.name
            found[name] = f"{digest(content)} {member.mtime} {member.mode:o} {member.uname}"
    return found


def compare(first: Path, second: Path) -> list[str]:
    """Return in what two archives differ, one line for each member."""
    one, two = digest(first.read_bytes()), digest(second.read_bytes())
    print(f"{first.name}\n  {one}\n  {two}", flush=True)
    if one == two:
        return []
    a, b = entries(first), entries(second)
    wrong = [f"{first.name}: {name}" for name in sorted(a | b) if a.get(name) != b.get(name)]
    return wrong or [f"{first.name}: the order or the compression of its members"]


def without_network() -> list[str]:
    """Return the words that run a command without a network, where the system lets us."""
    words = ["unshare", "--map-root-user", "--net"]
    tried = shutil.which("unshare") and subprocess.run([*words, "true"], check=False).returncode
    if tried == 0:
        return words
    print("a network stays within reach: unshare is missing or not permitted here", flush=True)
    return []


def build_again(sdist: Path, folder: Path) -> None:
    """Unpack an sdist below a folder and make dist/ and wheelhouse/ there from it."""
    with tarfile.open(sdist) as archive:
        archive.extractall(folder / "elsewhere", filter="data")
    (source,) = (folder / "elsewhere").iterdir()
    environment = os.environ | {"PIP_NO_INDEX": "1", "CCACHE_DISABLE": "1", "TMPDIR": str(folder)}
    words = [*without_network(), sys.executable, "-m", "build", "--no-isolation"]
    log = folder / "build.log"
    with log.open("w") as said:
        done = subprocess.run(
            [*words, "--outdir", str(folder / "dist"), str(source)],
            env=environment, check=False, stdout=said, stderr=subprocess.STDOUT,
        )  # fmt: skip
    if done.returncode:
        sys.exit(f"{sdist.name} does not build without a network:\n{log.read_text()[-5000:]}")
    wheel = only(folder / "dist", "*.whl")
    subprocess.run(
        ["auditwheel", "repair", "--zip-compression-level", "9",
         "--wheel-dir", str(folder / "wheelhouse"), str(wheel)],
        check=True, capture_output=True,
    )  # fmt: skip


def again(dist: Path, wheelhouse: Path) -> list[str]:
    """Compare the sdist, the wheel and the repaired wheel with those of a second build."""
    with tempfile.TemporaryDirectory(prefix="fastrnn-again-") as name:
        folder = Path(name)
        build_again(only(dist, "*.tar.gz"), folder)
        return [
            line
            for first in (only(dist, "*.tar.gz"), only(dist, "*.whl"), only(wheelhouse, "*.whl"))
            for line in compare(first, only(folder / first.parent.name, f"*{first.suffix}"))
        ]


if __name__ == "__main__":
    how, *paths = sys.argv[1:]
    wrong = {"again": again, "compare": compare}[how](*map(Path, paths))
    print("\n".join(wrong) or "the same bits")
    sys.exit(bool(wrong))
