"""The experiments as sub-commands: the files of examples/, each of which has a function `run`.

They are installed as ``fastrnn.examples``, the same files that a reader opens under ``examples/``:
one copy, which works from a wheel, and which stays a script that one can take away and change.
"""

from collections.abc import Callable, Sequence
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
import typer
from typer import Option
from typer.core import TyperGroup

from fastrnn.cli._flags import with_plain_flags
from fastrnn.cli._one_line import one_line

if TYPE_CHECKING:
    from matplotlib.figure import Figure

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

Quick = Annotated[bool, Option("--quick", help="A short look, in seconds; no figure to quote.")]
Seeds = Annotated[int, Option("--seeds", min=1, metavar="K", help="Runs, with seeds 0..K-1.")]
Plot = Annotated[Path | None, Option("--plot", metavar="DIR", help="Folder for the pictures.")]


def load(name: str) -> Callable[..., None]:
    """Return the function `run` of one experiment."""
    run: Callable[..., None] = import_module(f"fastrnn.examples.{name}").run
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


def standalone(run: Callable[..., None]) -> None:
    """Run one experiment as a script of its own: ``python examples/NAME.py --quick``."""
    command(run, run.__module__)()


def spread(values: Sequence[float], digits: int = 4) -> str:
    """Return mean ± sample deviation (n − 1) as text; of one value, which has none, itself."""
    mean = f"{np.mean(values):,.{digits}f}"
    return mean if len(values) == 1 else f"{mean} ± {np.std(values, ddof=1):,.{digits}f}"


def plural(count: int, what: str) -> str:
    """Return a count with its noun: 1 seed, 2 seeds."""
    return f"{count:,} {what}" + "s" * (count != 1)


def save(figure: "Figure", folder: Path, name: str) -> None:
    """Write a picture as folder/name.png, and say so."""
    from fastrnn import plot

    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}.png"
    plot.save(figure, path)
    print(f"picture: {path}")
