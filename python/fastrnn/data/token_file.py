"""Token files: sequences of ids on disk, read in slices, so that they may exceed the memory.

Three files: NAME.bin holds the ids as little-endian uint16 or uint32, NAME.idx the places where
sequences begin as uint64, and NAME.json, written last, says that the other two are complete.
"""

import hashlib
import json
import os
from collections.abc import Iterable
from os import PathLike
from pathlib import Path
from typing import IO, Any, Literal, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fastrnn._checks import file_path, integer, items
from fastrnn.data.arrays import as_ids
from fastrnn.data.vocabulary import Vocabulary
from fastrnn.io._files import atomic_write, on_disk, open_regular, remove
from fastrnn.io._json import is_format, read_json

Portion = tuple[ArrayLike, NDArray[np.int64] | None]
_FORMAT = "fastrnn-tokens"
_KEYS = {
    "format", "version", "dtype", "vocab_size", "tokens", "sequences", "bin_sha256", "idx_sha256",
    "vocabulary_sha256",
}  # fmt: skip
_MAX_BYTES = 2**20  # of the JSON file
_PIECE = 2**24  # bytes that are hashed at a time


class TokenFile:
    """All sequences of a token file, one after the other, as one run of ids that is read in slices.

    Parameters
    ----------
    path : path
        NAME.bin; NAME.idx and NAME.json stand beside it.
    backend : {"mmap", "pread"}
        How slices are read. If the file shrinks while it is open, "mmap" ends the process with
        SIGBUS, as memory mapping does; "pread" raises OSError.

    Attributes
    ----------
    path : Path
    vocab_size : int
        V; each id is in 0..V−1.
    sequences : int
        How many there are.
    dtype : dtype
        uint16 or uint32.
    vocabulary_sha256 : str or None
        Of the vocabulary that made the ids.

    Raises
    ------
    OSError
        A file is missing or cannot be read.
    ValueError
        NAME.json is no record of fastrnn, or the size of another file is not what it says.

    Notes
    -----
    Opening compares sizes only; `verify` reads everything. What is read in between is checked as it
    is read: no id is V or more, and no sequence leads outside.

    Examples
    --------
    >>> from fastrnn.data import TokenFile
    >>> TokenFile.write("corpus.bin", [[5, 6, 7], [8, 9]], vocab_size=10)
    >>> with TokenFile("corpus.bin") as tokens:
    ...     print(len(tokens), tokens[1:4], tokens.sequence(1))
    5 [6 7 8] [8 9]
    """

    def __init__(
        self, path: str | PathLike[str], *, backend: Literal["mmap", "pread"] = "mmap"
    ) -> None:
        if backend not in ("mmap", "pread"):
            raise ValueError(f"backend must be 'mmap' or 'pread', got {backend!r}")
        self.path = file_path("path", path)
        record = self._record = _read_record(self.path.with_suffix(".json"))
        self.vocab_size: int = record["vocab_size"]
        self.sequences: int = record["sequences"]
        self.vocabulary_sha256: str | None = record["vocabulary_sha256"]
        self.dtype = np.dtype(record["dtype"])
        self._count: int = record["tokens"]
        self._mapped: list[NDArray[Any]] = []
        self._files: list[IO[bytes]] = []
        try:
            self._open(self.path, self._count * self.dtype.itemsize)
            self._open(self.path.with_suffix(".idx"), (self.sequences + 1) * 8)
        except BaseException:
            self.close()
            raise
        if backend == "mmap":
            self._mapped = [
                _map(self._files[0], self.dtype.newbyteorder("<")),
                _map(self._files[1], np.dtype("<u8")),
            ]

    @classmethod
    def write(
        cls,
        path: str | PathLike[str],
        sequences: Iterable[ArrayLike],
        *,
        vocab_size: int | None = None,
        vocabulary: Vocabulary | None = None,
    ) -> None:
        """Write a token file, sequence by sequence; memory is needed for one of them.

        Parameters
        ----------
        path : path
            NAME.bin.
        sequences : iterable of array_like of int, (n,)
            Ids in 0..V−1.
        vocab_size : int, optional
            V. 65,536 or less: two bytes an id, else four.
        vocabulary : Vocabulary, optional
            Gives V and its own SHA-256; one of the two must be given.

        Raises
        ------
        TypeError, ValueError
            An id is no integer in 0..V−1; whatever was there before is still there. Or NAME.json is
            there, and no record of a token file.
        OSError
            The disk is full, or the folder cannot be written to; likewise.
        """
        alone = ((sequence, None) for sequence in items("sequences", sequences))
        write_portions(path, alone, vocab_size=vocab_size, vocabulary=vocabulary)

    def __len__(self) -> int:
        """Return the number of tokens of all sequences."""
        return self._count

    def __getitem__(self, part: slice) -> NDArray[Any]:
        """Return the ids of a slice with step 1, (n,), as an array of their own.

        Raises
        ------
        ValueError
            NAME.bin is damaged: an id is V or more.
        """
        if not isinstance(part, slice) or part.step not in (None, 1):
            raise TypeError(f"a token file is read in slices with step 1, got {part!r}")
        start, stop, _ = part.indices(self._count)
        ids = self._read(0, start, max(start, stop), self.dtype.newbyteorder("<"))
        if self.vocab_size <= np.iinfo(self.dtype).max and (ids >= self.vocab_size).any():
            raise ValueError(
                f"{self.path} is damaged: {ids.max()} in {start}..{stop} is no id below "
                f"{self.vocab_size}"
            )
        return ids

    def sequence(self, i: int) -> NDArray[Any]:
        """Return the ids of sequence i, (n,).

        Raises
        ------
        ValueError
            There is no such sequence, or NAME.idx holds no increasing places.
        """
        i = integer("i", i, 0, self.sequences - 1)
        start, stop = self._read(1, i, i + 2, np.dtype("<u8")).tolist()
        if not start <= stop <= self._count:
            raise ValueError(f"{self.path.with_suffix('.idx')} is damaged at sequence {i}")
        return self[start:stop]

    def lengths(self) -> NDArray[np.int64]:
        """Return the lengths of all sequences, (sequences,), for `fastrnn.data.batches`.

        Raises
        ------
        ValueError
            NAME.idx is damaged: its places do not increase from 0 to the number of tokens.
        """
        places = self._read(1, 0, self.sequences + 1, np.dtype("<u8"))
        ends = int(places[0]), int(places[-1])
        if ends != (0, self._count) or (places[1:] < places[:-1]).any():
            raise ValueError(f"{self.path.with_suffix('.idx')} is damaged: its places are not ones")
        signed = places.view(np.int64)
        return signed[1:] - signed[:-1]

    def verify(self) -> None:
        """Read everything and compare it with the SHA-256 of the time of writing.

        Raises
        ------
        OSError
            A file cannot be read.
        ValueError
            The content of a file has changed.
        """
        for file, name in zip(self._files, ("bin", "idx"), strict=True):
            digest, place = hashlib.sha256(), 0
            while piece := os.pread(file.fileno(), _PIECE, place):
                digest.update(piece)
                place += len(piece)
            if digest.hexdigest() != self._record[f"{name}_sha256"]:
                raise ValueError(f"{file.name} is not what was written: its SHA-256 differs")

    def close(self) -> None:
        """Close the files; slices that were read stay good."""
        self._mapped = []
        for file in self._files:
            file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _open(self, path: Path, size: int) -> None:
        """Open a file for reading if it has this size."""
        file = open_regular(path)
        self._files.append(file)
        actual = os.fstat(file.fileno()).st_size
        if actual != size:
            raise ValueError(f"{path} must have {size} bytes as its .json says, got {actual}")

    def _read(self, which: int, start: int, stop: int, dtype: np.dtype[Any]) -> NDArray[Any]:
        """Return items start..stop of NAME.bin (0) or NAME.idx (1), in native byte order."""
        file = self._files[which]
        if file.closed:
            raise ValueError(f"{file.name} has been closed")
        if self._mapped:
            return self._mapped[which][start:stop].astype(dtype.newbyteorder("="))
        wanted, place = (stop - start) * dtype.itemsize, start * dtype.itemsize
        content = bytearray()
        while len(content) < wanted:
            piece = os.pread(file.fileno(), wanted - len(content), place + len(content))
            if not piece:
                raise OSError(f"{file.name} has become shorter since it was opened")
            content += piece
        return np.frombuffer(content, dtype).astype(dtype.newbyteorder("="))


