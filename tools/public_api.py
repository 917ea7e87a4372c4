"""The public interface as text: every name and signature, and every command with its options.

Usage: python tools/public_api.py [FILE]. Prints it, or writes it to FILE, where parts whose
optional package is missing here keep the lines that they had. `make api` writes
tests/public_api.txt, with which tests/test_public_api.py compares.
"""

import enum
import importlib
import inspect
import os
import pkgutil
import re
import sys
from argparse import ArgumentParser
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import fastrnn

# What one calls by a symbol instead of by a name.
SPECIAL = {
    "__call__", "__contains__", "__enter__", "__getitem__", "__iter__", "__len__", "__setitem__",
}  # fmt: skip
COMMANDS = "fastrnn.cli"


def public_modules() -> list[str]:
    """Return `fastrnn` and what stands directly in it and has no underscore."""
    folder = Path(fastrnn.__file__).parent  # __path__ of an editable install has more folders
    names = [module.name for module in pkgutil.iter_modules([str(folder)])]
    return ["fastrnn", *sorted(f"fastrnn.{name}" for name in names if not name.startswith("_"))]


def lines_of(module_name: str) -> list[str]:
    """Return the lines of one public module, sorted; ImportError where a package is missing."""
    module = importlib.import_module(module_name)
    lines = list(commands()) if module_name == COMMANDS else []
    for name in public_names(module):
        value, path = getattr(module, name), f"{module_name}.{name}"
        other = None if module is fastrnn else elsewhere(module_name, name, value)
        lines += [f"{path}: {other}"] if other else entry(path, value)
    return sorted(set(lines))


def elsewhere(module_name: str, name: str, value: Any) -> str | None:
    """Return the place of which a name is another one: `fastrnn` itself, or where it is made."""
    if getattr(fastrnn, name, None) is value:
        return f"fastrnn.{name}"
    home = ".".join((getattr(value, "__module__", None) or "").split(".")[:2])
    own = getattr(value, "__name__", name)
    if home in {module_name, "fastrnn"} or home not in public_modules():
        return None
    there = importlib.import_module(home)
    same = own in public_names(there) and getattr(there, own) is value
    return f"{home}.{own}" if same else None


def public_names(module: ModuleType) -> list[str]:
    """Return `__all__` of a module, or what it defines where it has none."""
    if hasattr(module, "__all__"):
        return list(module.__all__)
    own = module.__name__
    return [
        name
        for name, value in vars(module).items()
        if not name.startswith("_") and getattr(value, "__module__", None) == own
    ]


def entry(path: str, value: Any) -> list[str]:
    """Return the line of an object, and those of its members if it is a class."""
    if inspect.ismodule(value):
        return [f"{path}: module"]
    if inspect.isclass(value):
        return [f"{path}: class {arguments(value)}", *members(path, value)]
    if callable(value):
        return [f"{path}{arguments(value)}"]
    return [f"{path} = {word(value)}"]


def members(path: str, cls: type) -> Iterator[str]:
    """Yield the lines of what a class offers by a name, its own and what it has from ours."""
    ours = [base for base in cls.__mro__ if base.__module__.split(".")[0] == "fastrnn"]
    seen = set()
    for base in ours:
        for name, value in vars(base).items():
            if name in seen or (name.startswith("_") and name not in SPECIAL):
                continue
            seen.add(name)
            yield f"{path}.{name}{member(value)}"
        for name in [*vars(base).get("__annotations__", {}), *documented(base)]:
            if not name.startswith("_") and name not in seen:
                seen.add(name)
                yield f"{path}.{name}: attribute"


def documented(cls: type) -> list[str]:
    """Return the names in the section "Attributes" of a class's docstring."""
    text = inspect.cleandoc(cls.__doc__ or "")
    _, _, section = text.partition("\nAttributes\n----------\n")
    section = re.split(r"^\w.*\n---", section, maxsplit=1, flags=re.MULTILINE)[0]
    lines = re.findall(r"^([a-z][\w, ]*?)(?: *:.*)?$", section, re.MULTILINE)
    return [name.strip() for line in lines for name in line.split(",")]


