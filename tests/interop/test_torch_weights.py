"""Why: a published model is a dict of names. One that is not used, or used twice, is a model that
computes something else without a word.
"""

import warnings
from typing import Any

import numpy as np
import pytest
from helpers.tolerances import TORCH_MODULES

import fastrnn


def stack(**options: Any) -> Any:
    """A layer with random weights and two layers in both directions."""
    options = {"num_layers": 2, "bidirectional": True, "rng": np.random.default_rng(0)} | options
    return fastrnn.LSTM(3, 4, **options)


def same(a: Any, b: Any) -> bool:
    return all(np.array_equal(a.params[name], b.params[name]) for name in {*a.params, *b.params})


@pytest.mark.parametrize("options", [
    {}, {"bias": False}, {"bidirectional": False}, {"peephole": True}, {"dtype": np.float64},
    {"hidden_size": [4, 6]}, {"num_layers": 1}, {"layer_norm": True},
], ids=str)  # fmt: skip
@pytest.mark.parametrize("prefix", ["", "encoder.rnn", "encoder.rnn."])
def test_a_state_dict_says_what_the_layer_is(options: dict[str, Any], prefix: str) -> None:
    sizes = options.pop("hidden_size", 4)
    base = {"num_layers": 2, "bidirectional": True} | options
    if isinstance(sizes, list):
        del base["num_layers"]
    layer = fastrnn.LSTM(3, sizes, **base)
    head = prefix + "." if prefix and prefix[-1] != "." else prefix
    state = {head + name: array for name, array in layer.state_dict().items()}
    if head:
        state["decoder.weight"] = np.ones(3, np.float32)
    found = fastrnn.LSTM.from_torch(state, prefix)
    assert same(found, layer)
    assert repr(found) == repr(layer)
    options.clear()


def test_cells_and_subclasses() -> None:
    class Mine(fastrnn.GRU):
        """A subclass."""

    weights = {
        name.removesuffix("_l0"): array for name, array in fastrnn.GRU(3, 4).state_dict().items()
    }
    made = Mine.from_torch(weights, batch_first=True, dtype=np.float64)
    assert type(made) is Mine
    assert made.batch_first
    assert made.dtype == np.float64


def test_a_safetensors_file(tmp_path: Any) -> None:
    pytest.importorskip("safetensors", reason="safetensors is not installed")
    layer = stack()
    tensors = {f"a.{name}": array for name, array in layer.state_dict().items()}
    fastrnn.io.save_checkpoint(tmp_path / "m.safetensors", tensors, {})
    assert same(fastrnn.LSTM.from_torch(tmp_path / "m.safetensors", "a"), layer)


def without(name: str) -> dict[str, Any]:
    state = stack().state_dict()
    del state[name]
    return state


WRONG: list[tuple[Any, str, type[Exception], str]] = [
    ({}, "", ValueError, "state_dict has no weights of LSTM"),
    (stack().state_dict() | {"fc.weight": np.ones(2)}, "", ValueError, r"has \['fc.weight'\]"),
    ({"a.weight_ih_l0": np.ones((16, 3))}, "b", ValueError, r"under the prefixes \['a'\]"),
    (without("weight_hh_l1_reverse"), "", ValueError, r"has \['weight_hh_l1_reverse'\] in some"),
    (without("bias_ih_l0"), "", ValueError, r"bias_ih_l"),
    (fastrnn.GRU(3, 4).state_dict(), "", ValueError, r"weight_hh_l0 must have shape \(4·H, H\)"),
    ({"weight_ih_l1": np.ones((16, 3))}, "", ValueError, "not a whole stack"),
    ({"weight_ih_l0": np.ones(16)}, "", ValueError, "weight_ih_l0 must have shape"),
    ({"weight_ih_l0": np.ones((16, 3), np.int64)}, "", TypeError, "weight_ih_l0 must be float"),
    (3, "", TypeError, "module_or_state_dict must be a module"),
]


@pytest.mark.parametrize(("state", "prefix", "error", "words"), WRONG)
def test_what_does_not_fit_is_named(state: Any, prefix: str, error: Any, words: str) -> None:
    with pytest.raises(error, match=words):
        fastrnn.LSTM.from_torch(state, prefix)


@pytest.fixture
def torch() -> Any:
    """PyTorch, which may be missing."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what PyTorch warns about at import is not ours
        return pytest.importorskip("torch", reason="PyTorch is not installed")


CASES = [
    ("LSTM", {"num_layers": 2, "bidirectional": True, "dropout": 0.5}),
    ("LSTM", {"batch_first": True, "bias": False}),
    ("GRU", {"num_layers": 2}),
    ("RNN", {"nonlinearity": "relu", "bidirectional": True}),
]


@pytest.mark.parametrize(("kind", "options"), CASES, ids=str)
def test_modules_both_ways(torch: Any, kind: str, options: dict[str, Any]) -> None:
    model = torch.nn.Module()
    model.rnn = getattr(torch.nn, kind)(3, 5, **options).eval()
    x = np.random.default_rng(0).standard_normal((4, 2, 3)).astype(np.float32)
    with torch.no_grad():
        expected = model.rnn(torch.from_numpy(x))[0].numpy()
    layer = getattr(fastrnn, kind).from_torch(model, "rnn")
    assert layer.dropout == options.get("dropout", 0)
    np.testing.assert_allclose(layer(x)[0], expected, atol=TORCH_MODULES["float32"])
    back = layer.to_torch()
    assert repr(back) == repr(model.rnn)
    with torch.no_grad():
        assert torch.equal(back.eval()(torch.from_numpy(x))[0], torch.from_numpy(expected))
    parameters = dict(model.rnn.named_parameters())  # they require gradients
    assert same(getattr(fastrnn, kind).from_torch(parameters), layer)


def test_what_torch_cannot_say(torch: Any) -> None:
    cases: list[tuple[Any, str]] = [
        (fastrnn.LSTM(3, 4, peephole=True), "has no peephole"),
        (fastrnn.LSTM(3, 4, gates="io"), "has no gates='io'"),
        (fastrnn.GRU(3, 4, reset_after=False), "has no reset_after"),
        (fastrnn.GRU(3, 4, bidirectional=True, merge_mode="sum"), "has no merge_mode"),
        (fastrnn.GRU(3, [4, 5]), "has one hidden_size"),
        (fastrnn.RNN(3, 4, nonlinearity="sigmoid"), "nonlinearity tanh and relu"),
    ]
    for layer, words in cases:
        with pytest.raises(ValueError, match=words):
            layer.to_torch()
    with pytest.raises(TypeError, match="cannot read a module of mode GRU"):
        fastrnn.LSTM.from_torch(torch.nn.GRU(3, 4))


def test_projection_there_and_back() -> None:
    layer = stack(proj_size=2)
    found = fastrnn.LSTM.from_torch(layer.state_dict())
    assert found.proj_size == 2
    assert same(found, layer)


@pytest.mark.filterwarnings("ignore:LSTM with projections")  # PyTorch's word on its own speed
def test_projected_modules_both_ways(torch: Any) -> None:
    module = torch.nn.LSTM(3, 5, 2, proj_size=2, bidirectional=True)
    layer, x = fastrnn.LSTM.from_torch(module), torch.ones(4, 2, 3)
    with torch.no_grad():
        expected = module(x)[0].numpy()
    np.testing.assert_allclose(layer(x.numpy())[0], expected, atol=TORCH_MODULES["float32"])
    assert repr(layer.to_torch()) == repr(module)
    with pytest.raises(ValueError, match="has no zoneout"):
        fastrnn.LSTM(3, 4, zoneout=0.5).to_torch()