def write_portions(
    path: str | PathLike[str],
    portions: Iterable[Portion],
    *,
    vocab_size: int | None = None,
    vocabulary: Vocabulary | None = None,
) -> None:
    """Write a token file as `TokenFile.write`, many sequences at a time.

    Parameters
    ----------
    portions : iterable of (ids, lengths)
        The ids of several sequences one after the other, and the length of each; None: it is one.
    """
    if (vocab_size is None) == (vocabulary is None):
        raise ValueError("vocab_size or vocabulary must be given, one of them")
    V = len(vocabulary) if vocabulary is not None else vocab_size
    V = integer("vocab_size", V, 1, 2**32)
    dtype = np.dtype("<u2" if V <= 2**16 else "<u4")
    path = file_path("path", path)
    index, commit = path.with_suffix(".idx"), path.with_suffix(".json")
    if path in (index, commit):
        raise ValueError(f"path must not end in {path.suffix}, got {path}")
    if commit.exists() and not is_format(commit, _FORMAT, _MAX_BYTES):
        raise ValueError(
            f"path: {path} needs {commit.name} beside it, which is another file already, such as a "
            "vocabulary: give one of them another name"
        )
    # They are renamed in the reverse order: the record comes last.
    with (
        atomic_write(commit) as file,
        atomic_write(path) as data,
        atomic_write(index) as places,
    ):
        record = {
            "format": _FORMAT,
            "version": 1,
            "dtype": dtype.newbyteorder("=").name,
            "vocab_size": V,
            "vocabulary_sha256": vocabulary.sha256 if vocabulary is not None else None,
            **_write_all(portions, V, dtype, data, places),
        }
        file.write(json.dumps(record, indent=1).encode())
        for part in (data, places, file):
            on_disk(part)
        remove(commit)  # from here to the new one, there is no token file


