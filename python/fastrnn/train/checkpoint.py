"""A folder of checkpoints, each under the number of its update; the last few are kept."""

import os
import re
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from fastrnn._checks import Array, file_path, integer
from fastrnn.io import Checkpoint, CheckpointError, load_checkpoint, save_checkpoint
from fastrnn.io._files import make_folder, remove_stale

__all__ = ["Checkpoints", "load_latest"]


def load_latest(
    folder: str | os.PathLike[str], *, verify: bool = True, max_bytes: int | None = None
) -> Checkpoint:
    """Load the newest checkpoint of a folder that is whole.

    Parameters
    ----------
    folder : path
        Where a `Trainer` saved.
    verify, max_bytes
        As in `fastrnn.io.load_checkpoint`.

    Returns
    -------
    Checkpoint
        With a warning for each newer one that is damaged.

    Raises
    ------
    fastrnn.CheckpointError
        There is no checkpoint, or none that is whole.
    OSError
        The folder, or a file in it, could not be read.

    Examples
    --------
    >>> import numpy as np
    >>> from fastrnn.train import Checkpoints, load_latest
    >>> _ = Checkpoints("runs").save(10, {"w": np.eye(2)}, {"update": 10})
    >>> load_latest("runs").state
    {'update': 10}
    """
    files = Checkpoints(folder).files()
    damaged: list[str] = []
    for path in reversed(files):
        try:
            checkpoint = load_checkpoint(path, verify=verify, max_bytes=max_bytes)
        except CheckpointError as error:
            damaged.append(f"{path.name}: {error.reason}")
            continue
        for line in damaged:
            warnings.warn(f"{line}; going on from {path.name}", stacklevel=2)
        return checkpoint
    if damaged:
        raise CheckpointError(
            folder, f"no checkpoint in it is whole ({'; '.join(damaged)})", "start anew"
        )
    raise CheckpointError(folder, "there is no checkpoint in it", "name the folder of a run")


class Checkpoints:
    """A folder in which the last few checkpoints of one run are kept.

    Parameters
    ----------
    folder : path
        Made at the first save.
    keep : int
        How many files stay, the newest among them.

    Raises
    ------
    ValueError
        keep is less than 1.

    Examples
    --------
    >>> import numpy as np
    >>> from fastrnn.train import Checkpoints
    >>> checkpoints = Checkpoints("runs", keep=2)
    >>> for update in (10, 20, 30):
    ...     path = checkpoints.save(update, {"w": np.zeros(2)}, {})
    >>> [path.name for path in checkpoints.files()]
    ['checkpoint-00000020.safetensors', 'checkpoint-00000030.safetensors']
    """

    def __init__(self, folder: str | os.PathLike[str], *, keep: int = 2) -> None:
        self.folder = file_path("folder", folder)
        self.keep = integer("keep", keep, 1)

    def files(self) -> list[Path]:
        """Return the files that are there, oldest first.

        Returns
        -------
        list of Path
        """
        if not self.folder.is_dir():
            return []
        numbered = (
            (int(match[1]), path)
            for path in self.folder.iterdir()
            if (match := re.fullmatch(r"checkpoint-(\d{8,18})\.safetensors", path.name))
        )
        return [path for _, path in sorted(numbered)]

    def path(self, update: int) -> Path:
        """Return the file of one update.

        Parameters
        ----------
        update : int

        Returns
        -------
        Path
        """
        return self.folder / f"checkpoint-{update:08}.safetensors"

    def save(self, update: int, tensors: Mapping[str, Array], state: Mapping[str, Any]) -> Path:
        """Write one more checkpoint, then remove those that are too old.

        Files of later updates go too: they are of a run that this one has replaced.

        Parameters
        ----------
        update : int
            How many updates have been done.
        tensors, state
            As in `fastrnn.io.save_checkpoint`.

        Returns
        -------
        Path
            The file.

        Raises
        ------
        OSError
            It could not be written. All checkpoints are still there then.
        """
        make_folder(self.folder)
        path = self.path(update)
        save_checkpoint(path, tensors, state)
        files = self.files()
        at = files.index(path)
        for old in [*files[: max(0, at + 1 - self.keep)], *files[at + 1 :]]:
            old.unlink(missing_ok=True)
        return path

    def clean(self) -> None:
        """Remove what writers left behind that were killed."""
        remove_stale(self.folder)
