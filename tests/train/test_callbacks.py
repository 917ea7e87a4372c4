"""Why: people watch a training by what it tells; a record too few, or one that says something else
on the screen, in the file and in the picture, misleads them.
"""

import itertools
import json
import signal
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers.toy import Toy, batches, trainer

from fastrnn.train import SGD, Callback, Trainer, schedule
from fastrnn.train import _loop as loop

pytest.importorskip("autograd")


class Notes(Callback):
    def __init__(self) -> None:
        self.events: list[tuple[str, Any]] = []

    def on_fit_begin(self, trainer: Any) -> None:
        self.events.append(("begin", trainer.updates))

    def on_record(self, trainer: Any, record: Any) -> None:
        self.events.append(("record", record))

    def on_epoch_end(self, trainer: Any, record: Any) -> None:
        self.events.append(("epoch", record))

    def on_fit_end(self, trainer: Any) -> None:
        self.events.append(("end", trainer.updates))


def still(monkeypatch: pytest.MonkeyPatch, step: float = 0.0) -> None:
    """Let every look at the clock of the loop find it so much later."""
    ticks = itertools.count()
    monkeypatch.setattr(loop, "perf_counter", lambda: step * next(ticks))


def test_callbacks_hear_of_records_epochs_and_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    still(monkeypatch)
    notes, losses = Notes(), []

    class Watched(Toy):
        pass

    made = trainer(Watched(), log_every=1, callbacks=[notes])
    history = made.fit(batches(), epochs=2, validation=batches(1))
    names = [name for name, _ in notes.events]
    assert names[0] == "begin"
    assert names[-1] == "end"
    assert [r for name, r in notes.events if name == "record"] == history.records
    losses = [r["loss"] for r in history.records if "loss" in r]
    epochs = [r for name, r in notes.events if name == "epoch"]
    assert [r["epoch"] for r in epochs] == [1, 2]
    per_epoch = len(losses) // 2
    assert epochs[0]["loss"] == pytest.approx(np.mean(losses[:per_epoch]))
    assert epochs[1]["loss"] == pytest.approx(np.mean(losses[per_epoch:]))
    found = history.column("validation_loss")[1]
    assert [r["validation_loss"] for r in epochs] == found


def test_by_default_there_is_a_record_an_epoch(monkeypatch: pytest.MonkeyPatch) -> None:
    still(monkeypatch)
    made = Trainer(Toy(), SGD(lr=0.1), progress=False)
    history = made.fit(batches(), epochs=3)
    epoch = len(list(batches()))
    assert history.column("loss")[0] == [epoch, 2 * epoch, 3 * epoch]


def test_and_one_every_few_seconds_of_training(monkeypatch: pytest.MonkeyPatch) -> None:
    still(monkeypatch, 1.0)  # an update takes a second, by this clock, and there are others
    made = Trainer(Toy(), SGD(lr=0.1), progress=False)
    seconds = made.fit(batches() * 20, epochs=1).column("loss", by="seconds")[0]
    gaps = np.diff([0.0, *seconds])
    assert len(seconds) > 3
    assert (gaps[:-1] >= loop.RECORD_SECONDS).all()
    assert (gaps <= loop.RECORD_SECONDS + 1).all()


