"""A TOML file whose every key must be an argument of the function that it is for.

So the keys are those of the Python interface, nothing is read and forgotten, and an error names
the file, the section and the key.
"""

import inspect
import re
import tomllib
from collections.abc import Callable, Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Any, TypeVar

from fastrnn.io._files import not_utf8, read_regular

R = TypeVar("R")
_MOST_BYTES = 1 << 16  # of a configuration
# Python's reader takes a time that grows with the square of a key's parts.
_LONG_KEY = re.compile(
    r"""(?<![\w-])(?:(?:[\w-]++|"[^"\n]*+"|'[^'\n]*+')[ \t]*+\.[ \t]*+){33}"""
)


class Config:
    """The sections of one file.

    Parameters
    ----------
    path : Path
        The file.
    sections : tuple of str
        Those that it may have.

    Raises
    ------
    OSError
        The file could not be read.
    ValueError
        It is no TOML, has an unknown section, or a key outside of all sections.
    """

    def __init__(self, path: Path, sections: tuple[str, ...]) -> None:
        self.path = path
        try:
            text = read_regular(path, _MOST_BYTES).decode("utf-8")
            if _LONG_KEY.search(text):
                raise ValueError("a key has more than 32 dots")
            content = tomllib.loads(text)
        except UnicodeDecodeError as error:
            raise ValueError(not_utf8(path, error)) from None
        except (ValueError, RecursionError) as error:
            raise ValueError(f"{path}: it is no TOML: {error}") from None
        for name, value in content.items():
            if not isinstance(value, dict):
                raise ValueError(f"{path}: {name} must stand in a section, one of {list(sections)}")
            if name not in sections:
                raise ValueError(f"{path}: unknown section [{name}]{_instead(name, sections)}")
        self._content = content

    def section(self, name: str) -> dict[str, Any]:
        """Return a copy of one section; empty if it is not there."""
        return dict(self._content.get(name, {}))

    def error(self, section: str, text: str) -> ValueError:
        """Return an error that says where in the file it is."""
        return ValueError(f"{self.path}: [{section}] {text}")

    def choice(
        self, section: str, key: str, choices: Mapping[str, R], default: str | None = None
    ) -> tuple[R, dict[str, Any]]:
        """Return what a key chooses, and the rest of its section.

        default is what an absent or empty section chooses.
        """
        table = self.section(section)
        if not table and default is not None:
            table = {key: default}
        if key not in table:
            close = get_close_matches(key, table, 1)
            meant = f", got {close[0]}; did you mean {key}?" if close else ""
            raise self.error(section, f"needs {key}, one of {', '.join(choices)}{meant}")
        name = table.pop(key)
        if not isinstance(name, str) or name not in choices:
            raise self.error(section, f"{key} must be one of {', '.join(choices)}, got {name!r}")
        return choices[name], table

    def call(
        self,
        section: str,
        function: Callable[..., R],
        table: Mapping[str, Any],
        also: Sequence[str] = (),
        **given: Any,
    ) -> R:
        """Call the function with a table of the file and what is given beside it.

        Parameters
        ----------
        section, function, table, **given
            The function's arguments are the section's keys, but for those that are given.
        also : sequence of str
            Keys that its ``**options`` take, or that were read before: who misspells one is told.

        Raises
        ------
        ValueError
            A key is unknown or missing, or the function refused a value.
        """
        self.check(section, table, known=[*self.keys(function, given), *also])
        for name, parameter in inspect.signature(function).parameters.items():
            optional = parameter.default is not parameter.empty
            optional = optional or parameter.kind is parameter.VAR_KEYWORD
            if not optional and name not in {*table, *given}:
                raise self.error(section, f"needs {name}")
        try:
            return function(**table, **given)
        except (TypeError, ValueError) as error:
            raise self.error(section, str(error)) from error

    def keys(self, function: Callable[..., Any], given: Mapping[str, Any] = {}) -> list[str]:
        """Return the arguments of a function that a file may set."""
        parameters = inspect.signature(function).parameters.values()
        named = [p.name for p in parameters if p.kind not in (p.VAR_KEYWORD, p.VAR_POSITIONAL)]
        return [name for name in named if name not in {*given, "self", "rng"}]

    def check(self, section: str, table: Mapping[str, Any], known: list[str]) -> None:
        """Refuse a key that is not one of the known."""
        for key in table:
            if key not in known:
                raise self.error(section, f"unknown key {key}{_instead(key, known)}")


def _instead(name: str, known: Any) -> str:
    close = get_close_matches(name, known, 1)
    return f", did you mean {close[0]}?" if close else f"; known are {', '.join(known)}"
