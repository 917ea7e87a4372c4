"""Cases: one layer call as data, drawn reproducibly, for every road through the code to run.

A `Case` is what is asked (sizes, which arguments are present); `draw` turns it into a `Problem`,
the arrays. Values are float32 numbers held in float64, so that both precisions and the twin see
the same input. `runners.py` runs a problem.
"""

import dataclasses
import functools
import zlib
from collections.abc import Mapping
from typing import Any

import numpy as np

from helpers.pairwise import pairwise
from helpers.tolerances import KINK, MISTRUSTED_ZEROS


@dataclasses.dataclass(frozen=True)
class Spec:
    """What tests have to know of one cell of the list."""

    family: str  # public function and twin: rnn, lstm, gru
    gates: int  # G
    options: tuple[tuple[str, Any], ...] = ()  # keywords of the public function
    peephole: bool = False
    general: bool = False  # the core wants to be told its choices

    @property
    def cell_state(self) -> bool:
        """Whether there is a c beside h."""
        return self.family == "lstm"


# One row per line of cpp/fastrnn/cells/list.h; tests/test_house.py compares the two.
CELLS: dict[str, Spec] = {
    "rnn_tanh": Spec("rnn", 1, (("nonlinearity", "tanh"),)),
    "rnn_relu": Spec("rnn", 1, (("nonlinearity", "relu"),)),
    "rnn_sigmoid": Spec("rnn", 1, (("nonlinearity", "sigmoid"),)),
    "rnn_linear": Spec("rnn", 1, (("nonlinearity", "linear"),)),
    "lstm": Spec("lstm", 4),
    "lstm_peephole": Spec("lstm", 4, peephole=True),
    "gru_after": Spec("gru", 3, (("reset_after", True),)),
    "gru_before": Spec("gru", 3, (("reset_after", False),)),
    "rnn_general": Spec("rnn", 1, (("nonlinearity", "softsign"),), general=True),
    # One choice each, without kinks and with few zeros; tests/chosen.py has them all.
    "lstm_general": Spec(
        "lstm", 4, (("activations", ("sigmoid", "sigmoid", "tanh")), ("gates", "io")), general=True
    ),
    "gru_after_general": Spec(
        "gru", 3, (("reset_after", True), ("activations", ("sigmoid", "sigmoid"))), general=True
    ),
    "gru_before_general": Spec(
        "gru", 3, (("reset_after", False), ("activations", ("sigmoid", "sigmoid"))), general=True
    ),
}

HIDDEN = (1, 7, 8, 9, 15, 16, 17, 31, 33, 64, 65)
WEIGHTS = ("w_ih", "w_hh", "b_ih", "b_hh", "w_peephole")
INPUTS = ("x", *WEIGHTS, "h0", "c0")
UPSTREAM = ("dy", "dh_n", "dc_n")
OUTPUTS = ("y", "h_n", "c_n")


@dataclasses.dataclass(frozen=True)
class Case:
    """One call of one layer in one direction. Its string is the test id."""

    cell: str
    T: int = 5
    N: int = 3
    I: int = 9
    H: int = 17
    lengths: str = "none"  # none, ragged (a zero and a T among them), full
    reverse: bool = False
    batch_first: bool = False
    bias: str = "both"  # both, ih, hh, none
    projected: bool = False  # w_ih=None
    state: str = "given"  # given, none
    upstream: str = "all"  # all, dy, state: which gradients come in
    choices: tuple[tuple[str, Any], ...] = ()  # options of a general cell, for those in CELLS
    peephole: bool = False  # give an lstm_general w_peephole
    seed: int = 0

    def __str__(self) -> str:
        words = [self.cell, f"T{self.T}N{self.N}I{self.I}H{self.H}"]
        words += [] if self.lengths == "none" else [self.lengths]
        words += [w for w in ("reverse", "batch_first", "projected") if getattr(self, w)]
        words += [] if self.bias == "both" else [f"bias_{self.bias}"]
        words += [] if self.state == "given" else ["no_state"]
        words += [] if self.upstream == "all" else [f"from_{self.upstream}"]
        words += [f"{name}={value}" for name, value in self.choices]
        words += ["peephole"] if self.peephole else []
        return "-".join([*words, f"seed{self.seed}"])

    @property
    def spec(self) -> Spec:
        spec = CELLS[self.cell]
        if not self.choices and not self.peephole:
            return spec
        options = tuple({**dict(spec.options), **dict(self.choices)}.items())
        return dataclasses.replace(spec, options=options, peephole=spec.peephole or self.peephole)


