"""What an RNN, a GRU and an LSTM are: options with defaults, rules and words, weights, gradients.

All others read it from here: functions, layers and their ``repr``, streams, loaders and exporters,
the twins. An option is a line of a ``TypedDict``, from which type checkers know it; its `Option`
says the rest. `takes` shows the options of what takes ``**options`` in signature and docstring.
"""

import inspect
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import (
    TYPE_CHECKING,
    Annotated,
    Any,
    ClassVar,
    Literal,
    NamedTuple,
    Self,
    TypedDict,
    TypeVar,
    get_type_hints,
)

import numpy as np
from numpy.typing import NDArray

from fastrnn._checks import FLOAT32, FLOAT64, DType, flag, integer, number, probability, step_limit

__all__ = ["GRUGrads", "LSTMGrads", "Masks", "RNNGrads"]

F = TypeVar("F", bound=Callable[..., Any])
Squash = str | tuple[str, float, float]  # an activation: a name, or one with its alpha and beta
Peephole = bool | Literal["full"]

ACTIVATIONS = (
    "sigmoid", "tanh", "relu", "linear", "hard_sigmoid", "affine", "leaky_relu",
    "thresholded_relu", "scaled_tanh", "elu", "softsign", "softplus",
)  # fmt: skip
# alpha and beta of those that have them, where a call does not say: the defaults of ONNX.
NUMBERS: dict[str, tuple[float, ...]] = {
    "hard_sigmoid": (0.2, 0.5),
    "affine": (1.0, 0.0),
    "leaky_relu": (0.01,),
    "thresholded_relu": (1.0,),
    "scaled_tanh": (1.0, 1.0),
    "elu": (1.0,),
}
# Those within 0..1, and within -1..1.
_UNIT = ("sigmoid", "hard_sigmoid")
_SIGNED = (*_UNIT, "tanh", "softsign")
_WITHOUT_UNDERSCORE = {name.replace("_", ""): name for name in ACTIVATIONS}  # ONNX has LeakyRelu
MERGE_MODES = ("concat", "sum", "mul", "ave")
MAX_LAYERS = 1024

# The arguments of the functions that are weights, and PyTorch's names of them in a layer.
WEIGHTS = {
    "w_ih": "weight_ih", "w_hh": "weight_hh", "b_ih": "bias_ih", "b_hh": "bias_hh",
    "w_peephole": "weight_peephole", "w_hr": "weight_hr", "w_norm": "weight_norm",
}  # fmt: skip


class Option(NamedTuple):
    """One option.

    Attributes
    ----------
    default : Any
    rule : callable
        ``rule(name, value)`` returns the value in its one form, or raises what is wrong with it.
    words : str
        Its lines in a docstring: the type, then what it means.
    training : bool
        It changes what is learned, and never what trained weights give.
    """

    default: Any
    rule: Callable[[str, Any], Any]
    words: str
    training: bool = False


# ---- rules ----


def _activation(name: str, value: Any) -> Squash:
    """Return an activation in its one form: a bare name where its numbers are the usual ones."""
    word, *given = value if isinstance(value, tuple) and len(value) > 1 else (value,)
    if not isinstance(word, str):
        raise TypeError(f"{name} must be a string, got {value!r}")
    word = word if word in ACTIVATIONS else _WITHOUT_UNDERSCORE.get(word.lower(), word)
    if word not in ACTIVATIONS:
        raise ValueError(f"{name} must be one of {ACTIVATIONS}, got {word!r}")
    usual = NUMBERS.get(word, ())
    if len(given) > (2 if usual else 0) or any(given[len(usual) :]):  # a beta of 0 is none
        words = ("no numbers", "alpha", "alpha and beta")[len(usual)]
        raise ValueError(f"{name}: {word} takes {words}, got {value!r}")
    numbers = [number(f"{name}'s numbers", one) for one in given]
    numbers += usual[len(given) :]
    numbers = numbers[: len(usual)]
    if word in ("leaky_relu", "elu") and numbers[0] < 0:
        raise ValueError(f"{name}: {word} needs alpha of at least 0, got {numbers[0]}")
    if word == "scaled_tanh" and 0 in numbers:
        raise ValueError(f"{name}: {word} needs alpha and beta other than 0, got {value!r}")
    if not numbers or (word == "hard_sigmoid" and tuple(numbers) == usual):
        return word
    return (word, numbers[0], numbers[1] if len(numbers) > 1 else 0.0)


