"""Write the golden files of a release, once: python tests/golden/write.py 0.1

They are never written again: what a later version cannot read is a defect of that version. A new
kind of file, or a format that changes, is a new folder with the version that first wrote it.
"""

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent))

from golden.entries import ENTRIES  # noqa: E402 - it lies beside the tests, which have no package


def plain(answer: Any) -> Any:
    """What JSON can say of an answer: numbers with all their digits, arrays with their dtype."""
    if isinstance(answer, dict):
        return {name: plain(value) for name, value in answer.items()}
    if isinstance(answer, (list, tuple)):
        return [plain(value) for value in answer]
    if isinstance(answer, np.ndarray):
        return {
            "dtype": answer.dtype.name,
            "shape": list(answer.shape),
            "is": plain(answer.tolist()),
        }
    return answer.item() if isinstance(answer, np.generic) else answer


def main(version: str) -> None:
    """Write every entry and its answers below tests/golden/VERSION, which must be new."""
    root = HERE / version
    root.mkdir()
    for name, entry in ENTRIES.items():
        folder = root / name
        folder.mkdir()
        entry.make(folder)
        kept = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
        answer = json.dumps(plain(entry.ask(folder)), ensure_ascii=False, sort_keys=True)
        for path in folder.rglob("*"):  # asking a training goes on with it
            if path.is_file() and path not in kept:
                path.unlink()
        for path, content in kept.items():
            path.write_bytes(content)
        (folder / "answer.json").write_text(answer + "\n", "utf-8")


if __name__ == "__main__":
    main(sys.argv[1])
