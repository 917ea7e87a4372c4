"""Options that every command shares which draws from probabilities."""

import math
from typing import Annotated

import typer
from typer import Option


def finite(value: float | None) -> float | None:
    """Refuse what is no finite number; Typer's check of a range lets nan and inf through."""
    if value is not None and not math.isfinite(value):
        raise typer.BadParameter(f"{value} is not a finite number")
    return value


Temperature = Annotated[
    float,
    Option(min=0.0, metavar="X", callback=finite, help="Sampling temperature; 0: the likeliest."),
]
TopK = Annotated[
    int | None, Option(min=1, metavar="K", help="Sample from the K likeliest symbols only.")
]
TopP = Annotated[
    float | None,
    Option(min=0.0, max=1.0, metavar="P", help="Sample from the likeliest with sum P only."),
]
Seed = Annotated[
    int | None, Option(min=0, metavar="K", help="Seed; default: another one each time.")
]
