"""The commands and their options."""

import sys
from pathlib import Path
from typing import Annotated, Literal

import typer
from typer import Argument, Option

import fastrnn
from fastrnn.cli._flags import with_plain_flags
from fastrnn.cli._one_line import one_line
from fastrnn.cli._options import (
    COMMANDS,
    Seed,
    Temperature,
    TopK,
    TopP,
    evaluate,
    finite,
    launch,
    predict,
    quantize,
    translate,
)
from fastrnn.cli._version import print_version
from fastrnn.cli.commands.forecast import forecast
from fastrnn.cli.commands.word2vec import word2vec
from fastrnn.cli.demos import Demos

app = typer.Typer(
    name="fastrnn",
    help="Fast recurrent neural networks (RNN, LSTM, GRU) on the CPU.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
)


def run(args: list[str] | None) -> int:
    """Parse `args`, run the command and return the exit code."""
    for stream in (sys.stdout, sys.stderr):  # a sample may hold what the terminal cannot show
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")
    # In every locale, that of many containers (C) too: UTF-8, and bytes that are no text as half
    # characters, which `as_text` refuses with their line.
    if hasattr(sys.stdin, "reconfigure"):
        sys.stdin.reconfigure(encoding="utf-8", errors="surrogateescape")
    try:
        with_plain_flags(typer.main.get_command(app))(args, prog_name="fastrnn")
    except SystemExit as done:
        return done.code if isinstance(done.code, int) else int(done.code is not None)
    return 0


def _print_version(wanted: bool) -> None:
    if wanted:
        print_version()
        raise typer.Exit


@app.callback()
def options(
    version: Annotated[
        bool,
        Option("--version", help="Print the version.", callback=_print_version, is_eager=True),
    ] = False,
) -> None:
    """Fast recurrent neural networks (RNN, LSTM, GRU) on the CPU."""


@app.command()
@one_line
def info() -> None:
    """Print compiler, flags, instruction sets, threads and versions: put it into bug reports."""
    fastrnn.show_config()


demos = typer.Typer(cls=Demos, invoke_without_command=True)
app.add_typer(demos, name="demo")


@demos.callback()
@one_line
def demo(
    ctx: typer.Context,
    seconds: Annotated[
        float | None,
        Option(min=0.1, metavar="S", help="Training time: 60; 3 with --quick.", show_default=False),
    ] = None,
    hidden: Annotated[int, Option(min=1, metavar="H", help="Hidden units of the LSTM.")] = 128,
    threads: Annotated[
        int | None,
        Option(
            min=1,
            metavar="N",
            help="Threads of the recurrent layers: what fastrnn finds.",
            show_default=False,
        ),
    ] = None,
    seed: Annotated[int, Option(min=0, metavar="K", help="Seed of weights and sample.")] = 0,
    out: Annotated[Path, Option(metavar="DIR", help="Folder for the picture.")] = Path(
        "fastrnn-demo"
    ),
    sample: Annotated[int, Option(min=0, metavar="N", help="Characters to generate.")] = 400,
    temperature: Annotated[
        float,
        Option(
            min=0.0,
            metavar="X",
            callback=finite,
            help="Sampling temperature of the text; 0: the likeliest character.",
        ),
    ] = 0.7,
    quick: Annotated[bool, Option("--quick", help="A short run of seconds.")] = False,
    speed: Annotated[
        bool, Option(" /--no-speed", help="Leave out the speed table.", show_default=False)
    ] = True,
) -> None:
    """Train a character language model on Python's own documentation, and show what it learned.

    An LSTM reads the first 90 % of the text of pydoc_data.topics character by character. Then you
    see: bits per character on the last 10 %, which it never trained on, beside what bz2 and xz
    need for the same text; a sample it wrote; a table of this machine's speed; and a picture of
    the loss, written to a folder.

    With the name of an experiment, run that one instead; its options follow its name.
    """
    if ctx.invoked_subcommand is not None:
        return
    from fastrnn.cli.commands.demo import run_demo

    run_demo(
        seconds=seconds if seconds is not None else (3.0 if quick else 60.0),
        hidden=hidden,
        threads=threads,
        seed=seed,
        out=out,
        sample=sample,
        temperature=temperature,
        speed_rounds=(1 if quick else 3) if speed else 0,
    )


@app.command()
@one_line
def train(
    config: Annotated[Path, Argument(metavar="CONFIG.toml", help="Model, data and options.")],
    resume: Annotated[
        bool, Option("--resume", help="Continue from the newest checkpoint, if any.")
    ] = False,
) -> None:
    """Train a model that a TOML file describes, with checkpoints, a log and a picture of the loss.

    The file has the sections [model], [data], [optimiser], [schedule] and [training]; their keys
    are the arguments of the Python interface. The kinds of models: LanguageModel, Seq2Seq,
    SequenceClassifier, SequenceTagger, SequenceRegressor, HRED, VHRED, SequenceVAE, AutoEncoder,
    VAE. Ctrl-C saves, and --resume goes on: the end is the same, bit for bit. The how-to page
    "Train from a file" has examples.
    """
    from fastrnn.cli.commands.train import run_train

    run_train(config, resume=resume)


