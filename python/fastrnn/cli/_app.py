"""The commands and their options."""

import sys
from pathlib import Path
from typing import Annotated, Literal

import typer
from typer import Argument, Option

import fastrnn
from fastrnn.cli._flags import with_plain_flags
from fastrnn.cli._one_line import one_line
from fastrnn.cli._version import print_version
from fastrnn.cli.commands.forecast import forecast
from fastrnn.cli.commands.word2vec import word2vec
from fastrnn.cli.demos import Demos
from fastrnn.cli.options.drawing import Seed, Temperature, TopK, TopP, finite
from fastrnn.cli.options.evaluate import evaluate
from fastrnn.cli.options.predict import predict
from fastrnn.cli.options.translate import translate
from fastrnn.cli.options.trust import COMMANDS, launch

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
            help="Of the sample: 1 as learned, 0 no chance at all.",
        ),
    ] = 0.7,
    quick: Annotated[bool, Option("--quick", help="A short look, in seconds.")] = False,
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
    from fastrnn.cli.demo.run import run_demo

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
    config: Annotated[Path, Argument(metavar="CONFIG.toml", help="What to train, on what, how.")],
    resume: Annotated[
        bool, Option("--resume", help="Go on from the newest checkpoint of its folder, if any.")
    ] = False,
) -> None:
    """Train a model that a TOML file describes, with checkpoints, a log and a picture of the loss.

    The file has the sections [model], [data], [optimiser], [schedule] and [training]; their keys
    are the arguments of the Python interface. The kinds of models: LanguageModel, Seq2Seq,
    SequenceClassifier, SequenceTagger, HRED, VHRED, SequenceVAE, AutoEncoder, VAE. Ctrl-C saves,
    and --resume goes on: the end is the same, bit for bit. The how-to page "Train from a file" has
    examples.
    """
    from fastrnn.cli.commands.train import run_train

    run_train(config, resume=resume)


@app.command()
@one_line
def generate(
    model: Annotated[Path, Argument(metavar="MODEL", help="Model file, or folder of a training.")],
    prompt: Annotated[
        str,
        Option(metavar="TEXT", help="What the model goes on with.", show_default="an end of line"),
    ] = "\n",
    length: Annotated[int, Option(min=0, metavar="N", help="Most symbols to draw.")] = 400,
    temperature: Temperature = 1.0,
    top_k: TopK = None,
    top_p: TopP = None,
    seed: Seed = None,
) -> None:
    """Let a language model go on with a text."""
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


@app.command()
@one_line
def reply(
    model: Annotated[
        Path,
        Argument(metavar="MODEL", help="HRED, VHRED or Seq2Seq: file, or folder of a training."),
    ],
    max_length: Annotated[int, Option(min=1, metavar="N", help="Most words of a reply.")] = 50,
    beam: Annotated[
        int, Option(min=1, metavar="K", help="Beam of the search at temperature 0.")
    ] = 1,
    temperature: Temperature = 0.0,
    top_k: Annotated[
        int | None, Option(min=1, metavar="K", help="Draw from the K likeliest words only.")
    ] = None,
    top_p: TopP = None,
    plain: Annotated[
        bool, Option("--plain", help="Hear in lower case, with spaces around signs.")
    ] = False,
    seed: Seed = None,
) -> None:
    """Talk with a dialogue model: a line is a turn, an empty line begins a new conversation.

    The model hears every turn, its own too, and keeps the state of the conversation only. A Seq2Seq
    answers each line for itself.
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
        Path, Argument(metavar="VOCABULARY.json", help="Read; with --learn, made.")
    ],
    files: Annotated[
        list[Path] | None, Argument(metavar="[FILE]...", help="Texts, else standard input.")
    ] = None,
    learn: Annotated[
        Literal["character", "word", "bpe"] | None,
        Option(help="Make the vocabulary from the texts; bpe: of frequent pieces of words."),
    ] = None,
    size: Annotated[
        int | None, Option(min=4, metavar="V", help="With --learn: most ids.", show_default=False)
    ] = None,
    min_count: Annotated[
        int, Option(min=1, metavar="N", help="With --learn: what is rarer is left out.")
    ] = 1,
    decode: Annotated[bool, Option("--decode", help="From ids to text.")] = False,
    pieces: Annotated[bool, Option("--pieces", help="Print the pieces instead of ids.")] = False,
    out: Annotated[
        Path | None,
        Option(metavar="NAME.bin", help="Write a token file of the lines.", show_default=False),
    ] = None,
) -> None:
    """Turn texts into ids, line by line, and back; or learn a vocabulary from them."""
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
    )


app.command()(one_line(word2vec))
app.command()(one_line(forecast))
for command in COMMANDS:
    app.command()(command)
# What follows the first word is the script's own, options too.
own = {"ignore_unknown_options": True, "allow_interspersed_args": False}
app.command(context_settings=own)(launch)