def _activations(words: str) -> Callable[[str, Any], tuple[Squash, ...]]:
    """Return the rule of a tuple of as many activations as there are letters in words."""
    count = words.count(",") + 1

    def rule(name: str, value: Any) -> tuple[Squash, ...]:
        if not isinstance(value, (tuple, list)):
            raise TypeError(f"{name} must be a tuple {words} of names, got {value!r}")
        if len(value) != count:
            raise ValueError(f"{name} must be {count} names {words}, got {len(value)}: {value!r}")
        return tuple(_activation(f"{name}[{k}]", one) for k, one in enumerate(value))

    return rule


def _clip(name: str, value: Any) -> float | None:
    if value is None:
        return None
    clip = number(name, value)
    if not clip > 0:
        raise ValueError(f"{name} must be above 0, got {value!r}")
    return clip


def _gates(name: str, value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{name} must be a string of letters of 'ifo', got {value!r}")
    if len(set(value)) != len(value) or not set(value) <= set("ifo"):
        raise ValueError(f"{name} must hold letters of 'ifo', each at most once, got {value!r}")
    return "".join(gate for gate in "ifo" if gate in value)


def _peephole(name: str, value: Any) -> Peephole:
    if isinstance(value, (bool, np.bool_)):
        return bool(value)
    if not isinstance(value, str):
        raise TypeError(f'{name} must be True, False or "full", got {value!r}')
    if value != "full":
        raise ValueError(f'{name} must be True, False or "full", got {value!r}')
    return "full"


def _zoneout(name: str, value: Any) -> float | tuple[float, float]:
    if not isinstance(value, (tuple, list)):
        return probability(name, value)
    if len(value) != 2:
        raise ValueError(f"{name} must be a number, or two for an LSTM, got {value!r}")
    return probability(name, value[0]), probability(name, value[1])


def _merge_mode(name: str, value: Any) -> str:
    if not isinstance(value, str) or value not in MERGE_MODES:
        raise ValueError(f"{name} must be one of {MERGE_MODES}, got {value!r}")
    return value


def _truncate(name: str, value: Any) -> int | None:
    return None if value is None else integer(name, value, 1)


def _clip_step(_: str, value: Any) -> float | None:
    return None if value is None else step_limit(value)


def _compute_dtype(name: str, value: Any) -> str | None:
    if value is not None and not isinstance(value, str):
        raise TypeError(f'{name} must be None, "float32" or "bfloat16", got {value!r}')
    if value == "int8":
        raise ValueError(f"{name} cannot be 'int8', which is for inference: quantize('int8')")
    if value not in (None, "float32", "bfloat16"):
        raise ValueError(f'{name} must be None, "float32" or "bfloat16", got {value!r}')
    return value


def float_type(value: Any) -> DType:
    """Return float32 or float64 as the one dtype object of its kind."""
    try:
        given = np.dtype(value)
    except (TypeError, ValueError):
        given = None
    for supported in (FLOAT32, FLOAT64):
        # None means float64 to NumPy, also when it is compared with a dtype.
        if value is not None and given is not None and given == supported:
            return supported
    raise TypeError(f"dtype must be float32 or float64, got {value!r}")


def layer_sizes(hidden_size: Any, num_layers: Any) -> tuple[list[int], bool]:
    """Return H of each layer, and whether the caller gave a list."""
    L = integer("num_layers", num_layers, 1, MAX_LAYERS)
    if isinstance(hidden_size, np.ndarray) and hidden_size.ndim == 1:
        hidden_size = hidden_size.tolist()
    if not isinstance(hidden_size, Sequence) or isinstance(hidden_size, str):
        return [integer("hidden_size", hidden_size, 1)] * L, False
    result = [integer(f"hidden_size[{i}]", H, 1) for i, H in enumerate(hidden_size)]
    if not 1 <= len(result) <= MAX_LAYERS:
        raise ValueError(f"hidden_size must have 1..{MAX_LAYERS} elements, got {len(result)}")
    if L not in (1, len(result)):
        raise ValueError(f"num_layers must be {len(result)}, one per hidden_size, got {L}")
    return result, True


# ---- options ----

CLIP = Option(None, _clip, """float or None
    What the activations are applied to is first limited to ±clip; the gradient is 0 where that
    acts.""")  # fmt: skip


class RNNOptions(TypedDict, total=False):
    """What chooses the cell of an RNN."""

    nonlinearity: Annotated[Squash, Option("tanh", _activation, """str or tuple
        "tanh", "relu", "sigmoid", "linear", or another activation of `lstm`.""")]
    clip: Annotated[float | None, CLIP]


class GRUOptions(TypedDict, total=False):
    """What chooses the cell of a GRU."""

    reset_after: Annotated[bool, Option(True, flag, """bool
        True: the reset gate acts on the recurrent product (PyTorch, Keras, cuDNN). False: on the
        state before the product (the 2014 paper, ONNX by default).""")]
    activations: Annotated[
        tuple[Squash, Squash], Option(("sigmoid", "tanh"), _activations("(f, g)"),
        """tuple of str or tuple
        ONNX's f, g, of the gates and the candidate, each one of those of `lstm`."""),
    ]
    clip: Annotated[float | None, CLIP]


class LSTMOptions(TypedDict, total=False):
    """What chooses the cell of an LSTM."""

    gates: Annotated[str, Option("ifo", _gates, """str
        The gates that exist, letters of "ifo"; one that does not is the constant 1. "io" is the
        LSTM of 1997, "" the bare constant error carousel.""")]
    input_forget: Annotated[bool, Option(False, flag, """bool
        Couple the two gates: f = 1 − i.""")]
    activations: Annotated[
        tuple[Squash, Squash, Squash], Option(
        ("sigmoid", "tanh", "tanh"), _activations("(f, g, h)"), """tuple of str or tuple
        ONNX's f, g, h, of the gates, the candidate and the cell's output, each one of sigmoid,
        tanh, relu, linear, softsign, softplus, or, with the numbers that ``("elu", 0.5)`` gives in
        the order alpha, beta and ONNX's defaults: hard_sigmoid (0.2, 0.5), affine (1, 0),
        leaky_relu (0.01), thresholded_relu (1), scaled_tanh (1, 1), elu (1). ONNX's spelling
        serves too. docs/maths/lstm.md has the formulas."""),
    ]
    clip: Annotated[float | None, CLIP]


class LayerOptions(TypedDict, total=False):
    """What every layer takes beside the options of its cell."""

    bias: Annotated[bool, Option(True, flag, """bool
        Have `bias_ih` and `bias_hh`.""")]
    batch_first: Annotated[bool, Option(False, flag, """bool
        x and y are (N, T, ·); states are not changed by it.""")]
    dropout: Annotated[float, Option(0.0, probability, """float
        Probability of dropping an output between two layers; `forward` with ``training=True``
        only.""", training=True)]
    recurrent_dropout: Annotated[float, Option(0.0, probability, """float
        Probability of dropping a unit of h on its way into the recurrent product, the same units
        at every step of a sequence; `forward` with ``training=True`` only.""", training=True)]
    zoneout: Annotated[
        float | tuple[float, float], Option(
        0.0, _zoneout, """float, or two for h and c of an LSTM
        Probability that a unit of h, and of c, stays as it was, drawn anew at every step; without
        training that part of it stays."""),
    ]
    weight_drop: Annotated[float, Option(0.0, probability, """float
        Probability of dropping a weight of `weight_hh`, once a call; training only.""",
        training=True)]
    bidirectional: Annotated[bool, Option(False, flag, """bool
        A second set of weights walks each sequence from its last step to its first.""")]
    merge_mode: Annotated[str, Option("concat", _merge_mode, """{"concat", "sum", "mul", "ave"}
        How both directions' outputs become one, after every layer.""")]
    truncate: Annotated[int | None, Option(None, _truncate, """int or None
        What `backward` and `apply` do unless they are told otherwise: cut the recurrent gradient
        every so many steps.""", training=True)]
    clip_step: Annotated[float | None, Option(None, _clip_step, """float or None
        The same: limit the gradients by the pre-activations at each step to ±clip_step.""",
        training=True)]
    compute_dtype: Annotated[str | None, Option(None, _compute_dtype, """str or None
        What products by `weight_ih` and `weight_hh` are computed in, in training as in inference.
        "bfloat16": these weights, what they multiply, and on the way back the gradients that enter
        these products are rounded to bfloat16; weights, sums, states, biases and gradients are
        float32, and what `forward` keeps for `backward` is float16. None: `dtype`. Other
        programs that the layer is handed over to do not know it.""")]


_NORM = "bool\n    Normalise W_ih x and W_hh h of every step, with gains `weight_norm` "


class RNNLayerOptions(LayerOptions, RNNOptions, total=False):
    """What the layer `fastrnn.RNN` takes."""

    layer_norm: Annotated[bool, Option(False, flag, _NORM + "(2, H): those\n    of both.")]


class GRULayerOptions(LayerOptions, GRUOptions, total=False):
    """What the layer `fastrnn.GRU` takes."""

    layer_norm: Annotated[bool, Option(False, flag, _NORM + """(6, H): those
        of W_ih x and of W_hh h, gate by gate.""")]


class LSTMLayerOptions(LayerOptions, LSTMOptions, total=False):
    """What the layer `fastrnn.LSTM` takes."""

    proj_size: Annotated[int, Option(0, lambda name, value: integer(name, value, 0), """int
        P, less than H: h is `weight_hr` (P, H) times the cell's output, and y, h and the columns of
        `weight_hh` are P. 0: no projection.""")]
    peephole: Annotated[Peephole, Option(False, _peephole, """bool or "full"
        The gates see the cell state, by diagonal weights `weight_peephole` (3, H) in order i f o,
        or by whole matrices (3·H, H): i and f see c(t − 1), o sees c(t).""")]
    layer_norm: Annotated[bool, Option(False, flag, _NORM + """(10, H): those
        of W_ih x and of W_hh h, gate by gate; and c where the output sees it, by its gain and
        shift, the last rows.""")]
    forget_bias: Annotated[float, Option(0.0, number, """float
        Added to the forget rows of `bias_ih` at the start, and then only.""", training=True)]


def options_of(typed_dict: type) -> dict[str, Option]:
    """Return the options that a TypedDict lists."""
    hints = get_type_hints(typed_dict, include_extras=True)
    return {name: hint.__metadata__[0] for name, hint in hints.items()}


def checked(
    options: Mapping[str, Option], given: Mapping[str, Any], function: str
) -> dict[str, Any]:
    """Return every option in its one form, the default where it is not given."""
    for name in given:
        if name not in options:
            raise TypeError(f"{function}() got an unexpected keyword argument {name!r}")
    return {
        name: option.rule(name, given[name]) if name in given else option.default
        for name, option in options.items()
    }


def takes(typed_dict: type) -> Callable[[F], F]:
    """Show the options of a function or class that takes ``**options``, as if it listed them."""
    options = options_of(typed_dict)
    keyword_only = inspect.Parameter.KEYWORD_ONLY

    def decorate(shown_to: F) -> F:
        function: Any = vars(shown_to)["__init__"] if isinstance(shown_to, type) else shown_to
        signature = inspect.signature(function)
        hints = get_type_hints(typed_dict)
        own = [p for p in signature.parameters.values() if p.kind is not p.VAR_KEYWORD]
        shown = [
            inspect.Parameter(name, keyword_only, default=option.default, annotation=hints[name])
            for name, option in options.items()
        ]
        first = next((k for k, p in enumerate(own) if p.kind is keyword_only), len(own))
        every = [*own[:first], *shown, *own[first:]]
        function.__signature__ = signature.replace(parameters=every)
        shown_to.__doc__ = documented(shown_to.__doc__, options)
        return shown_to

    return decorate


def documented(doc: str | None, options: Mapping[str, Option]) -> str | None:
    """Return a docstring with what each option means in the place of its line ``**options``."""
    if doc is None:
        return None  # python -OO
    lines = doc.split("\n")
    return "\n".join(
        line if line.strip() != "**options" else _shown(line[: -len("**options")], options)
        for line in lines
    )


def _shown(indent: str, options: Mapping[str, Option]) -> str:
    lines = []
    for name, option in options.items():
        kind, *text = option.words.split("\n")
        lines.append(f"{indent}{name} : {kind}")
        lines += [f"{indent}    {line.strip()}" for line in text]
    return "\n".join(lines)


# ---- specs ----


class Spec:
    """The cell of one family with its options chosen; equal choices have the same object.

    Attributes
    ----------
    family : str
        ``"rnn"``, ``"gru"`` or ``"lstm"``: the function, and the twin of the same name.
    title : str
        The words of messages: "an LSTM".
    G : int
        Gates: weights have G·H rows.
    cell_state : bool
        It has c beside h.
    options : dict of str to Option
    values : dict of str to Any
        The options as chosen; each is an attribute, too.
    peephole, projection, layer_norm, masked : bool
        It has these weights, or takes masks; ``"full"`` are whole matrices.
    core : str
        The core's name of the cell. One whose name ends in ``general`` is told its options at run
        time.
    """

    family: ClassVar[str]
    title: ClassVar[str]
    G: ClassVar[int]
    cell_state: ClassVar[bool] = False
    options: ClassVar[dict[str, Option]]
    plain: ClassVar[Any]  # every option at its default

    def __init__(
        self, values: dict[str, Any], peephole: Peephole, projection: bool, layer_norm: bool,
        masked: bool,
    ) -> None:  # fmt: skip
        self.values = values
        self.__dict__ |= values
        self.peephole, self.projection = peephole, projection
        self.layer_norm, self.masked = layer_norm, masked
        self.general = masked or layer_norm or projection or peephole == "full" or self._chosen()
        self.core = self._core()

    if TYPE_CHECKING:

        def __getattr__(self, name: str) -> Any: ...

    def __init_subclass__(cls) -> None:
        cls.options = options_of(cls.Options)
        cls.plain = cls._made(tuple(option.default for option in cls.options.values()))

    @classmethod
    def of(
        cls,
        options: Mapping[str, Any],
        peephole: Peephole = False,
        projection: bool = False,
        layer_norm: bool = False,
    ) -> Self:
        """Return the cell with these options, each checked.

        Raises
        ------
        TypeError
            An option has the wrong type, or there is no such option.
        ValueError
            An option breaks its rule, or two do not go together.
        """
        if not (options or peephole or projection or layer_norm):
            plain: Self = cls.plain
            return plain
        values = checked(cls.options, options, cls.family)
        cls._agree(values)
        return cls._made(tuple(values.values()), peephole, projection, layer_norm)

    def with_masks(self) -> Self:
        """Return the same cell, as one that takes masks."""
        if self.general:
            return self
        return self._made(tuple(self.values.values()), self.peephole, masked=True)

    def __reduce__(self) -> Any:
        structure = self.peephole, self.projection, self.layer_norm, self.masked
        return type(self)._made, (tuple(self.values.values()), *structure)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.core})"

    @property
    def limit(self) -> float:
        """What f and g are applied to stays within ±limit."""
        return math.inf if self.clip is None else float(self.clip)

    @property
    def bounded(self) -> bool:
        """Whether h lies within -1 and 1, so that int8 has one scale for it."""
        names = [chosen if isinstance(chosen, str) else chosen[0] for chosen in self.activations]
        if self.family == "lstm":  # h' = o ∘ φ(c')
            output = names[0] in _SIGNED or "o" not in self.gates
            return not self.projection and output and names[2] in _SIGNED
        if self.family == "gru":  # h' = (1 - z) ∘ n + z ∘ h
            return names[0] in _UNIT and names[1] in _SIGNED
        return names[0] in _SIGNED

    def core_choices(self) -> dict[str, Any]:
        """Return what a general cell of the core takes, with every number of its activations."""

        def spelled(chosen: Squash) -> tuple[str, float, float]:
            if not isinstance(chosen, str):
                return chosen
            alpha, beta, *_ = *NUMBERS.get(chosen, ()), 0.0, 0.0
            return chosen, alpha, beta

        values = {name: self.values[name] for name in self._of_the_core}
        chosen = {name: value for name, value in values.items() if value is not None}
        return {"activations": tuple(map(spelled, self.activations))} | chosen

    def weights(self, I: int, H: int, P: int, bias: bool) -> dict[str, tuple[str, tuple[int, ...]]]:
        """Return the weights by argument: their shapes in symbols, and in numbers."""
        G, letter = self.G, "P" if self.projection else "H"
        rows = "H" if G == 1 else f"{G}·H"
        weights: dict[str, tuple[str, tuple[int, ...]]] = {
            "w_ih": (f"({rows}, I)", (G * H, I)),
            "w_hh": (f"({rows}, {letter})", (G * H, P)),
        }
        if bias:
            weights |= dict.fromkeys(("b_ih", "b_hh"), (f"({rows},)", (G * H,)))
        if self.peephole:
            full = self.peephole == "full"
            weights["w_peephole"] = ("(3·H, H)", (3 * H, H)) if full else ("(3, H)", (3, H))
        if self.projection:
            weights["w_hr"] = ("(P, H)", (P, H))
        if self.layer_norm:
            gains = 2 * G + 2 * self.cell_state
            weights["w_norm"] = (f"({gains}, H)", (gains, H))
        return weights

    @classmethod
    @lru_cache(1024)
    def _made(
        cls, values: tuple[Any, ...], peephole: Peephole = False, projection: bool = False,
        layer_norm: bool = False, masked: bool = False,
    ) -> Self:  # fmt: skip
        """Return the one object of these choices, which are in their one form."""
        named = dict(zip(cls.options, values, strict=True))
        return cls(named, peephole, projection, layer_norm, masked)

    Options: ClassVar[type]
    _of_the_core: ClassVar[tuple[str, ...]] = ("clip",)

    def _chosen(self) -> bool:
        """Return whether an option asks for the general cell."""
        return any(self.values[name] != option.default for name, option in self.options.items())

    def _core(self) -> str:
        raise NotImplementedError

    @classmethod
    def _agree(cls, values: dict[str, Any]) -> None:
        """Refuse options that do not go together."""


