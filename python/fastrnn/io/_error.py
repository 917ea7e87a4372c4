"""CheckpointError: a file is damaged, or holds something else."""

import os


class CheckpointError(ValueError):
    """A checkpoint or model file is damaged, of another model, or no such file at all.

    Parameters
    ----------
    path : path
        The file.
    reason : str
        What is wrong with it.
    hint : str
        What you can do about it.

    Attributes
    ----------
    path, reason, hint : str
        As given; the message puts them into one line.

    Examples
    --------
    >>> import fastrnn
    >>> print(fastrnn.CheckpointError("a.safetensors", "it is empty", "take the one before it"))
    a.safetensors: it is empty; take the one before it
    """

    def __init__(self, path: str | os.PathLike[str], reason: str, hint: str) -> None:
        self.path, self.reason, self.hint = os.fspath(path), reason, hint
        super().__init__(self.path, reason, hint)  # so that it survives pickling

    def __str__(self) -> str:
        return f"{self.path}: {self.reason}; {self.hint}"
