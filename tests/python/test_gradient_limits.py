"""Why: truncated BPTT and clipping at each step are what helps where a gradient overflows on its
way; a layer or model that ignored them would learn on without a word.
"""

from typing import Any

import numpy as np
import pytest
from autograd import grad
from helpers.zoo import DECODING, EVERY, LENGTHS, batch_for, flat, make, token_batch

import fastrnn
from fastrnn import ops

CELLS = {"rnn": fastrnn.RNN, "gru": fastrnn.GRU, "lstm": fastrnn.LSTM}
LIMITS = [{"truncate": 2}, {"clip_step": 0.02}, {"truncate": 3, "clip_step": 0.05}]
each_limit = pytest.mark.parametrize("limits", LIMITS, ids=str)


def gradients(layer: Any, x: Any, dy: Any, lengths: Any, **limits: Any) -> dict[str, Any]:
    _, _, tape = layer.forward(x, lengths=lengths)
    found = layer.backward(tape, dy, **limits)
    return {"x": found.x, **found.params}


@each_limit
@pytest.mark.parametrize("cell", CELLS)
def test_one_layer_is_the_function(cell: str, limits: Any, rng: Any) -> None:
    layer = CELLS[cell](3, 5, dtype=np.float64, rng=rng)
    x, dy, lengths = rng.normal(size=(7, 4, 3)), rng.normal(size=(7, 4, 5)), [7, 0, 3, 6]
    found = gradients(layer, x, dy, lengths, **limits)
    names = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
    weights = [layer.params[f"{name}_l0"] for name in names]
    _, _, tape = getattr(fastrnn, f"{cell}_forward")(x, *weights, lengths=lengths)
    wanted = getattr(fastrnn, f"{cell}_backward")(tape, dy, **limits)
    np.testing.assert_array_equal(found["x"], wanted.x)
    np.testing.assert_array_equal(found["weight_hh_l0"], wanted.w_hh)
    assert not np.allclose(gradients(layer, x, dy, lengths)["weight_hh_l0"], wanted.w_hh)


@each_limit
@pytest.mark.parametrize("cell", CELLS)
def test_backward_apply_and_the_layers_own_limits_agree(
    cell: str, limits: Any, backend: str, rng: Any
) -> None:
    plain = CELLS[cell](3, 4, 2, bidirectional=True, dtype=np.float64, rng=rng)
    made = CELLS[cell](3, 4, 2, bidirectional=True, dtype=np.float64, rng=rng, **limits)
    made.load_state_dict(plain.state_dict())
    x, dy, lengths = rng.normal(size=(6, 4, 3)), rng.normal(size=(6, 4, 8)), [6, 0, 3, 5]
    wanted = gradients(plain, x, dy, lengths, **limits)
    assert not np.allclose(wanted["x"], gradients(plain, x, dy, lengths)["x"])

    def loss(layer: Any, more: Any) -> Any:
        return lambda p, x: (layer.apply(p, x, lengths=lengths, **more)[0] * dy).sum()

    for layer, more in ((plain, limits), (made, {})):
        for argnum in (0, 1):
            found = grad(loss(layer, more), argnum)(plain.params, x)
            for name, gradient in (found if argnum == 0 else {"x": found}).items():
                np.testing.assert_array_equal(gradient, wanted[name], err_msg=name)
    np.testing.assert_array_equal(gradients(made, x, dy, lengths)["x"], wanted["x"])
    assert all(f"{name}={value}" in repr(made) for name, value in limits.items())


@pytest.mark.parametrize(
    ("limits", "error"),
    [({"truncate": 0}, ValueError), ({"truncate": 1.5}, TypeError), ({"clip_step": 0}, ValueError),
     ({"clip_step": float("nan")}, ValueError), ({"clip_step": "1"}, TypeError)],
    ids=str,
)  # fmt: skip
def test_wrong_limits_are_refused_and_the_tape_stays_good(
    limits: Any, error: Any, rng: Any
) -> None:
    layer = fastrnn.LSTM(3, 4, rng=rng)
    x = np.ones((5, 2, 3), np.float32)
    name = next(iter(limits))
    with pytest.raises(error, match=name):
        fastrnn.LSTM(3, 4, **limits)
    with pytest.raises(error, match=name):
        layer.apply(layer.params, x, **limits)
    y, _, tape = layer.forward(x)
    with pytest.raises(error, match=name):
        layer.backward(tape, y, **limits)
    assert layer.backward(tape, y).x.any()


@pytest.mark.parametrize("name", EVERY)
def test_they_reach_every_recurrent_layer_of_every_model(name: str, rng: Any) -> None:
    """A limit that no gradient can exceed by much leaves no weight below the gates untouched."""
    plain, limited = make(name), make(name, clip_step=1e-9)
    batch = token_batch(plain, rng) if name in DECODING else batch_for(plain, rng, lengths=LENGTHS)
    before, after = (
        flat(ops.value_and_grad(model.loss)(plain.params, batch, np.random.default_rng(1))[1])
        for model in (plain, limited)
    )
    recurrent = [path for path in before if path.rpartition(".")[2].startswith("weight_hh")]
    assert recurrent
    for path in recurrent:
        assert np.abs(after[path]).max() < 1e-6 < np.abs(before[path]).max(), path
    assert limited.config["clip_step"] == 1e-9  # a file keeps it
