"""The loop of a training: what is due after an update or an epoch, and when it ends."""

from collections.abc import Iterator
from dataclasses import dataclass
from math import inf, isfinite
from time import perf_counter
from typing import Any

import numpy as np

from fastrnn._checks import integer, number
from fastrnn.train._interrupt import Ended, Interrupts
from fastrnn.train._progress import Display, Status
from fastrnn.train._ranks import Ranks
from fastrnn.train._run import Position, Run, Stepper, Window, put, to_checkpoint
from fastrnn.train._step import Step
from fastrnn.train._trees import flatten
from fastrnn.train.checkpoint import Checkpoints
from fastrnn.train.history import MetricsFile, Record, figures_of

SAVE_SECONDS = 300.0  # from checkpoint to checkpoint, where nobody says otherwise
# Figures of which more is better, where nobody says otherwise.
LARGER_IS_BETTER = frozenset({"accuracy", "f1", "exact_match", "bleu", "chrf", "r2"})
RECORD_SECONDS = 5.0  # of training, from record to record, likewise


def shown(value: float) -> str:
    """Return a figure as it is read: the perplexity of a diverged model has hundreds of digits."""
    return f"{value:.4f}" if abs(value) < 1e6 else f"{value:.3e}"


class Limits:
    """When a training ends; see `Trainer.fit`."""

    def __init__(self, epochs: int | None, updates: int | None, seconds: float | None) -> None:
        self.epochs = None if epochs is None else integer("epochs", epochs, 0)
        self.updates = None if updates is None else integer("updates", updates, 0)
        self.seconds = None if seconds is None else number("seconds", seconds, 0)
        if epochs is None and updates is None and seconds is None:
            raise ValueError("fit needs a limit: epochs, updates or seconds")

    def fraction(self, run: Run, epochs: float) -> float:
        """Return how much of the work is done, the nearest limit deciding; 1 or more is the end."""
        pairs = ((epochs, self.epochs), (run.update, self.updates), (run.seconds, self.seconds))
        shares = [done / limit if limit else inf for done, limit in pairs if limit is not None]
        return max(shares)


def _check_data(model: Any, data: Any) -> None:
    """Refuse validation data that the model cannot be judged on, again and again."""
    if not hasattr(model, "evaluate"):
        raise TypeError("validation must be a function, because the model has no evaluate")
    if not hasattr(data, "__iter__") and not hasattr(data, "__getitem__"):
        raise TypeError(f"validation must be a function, or data, got {data!r}")
    if isinstance(data, Iterator):
        raise TypeError(
            "validation must be a function, or data that can be run through again, got the "
            f"one-way iterator {type(data).__name__}"
        )


class Validation:
    """When and how a model is judged, and which parameters were the best."""

    def __init__(
        self,
        model: Any,
        source: Any,
        every: int | None,
        patience: int | None,
        monitor: str,
        best: str | None,
    ) -> None:
        self._model, self._source = model, source
        self.every = None if every is None else integer("validate_every", every, 1)
        self.patience = None if patience is None else integer("patience", patience, 1)
        named = every, patience, best, None if monitor == "loss" else monitor
        if source is None and any(each is not None for each in named):
            raise ValueError(
                "validate_every, patience, monitor and best need validation, a function or data"
            )
        if source is not None and not callable(source):
            _check_data(model, source)
        if best not in (None, "min", "max"):
            raise ValueError(f"best must be 'min', 'max' or None, got {best!r}")
        if best is None:
            best = "max" if monitor in LARGER_IS_BETTER else "min"
        self.monitor, self._sign = monitor, 1 if best == "min" else -1
        # What costs more than one look at the data is asked for where it decides.
        self._may = tuple(getattr(model, "measures", ())) if not callable(source) else ()
        self._also = {"measures": (monitor,)} if monitor in self._may else {}

    def unseen(self, run: Run) -> bool:
        """Whether no validation has shown yet that the figure which decides exists."""
        return self._source is not None and not run.validated_update

    def due(self, run: Run) -> bool:
        if self._source is None:
            return False
        if self.every is None:
            return run.epoch > run.validated_epoch
        return run.update % self.every == 0 and run.update > run.validated_update

    def due_at_the_end(self, run: Run) -> bool:
        return self._source is not None and run.update > run.validated_update

    def figures(self) -> dict[str, float]:
        """Judge the model, always on the same data in the same order."""
        source = self._source
        if callable(source):
            measured = figures_of(source())
        elif hasattr(source, "state_dict"):  # it would shuffle anew, or stand where Ctrl-C came
            start = source.state_dict()
            try:
                measured = figures_of(self._model.evaluate(source, **self._also))
            finally:
                source.load_state_dict(start)
        else:
            measured = figures_of(self._model.evaluate(source, **self._also))
        if self.monitor not in measured:
            known = sorted({*measured, *self._may})
            raise ValueError(f"monitor must name a figure of {known}, got {self.monitor!r}")
        return measured

    def note(self, run: Run, figures: dict[str, float]) -> None:
        """Remember the best figure and, with patience, its parameters."""
        value = figures[self.monitor]
        run.validated_update, run.validated_epoch = run.update, run.epoch
        better = run.best is None or self._sign * value < self._sign * run.best
        if isfinite(value) and better:
            run.best, run.bad = value, 0
            if self.patience is not None:
                arrays = flatten("model.params", self._model.params)
                run.best_params = {name: array.copy() for name, array in arrays.items()}
        else:
            run.bad += 1

    def enough(self, run: Run) -> bool:
        return self.patience is not None and run.bad >= self.patience

    def restore(self, run: Run) -> None:
        """Give the model the parameters that were the best."""
        if self.patience is not None and run.best_params:
            put(flatten("model.params", self._model.params), run.best_params)


