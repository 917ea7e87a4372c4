"""Why: training that was stopped and resumed must give the same bits, so all that an optimiser
keeps is saved, and nothing wrong is loaded.
"""

import copy
import pickle
from typing import Any

import numpy as np
import pytest
from helpers.tolerances import assert_same_bits
from helpers.updates import OPTIMISERS, draw_tree, good, mapped, run

from fastrnn.train import Adam, schedule


@pytest.mark.parametrize("name", list(OPTIMISERS))
def test_resuming_changes_no_bit(name: str, dtype: np.dtype, rng: np.random.Generator) -> None:
    params = draw_tree(rng, dtype)
    gradients = [draw_tree(rng, dtype) for _ in range(6)]
    expected = run(OPTIMISERS[name](), params, gradients)
    half = OPTIMISERS[name]()
    now = mapped(np.array, params)
    for grads in gradients[:3]:
        half.update(now, grads)
    saved = half.state_dict()
    half.update(now, gradients[3])  # what goes on does not reach what was saved
    now = mapped(np.array, params)
    replayed = OPTIMISERS[name]()
    for grads in gradients[:3]:
        replayed.update(now, grads)
    resumed = OPTIMISERS[name]()
    resumed.load_state_dict(saved)
    assert resumed.steps == 3
    actual = run(resumed, now, gradients[3:])
    assert list(actual) == list(expected)
    for path, array in actual.items():
        assert_same_bits(path, array, expected[path])


@pytest.mark.parametrize("name", ["adam", "rmsprop_centered_momentum"])
def test_pickle_and_copy_keep_the_state(name: str, rng: np.random.Generator) -> None:
    params, grads = draw_tree(rng, np.float32), draw_tree(rng, np.float32)
    optimiser = OPTIMISERS[name]()
    optimiser.update(params, grads)
    for twin in (pickle.loads(pickle.dumps(optimiser)), copy.deepcopy(optimiser)):
        for path, array in run(twin, params, [grads]).items():
            assert_same_bits(path, array, run(copy.deepcopy(optimiser), params, [grads])[path])


def saved_state() -> dict[str, np.ndarray]:
    adam = Adam(0.1)
    adam.update(*good())
    return adam.state_dict()


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"step": None}, "state_dict lacks 'step'"),
        ({"step": np.array(-1)}, r"state_dict\['step'\] must be at least 0"),
        ({"step": np.array(1.0)}, r"state_dict\['step'\] must be an integer"),
        ({"lr": None}, "state_dict lacks 'lr'"),
        ({"lr": np.array(np.nan)}, r"state_dict\['lr'\] must be finite"),
        ({"exp_avg.b.d": None}, "state_dict lacks 'exp_avg.b.d'"),
        ({"exp_avg.b.d": None, "exp_avg_sq.b.d": None}, r"lacks \['b.d'\]"),
        ({"momentum_buffer.a": np.ones(3)}, "state_dict has 'momentum_buffer.a' too many"),
        ({"exp_avg": np.ones(3)}, "state_dict has 'exp_avg' too many"),
        ({"exp_avg.x": np.ones(3), "exp_avg_sq.x": np.ones(3)}, r"\['x'\] are too many"),
        ({"exp_avg.a": np.ones(4)}, r"'exp_avg_sq.a'\] must have the shape \(4,\) of exp_avg"),
        ({"exp_avg_sq.a": np.ones(3, np.float32)}, r"'exp_avg_sq.a'\] must have the dtype"),
        ({"exp_avg.a": np.ones(3, int)}, r"'exp_avg.a'\] must be float32 or float64"),
        ({"exp_avg.a": np.ones(4), "exp_avg_sq.a": np.ones(4)}, r"shape \(3,\) of the updates"),
    ],
)
def test_loading_is_strict_and_atomic(changes: dict[str, Any], words: str) -> None:
    state = {k: v for k, v in (saved_state() | changes).items() if v is not None}
    params, grads = good()
    adam = Adam(0.7)
    adam.update(params, grads)
    adam.update(params, grads)
    before = adam.state_dict()
    with pytest.raises((TypeError, ValueError), match=words):
        adam.load_state_dict(state)
    for name, array in adam.state_dict().items():
        assert_same_bits(name, array, before[name])


def test_loading_before_the_first_update_is_checked_by_it() -> None:
    adam = Adam()
    adam.load_state_dict(saved_state())
    with pytest.raises(ValueError, match="params must have the arrays of the updates before"):
        adam.update({"other": np.ones(3)}, {"other": np.ones(3)})
    adam.update(*good())
    assert adam.steps == 2
    with pytest.raises(ValueError, match="lacks all arrays of exp_avg, exp_avg_sq"):
        adam.load_state_dict({"step": np.array(3), "lr": np.array(0.1)})
    with pytest.raises(TypeError, match="must be a mapping"):
        adam.load_state_dict([])  # type: ignore[arg-type]
    adam.load_state_dict(Adam(0.5).state_dict())
    assert (adam.steps, adam.lr) == (0, 0.5)


def test_a_schedule_with_a_memory_is_saved_too() -> None:
    def make() -> Adam:
        return Adam(schedule.ReduceOnPlateau(1.0, factor=0.5, patience=0))

    adam, other = make(), make()
    adam.lr.observe(1.0)  # type: ignore[union-attr]
    adam.lr.observe(2.0)  # type: ignore[union-attr]
    state = adam.state_dict()
    assert sorted(state) == ["lr.bad", "lr.best", "lr.rate", "step"]
    other.load_state_dict(state)
    assert other.rate == adam.rate == 0.5
    with pytest.raises(ValueError, match=r"has 'lr\.rate' too many"):
        Adam(lambda _: 0.1).load_state_dict(state)