class RNNSpec(Spec):
    """The simple (Elman) RNN: ``h' = φ(W_ih x + b_ih + W_hh h + b_hh)``."""

    family, title, G = "rnn", "an RNN", 1
    Options = RNNOptions

    @property
    def activations(self) -> tuple[Squash, ...]:
        """φ, as the other families have theirs."""
        return (self.nonlinearity,)

    def _chosen(self) -> bool:
        return self.clip is not None or self.nonlinearity not in ACTIVATIONS[:4]

    def _core(self) -> str:
        return "rnn_general" if self.general else f"rnn_{self.nonlinearity}"


class GRUSpec(Spec):
    """The gated recurrent unit; `fastrnn.gru` has its equations."""

    family, title, G = "gru", "a GRU", 3
    Options = GRUOptions

    def _chosen(self) -> bool:
        usual = self.options["activations"].default
        return self.clip is not None or self.activations != usual

    def _core(self) -> str:
        name = "gru_after" if self.reset_after else "gru_before"
        return f"{name}_general" if self.general else name


class LSTMSpec(Spec):
    """The long short-term memory; `fastrnn.lstm` has its equations."""

    family, title, G, cell_state = "lstm", "an LSTM", 4, True
    Options = LSTMOptions
    _of_the_core = ("clip", "gates", "input_forget")

    def _core(self) -> str:
        if self.general:
            return "lstm_general"
        return "lstm_peephole" if self.peephole else "lstm"

    @classmethod
    def _agree(cls, values: dict[str, Any]) -> None:
        if values["input_forget"] and not {"i", "f"} <= set(values["gates"]):
            raise ValueError(
                f"input_forget=True makes the forget gate 1 - i, so gates must have both i and f, "
                f"got gates={values['gates']!r}"
            )


