"""Every loader of the package: a good file for it, how it is read, and which errors it may raise.

The hostile files of tests/io/test_hostile.py and the fuzz targets of tests/fuzz attack what stands
here, so a loader that is added here is attacked by both.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

import fastrnn


@dataclass(frozen=True)
class Loader:
    """One way of reading a file.

    Attributes
    ----------
    name : str
        What the file is called; its ending may matter.
    good : callable
        Writes a valid file to a path, small, and always the same bytes.
    load : callable
        Reads a path.
    errors : tuple of type
        Those that its documentation names. OSError is one of them for all.
    """

    name: str
    good: Callable[[Path], object]
    load: Callable[[Path], Any]
    errors: tuple[type[Exception], ...] = (ValueError,)


def _tensors() -> dict[str, np.ndarray]:
    return {"w": np.arange(6, dtype=np.float32).reshape(2, 3), "b": np.arange(3)}


def _checkpoint(path: Path) -> None:
    fastrnn.io.save_checkpoint(path, _tensors(), {"step": 7, "config": {"sizes": [3, 4]}})


def _language_model() -> Any:
    from fastrnn.data import Vocabulary
    from fastrnn.models import LanguageModel

    vocabulary = Vocabulary(["a", "b"], level="character")
    return LanguageModel("gru", vocabulary, 2, rng=np.random.default_rng(0))


def _layer(path: Path) -> None:
    fastrnn.LSTM(2, 3, rng=np.random.default_rng(0)).save(path)


def _quantised_layer(path: Path) -> None:
    fastrnn.LSTM(2, 3, rng=np.random.default_rng(0)).quantize("int8").save(path)


def _model(path: Path) -> None:
    _language_model().save(path)


def _quantised_model(path: Path) -> None:
    _language_model().quantize("int8").save(path)


def _load_model(path: Path) -> Any:
    from fastrnn import models

    return models.load(path)


def _trainer(folder: Path, model: Any) -> Any:
    from fastrnn.train import Adam, Trainer

    rng = np.random.default_rng(0)
    return Trainer(model, Adam(), rng=rng, checkpoint=folder, progress=False)


BATCHES = [(np.array([[4, 5], [5, 4]]), np.array([[5, 4], [4, 5]]))]


def _run(path: Path) -> None:
    """A checkpoint of a training, beside which the folder's name tells the update."""
    folder = path.parent / "run"
    _trainer(folder, _language_model()).fit(BATCHES, updates=1)
    (written,) = folder.glob("checkpoint-*")
    path.write_bytes(written.read_bytes())
    for each in folder.iterdir():
        each.unlink()
    folder.rmdir()


def _resume(path: Path) -> Any:
    folder = path.parent / "resumed"
    folder.mkdir(exist_ok=True)
    for old in folder.iterdir():
        old.unlink()
    (folder / "checkpoint-00000001.safetensors").symlink_to(path)
    return _trainer(folder, _language_model()).fit(BATCHES, updates=2, resume=True)


def _vocabulary(path: Path) -> None:
    from fastrnn.data import Vocabulary

    Vocabulary(["the", "cat", "über"], level="word").save(path)


def _load_vocabulary(path: Path) -> Any:
    from fastrnn.data import Vocabulary

    return Vocabulary.load(path).encode("the cat")


def _pieces(path: Path) -> None:
    from fastrnn.data import BPE

    BPE.from_texts(["low lower lowest"] * 3, max_size=266).save(path)


def _token_record(path: Path) -> None:
    from fastrnn.data import TokenFile

    TokenFile.write(path.with_suffix(".bin"), [[1, 2, 3], [4, 5]], vocab_size=6)


def _load_tokens(path: Path) -> Any:
    """The file that varies is the record, the index or the ids; those beside it are good."""
    from fastrnn.data import TokenFile

    for backend in ("mmap", "pread"):
        with TokenFile(path.with_suffix(".bin"), backend=backend) as file:  # type: ignore[arg-type]
            file.lengths(), file[:], [file.sequence(i) for i in range(min(file.sequences, 9))]
            file.verify()
    return file


def _load_onnx(path: Path) -> Any:
    found = fastrnn.io.load_onnx(path)
    if not found:
        raise ValueError("no node")  # what a reader of weights makes of it
    return found


def _onnx(path: Path) -> None:
    fastrnn.LSTM(2, 3, rng=np.random.default_rng(0)).to_onnx(path)


def _onnx_int8(path: Path) -> None:
    fastrnn.LSTM(2, 3, rng=np.random.default_rng(0)).quantize("int8").to_onnx(path)