@dataclasses.dataclass(frozen=True)
class Problem:
    """The arrays of a case, time-major: x (T, N, I), y (T, N, H). Absent ones are None."""

    case: Case
    x: np.ndarray
    w_ih: np.ndarray | None
    w_hh: np.ndarray
    b_ih: np.ndarray | None
    b_hh: np.ndarray | None
    w_peephole: np.ndarray | None
    h0: np.ndarray | None
    c0: np.ndarray | None
    lengths: np.ndarray | None
    dy: np.ndarray | None
    dh_n: np.ndarray | None
    dc_n: np.ndarray | None

    def floats(self) -> dict[str, np.ndarray]:
        """The floating arrays that are present."""
        named = {name: getattr(self, name) for name in (*INPUTS, *UPSTREAM)}
        return {name: array for name, array in named.items() if array is not None}

    def astype(self, dtype: Any) -> "Problem":
        """The same problem in another precision."""
        return self.replace(**{name: a.astype(dtype) for name, a in self.floats().items()})

    def replace(self, **changes: Any) -> "Problem":
        return dataclasses.replace(self, **changes)

    @property
    def dtype(self) -> np.dtype:
        return self.w_hh.dtype

    def row_lengths(self) -> np.ndarray:
        """(N,) lengths, present or not."""
        case = self.case
        return np.full(case.N, case.T) if self.lengths is None else self.lengths

    def exists(self) -> np.ndarray:
        """(T, N) bool: the steps that are no padding."""
        return np.arange(self.x.shape[0])[:, None] < self.row_lengths()[None, :]

    def rows(self, index: Any) -> "Problem":
        """The problem of some of the batch's rows."""
        changes: dict[str, Any] = {}
        for name in ("x", "dy"):
            array = getattr(self, name)
            changes[name] = None if array is None else array[:, index]
        for name in ("h0", "c0", "lengths", "dh_n", "dc_n"):
            array = getattr(self, name)
            changes[name] = None if array is None else array[index]
        case = dataclasses.replace(self.case, N=changes["x"].shape[1])
        return self.replace(case=case, **changes)


def rng_of(case: Case, attempt: int = 0) -> np.random.Generator:
    """A generator that depends on the case's id alone."""
    return np.random.default_rng([zlib.crc32(str(case).encode()), attempt])


@functools.lru_cache(maxsize=256)
def draw(case: Case) -> Problem:
    """The arrays of a case; relu cases at a kink, or mostly switched off, are drawn again."""
    for attempt in range(200):
        problem = _draw_once(case, rng_of(case, attempt))
        if case.cell != "rnn_relu" or _relu_is_testable(problem):
            return problem
    raise AssertionError(f"no testable draw for {case}")


def _draw_once(case: Case, rng: np.random.Generator) -> Problem:
    spec, relu = case.spec, case.cell == "rnn_relu"
    rows, width = spec.gates * case.H, spec.gates * case.H if case.projected else case.I

    def normal(*shape: int, scale: float = 1.0, shift: float = 0.0) -> np.ndarray:
        values = scale * rng.standard_normal(shape)
        values = np.abs(values) + shift if relu else values
        return values.astype(np.float32).astype(np.float64)

    def uniform(columns: int, low: float) -> np.ndarray:
        values = rng.uniform(low, 1.2, (rows, columns)) / np.sqrt(columns)
        return values.astype(np.float32).astype(np.float64)

    # With few relu units a step at which none is active would end the gradient's road back.
    lows = (-0.2, -1.2 if case.H >= 8 else -0.2) if relu else (-1.2, -1.2)
    lows = (0.0, 0.0) if relu and case.H == 1 else lows
    given, upstream = case.state == "given", case.upstream
    return Problem(
        case,
        x=normal(case.T, case.N, width, shift=0.5),
        w_ih=None if case.projected else uniform(case.I, lows[0]),
        w_hh=uniform(case.H, lows[1]),
        b_ih=normal(rows, scale=0.3, shift=0.3) if case.bias in ("both", "ih") else None,
        b_hh=normal(rows, scale=0.3, shift=0.3) if case.bias in ("both", "hh") else None,
        w_peephole=normal(3, case.H, scale=0.3) if spec.peephole else None,
        h0=normal(case.N, case.H, scale=0.5) if given else None,
        c0=normal(case.N, case.H, scale=0.5) if given and spec.cell_state else None,
        lengths=_draw_lengths(case, rng),
        dy=normal(case.T, case.N, case.H) if upstream in ("all", "dy") else None,
        dh_n=normal(case.N, case.H) if upstream in ("all", "state") else None,
        dc_n=normal(case.N, case.H) if spec.cell_state and upstream in ("all", "state") else None,
    )


