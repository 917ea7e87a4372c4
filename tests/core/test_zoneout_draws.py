"""Why: what zoneout keeps is drawn inside of the core, where nobody sees it. It must be what the
twin draws, to the bit: on every instruction set, for any number of threads, however rows and units
are split, and again on the way back. The same of the weights that weight drop leaves.
"""

from typing import Any

import numpy as np
import pytest
from helpers.runners import forced_plan

import fastrnn
from fastrnn import _core
from fastrnn._call import Draws
from fastrnn.reference.dropout import C_KEEP, H_KEEP, keeps

KEY = 2**64 - 0x0123456789ABCDEF
PLANS = ((1, None, 0), (2, "rows", 1), (2, "units", 0), (3, "units", 2))
CELLS = {
    "rnn_general": (("tanh",), 1),
    "gru_after_general": (("sigmoid", "tanh"), 3),
    "gru_before_general": (("sigmoid", "tanh"), 3),
    "lstm_general": (("sigmoid", "tanh", "tanh"), 4),
}


def run(cell: str, P: int, h_keep: Any, c_keep: Any, plan: Any, reverse: bool) -> dict[str, Any]:
    """Everything that forward and backward give."""
    activations, G = CELLS[cell]
    T, N, I, H, lstm = 5, 7, 3, 37, cell == "lstm_general"
    rng = np.random.default_rng(1)

    def draw(*shape: int) -> np.ndarray:
        return rng.uniform(-1, 1, shape).astype(np.float32)

    threads, split, chunk = plan
    given = {"x": draw(T, N, I), "w_ih": draw(G * H, I), "w_hh": draw(G * H, P)}
    given |= {"b_ih": draw(G * H), "b_hh": draw(G * H), "w_peephole": None, "h0": draw(N, P)}
    given |= {"c0": draw(N, H) if lstm else None, "w_hr": draw(P, H) if P != H else None}
    out = {"y": np.empty((T, N, P), np.float32), "h_n": np.empty((N, P), np.float32)}
    out |= {"c_n": np.empty((N, H), np.float32)} if lstm else {}
    tape = _core.Tape()
    with forced_plan(split, chunk):
        _core.rnn_forward(
            getattr(_core.Cell, cell), **given, lengths=np.array([5, 0, 3, 5, 1, 4, 2]),
            y=out["y"], h_n=out["h_n"], c_n=out.get("c_n"), reverse=reverse, num_threads=threads,
            tape=tape, choices=_core.Choices(activations), h_keep=h_keep, c_keep=c_keep,
        )  # fmt: skip
        for name, array in given.items():
            out |= {} if array is None else {f"d{name}": np.empty_like(array)}
        names = ("x", "w_ih", "w_hh", "b_ih", "b_hh", "h0", "c0", "w_peephole", "w_hr")
        _core.rnn_backward(
            tape, draw(T, N, P), draw(N, P), draw(N, H) if lstm else None,
            **{f"d{name}": out.get(f"d{name}") for name in names}, num_threads=threads,
        )  # fmt: skip
    return out


@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize(("cell", "P"), [*((cell, 37) for cell in CELLS), ("lstm_general", 19)])
def test_the_core_draws_what_the_twin_draws(cell: str, P: int, reverse: bool, isa: str) -> None:
    h, c = Draws(0.3, KEY), Draws(0.6, KEY) if cell == "lstm_general" else None
    arrays = keeps(*h, (5, 7, P), H_KEEP).astype(np.float32), None
    if c is not None:
        arrays = arrays[0], keeps(*c, (5, 7, 37), C_KEEP).astype(np.float32)
    expected = run(cell, P, *arrays, PLANS[0], reverse)
    for plan in PLANS:
        found = run(cell, P, h, c, plan, reverse)
        assert found.keys() == expected.keys()
        for name, array in expected.items():
            assert array.tobytes() == found[name].tobytes(), (name, plan)


@pytest.mark.parametrize("p", [0.0001, 0.25, 0.9, 1.0])
def test_so_many_stay_as_p_says(p: float) -> None:
    kept = keeps(p, KEY, (20, 10, 150), H_KEEP)
    assert abs(kept.mean() - p) < 4 * np.sqrt(p * (1 - p) / kept.size) + 1e-12
    other = keeps(p, KEY, (20, 10, 150), C_KEEP)
    assert p == 1 or not np.array_equal(kept, other), "h and c are drawn apart"


def test_steps_rows_and_units_are_drawn_apart() -> None:
    kept = keeps(0.5, KEY, (40, 40, 64), H_KEEP).astype(np.float64) - 0.5
    for axis in range(3):
        for lag in (1, 2, 3):
            along = np.take(kept, range(lag, kept.shape[axis]), axis)
            before = np.take(kept, range(kept.shape[axis] - lag), axis)
            assert abs(4 * (along * before).mean()) < 5 / np.sqrt(along.size), (axis, lag)


@pytest.mark.parametrize("backend_name", ["core", "reference"])
def test_a_seed_gives_the_same_training_step_on_either_backend(backend_name: str) -> None:
    rng = np.random.default_rng(5)
    chances: dict[str, Any] = {"zoneout": (0.2, 0.5), "weight_drop": 0.3}
    layer = fastrnn.LSTM(3, 9, num_layers=2, dtype=np.float64, rng=rng, **chances)
    x = rng.standard_normal((6, 4, 3))
    with fastrnn.use_backend(backend_name):
        y, _, tape = layer.forward(x, rng=np.random.default_rng(8))
        grads = layer.backward(tape, np.ones_like(y))
    with fastrnn.use_backend("reference"):
        wanted, _, tape = layer.forward(x, rng=np.random.default_rng(8))
        expected = layer.backward(tape, np.ones_like(y))
    np.testing.assert_allclose(y, wanted, rtol=1e-12, atol=1e-13)
    np.testing.assert_allclose(grads.x, expected.x, rtol=1e-11, atol=1e-12)
    dropped = [name for name in grads.params if "weight_hh" in name]
    for name in dropped:
        got, twin = grads.params[name], expected.params[name]
        np.testing.assert_allclose(got, twin, rtol=1e-11, atol=1e-12)
        assert 0.2 < (got == 0).mean() < 0.4, "as many gradients are 0 as weights are dropped"
    assert len(dropped) == 2
    other, _, _ = layer.forward(x, rng=np.random.default_rng(9))
    assert not np.allclose(y, other)


@pytest.mark.parametrize(
    ("h_keep", "error"),
    [
        ((0.0, KEY), ValueError),
        ((1.5, KEY), ValueError),
        ((float("nan"), KEY), ValueError),
        ((0.5,), TypeError),
        ((0.5, -1), TypeError),
        ((0.5, 2**64), TypeError),
        ((0.5, (1, 2)), TypeError),
        (("half", KEY), TypeError),
    ],
)
def test_malformed_draws(h_keep: Any, error: type[Exception]) -> None:
    with pytest.raises(error, match="h_keep"):
        run("rnn_general", 37, h_keep, None, PLANS[0], False)
