"""Why: a training is stopped, fails and goes on; none of it may change a bit of what is learned."""

import json
import signal
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers import jobs
from helpers.toy import Shuffled, Toy, batches, digest, trainer

import fastrnn
from fastrnn.ops import value_and_grad
from fastrnn.train import SGD, Adam, Trainer, load_latest
from fastrnn.train._trees import detached, flatten

pytest.importorskip("autograd")
pytest.importorskip("safetensors")


def everything(model: Toy, made: Trainer, data: Any = None) -> tuple[Any, ...]:
    """All that an update changes."""
    rng = json.dumps(made.rng.bit_generator.state)
    position = data.state_dict() if hasattr(data, "state_dict") else None
    return digest(model.params, dict(made.optimiser.state_dict())), rng, position, made._run.update


def test_a_model_learns() -> None:
    model = Toy()
    before = model.evaluate(batches())["loss"]
    history = trainer(model).fit(batches(), epochs=30)
    assert model.evaluate(batches())["loss"] < 0.5 * before
    updates, losses = history.column("loss")
    assert updates[:3] == [5, 10, 15]
    assert updates[-1] == 7 * 30
    assert np.mean(losses[-3:]) < 0.6 * losses[0]
    record = history.records[0]
    assert record["tokens"] == 5 * 12
    assert record["lr"] == 0.01
    assert record["gradient_norm"] > 0  # type: ignore[operator]


def test_it_does_what_the_same_loop_by_hand_does() -> None:
    from autograd import value_and_grad

    from fastrnn.train import clip_grad_norm

    model, by_hand = Toy(), Toy()
    trainer(model).fit(batches(), epochs=2)
    adam, rng = Adam(lr=0.01), np.random.default_rng(2)
    for _ in range(2):
        state = None
        for batch in batches():
            kept: list[Any] = []

            def loss(params: Any, batch: Any = batch, state: Any = state, kept: Any = kept) -> Any:
                value, after = by_hand.loss_with_state(params, batch, state, rng)
                kept.append(after["h"][0]._value)
                return value

            _, grads = value_and_grad(loss)(by_hand.params)
            clip_grad_norm(grads, 1.0)
            adam.update(by_hand.params, grads)
            state = {"h": (kept[0],), "none": None}
    assert digest(model.params) == digest(by_hand.params)


@pytest.mark.parametrize("kind", [Shuffled, batches])
@pytest.mark.parametrize("stop", [1, 6, 7, 8, 21, 25])
def test_a_resumed_run_is_bitwise_the_uninterrupted_one(
    tmp_path: Path, kind: Any, stop: int
) -> None:
    whole, first, second = Toy(), Toy(), Toy(seed=9)
    straight = trainer(whole, checkpoint=tmp_path / "a")
    options = {"validation": batches(2), "validate_every": 4, "patience": 3}
    history = straight.fit(kind(), updates=30, **options)
    data = kind()
    trainer(first, checkpoint=tmp_path / "b", save_every=stop).fit(data, updates=stop, **options)
    resumed = trainer(second, checkpoint=tmp_path / "b")
    resumed.rng.random(100)
    again = resumed.fit(kind(), updates=30, resume=True, **options)
    assert digest(whole.params) == digest(second.params)
    ours, theirs = (load_latest(tmp_path / name) for name in "ab")
    for name, array in ours.tensors.items():
        if name != "history":
            assert array.tobytes() == theirs.tensors[name].tobytes(), name
    for key in ("rng", "position", "carry"):
        assert ours.state[key] == theirs.state[key]
    assert straight.optimiser.state_dict()["step"] == resumed.optimiser.state_dict()["step"]
    first_seen, again_seen = (
        {u: v for u, v in zip(*h.column("validation_loss"), strict=True) if u % 4 == 0}
        for h in (history, again)
    )
    assert first_seen == again_seen


def test_the_second_fit_goes_on(tmp_path: Path) -> None:
    whole, parts = Toy(), Toy()
    trainer(whole).fit(Shuffled(), updates=20)
    made, data = trainer(parts), Shuffled()
    for updates in (3, 3, 10, 20):
        made.fit(data, updates=updates)
    assert digest(whole.params) == digest(parts.params)


@pytest.mark.parametrize("kind", [Shuffled, batches])
@pytest.mark.parametrize("error", [MemoryError, KeyboardInterrupt, ZeroDivisionError])
def test_an_exception_changes_nothing(kind: Any, error: type[BaseException]) -> None:
    model, data = Toy(), kind()
    made = trainer(model)
    made.fit(data, updates=9)
    before, real = everything(model, made, data), model.loss_with_state

    def failing(params: Any, batch: Any, state: Any, rng: Any) -> Any:
        real(params, batch, state, rng)
        raise error

    model.loss_with_state = failing  # type: ignore[method-assign]
    with pytest.raises(error):
        made.fit(data, updates=20)
    assert everything(model, made, data) == before
    model.loss_with_state = real  # type: ignore[method-assign]
    made.fit(data, updates=20)
    whole = Toy()
    trainer(whole).fit(kind(), updates=20)
    assert digest(whole.params) == digest(model.params)


