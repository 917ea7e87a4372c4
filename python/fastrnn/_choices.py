"""What a call may choose about its cell: activations and gates, by the names of ONNX; checked."""

from typing import Any, NamedTuple

from fastrnn._checks import flag

ACTIVATIONS = ("sigmoid", "tanh", "relu", "linear", "hard_sigmoid")
LSTM_ACTIVATIONS = ("sigmoid", "tanh", "tanh")
GRU_ACTIVATIONS = ("sigmoid", "tanh")
GATES = "ifo"


class Choices(NamedTuple):
    """What was chosen, in its one canonical form.

    Attributes
    ----------
    activations : tuple of str
        f of the gates, g of the candidate and, for the LSTM, h of what leaves the cell.
    gates : str
        The gates that exist, in the order i f o; LSTM only.
    input_forget : bool
        The forget gate is 1 - i; LSTM only.
    """

    activations: tuple[str, ...]
    gates: str = GATES
    input_forget: bool = False


LSTM_DEFAULT = Choices(LSTM_ACTIVATIONS)
GRU_DEFAULT = Choices(GRU_ACTIVATIONS)


def lstm_choices(activations: Any, gates: Any, input_forget: Any) -> Choices:
    """Return what an LSTM's call chose, or say what is wrong with it."""
    if activations is LSTM_ACTIVATIONS and gates is GATES and input_forget is False:
        return LSTM_DEFAULT
    chosen = Choices(
        _activations(activations, 3), _gates(gates), flag("input_forget", input_forget)
    )
    if chosen.input_forget and not {"i", "f"} <= set(chosen.gates):
        raise ValueError(
            f"input_forget=True makes the forget gate 1 - i, so gates must have both i and f, "
            f"got gates={gates!r}"
        )
    return LSTM_DEFAULT if chosen == LSTM_DEFAULT else chosen


def gru_choices(activations: Any) -> Choices:
    """Return what a GRU's call chose, or say what is wrong with it."""
    if activations is GRU_ACTIVATIONS:
        return GRU_DEFAULT
    chosen = Choices(_activations(activations, 2))
    return GRU_DEFAULT if chosen == GRU_DEFAULT else chosen


def _activations(value: Any, count: int) -> tuple[str, ...]:
    words = "(f, g, h)" if count == 3 else "(f, g)"
    if not isinstance(value, (tuple, list)):
        raise TypeError(f"activations must be a tuple {words} of names, got {value!r}")
    if len(value) != count:
        raise ValueError(f"activations must be {count} names {words}, got {len(value)}: {value!r}")
    for k, name in enumerate(value):
        if not isinstance(name, str):
            raise TypeError(f"activations[{k}] must be a string, got {name!r}")
        if name not in ACTIVATIONS:
            raise ValueError(f"activations[{k}] must be one of {ACTIVATIONS}, got {name!r}")
    return tuple(value)


def _gates(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError(f"gates must be a string of letters of {GATES!r}, got {value!r}")
    if len(set(value)) != len(value) or not set(value) <= set(GATES):
        raise ValueError(f"gates must hold letters of {GATES!r}, each at most once, got {value!r}")
    return "".join(gate for gate in GATES if gate in value)
