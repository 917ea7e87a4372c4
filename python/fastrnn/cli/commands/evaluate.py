"""``fastrnn evaluate``: how good any model is, by the figures that go with what it does."""

import json
from pathlib import Path
from typing import Any

import numpy as np

from fastrnn import models
from fastrnn.cli import _scores
from fastrnn.cli._lines import equally_many, lines_of, portions
from fastrnn.cli._opening import model_for
from fastrnn.cli.commands.forecast import read_series
from fastrnn.cli.commands.predict import foreseen, predictions, task_for
from fastrnn.cli.datasets.dialogues import packed_dialogues, read_dialogues
from fastrnn.cli.datasets.text import read_lines
from fastrnn.cli.datasets.vectors import read_vectors
from fastrnn.data import pad

# The options that only some models have, and for which of them.
_OPTIONS: dict[str, tuple[str, tuple[type[models.Model], ...]]] = {
    "beam": ("translations", (models.Seq2Seq,)),
    "horizon": ("forecasts", (models.Forecaster,)),
    "season": ("forecasts", (models.Forecaster,)),
    "scale": ("vectors", (models.AutoEncoder, models.VAE)),
}


def run_evaluate(
    path: Path, data: Path, *, references: Path | None, as_json: bool, batch_size: int,
    own: dict[str, Any],
) -> None:  # fmt: skip
    """Print the figures of a model on data; own are the options of some models that were given."""
    figures = figures_of(
        model_for("evaluate", path), path, data, references=references, batch_size=batch_size,
        own=own,
    )  # fmt: skip
    print(json.dumps(figures) if as_json else _scores.line_of(figures))


def figures_of(
    model: Any, path: Path, data: Path, *, references: Path | None, batch_size: int,
    own: dict[str, Any],
) -> dict[str, float]:  # fmt: skip
    """Return the figures of a model, which the file or folder of this path holds, on data."""
    for name in own:
        what, kinds = _OPTIONS[name]
        if not isinstance(model, kinds):
            kind = type(model).__name__
            raise ValueError(f"--{name} is for {what}, which a {kind} makes none of")
    task = task_for(model, path, beam=own.get("beam", 1))
    if task is None:
        if references is not None:
            raise ValueError(
                f"a {type(model).__name__} is judged by DATA itself: leave --references away"
            )
        return _judged(model, path, data, batch_size, own)
    file = data if references is None else references
    if references is None and data.suffix != ".jsonl":
        raise ValueError(
            f"{data} does not say what is right: give --references, or JSON lines "
            f'(.jsonl) of {{"x": …, "{task.key}": …}}'
        )
    answers = list(task.answers(file, beside_x=references is None))
    lines = equally_many(list(lines_of(data)), data, answers, file)
    predicted = [p for part in predictions(task, data, iter(lines), batch_size) for p in part]
    figures = task.scores(predicted, answers)
    task.report_unknown(data)
    return figures


def _judged(
    model: Any, path: Path, data: Path, batch_size: int, own: dict[str, Any]
) -> dict[str, float]:
    """Return how well a model does what needs no references."""
    if isinstance(model, models.LanguageModel):
        return foreseen(model, path, data)
    if isinstance(model, models.Forecaster):
        if "horizon" not in own:
            raise ValueError("a Forecaster is judged by the ends of series: give --horizon")
        names, values = read_series(data)
        horizon, season = own["horizon"], own.get("season", 1)
        for name, each in zip(names, values, strict=True):
            if len(each) <= horizon + season:
                needed = f"more than {horizon} + {season} values, for horizon and season"
                raise ValueError(f"{data}: series {name!r} must have {needed}, got {len(each)}")
        rng = np.random.default_rng(0)  # of the samples: the same figures in every call
        return dict(model.backtest(values, horizon, season=season, rng=rng))
    if isinstance(model, models.Word2Vec):
        return _of_questions(model, data)
    if isinstance(model, (models.AutoEncoder, models.VAE)):
        x = read_vectors(data, model.dtype, scale=own.get("scale", 1.0))
        return dict(model.evaluate(np.split(x, range(batch_size, len(x), batch_size))))
    if model.vocabulary is None:
        raise ValueError(f"{path}: the model has no vocabulary, so it knows numbers and no text")
    unknown = _scores.Unknown(model.vocabulary)
    if isinstance(model, models.SequenceVAE):
        rows = [unknown.ids(line.strip()) for line in read_lines(data) if line.strip()]
        batches: list[Any] = [pad(part) for part in portions(rows, batch_size)]
    else:
        dialogues = read_dialogues(data)
        batches = [packed_dialogues(part, unknown.ids) for part in portions(dialogues, batch_size)]
    if not batches:
        raise ValueError(f"{data} must hold at least one line of text")
    figures = dict(model.evaluate(batches))
    unknown.report(data)
    return figures


def _of_questions(model: models.Word2Vec, data: Path) -> dict[str, float]:
    """Return what vectors know of a file of analogies, or of pairs with a number."""
    first = next((line for line in lines_of(data) if line and line[0] != "#"), "")
    if first.startswith(":"):
        accuracy, sections = model.wv.evaluate_word_analogies(data)
        total = sections[-1]
        return {"accuracy": accuracy, "answered": total["answered"], "asked": total["asked"]}
    pearson, spearman, unknown = model.wv.evaluate_word_pairs(data)
    return {"pearson": pearson, "spearman": spearman, "unknown_percent": unknown}
