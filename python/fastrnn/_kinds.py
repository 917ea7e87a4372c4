"""What the friendly layer has to know of each cell of the core: one row per cell."""

from dataclasses import dataclass, field
from functools import cache
from typing import Any

from fastrnn import _core
from fastrnn._choices import GRU_DEFAULT, LSTM_DEFAULT, Choices
from fastrnn._core import Cell


@dataclass(frozen=True, slots=True, eq=False)
class Kind:
    """One cell: its words for messages, its sizes, and how its twin is called.

    Attributes
    ----------
    core : Cell
        The core's name for it.
    function : str
        The public function, and the twin of the same name: ``rnn``, ``lstm`` or ``gru``.
    title : str
        The words of messages: "an LSTM".
    gates : int
        G: weights have G·H rows.
    cell_state : bool
        It has c beside h.
    peephole : bool
        It takes w_peephole.
    options : dict
        Keywords that choose it in the public function.
    choices : Choices or None
        What the core's general cells are told.
    """

    core: Cell
    function: str
    title: str
    gates: int
    cell_state: bool = False
    peephole: bool = False
    options: dict[str, Any] = field(default_factory=dict)
    choices: _core.Choices | None = None


RNN = {
    name: Kind(core, "rnn", "an RNN", 1, options={"nonlinearity": name})
    for name, core in (
        ("tanh", Cell.rnn_tanh),
        ("relu", Cell.rnn_relu),
        ("sigmoid", Cell.rnn_sigmoid),
        ("linear", Cell.rnn_linear),
    )
}
LSTM = Kind(Cell.lstm, "lstm", "an LSTM", 4, cell_state=True)
LSTM_PEEPHOLE = Kind(Cell.lstm_peephole, "lstm", "an LSTM", 4, cell_state=True, peephole=True)
GRU = {
    True: Kind(Cell.gru_after, "gru", "a GRU", 3, options={"reset_after": True}),
    False: Kind(Cell.gru_before, "gru", "a GRU", 3, options={"reset_after": False}),
}


def lstm(choices: Choices, peephole: bool) -> Kind:
    """Return the LSTM of these choices: the plain cell where they are the usual ones."""
    if choices is LSTM_DEFAULT:
        return LSTM_PEEPHOLE if peephole else LSTM
    return _general_lstm(choices, peephole)


def gru(choices: Choices, reset_after: bool) -> Kind:
    """Return the GRU of these choices: the plain cell where they are the usual ones."""
    return GRU[reset_after] if choices is GRU_DEFAULT else _general_gru(choices, reset_after)


@cache  # there are no more than the combinations of a few names
def _general_lstm(choices: Choices, peephole: bool) -> Kind:
    return Kind(
        Cell.lstm_general, "lstm", "an LSTM", 4, cell_state=True, peephole=peephole,
        options=choices._asdict(), choices=_core.Choices(*choices),
    )  # fmt: skip


@cache
def _general_gru(choices: Choices, reset_after: bool) -> Kind:
    return Kind(
        Cell.gru_after_general if reset_after else Cell.gru_before_general, "gru", "a GRU", 3,
        options={"reset_after": reset_after, "activations": choices.activations},
        choices=_core.Choices(choices.activations),
    )  # fmt: skip
