"""JSON of files: from a stranger read strictly, so that it means one thing to every reader."""

import json
import math
import os
from typing import Any, NamedTuple

import numpy as np

from fastrnn.io._files import not_utf8, read_regular

DEPTH = 32
_BLOCK = 1 << 20  # bytes that are counted at a time


class Parts(NamedTuple):
    """How many things a JSON text would make, counted before any of them is made.

    Attributes
    ----------
    keys : int
        Of all objects.
    items : int
        Objects, lists, and the commas between what they hold.
    """

    keys: int
    items: int


def count_parts(text: bytes) -> Parts:
    """Count what stands outside of strings, in linear time and without nesting.

    Examples
    --------
    >>> from fastrnn.io._json import count_parts
    >>> count_parts(b'{"a": [1, "[]"], "b": {}}')
    Parts(keys=2, items=5)
    """
    # Without its escapes, every quote begins or ends a string.
    text = text.replace(b"\\\\", b"").replace(b'\\"', b"")
    keys = items = within = 0
    for start in range(0, len(text), _BLOCK):
        block = np.frombuffer(text, np.uint8, min(_BLOCK, len(text) - start), start)
        quotes = np.cumsum(block == ord('"')) + within
        outside = block[quotes % 2 == 0].tobytes()
        keys += outside.count(b":")
        items += sum(map(outside.count, (b"[", b"{", b",")))
        within = int(quotes[-1]) % 2
    return Parts(keys, items)


def strict_json(text: bytes | str) -> Any:
    """Return what a JSON text says, or raise ValueError with the rule that it breaks.

    Parameters
    ----------
    text : bytes or str
        UTF-8. No key may come twice in one object, numbers are finite and integers are below
        2⁶³ in size, nesting ends at 32 levels.

    Examples
    --------
    >>> from fastrnn.io._json import strict_json
    >>> strict_json('{"a": [1, 2.5]}')
    {'a': [1, 2.5]}
    """
    try:
        value = json.loads(
            text.decode("utf-8") if isinstance(text, bytes) else text,
            object_pairs_hook=_object,
            parse_int=_integer,
            parse_float=_float,
            parse_constant=_constant,
        )
    except RecursionError:
        raise ValueError(f"it is nested deeper than {DEPTH} levels") from None
    except UnicodeDecodeError as error:
        raise ValueError(not_utf8("it", error)) from None
    except json.JSONDecodeError as error:
        raise ValueError(f"it is no JSON: {error.msg} at character {error.pos}") from None
    _check_depth(value)
    return value


def read_json(path: str | os.PathLike[str], max_bytes: int) -> Any:
    """Return what a JSON file says, read as `strict_json` does.

    Raises
    ------
    OSError
        It cannot be read.
    ValueError
        It is larger than `max_bytes`, or breaks a rule; the message names the file.
    """
    text = read_regular(path, max_bytes)
    try:
        return strict_json(text)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None


def is_format(path: str | os.PathLike[str], name: str, max_bytes: int) -> bool:
    """Return whether a file is JSON of this ``format``; what is no JSON at all is not.

    Raises
    ------
    OSError
        It cannot be read.
    """
    try:
        content = read_json(path, max_bytes)
    except ValueError:
        return False
    return isinstance(content, dict) and content.get("format") == name


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) < len(pairs):
        seen: set[str] = set()
        twice = next(key for key, _ in pairs if key in seen or seen.add(key))  # type: ignore[func-returns-value]
        raise ValueError(f"the key {twice[:80]!r} comes twice")
    return made


def _integer(digits: str) -> int:
    if len(digits) > 20 or not -(2**63) < int(digits) < 2**63:
        raise ValueError(f"the integer {digits[:24]} is not below 2**63 in size")
    return int(digits)


def _float(digits: str) -> float:
    value = float(digits)
    if not math.isfinite(value):
        raise ValueError(f"the number {digits[:24]} is not finite")
    return value


def _constant(name: str) -> float:
    raise ValueError(f"{name} is no number of JSON")


def _check_depth(value: Any) -> None:
    level = [value]
    for _ in range(DEPTH):
        inner: list[Any] = []
        for item in level:
            if isinstance(item, dict):
                inner.extend(item.values())
            elif isinstance(item, list):
                inner.extend(item)
        level = [item for item in inner if isinstance(item, (dict, list))]
        if not level:
            return
    raise ValueError(f"it is nested deeper than {DEPTH} levels")


def plain(value: Any) -> Any:
    """Return an option as JSON can say it: NumPy's numbers and dtypes as Python's and names."""
    if isinstance(value, np.dtype):
        return value.name
    if isinstance(value, (list, tuple)):
        made = [plain(each) for each in value]
        return tuple(made) if isinstance(value, tuple) else made
    if isinstance(value, dict):
        return {key: plain(each) for key, each in value.items()}
    return value.tolist() if isinstance(value, (np.generic, np.ndarray)) else value
