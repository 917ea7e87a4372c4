"""What every experiment has as a command: its options, its pictures, figures as text, its start.

`run` of a script is a command of its own, ``python examples/NAME.py --quick``, and the same as
``fastrnn demo NAME --quick``. Its options are the parameters of the function (typer).
"""

from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from typer import Option

from fastrnn import plot as pictures

Quick = Annotated[bool, Option("--quick", help="A short look, in seconds; no figure to quote.")]
Seeds = Annotated[int, Option("--seeds", min=1, metavar="K", help="Runs, with seeds 0..K-1.")]
Plot = Annotated[Path | None, Option("--plot", metavar="DIR", help="Folder for the pictures.")]


def standalone(run):
    """Run an experiment as a script of its own."""
    app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
    app.command()(run)
    app()


def spread(values, digits=4):
    """Mean ± sample deviation (n − 1) as text; of one value, which has none, itself."""
    mean = f"{np.mean(values):,.{digits}f}"
    return mean if len(values) == 1 else f"{mean} ± {np.std(values, ddof=1):,.{digits}f}"


def plural(count, what):
    """A count with its noun: 1 seed, 2 seeds."""
    return f"{count:,} {what}" + "s" * (count != 1)


def save(figure, folder, name):
    """Write a picture as folder/name.png, and say so."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}.png"
    pictures.save(figure, path)
    print(f"picture: {path}")
