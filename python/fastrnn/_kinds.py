"""What the friendly layer has to know of each cell of the core: one row per cell."""

from dataclasses import dataclass, field

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
    """

    core: Cell
    function: str
    title: str
    gates: int
    cell_state: bool = False
    peephole: bool = False
    options: dict[str, bool | str] = field(default_factory=dict)


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
