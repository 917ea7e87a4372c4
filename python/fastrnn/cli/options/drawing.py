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
    Option(min=0.0, metavar="X", callback=finite, help="1 as learned, 0 no chance at all."),
]
TopK = Annotated[
    int | None, Option(min=1, metavar="K", help="Draw from the K likeliest symbols only.")
]
TopP = Annotated[
    float | None,
    Option(min=0.0, max=1.0, metavar="P", help="Draw from the likeliest that sum to P only."),
]
Seed = Annotated[
    int | None, Option(min=0, metavar="K", help="Seed of the draws: another one each time.")
]
