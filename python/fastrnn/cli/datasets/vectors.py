"""Files of vectors, one array each, for ``fastrnn train``."""

import math
import os
import zipfile
import zlib
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.lib.format import read_array_header_1_0, read_array_header_2_0, read_magic

from fastrnn._checks import Array, integer, number
from fastrnn.cli.datasets.text import Dataset, division, named
from fastrnn.data import batches
from fastrnn.io._files import open_regular

_ZIP = b"PK\x03\x04"
_BROKEN = (ValueError, EOFError, OSError, OverflowError, zipfile.BadZipFile, zlib.error)
_PACKED, _SMALL = 100, 1 << 24  # more than hundredfold, and more than 16 MiB, is a bomb


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
    path, size = named(folder, "vectors", vectors), integer("batch_size", batch_size, 1)
    x = read_vectors(path, dtype, array=array, scale=scale)
    chosen, others = division(len(x), held_out, seed, vectors, "vectors")
    train, judged = x[chosen], x[others]
    return Dataset(
        batches(np.ones(len(train), int), size, seed=seed, bucket=False, make=lambda r: train[r]),
        [judged[k : k + size] for k in range(0, len(judged), size)],
        {"input_size": x.shape[1]},
        (),
        f"{len(train):,} vectors of {vectors}, {x.shape[1]} numbers each; {len(judged):,} held out",
        size,
    )


def read_vectors(
    path: Path, dtype: Any, *, array: str | None = None, scale: float = 1.0
) -> Array:
    """Return the rows (n, I) of an array in a file, divided by scale; see `vectors_dataset`."""
    divisor = number("scale", scale, 0)
    if divisor == 0:
        raise ValueError("scale must be above 0, got 0")
    numbers = _read(path, array)
    if numbers.dtype.kind not in "fiub" or numbers.ndim < 2 or not numbers[:1].size:
        raise ValueError(
            f"{path.name} must hold numbers of shape (n, I) or (n, …), got {numbers.dtype} "
            f"{numbers.shape}"
        )
    x: Array = (numbers.reshape(len(numbers), -1) / divisor).astype(dtype)
    if not np.isfinite(x).all():
        raise ValueError(f"{path.name} must hold finite numbers")
    return x


def _read(path: Path, name: str | None) -> Array:
    """Return one array of a file."""
    with open_regular(path) as file:
        if file.read(4) != _ZIP:
            if name is not None:
                raise ValueError(
                    f"array chooses from an .npz, and {path.name} holds one array alone"
                )
            size = file.seek(0, os.SEEK_END)
            file.seek(0)
            return _array(path.name, file, size)
        try:
            with zipfile.ZipFile(file) as archive:
                return _member(path, archive, name)
        except (*_BROKEN, NotImplementedError, RuntimeError) as error:  # encrypted, or odd methods
            raise ValueError(f"{path.name} cannot be read: {error}") from None


def _member(path: Path, archive: zipfile.ZipFile, name: str | None) -> Array:
    """Return one array of an archive, whose names are never those of files."""
    names = [each.filename.removesuffix(".npy") for each in archive.infolist()]
    if name is None and len(names) != 1:
        raise ValueError(f"array must be one of {names[:20]}: {path.name} holds several")
    if name is not None and names.count(name) != 1:
        raise ValueError(f"array must be one of {names[:20]}, got {name!r}")
    entry = archive.infolist()[0 if name is None else names.index(name)]
    if entry.file_size > max(_PACKED * entry.compress_size, _SMALL):
        raise ValueError(
            f"{entry.filename} of {path.name} is packed more than {_PACKED} times; "
            "save it with numpy.save, which packs nothing"
        )
    with archive.open(entry) as stream:
        return _array(f"{entry.filename} of {path.name}", stream, entry.file_size)


def _array(what: str, stream: IO[bytes], size: int) -> Array:
    """Return the array of a stream that has so many bytes; none is made before they are there."""
    try:
        version = read_magic(stream)
        read = {(1, 0): read_array_header_1_0, (2, 0): read_array_header_2_0}[version]
        shape, by_columns, dtype = read(stream)
    except Exception:  # noqa: BLE001  what Python's parser says to a header that is none of ours
        raise ValueError(f"{what} is no array file of NumPy") from None
    if dtype.kind not in "fiub":
        raise ValueError(f"{what} must hold numbers, got {dtype}")
    left = size - stream.tell()
    if math.prod(shape) * dtype.itemsize != left or not left:
        raise ValueError(f"{what} must have the bytes of {dtype} {shape}, got {left}")
    content = stream.read(left)
    if len(content) != left:
        raise ValueError(f"{what} is cut short")
    return np.frombuffer(content, dtype).reshape(shape, order="F" if by_columns else "C")
