"""Callbacks: what a Trainer tells about a training, and one that writes it for TensorBoard."""

import os
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from fastrnn._checks import file_path

if TYPE_CHECKING:
    from fastrnn.train.trainer import Trainer

EVENTS = ("on_fit_begin", "on_record", "on_epoch_end", "on_fit_end")


class Callback:
    """Something that a `Trainer` tells how the training goes; override what you need.

    Any object with one of these methods will do. What a method raises ends the training, as an
    error of the model would; it is called between two updates, so nothing is half done then.

    Examples
    --------
    >>> import autograd.numpy as np
    >>> from fastrnn.train import SGD, Callback, Trainer
    >>> class Say(Callback):
    ...     def on_epoch_end(self, trainer, record):
    ...         print(record["epoch"], round(record["loss"], 3))
    >>> class Line:
    ...     params = {"slope": np.zeros(1)}
    ...     def loss(self, params, batch, rng):
    ...         return np.mean((params["slope"] * batch - 3 * batch) ** 2)
    >>> trainer = Trainer(Line(), SGD(lr=0.5), callbacks=[Say()], progress=False)
    >>> history = trainer.fit([np.linspace(-1, 1, 20)], epochs=2)
    1 3.316
    2 1.323
    """

    def on_fit_begin(self, trainer: "Trainer") -> None:
        """Take note that `fit` begins."""

    def on_record(self, trainer: "Trainer", record: dict[str, float | None]) -> None:
        """Take note of a record as `History` has it, of training or of a validation.

        Parameters
        ----------
        trainer : Trainer
        record : dict
        """

    def on_epoch_end(self, trainer: "Trainer", record: dict[str, float | None]) -> None:
        """Take note of the end of an epoch.

        Parameters
        ----------
        trainer : Trainer
        record : dict
            ``update``, ``epoch``, ``seconds``, the epoch's mean ``loss`` and ``gradient_norm``
            (after a resumption: since then), ``lr``, ``tokens``, and ``validation_NAME`` where the
            model was judged after it.
        """

    def on_fit_end(self, trainer: "Trainer") -> None:
        """Take note that `fit` has reached its limit; an error or Ctrl-C does not come here."""


class TensorBoard(Callback):
    """Writes every figure of the records as a scalar that TensorBoard shows over the updates.

    Parameters
    ----------
    folder : path
        Where the event files go: ``tensorboard --logdir FOLDER``.

    Raises
    ------
    ImportError
        TensorBoard is missing; the message says how to get it.

    Examples
    --------
    >>> import fastrnn.train
    >>> callback = fastrnn.train.TensorBoard("runs/a")  # doctest: +SKIP
    """

    def __init__(self, folder: str | os.PathLike[str]) -> None:
        try:
            from tensorboard.compat.proto.event_pb2 import Event
            from tensorboard.compat.proto.summary_pb2 import Summary
            from tensorboard.summary.writer.event_file_writer import EventFileWriter
        except ImportError as error:
            raise ImportError(
                "this callback needs TensorBoard: pip install tensorboard gives it to you"
            ) from error
        self._event, self._summary, self._writer = Event, Summary, EventFileWriter
        self._folder = str(file_path("folder", folder))
        self._file: Any = None

    def on_fit_begin(self, trainer: "Trainer") -> None:  # noqa: ARG002
        """Open a new event file in the folder."""
        self._file = self._writer(self._folder)

    def on_record(self, trainer: "Trainer", record: dict[str, float | None]) -> None:  # noqa: ARG002
        """Write every figure of a record; TensorBoard groups those of validations."""
        values = [
            self._summary.Value(tag=tag.replace("validation_", "validation/"), simple_value=value)
            for tag, value in record.items()
            if value is not None and tag != "update"
        ]
        step = int(record["update"] or 0)
        summary = self._summary(value=values)
        self._file.add_event(self._event(wall_time=time.time(), step=step, summary=summary))
        self._file.flush()

    def on_fit_end(self, trainer: "Trainer") -> None:  # noqa: ARG002
        """Close the file."""
        self._file.close()


def checked_callbacks(callbacks: Any) -> list[Any]:
    """Return the callbacks as a list.

    Raises
    ------
    TypeError
        They are no sequence, or one of them has none of the methods.
    """
    if not isinstance(callbacks, Sequence) or isinstance(callbacks, str):
        raise TypeError(f"callbacks must be a list of them, got {type(callbacks).__name__}")
    for callback in callbacks:
        if isinstance(callback, type) or not any(hasattr(callback, event) for event in EVENTS):
            raise TypeError(f"a callback must have one of {', '.join(EVENTS)}, got {callback!r}")
    return list(callbacks)
