"""The single list of bench cases: every bench and every script takes its shapes from here."""

import itertools
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]


@dataclass(frozen=True)
class CellKind:
    """How a cell of ``cpp/fastrnn/cells/list.h`` is made through a layer class.

    Attributes
    ----------
    layer : str
        Name of the layer class, ``"RNN"``, ``"GRU"`` or ``"LSTM"``.
    gates : int
        G: the weights have G·H rows.
    options : dict
        Keyword arguments of the layer class that select this cell.
    choices : dict
        Keyword arguments that only the functions have: gates and activations.
    """

    layer: str
    gates: int
    options: dict[str, Any] = field(default_factory=dict)
    choices: dict[str, Any] = field(default_factory=dict)


_RELU = {"activations": ("sigmoid", "relu")}
CELLS = {
    "rnn_tanh": CellKind("RNN", 1, {"nonlinearity": "tanh"}),
    "rnn_relu": CellKind("RNN", 1, {"nonlinearity": "relu"}),
    "rnn_sigmoid": CellKind("RNN", 1, {"nonlinearity": "sigmoid"}),
    "rnn_linear": CellKind("RNN", 1, {"nonlinearity": "linear"}),
    "lstm": CellKind("LSTM", 4),
    "lstm_peephole": CellKind("LSTM", 4, {"peephole": True}),
    "gru_after": CellKind("GRU", 3, {"reset_after": True}),
    "gru_before": CellKind("GRU", 3, {"reset_after": False}),
    "rnn_general": CellKind("RNN", 1, choices={"nonlinearity": "softsign"}),
    "lstm_general": CellKind("LSTM", 4, choices={"gates": "io"}),
    "gru_after_general": CellKind("GRU", 3, {"reset_after": True}, _RELU),
    "gru_before_general": CellKind("GRU", 3, {"reset_after": False}, _RELU),
}
GRID_CELLS = ("lstm", "gru_after", "rnn_tanh")
GRID_HIDDEN = (32, 128, 256, 512, 1024)
GRID_BATCH = (1, 16, 64, 256)


