"""``fastrnn predict``: what a model makes of each line, and how good that is."""

import json
import sys
from collections.abc import Callable, Iterator
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np

from fastrnn import models
from fastrnn.cli import _scores
from fastrnn.cli._lines import STANDARD_INPUT, as_text, equally_many, lines_of, name_of, portions
from fastrnn.cli._opening import model_for
from fastrnn.data import contiguous_streams, pad
from fastrnn.io._files import read_regular, read_text
from fastrnn.io._json import strict_json
from fastrnn.models._parts.model import MODEL_FILE, model_file

_STEPS = 512  # of a language model's text at a time; its state goes on
_MOST_BYTES = 1 << 24  # of the names of labels
_NAMED = (models.SequenceClassifier, models.SequenceTagger)
_ANSWERS = ("label", "labels", "target")  # what a line of examples may say beside x


def run_predict(
    path: Path, data: Path, *, references: Path | None, probabilities: bool, as_json: bool,
    beam: int, batch_size: int,
) -> None:  # fmt: skip
    """Print a prediction for each line; the parameters are the command's options."""
    model = model_for("predict", path)
    if probabilities and not isinstance(model, _NAMED):
        raise ValueError(f"--probabilities are of labels, which a {_kind(model)} has none of")
    if beam != 1 and not isinstance(model, models.Seq2Seq):
        raise ValueError(f"--beam is for translations, which a {_kind(model)} does not make")
    task = task_for(model, path, beam=beam, probabilities=probabilities)
    if task is None:
        if references is not None:
            raise ValueError("a LanguageModel is judged by DATA itself: leave --references away")
        figures = foreseen(model, path, data)
        print(json.dumps(figures) if as_json else _scores.line_of(figures))
        return
    as_json = as_json or probabilities
    answers = None if references is None else list(task.answers(references))
    texts = lines_of(data)
    if references is not None and answers is not None:  # looked at before anything is printed
        texts = iter(equally_many(list(texts), data, answers, references))
    if data == STANDARD_INPUT and sys.stdin.isatty():
        print("type a line to have an answer; Ctrl-D ends", file=sys.stderr)
        batch_size = 1
    kept = []
    for part in predictions(task, data, texts, batch_size):
        for prediction in part:
            print(json.dumps(task.record(prediction), ensure_ascii=False) if as_json
                  else task.plain(prediction))  # fmt: skip
            if answers is not None:
                kept.append(prediction)
        sys.stdout.flush()
    task.report_unknown(data)
    if answers is not None:
        figures = task.scores(kept, answers)
        line = json.dumps(figures) if as_json else _scores.line_of(figures)
        print(line, file=sys.stderr)


def task_for(
    model: Any, path: Path, *, beam: int = 1, probabilities: bool = False
) -> "Task | None":
    """Return what a model reads and says line by line; None where it does nothing like it."""
    if isinstance(model, models.Seq2Seq):
        return _Translations(model, path, beam)
    if isinstance(model, _NAMED):
        return _Labels(model, path, probabilities)
    return _Numbers(model, path) if isinstance(model, models.SequenceRegressor) else None


def predictions(
    task: "Task", data: Path, texts: Iterator[str], batch_size: int
) -> Iterator[list[Any]]:
    """Yield the predictions of so many lines at a time."""
    number = 1
    for lines in portions(texts, batch_size):
        inputs = [task.input(line, data, n) for n, line in enumerate(lines, number)]
        number += len(lines)
        yield list(task.predict(inputs))