def test_an_optimiser_that_refuses_changes_nothing() -> None:
    model = Toy()
    made = trainer(model)
    before = everything(model, made)
    made.optimiser.lr = lambda _: float("nan")
    with pytest.raises(ValueError, match="finite"):
        made.fit(batches(), updates=1)
    made.optimiser.lr = 0.01
    assert everything(model, made) == before


def test_ctrl_c_saves_and_is_raised_again(tmp_path: Path) -> None:
    whole, model, again = Toy(), Toy(), Toy()
    trainer(whole).fit(Shuffled(), updates=20)
    calls, real = 0, model.loss_with_state

    def pressed(params: Any, batch: Any, state: Any, rng: Any) -> Any:
        nonlocal calls
        calls += 1
        value = real(params, batch, state, rng)
        if calls == 13:
            signal.raise_signal(signal.SIGINT)
        return value

    model.loss_with_state = pressed  # type: ignore[method-assign]
    with pytest.raises(KeyboardInterrupt):
        trainer(model, checkpoint=tmp_path).fit(Shuffled(), updates=20)
    assert load_latest(tmp_path).state["run"]["update"] == 12
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    trainer(again, checkpoint=tmp_path).fit(Shuffled(), updates=20, resume=True)
    assert digest(whole.params) == digest(again.params)


def test_ctrl_c_never_tears_an_update(tmp_path: Path) -> None:
    """Pressed in the middle of the optimiser, and again while saving: both are whole."""
    model = Toy()

    class Pressed(Adam):
        def update(self, params: Any, grads: Any) -> None:
            if self.steps == 4:
                signal.raise_signal(signal.SIGINT)
            super().update(params, grads)

        def state_dict(self) -> Any:
            signal.raise_signal(signal.SIGINT)
            return super().state_dict()

    made = Trainer(
        model, Pressed(lr=0.01), rng=np.random.default_rng(2), checkpoint=tmp_path, max_norm=1.0,
        progress=False,
    )  # fmt: skip
    with pytest.raises(KeyboardInterrupt):
        made.fit(Shuffled(), updates=20)
    found, whole = load_latest(tmp_path), Toy()
    assert found.state["run"]["update"] == 5
    trainer(whole).fit(Shuffled(), updates=5)
    assert digest(whole.params) == digest(model.params)


@pytest.mark.parametrize(
    ("what", "words"),
    [("loss", "its batch holds NaN"), ("gradient", "a lower learning rate may help, or clipping")],
)
def test_a_loss_that_is_no_number_is_said_clearly(tmp_path: Path, what: str, words: str) -> None:
    model = Toy()
    made = trainer(model, checkpoint=tmp_path, save_every=3)
    data = batches()
    made.fit(data, updates=3)
    before = everything(model, made)
    bad = [batch.copy() for batch in data]
    bad[0][0, 0, 0] = np.nan if what == "loss" else 1e30
    with (
        pytest.raises(FloatingPointError, match=f"at update 4; {words}"),
        np.errstate(all="ignore"),
    ):
        made.fit(bad, updates=5)
    assert everything(model, made) == before
    assert load_latest(tmp_path).state["run"]["update"] == 3


def test_two_fits_at_once_are_refused() -> None:
    model, inside, leave = Toy(), threading.Event(), threading.Event()
    made, failures = trainer(model), []

    def waiting() -> float:
        inside.set()
        assert leave.wait(20)
        return 1.0

    def run() -> None:
        try:
            made.fit(batches(), updates=1, validation=waiting)
        except RuntimeError as error:
            failures.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    assert inside.wait(20)
    with pytest.raises(RuntimeError, match="already running"):
        made.fit(batches(), updates=1)
    leave.set()
    thread.join()
    assert not failures
    made.fit(batches(), updates=2)


@pytest.mark.parametrize(
    ("options", "error", "match"),
    [
        ({}, ValueError, "limit"),
        ({"epochs": -1}, ValueError, "epochs"),
        ({"updates": 1.5}, TypeError, "updates"),
        ({"seconds": float("nan")}, ValueError, "seconds"),
        ({"updates": 1, "patience": 1}, ValueError, "validation"),
        ({"updates": 1, "validation": lambda: {"a": 1.0}}, ValueError, "monitor"),
        ({"updates": 1, "validation": lambda: 1.0, "best": "max "}, ValueError, "best"),
        ({"updates": 1, "monitor": "accuracy"}, ValueError, "monitor .* need validation"),
        ({"updates": 1, "best": "max"}, ValueError, "best need validation"),
        ({"updates": 1, "resume": True}, ValueError, "folder"),
    ],
)
def test_bad_arguments_are_named(options: Any, error: type[Exception], match: str) -> None:
    with pytest.raises(error, match=match):
        trainer(Toy()).fit(batches(), **options)


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({"progress": "bar"}, TypeError),
        ({"keep": 0}, ValueError),
        ({"checkpoint": 3}, TypeError),
        ({"metrics": 3}, TypeError),
        ({"picture": 3}, TypeError),
    ],
)
def test_bad_options_of_a_trainer_are_named(options: Any, error: type[Exception]) -> None:
    with pytest.raises(error, match=f"{next(iter(options))} must be "):
        trainer(Toy(), **options)