SPECS: dict[str, type[Spec]] = {spec.family: spec for spec in (RNNSpec, GRUSpec, LSTMSpec)}


# ---- what a call takes beside options ----


class GradientLimits(NamedTuple):
    """What acts on the gradients on their way back through time; None: nothing does.

    Attributes
    ----------
    truncate : int or None
        Every how many steps the recurrent gradient is cut.
    clip_step : float or None
        The limit of each step's gradients by the pre-activations.
    """

    truncate: int | None = None
    clip_step: float | None = None

    @classmethod
    def of(cls, truncate: Any, clip_step: Any) -> Self:
        """Return both, checked."""
        return cls(_truncate("truncate", truncate), _clip_step("clip_step", clip_step))


class Masks(NamedTuple):
    """The masks of one call; None where there is none.

    Attributes
    ----------
    h_mask : ndarray or None, (N, P)
        Multiplies h on its way into the recurrent product, the same at every step.
    h_keep, c_keep : ndarray or None, (T, N, P) and (T, N, H)
        The part of the old h, and c, that stays: 1 keeps all of it, 0 none.
    w_mask : ndarray or None, (G·H, P)
        Multiplies w_hh.

    Notes
    -----
    With h~, c~ what the cell gives for W_hh (h ∘ h_mask), and P the columns of h::

        h' = h_keep ∘ h + (1 − h_keep) ∘ h~
        c' = c_keep ∘ c + (1 − c_keep) ∘ c~

    All are indexed as x is in time and batch, whatever `batch_first` and `reverse` say of it:
    (T, N, ·). Arrays broadcast with a step of 0 serve too.

    References
    ----------
    Y. Gal, Z. Ghahramani, "A Theoretically Grounded Application of Dropout in Recurrent Neural
    Networks", 2016, equation 7; D. Krueger et al., "Zoneout: Regularizing RNNs by Randomly
    Preserving Hidden Activations", 2017, section 3.1; w_mask: S. Merity et al., "Regularizing and
    Optimizing LSTM Language Models", 2018, section 2.

    Examples
    --------
    >>> import numpy as np
    >>> import fastrnn
    >>> x, w_ih, w_hh = np.ones((5, 2, 3)), np.ones((4, 3)), np.ones((4, 4))
    >>> frozen = fastrnn.Masks(h_keep=np.ones((5, 2, 4)))
    >>> bool((fastrnn.rnn(x, w_ih, w_hh, masks=frozen)[0] == 0).all())
    True
    """

    h_mask: Any = None
    h_keep: Any = None
    c_keep: Any = None
    w_mask: Any = None