def test_the_screen_the_file_and_the_callback_say_one_loss(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    notes = Notes()
    file = tmp_path / "log.jsonl"
    made = trainer(Toy(), progress=True, log_every=4, metrics=file, callbacks=[notes])
    made.fit(batches() * 3, updates=12)
    lines = capsys.readouterr().out.splitlines()
    written = [json.loads(line)["loss"] for line in file.read_text().splitlines()]
    told = [record["loss"] for name, record in notes.events if name == "record"]
    assert written == told
    assert [line.split("loss ")[1].split()[0] for line in lines] == [f"{x:.4f}" for x in written]


def test_a_checkpoint_is_due_after_five_minutes_unless_something_else_is_said() -> None:
    for every, seconds, usual in ((None, None, 300.0), (10, None, np.inf), (None, 7.0, 7.0)):
        saving = loop.Saving.__new__(loop.Saving)
        loop.Saving.__init__(saving, None, None, None)
        assert not saving.due(made_run())
        pytest.importorskip("safetensors")
        saving = loop.Saving(object(), every, seconds)  # type: ignore[arg-type]
        assert saving._seconds == usual


def made_run() -> Any:
    from fastrnn.train._run import Run

    return Run()


@pytest.mark.skipif(sys.platform == "win32", reason="signals are POSIX")
def test_a_handler_of_the_users_and_what_nohup_ignores_stay(tmp_path: Path) -> None:
    pytest.importorskip("safetensors")
    seen = []

    class Model(Toy):
        def loss_with_state(self, params: Any, batch: Any, state: Any, rng: Any) -> Any:
            seen.append([signal.getsignal(n) for n in (signal.SIGTERM, signal.SIGHUP)])
            return super().loss_with_state(params, batch, state, rng)

    before = signal.signal(signal.SIGHUP, signal.SIG_IGN), signal.getsignal(signal.SIGTERM)
    try:
        trainer(Model(), checkpoint=tmp_path).fit(batches(), updates=1)
        assert seen[0][1] == signal.SIG_IGN
        assert seen[0][0] != before[1]  # the default handler gave way
        assert signal.getsignal(signal.SIGTERM) == before[1]
    finally:
        signal.signal(signal.SIGHUP, before[0])


@pytest.mark.parametrize("wrong", [Notes, [Notes], [object()], "notes", 3])
def test_what_is_no_callback_is_refused(wrong: Any) -> None:
    with pytest.raises(TypeError, match="callback"):
        trainer(Toy(), callbacks=wrong)


def test_tensorboard_gets_every_figure(tmp_path: Path) -> None:
    pytest.importorskip("tensorboard", reason="TensorBoard is not installed")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    from fastrnn.train import TensorBoard

    made = trainer(Toy(), log_every=4, callbacks=[TensorBoard(tmp_path)])
    history = made.fit(batches(), updates=8, validation=batches(1))
    found = EventAccumulator(str(tmp_path)).Reload()
    scalars = found.Scalars("loss")
    assert [s.step for s in scalars] == history.column("loss")[0]
    assert [s.value for s in scalars] == pytest.approx(history.column("loss")[1], rel=1e-6)
    assert "validation/loss" in found.Tags()["scalars"]


def test_tensorboard_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    from fastrnn.train import TensorBoard

    monkeypatch.setitem(sys.modules, "tensorboard.compat.proto.event_pb2", None)
    with pytest.raises(ImportError, match="pip install tensorboard"):
        TensorBoard("runs")


class Noted(SGD):
    """Keeps the learning rate of every update."""

    def update(self, params: Any, grads: Any) -> None:
        rates.append(self.rate)
        super().update(params, grads)


rates: list[float] = []


def test_a_learning_rate_follows_the_share_of_the_work() -> None:
    rates.clear()
    lr = schedule.follow("percent", schedule.linear(1.0, 0.0, 100))
    trainer(Toy(), optimiser=Noted(lr=lr)).fit(batches(), updates=10)
    assert rates == pytest.approx([1 - k / 10 for k in range(10)])


def test_a_learning_rate_follows_epochs_and_a_resumed_training_goes_on(tmp_path: Path) -> None:
    pytest.importorskip("safetensors")
    epoch = len(batches())
    expected = [0.5 ** (k // epoch) for k in range(2 * epoch)]

    def run(updates: int, **options: Any) -> None:
        lr = schedule.warmup(schedule.follow("epochs", schedule.step_decay(1.0, 1, 0.5)), 0)
        made = trainer(Toy(), optimiser=Noted(lr=lr), checkpoint=tmp_path)
        made.fit(batches(), updates=updates, **options)

    rates.clear()
    run(epoch + 1)
    run(2 * epoch, resume=True)
    assert rates == pytest.approx(expected)


def test_a_learning_rate_follows_the_seconds_of_training(monkeypatch: pytest.MonkeyPatch) -> None:
    rates.clear()
    still(monkeypatch, 1.0)
    lr = schedule.follow("seconds", schedule.linear(1.0, 0.0, 10))
    trainer(Toy(), optimiser=Noted(lr=lr)).fit(batches(), updates=3)
    assert rates == pytest.approx([1.0, 0.9, 0.8])


def test_nobody_tells_it() -> None:
    lr = schedule.follow("seconds", 0.1)
    with pytest.raises(ValueError, match=r"progress\(seconds=\.\.\.\)"):
        lr(0)
    with pytest.raises(ValueError, match="what must be one of"):
        schedule.follow("hours", 0.1)


def test_a_plateau_inside_a_warmup_hears_of_losses_and_is_kept() -> None:
    def made() -> Any:
        return SGD(lr=schedule.warmup(schedule.ReduceOnPlateau(1.0, factor=0.5, patience=0), 0))

    one, other = made(), made()
    for loss in (2.0, 3.0):
        one.lr.observe(loss)
    assert one.rate == 0.5
    other.load_state_dict(one.state_dict())
    assert other.rate == 0.5
    with pytest.raises(ValueError, match="does not remember"):
        SGD(lr=schedule.constant(1.0)).lr.load_state_dict({"rate": 1.0})


def test_a_batch_with_nan_is_told_from_a_training_that_diverges() -> None:
    bad = [np.full_like(batch, np.nan) for batch in batches()]
    with pytest.raises(FloatingPointError, match="its batch holds NaN"):
        trainer(Toy()).fit(bad, updates=1)
    with np.errstate(all="ignore"), pytest.raises(FloatingPointError, match="clip_step"):
        trainer(Toy(), optimiser=SGD(lr=1e30), max_norm=None).fit(batches(), updates=50)