class Saving:
    """When a checkpoint is written."""

    def __init__(
        self, checkpoints: Checkpoints | None, every: int | None, seconds: float | None
    ) -> None:
        if checkpoints is None and not (every is None and seconds is None):
            raise ValueError("save_every and save_seconds need checkpoint, a folder")
        if checkpoints is not None:
            from fastrnn.io.checkpoint import require_safetensors

            require_safetensors()
        self.checkpoints = checkpoints
        self._every = None if every is None else integer("save_every", every, 1)
        usual = SAVE_SECONDS if every is None else inf
        self._seconds = usual if seconds is None else number("save_seconds", seconds, 0)
        self._last = perf_counter()

    def due(self, run: Run) -> bool:
        if self._every is not None and run.update % self._every == 0:
            return True
        return self.checkpoints is not None and perf_counter() - self._last >= self._seconds

    def save(
        self, run: Run, position: Position, parts: tuple[Any, Stepper, Any], ranks: Ranks
    ) -> None:
        if self.checkpoints is not None:
            ranks.check(parts[0].params, parts[1].state_dict, run.update)
            content = ranks.gathered(*to_checkpoint(*parts, run, position))
            if ranks.first:
                self.checkpoints.save(run.update, *content)
            ranks.comm.barrier()
            self._last = perf_counter()