@pytest.mark.parametrize("max_norm", [-1.0, 0, float("nan")])
def test_a_bad_max_norm_is_named_before_the_first_update(max_norm: float) -> None:
    with pytest.raises(ValueError, match=r"max_norm must be [^;]*$"):
        trainer(Toy(), max_norm=max_norm)


def test_bad_data_is_named() -> None:
    with pytest.raises(TypeError, match="one-way"):
        trainer(Toy()).fit(iter(batches()), epochs=1)
    with pytest.raises(TypeError, match="data must be an iterable of batches, got NoneType"):
        trainer(Toy()).fit(None, epochs=1)
    with pytest.raises(ValueError, match="no batch"):
        trainer(Toy()).fit([], epochs=1)
    with pytest.raises(ValueError, match="folder"):
        trainer(Toy(), save_every=1)


def test_what_trains_is_what_can() -> None:
    for model in (object(), None, np.zeros(3)):
        with pytest.raises(TypeError, match="model must have params, and loss or loss_with_state"):
            Trainer(model, Adam())
    for optimiser in ("adam", Adam, None):
        with pytest.raises(TypeError, match=r"optimiser must be .* such as Adam\(\), got"):
            Trainer(Toy(), optimiser)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match=r"rng must be a numpy\.random\.Generator"):
        Trainer(Toy(), Adam(), rng=3)  # type: ignore[arg-type]


def test_checkpoint_error_is_public() -> None:
    assert issubclass(fastrnn.CheckpointError, ValueError)


@pytest.mark.parametrize("job", jobs.JOBS)
def test_accumulated_batches_are_one_batch_with_all_their_rows(job: str) -> None:
    """Against updates by hand from the mean over all terms; the last has fewer batches."""
    model, data = jobs.JOBS[job](np.float64)
    Trainer(
        model, SGD(lr=0.1), accumulate=3, progress=False, rng=np.random.default_rng(3)
    ).fit(data, epochs=1)
    by_hand, data = jobs.JOBS[job](np.float64)
    rng, carry = np.random.default_rng(3), None
    given = list(data)
    carries = hasattr(model, "loss_with_state") and getattr(data, "carries", True)
    for group in [given[i : i + 3] for i in range(0, len(given), 3)]:
        total = sum(by_hand.terms(batch) for batch in group)
        sums = {name: np.zeros_like(a) for name, a in flatten("params", by_hand.params).items()}
        for batch in group:
            kept: list[Any] = [None]

            def loss(params: Any, batch: Any = batch, carry: Any = carry, kept: Any = kept) -> Any:
                if not hasattr(by_hand, "loss_with_state"):
                    return by_hand.loss(params, batch, rng)
                value, kept[0] = by_hand.loss_with_state(params, batch, carry, rng)
                return value

            _, grads = value_and_grad(loss)(by_hand.params)
            carry = detached(kept[0]) if carries else None
            for name, gradient in flatten("grads", grads, scalars=True).items():
                sums[name] += gradient * (by_hand.terms(batch) / total)
        for name, array in flatten("params", by_hand.params).items():
            np.subtract(array, 0.1 * sums[name], out=array)
    for name, array in flatten("params", by_hand.params).items():
        np.testing.assert_allclose(flatten("params", model.params)[name], array, 1e-10, 1e-13)


@pytest.mark.parametrize("stop", range(1, 9))
@pytest.mark.parametrize("job", ["windows", "segments", "streams"])
def test_an_accumulated_training_goes_on_bitwise(job: str, stop: int, tmp_path: Path) -> None:
    def run(updates: int, folder: Path, resume: bool) -> str:
        params, _ = jobs.train(
            None, jobs.JOBS[job], updates=updates, accumulate=4, checkpoint=folder, resume=resume,
        )  # fmt: skip
        return jobs.digest(params)

    whole = run(9, tmp_path / "whole", False)
    run(stop, tmp_path / "parts", False)
    assert run(9, tmp_path / "parts", True) == whole


def test_several_batches_need_a_model_that_counts_its_terms() -> None:
    with pytest.raises(TypeError, match=r"terms\(batch\).*several batches.*Toy has none"):
        trainer(Toy(), accumulate=2)
    with pytest.raises(ValueError, match="accumulate must be at least 1"):
        trainer(Toy(), accumulate=0)