@dataclass(frozen=True)
class Case:
    """One layer at one shape, doing one thing.

    Attributes
    ----------
    use : str
        What people run this shape for; ``"grid"`` for a point of the grid.
    cell : str
        A key of `CELLS`.
    T, N, I, H : int
        Steps, batch, input size, hidden size.
    training : bool
        Forward and backward with every gradient, dx included, instead of forward alone.
    dtype : str
        ``"float32"`` or ``"float64"``.
    threads : int
        Every library gets this many.
    layers : int
    bidirectional : bool
    ragged : bool
        Row lengths uniform in 1..T, the first one T, instead of all T.
    stream : bool
        One step at a time with the state carried on; T is 1.
    """

    use: str
    cell: str
    T: int
    N: int
    I: int
    H: int
    training: bool = False
    dtype: str = "float32"
    threads: int = 1
    layers: int = 1
    bidirectional: bool = False
    ragged: bool = False
    stream: bool = False

    def __post_init__(self) -> None:
        if self.stream and (self.training or self.ragged or self.bidirectional or self.T != 1):
            raise ValueError(f"a stream is one forward step of one direction, got {self}")

    @property
    def kind(self) -> CellKind:
        """The cell's layer class, gates and options."""
        return CELLS[self.cell]

    @property
    def directions(self) -> int:
        """D, 2 for a bidirectional layer."""
        return 2 if self.bidirectional else 1

    @property
    def work(self) -> str:
        """What is timed, as the tables say it."""
        return "forward+backward" if self.training else "forward"

    @property
    def id(self) -> str:
        """A short unique name of the whole case, fit for a file name and a pytest id."""
        parts = [self.cell, "fwdbwd" if self.training else "fwd"]
        parts += [f"H{self.H}", f"N{self.N}", f"T{self.T}"]
        parts += [f"I{self.I}"] if self.I != self.H else []
        parts += [f"L{self.layers}"] if self.layers > 1 else []
        parts += ["bi"] if self.bidirectional else []
        parts += ["ragged"] if self.ragged else []
        parts += ["stream"] if self.stream else []
        return "-".join([*parts, self.dtype, f"{self.threads}t"])

    def lengths(self) -> NDArray[np.int64] | None:
        """Steps of each row, (N,) int64, the same in every process; None when all rows have T."""
        if not self.ragged:
            return None
        lengths = np.random.default_rng(self.N).integers(1, self.T + 1, self.N)
        lengths[0] = self.T
        return lengths

    def active_rows(self) -> NDArray[np.int64]:
        """How many rows have a step t, (T,) int64."""
        lengths = self.lengths()
        if lengths is None:
            return np.full(self.T, self.N, dtype=np.int64)
        active: NDArray[np.int64] = (lengths > np.arange(self.T)[:, None]).sum(1, dtype=np.int64)
        return active

    def sweeps(self) -> Iterator[tuple[str, int]]:
        """Suffix of the weights' names and input size, of each layer and direction."""
        for layer in range(self.layers):
            size = self.I if layer == 0 else self.directions * self.H
            for direction in range(self.directions):
                yield f"_l{layer}" + ("_reverse" if direction else ""), size

    def parameter_shapes(self) -> dict[str, tuple[int, ...]]:
        """Shapes of the layer's parameters under the names of its ``state_dict``."""
        rows = self.kind.gates * self.H
        shapes: dict[str, tuple[int, ...]] = {}
        for suffix, size in self.sweeps():
            shapes["weight_ih" + suffix] = (rows, size)
            shapes["weight_hh" + suffix] = (rows, self.H)
            shapes["bias_ih" + suffix] = (rows,)
            shapes["bias_hh" + suffix] = (rows,)
            if self.kind.options.get("peephole"):
                shapes["weight_peephole" + suffix] = (3, self.H)
        return shapes

    def flops(self) -> int:
        """2·G·H·(I+H) for each row and step forward, three times that forward and backward."""
        per_row = sum(2 * self.kind.gates * self.H * (size + self.H) for _, size in self.sweeps())
        return per_row * int(self.active_rows().sum()) * (3 if self.training else 1)

    def bytes(self) -> int:
        """Bytes that must move at least: x, y and weights once, and their gradients in training."""
        numbers = self.T * self.N * (self.I + self.directions * self.H)
        numbers += sum(int(np.prod(shape)) for shape in self.parameter_shapes().values())
        return numbers * np.dtype(self.dtype).itemsize * (2 if self.training else 1)


def grid(
    cells: Iterable[str] = GRID_CELLS,
    hidden: Iterable[int] = GRID_HIDDEN,
    batch: Iterable[int] = GRID_BATCH,
    threads: Iterable[int] = (1, 2),
    dtypes: Iterable[str] = ("float32",),
) -> list[Case]:
    """Every combination, forward and forward+backward; I = H, T = 100, or 50 where N·H > 65,536."""
    batch, hidden, cells, dtypes = list(batch), list(hidden), list(cells), list(dtypes)
    return [
        Case("grid", cell, 100 if N * H <= 65536 else 50, N, H, H, training, dtype, n)
        for n in threads
        for dtype in dtypes
        for cell in cells
        for training in (False, True)
        for H in hidden
        for N in batch
    ]


