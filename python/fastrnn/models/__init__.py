"""Models: networks with a purpose, a loss that is a pure function, and a file to live in."""

import os
from typing import Any

import fastrnn.ops  # noqa: F401  first: where autograd is missing, it says how to get it
from fastrnn._elsewhere import MODELS_NAMES, no_name
from fastrnn.data.word_vectors import WordVectors as KeyedVectors
from fastrnn.io import CheckpointError
from fastrnn.models._forecast.series import Forecast
from fastrnn.models._parts.label_stream import LabelStream
from fastrnn.models._parts.model import Model, model_arrays, model_file, model_name
from fastrnn.models.autoencoder import AutoEncoder
from fastrnn.models.classifier import SequenceClassifier
from fastrnn.models.conversation import Conversation
from fastrnn.models.forecaster import Forecaster
from fastrnn.models.hred import HRED
from fastrnn.models.language_model import LanguageModel
from fastrnn.models.regressor import SequenceRegressor
from fastrnn.models.seq2seq import Seq2Seq
from fastrnn.models.sequence_vae import SequenceVAE
from fastrnn.models.tagger import SequenceTagger
from fastrnn.models.vae import VAE
from fastrnn.models.vhred import VHRED
from fastrnn.models.word2vec import Word2Vec

__all__ = [
    "HRED",
    "VAE",
    "VHRED",
    "AutoEncoder",
    "Conversation",
    "Forecast",
    "Forecaster",
    "KeyedVectors",
    "LabelStream",
    "LanguageModel",
    "Model",
    "Seq2Seq",
    "SequenceClassifier",
    "SequenceRegressor",
    "SequenceTagger",
    "SequenceVAE",
    "Word2Vec",
    "load",
]

_MODELS: dict[str, type[Model]] = {
    model.__name__: model
    for model in (
        HRED,
        VAE,
        VHRED,
        AutoEncoder,
        Forecaster,
        LanguageModel,
        Seq2Seq,
        SequenceClassifier,
        SequenceRegressor,
        SequenceTagger,
        SequenceVAE,
        Word2Vec,
    )
}


def load(path: str | os.PathLike[str]) -> Model:
    """Read a model of whatever class from what its `save` or ``fastrnn train`` wrote.

    Parameters
    ----------
    path : path
        A file, or the folder of a training by ``fastrnn train`` or a `fastrnn.train.Trainer`: the
        newest checkpoint, where there is no file of the model; with patience its best one.

    Returns
    -------
    Model
        Of the class that was saved.

    Raises
    ------
    fastrnn.CheckpointError
        The file is damaged, or holds no model of this version.
    ImportError
        safetensors is missing; the message says how to get it.
    OSError
        The file could not be read.

    Examples
    --------
    >>> from fastrnn import models
    >>> models.LanguageModel("gru", 10, 4).save("a.safetensors")
    >>> models.load("a.safetensors").config["cell"]
    'gru'
    """
    path = model_file(path)
    name = model_name(path, model_arrays(path).state)
    if name not in _MODELS:
        raise CheckpointError(path, f"it holds a {name!r}", f"known models are {sorted(_MODELS)}")
    return _MODELS[name].load(path)


def __getattr__(name: str) -> Any:
    raise no_name("fastrnn.models", name, MODELS_NAMES)