def _draw_lengths(case: Case, rng: np.random.Generator) -> np.ndarray | None:
    if case.lengths == "none":
        return None
    if case.lengths == "full":
        return np.full(case.N, case.T, dtype=np.int64)
    lengths = rng.integers(0, case.T + 1, case.N)
    ends = rng.permutation(case.N)[:2]
    lengths[ends] = [case.T, 0][: len(ends)]  # one row is whole; in a batch, one is empty
    return lengths


def relu_states(problem: Problem) -> tuple[np.ndarray, np.ndarray]:
    """The pre-activations of a relu RNN's existing steps (…, H), and its final states."""
    case, exists = problem.case, problem.exists()
    x = problem.x if problem.w_ih is None else problem.x @ problem.w_ih.T
    h = np.zeros((case.N, case.H)) if problem.h0 is None else problem.h0
    found = []
    for t in range(case.T)[:: -1 if case.reverse else 1]:
        a = x[t] + h @ problem.w_hh.T
        a = a + sum(b for b in (problem.b_ih, problem.b_hh) if b is not None)
        h = np.where(exists[t][:, None], np.maximum(a, 0), h)
        found.append(a[exists[t]])
    return np.concatenate([np.zeros((0, case.H)), *found]), h[problem.row_lengths() > 0]


def _relu_is_testable(problem: Problem) -> bool:
    a, h_n = relu_states(problem)
    if not a.size:
        return True
    active = min(np.mean(a > 0), np.mean(h_n > 0)) > 1 - MISTRUSTED_ZEROS
    return bool(active and (a > 0).any(axis=1).all() and np.abs(a).min() > KINK)


def check_trusted(problem: Problem, expected: Mapping[str, np.ndarray]) -> None:
    """Fail when an expected output is mostly zeros, since it then shows next to nothing."""
    lengths = problem.row_lengths()
    if not lengths.size or lengths.max() == 0:
        return  # zeros are the subject
    no_history = problem.h0 is None and lengths.max() == 1
    # Nothing recurrent has happened then: dw_hh is zero, and so are the peepholes of i and f and
    # what reaches the reset gate.
    most = 0.7 if no_history else MISTRUSTED_ZEROS
    for name, array in expected.items():
        if no_history and name == "dw_hh":
            continue
        seen = array
        if name in ("y", "dx"):
            seen = array[problem.exists()]
        elif name in ("h_n", "c_n", "dh0", "dc0"):
            seen = array[lengths > 0]
        zeros = float(np.mean(seen == 0))
        assert zeros <= most, f"MISTRUSTED: {zeros:.0%} of {name} is zero, {problem.case}"


FACTORS = {
    "H": HIDDEN,
    "I": HIDDEN,
    "T": (1, 2, 5, 19),
    "N": (1, 2, 5, 19),
    "lengths": ("none", "ragged", "full"),
    "reverse": (False, True),
    "batch_first": (False, True),
    "bias": ("both", "ih", "hh", "none"),
    "projected": (False, True),
    "state": ("given", "none"),
    "upstream": ("all", "dy", "state"),
}


@functools.cache
def _grid_rows(seed: int) -> list[dict[str, Any]]:
    return pairwise(FACTORS, seed)


def grid(cell: str, seed: int = 0) -> list[Case]:
    """A systematic grid of one cell: every two values of FACTORS meet; I differs from H."""
    rows = []
    for row in _grid_rows(seed):
        step = HIDDEN.index(row["I"])
        width = HIDDEN[(step + 3) % len(HIDDEN)] if row["I"] == row["H"] else row["I"]
        rows.append(Case(cell, **{**row, "I": width}))
    return rows


def random_case(cell: str, seed: int) -> Case:
    """Case number `seed` of the random tier: T 0-40, N 0-20, I and H 1-70, the rest at random."""
    rng = np.random.default_rng([zlib.crc32(cell.encode()), seed])
    choice = {name: values[int(rng.integers(len(values)))] for name, values in FACTORS.items()}
    sizes = {"T": (0, 41), "N": (0, 21), "I": (1, 71), "H": (1, 71)}
    choice |= {name: int(rng.integers(*span)) for name, span in sizes.items()}
    return Case(cell, **choice, seed=seed)