def uses(threads: int) -> list[Case]:
    """Shapes named after what people run them for; every cell is among them."""
    n = threads
    both = (False, True)
    cases = [
        Case("character model", cell, 50, 32, 256, 256, training, threads=n)
        for cell in GRID_CELLS
        for training in both
    ]
    cases += [
        Case("word-vector tagger", "lstm", 40, 32, 300, 256, True, threads=n, bidirectional=True),
        Case("one sentence", "gru_after", 50, 1, 64, 64, threads=n, bidirectional=True),
        Case("keyword spotting", "gru_after", 100, 1, 13, 128, threads=n),
        Case("speech frames", "lstm_peephole", 100, 16, 40, 256, True, threads=n),
        Case("phrase encoder", "gru_before", 30, 64, 256, 512, True, threads=n),
        Case("pixel rows", "rnn_relu", 28, 64, 28, 128, True, threads=n),
        Case("Elman network", "rnn_sigmoid", 50, 32, 32, 128, True, threads=n),
        Case("linear filter", "rnn_linear", 200, 16, 16, 64, threads=n),
        Case("LSTM of 1997", "lstm_general", 50, 32, 256, 256, True, threads=n),
        Case("RNN with softsign", "rnn_general", 50, 32, 256, 256, True, threads=n),
        Case("GRU with relu", "gru_after_general", 50, 32, 256, 256, True, threads=n),
        Case("GRU with relu", "gru_before_general", 50, 32, 256, 256, True, threads=n),
        Case("time series in float64", "lstm", 100, 16, 64, 64, True, "float64", threads=n),
        Case("single call", "lstm", 1, 1, 32, 32, threads=n),
        Case("live stream", "lstm", 1, 1, 32, 32, threads=n, stream=True),
        Case("decoder step", "lstm", 1, 1, 512, 512, threads=n, stream=True),
    ]
    return cases + [case for case in composites(n) if case.training and case.H == 128]


def composites(threads: int) -> list[Case]:
    """Ragged batches, and stacks of two bidirectional layers."""
    cases: list[Case] = []
    for cell in ("lstm", "gru_after"):
        for H, N in ((128, 32), (256, 64)):
            for training in (False, True):
                sizes = (cell, 100, N, H, H, training, "float32", threads)
                cases.append(Case("ragged sentences", *sizes, ragged=True))
                cases.append(Case("two-layer encoder", *sizes, layers=2, bidirectional=True))
    return cases


def deepbench(threads: int) -> list[Case]:
    """Shapes of Baidu's DeepBench that fit a CPU: speech, translation and language models."""
    shapes = [("lstm", 25, 16, 512), ("lstm", 25, 32, 1024), ("lstm", 50, 8, 1536)]
    shapes += [("lstm", 150, 16, 256), ("gru_after", 187, 32, 1024), ("rnn_tanh", 50, 16, 1760)]
    cases = [Case("DeepBench", cell, T, N, H, H, True, threads=threads) for cell, T, N, H in shapes]
    cases += [
        Case("DeepBench", cell, T, N, H, H, threads=threads)
        for cell, T, _, H in shapes
        for N in (1, 2, 4)
    ]
    return cases


def smoke(threads: int) -> list[Case]:
    """Every cell and every kind of case at sizes that take milliseconds."""
    cases = [
        Case("smoke", cell, 20, 8, 24, 40, training, threads=threads)
        for cell in CELLS
        for training in (False, True)
    ]
    return [
        *cases,
        Case("smoke", "lstm", 20, 8, 24, 40, True, "float64", threads),
        Case("smoke", "gru_after", 20, 8, 24, 40, True, threads=threads, ragged=True),
        Case("smoke", "lstm", 12, 4, 24, 40, True, "float32", threads, 2, True, True),
        Case("smoke", "lstm", 1, 1, 32, 32, threads=threads, stream=True),
    ]


def medium(threads: int) -> list[Case]:
    """What ``make bench`` runs: the named uses, then a coarse grid."""
    return [*uses(threads), *grid(hidden=(32, 256), batch=(1, 16, 64), threads=(threads,))]


def full(threads: int) -> list[Case]:
    """Every case at one number of threads."""
    lists = (smoke(threads), uses(threads), composites(threads), deepbench(threads))
    # A dict instead of a set: the order stays, and a case in two lists runs once.
    return list(dict.fromkeys([*itertools.chain(*lists), *grid(threads=(threads,))]))
