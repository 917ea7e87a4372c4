"""The options of ``fastrnn evaluate``."""

from pathlib import Path
from typing import Annotated

from typer import Argument, Option

from fastrnn.cli._one_line import one_line


@one_line
def evaluate(
    model: Annotated[Path, Argument(metavar="MODEL", help="Model file, or folder of a training.")],
    data: Annotated[Path, Argument(metavar="DATA", help="Data for the evaluation.")],
    references: Annotated[
        Path | None,
        Option(metavar="FILE", help="Right answers, a line each, if not in DATA."),
    ] = None,
    json: Annotated[bool, Option("--json", help="Print one JSON object.")] = False,
    beam: Annotated[
        int | None, Option(min=1, metavar="K", help="Translations: width of the beam.")
    ] = None,
    horizon: Annotated[
        int | None, Option(min=1, metavar="H", help="Forecasts: steps at the ends of series.")
    ] = None,
    season: Annotated[
        int | None, Option(min=1, metavar="M", help="Forecasts: steps of a season.")
    ] = None,
    scale: Annotated[
        float | None, Option(metavar="X", help="Vectors: divide numbers by this.")
    ] = None,
    batch_size: Annotated[int, Option(min=1, metavar="N", help="Lines of a batch.")] = 64,
) -> None:
    """Evaluate a model of any kind on data.

    Labels, numbers and translations are compared with the right answers, which stand in the JSON
    lines beside x, or in --references. Other figures are the perplexity of a text or of dialogues,
    the reconstruction error of vectors, the errors of forecasts of the ends of series, and the
    accuracy of word vectors on analogies.
    """
    from fastrnn.cli.commands.evaluate import run_evaluate

    own = {"beam": beam, "horizon": horizon, "season": season, "scale": scale}
    run_evaluate(
        model, data, references=references, as_json=json, batch_size=batch_size,
        own={name: value for name, value in own.items() if value is not None},
    )  # fmt: skip
