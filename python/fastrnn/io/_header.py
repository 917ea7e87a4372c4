"""Checks on the header of a safetensors file that can only refuse; they run before its parser.

The official parser alone decides where a tensor lies. What is refused here is what makes parsers
slow, large or ambiguous: huge headers, a million names, a key that comes twice.
"""

import unicodedata
from typing import Any, NamedTuple

from fastrnn.io._json import count_parts, strict_json

MOST_HEADER_BYTES = 16 << 20
MOST_TENSORS = 65_536
MOST_KEYS = 4 * MOST_TENSORS + 4096  # a tensor has four; the rest is for metadata
MOST_NAME_BYTES = 256
MOST_ITEMS = 16 * MOST_TENSORS  # a tensor has ten with two axes
MOST_ELEMENTS = 2**48  # of a tensor with no bytes at all, whose axes nothing else bounds
METADATA = "__metadata__"


class Header(NamedTuple):
    """What the front of the file says.

    Attributes
    ----------
    end : int
        Bytes before the first tensor.
    metadata : dict of str to str
        Empty if there is none.
    """

    end: int
    metadata: dict[str, str]


def check_header(data: bytes, size: int) -> Header:
    """Return the header of a safetensors file, or raise ValueError with what is wrong.

    Parameters
    ----------
    data : bytes
        The front of the file, or all of it.
    size : int
        How many bytes the file has.

    Examples
    --------
    >>> from fastrnn.io._header import check_header
    >>> check_header((2).to_bytes(8, "little") + b"{}", 10)
    Header(end=10, metadata={})
    """
    if size < 8:
        raise ValueError(f"it has {size} bytes, fewer than the 8 that every file starts with")
    length = header_length(data)
    if length > MOST_HEADER_BYTES:
        raise ValueError(
            f"it is no safetensors file: its header claims {length} bytes, "
            f"more than {MOST_HEADER_BYTES}"
        )
    if length > size - 8:
        raise ValueError(f"its header claims {length} bytes, but only {size - 8} follow")
    text = data[8 : 8 + length]
    keys, items = count_parts(text)  # before JSON makes a million objects of them
    if keys > MOST_KEYS:
        raise ValueError(f"its header has {keys} keys, more than {MOST_KEYS}")
    if items > MOST_ITEMS:
        raise ValueError(f"its header has {items} lists and items, more than {MOST_ITEMS}")
    content = strict_json(text)
    if not isinstance(content, dict):
        raise ValueError("its header is no JSON object")
    metadata = content.pop(METADATA, {})
    if len(content) > MOST_TENSORS:
        raise ValueError(f"it holds {len(content)} tensors, more than {MOST_TENSORS}")
    for name, entry in content.items():
        check_name(name)
        _check_entry(name, entry)
    ends = [entry["data_offsets"][1] for entry in content.values()]
    if 8 + length + max(ends, default=0) != size:  # before so many bytes are read
        raise ValueError(f"its tensors end at byte {8 + length + max(ends, default=0)} of {size}")
    if not isinstance(metadata, dict) or not all(isinstance(v, str) for v in metadata.values()):
        raise ValueError("its metadata is not an object of strings")
    return Header(8 + length, metadata)


def header_length(data: bytes) -> int:
    """Return how many bytes of JSON the first eight bytes of a file claim."""
    return int.from_bytes(data[:8], "little")


def check_name(name: str) -> None:
    """Raise ValueError if a tensor may not have this name."""
    try:
        length = len(name.encode("utf-8"))
    except UnicodeEncodeError:
        raise ValueError(f"the tensor name {name[:40]!r} is not UTF-8") from None
    if not 0 < length <= MOST_NAME_BYTES:
        raise ValueError(
            f"a tensor name must have 1..{MOST_NAME_BYTES} bytes, {name[:40]!r} has {length}"
        )
    if any(unicodedata.category(character) == "Cc" for character in name):
        raise ValueError(f"the tensor name {name[:40]!r} has a control character")


def _check_entry(name: str, entry: Any) -> None:
    right = isinstance(entry, dict) and entry.keys() == {"dtype", "shape", "data_offsets"}
    right = right and isinstance(entry["dtype"], str)
    for key in ("shape", "data_offsets"):
        right = right and isinstance(entry[key], list) and len(entry[key]) <= 64
    right = right and len(entry["data_offsets"]) == 2
    for key in ("shape", "data_offsets"):
        right = right and all(type(number) is int and number >= 0 for number in entry[key])
    if right and any(size > MOST_ELEMENTS for size in entry["shape"]):
        raise ValueError(f"the tensor {name[:40]!r} has an axis of more than {MOST_ELEMENTS}")
    if not right:
        raise ValueError(f"the entry of tensor {name[:40]!r} is not one of safetensors")
