"""Named arrays to a safetensors file and back: what is no training and has no state."""

import os
from collections.abc import Mapping

from fastrnn._checks import Array
from fastrnn.io.checkpoint import load_weights, save_checkpoint

__all__ = ["load", "save"]


def save(path: str | os.PathLike[str], tensors: Mapping[str, Array]) -> None:
    """Write arrays to a safetensors file, which is there whole, or is the old one.

    Parameters
    ----------
    path : path
        Replaced if it exists; a symbolic link is followed.
    tensors : dict of str to ndarray
        Of any shape, strides and byte order; floating, integer or bool. As `layer.params` is.

    Raises
    ------
    ImportError
        safetensors is missing; the message says how to get it.
    OSError
        The file could not be written; the old one is still there, unless the message says that
        only its folder could not be synced.
    TypeError
        A tensor has a dtype that the format does not know.
    ValueError
        A name breaks a rule of the format.

    References
    ----------
    The safetensors format, https://github.com/huggingface/safetensors.

    Examples
    --------
    >>> import fastrnn
    >>> layer = fastrnn.LSTM(2, 3)
    >>> fastrnn.io.save("layer.safetensors", layer.params)
    >>> layer.load_state_dict(fastrnn.io.load("layer.safetensors"))
    ([], [])
    """
    save_checkpoint(path, tensors, {})


def load(path: str | os.PathLike[str], *, max_bytes: int | None = None) -> dict[str, Array]:
    """Read the arrays of a safetensors file, whoever wrote it.

    Parameters
    ----------
    path : path
        One of fastrnn is compared with its SHA-256; nothing vouches for those of others.
    max_bytes : int, optional
        Refuse a larger file before reading it.

    Returns
    -------
    dict of str to ndarray
        Fresh arrays by name.

    Raises
    ------
    fastrnn.CheckpointError
        The file is damaged, no safetensors file, too large, or holds a dtype that NumPy lacks.
    ImportError
        safetensors is missing; the message says how to get it.
    OSError
        The file could not be read.

    Examples
    --------
    >>> import numpy as np
    >>> from fastrnn.io import load, save
    >>> save("a.safetensors", {"w": np.eye(2)})
    >>> load("a.safetensors")["w"][0]
    array([1., 0.])
    """
    return load_weights(path, verify=True, max_bytes=max_bytes)