@dataclass
class Loop:
    """One call of `Trainer.fit`; the fields are its parts."""

    step: Step
    run: Run
    position: Position
    interrupts: Interrupts
    limits: Limits
    checks: Validation
    saving: Saving
    metrics: MetricsFile | None
    log_every: int | None
    callbacks: list[tuple[Any, Any]]  # each with the trainer that it is told about
    shown: Display
    ranks: Ranks
    parts: tuple[Any, Stepper, np.random.Generator]
    batches: int | None
    accumulate: int = 1  # batches of an update
    judging: bool = False  # also after a validation that has failed

    def train(self) -> None:
        """Train to the end. What was due when a run was stopped is done first."""
        self._loss = self._norm = 0.0
        self._shown_at = -inf
        self._recorded_at = self.run.seconds
        self._epoch_window = Window()
        self._start = self.run.tokens, self.run.update, self.run.seconds
        if self.checks.unseen(self.run) and not self._finished():
            # What would stop the training at its first validation stops it before the first update.
            self.ranks.of_first(self.checks.figures)
        self._notify("on_fit_begin")
        self._validate_if(self.checks.due(self.run))
        while not self._finished():
            self._epoch()
        if self.run.window.updates:
            self._log()
        self._validate_if(self.checks.due_at_the_end(self.run))
        self.save()
        self._notify("on_fit_end")

    def save(self) -> None:
        """Write a checkpoint, whole even if Ctrl-C comes."""
        with self.interrupts.held():
            self.saving.save(self.run, self.position, self.parts, self.ranks)

    def _epoch(self) -> None:
        """Train to the end of the epoch or to a limit, whatever comes first."""
        run = self.run
        began = perf_counter()
        self._announce_length()
        for batches in self.position.rest_of_epoch(self.accumulate):
            loss, self._norm = self.step(batches, run, self.position, self.interrupts)
            self._epoch_window.add(loss, self._norm)
            self._loss = run.window.loss / run.window.updates
            run.seconds += perf_counter() - began
            self._after_update()
            if self._finished():
                return
            self._announce_length()
            began = perf_counter()
        with self.interrupts.held():
            run.epoch += 1
            run.carry = None
            self.position.done()
        if self.log_every is None and run.window.updates:
            self._log()
            self.shown.log(self._status())
        figures = self._validate_if(self.checks.due(run))
        # Resumed after the last batch of an epoch, there is nothing to take the mean of.
        means = self._epoch_window.means() if self._epoch_window.updates else {}
        self._notify("on_epoch_end", {**self._when(), **means, **self._pace(), **figures})

    def _after_update(self) -> None:
        run, save, stop = self.run, False, [False, self.interrupts.ended]
        if not self.ranks.alone:
            wanted = self.saving.due(run), self.interrupts.pending, self.interrupts.ended
            run.seconds, save, stop = self.ranks.agree(run.seconds, *wanted)
        if self._record_due():
            self._log()
            self.shown.log(self._status())
        now = perf_counter()
        if now - self._shown_at >= 0.1:
            self._shown_at = now
            self.shown.update(self._status())
        self._validate_if(self.checks.due(run))
        if save or (self.ranks.alone and self.saving.due(run)):
            self.save()
        if any(stop):
            raise KeyboardInterrupt if stop[0] else Ended(0)

    def _finished(self) -> bool:
        done = self.limits.fraction(self.run, self.run.epoch) >= 1
        return done or self.checks.enough(self.run)

    def _record_due(self) -> bool:
        if self.log_every is not None:
            return self.run.update % self.log_every == 0
        # By the seconds that all ranks agree on: each of them takes part in a record.
        return self.run.seconds - self._recorded_at >= RECORD_SECONDS

    def _announce_length(self) -> None:
        """Tell a learning rate that follows something else than updates how far the training is."""
        progress = getattr(getattr(self.parts[1], "lr", None), "progress", None)
        if progress is not None:
            epochs = self._epochs()
            percent = 100 * min(1.0, self.limits.fraction(self.run, epochs))
            progress(epochs=epochs, seconds=self.run.seconds, percent=percent)

    def _notify(self, event: str, *arguments: Any) -> None:
        """Call the callbacks that have this method."""
        for callback, trainer in self.callbacks:
            method = getattr(callback, event, None)
            if method is not None:
                method(trainer, *arguments)

    def _validate_if(self, due: bool) -> Record:
        if not due:
            return {}
        self.judging = True
        figures = self.ranks.of_first(self.checks.figures)
        self.judging = False
        with self.interrupts.held():
            self.checks.note(self.run, figures)
            observe = getattr(getattr(self.parts[1], "lr", None), "observe", None)
            if observe is not None:  # the learning rate depends on how the training goes
                observe(figures[self.checks.monitor])
            record: Record = {f"validation_{name}": value for name, value in figures.items()}
            self._record({**self._when(), **record})
        values = "  ".join(f"{name} {shown(value)}" for name, value in figures.items())
        self.shown.write(f"update {self.run.update}  epoch {self.run.epoch}  validation: {values}")
        return record

    def _when(self) -> Record:
        run = self.run
        return {"update": run.update, "epoch": run.epoch, "seconds": round(run.seconds, 6)}

    def _log(self) -> None:
        self.ranks.check(self.parts[0].params, dict, self.run.update)
        with self.interrupts.held():
            self._recorded_at = self.run.seconds
            self._record({**self._when(), **self.run.window.means(), **self._pace()})

    def _pace(self) -> Record:
        return {"lr": getattr(self.parts[1], "rate", None), "tokens": self.run.tokens}

    def _record(self, record: Record) -> None:
        finite = {k: v if v is not None and isfinite(v) else None for k, v in record.items()}
        self.run.history.records.append(finite)
        if self.metrics is not None:
            self.metrics.add(finite)
        self._notify("on_record", finite)

    def _epochs(self) -> float:
        """Return the epochs done, with the part of the one that runs, if that is known."""
        return self.run.epoch + (self.position.index / self.batches if self.batches else 0)

    def _status(self) -> Status:
        run = self.run
        tokens, updates, seconds = self._start
        worked = max(run.seconds - seconds, 1e-9)
        done, unit = run.tokens - tokens, "tokens"
        if not done:
            done, unit = run.update - updates, "updates"
        fraction = min(1.0, self.limits.fraction(run, self._epochs()))
        return Status(
            run.update,
            run.epoch,
            self._loss,
            self._norm,
            done / worked,
            unit,
            fraction,
            run.seconds * (1 - fraction) / fraction if fraction else inf,
        )
