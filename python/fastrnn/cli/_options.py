"""The larger commands with their options; what they do is in `commands/`."""

import math
from pathlib import Path
from typing import Annotated, Literal

import typer
from typer import Argument, Option

from fastrnn.cli._one_line import one_line


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


@one_line
def quantize(
    model: Annotated[
        Path, Argument(metavar="MODEL", help="File of a model or layer, or folder of a training.")
    ],
    out: Annotated[Path, Option(metavar="FILE", help="File to write; replaced if it exists.")],
    precision: Annotated[
        Literal["int8", "bfloat16"], Option(help="What weights become.")
    ] = "int8",
    data: Annotated[
        Path | None,
        Option(metavar="DATA", help="Evaluate on these data, before and after."),
    ] = None,
    references: Annotated[
        Path | None,
        Option(metavar="FILE", help="Right answers, a line each, if not in DATA."),
    ] = None,
    beam: Annotated[
        int | None, Option(min=1, metavar="K", help="Translations: width of the beam.")
    ] = None,
    horizon: Annotated[
        int | None, Option(min=1, metavar="H", help="Forecasts: steps at the ends of series.")
    ] = None,
    season: Annotated[
        int | None, Option(min=1, metavar="M", help="Forecasts: steps of a season.")
    ] = None,
    batch_size: Annotated[int, Option(min=1, metavar="N", help="Lines of a batch.")] = 64,
) -> None:
    """Make weights smaller and inference faster: int8 or bfloat16.

    Prints the sizes of both files and of their weights. With --data it prints the figures of
    `fastrnn evaluate` for the model before and after.
    """
    from fastrnn.cli.commands.quantize import run_quantize

    own = {"beam": beam, "horizon": horizon, "season": season}
    run_quantize(
        model, out, precision=precision, data=data, references=references, batch_size=batch_size,
        own={name: value for name, value in own.items() if value is not None},
    )  # fmt: skip


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


@one_line
def export(
    model: Annotated[
        Path, Argument(metavar="MODEL", help="Model file, folder of a training, or weights.")
    ],
    out: Annotated[Path, Argument(metavar="OUT.onnx", help="Replaced if it exists.")],
    cell: Annotated[
        Literal["rnn", "gru", "lstm"] | None,
        Option(help="The file holds weights of such a layer under PyTorch's names."),
    ] = None,
    prefix: Annotated[str, Option(help="With --cell: what the names start with.")] = "",
    state: Annotated[bool, Option("--state", help="Initial states are inputs too.")] = False,
    lengths: Annotated[bool, Option("--lengths", help="Lengths are an input too.")] = False,
) -> None:
    """Write a model, or a layer's weights, as an ONNX file for inference elsewhere."""
    from fastrnn.cli.commands.export import run_export

    run_export(model, out, cell=cell, prefix=prefix, state=state, lengths=lengths)


@one_line
def verify(
    path: Annotated[
        Path, Argument(metavar="FILE", help="Model, checkpoint, weights, or token file.")
    ],
) -> None:
    """Check a file: its SHA-256, its numbers, and that kernels and NumPy twins agree on it."""
    from fastrnn.cli.commands.verify import run_verify

    run_verify(path)


Ranks = Annotated[bool, Option("--dist", help="Test the ranks started by fastrnn launch.")]


@one_line
def selftest(dist: Ranks = False) -> None:
    """Compare all cells on all instruction sets of this machine with their NumPy twins.

    With --dist: compare what all ranks learn together with what one process learns.
    """
    if dist:
        from fastrnn.cli.commands.ranks import run_ranks_selftest

        return run_ranks_selftest()
    from fastrnn.cli.commands.selftest import run_selftest

    return run_selftest()


@one_line
def doctor(dist: Ranks = False) -> None:
    """Diagnose this machine: instruction set, threads, load, memory, libraries, packages.

    With --dist: where each rank is, what it has, how fast the ranks add their gradients, and the
    efficiency to expect of as many and of more.
    """
    if dist:
        from fastrnn.cli.commands.doctor_ranks import run_ranks_doctor

        return run_ranks_doctor()
    from fastrnn.cli.commands.doctor import run_doctor

    return run_doctor()


@one_line
def bench(
    out: Annotated[Path, Option(metavar="DIR", help="Folder for the picture.")] = Path(
        "fastrnn-bench"
    ),
    threads: Annotated[
        int | None,
        Option(
            min=1,
            metavar="N",
            help="Threads of each library; default: fastrnn's.",
            show_default=False,
        ),
    ] = None,
    quick: Annotated[
        bool, Option("--quick", help="Measure once instead of the best of 3.")
    ] = False,
) -> None:
    """Benchmark fastrnn, NumPy and other installed libraries on this machine."""
    from fastrnn.cli.commands.bench import run_bench

    run_bench(rounds=1 if quick else 3, threads=threads, out=out)


@one_line
def launch(
    words: Annotated[
        list[str],
        Argument(metavar="SCRIPT.py|CONFIG.toml|COMMAND [OPTION]...", help="What each rank runs."),
    ],
    ranks: Annotated[
        int | None,
        Option(
            "-n",
            min=1,
            metavar="K",
            help="Ranks: processes that train together.",
            show_default=False,
        ),
    ] = None,
    hosts: Annotated[
        Path | None,
        Option(
            "--hosts",
            metavar="FILE",
            help="Machines, a line each: HOST:SLOTS. Without -n: a rank a slot.",
            show_default=False,
        ),
    ] = None,
) -> None:
    """Run a script or a training as K processes that share every batch, here or on many machines.

    A script hands fastrnn.distributed.init() to its Trainer as dist; `fastrnn train` does so
    itself. It is mpiexec with a share of the threads for each process; the command is printed.
    """
    from fastrnn.cli.commands.launch import run_launch

    run_launch(ranks, words, hosts)


COMMANDS = (export, verify, selftest, doctor, bench)
