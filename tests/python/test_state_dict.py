"""Why: weights come from elsewhere. They must land under PyTorch's names in the right rows, wholly
or not at all, and the packed copy must follow whatever was changed.
"""

from typing import Any

import numpy as np
import pytest

import fastrnn

I, H = 4, 6
X = np.random.default_rng(0).standard_normal((5, 3, I)).astype(np.float32)


def make(seed: int = 0, **options: Any) -> Any:
    return fastrnn.LSTM(I, H, 2, bidirectional=True, rng=np.random.default_rng(seed), **options)


def test_a_round_trip(backend: str) -> None:
    one, other = make(1), make(2)
    y, _ = one(X)
    assert (other(X)[0] != y).any()
    assert other.load_state_dict(one.state_dict()) == ([], [])
    np.testing.assert_array_equal(other(X)[0], y)
    assert (
        list(other.state_dict())
        == list(other.params)
        == [
            f"{name}_l{l}{way}"
            for l in (0, 1)
            for way in ("", "_reverse")
            for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
        ]
    )


def test_copies_go_in_and_out(backend: str) -> None:
    layer = make()
    y, _ = layer(X)
    saved = layer.state_dict()
    for array in saved.values():
        array[...] = 7
    np.testing.assert_array_equal(layer(X)[0], y)
    loaded = {name: np.array(array) for name, array in layer.params.items()}
    layer.load_state_dict(loaded)
    for array in loaded.values():
        array[...] = 7
    np.testing.assert_array_equal(layer(X)[0], y)


def test_names_are_strict() -> None:
    layer = make()
    state = layer.state_dict()
    state["weight_hr_l0"] = np.zeros((2, 2), np.float32)
    del state["bias_hh_l1"]
    before = layer.state_dict()
    with pytest.raises(
        ValueError, match=r"lacks \['bias_hh_l1'\] and has \['weight_hr_l0'\] too many"
    ):
        layer.load_state_dict(state)
    state["bias_ih_l0"] = np.ones_like(state["bias_ih_l0"])
    missing, unexpected = layer.load_state_dict(state, strict=False)
    assert (missing, unexpected) == (["bias_hh_l1"], ["weight_hr_l0"])
    np.testing.assert_array_equal(layer.params["bias_ih_l0"], 1)
    np.testing.assert_array_equal(layer.params["bias_hh_l1"], before["bias_hh_l1"])
    with pytest.raises(TypeError, match="state_dict must be a mapping, got list"):
        layer.load_state_dict([])
    with pytest.raises(TypeError, match="strict must be True or False, got 'no'"):
        layer.load_state_dict(before, strict="no")
    with pytest.raises(ValueError, match="lacks"):
        layer.set_params({})


@pytest.mark.parametrize(
    ("name", "value", "error", "message"),
    [
        ("weight_hh_l1", np.zeros((H, 4 * H), np.float32), ValueError,
         r"weight_hh_l1 must have shape \(4·H, H\) = \(24, 6\) .* got \(6, 24\); did you pass"),
        ("bias_ih_l0_reverse", np.zeros(3, np.float32), ValueError,
         r"bias_ih_l0_reverse must have shape \(4·H,\) = \(24,\)"),
        ("weight_ih_l1", np.zeros((4 * H, 2 * H)), TypeError, "weight_ih_l1 must be float32"),
        ("weight_ih_l0", None, TypeError, "weight_ih_l0 must be an array"),
        ("bias_hh_l0", np.ma.zeros(4 * H), TypeError, "bias_hh_l0 must not be a masked array"),
    ],
)  # fmt: skip
def test_wholly_or_not_at_all(name: str, value: Any, error: Any, message: str) -> None:
    layer = make()
    before, y = layer.state_dict(), layer(X)[0]
    with pytest.raises(error, match=message):
        layer.load_state_dict(make(2).state_dict() | {name: value})
    for key, array in before.items():
        np.testing.assert_array_equal(layer.params[key], array)
    np.testing.assert_array_equal(layer(X)[0], y)


def test_layouts_of_weights() -> None:
    layer, other = make(1), make(2)
    state = {name: np.asfortranarray(array) for name, array in layer.params.items()}
    state["bias_ih_l0"] = state["bias_ih_l0"].astype(">f4")
    state["bias_hh_l0"] = state["bias_hh_l0"].tolist()
    other.load_state_dict(state)
    np.testing.assert_array_equal(other(X)[0], layer(X)[0])
    assert all(
        array.flags.c_contiguous and array.dtype == np.float32 for array in other.params.values()
    )


def test_replaced_entries_and_edited_ones_are_seen() -> None:
    layer, other = make(1), make(2)
    layer(X)
    for name, array in other.params.items():
        layer.params[name] = array.copy()
    np.testing.assert_array_equal(layer(X)[0], other(X)[0])
    for array in layer.params.values():
        array[...] = 0
    assert not layer(X)[0].any()
    assert not layer.forward(X)[0].any()


def test_bad_entries_are_refused_at_the_next_call(backend: str) -> None:
    layer = make()
    layer.params["weight_hh_l0"] = np.zeros((4 * H, H))
    for call in (layer, layer.forward):
        with pytest.raises(TypeError, match="weight_hh_l0 must be float32"):
            call(X)
    layer = make()
    del layer.params["bias_ih_l1_reverse"]
    for call in (layer, layer.forward):
        with pytest.raises(
            ValueError, match=r"params lacks \['bias_ih_l1_reverse'\] and has \[\] too many"
        ):
            call(X)


def test_another_isa_packs_again() -> None:
    layer, before = make(), fastrnn.isa()
    try:
        for name in fastrnn.available_isas():
            fastrnn.set_isa(name)
            expected, _ = fastrnn.lstm(
                X,
                *(
                    layer.params[f"{n}_l0"]
                    for n in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
                ),
            )
            one = fastrnn.LSTM(I, H)
            one.load_state_dict({k: v for k, v in layer.params.items() if k in one.params})
            np.testing.assert_array_equal(one(X)[0], expected)
            np.testing.assert_array_equal(layer(X)[0], layer.forward(X)[0])
    finally:
        fastrnn.set_isa(before)


@pytest.mark.parametrize("kind", ["RNN", "LSTM", "GRU"])
def test_torch_weights(kind: str, rng: Any) -> None:
    torch = pytest.importorskip("torch")
    module = getattr(torch.nn, kind)(I, H, 2, bidirectional=True)
    layer = getattr(fastrnn, kind)(I, H, 2, bidirectional=True)
    layer.load_state_dict(module.state_dict())
    with torch.no_grad():
        expected, _ = module(torch.from_numpy(X))
    np.testing.assert_allclose(layer(X)[0], expected.numpy(), atol=1e-6)
    module.load_state_dict({k: torch.from_numpy(v) for k, v in layer.state_dict().items()})
    with pytest.raises(TypeError, match=r"weight_ih_l0 .*detach"):
        layer.load_state_dict(dict(module.named_parameters()))
    with pytest.raises(TypeError, match="must be float32"):
        layer.load_state_dict(module.double().state_dict())