class Task:
    """What one kind of model reads and says."""

    key = "target"

    def __init__(self, model: Any, path: Path) -> None:
        self.model, self.path = model, path
        self.unknown: _scores.Unknown | None = None
        if model.vocabulary is not None:
            self.unknown = _scores.Unknown(model.vocabulary)

    def input(self, line: str, file: Path, number: int) -> Any:
        """Return the symbols or vectors of a line."""
        where = f"{name_of(file)}, line {number}"
        if self.unknown is not None and file.suffix != ".jsonl":
            return self.unknown.ids(line)
        content = _json(line, where)
        if isinstance(content, dict):
            if "x" not in content or not content.keys() <= {"x", *_ANSWERS}:
                raise ValueError(f'{where}: it must be {{"x": …}}, got {list(content)}')
            content = content["x"]
        if self.unknown is not None:
            if not isinstance(content, str):
                raise ValueError(f"{where}: x must be a text, for the model reads texts")
            return self.unknown.ids(content)
        return self._steps(content, where)

    def _steps(self, content: Any, where: str) -> Any:
        """Return a list of symbols or vectors as an array."""
        columns = self.model._reader.layer.input_size
        symbols = self.model._reader.vocab is not None
        rule = "x must be a list of " + ("symbols" if symbols else f"steps, {columns} numbers each")
        try:
            x = np.array(content, np.int64 if symbols and not content else None)
        except (TypeError, ValueError):
            raise ValueError(f"{where}: {rule}") from None
        if symbols:
            fits = x.ndim == 1 and x.dtype.kind in "iu"
        else:
            if x.ndim == 1 and (columns == 1 or not x.size):
                x = x.reshape(-1, columns)
            fits = x.ndim == 2 and x.shape[1] == columns and x.dtype.kind in "fiu"
        if not isinstance(content, list) or not fits:
            raise ValueError(f"{where}: {rule}")
        return x if symbols else x.astype(np.float64)

    def answers(self, file: Path, beside_x: bool = False) -> Iterator[Any]:
        """Yield what is right, line by line; with beside_x it must stand beside x."""
        for number, line in enumerate(lines_of(file), 1):
            where = f"{file}, line {number}"
            if file.suffix != ".jsonl":
                yield self.answer(line, where)
                continue
            content = _json(line, where)
            if isinstance(content, dict) or beside_x:
                if not isinstance(content, dict):
                    raise ValueError(f'{where}: it must be {{"x": …, "{self.key}": …}}')
                if self.key not in content or not content.keys() <= {"x", *_ANSWERS}:
                    raise ValueError(
                        f'{where}: it must be {{"{self.key}": …}}, got {list(content)}'
                    )
                content = content[self.key]
            yield self.answer(content, where)

    def predict(self, inputs: list[Any]) -> Any:
        """Return a prediction for each input."""
        x, lengths = self._padded(inputs)
        return list(self.model.predict(x, lengths))

    def _padded(self, inputs: list[Any]) -> tuple[Any, Any]:
        return pad(inputs, batch_first=self.model.config["batch_first"])

    def _by_rows(self, inputs: list[Any], predictions: Any) -> list[Any]:
        """Return the predictions at each step, for each input as far as it goes."""
        if not self.model.config["batch_first"]:
            predictions = predictions.swapaxes(0, 1)
        return [row[: len(x)] for x, row in zip(inputs, predictions, strict=True)]

    def report_unknown(self, data: Path) -> None:
        """Say how much of what was read the model does not know."""
        if self.unknown is not None:
            self.unknown.report(name_of(data))

    def answer(self, content: Any, where: str) -> Any:
        """Return what a line of the references means."""
        raise NotImplementedError

    def plain(self, prediction: Any) -> str:
        """Return a prediction as a line."""
        raise NotImplementedError

    def record(self, prediction: Any) -> dict[str, Any]:
        """Return a prediction as JSON has it."""
        raise NotImplementedError

    def scores(self, predictions: list[Any], answers: list[Any]) -> dict[str, float]:
        """Return how good the predictions are."""
        raise NotImplementedError


class _Labels(Task):
    """A label, or one for each step; with probabilities a prediction is (label, probabilities)."""

    def __init__(self, model: Any, path: Path, probabilities: bool) -> None:
        super().__init__(model, path)
        self._each = isinstance(model, models.SequenceTagger)
        self.key = "labels" if self._each else "label"
        self._names = np.array(model.labels or _names_beside(path, model.config["classes"]))
        self._probabilities = probabilities

    def predict(self, inputs: list[Any]) -> Any:
        x, lengths = self._padded(inputs)
        labels = self.model.predict(x, lengths)
        if self.model.labels is None:
            labels = self._names[labels]  # what padding says is cut off below
        wanted: list[Callable[..., Any]] = [self.model.predict_proba] if self._probabilities else []
        parts = [labels, *(ask(x, lengths) for ask in wanted)]
        if self._each:
            parts = [self._by_rows(inputs, part) for part in parts]
        return list(zip(*parts, strict=True))

    def answer(self, content: Any, where: str) -> Any:
        if self._each and isinstance(content, str):
            return content.split()
        labels = content if self._each else [content]
        if not isinstance(labels, list) or not all(type(name) in (str, int) for name in labels):
            raise ValueError(f"{where}: {self.key} must be made of texts or integers")
        return [str(name) for name in labels]

    def plain(self, prediction: Any) -> str:
        labels = prediction[0]
        return " ".join(labels.tolist()) if self._each else str(labels)

    def record(self, prediction: Any) -> dict[str, Any]:
        labels, *probabilities = prediction
        predictions: dict[str, Any] = {self.key: labels.tolist() if self._each else str(labels)}
        for rows in probabilities:
            each = [dict(zip(self._names.tolist(), map(_short, row), strict=True))
                    for row in np.atleast_2d(rows)]  # fmt: skip
            predictions["probabilities"] = each if self._each else each[0]
        return predictions

    def scores(self, predictions: list[Any], answers: list[Any]) -> dict[str, float]:
        labels = [np.atleast_1d(prediction[0]).tolist() for prediction in predictions]
        for number, (mine, theirs) in enumerate(zip(labels, answers, strict=True), 1):
            if len(mine) != len(theirs):
                raise ValueError(
                    f"line {number} of the references must have a label for each step, "
                    f"{len(mine)}, got {len(theirs)}"
                )
        return _scores.of_labels([*chain(*labels)], [*chain(*answers)])


