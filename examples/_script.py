"""What every experiment has as a command: its options, its pictures, figures as text, its start.

`run` of a script is a command of its own, ``python examples/NAME.py --quick``, and the same as
``fastrnn demo NAME --quick``. Its options are the parameters of the function (typer).
"""

import functools
import re
from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from typer import Option

from fastrnn import plot as pictures

Quick = Annotated[bool, Option("--quick", help="A short look, in seconds; no figure to quote.")]
Seeds = Annotated[int, Option("--seeds", min=1, metavar="K", help="Runs, with seeds 0..K-1.")]
Plot = Annotated[Path, Option("--plot", metavar="DIR", help="Folder for the pictures.")]
PICTURES = Path("fastrnn-demo")


def drawn(run):
    """Let an experiment fail before its training where it could not draw its pictures after it."""

    @functools.wraps(run)
    def ready(plot, quick, **options):
        pictures.require_matplotlib()
        plot.mkdir(parents=True, exist_ok=True)
        if quick:
            print("--quick: too short to learn all that the whole run shows; no figure to quote")
        run(plot=plot, quick=quick, **options)

    return ready


def standalone(run):
    """Run an experiment as a script of its own."""
    app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
    app.command()(drawn(run))
    app()


def spread(values, digits=4):
    """Mean ± sample deviation (n − 1) as text; of one value, which has none, itself."""
    mean = f"{np.mean(values):,.{digits}f}"
    return mean if len(values) == 1 else f"{mean} ± {np.std(values, ddof=1):,.{digits}f}"


def plural(count, what):
    """A count with its noun: 1 seed, 2 seeds."""
    return f"{count:,} {what}" + "s" * (count != 1)


def save(figure, folder, name):
    """Write a picture as folder/name.png, with letters and digits alone in its name; and say so."""
    path = folder / f"{re.sub(r'[^A-Za-z0-9]+', '_', name).strip('_')}.png"
    pictures.save(figure, path)
    print(f"picture: {path}")