@app.command()
@one_line
def generate(
    model: Annotated[Path, Argument(metavar="MODEL", help="Model file, or folder of a training.")],
    prompt: Annotated[
        str,
        Option(metavar="TEXT", help="Text to continue.", show_default="an end of line"),
    ] = "\n",
    length: Annotated[int, Option(min=0, metavar="N", help="Symbols to generate, at most.")] = 400,
    temperature: Temperature = 1.0,
    top_k: TopK = None,
    top_p: TopP = None,
    seed: Seed = None,
) -> None:
    """Generate text with a language model."""
    from fastrnn.cli.commands.generate import run_generate

    run_generate(
        model,
        prompt=prompt,
        length=length,
        temperature=temperature,
        top_k=top_k,
        top_p=top_p,
        seed=seed,
    )


app.command()(predict)
app.command()(evaluate)
app.command()(translate)
app.command()(quantize)


@app.command()
@one_line
def reply(
    model: Annotated[
        Path,
        Argument(metavar="MODEL", help="HRED, VHRED or Seq2Seq: file, or folder of a training."),
    ],
    max_length: Annotated[int, Option(min=1, metavar="N", help="Words of a reply, at most.")] = 50,
    beam: Annotated[
        int, Option(min=1, metavar="K", help="Width of the beam search at temperature 0.")
    ] = 1,
    temperature: Temperature = 0.0,
    top_k: Annotated[
        int | None, Option(min=1, metavar="K", help="Sample from the K likeliest words only.")
    ] = None,
    top_p: TopP = None,
    plain: Annotated[
        bool, Option("--plain", help="Read lines in lower case, with spaces around signs.")
    ] = False,
    seed: Seed = None,
) -> None:
    """Chat with a dialogue model: a line is a turn, an empty line begins a new conversation.

    The model reads every turn, its own replies too, and keeps the state of the conversation. A
    Seq2Seq answers each line on its own.
    """
    from fastrnn.cli.commands.reply import run_reply

    run_reply(
        model,
        max_length=max_length,
        beam=beam,
        temperature=temperature,
        top_k=top_k,
        top_p=top_p,
        plain=plain,
        seed=seed,
    )


@app.command()
@one_line
def tokenize(
    vocabulary: Annotated[
        Path,
        Argument(metavar="VOCABULARY.json", help="Vocabulary to read; with --learn, to write."),
    ],
    files: Annotated[
        list[Path] | None, Argument(metavar="[FILE]...", help="Texts; default: standard input.")
    ] = None,
    learn: Annotated[
        Literal["character", "word", "bpe"] | None,
        Option(help="Make a vocabulary from the texts; bpe: byte pair encoding."),
    ] = None,
    size: Annotated[
        int | None,
        Option(min=4, metavar="V", help="With --learn: size, at most.", show_default=False),
    ] = None,
    min_count: Annotated[
        int, Option(min=1, metavar="N", help="With --learn: leave out what is rarer.")
    ] = 1,
    decode: Annotated[bool, Option("--decode", help="Convert ids to text.")] = False,
    pieces: Annotated[bool, Option("--pieces", help="Print the pieces instead of ids.")] = False,
    out: Annotated[
        Path | None,
        Option(metavar="NAME.bin", help="Write a token file of the lines.", show_default=False),
    ] = None,
    eos: Annotated[
        bool, Option("--eos", help="With --out: end each line with the end-of-sequence symbol.")
    ] = False,
    dialogues: Annotated[
        bool,
        Option(
            "--dialogues",
            help="With --learn and --out: texts are dialogues, as fastrnn train reads them.",
        ),
    ] = False,
    processes: Annotated[
        int, Option(min=1, max=1024, metavar="N", help="With --learn and --out: work in so many.")
    ] = 1,
) -> None:
    """Convert texts to ids and back, line by line; or make a vocabulary from texts.

    With --learn and --out, texts may be larger than memory, and the number of processes does not
    change what is written.
    """
    from fastrnn.cli.commands.tokenize import run_tokenize

    run_tokenize(
        files or [],
        vocabulary,
        learn=learn,
        size=size,
        min_count=min_count,
        decode=decode,
        pieces=pieces,
        out=out,
        eos=eos,
        dialogues=dialogues,
        processes=processes,
    )


app.command()(one_line(word2vec))
app.command()(one_line(forecast))
for command in COMMANDS:
    app.command()(command)
# What follows the first word is the script's own, options too.
own = {"ignore_unknown_options": True, "allow_interspersed_args": False}
app.command(context_settings=own)(launch)
