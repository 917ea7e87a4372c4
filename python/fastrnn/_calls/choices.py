"""What a call may choose about its cell: activations and gates, by the names of ONNX; checked."""

import math
from typing import Any, NamedTuple

from fastrnn._checks import flag, number

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
# ONNX writes LeakyRelu.
_NAMES = {name.replace("_", ""): name for name in ACTIVATIONS}
LSTM_ACTIVATIONS = ("sigmoid", "tanh", "tanh")
GRU_ACTIVATIONS = ("sigmoid", "tanh")
GATES = "ifo"

Squash = str | tuple[str, float, float]  # a name, or one with its alpha and beta


class Choices(NamedTuple):
    """What was chosen, in its one canonical form.

    Attributes
    ----------
    activations : tuple of str or (str, float, float)
        f of the gates, g of the candidate and, for the LSTM, h of what leaves the cell; with alpha
        and beta where they are not the usual ones.
    gates : str
        The gates that exist, in the order i f o; LSTM only.
    input_forget : bool
        The forget gate is 1 - i; LSTM only.
    clip : float
        What f and g are applied to stays within ±clip.
    """

    activations: tuple[Squash, ...]
    gates: str = GATES
    input_forget: bool = False
    clip: float = math.inf


LSTM_DEFAULT = Choices(LSTM_ACTIVATIONS)
GRU_DEFAULT = Choices(GRU_ACTIVATIONS)


def lstm_choices(
    activations: Any, gates: Any, input_forget: Any, clip: Any = None
) -> Choices:
    """Return what an LSTM's call chose, or say what is wrong with it."""
    plain = activations is LSTM_ACTIVATIONS and gates is GATES and clip is None
    if plain and input_forget is False:
        return LSTM_DEFAULT
    chosen = Choices(
        _activations(activations, 3), _gates(gates), flag("input_forget", input_forget),
        _clip(clip),
    )  # fmt: skip
    if chosen.input_forget and not {"i", "f"} <= set(chosen.gates):
        raise ValueError(
            f"input_forget=True makes the forget gate 1 - i, so gates must have both i and f, "
            f"got gates={gates!r}"
        )
    return LSTM_DEFAULT if chosen == LSTM_DEFAULT else chosen


def gru_choices(activations: Any, clip: Any = None) -> Choices:
    """Return what a GRU's call chose, or say what is wrong with it."""
    if activations is GRU_ACTIVATIONS and clip is None:
        return GRU_DEFAULT
    chosen = Choices(_activations(activations, 2), clip=_clip(clip))
    return GRU_DEFAULT if chosen == GRU_DEFAULT else chosen


def rnn_choices(nonlinearity: Any, clip: Any = None) -> Choices:
    """Return what an RNN's call chose, or say what is wrong with it."""
    return Choices((_squash("nonlinearity", nonlinearity),), clip=_clip(clip))


def _clip(value: Any) -> float:
    if value is None:
        return math.inf
    clip = number("clip", value)
    if not clip > 0:
        raise ValueError(f"clip must be above 0, got {value!r}")
    return clip


def _activations(value: Any, count: int) -> tuple[Squash, ...]:
    words = "(f, g, h)" if count == 3 else "(f, g)"
    if not isinstance(value, (tuple, list)):
        raise TypeError(f"activations must be a tuple {words} of names, got {value!r}")
    if len(value) != count:
        raise ValueError(f"activations must be {count} names {words}, got {len(value)}: {value!r}")
    return tuple(_squash(f"activations[{k}]", one) for k, one in enumerate(value))


def _squash(where: str, value: Any) -> Squash:
    """Return an activation in its canonical form: a bare name where its numbers are the usual."""
    name, *given = value if isinstance(value, tuple) and len(value) > 1 else (value,)
    if not isinstance(name, str):
        raise TypeError(f"{where} must be a string, got {value!r}")
    name = name if name in ACTIVATIONS else _NAMES.get(name.lower(), name)
    if name not in ACTIVATIONS:
        raise ValueError(f"{where} must be one of {ACTIVATIONS}, got {name!r}")
    usual = NUMBERS.get(name, ())
    if len(given) > (2 if usual else 0) or any(given[len(usual) :]):  # a beta of 0 is none
        words = ("no numbers", "alpha", "alpha and beta")[len(usual)]
        raise ValueError(f"{where}: {name} takes {words}, got {value!r}")
    numbers = [number(f"{where}'s numbers", one) for one in given]
    numbers += usual[len(given) :]
    numbers = numbers[: len(usual)]
    if name in ("leaky_relu", "elu") and numbers[0] < 0:
        raise ValueError(f"{where}: {name} needs alpha of at least 0, got {numbers[0]}")
    if name == "scaled_tanh" and 0 in numbers:
        raise ValueError(f"{where}: {name} needs alpha and beta other than 0, got {value!r}")
    if not numbers or (name == "hard_sigmoid" and tuple(numbers) == usual):
        return name
    return (name, numbers[0], numbers[1] if len(numbers) > 1 else 0.0)


def _gates(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError(f"gates must be a string of letters of {GATES!r}, got {value!r}")
    if len(set(value)) != len(value) or not set(value) <= set(GATES):
        raise ValueError(f"gates must hold letters of {GATES!r}, each at most once, got {value!r}")
    return "".join(gate for gate in GATES if gate in value)