NO_MASKS = Masks()


# ---- what a backward call returns ----


# eq=False: comparing arrays gives arrays, so a generated == could only raise.
@dataclass(frozen=True, eq=False)
class RNNGrads:
    """Gradients of one RNN layer, as `rnn_backward` returns them.

    A field is None when its argument was not given, and no two fields share memory: clipping them
    in place scales each one once. H is the hidden size and I the input size.

    Attributes
    ----------
    x : ndarray
        In the shape of x; with ``w_ih=None`` the gradient of the projected input.
    w_ih : ndarray or None, (H, I)
    w_hh : ndarray, (H, H)
    b_ih, b_hh : ndarray or None, (H,)
    h0 : ndarray or None
        In the shape of h0; summed over the batch where one (H,) state served every row.

    Examples
    --------
    >>> import numpy as np
    >>> from fastrnn import reference
    >>> y, h_n, tape = reference.rnn_forward(np.ones((2, 1, 1)), np.eye(1), np.eye(1))
    >>> grads = reference.rnn_backward(tape, dh_n=np.ones((1, 1)))
    >>> grads.w_ih.shape, grads.b_ih is None
    ((1, 1), True)
    """

    x: NDArray[Any]
    w_ih: NDArray[Any] | None
    w_hh: NDArray[Any]
    b_ih: NDArray[Any] | None
    b_hh: NDArray[Any] | None
    h0: NDArray[Any] | None


