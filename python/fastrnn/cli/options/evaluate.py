"""The options of ``fastrnn evaluate``."""

from pathlib import Path
from typing import Annotated

from typer import Argument, Option

from fastrnn.cli._one_line import one_line


@one_line
def evaluate(
    model: Annotated[Path, Argument(metavar="MODEL", help="Model file, or folder of a training.")],
    data: Annotated[Path, Argument(metavar="DATA", help="What to judge the model by.")],
    references: Annotated[
        Path | None,
        Option(metavar="FILE", help="What is right for each line, where DATA does not say it."),
    ] = None,
    json: Annotated[bool, Option("--json", help="Print one JSON object.")] = False,
    beam: Annotated[
        int | None, Option(min=1, metavar="K", help="Of translations: width of the beam.")
    ] = None,
    horizon: Annotated[
        int | None, Option(min=1, metavar="H", help="Of forecasts: steps at the ends of series.")
    ] = None,
    season: Annotated[
        int | None, Option(min=1, metavar="M", help="Of forecasts: steps of a season.")
    ] = None,
    scale: Annotated[
        float | None, Option(metavar="X", help="Of vectors: what numbers are divided by.")
    ] = None,
    batch_size: Annotated[int, Option(min=1, metavar="N", help="Lines side by side.")] = 64,
) -> None:
    """Say how good any model is on data that it has not seen.

    Labels, numbers and translations are compared with what is right: JSON lines that say it beside
    x, or --references. A text shows how well a language model or a model of sentences foresees it,
    dialogues how well their turns are foreseen, arrays how well vectors are put together again,
    a table of series how good forecasts of the ends are, questions what vectors of words know.
    """
    from fastrnn.cli.commands.evaluate import run_evaluate

    own = {"beam": beam, "horizon": horizon, "season": season, "scale": scale}
    run_evaluate(
        model, data, references=references, as_json=json, batch_size=batch_size,
        own={name: value for name, value in own.items() if value is not None},
    )  # fmt: skip
