"""The options of ``fastrnn translate``."""

from pathlib import Path
from typing import Annotated, Literal

from typer import Argument, Option

from fastrnn.cli._one_line import one_line
from fastrnn.cli.options.drawing import Seed, TopK, TopP, finite


@one_line
def translate(
    model: Annotated[Path, Argument(metavar="MODEL", help="Model file, or folder of a training.")],
    file: Annotated[
        Path, Argument(metavar="[FILE|-]", help="Lines to translate; -: standard input.")
    ] = Path("-"),
    references: Annotated[
        Path | None,
        Option(metavar="FILE", help="Right translations, a line each; prints scores to stderr."),
    ] = None,
    beam: Annotated[int, Option(min=1, metavar="K", help="Width of the beam; 1: greedy.")] = 1,
    n_best: Annotated[
        int, Option(min=1, metavar="N", help="Translations of each line, with number and score.")
    ] = 1,
    length_penalty: Annotated[
        Literal["none", "wu", "avg"], Option(help="Length penalty of the beam search.")
    ] = "none",
    alpha: Annotated[
        float,
        Option(min=0.0, metavar="X", callback=finite, help="Exponent of the length penalty wu."),
    ] = 0.6,
    word_penalty: Annotated[
        float, Option(metavar="X", callback=finite, help="Added to the score for each symbol.")
    ] = 0.0,
    min_length: Annotated[int, Option(min=0, metavar="N", help="Symbols, at least.")] = 0,
    max_length: Annotated[
        int | None,
        Option(
            min=1, metavar="N", help="Symbols, at most; default: 20 more than twice the source's."
        ),
    ] = None,
    block_ngram_repeat: Annotated[
        int, Option(min=0, metavar="N", help="No n-gram of N symbols is repeated; 0: any may be.")
    ] = 0,
    temperature: Annotated[
        float | None,
        Option(min=0.0, metavar="X", callback=finite, help="Sample at this temperature."),
    ] = None,
    top_k: TopK = None,
    top_p: TopP = None,
    seed: Seed = None,
    attention: Annotated[
        Path | None,
        Option(metavar="PNG", help="Picture of the attention of the first translation."),
    ] = None,
    batch_size: Annotated[int, Option(min=1, metavar="N", help="Lines of a batch.")] = 64,
) -> None:
    """Translate a file, standard input, or what you type, line by line."""
    from fastrnn.cli.commands.translate import run_translate

    run_translate(
        model, file, references=references, beam_size=beam, n_best=n_best,
        length_penalty=length_penalty, alpha=alpha, word_penalty=word_penalty,
        min_length=min_length, max_length=max_length, block_ngram_repeat=block_ngram_repeat,
        temperature=temperature, top_k=top_k, top_p=top_p, seed=seed,
        attention=attention, batch_size=batch_size,
    )  # fmt: skip
