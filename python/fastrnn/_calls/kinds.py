"""What the friendly layer has to know of each cell of the core: one row per cell."""

import copyreg
import math
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Any, Literal

from fastrnn import _core
from fastrnn._calls.choices import (
    GRU_DEFAULT,
    LSTM_DEFAULT,
    NUMBERS,
    Choices,
    Squash,
    gru_choices,
    lstm_choices,
    rnn_choices,
)
from fastrnn._core import Cell

Peephole = bool | Literal["full"]


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
    peephole : bool or "full"
        It takes w_peephole; a layer's are whole matrices where it says "full".
    options : dict
        Keywords that choose it in the public function.
    choices : Choices or None
        What the core's general cells are told.
    layer_norm : bool
        Its products and c are normalised.
    """

    core: Cell
    function: str
    title: str
    gates: int
    cell_state: bool = False
    peephole: Peephole = False
    options: dict[str, Any] = field(default_factory=dict)
    choices: _core.Choices | None = None
    layer_norm: bool = False

    def __reduce__(self) -> Any:
        if self.choices is None:
            return copyreg.__newobj__, (Kind,), self.__getstate__()  # type: ignore[attr-defined]
        # The core's choices cannot be pickled; the options say the same.
        return _again, (self.function, self.options, self.peephole, self.layer_norm)


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


def rnn(choices: Choices) -> Kind:
    """Return the RNN of these choices: the plain cell where there is one."""
    name = choices.activations[0]
    plain = RNN.get(name) if isinstance(name, str) and choices.clip == math.inf else None
    return plain or _general_rnn(choices)


def lstm(choices: Choices, peephole: Peephole, general: bool = False) -> Kind:
    """Return the LSTM of these choices: the plain cell where they are the usual ones.

    With `general` it is not: masks, projection and full peepholes need the other one.
    """
    if choices is LSTM_DEFAULT and not general and peephole != "full":
        return LSTM_PEEPHOLE if peephole else LSTM
    return _general_lstm(choices, peephole)


def gru(choices: Choices, reset_after: bool) -> Kind:
    """Return the GRU of these choices: the plain cell where they are the usual ones."""
    return GRU[reset_after] if choices is GRU_DEFAULT else _general_gru(choices, reset_after)


def normed(kind: Kind) -> Kind:
    """Return the same cell with layer normalisation."""
    return replace(general(kind), layer_norm=True)


def general(kind: Kind) -> Kind:
    """Return the same cell, but as one that takes masks."""
    if kind.choices is not None:
        return kind
    if kind.function == "lstm":
        return _general_lstm(LSTM_DEFAULT, kind.peephole)
    if kind.function == "gru":
        return _general_gru(GRU_DEFAULT, kind.options["reset_after"])
    return _general_rnn(Choices((kind.options["nonlinearity"],)))


@lru_cache(1024)
def _general_rnn(choices: Choices) -> Kind:
    return Kind(
        Cell.rnn_general, "rnn", "an RNN", 1,
        options={"nonlinearity": choices.activations[0], "clip": _clip(choices)},
        choices=_told(choices),
    )  # fmt: skip


@lru_cache(1024)
def _general_lstm(choices: Choices, peephole: Peephole) -> Kind:
    return Kind(
        Cell.lstm_general, "lstm", "an LSTM", 4, cell_state=True, peephole=peephole,
        options=choices._asdict() | {"clip": _clip(choices)}, choices=_told(choices),
    )  # fmt: skip


@lru_cache(1024)
def _general_gru(choices: Choices, reset_after: bool) -> Kind:
    return Kind(
        Cell.gru_after_general if reset_after else Cell.gru_before_general, "gru", "a GRU", 3,
        options={
            "reset_after": reset_after, "activations": choices.activations,
            "clip": _clip(choices),
        },
        choices=_told(choices),
    )  # fmt: skip


def _again(function: str, options: dict[str, Any], peephole: Peephole, layer_norm: bool) -> Kind:
    """Return the general cell of these options."""
    clip = options["clip"]
    if function == "lstm":
        named = options["activations"], options["gates"], options["input_forget"]
        kind = _general_lstm(lstm_choices(*named, clip), peephole)
    elif function == "gru":
        kind = _general_gru(gru_choices(options["activations"], clip), options["reset_after"])
    else:
        kind = _general_rnn(rnn_choices(options["nonlinearity"], clip))
    return normed(kind) if layer_norm else kind


def _told(choices: Choices) -> _core.Choices:
    """Return the same for the core, which is told every number."""

    def told(squash: Squash) -> tuple[str, float, float]:
        if not isinstance(squash, str):
            return squash
        alpha, beta, *_ = *NUMBERS.get(squash, ()), 0.0, 0.0
        return squash, alpha, beta

    return _core.Choices(tuple(map(told, choices.activations)), *choices[1:])


def _clip(choices: Choices) -> float | None:
    """Return clip as the public functions take it."""
    return None if choices.clip == math.inf else choices.clip
