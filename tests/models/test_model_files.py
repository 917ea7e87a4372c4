"""Why: a model is kept in one file for years. It must come back bit for bit, and a file that is
another model's, damaged or crooked must be refused in one clear line, and change nothing.
"""

import re
import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers.tolerances import assert_same_bits
from helpers.zoo import EVERY, ZOO, batch_for, flat, make

import fastrnn
from fastrnn import models
from fastrnn.data import Vocabulary, contiguous_streams
from fastrnn.io import load_checkpoint, save_checkpoint
from fastrnn.models import LanguageModel, Seq2Seq, SequenceTagger
from fastrnn.train import Adam, Trainer


@pytest.mark.parametrize("name", ZOO)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_there_and_back(name: str, dtype: Any, tmp_path: Path, rng: Any) -> None:
    model, path = make(name, dtype=dtype), tmp_path / "model.safetensors"
    model.save(path)
    for back in (type(model).load(path), models.load(path)):
        assert type(back) is type(model)
        assert back.config == model.config
        assert repr(back) == repr(model)
        for key, array in flat(model.params).items():
            assert_same_bits(key, flat(back.params)[key], array)
        batch = batch_for(model, rng)
        assert back.loss(back.params, batch) == model.loss(model.params, batch)
    content = path.read_bytes()
    assert b"pickle" not in content
    # What a pickle begins with. To load the file as one may take all memory: its bytes would be
    # read as opcodes, one of which makes a table of the size that the next bytes say.
    assert not re.match(rb"\x80[\0-\5]", content)  # a pickle and its protocol


def test_the_vocabulary_travels_along(tmp_path: Path) -> None:
    words = Vocabulary(["straße", "猫", "a"], level="word")
    model = LanguageModel("gru", words, 4)
    model.save(tmp_path / "model")
    back = LanguageModel.load(tmp_path / "model")
    assert back.vocabulary == words
    seeds = [np.random.default_rng(0) for _ in range(2)]
    assert back.generate("a", 5, rng=seeds[0]) == model.generate("a", 5, rng=seeds[1])


def of_numpy(value: Any) -> Any:
    """The same number, or numbers, as NumPy has them: what a label's maximum plus one is."""
    if isinstance(value, list):
        return [of_numpy(each) for each in value]
    kinds: dict[type, Any] = {int: np.int64, float: np.float64, bool: np.bool_}
    return kinds.get(type(value), lambda same: same)(value)


@pytest.mark.parametrize("name", EVERY)
def test_sizes_and_options_of_numpy_are_numbers_as_others(name: str, tmp_path: Path) -> None:
    """A model that takes them must be able to write them, when it has learned for hours."""
    cls, sizes, options = EVERY[name]
    more = {key: of_numpy(value) for key, value in options.items()} | {"dropout": np.float32(0.25)}
    model = cls(*map(of_numpy, sizes), **more)
    model.save(tmp_path / "model")
    assert models.load(tmp_path / "model").config == model.config
    assert model.config == cls(*sizes, **options, dropout=0.25).config
    assert "np." not in repr(model)


class Texts:
    """A model that was given vocabularies, and what it is trained and judged with."""

    def __init__(self, name: str) -> None:
        letters = Vocabulary.from_texts(["the cat sat"], level="character")
        rng = np.random.default_rng(0)
        if name == "LanguageModel":
            self.model: Any = LanguageModel("gru", letters, 4, rng=rng)
            self.data = contiguous_streams(letters.encode("the cat sat " * 8), 2, 5)
        else:
            self.model = Seq2Seq("gru", letters, letters, 4, rng=rng)
            self.data = self.model.pairs(["the", "cat"] * 3, ["sat", "sat"] * 3, 2)


@pytest.mark.parametrize("name", ["LanguageModel", "Seq2Seq"])
def test_the_folder_of_a_trainer_is_a_path(name: str, tmp_path: Path) -> None:
    """The newest checkpoint holds a whole model, with what its symbols stand for."""
    here = Texts(name)
    Trainer(here.model, Adam(), checkpoint=tmp_path, save_every=2, progress=False).fit(
        here.data, updates=5
    )
    for back in (models.load(tmp_path), type(here.model).load(tmp_path)):
        assert (type(back), back.config) == (type(here.model), here.model.config)
        assert back._vocabularies == here.model._vocabularies
        for key, array in flat(here.model.params).items():
            assert_same_bits(key, flat(back.params)[key], array)
    here.model.save(tmp_path / "model.safetensors")  # as fastrnn train does at the end
    here.model.params["out"]["bias"][...] = 7
    assert not (models.load(tmp_path).params["out"]["bias"] == 7).any()
    (tmp_path / "empty").mkdir()
    with pytest.raises(FileNotFoundError, match=r"model\.safetensors"):
        models.load(tmp_path / "empty")


