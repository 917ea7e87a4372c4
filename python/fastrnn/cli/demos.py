"""The experiments as sub-commands: the scripts of examples/, each of which has a function `run`.

A wheel has them in the folder ``fastrnn/examples``. They import fastrnn and what stands beside
them, so that anybody can copy the folder and change it.
"""

import sys
from collections.abc import Callable
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import typer
from typer.core import TyperGroup

from fastrnn.cli._flags import with_plain_flags
from fastrnn.cli._one_line import one_line

NAMES = (
    "binary_addition",
    "vanishing_gradient",
    "gradient_clipping",
    "long_lag",
    "copy_memory",
    "lstm_variants",
    "digit_rows",
    "char_lm",
    "reber",
    "counting",
    "spike_delay",
    "speakers",
    "gru_vs_lstm",
    "dna_bidirectional",
    "spanish_diacritics",
    "typos",
    "future_echo",
    "audio_callback",
    "word2vec",
    "vae_digits",
    "hred_memory",
    "vhred_modes",
    "chatbot",
    "addition_seq2seq",
    "dates_attention",
    "g2p",
    "parse_tree",
)
SHORT = {"vae": "vae_digits", "chat": "chatbot"}


def load(name: str) -> Callable[..., None]:
    """Return the function `run` of one experiment, which first looks whether it can draw."""
    script: Any = find_spec(f"fastrnn.examples.{name}")
    folder = str(Path(script.origin).parent)
    if folder not in sys.path:
        sys.path.insert(0, folder)  # as Python itself does for a script: it finds its neighbours
    run: Callable[..., None] = import_module("_script").drawn(import_module(name).run)
    return run


def command(run: Callable[..., None], name: str) -> Any:
    """Return an experiment as a command with its help and the error handling of the others."""
    app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
    app.command(name)(one_line(run))
    return with_plain_flags(typer.main.get_command(app))


class Demos(TyperGroup):
    """A group of commands whose modules load when one of them is asked for."""

    def list_commands(self, ctx: Any) -> list[str]:  # noqa: ARG002  as the base class has it
        """Return the names of all experiments."""
        return list(NAMES)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:  # noqa: ARG002
        """Return one experiment as a command, or None."""
        name = cmd_name.replace("-", "_")
        name = SHORT.get(name, name)
        return command(load(name), name) if name in NAMES else None

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """Find the experiment; what stands before its name would have no effect."""
        given = [n for n in ctx.params if ctx.get_parameter_source(n).name == "COMMANDLINE"]
        if given:
            ctx.fail(f"--{given[0]} stands before the name {args[0]}; put options behind it")
        return super().resolve_command(ctx, args)
