"""What happened in a training: records for the log file, the picture and the progress display."""

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from fastrnn._checks import file_path
from fastrnn.io._files import append, atomic_write, make_folder
from fastrnn.io._json import strict_json

Record = dict[str, float | None]


@dataclass
class History:
    """The records of a training, oldest first.

    Attributes
    ----------
    records : list of dict
        Of two kinds. Training: ``update``, ``epoch``, ``seconds``, ``loss`` (mean since the record
        before), ``gradient_norm``, ``lr``, ``tokens``. Validation: ``update``, ``epoch``,
        ``seconds`` and every figure as ``validation_NAME``, None if it is not finite. Seconds are
        those of training alone.

    Examples
    --------
    >>> from fastrnn.train import History
    >>> history = History([{"update": 5, "loss": 2.0}, {"update": 5, "validation_loss": 2.5}])
    >>> history["validation_loss"]
    [2.5]
    >>> history.column("loss"), history.column("validation_loss")
    (([5], [2.0]), ([5], [2.5]))
    """

    records: list[Record] = field(default_factory=list)

    def column(self, name: str, by: str = "update") -> tuple[list[float], list[float]]:
        """Return one figure over another one, from the records that have it.

        Parameters
        ----------
        name, by : str
            Keys of the records.

        Returns
        -------
        x, y : two lists of floats of one length
        """
        pairs = [(record.get(by), record.get(name)) for record in self.records]
        whole = [(x, y) for x, y in pairs if x is not None and y is not None]
        return [x for x, _ in whole], [y for _, y in whole]

    def __getitem__(self, name: str) -> list[float]:
        """Return the values of one figure, oldest first, such as ``history["validation_loss"]``.

        Parameters
        ----------
        name : str
            A key of the records.

        Returns
        -------
        list of float

        Raises
        ------
        KeyError
            No record has it.
        """
        values = self.column(name)[1]
        if not values:
            known = sorted({key for record in self.records for key in record})
            raise KeyError(f"{name!r} is in no record; known are {known}")
        return values

    def lines(self) -> bytes:
        """Return the records as JSON lines.

        Returns
        -------
        bytes
        """
        return b"".join(_line(record) for record in self.records)


def history_of(lines: bytes) -> History:
    """Return what `History.lines` wrote; ValueError if it is something else."""
    records = [strict_json(line) for line in lines.splitlines()]
    for record in records:
        figures = record.values() if isinstance(record, dict) else ["no record"]
        if not all(figure is None or type(figure) in (int, float) for figure in figures):
            raise ValueError(f"a record of its history is {record!r:.80}")
    return History(records)


def _line(record: Record) -> bytes:
    return json.dumps(record, allow_nan=False).encode() + b"\n"


class MetricsFile:
    """The records as a file of JSON lines that grows while the training runs."""

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = file_path("metrics", path)

    def start(self, history: History) -> None:
        """Begin with what is known: lines after the checkpoint of a resumed run go."""
        make_folder(self.path.parent)
        with atomic_write(self.path) as file:
            file.write(history.lines())

    def add(self, record: Record) -> None:
        """Add one line."""
        append(self.path, _line(record))


def draw(history: History, path: str | os.PathLike[str], title: str) -> None:
    """Draw the losses over the updates into a PNG file, if there is anything to draw."""
    from fastrnn import plot

    if history.column("loss")[0]:
        plot.save(plot.loss_curve(history, title=title), path)


def figures_of(answer: Any) -> dict[str, float]:
    """Return what a validation gave as a dict of floats; one number is the loss."""
    if isinstance(answer, Mapping):
        return {str(name): float(value) for name, value in answer.items()}
    return {"loss": float(answer)}
