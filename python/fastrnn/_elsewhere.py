"""Names of other libraries: an error about one of them says what to write here."""

import functools
import inspect
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

F = TypeVar("F", bound=Callable[..., Any])
Words = Mapping[str, str]

_UNITS = "hidden_size, after input_size, is the number of units"
_STEPS = "y, state = layer(x) gives all steps and the last state; y[-1] is the last step"
_CPU = "fastrnn computes on the CPU; fastrnn.torch has its layers as modules of PyTorch"

# Arguments of layers,
LAYER_ARGUMENTS: Words = {
    "units": _UNITS,
    "num_units": _UNITS,
    "return_sequences": _STEPS,
    "return_state": _STEPS,
    "go_backwards": "reverse=True is an option of fastrnn.lstm, gru and rnn",
    "stateful": "hand the state on: y, state = layer(x, state)",
    "input_shape": "input_size is the number of columns of x",
    "activation": "an RNN takes nonlinearity, an LSTM or GRU activations",
    "recurrent_activation": "an LSTM or GRU takes activations",
    "use_bias": "it is called bias",
    "device": _CPU,
}
# and what people look for in them.
LAYER_ATTRIBUTES: Words = {
    "parameters": "lstm.params is the dict of a layer's weights, of whatever cell",
    "named_parameters": "lstm.params is the dict of a layer's weights, of whatever cell",
    "weights": "lstm.params is the dict of a layer's weights, of whatever cell",
    "get_weights": "to_keras() returns them in Keras' order",
    "set_weights": "from_keras(weights) makes a layer of Keras' weights",
    "to": _CPU,
    "cuda": _CPU,
    "eval": "layer(x) is inference, layer.forward(x) is training",
    "train": "layer(x) is inference, layer.forward(x) is training",
    "half": 'quantize("bfloat16") gives a layer for inference in half of the bytes',
    "bfloat16": 'quantize("bfloat16") gives a layer for inference in half of the bytes',
    "zero_grad": "backward returns fresh gradients and adds to none",
    "flatten_parameters": "weights need no preparation",
}
_PARAMS = "model.params is the nested dict of the weights; fit hands it to the optimiser"
MODEL_ATTRIBUTES: Words = {
    "parameters": _PARAMS,
    "named_parameters": _PARAMS,
    "weights": _PARAMS,
    "compile": "the loss is the model's own, and fit(data, optimiser) takes the optimiser",
    "to": _CPU,
    "cuda": _CPU,
    "eval": "predict and its like infer, fit trains",
    "train": "predict and its like infer, fit trains",
    "half": 'quantize("bfloat16") gives a model for inference in half of the bytes',
    "bfloat16": 'quantize("bfloat16") gives a model for inference in half of the bytes',
    "state_dict": "model.params is the nested dict of the weights; save and load keep them",
    "load_weights": "fastrnn.models.load reads what save wrote",
    "save_weights": "save writes weights and settings, fastrnn.models.load reads them",
}
ESTIMATOR_ARGUMENTS: Words = {
    "hidden_layer_sizes": "hidden_size is a number, or a list with one for each layer",
    "units": "it is called hidden_size",
    "max_iter": "it is called max_epochs",
    "epochs": "it is called max_epochs",
    "n_epochs": "it is called max_epochs",
    "lr": "it is called learning_rate",
    "learning_rate_init": "it is called learning_rate",
    "solver": "it is called optimizer",
    "activation": "cell is 'lstm', 'gru' or 'rnn'",
    "validation_split": "it is called validation_fraction",
    "patience": "it is called n_iter_no_change",
    "n_jobs": "it is called n_threads",
}
WORD2VEC_ARGUMENTS: Words = {
    "size": "it is called vector_size, as in gensim 4",
    "iter": "it is called epochs, as in gensim 4",
}
TRAIN_NAMES: Words = {
    "EarlyStopping": "fit(validation=…, monitor=…, patience=…) stops early",
    "ModelCheckpoint": "Trainer(…, checkpoint=FOLDER) writes checkpoints",
    "ReduceLROnPlateau": "it is called schedule.ReduceOnPlateau, and an optimiser takes it as lr",
    "clip_grad_norm_": "it is called clip_grad_norm",
    "clip_grad_value_": "it is called clip_grad_value",
    "Optimizer": "it is called Optimiser",
}
MODELS_NAMES: Words = {
    "load_model": "fastrnn.models.load reads what save wrote",
    "Sequential": "SequenceClassifier, SequenceTagger and others are whole models",
    "Doc2Vec": "Word2Vec learns vectors of words alone",
    "RNNClassifier": "it is in fastrnn.sklearn",
    "RNNRegressor": "it is in fastrnn.sklearn",
}

EVALUATED = "score(x, targets) takes arrays, evaluate an iterable of batches"


def estimator_fit(name: str) -> Words:
    """Return the arguments of Keras' fit, which are those of the estimator itself."""
    own = "the estimator takes such options"
    own += f": {name}(max_epochs=…, batch_size=…, validation_fraction=…).fit(X, y)"
    words = ("epochs", "batch_size", "validation_split", "validation_data", "verbose", "callbacks")
    return dict.fromkeys((*words, "class_weight", "max_epochs", "eval_set"), own)


def hinted(words: Words, positional: str | None = None) -> Callable[[F], F]:
    """Make a decorator: who calls the function by another library's words is told ours.

    Parameters
    ----------
    words : mapping of str to str
        Keywords that the function has not, and the hint for each.
    positional : str or None
        The hint for too many arguments.
    """

    def decorate(function: F) -> F:
        signature = inspect.signature(function)
        most = sum(p.kind < p.VAR_POSITIONAL for p in signature.parameters.values())
        foreign = words.keys() - signature.parameters.keys()

        @functools.wraps(function)
        def checked(*args: Any, **kwargs: Any) -> Any:
            for name in kwargs:
                if name in foreign:
                    call = _call(function, signature, args)
                    raise TypeError(f"{call} takes no {name}: {words[name]}")
            if positional is not None and len(args) > most:
                given = f"takes {most - 1} arguments by position, got {len(args) - 1}"
                raise TypeError(f"{_call(function, signature, args)} {given}: {positional}")
            return function(*args, **kwargs)

        return checked  # type: ignore[return-value]

    return decorate


def _call(function: Any, signature: inspect.Signature, args: tuple[Any, ...]) -> str:
    """Return how a method is called, with what it needs: ``LSTM(input_size, hidden_size)``."""
    owner = type(args[0]).__name__
    needed = [
        p.name
        for p in list(signature.parameters.values())[1:]
        if p.default is p.empty and p.kind is p.POSITIONAL_OR_KEYWORD
    ]
    name = "" if function.__name__ == "__init__" else f".{function.__name__}"
    return f"{owner}{name}({', '.join(needed)})"


def missing(owner: Any, name: str, words: Words) -> AttributeError:
    """Return the error about an attribute that something lacks."""
    hint = f": {words[name]}" if name in words else ""
    text = f"{type(owner).__name__!r} object has no attribute {name!r}{hint}"
    return AttributeError(text, name=name, obj=owner)


def no_name(module: str, name: str, words: Words) -> Exception:
    """Return the error about a name that a module lacks.

    An ImportError where there is something to say: ``from … import`` replaces the text of an
    AttributeError by its own.
    """
    if name in words:
        return ImportError(f"{module} has no {name}: {words[name]}", name=name)
    return AttributeError(f"module {module!r} has no attribute {name!r}")
