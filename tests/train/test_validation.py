"""Why: when to stop and which parameters to keep is decided by figures on data held out."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers.toy import Shuffled, Toy, batches, digest, trainer

from fastrnn.train import SGD, Trainer, _loop, load_latest, schedule

pytest.importorskip("autograd")
pytest.importorskip("safetensors")


def test_early_stopping_keeps_the_best_parameters(tmp_path: Path) -> None:
    model, seen = Toy(), []
    values = iter([9.0, 5.0, 3.0, 4.0, 3.5, 3.0, 9.0])  # the first before the first update

    def judge() -> dict[str, float]:
        seen.append(digest(model.params))
        return {"error": next(values)}

    made = trainer(model, checkpoint=tmp_path)
    options = {"validation": judge, "monitor": "error", "patience": 3}
    history = made.fit(batches(), epochs=20, **options)
    assert history.column("validation_error")[1] == [5.0, 3.0, 4.0, 3.5, 3.0]
    assert history.column("validation_error", by="epoch")[0] == [1, 2, 3, 4, 5]
    assert digest(model.params) == seen[2] != seen[-1]
    saved = load_latest(tmp_path)
    np.testing.assert_array_equal(saved.tensors["best.cell.w_hh"], model.params["cell"]["w_hh"])
    again = Toy()
    trainer(again, checkpoint=tmp_path).fit(batches(), epochs=20, resume=True, **options)
    assert digest(again.params) == seen[2]


def test_the_larger_figure_can_be_the_better_one() -> None:
    values = iter([1.0, 0.1, 0.9, 0.8])  # the first before the first update
    made = trainer(Toy())
    history = made.fit(batches(), epochs=9, validation=lambda: next(values), patience=1, best="max")
    assert history.column("validation_loss")[1] == [0.1, 0.9, 0.8]


def test_a_schedule_that_listens_is_told_the_figures() -> None:
    lr = schedule.ReduceOnPlateau(0.1, factor=0.5, patience=0)
    made = Trainer(Toy(), SGD(lr=lr), progress=False)
    made.fit(batches(), epochs=3, validation=lambda: 1.0)
    assert lr(0) == 0.1 * 0.5**2


def test_no_seconds_are_used_up_by_waiting_for_validation(monkeypatch: pytest.MonkeyPatch) -> None:
    """By a clock that an update does not move, but validation and, later, every look."""
    now, tick = [0.0], 0.0

    def look() -> float:
        now[0] += tick
        return now[0]

    def validation() -> float:
        now[0] += 1000
        return 1.0

    monkeypatch.setattr(_loop, "perf_counter", look)
    fit = {"validation": validation, "validate_every": 1}
    history = trainer(Toy()).fit(batches(), updates=4, **fit)  # type: ignore[arg-type]
    assert now == [5000], "before the first update, and after each"
    assert history.records[-1]["seconds"] == 0
    tick = 0.01
    assert 0.05 <= trainer(Toy()).fit(batches(), seconds=0.05).records[-1]["seconds"] < 0.1  # type: ignore[operator]


def test_data_that_shuffles_itself_is_judged_in_one_order() -> None:
    """Else the sums would differ in their last bits after a resume, which starts with epoch 0."""
    held_out, orders = Shuffled(5), []

    class Judged(Toy):
        def evaluate(self, data: Any) -> dict[str, float]:
            orders.append(digest({str(i): batch for i, batch in enumerate(data)}))
            if len(orders) == 3:
                raise ZeroDivisionError
            return {"loss": 1.0}

    made = trainer(Judged())
    with pytest.raises(ZeroDivisionError):
        made.fit(batches(), epochs=9, validation=held_out)
    made.fit(batches(), epochs=3, validation=held_out)
    assert len(set(orders)) == 1
    assert held_out.state_dict() == Shuffled(5).state_dict()


def test_a_figure_that_does_not_exist_is_refused_before_the_first_update(tmp_path: Path) -> None:
    for options in (
        {"validation": lambda: {"error": 1.0}},
        {"validation": lambda: 1.0, "monitor": "error"},
        {"validation": batches(), "monitor": "perplexity", "patience": 2},
    ):
        model = Toy()
        before, made = digest(model.params), trainer(model, checkpoint=tmp_path)
        with pytest.raises(ValueError, match="monitor must name a figure of"):
            made.fit(batches(), epochs=2, **options)
        assert made.updates == 0
        assert digest(model.params) == before
        assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("failure", [ZeroDivisionError, KeyboardInterrupt])
def test_a_validation_that_fails_later_loses_nothing(tmp_path: Path, failure: Any) -> None:
    def fit(after: int | None, resume: bool = False) -> str:
        calls = []

        def judge() -> dict[str, float]:
            calls.append(1)
            if len(calls) == after:
                raise failure
            return {"loss": 1.0}

        model = Toy()
        made = trainer(model, checkpoint=tmp_path)
        made.fit(batches(), epochs=4, validation=judge, resume=resume)
        return digest(model.params)

    with pytest.raises(failure):
        fit(after=3)
    assert load_latest(tmp_path).state["run"]["update"] == 2 * len(batches())
    alone = Toy()
    trainer(alone).fit(batches(), epochs=4)
    assert fit(None, resume=True) == digest(alone.params)


def test_a_figure_that_is_gone_later_loses_nothing(tmp_path: Path) -> None:
    figures = iter([{"loss": 1.0}, {"loss": 1.0}, {"error": 1.0}])
    made = trainer(Toy(), checkpoint=tmp_path)
    with pytest.raises(ValueError, match="monitor must name a figure of"):
        made.fit(batches(), epochs=4, validation=lambda: next(figures))
    assert load_latest(tmp_path).state["run"]["update"] == 2 * len(batches())


def test_data_that_can_be_judged_once_only_is_refused() -> None:
    with pytest.raises(TypeError, match="validation must be a function, or data that can be run"):
        trainer(Toy()).fit(batches(), epochs=2, validation=iter(batches()))


def test_what_is_no_data_is_refused() -> None:
    with pytest.raises(TypeError, match="validation must be a function, or data, got 5"):
        trainer(Toy()).fit(batches(), epochs=2, validation=5)