@dataclass(frozen=True, eq=False)
class GRUGrads:
    """Gradients of one GRU layer, as `gru_backward` returns them.

    A field is None when its argument was not given, and no two fields share memory: clipping them
    in place scales each one once. Rows of weights and biases are in the gate order r z n.

    Attributes
    ----------
    x : ndarray
        In the shape of x; with ``w_ih=None`` the gradient of the projected input.
    w_ih : ndarray or None, (3·H, I)
    w_hh : ndarray, (3·H, H)
    b_ih, b_hh : ndarray or None, (3·H,)
        They differ in their n rows when ``reset_after=True``.
    h0 : ndarray or None
        In the shape of h0; summed over the batch where one (H,) state served every row.

    Examples
    --------
    >>> import numpy as np
    >>> from fastrnn import reference
    >>> y, h_n, tape = reference.gru_forward(np.ones((2, 1, 1)), np.ones((3, 1)), np.ones((3, 1)))
    >>> grads = reference.gru_backward(tape, dh_n=np.ones((1, 1)))
    >>> grads.w_ih.shape, grads.b_ih is None
    ((3, 1), True)
    """

    x: NDArray[Any]
    w_ih: NDArray[Any] | None
    w_hh: NDArray[Any]
    b_ih: NDArray[Any] | None
    b_hh: NDArray[Any] | None
    h0: NDArray[Any] | None


