"""Section [data] of a training's file: which kind of data each model reads."""

from collections.abc import Callable

from fastrnn.cli._config import Config
from fastrnn.cli._datasets import (
    Dataset,
    classes_dataset,
    labelled_dataset,
    tags_dataset,
    text_dataset,
)
from fastrnn.cli._parallel import parallel_dataset

DATASETS: dict[str, Callable[..., Dataset]] = {
    "LanguageModel": text_dataset,
    "Seq2Seq": parallel_dataset,
    "SequenceClassifier": classes_dataset,
    "SequenceTagger": tags_dataset,
}


def read_dataset(config: Config, kind: str) -> Dataset:
    """Return what section [data] describes, for a model of this kind."""
    labelled = kind in ("SequenceClassifier", "SequenceTagger")
    also = config.keys(labelled_dataset, {"path": None, "each_step": None}) if labelled else ()
    return config.call(
        "data",
        DATASETS[kind],
        config.section("data"),
        folder=config.path.parent,
        also=also,
    )
