"""No test passes by luck: whatever draws without a seed draws the same in every run and order.

A layer without `rng` asks NumPy for a fresh generator; PyTorch, Keras and `random` have a state of
the process. Each file, fixture and test starts them anew, from its own name alone, and switches of
the process are put back after it.
"""

import os
import random
import sys
import zlib
from pathlib import Path

import numpy as np

_make = np.random.default_rng
_source = np.random.SeedSequence(0)


def start(name: str) -> None:
    """Let everything that follows without a seed depend on `name`."""
    global _source
    seed = zlib.crc32(name.encode())
    _source = np.random.SeedSequence(seed)
    random.seed(seed)
    np.random.seed(seed)  # noqa: NPY002 - others use it
    if "torch" in sys.modules:
        sys.modules["torch"].manual_seed(seed)


def default_rng(seed: object = None) -> np.random.Generator:
    """`numpy.random.default_rng`, but that no seed means the next one of the test."""
    return _make(_source.spawn(1)[0] if seed is None else seed)  # type: ignore[arg-type]


def install() -> None:
    """Take NumPy's place for the rest of the process."""
    np.random.default_rng = default_rng  # type: ignore[assignment]


def switches() -> tuple[int, str, str] | None:
    """What a test may change for the whole process: threads, instruction set, folder."""
    fastrnn = sys.modules.get("fastrnn")
    return fastrnn and (fastrnn.get_num_threads(), fastrnn.isa(), str(Path.cwd()))


def put_back(before: tuple[int, str, str] | None) -> None:
    """Undo what a test has left behind, so that the next one does not depend on it."""
    if before is None or before == switches():
        return
    fastrnn, (threads, isa, folder) = sys.modules["fastrnn"], before
    if threads != fastrnn.get_num_threads():
        fastrnn.set_num_threads(threads)
    fastrnn.set_isa(isa)
    os.chdir(folder)
