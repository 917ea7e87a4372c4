"""What all models share: settings and parameters by name, and one file that keeps both."""

import inspect
import json
import os
from collections.abc import Iterable, Mapping, Sequence
from copy import copy
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from fastrnn._call import FOR_INFERENCE
from fastrnn._checks import Array, file_path, integer
from fastrnn._checks import lengths as checked_lengths
from fastrnn._elsewhere import MODEL_ATTRIBUTES, missing
from fastrnn._frozen import (
    FrozenWeights,
    checked_state,
    filled,
    float32_bytes,
    state_of,
    tensors_of,
)
from fastrnn._quantize import PRECISIONS, Matrix, checked_precision, finite
from fastrnn.data import Batch, Vocabulary
from fastrnn.init import at_most
from fastrnn.io import Checkpoint, CheckpointError, load_checkpoint, save_checkpoint
from fastrnn.io._json import plain, strict_json

if TYPE_CHECKING:
    from numpy.random import Generator

MODEL_FILE = "model.safetensors"  # in the folder of a training
_FORMAT = "fastrnn-model"
_VOCABULARY = "vocabulary"
_NOT_QUANTISED = ("fit", "loss", "loss_with_state", "to_onnx")


class Model:
    """Settings, parameters in a nested dict, and a loss that is a pure function of them.

    Attributes
    ----------
    params : nested dict of str to ndarray
        What is learned. An optimiser changes the arrays in place; you may replace them too.
    config : dict
        The arguments that made the model, as JSON can say them.
    vocabulary : Vocabulary or None
        Which text the symbols stand for, where the model was given one.
    """

    params: dict[str, Any]
    _precision: str | None = None
    _table_rows = "exact"  # how a trainer wants gradients of tables, as `ops.value_and_grad` says
    # What to do with data as people have them.
    _batches_of_data = (
        "fastrnn.data.batches makes them of arrays, and fastrnn.sklearn takes X and y: "
        "RNNClassifier().fit(X, y)"
    )

    def __init__(self, config: Mapping[str, Any], vocab: Any = None, **vocabularies: Any) -> None:
        given = vocabularies or {"vocab": vocab}
        self._vocabularies = {k: v for k, v in given.items() if isinstance(v, Vocabulary)}
        self.vocabulary = self._vocabularies.get("vocab")
        sizes = {name: size for name, size in given.items() if name not in self._vocabularies}
        self.config = {name: plain(value) for name, value in (dict(config) | sizes).items()}

    @property
    def parameter_count(self) -> int:
        """How many numbers are learned."""
        return sum(array.size for array in flatten(self.params).values())

    def summary(self) -> str:
        """Return what the model is made of: each array with its shape, and how many numbers.

        Returns
        -------
        str
            A table of lines.

        Examples
        --------
        >>> from fastrnn.models import SequenceClassifier
        >>> print(SequenceClassifier("rnn", 2, 4, input_size=3).summary())
        SequenceClassifier: 46 parameters, float32, 184 bytes
        rnn.weight_ih_l0  (4, 3)  12
        rnn.weight_hh_l0  (4, 4)  16
        rnn.bias_ih_l0    (4,)     4
        rnn.bias_hh_l0    (4,)     4
        out.weight        (2, 4)   8
        out.bias          (2,)     2
        """
        arrays = flatten(self.params)
        rows = [(name, str(array.shape), f"{array.size:,}") for name, array in arrays.items()]
        widths = [max(map(len, column), default=0) for column in zip(*rows, strict=True)]
        dtypes = ", ".join(dict.fromkeys(map(_kind, arrays.values())))
        size = sum(array.nbytes for array in arrays.values())
        count = f"{self.parameter_count:,} parameters"
        head = f"{type(self).__name__}: {count}, {dtypes}, {size:,} bytes"
        lines = [f"{n:{widths[0]}}  {s:{widths[1]}}  {c:>{widths[2]}}" for n, s, c in rows]
        return "\n".join([head, *lines])

    def loss(self, params: Mapping[str, Any], batch: Any, rng: Any = None) -> Any:
        """Return the mean loss of a batch: a pure function, differentiable by params."""
        raise NotImplementedError

    def tokens(self, batch: Any) -> int:
        """Return how many steps of its sequences a batch holds.

        Parameters
        ----------
        batch : tuple
            As `loss` takes it.

        Returns
        -------
        int
        """
        x, _, lengths, _ = unpack(batch)
        T, N = np.shape(x)[:2]
        if lengths is None:
            return int(T * N)
        return int(checked_lengths(lengths, T, N, single=False).sum())

    def terms(self, batch: Any) -> int:
        """Return of how many terms the loss of a batch is the mean, for training by many ranks.

        Parameters
        ----------
        batch : tuple
            As `loss` takes it.

        Returns
        -------
        int
        """
        return self.tokens(batch)

    def batches(self, data: Iterable[Any]) -> Any:
        """Return data as a trainer takes them: `fit` and ``fastrnn train`` hand these over.

        Parameters
        ----------
        data : iterable
            Batches as `loss` takes them; a ``for`` loop over it is one epoch.

        Returns
        -------
        iterable
            Most models take data as they are; for some there are options, which `fit` takes too.

        Examples
        --------
        >>> from fastrnn.models import LanguageModel
        >>> LanguageModel("gru", 5, 4).batches([])
        []
        """
        return data

    def fit(
        self,
        data: Iterable[Any],
        optimiser: Any = None,
        *,
        max_norm: float | None = None,
        rng: "Generator | None" = None,
        progress: bool = True,
        dist: Any = None,
        callbacks: Sequence[Any] = (),
        **limits: Any,
    ) -> Any:
        """Train on batches: `fastrnn.train.Trainer` with its most common options.

        Parameters
        ----------
        data : iterable of tuple
            Batches as `loss` takes them; a ``for`` loop over it is one epoch.
        optimiser : optimiser of `fastrnn.train`, or None
            None: Adam with its defaults.
        max_norm : float or None
            Clip the gradient of all parameters to this norm.
        rng : numpy.random.Generator or None
            Where dropout draws from; None: fresh entropy.
        progress : bool
            Show a bar on a terminal, else a line now and then.
        dist : fastrnn.distributed.Comm or None
            What `fastrnn.distributed.init` returns: the ranks that train together.
        callbacks : sequence of fastrnn.train.Callback
            Told about records, epochs and the end.
        **limits
            What `fastrnn.train.Trainer.fit` takes: epochs, updates or seconds, validation,
            patience, monitor; and what `batches` of the model takes: segment_turns of `HRED` and
            `VHRED`.

        Returns
        -------
        fastrnn.train.History

        Raises
        ------
        TypeError, ValueError
            An argument breaks its rule.
        FloatingPointError
            The loss or its gradient is not finite. The model is as after the last whole update.
        """
        from fastrnn.train import Adam, Trainer

        first = data[0] if isinstance(data, (list, tuple)) and data else data
        if (
            isinstance(first, (str, bytes))
            or hasattr(data, "__array__")
            or isinstance(optimiser, (list, tuple))
            or hasattr(optimiser, "__array__")
        ):
            raise TypeError(
                f"fit takes batches as `loss` takes them, and an optimiser; {self._batches_of_data}"
            )
        trainer = Trainer(
            self, Adam() if optimiser is None else optimiser, max_norm=max_norm, rng=rng,
            progress=progress, dist=dist, callbacks=callbacks,
        )  # fmt: skip
        options = inspect.signature(self.batches).parameters
        own = {name: limits.pop(name) for name in list(limits) if name in options}
        return trainer.fit(self.batches(data, **own), **limits)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the model to one safetensors file; it is there whole, or the old one is.

        Parameters
        ----------
        path : path
            Replaced if it exists.

        Raises
        ------
        ImportError
            safetensors is missing; the message says how to get it.
        OSError
            The file could not be written; the old one is still there, unless the message says
            that only its folder could not be synced.
        """
        arrays: dict[str, Any]
        if self._precision is None:
            arrays = flatten(self.params)
        else:
            arrays = _stored(self.params, self._precision)
        save_checkpoint(path, tensors_of(arrays) | self._tensors(), self._state())

    def quantize(self, precision: str) -> Self:
        """Return the model for inference with weights of fewer bits: smaller, and faster.

        All that infers works as before: predict, generate, translate, reply, encode, decode,
        stream, evaluate, save, load. `fit`, `loss` and `to_onnx` raise TypeError. It is frozen: it
        has its own weights, and no edit of this model reaches it.

        Parameters
        ----------
        precision : {"int8", "bfloat16"}
            As `fastrnn.LSTM.quantize`.

        Returns
        -------
        Model
            Of the same class. Recurrent layers, the steps of decoders with attention and output
            layers compute with fewer bits. Tables of embeddings are kept with fewer bits, and the
            rows that are looked up are float32. The matrices of dense layers are rounded as well,
            and kept so in a file, but in memory and in their products they are float32. Vectors
            stay float32.

        Raises
        ------
        TypeError
            The model is not float32, or has no recurrent layer.
        ValueError
            There is no such precision, the model is quantised already, or a layer has weights or
            options that cannot be quantised.

        Examples
        --------
        >>> import numpy as np
        >>> from fastrnn.models import SequenceClassifier
        >>> model = SequenceClassifier("gru", 3, 64, input_size=8, rng=np.random.default_rng(0))
        >>> q = model.quantize("int8")
        >>> round(model.nbytes / q.nbytes, 1), q.quantized
        (3.4, 'int8')
        >>> x = np.random.default_rng(1).standard_normal((20, 2, 8), dtype=np.float32)
        >>> bool(np.abs(q.predict_proba(x) - model.predict_proba(x)).max() < 0.01)
        True
        """
        precision = checked_precision(precision)
        if self._precision is not None:
            raise ValueError(f"{self!r} is quantised already")
        made = copy(self)
        made.params = _rounded(made._with_frozen(precision), precision)
        made._precision = precision
        for name in _NOT_QUANTISED:
            if hasattr(type(self), name):
                setattr(made, name, partial(_refuse, name))
        return made

    @property
    def quantized(self) -> str | None:
        """The precision that `quantize` was given; None of a model that can be trained."""
        return self._precision

    @property
    def nbytes(self) -> int:
        """Bytes of all parameters."""
        return sum(array.nbytes for array in flatten(self.params).values())

    def _recurrent(self) -> dict[str, Any]:
        """Return the layers that can be quantised by the places of their weights in `params`."""
        reader = vars(self).get("_reader")
        return {} if reader is None else {"rnn": reader.layer}

    def _with_frozen(self, precision: str) -> dict[str, Any]:
        """Return the parameters with quantised recurrent layers; self becomes their model."""
        layers = self._recurrent()
        if not layers:
            raise TypeError(
                f"{type(self).__name__} has no recurrent layer, and only those have kernels of "
                "fewer bits"
            )

        def frozen(name: str, entry: Any) -> Any:
            if name in layers:
                return FrozenWeights.of(layers[name], entry, precision, f"{name}.")
            if not isinstance(entry, Mapping):
                return entry
            dot = f"{name}." if name else ""
            return {key: frozen(dot + key, each) for key, each in entry.items()}

        params: dict[str, Any] = frozen("", self.params)
        return params

    def _tensors(self) -> dict[str, Array]:
        """Return what a file holds beside the weights."""
        return {
            _tensor_of(name): np.frombuffer(
                json.dumps(vocabulary.content(), ensure_ascii=False).encode(), np.uint8
            )
            for name, vocabulary in self._vocabularies.items()
        }

    def _state(self) -> dict[str, Any]:
        """Return what a file says about the model beside its tensors."""
        state: dict[str, Any] = {
            "format": _FORMAT, "model": type(self).__name__, "config": self.config,
        }  # fmt: skip
        if self._precision is not None:
            state["quantized"] = state_of(self._precision)
        return state

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Self:
        """Read what `save` of this class wrote.

        Parameters
        ----------
        path : path
            A file, or the folder of a training by ``fastrnn train`` or a `fastrnn.train.Trainer`:
            the newest checkpoint, where there is no file of the model; with patience its best one.

        Returns
        -------
        Model
            One that computes the same, bit for bit.

        Raises
        ------
        fastrnn.CheckpointError
            The file is damaged, or holds something else than a model of this class.
        ImportError
            safetensors is missing; the message says how to get it.
        OSError
            The file could not be read.
        """
        path = model_file(path)
        arrays = model_arrays(path)
        name = model_name(path, arrays.state)
        if name != cls.__name__:
            raise CheckpointError(path, f"it holds a {name}", f"load it with {name}.load")
        try:
            state = arrays.state
            if "quantized" not in state:
                return cls._restored(arrays.tensors, state["config"])
            precision = checked_state(state["quantized"])
            return cls._restored_quantized(arrays.tensors, state["config"], precision)
        except (TypeError, ValueError, KeyError) as error:
            raise CheckpointError(
                path, f"it is no {name} of this version: {error}", "save the model again"
            ) from None

    @classmethod
    def _restored(cls, tensors: dict[str, Array], config: Mapping[str, Any]) -> Self:
        """Return a model with this config and parameters; every tensor must find its place."""
        model = cls._remade(tensors, config)
        model._fill(tensors)
        return model

    @classmethod
    def _restored_quantized(
        cls, tensors: dict[str, Array], config: Mapping[str, Any], precision: str
    ) -> Self:
        """Return a quantised model of a file, as `_restored`."""
        model = cls._remade(tensors, config).quantize(precision)
        model.params = _refilled(model.params, precision, tensors)
        if tensors:
            raise ValueError(f"it has {sorted(tensors)} too many")
        return model

    @classmethod
    def _remade(cls, tensors: dict[str, Array], config: Mapping[str, Any]) -> Self:
        """Return a model with this config, and the vocabularies among the tensors."""
        options = dict(config)
        for name in inspect.signature(cls.__init__).parameters:
            text = tensors.pop(_tensor_of(name), None)
            if text is not None:
                options[name] = Vocabulary.from_content(strict_json(text.tobytes()))
        maker: Any = cls
        # A config that asks for much more than the file has is refused before memory is taken for
        # it. Not for any more: a tied embedding, for one, is drawn and then replaced.
        with at_most(2 * float32_bytes(tensors) + 2**16):
            model: Self = maker(**options, rng=np.random.default_rng(0))
        return model

    def _fill(self, tensors: dict[str, Array]) -> None:
        """Copy tensors of a file into the parameters; every tensor must find its place."""
        own = flatten(self.params)
        absent, extra = sorted(own.keys() - tensors), sorted(tensors.keys() - own)
        if absent or extra:
            raise ValueError(f"it lacks {absent} and has {extra} too many")
        for path, array in own.items():
            given = tensors[path]
            if given.shape != array.shape or given.dtype != array.dtype:
                raise ValueError(
                    f"{path} must be {array.dtype} {array.shape}, got {given.dtype} {given.shape}"
                )
            array[...] = given

    def __getattr__(self, name: str) -> Any:
        raise missing(self, name, MODEL_ATTRIBUTES)

    def __repr__(self) -> str:
        words = [f"{name}={value!r}" for name, value in self.config.items()]
        if self._precision is not None:
            words.append(f"quantized={self._precision!r}")
        return f"{type(self).__name__}({', '.join(words)})"


def _refuse(name: str, *_: Any, **__: Any) -> Any:
    if name == "to_onnx":
        raise TypeError(
            "to_onnx: write the model that this quantised one was made of, and quantise the file "
            "with onnxruntime.quantization"
        )
    raise TypeError(f"{name}: {FOR_INFERENCE}")


def _kind(array: Any) -> str:
    """Return the name of what numbers of an array, or of a matrix of fewer bits, are."""
    return str(array.precision if isinstance(array, Matrix) else array.dtype.name)


def _rounded(entry: Any, precision: str, name: str = "") -> Any:
    """Return what is not quantised yet as copies: tables and output layers as matrices of fewer
    bits, and other matrices as float32 numbers that fewer bits can hold.
    """
    if isinstance(entry, FrozenWeights | Matrix):
        return entry
    if isinstance(entry, Mapping):
        dot = f"{name}." if name else ""
        return {key: _rounded(e, precision, dot + key) for key, e in entry.items()}
    if entry.ndim != 2:
        return finite(name, entry).copy()
    matrix = PRECISIONS[precision].of(name, entry)
    if name.endswith(("embedding.weight", "out.weight")):
        return matrix
    # The scale of what has been rounded may differ in its last bit, once.
    return PRECISIONS[precision].of(name, matrix[:])[:]


def _stored(params: Mapping[str, Any], precision: str, prefix: str = "") -> dict[str, Any]:
    """Return what a file of a quantised model keeps: layers as they are, all other matrices with
    fewer bits.
    """
    kept: dict[str, Any] = {}
    for key, entry in params.items():
        name = f"{prefix}{key}"
        if isinstance(entry, FrozenWeights):
            kept |= flatten(entry, f"{name}.")
        elif isinstance(entry, Mapping):
            kept |= _stored(entry, precision, f"{name}.")
        elif isinstance(entry, Matrix) or entry.ndim != 2:
            kept[name] = entry
        else:
            kept[name] = PRECISIONS[precision].of(name, entry)
    return kept


def _refilled(entry: Any, precision: str, tensors: dict[str, Array], name: str = "") -> Any:
    """Return quantised parameters with the tensors of a file in their places, which use them up."""
    if isinstance(entry, FrozenWeights):
        return entry.filled(tensors, f"{name}.")
    if isinstance(entry, Mapping):
        dot = f"{name}." if name else ""
        return {key: _refilled(e, precision, tensors, dot + key) for key, e in entry.items()}
    if isinstance(entry, Matrix):
        return filled(name, entry, tensors)
    if entry.ndim != 2:
        return finite(name, filled(name, entry, tensors))
    return filled(name, PRECISIONS[precision].of(name, entry), tensors)[:]


def model_file(path: str | os.PathLike[str]) -> Path:
    """Return the file of a model, which may be given by the folder of its training.

    That is the model at the end of it, else the newest checkpoint.
    """
    file = file_path("path", path)
    if not file.is_dir():
        return file
    from fastrnn.train.checkpoint import Checkpoints

    saved = [] if (file / MODEL_FILE).exists() else Checkpoints(file).files()
    return saved[-1] if saved else file / MODEL_FILE


def model_arrays(path: Path) -> Checkpoint:
    """Return tensors and state as `save` of a model writes them, of its file or a checkpoint.

    The model of a checkpoint is the best one so far, where the training looks for that.
    """
    read = load_checkpoint(path)
    if read.state.get("kind") != "training":
        return read
    parts: dict[str, dict[str, Array]] = {"model": {}, "best": {}, "tables": {}}
    for name, array in read.tensors.items():
        part, _, rest = name.partition(".")
        if part in parts:
            parts[part][rest] = array
    state = {"format": _FORMAT} | {key: read.state.get(key) for key in ("model", "config")}
    return Checkpoint(path, (parts["best"] or parts["model"]) | parts["tables"], state)


def model_name(path: str | os.PathLike[str], state: Mapping[str, Any]) -> str:
    """Return which model a file says that it holds."""
    if state.get("format") != _FORMAT or not isinstance(state.get("config"), dict):
        raise CheckpointError(path, "it holds no model", "name a file that save of a model wrote")
    return str(state.get("model"))


def flatten(params: Mapping[str, Any], prefix: str = "") -> dict[str, Array]:
    """Return the arrays of a nested dict by the dotted names of their places."""
    arrays: dict[str, Array] = {}
    for name, entry in params.items():
        if isinstance(entry, Mapping):
            arrays |= flatten(entry, f"{prefix}{name}.")
        else:
            arrays[prefix + name] = entry
    return arrays


def unpack(batch: Any) -> Batch:
    """Return x, targets, lengths and weights, None where a batch has none.

    Raises
    ------
    TypeError
        batch is no tuple or list.
    ValueError
        It has fewer than two elements, or more than four.
    """
    if not isinstance(batch, (tuple, list)):
        raise TypeError(
            f"batch must be (x, targets, lengths, weights), got {type(batch).__name__}"
        )
    if not 2 <= len(batch) <= 4:
        raise ValueError(
            "batch must be (x, targets), (x, targets, lengths) or (x, targets, lengths, weights), "
            f"got {len(batch)} elements"
        )
    return Batch(*batch)


def _tensor_of(argument: str) -> str:
    """Return under which name a file has the vocabulary that is this argument of the model."""
    return _VOCABULARY if argument == "vocab" else f"{_VOCABULARY}.{argument}"


def size_of(vocab: Any, name: str = "vocab") -> int:
    """Return V of a number of symbols or of a Vocabulary."""
    if isinstance(vocab, (str, list, tuple)):
        raise TypeError(
            f"{name} must be a Vocabulary or a number of symbols, got a {type(vocab).__name__}; "
            "of texts Vocabulary.from_texts(texts, level=…) makes one, by words or characters"
        )
    return len(vocab) if isinstance(vocab, Vocabulary) else integer(name, vocab, 1)
