"""The twins' tape: what a forward leaves for one backward, and what of it people may look at."""

import numpy as np

from fastrnn.reference._call import Call
from fastrnn.reference._math import Array


class Tape:
    """What `rnn_forward`, `lstm_forward` or `gru_forward` leaves for one backward.

    It keeps x, the weights and y by reference: do not change them before backward.

    Parameters
    ----------
    cell : str
        ``"rnn"``, ``"lstm"`` or ``"gru"``: only that backward takes it.
    call : Call
        The arguments of the forward.
    gates : list of ndarray, T times (N, G·H)
        Activated gates, in the order of processing.
    h, c : list of ndarray, T+1 times (N, H)
        All states, in the order of processing, slot 0 the initial one; c for the LSTM only.

    Raises
    ------
    TypeError
        An array of the call is being differentiated by autograd.
    """

    def __init__(
        self,
        cell: str,
        call: Call,
        gates: list[Array],
        h: list[Array],
        c: list[Array] | None = None,
    ) -> None:
        if call.xp is not np:
            raise TypeError(f"{cell}_forward keeps plain arrays; differentiate {cell} instead")
        self.spent = False
        self.cell = cell
        self._call = call
        rows, dtype = (call.seq.T, call.seq.N, call.w_hh.shape[0]), call.w_hh.dtype
        self._kept = {"gates": np.array(gates, dtype).reshape(rows), "h": np.stack(h)}
        if c is not None:
            self._kept["c"] = np.stack(c)
        self._shown: dict[str, Array] = {}

    @property
    def nbytes(self) -> int:
        """Memory it holds beside x and the weights, in bytes; 0 once spent."""
        return sum(array.nbytes for array in self._kept.values())

    @property
    def gates(self) -> Array:
        """Activated gates (T, N, G, H), or (T, G, H) if x was 2-D; read-only.

        LSTM i f g o, GRU r z n, RNN its output. Time-major whatever `batch_first` was; 0 where a
        row has no step.

        Raises
        ------
        ValueError
            First looked at after backward.
        """
        return self._show("gates", 0)

    @property
    def c(self) -> Array:
        """Cell states of an LSTM after each step (T, N, H), or (T, H) if x was 2-D; read-only.

        Time-major whatever `batch_first` was; 0 where a row has no step.

        Raises
        ------
        ValueError
            The cell is not an LSTM, or first looked at after backward.
        """
        if self.cell != "lstm":
            raise ValueError(f"tape.c: an LSTM has it, this tape is from {self.cell}_forward")
        return self._show("c", 1)

    def _show(self, name: str, first_slot: int) -> Array:
        if name not in self._shown:
            self._refuse_spent(f"tape.{name}")
            seq = self._call.seq
            copy = np.array(seq.in_time(self._kept[name][first_slot:]))
            rows = (seq.T, seq.N) if seq.batched else (seq.T,)
            columns = (copy.shape[-1] // seq.H, seq.H) if name == "gates" else (seq.H,)
            copy = copy.reshape(rows + columns)
            copy.setflags(write=False)
            self._shown[name] = copy
        return self._shown[name]

    def _refuse_spent(self, name: str) -> None:
        if self.spent:
            raise ValueError(f"{name}: the tape is spent; call {self.cell}_forward again")

    def open(self, cell: str) -> tuple[Call, dict[str, Array]]:
        """Return the call and what was kept; the tape stays good until `spend`.

        Raises
        ------
        ValueError
            The tape is spent, or another cell's.
        """
        self._refuse_spent("tape")
        if self.cell != cell:
            raise ValueError(f"tape must come from {cell}_forward, not from {self.cell}_forward")
        return self._call, self._kept

    def spend(self) -> None:
        """Let go of what was kept; `gates` and `c` stay only if they were looked at before."""
        self.spent = True
        self._kept = {}


def open_tape(cell: str, tape: object) -> tuple[Call, dict[str, Array]]:
    """Return the call and what was kept by `cell`'s forward.

    Raises
    ------
    TypeError
        tape is not a tape of the twins.
    ValueError
        The tape is spent, or another cell's.
    """
    if not isinstance(tape, Tape):
        raise TypeError(f"tape must come from {cell}_forward, got {type(tape).__name__}")
    return tape.open(cell)
