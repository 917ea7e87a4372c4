"""check_cell passes every layer with every option, and finds what is wrong with a broken one."""

from typing import Any

import numpy as np
import pytest

import fastrnn
from fastrnn.testing import check_cell

OPTIONS: list[dict[str, Any]] = [
    {},
    {"recurrent_dropout": 0.3, "weight_drop": 0.3},
    {"zoneout": 0.3},
    {"clip": 0.5},
    {"num_layers": 2, "bidirectional": True, "zoneout": 0.2},
    {"num_layers": 2, "dropout": 0.4, "bias": False},
    {"proj_size": 2},
    {"proj_size": 1, "bidirectional": True, "merge_mode": "sum", "recurrent_dropout": 0.2},
    {"peephole": True, "zoneout": (0.3, 0.0)},
    {"peephole": "full", "num_layers": 2, "bidirectional": True},
    {"peephole": "full", "proj_size": 2, "zoneout": (0.2, 0.0), "weight_drop": 0.2, "clip": 0.9},
    {"peephole": "full", "layer_norm": True},
    {"peephole": "full", "gates": "io", "recurrent_dropout": 0.3},
    {"peephole": "full", "input_forget": True, "activations": ("sigmoid", "elu", "softsign")},
    {"hidden_size": [1, 4], "peephole": "full"},
    {"activations": ("softplus", ("scaled_tanh", 0.7, 0.4), "softsign"), "proj_size": 2},
    {"reset_after": False, "zoneout": 0.2, "recurrent_dropout": 0.3},
    {"activations": ("softsign", "elu")},
    {"nonlinearity": "softsign", "zoneout": 0.2},
]
ONLY = {
    "proj_size": fastrnn.LSTM, "peephole": fastrnn.LSTM, "reset_after": fastrnn.GRU,
    "nonlinearity": fastrnn.RNN,
}  # fmt: skip


def fits(layer: Any, options: dict[str, Any]) -> bool:
    activations = {fastrnn.LSTM: 3, fastrnn.GRU: 2}
    if len(options.get("activations", ())) not in (0, activations.get(layer)):
        return False
    return all(ONLY.get(name, layer) is layer for name in options)


CASES = [
    (layer, options)
    for layer in (fastrnn.RNN, fastrnn.GRU, fastrnn.LSTM)
    for options in OPTIONS
    if fits(layer, options)
]


@pytest.mark.parametrize(("layer", "options"), CASES, ids=[f"{c.__name__}-{o}" for c, o in CASES])
def test_every_layer_passes(layer: Any, options: dict[str, Any]) -> None:
    cell = layer(3, **{"hidden_size": 4} | options, dtype=np.float64, rng=np.random.default_rng(0))
    before = cell.state_dict()
    assert len(check_cell(cell)) == 8
    assert all(np.array_equal(before[name], cell.params[name]) for name in before)


class Wrong(fastrnn.GRU):
    """A GRU with one mistake in it."""

    mistake = ""

    def backward(self, tape: Any, dy: Any = None, dstate: Any = None) -> Any:
        grads = super().backward(tape, dy, dstate)
        if self.mistake == "gradient":
            grads.params["weight_hh_l0"][0, 0] += 0.1
        return grads

    def __call__(self, x: Any, state: Any = None, *, lengths: Any = None) -> Any:
        y, state = super().__call__(x, state, lengths=lengths)
        if self.mistake == "rows":
            y = y + y.mean(axis=1, keepdims=True)
        return y, state

    def forward(self, x: Any, *args: Any, **options: Any) -> Any:
        if self.mistake == "padding":
            options["lengths"] = None
        return super().forward(x, *args, **options)


@pytest.mark.parametrize(
    ("mistake", "check"), [("gradient", "gradients"), ("rows", "evaluation"), ("padding", "")]
)
def test_a_mistake_is_found_and_named(mistake: str, check: str) -> None:
    cell = Wrong(3, 4, dtype=np.float64, rng=np.random.default_rng(0))
    cell.mistake = mistake
    with pytest.raises(AssertionError, match=f"^{check}"):
        check_cell(cell)


def test_what_is_no_cell() -> None:
    with pytest.raises(TypeError, match="cell must be a recurrent layer, Embedding has no"):
        check_cell(fastrnn.Embedding(3, 4))
    with pytest.raises(TypeError, match="cell must be float64"):
        check_cell(fastrnn.GRU(3, 4))
