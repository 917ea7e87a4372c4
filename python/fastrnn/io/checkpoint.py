"""One file of named arrays and a JSON state, written whole and recognised when it is damaged.

The format is safetensors. Its metadata holds the SHA-256 of the whole file, taken with the 64
digits of that very sum set to zero: plain safetensors loads a third of all single-bit changes of a
header without a word.
"""

import hashlib
import json
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from fastrnn._checks import Array, integer
from fastrnn.io._error import CheckpointError
from fastrnn.io._files import NoRegularFileError, atomic_write, open_regular
from fastrnn.io._header import (
    METADATA,
    MOST_HEADER_BYTES,
    Header,
    check_header,
    check_name,
    header_length,
)
from fastrnn.io._json import strict_json

__all__ = ["Checkpoint", "load_checkpoint", "load_weights", "save_checkpoint"]

FORMAT = "1"
MOST_STATE_BYTES = 1 << 20
_DIGEST = re.compile(rb'"fastrnn\.sha256":"([0-9a-f]{64})"')
_OTHER_FILE = "take the checkpoint before it"
_NO_SUCH_FILE = "name a safetensors file, such as fastrnn writes"
# What other files begin with that people hand over as weights, and what to do with them.
_FOREIGN = {
    b"PK\x03\x04": "torch.load or numpy.load reads it; hand over the arrays by name",
    b"\x89HDF": "Keras reads it; hand over get_weights() to from_keras",
}


@dataclass(frozen=True)
class Checkpoint:
    """What a file held.

    Attributes
    ----------
    path : Path
        The file.
    tensors : dict of str to ndarray
        By name; fresh arrays that you may change.
    state : dict
        What JSON can say: numbers, strings, lists, dicts, None.
    """

    path: Path
    tensors: dict[str, Array]
    state: dict[str, Any]


def save_checkpoint(
    path: str | os.PathLike[str], tensors: Mapping[str, Array], state: Mapping[str, Any]
) -> None:
    """Write arrays and a state to one file that is there whole, or is the old one.

    Parameters
    ----------
    path : path
        Replaced if it exists; a symbolic link is followed.
    tensors : dict of str to ndarray
        Of any shape, strides and byte order; floating, integer or bool.
    state : dict
        What JSON can say without NaN, at most 1 MiB; what is larger belongs in a tensor.

    Raises
    ------
    ImportError
        safetensors is missing; the message says how to get it.
    OSError
        The file could not be written; the old one is still there, unless the message says that
        only its folder could not be synced.
    TypeError
        tensors is no mapping, one has a dtype that the format does not know, or the state is no
        JSON.
    ValueError
        A name or the state breaks a rule of the format.

    References
    ----------
    The safetensors format, https://github.com/huggingface/safetensors.

    Examples
    --------
    >>> import numpy as np
    >>> from fastrnn.io import load_checkpoint, save_checkpoint
    >>> save_checkpoint("a.safetensors", {"w": np.eye(2)}, {"step": 3})
    >>> load_checkpoint("a.safetensors").state
    {'step': 3}
    """
    if not isinstance(tensors, Mapping):
        raise TypeError(f"tensors must be a dict of arrays, got {type(tensors).__name__}")
    if not isinstance(state, Mapping):
        raise TypeError(f"state must be a dict, got {type(state).__name__}")
    require_safetensors()  # which reads it
    try:
        text = json.dumps(dict(state), allow_nan=False, ensure_ascii=True, separators=(",", ":"))
    except (TypeError, ValueError) as error:
        raise type(error)(f"state must be what JSON can say: {error}") from None
    if len(text) > MOST_STATE_BYTES:
        raise ValueError(
            f"state has {len(text)} bytes as JSON, more than {MOST_STATE_BYTES}; "
            "put what is large into tensors"
        )
    strict_json(text)  # what we would refuse to read is not written
    arrays = {name: _plain(name, array) for name, array in tensors.items()}
    arrays = dict(sorted(arrays.items(), key=lambda item: (-item[1].itemsize, item[0])))
    metadata = {"fastrnn.format": FORMAT, "fastrnn.state": text, "fastrnn.sha256": "0" * 64}
    front = _front(arrays, metadata)
    size = len(front) + sum(array.nbytes for array in arrays.values())
    start = _digits_of(front, check_header(front, size).end)
    digest = hashlib.sha256(front)
    # The arrays are hashed and written as they lie, without a copy of them all.
    parts = [array.reshape(-1).view(np.uint8).data for array in arrays.values()]
    for part in parts:
        digest.update(part)
    with atomic_write(path) as file:
        file.write(front[:start] + digest.hexdigest().encode() + front[start + 64 :])
        for part in parts:
            file.write(part)