def test_the_folder_of_a_trainer_that_looks_for_the_best_has_that(tmp_path: Path) -> None:
    here = Texts("LanguageModel")
    figures = iter([3.0, 1.0, 2.0, 2.0, 2.0])
    Trainer(here.model, Adam(), checkpoint=tmp_path, progress=False).fit(
        here.data, updates=4, validation=lambda: next(figures), validate_every=1, patience=9
    )
    back = models.load(tmp_path)
    for key, array in flat(here.model.params).items():
        assert_same_bits(key, flat(back.params)[key], array)
    last = load_checkpoint(max(tmp_path.iterdir())).tensors["model.out.bias"]
    assert (last != back.params["out"]["bias"]).any(), "the last is another than the best"


def test_a_checkpoint_of_what_is_no_model_is_said(tmp_path: Path) -> None:
    state = {"kind": "training", "model": "Line", "config": None}
    save_checkpoint(tmp_path / "checkpoint-00000001.safetensors", {"model.w": np.ones(1)}, state)
    with pytest.raises(fastrnn.CheckpointError, match="it holds no model"):
        models.load(tmp_path)


def test_another_class(tmp_path: Path) -> None:
    make("tagger").save(tmp_path / "model")
    with pytest.raises(
        fastrnn.CheckpointError, match=r"holds a SequenceTagger.*SequenceTagger\.load"
    ):
        LanguageModel.load(tmp_path / "model")


def crooked(path: Path, change: Any) -> None:
    """Write the file again with its tensors and state changed."""
    found = load_checkpoint(path)
    tensors, state = dict(found.tensors), dict(found.state)
    state["config"] = dict(state["config"])
    change(tensors, state)
    save_checkpoint(path, tensors, state)


CHANGES = {
    "lacks": lambda tensors, _: tensors.pop("rnn.weight_hh_l0"),
    "too many": lambda tensors, _: tensors.update(more=np.ones(2)),
    "must be float64": lambda tensors, _: tensors.update({"out.bias": np.ones(7, np.float32)}),
    r"\(3,\), got float64 \(4,\)": lambda tensors, _: tensors.update({"out.bias": np.ones(4)}),
    "unexpected keyword argument 'key'": lambda _, state: state["config"].update(key=1),
    "hidden_size must be at least 1": lambda _, state: state["config"].update(hidden_size=0),
    "missing 1 required": lambda _, state: state["config"].pop("cell"),
    "holds a 'Oracle'": lambda _, state: state.update(model="Oracle"),
    "holds no model": lambda _, state: state.update(format="training"),
    "it holds no model": lambda _, state: state.update(config=None) or state,
}


@pytest.mark.parametrize("message", CHANGES)
def test_crooked_files(message: str, tmp_path: Path) -> None:
    path = tmp_path / "model"
    make("tagger").save(path)
    crooked(path, CHANGES[message])
    with pytest.raises(fastrnn.CheckpointError, match=message) as caught:
        models.load(path)
    assert "\n" not in str(caught.value)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize(
    "change", [{"hidden_size": 10**5}, {"num_layers": 1000}, {"vocab": 10**7}], ids=str
)
def test_a_config_that_asks_for_much_gets_nothing(change: dict, tmp_path: Path) -> None:
    """A few kB of file must not make a reader take gigabytes."""
    path = tmp_path / "model"
    make("lm-lstm").save(path)
    crooked(path, lambda _, state: state["config"].update(change))
    tracemalloc.start()
    with pytest.raises(fastrnn.CheckpointError, match="more than the bytes there are"):
        models.load(path)
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert most < 2**23


def test_damaged_files(tmp_path: Path, rng: Any) -> None:
    path = tmp_path / "model"
    make("tagger").save(path)
    whole = path.read_bytes()
    for _ in range(20):
        bit = int(rng.integers(8 * len(whole)))
        damaged = bytearray(whole)
        damaged[bit // 8] ^= 1 << bit % 8
        path.write_bytes(bytes(damaged))
        with pytest.raises(fastrnn.CheckpointError):
            SequenceTagger.load(path)
        path.write_bytes(whole[: len(whole) // 2])
        with pytest.raises(fastrnn.CheckpointError):
            SequenceTagger.load(path)
