"""Trains a model: updates, validation, early stopping, checkpoints, a log and a picture of it."""

import os
import threading
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from fastrnn._call import FOR_INFERENCE
from fastrnn._checks import file_path, flag, generator, integer
from fastrnn.distributed import Comm
from fastrnn.train._interrupt import Ended, Interrupts
from fastrnn.train._loop import Limits, Loop, Saving, Validation
from fastrnn.train._progress import display
from fastrnn.train._ranks import Ranks
from fastrnn.train._run import Position, Run, Stepper, from_checkpoint
from fastrnn.train._step import Step
from fastrnn.train.callbacks import checked_callbacks
from fastrnn.train.checkpoint import Checkpoints, load_latest
from fastrnn.train.history import History, MetricsFile, draw


class Trainer:
    """Trains one model with one optimiser, and can go on exactly where it was stopped.

    Parameters
    ----------
    model : object
        With ``params``, a nested dict of arrays, and ``loss(params, batch, rng)``, a number that
        autograd can differentiate. A model that carries a state from batch to batch has
        ``loss_with_state(params, batch, state, rng)`` instead, which returns ``(loss, state)``;
        state is None at the start of an epoch, and gradients stop at it. Optional:
        ``tokens(batch)`` counts what a batch holds, ``evaluate(data)`` returns a figure or a dict
        of them, and ``config``, a dict, tells models of other settings from this one.
    optimiser : Optimiser
        One of `fastrnn.train`.
    max_norm : float, optional
        Clip the gradient of all parameters to this norm.
    accumulate : int
        Batches of an update, whose gradient is that of one batch with all their rows; an epoch's
        last update may have fewer. It takes the memory of one batch, ranks add their gradients
        once an update, and a state is carried through all. With more than 1 the model needs
        ``terms(batch)``, of how many terms its loss is the mean.
    rng : numpy.random.Generator, optional
        Handed to the model; default: fresh entropy.
    checkpoint : path, optional
        Folder for checkpoints.
    save_every, save_seconds : int, float, optional
        Save after so many updates, or so many seconds since the last time; default, where there is
        a folder: every five minutes. A checkpoint is also written at the end, and on Ctrl-C.
    keep : int
        How many checkpoints stay in the folder.
    metrics : path, optional
        File of the log: one JSON object a line, see `History`.
    picture : path, optional
        PNG file of the loss, drawn at the end.
    log_every : int, optional
        Updates from record to record; default: a record after every epoch, and one whenever five
        seconds of training have gone by.
    progress : bool
        Show a bar on a terminal, else a line for every record.
    on_signal : {"save", None}
        "save", where there is a folder for checkpoints: SIGTERM and SIGUSR1, which schedulers send
        before time is up, and SIGHUP of a terminal that closes end the training after the update,
        with a checkpoint and exit code 0. A signal that the program has a handler for, or ignores
        as under nohup, is left to it.
    callbacks : sequence of `Callback`
        Told about records, epochs and the end; see `TensorBoard`. Under `dist` on rank 0 alone.
    dist : fastrnn.distributed.Comm, optional
        What `fastrnn.distributed.init` returns: the ranks that train together. Each takes its rows
        of every batch, and the update is that of the whole batch. The model needs
        ``terms(batch)``, of how many terms its loss is the mean, and the data ``shard(comm)``, as
        the models and the data of fastrnn have them. Rank 0 alone validates, writes and shows.
    exchange : {"bfloat16"}, optional
        Ranks send their gradients so, in half of the bytes, and add them in float32. Each number
        is rounded twice, to 8 significant bits. Default: as they are.

    Raises
    ------
    ImportError
        autograd is missing, safetensors with a checkpoint, or matplotlib with a picture.
    TypeError, ValueError
        An argument breaks its rule.

    Examples
    --------
    >>> import autograd.numpy as np
    >>> from fastrnn.train import SGD, Trainer
    >>> class Line:
    ...     params = {"slope": np.zeros(1)}
    ...     def loss(self, params, batch, rng):
    ...         x, y = batch
    ...         return np.mean((params["slope"] * x - y) ** 2)
    >>> x = np.linspace(-1, 1, 20)
    >>> trainer = Trainer(Line(), SGD(lr=0.5), progress=False)
    >>> history = trainer.fit([(x, 3 * x)], epochs=50)
    >>> Line.params["slope"].round(3)
    array([3.])
    """

    def __init__(
        self,
        model: Any,
        optimiser: Stepper,
        *,
        max_norm: float | None = None,
        accumulate: int = 1,
        rng: np.random.Generator | None = None,
        checkpoint: str | os.PathLike[str] | None = None,
        save_every: int | None = None,
        save_seconds: float | None = None,
        keep: int = 2,
        metrics: str | os.PathLike[str] | None = None,
        picture: str | os.PathLike[str] | None = None,
        log_every: int | None = None,
        progress: bool = True,
        on_signal: str | None = "save",
        callbacks: Sequence[Any] = (),
        dist: Comm | None = None,
        exchange: str | None = None,
    ) -> None:
        if isinstance(optimiser, type) or not hasattr(optimiser, "state_dict"):
            raise TypeError(
                f"optimiser must be one of fastrnn.train, such as Adam(), got {optimiser!r}"
            )
        if getattr(model, "quantized", None) is not None:
            raise TypeError(f"model: {FOR_INFERENCE}")
        self.model, self.optimiser = model, optimiser
        self._ranks = Ranks(dist, exchange)
        self.rng = self._ranks.generator(generator(rng))
        self._accumulate = integer("accumulate", accumulate, 1)
        several = self._accumulate > 1
        self._step = Step(model, optimiser, self.rng, max_norm, self._ranks, several)
        keep = integer("keep", keep, 1)
        checkpoints = None
        if checkpoint is not None:
            checkpoints = Checkpoints(file_path("checkpoint", checkpoint), keep=keep)
        self._saving = Saving(checkpoints, save_every, save_seconds)
        if on_signal not in (None, "save"):
            raise ValueError(f"on_signal must be 'save' or None, got {on_signal!r}")
        self._listens = on_signal == "save" and checkpoints is not None
        first = self._ranks.first
        self._metrics = MetricsFile(metrics) if metrics is not None and first else None
        self._picture = file_path("picture", picture) if picture is not None and first else None
        if self._picture is not None:
            from fastrnn.plot import require_matplotlib

            require_matplotlib()
        self._log_every = None if log_every is None else integer("log_every", log_every, 1)
        self._callbacks = checked_callbacks(callbacks) if first else []
        self._progress = flag("progress", progress) and first
        self._run = Run()
        self._data: Any = None
        self._position: Position | None = None
        self._busy = threading.Lock()

    @property
    def updates(self) -> int:
        """How many updates have been done."""
        return self._run.update

    def fit(
        self,
        data: Iterable[Any],
        *,
        epochs: int | None = None,
        updates: int | None = None,
        seconds: float | None = None,
        validation: Any = None,
        validate_every: int | None = None,
        patience: int | None = None,
        monitor: str = "loss",
        best: str | None = None,
        resume: bool = False,
    ) -> History:
        """Train until a limit is reached, and return what happened.

        Parameters
        ----------
        data : iterable of batches
            A ``for`` loop over it is one epoch. Anything of `fastrnn.data` that gives batches, or
            an iterable that gives the same ones every time.
        epochs, updates, seconds : int, int, float, optional
            Limits, at least one of them. They count from the beginning of the training, with what
            was done before a stop or by an earlier `fit`; seconds without validation and saving.
        validation : optional
            A function without arguments that returns a figure or a dict of them, or data for
            ``model.evaluate``. It is tried before the first update, so that what is wrong with it
            costs no training; where it fails later, a checkpoint is written first.
        validate_every : int, optional
            Updates from validation to validation; default: after each epoch. The last one is at
            the end in any case.
        patience : int, optional
            Stop when so many validations in a row were no better than the best one; at the end the
            model has the parameters that were best. Another `fit` goes on from these; one with
            resume from the last ones.
        monitor : str
            The figure that decides, one of `evaluate`; or of the model's ``measures``, such as
            ``"exact_match"``, ``"wer"`` and ``"bleu"`` of a `Seq2Seq`, which is then computed, too.
        best : {"min", "max"} or None
            Which of its ends is the better one; None: the larger one of accuracy, F1, exact
            matches, BLEU and R², else the smaller one.
        resume : bool
            Go on from the newest whole checkpoint in the folder, if there is one.

        Returns
        -------
        History
            All records since the beginning of the training.

        Raises
        ------
        fastrnn.CheckpointError
            The checkpoint is of another model, or none is whole.
        FloatingPointError
            The loss or its gradient is not finite; the message names the update.
        KeyboardInterrupt
            Ctrl-C came. A checkpoint has been written then.
        OSError
            A checkpoint could not be written; the one before is still there.
        RuntimeError
            Another thread is training with this trainer, or the ranks of `dist` have diverged.
        SystemExit
            A signal of `on_signal` came. A checkpoint has been written then.
        TypeError, ValueError
            An argument breaks its rule, or the folder has checkpoints and resume is False; no
            figure of the validation is called monitor, which is seen before the first update.

        Notes
        -----
        After an exception model, optimiser, generator and position in the data are as they were
        after the last whole update. A resumed training is bitwise equal to one that was never
        stopped.

        Examples
        --------
        See `Trainer`.
        """
        if not self._busy.acquire(blocking=False):
            raise RuntimeError("fit is already running on this trainer, in another thread")
        try:
            limits = Limits(epochs, updates, seconds)
            checks = Validation(self.model, validation, validate_every, patience, monitor, best)
            with Interrupts(self._listens) as interrupts, self._ranks.undisturbed(interrupts):
                position = self._begin(data, resume, interrupts)
                self._train(limits, checks, position, interrupts)
            return self._run.history
        finally:
            self._busy.release()

    def _begin(self, data: Iterable[Any], resume: bool, interrupts: Interrupts) -> Position:
        """Find out where to begin: anew, where the last `fit` ended, or at a checkpoint."""
        if self._position is None or data is not self._data:
            position = Position(self._ranks.data(data))
            self._run.carry = None
        else:
            position = self._position
        checkpoints = self._saving.checkpoints
        if resume and checkpoints is None:
            raise ValueError("resume needs the trainer's checkpoint, a folder")
        if checkpoints is not None:
            if self._ranks.first:
                checkpoints.clean()
            files = checkpoints.files()
            if files and resume:
                latest, whole = self._ranks.own(load_latest(checkpoints.folder))
                parts = self.model, self.optimiser, self.rng
                with interrupts.held():
                    self._run = from_checkpoint(latest, *parts, position)
                if not whole:
                    self._ranks.spread(self.rng)
            elif files and not self._run.update:
                raise ValueError(
                    f"{checkpoints.folder} has checkpoints of another training: "
                    "resume it, or take another folder"
                )
        kept = self.optimiser.state_dict
        self._ranks.begin(self.model.params, kept, self._run.update, position.state_dict())
        self._data, self._position = data, position
        if self._metrics is not None:
            self._metrics.start(self._run.history)
        return position

    def _train(
        self, limits: Limits, checks: Validation, position: Position, interrupts: Interrupts
    ) -> None:
        with display(self._progress) as shown:
            loop = Loop(
                step=self._step,
                run=self._run,
                position=position,
                interrupts=interrupts,
                limits=limits,
                checks=checks,
                saving=self._saving,
                metrics=self._metrics,
                log_every=self._log_every,
                callbacks=[(callback, self) for callback in self._callbacks],
                shown=shown,
                ranks=self._ranks,
                parts=(self.model, self.optimiser, self.rng),
                batches=len(self._data) if hasattr(self._data, "__len__") else None,
                accumulate=self._accumulate,
            )
            try:
                loop.train()
            except BaseException as error:
                position.back()
                if loop.judging or isinstance(error, (KeyboardInterrupt, Ended)):
                    loop.save()
                raise
            with interrupts.held():
                checks.restore(self._run)
            if self._picture is not None:
                draw(self._run.history, self._picture, type(self.model).__name__)