def load_checkpoint(
    path: str | os.PathLike[str], *, verify: bool = True, max_bytes: int | None = None
) -> Checkpoint:
    """Read a file that `save_checkpoint` wrote.

    Parameters
    ----------
    path : path
        The file.
    verify : bool
        Compare the SHA-256. It finds every accident, and takes about 1 s per GB.
    max_bytes : int, optional
        Refuse a larger file before reading it.

    Returns
    -------
    Checkpoint
        Its tensors and its state.

    Raises
    ------
    fastrnn.CheckpointError
        The file is damaged, cut short, too large, or was not written by `save_checkpoint`.
    ImportError
        safetensors is missing; the message says how to get it.
    OSError
        The file could not be read.

    Examples
    --------
    >>> import numpy as np
    >>> from fastrnn.io import load_checkpoint, save_checkpoint
    >>> save_checkpoint("a.safetensors", {"w": np.eye(2)}, {})
    >>> load_checkpoint("a.safetensors").tensors["w"][0]
    array([1., 0.])
    """
    data, (end, metadata) = _read(path, max_bytes)
    if metadata.get("fastrnn.format") != FORMAT:
        raise CheckpointError(
            path,
            f"its format is {metadata.get('fastrnn.format')!r}, not {FORMAT!r}",
            "load_weights reads safetensors files of other programs",
        )
    if verify:
        _verify(path, data, end, metadata)
    tensors = _parse(path, data)
    try:
        text = metadata.get("fastrnn.state", "")
        if len(text) > MOST_STATE_BYTES:
            raise ValueError(f"its state has {len(text)} bytes, more than {MOST_STATE_BYTES}")
        state = strict_json(text)
        if not isinstance(state, dict):
            raise ValueError("its state is no JSON object")
    except ValueError as error:
        raise CheckpointError(path, str(error), _OTHER_FILE) from None
    return Checkpoint(Path(path), tensors, state)


def load_weights(
    path: str | os.PathLike[str], *, verify: bool = False, max_bytes: int | None = None
) -> dict[str, Array]:
    """Read the tensors of any safetensors file, whoever wrote it.

    Parameters
    ----------
    path : path
        The file.
    verify : bool
        Compare the SHA-256 of a file that has ours; nothing vouches for the bits of others.
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
    >>> from fastrnn.io import load_weights, save_checkpoint
    >>> save_checkpoint("a.safetensors", {"w": np.eye(2)}, {})
    >>> sorted(load_weights("a.safetensors"))
    ['w']
    """
    data, (end, metadata) = _read(path, max_bytes)
    tensors = _parse(path, data)
    if verify and metadata.keys() & {"fastrnn.format", "fastrnn.sha256"}:  # one may be damaged
        _verify(path, data, end, metadata)
    return tensors


def require_safetensors() -> Any:
    """Return safetensors' NumPy half, or raise ImportError that says how to get it."""
    try:
        import safetensors.numpy
    except ImportError as error:
        raise ImportError(
            'checkpoints need safetensors: pip install "fastrnn[train]" gives it to you'
        ) from error
    return safetensors.numpy


