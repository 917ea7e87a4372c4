"""Files of vectors, one array each, for ``fastrnn train``."""

from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np

from fastrnn._checks import Array, integer, number
from fastrnn.cli.datasets.text import Dataset, divided, named
from fastrnn.data import batches


def vectors_dataset(
    folder: Path,
    vectors: str,
    *,
    dtype: Any,
    array: str | None = None,
    scale: float = 1.0,
    held_out: float = 0.1,
    batch_size: int = 100,
    seed: int = 0,
) -> Dataset:
    """Return the rows of an array, shuffled and cut in two.

    Parameters
    ----------
    vectors : str
        A file of NumPy, ``.npy`` or ``.npz``: an array (n, …), of which each [i] becomes a vector.
    dtype : dtype
        What the model takes.
    array : str or None
        Which array of an ``.npz``; None: it has one alone.
    scale : float
        What all numbers are divided by, such as 255 for the bytes of pictures.

    Raises
    ------
    OSError, TypeError, ValueError
        The file cannot be read or holds no such array; or an argument breaks its rule.
    """
    divisor = number("scale", scale, 0)
    if divisor == 0:
        raise ValueError("scale must be above 0, got 0")
    path, size = named(folder, "vectors", vectors), integer("batch_size", batch_size, 1)
    found = _read(path, array)
    if found.dtype.kind not in "fiub" or found.ndim < 2 or not found[:1].size:
        raise ValueError(
            f"{vectors} must hold numbers of shape (n, I) or (n, …), got {found.dtype} "
            f"{found.shape}"
        )
    x = (found.reshape(len(found), -1) / divisor).astype(dtype)
    if not np.isfinite(x).all():
        raise ValueError(f"{vectors} must hold finite numbers")
    chosen, others = map(np.array, divided(range(len(x)), held_out, seed, vectors, "vectors"))
    train, judged = x[chosen], x[others]
    return Dataset(
        batches(np.ones(len(train), int), size, seed=seed, bucket=False, make=lambda r: train[r]),
        [judged[k : k + size] for k in range(0, len(judged), size)],
        {"input_size": x.shape[1]},
        (),
        f"{len(train):,} vectors of {vectors}, {x.shape[1]} numbers each; {len(judged):,} held out",
    )


def _read(path: Path, name: str | None) -> Array:
    """Return one array of a file."""
    try:
        content: Any = np.load(path, allow_pickle=False)
    except (ValueError, EOFError, BadZipFile):  # NumPy's own words advise to run what it holds
        raise ValueError(f"{path.name} is no array file of NumPy, or holds objects") from None
    if isinstance(content, np.ndarray):
        if name is not None:
            raise ValueError(f"array chooses from an .npz, and {path.name} holds one array alone")
        return content
    with content:
        names = list(content.files)
        if name is None and len(names) != 1:
            raise ValueError(f"array must be one of {names}: {path.name} holds several")
        if name is not None and name not in names:
            raise ValueError(f"array must be one of {names}, got {name!r}")
        try:
            found: Array = content[name if name is not None else names[0]]
        except (ValueError, BadZipFile) as error:
            raise ValueError(f"{path.name} cannot be read: {error}") from None
        return found