def member(value: Any) -> str:
    """Return how a member of a class is used."""
    if isinstance(value, (classmethod, staticmethod)):
        return f"{arguments(value.__func__)} {type(value).__name__}"
    if inspect.isfunction(value):
        return arguments(value)
    if isinstance(value, enum.Enum):
        return f" = {word(value.value)}"
    return ": attribute"


def arguments(value: Any) -> str:
    """Return the arguments of a callable with their defaults; types are left to mypy."""
    if inspect.isclass(value) and (
        issubclass(value, enum.Enum) or "__init__" not in own_names(value)
    ):
        return ""  # what Python says of these differs between its versions
    try:
        signature = inspect.signature(value)
    except ValueError:  # a class of the core says nothing
        return ""
    plain = [
        parameter.replace(
            annotation=inspect.Parameter.empty,
            default=parameter.default
            if parameter.default is inspect.Parameter.empty
            else Word(word(parameter.default)),
        )
        for parameter in signature.parameters.values()
    ]
    return str(inspect.Signature(plain))


def own_names(cls: type) -> set[str]:
    """Return the names that a class defines itself or has from another class of ours."""
    ours = [base for base in cls.__mro__ if base.__module__.split(".")[0] == "fastrnn"]
    named_tuple = {"__init__"} if hasattr(cls, "_fields") else set()
    return {name for base in ours for name in vars(base)} | named_tuple


class Word(str):
    """A text that stands for itself where Python would put it in quotes."""

    __slots__ = ()

    def __repr__(self) -> str:
        return str(self)


def word(value: Any) -> str:
    """Return a default or a constant as one would write it."""
    if inspect.isclass(value) or inspect.isroutine(value):
        return str(value.__name__)
    if isinstance(value, (list, tuple, set, frozenset)) and len(value) > 20:
        return f"{type(value).__name__} of {len(value)}"
    said = repr(str(value) if isinstance(value, os.PathLike) else value)
    return f"<{type(value).__name__}>" if " at 0x" in said else said


def commands() -> Iterator[str]:
    """Yield the commands of the command line with their arguments and options."""
    main = importlib.import_module("typer.main")
    app = importlib.import_module("fastrnn.cli._app").app
    yield from command_lines("fastrnn", main.get_command(app))


def command_lines(path: str, command: Any) -> Iterator[str]:
    """Yield the lines of a command and of those below it."""
    yield f"$ {path}"
    for parameter in command.params:
        names = " ".join(sorted([*parameter.opts, *parameter.secondary_opts]))
        how = "argument" if parameter.param_type_name == "argument" else "option"
        more = " required" if parameter.required else ""
        many = " many" if parameter.multiple or parameter.nargs != 1 else ""
        yield f"$ {path} {names}: {how}{more}{many}{default_of(parameter)}"
    for name, below in sorted(getattr(command, "commands", {}).items()):
        yield from command_lines(f"{path} {name}", below)


def default_of(parameter: Any) -> str:
    """Return the default of an option, if it is one that can be written."""
    default = parameter.default
    if default in (None, (), []) or callable(default) or type(default).__name__ == "Sentinel":
        return ""
    return f" = {word(getattr(default, 'value', default))}"


def write(path: Path) -> None:
    """Write the text of all modules; one that cannot be loaded here keeps its old lines."""
    before = parts(path.read_text("utf-8")) if path.exists() else {}
    text = []
    for name in public_modules():
        try:
            lines = lines_of(name)
        except ImportError as error:
            print(f"{name} keeps its lines: {error}", file=sys.stderr)
            lines = before.get(name, [])
        text += [f"# {name}", *lines, ""]
    path.write_text("\n".join(text), "utf-8")


def parts(text: str) -> dict[str, list[str]]:
    """Return the lines of each module of such a text."""
    found: dict[str, list[str]] = {}
    for line in text.splitlines():
        if line.startswith("# "):
            lines = found.setdefault(line[2:], [])
        elif line:
            lines.append(line)
    return found


if __name__ == "__main__":
    parser = ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("file", nargs="?", type=Path, help="write it there; default: print it")
    target = parser.parse_args().file
    if target:
        write(target)
    else:
        for module in public_modules():
            print(f"# {module}", *lines_of(module), "", sep="\n")
