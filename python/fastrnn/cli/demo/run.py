"""The main job: train on real text, then say in numbers, words and a picture what came out."""

from pathlib import Path
from time import perf_counter

import numpy as np
from rich.console import Console

import fastrnn
from fastrnn import plot
from fastrnn.cli.demo import corpus as texts
from fastrnn.cli.demo.corpus import Corpus
from fastrnn.cli.demo.progress import training_progress
from fastrnn.cli.demo.training import History, Recipe, train
from fastrnn.models import LanguageModel

PROMPT = "The "


def run_demo(
    *,
    seconds: float,
    hidden: int,
    threads: int | None,
    seed: int,
    out: Path,
    sample: int,
    temperature: float,
    speed_rounds: int,
) -> None:
    """Run the demo; the parameters are the options of ``fastrnn demo``.

    Parameters
    ----------
    seconds : float
        Training time.
    hidden : int
        H of the LSTM.
    threads : int or None
        For `fastrnn.set_num_threads`.
    seed : int
        Of the generator that draws weights and sample.
    out : Path
        Folder of the picture; made if it does not exist.
    sample : int
        Characters to generate.
    temperature : float
        Of the sample.
    speed_rounds : int
        Rounds of the speed table; 0 leaves it out.
    """
    console = Console(highlight=False)
    plot.require_matplotlib()  # what would fail at the end fails before a minute of training
    out.mkdir(parents=True, exist_ok=True)
    if threads is not None:
        fastrnn.set_num_threads(threads)
    rng = np.random.default_rng(seed)
    corpus = texts.from_text(texts.python_topics())
    model = LanguageModel("lstm", len(corpus.alphabet), hidden, rng=rng)
    _introduce(console, corpus, model, seconds)
    with training_progress(console, seconds) as reporter:
        history = train(model, corpus.train, corpus.held_out, seconds=seconds, reporter=reporter)
    levels = texts.compressed_bits(corpus.decode(corpus.held_out))
    _report_bits(console, corpus, model, history, levels)
    if sample:
        _report_sample(console, corpus, model, sample, temperature, rng)
    if speed_rounds:
        from fastrnn.cli.speed.table import report_speed

        report_speed(console, rounds=speed_rounds)
    picture = out / "loss.png"
    figure = plot.loss_curve(
        (history.seconds, history.bits),
        (history.held_out_seconds, history.held_out_bits),
        levels=levels,
        title=f"LSTM-{hidden} on pydoc_data.topics, {fastrnn.get_num_threads()} threads",
        ylabel="bits per character",
    )
    plot.save(figure, picture)
    _print(console, f"\npicture: {picture}")


def _print(console: Console, text: str) -> None:
    """Print plain text: no markup, and no line breaks that are not in it."""
    console.print(text, markup=False, soft_wrap=True)


def _introduce(console: Console, corpus: Corpus, model: LanguageModel, seconds: float) -> None:
    recipe = Recipe()
    _print(
        console,
        f"text: pydoc_data.topics, {len(corpus.train) + len(corpus.held_out):,} characters, "
        f"{len(corpus.alphabet)} different; the last {len(corpus.held_out):,} are held out\n"
        f"model: LSTM-{model.config['hidden_size']}, {model.parameter_count:,} parameters, "
        f"{recipe.rows} streams × {recipe.steps} steps an update\n"
        f"machine: {fastrnn.isa()}, {fastrnn.get_num_threads()} threads; "
        f"{seconds:g} s of training",
    )


def _report_bits(
    console: Console,
    corpus: Corpus,
    model: LanguageModel,
    history: History,
    levels: dict[str, float],
) -> None:
    _print(
        console,
        f"\n{history.characters:,} characters in {history.seconds[-1]:.1f} s: "
        f"{history.rate:,.0f} characters/s, {len(history.seconds):,} updates, "
        f"{history.characters / len(corpus.train):.1f} times through the text",
    )
    _print(console, f"bits per character of the {len(corpus.held_out):,} held-out ones:")
    rows = {f"fastrnn LSTM-{model.config['hidden_size']}": history.held_out_bits[-1], **levels}
    for name, bits in rows.items():
        _print(console, f"  {name:<20} {bits:.3f}")


def _report_sample(
    console: Console,
    corpus: Corpus,
    model: LanguageModel,
    length: int,
    temperature: float,
    rng: np.random.Generator,
) -> None:
    began = perf_counter()
    tokens = model.generate(corpus.encode(PROMPT), length, temperature=temperature, rng=rng)
    took = perf_counter() - began
    _print(
        console,
        f"\na sample (temperature {temperature:g}, {length / took:,.0f} characters/s, "
        "one step at a time):",
    )
    _print(console, PROMPT + corpus.decode(tokens))