def _plain(name: str, array: Array) -> Array:
    """Return the array as the format wants it."""
    if not isinstance(name, str):
        raise TypeError(f"a tensor name must be a str, got {name!r}")
    check_name(name)
    if name == METADATA:
        raise ValueError(f"no tensor may be called {METADATA!r}")
    plain = np.asarray(array, order="C")
    if plain.dtype.kind not in "fiub" or plain.dtype.itemsize > 8:
        raise TypeError(f"tensor {name!r} must be floating, integer or bool, got {plain.dtype}")
    return plain.astype(plain.dtype.newbyteorder("<"), copy=False)


def _front(arrays: Mapping[str, Array], metadata: Mapping[str, str]) -> bytes:
    """Return all that stands before the arrays, which follow in this order: large items first."""
    entries: dict[str, Any] = {METADATA: metadata}
    end = 0
    for name, array in arrays.items():
        begin, end = end, end + array.nbytes
        code = "BOOL" if array.dtype.kind == "b" else f"{array.dtype.kind}{8 * array.itemsize}"
        shape = list(array.shape)
        entries[name] = {"dtype": code.upper(), "shape": shape, "data_offsets": [begin, end]}
    header = json.dumps(entries, separators=(",", ":")).encode()
    header += b" " * (-len(header) % 8)
    if len(header) % 256 == 0x80 and len(header) // 256 % 256 < 6:  # would begin like a pickle
        header += b" " * 8
    return len(header).to_bytes(8, "little") + header


def _read(path: str | os.PathLike[str], max_bytes: int | None) -> tuple[bytes, Header]:
    """Return the whole file and its header; most of what is wrong is seen in the header alone."""
    try:
        file = open_regular(path)
    except (IsADirectoryError, NoRegularFileError):
        raise CheckpointError(path, "it is no regular file", "name a file") from None
    with file:
        size = os.fstat(file.fileno()).st_size
        if max_bytes is not None and size > integer("max_bytes", max_bytes, 0):
            raise CheckpointError(
                path, f"it has {size} bytes, more than {max_bytes}", "raise max_bytes"
            )
        front = file.read(8)
        front += file.read(min(header_length(front), MOST_HEADER_BYTES))
        try:
            header = check_header(front, size)
        except ValueError as error:
            hints = [hint for start, hint in _FOREIGN.items() if front.startswith(start)]
            ours = b'"fastrnn.' in front  # damaged, rather than something else
            hints.append(_OTHER_FILE if ours else _NO_SUCH_FILE)
            raise CheckpointError(path, str(error), hints[0]) from None
        file.seek(0)
        return file.read(size), header


def _parse(path: str | os.PathLike[str], data: bytes) -> dict[str, Array]:
    """Return the tensors of a file whose header has been checked."""
    library = require_safetensors()
    try:
        tensors = library.load(data)
    except KeyError as error:  # that is how the library answers a dtype that NumPy lacks
        raise CheckpointError(
            path, f"NumPy has no dtype {error.args[0]!r}", "convert it to float32 first"
        ) from None
    except Exception as error:  # noqa: BLE001  its own exception class differs between versions
        text = " ".join(str(error).split())
        raise CheckpointError(path, f"it is no safetensors file ({text})", _OTHER_FILE) from None
    return {
        name: array if array.flags.writeable else array.copy() for name, array in tensors.items()
    }


def _digits_of(data: bytes, end: int) -> int:
    """Return where the digits of the digest start; a quote inside of a string would be escaped."""
    digests = [match.start(1) for match in _DIGEST.finditer(data, 8, end)]
    if len(digests) != 1:
        raise ValueError(f"it has {len(digests)} checksums instead of one")
    return digests[0]


def _verify(
    path: str | os.PathLike[str], data: bytes, end: int, metadata: Mapping[str, str]
) -> None:
    try:
        start = _digits_of(data, end)
    except ValueError as error:
        raise CheckpointError(path, str(error), _OTHER_FILE) from None
    view = memoryview(data)
    digest = hashlib.sha256(view[:start])
    digest.update(b"0" * 64)
    digest.update(view[start + 64 :])
    if digest.hexdigest() != metadata.get("fastrnn.sha256"):
        reason = "its SHA-256 is not the one it was written with: it is damaged"
        raise CheckpointError(path, reason, _OTHER_FILE)
