"""The options of ``fastrnn predict``."""

from pathlib import Path
from typing import Annotated

from typer import Argument, Option

from fastrnn.cli._one_line import one_line


@one_line
def predict(
    model: Annotated[Path, Argument(metavar="MODEL", help="Model file, or folder of a training.")],
    data: Annotated[
        Path,
        Argument(metavar="[DATA|-]", help="Texts, a line each, or JSON lines; -: standard input."),
    ] = Path("-"),
    references: Annotated[
        Path | None,
        Option(metavar="FILE", help="Right answers, a line each; prints scores to stderr."),
    ] = None,
    probabilities: Annotated[
        bool,
        Option("--probabilities", help="Print the probabilities of all labels, as JSON lines."),
    ] = False,
    json: Annotated[bool, Option("--json", help="Print JSON lines.")] = False,
    beam: Annotated[int, Option(min=1, metavar="K", help="Translations: width of the beam.")] = 1,
    batch_size: Annotated[int, Option(min=1, metavar="N", help="Lines of a batch.")] = 64,
) -> None:
    """Print the prediction for each line: label, tags, numbers or translation.

    A model that reads text takes lines, and JSON lines from a file whose name ends in .jsonl; one
    that reads vectors takes JSON lines: {"x": [[0.1, 2.0], [0.3, 1.5]]}, a list of numbers a step.
    A language model reads a text as a whole and prints its bits per symbol.
    """
    from fastrnn.cli.commands.predict import run_predict

    run_predict(
        model, data, references=references, probabilities=probabilities, as_json=json, beam=beam,
        batch_size=batch_size,
    )  # fmt: skip