class _Numbers(Task):
    """K numbers, or K for each step."""

    def __init__(self, model: Any, path: Path) -> None:
        super().__init__(model, path)
        self._each, self._K = model.config["each_step"], model.config["outputs"]

    def predict(self, inputs: list[Any]) -> Any:
        x, lengths = self._padded(inputs)
        predictions = self.model.predict(x, lengths)
        return self._by_rows(inputs, predictions) if self._each else list(predictions)

    def answer(self, content: Any, where: str) -> Any:
        if isinstance(content, str):  # a line as `plain` writes it
            content = _json(content, where) if self._each else content.split()
        try:
            array = np.array(content, np.float64)
        except (TypeError, ValueError):
            array = np.full(self._K, np.nan)
        shape = (-1, self._K) if self._each else (self._K,)
        if array.size % self._K or (not self._each and array.size != self._K):
            array = np.full(self._K, np.nan)
        if not np.isfinite(array).all():
            each = " for each step" if self._each else ""
            raise ValueError(f"{where}: target must be {self._K} finite numbers{each}")
        return array.reshape(shape)

    def plain(self, prediction: Any) -> str:
        if self._each:
            return json.dumps(self.record(prediction)["target"])
        return " ".join(str(value) for value in prediction)

    def record(self, prediction: Any) -> dict[str, Any]:
        if self._each:
            return {"target": [[_short(value) for value in row] for row in prediction]}
        return {"target": [_short(value) for value in prediction]}

    def scores(self, predictions: list[Any], answers: list[Any]) -> dict[str, float]:
        for number, (mine, theirs) in enumerate(zip(predictions, answers, strict=True), 1):
            if mine.shape != theirs.shape:
                raise ValueError(
                    f"line {number} of the references must have numbers for each step, "
                    f"{len(mine)}, got {len(theirs)}"
                )
        one, other = (
            np.concatenate([part.reshape(-1, self._K) for part in parts]).astype(np.float64)
            for parts in (predictions, answers)
        )
        if not len(other):
            raise ValueError("references must hold at least one number")
        return _scores.of_numbers(one, other)


class _Translations(Task):
    """A text for a text."""

    def __init__(self, model: models.Seq2Seq, path: Path, beam: int) -> None:
        super().__init__(model, path)
        source, target = model.source_vocabulary, model.target_vocabulary
        if source is None or target is None:
            raise ValueError(f"{path}: the model has no vocabularies, so it knows numbers, no text")
        self.unknown, self._targets = _scores.Unknown(source), _scores.Unknown(target)
        self._known, self._beam, self._references = target, beam, ""

    def answers(self, file: Path, beside_x: bool = False) -> Iterator[Any]:
        self._references = str(file)
        return super().answers(file, beside_x)

    def answer(self, content: Any, where: str) -> Any:
        if not isinstance(content, str):
            raise ValueError(f"{where}: target must be a text")
        self._targets.ids(content)
        return content

    def predict(self, inputs: list[Any]) -> Any:
        return self.model.translate(inputs, beam_size=self._beam)

    def plain(self, prediction: Any) -> str:
        return str(prediction.text)

    def record(self, prediction: Any) -> dict[str, Any]:
        return {"target": prediction.text, "score": float(prediction.score)}

    def report_unknown(self, data: Path) -> None:
        super().report_unknown(data)
        self._targets.report(self._references)

    def scores(self, predictions: list[Any], answers: list[Any]) -> dict[str, float]:
        if not answers:
            raise ValueError("references must hold at least one line")
        return _scores.of_texts([each.text for each in predictions], answers, self._known)


def foreseen(model: models.LanguageModel, path: Path, data: Path) -> dict[str, float]:
    """Return how well a language model foresees a text, from its second symbol on."""
    if model.vocabulary is None:
        raise ValueError(f"{path}: the model has no vocabulary, so it knows numbers and no text")
    unknown = _scores.Unknown(model.vocabulary)
    if data == STANDARD_INPUT:
        ids = unknown.ids(as_text(sys.stdin.read(), name_of(data)))
    else:
        ids = unknown.ids(read_text(data))
    if len(ids) < 2:
        raise ValueError(f"{name_of(data)}: it must hold at least two symbols, got {len(ids)}")
    figures: dict[str, float] = model.evaluate(contiguous_streams(ids, N=1, T=_STEPS))
    unknown.report(name_of(data))
    return figures | {"symbols": len(ids) - 1}


def _names_beside(path: Path, count: int) -> list[str]:
    """Return the names that a training wrote beside its model, else numbers."""
    file = model_file(path)
    beside = file.parent / "labels.json"
    if file.name != MODEL_FILE or not beside.is_file():
        return [str(number) for number in range(count)]
    try:
        names = strict_json(read_regular(beside, _MOST_BYTES))
    except ValueError as error:
        raise ValueError(f"{beside}: {error}") from None
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise ValueError(f"{beside}: it must be a list of texts")
    if len(names) != count:
        raise ValueError(f"{beside}: it must name {count} labels, got {len(names)}")
    return names


def _json(line: str, where: str) -> Any:
    try:
        return strict_json(line)
    except ValueError as error:
        raise ValueError(f"{where}: {error}") from None


def _short(value: Any) -> float:
    """Return a number with the digits that its precision has, as JSON shall show it."""
    return float(str(value))


def _kind(model: Any) -> str:
    return type(model).__name__