def _write_all(
    portions: Iterable[Portion], V: int, dtype: np.dtype[Any], data: IO[bytes], index: IO[bytes]
) -> dict[str, Any]:
    """Write all sequences and where they begin; return the counts and digests."""
    hashes = hashlib.sha256(), hashlib.sha256()
    count = total = 0

    def put(which: int, content: bytes) -> None:
        (data, index)[which].write(content)
        hashes[which].update(content)

    put(1, np.uint64(0).astype("<u8").tobytes())
    for sequence, lengths in portions:
        ids = as_ids(f"sequence {count}", sequence, V)
        if ids.ndim != 1:
            raise ValueError(f"sequence {count} must have shape (n,), got {ids.shape}")
        ends = total + np.cumsum([len(ids)] if lengths is None else lengths)
        put(0, ids.astype(dtype).tobytes())
        put(1, ends.astype("<u8").tobytes())
        count, total = count + len(ends), total + len(ids)
    return {
        "tokens": total,
        "sequences": count,
        "bin_sha256": hashes[0].hexdigest(),
        "idx_sha256": hashes[1].hexdigest(),
    }


def _read_record(path: Path) -> dict[str, Any]:
    """Return the checked content of NAME.json."""
    record = read_json(path, _MAX_BYTES)
    if not isinstance(record, dict) or record.get("format") != _FORMAT:
        raise ValueError(f"{path} is no record of a token file of fastrnn")
    if record.get("version") != 1 or set(record) != _KEYS:
        raise ValueError(f"{path} must hold {sorted(_KEYS)} of version 1, got {sorted(record)}")
    for name in ("vocab_size", "tokens", "sequences"):
        if type(record[name]) is not int or record[name] < 0:
            raise ValueError(f"{path}: {name} must be a number, 0 or more, got {record[name]!r}")
    if not 1 <= record["vocab_size"] <= 2**32:
        raise ValueError(f"{path}: vocab_size must be in 1..2^32, got {record['vocab_size']}")
    if record["dtype"] not in ("uint16", "uint32"):
        raise ValueError(f"{path}: dtype must be uint16 or uint32, got {record['dtype']!r}")
    return record


def _map(file: IO[bytes], dtype: np.dtype[Any]) -> NDArray[Any]:
    """Map a whole file; an empty one cannot be mapped."""
    if os.fstat(file.fileno()).st_size == 0:
        return np.empty(0, dtype)
    return np.memmap(file, dtype, "r")
