"""Why: a layer in a file must come back with every option and every bit, or be refused by name."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers.tolerances import assert_same_bits

import fastrnn

pytest.importorskip("safetensors")

LAYERS: dict[str, tuple[Any, tuple[Any, ...], dict[str, Any]]] = {
    "lstm": (fastrnn.LSTM, (3, 4, 2), {"dropout": np.float32(0.25), "forget_bias": 1.0}),
    "lstm of many options": (
        fastrnn.LSTM,
        (3, [5, 4]),
        {
            "bidirectional": True, "merge_mode": "ave", "batch_first": True, "peephole": "full",
            "zoneout": (np.float64(0.1), 0), "clip": 3, "dtype": np.float64, "truncate": 4,
            "activations": ("sigmoid", ("leakyrelu", 0.1), "tanh"), "gates": "io",
        },
    ),
    "lstm with projection": (fastrnn.LSTM, (3, 4), {"proj_size": 2, "clip_step": 1.5}),
    "lstm with layer norm": (fastrnn.LSTM, (3, 4), {"layer_norm": True, "recurrent_dropout": 0.3}),
    "gru": (fastrnn.GRU, (3, 4), {"reset_after": False, "bias": False, "weight_drop": 0.2}),
    "rnn": (fastrnn.RNN, (0, 4), {"nonlinearity": "relu"}),
}  # fmt: skip


@pytest.mark.parametrize("name", LAYERS)
def test_a_layer_comes_back_with_every_option_and_bit(name: str, tmp_path: Path, rng: Any) -> None:
    cls, sizes, options = LAYERS[name]
    layer = cls(*sizes, **options, rng=rng)
    layer.save(tmp_path / "a.safetensors")
    again = cls.load(tmp_path / "a.safetensors")
    assert repr(again) == repr(layer).replace("np.float64(0.1)", "0.1")
    for option in options.keys() - {"dtype", "forget_bias"}:
        assert getattr(again, option) == getattr(layer, option), option
    x = rng.standard_normal((5, 2, sizes[0])).astype(layer.dtype)
    assert_same_bits("y", again(x)[0], layer(x)[0])
    same = [cls_.forward(x, rng=np.random.default_rng(1))[0] for cls_ in (again, layer)]
    assert_same_bits("y", *same)


@pytest.mark.parametrize("wrong", ["absent", "extra", "shape", "dtype"])
def test_weights_that_could_not_be_read_do_not_replace_a_good_file(
    wrong: str, tmp_path: Path
) -> None:
    layer, path = fastrnn.LSTM(3, 4), tmp_path / "a.safetensors"
    layer.save(path)
    before = path.read_bytes()
    if wrong == "absent":
        del layer.params["bias_hh_l0"]
    elif wrong == "extra":
        layer.params["bias"] = np.zeros(3, np.float32)
    else:
        layer.params["bias_hh_l0"] = np.zeros(
            *{"shape": (3, np.float32), "dtype": (16, np.float64)}[wrong]
        )
    for write in (layer.save, layer.to_onnx):
        with pytest.raises((TypeError, ValueError), match="bias"):
            write(path)
    assert path.read_bytes() == before


def test_a_derived_class_is_read_as_what_it_is_derived_from(tmp_path: Path) -> None:
    class Mine(fastrnn.GRU):
        def __init__(self, *sizes: int, **options: Any) -> None:
            super().__init__(*sizes, **options)

    Mine(3, 4).save(tmp_path / "a.safetensors")
    assert type(fastrnn.GRU.load(tmp_path / "a.safetensors")) is fastrnn.GRU


def test_other_files_are_refused_by_name(tmp_path: Path) -> None:
    path = tmp_path / "a.safetensors"
    fastrnn.GRU(3, 4).save(path)
    with pytest.raises(fastrnn.CheckpointError, match=r"it holds a GRU.*fastrnn.GRU.load"):
        fastrnn.LSTM.load(path)
    fastrnn.io.save(path, {"w": np.ones(3)})
    with pytest.raises(fastrnn.CheckpointError, match=r"it holds no layer.*models.load"):
        fastrnn.LSTM.load(path)
    weights = fastrnn.GRU(3, 4).state_dict()
    for config, words in (
        ({"input_size": 3, "hidden_size": 5}, "weight_ih_l0"),
        ({"input_size": 3, "hidden_size": 4, "wheels": 4}, "wheels"),
        ({"input_size": 3, "hidden_size": 10**6}, "hidden_size|memory|more than"),
    ):
        state = {"format": "fastrnn-layer", "layer": "GRU", "config": config}
        fastrnn.io.save_checkpoint(path, weights, state)
        with pytest.raises(fastrnn.CheckpointError, match=words):
            fastrnn.GRU.load(path)
