"""Section [data] of a training's file: which kind of data each model reads."""

from collections.abc import Callable, Sequence
from typing import Any

from fastrnn._checks import flag
from fastrnn.cells import float_type
from fastrnn.cli._config import Config
from fastrnn.cli.datasets.dialogues import dialogues_dataset, sentences_dataset
from fastrnn.cli.datasets.parallel import parallel_dataset
from fastrnn.cli.datasets.text import (
    Dataset,
    classes_dataset,
    numbers_dataset,
    read_examples,
    tags_dataset,
    text_dataset,
)
from fastrnn.cli.datasets.tokens import (
    dialogue_tokens_dataset,
    parallel_tokens_dataset,
    tokens_dataset,
)
from fastrnn.cli.datasets.vectors import vectors_dataset

DATASETS: dict[str, Callable[..., Dataset]] = {
    "LanguageModel": text_dataset,
    "Seq2Seq": parallel_dataset,
    "SequenceClassifier": classes_dataset,
    "SequenceTagger": tags_dataset,
    "SequenceRegressor": numbers_dataset,
    "HRED": dialogues_dataset,
    "VHRED": dialogues_dataset,
    "SequenceVAE": sentences_dataset,
    "AutoEncoder": vectors_dataset,
    "VAE": vectors_dataset,
}


# What reads ids of a token file instead of a text, and by which key it is chosen.
FROM_FILES: dict[Callable[..., Dataset], tuple[str, Callable[..., Dataset]]] = {
    text_dataset: ("tokens", tokens_dataset),
    parallel_dataset: ("source_vocabulary", parallel_tokens_dataset),
    dialogues_dataset: ("vocabulary", dialogue_tokens_dataset),
}


def read_dataset(config: Config, kind: str) -> Dataset:
    """Return what section [data] describes, for a model of this kind."""
    table = config.section("data")
    make = DATASETS[kind]
    key, from_file = FROM_FILES.get(make, ("", make))
    if key in table:
        make = from_file
    given: dict[str, Any] = {}
    also: Sequence[str] = ()
    if make in (classes_dataset, tags_dataset, numbers_dataset):
        also = config.keys(read_examples, dict.fromkeys(("path", "key", "read", "each_step")))
    if make is numbers_dataset:
        each = config.section("model").get("each_step", False)
        given["each_step"] = config.call("model", flag, {}, name="each_step", value=each)
    if make is vectors_dataset:
        dtype = config.section("model").get("dtype", "float32")
        given["dtype"] = config.call("model", float_type, {}, value=dtype)
    return config.call("data", make, table, folder=config.path.parent, also=also, **given)