def _word_vectors(binary: bool) -> Callable[[Path], None]:
    from fastrnn.io.word2vec_format import save_word2vec_format

    rows = np.arange(6, dtype=np.float32).reshape(2, 3) / 8
    return lambda path: save_word2vec_format(path, ["cat", "über"], rows, binary=binary)


def _load_word_vectors(binary: bool) -> Callable[[Path], Any]:
    from fastrnn.data import WordVectors

    return lambda path: WordVectors.load_word2vec_format(path, binary=binary)


def _rows() -> np.ndarray:
    return np.arange(12, dtype=np.float32).reshape(4, 3)


def _npy(path: Path) -> None:
    with path.open("wb") as file:
        np.save(file, _rows())


def _npz(path: Path) -> None:
    with path.open("wb") as file:
        np.savez_compressed(file, x=_rows())


def _load_rows(path: Path) -> Any:
    from fastrnn.cli.datasets.vectors import vectors_dataset

    return vectors_dataset(path.parent, path.name, dtype=np.float32)


def _examples(path: Path) -> None:
    lines = [{"x": "abc", "label": "p"}, {"x": "cba", "label": 1}, {"x": "bab", "label": "q"}]
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))


def _load_examples(path: Path) -> Any:
    from fastrnn.cli.datasets.text import classes_dataset

    return classes_dataset(path.parent, path.name)


CONFIG = """
[model]
kind = "SequenceClassifier"
cell = "gru"
hidden_size = 4

[data]
examples = "examples.jsonl"

[optimiser]
kind = "Adam"
lr = 0.01

[training]
folder = "run"
epochs = 1
"""


def _config(path: Path) -> None:
    path.write_text(CONFIG)


def _load_config(path: Path) -> Any:
    from fastrnn.cli._config import Config
    from fastrnn.cli.commands.train import OPTIMISERS, SECTIONS
    from fastrnn.cli.datasets.section import DATASETS

    config = Config(path, SECTIONS)
    config.choice("model", "kind", DATASETS)
    kind, table = config.choice("optimiser", "kind", OPTIMISERS)
    return config.call("optimiser", kind, table)


def _questions(path: Path) -> None:
    path.write_text(": capitals\nParis France Rome Italy\n")


def _load_questions(path: Path) -> Any:
    from fastrnn.data._word_tests import read_analogies

    found = read_analogies(path)
    if not found:
        raise ValueError("no question")
    return found


FILE = (fastrnn.CheckpointError,)
LOADERS = {
    "checkpoint": Loader("a.safetensors", _checkpoint, fastrnn.io.load_checkpoint, FILE),
    "weights": Loader("a.safetensors", _checkpoint, fastrnn.io.load_weights, FILE),
    "arrays": Loader("a.safetensors", _checkpoint, fastrnn.io.load, FILE),
    "model": Loader("a.safetensors", _model, _load_model, FILE),
    "quantised model": Loader("a.safetensors", _quantised_model, _load_model, FILE),
    "layer": Loader("a.safetensors", _layer, fastrnn.LSTM.load, FILE),
    "quantised layer": Loader("a.safetensors", _quantised_layer, fastrnn.LSTM.load, FILE),
    # Weights that are signed rightly may still be any numbers, with which no training goes on.
    "resume": Loader("a.safetensors", _run, _resume, (*FILE, FloatingPointError)),
    "vocabulary": Loader("a.json", _vocabulary, _load_vocabulary),
    "pieces": Loader("b.json", _pieces, _load_vocabulary),
    "token record": Loader("c.json", _token_record, _load_tokens),
    "token index": Loader("c.idx", _token_record, _load_tokens),
    "token ids": Loader("c.bin", _token_record, _load_tokens),
    "onnx": Loader("a.onnx", _onnx, _load_onnx),
    "onnx int8": Loader("a.onnx", _onnx_int8, _load_onnx, (ValueError, TypeError)),
    "word2vec text": Loader("v.txt", _word_vectors(False), _load_word_vectors(False), FILE),
    "word2vec binary": Loader("v.bin", _word_vectors(True), _load_word_vectors(True), FILE),
    "npy": Loader("x.npy", _npy, _load_rows),
    "npz": Loader("x.npz", _npz, _load_rows),
    "examples": Loader("e.jsonl", _examples, _load_examples),
    "config": Loader("c.toml", _config, _load_config),
    "questions": Loader("q.txt", _questions, _load_questions),
}
