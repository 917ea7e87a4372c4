"""Flags as flags: what takes no value shows none in ``--help``, where Typer writes ``<bool>``."""

from typing import Any

import typer


def with_plain_flags(command: Any) -> Any:
    """Return a command, or a group with all of its own, whose flags show no type."""
    own_help = command.get_help_option(typer.Context(command))
    for option in (*command.params, *([own_help] if own_help else [])):
        if getattr(option, "is_flag", False):
            option.metavar = ""
    for inner in getattr(command, "commands", {}).values():
        with_plain_flags(inner)
    return command