@dataclass(frozen=True, eq=False)
class LSTMGrads:
    """Gradients of one LSTM layer, as `lstm_backward` returns them.

    A field is None when its argument was not given, and no two fields share memory: clipping them
    in place scales each one once. Rows of weights and biases are in the gate order i f g o.

    Attributes
    ----------
    x : ndarray
        In the shape of x; with ``w_ih=None`` the gradient of the projected input.
    w_ih : ndarray or None, (4·H, I)
    w_hh : ndarray, (4·H, H)
    b_ih, b_hh : ndarray or None, (4·H,)
        Equal numbers in two arrays.
    h0, c0 : ndarray or None
        In the shapes of h0 and c0; summed over the batch where one (H,) state served every row.
    w_peephole : ndarray or None, (3, H) or (3·H, H)
        Rows i f o.
    w_hr : ndarray or None, (P, H)

    Examples
    --------
    >>> import numpy as np
    >>> from fastrnn import reference
    >>> x, w = np.ones((2, 1, 1)), np.ones((4, 1))
    >>> y, (h_n, c_n), tape = reference.lstm_forward(x, w, w, c0=np.zeros((1, 1)))
    >>> grads = reference.lstm_backward(tape, dc_n=np.ones((1, 1)))
    >>> grads.c0.shape, grads.h0 is None
    ((1, 1), True)
    """

    x: NDArray[Any]
    w_ih: NDArray[Any] | None
    w_hh: NDArray[Any]
    b_ih: NDArray[Any] | None
    b_hh: NDArray[Any] | None
    h0: NDArray[Any] | None
    c0: NDArray[Any] | None
    w_peephole: NDArray[Any] | None
    w_hr: NDArray[Any] | None
