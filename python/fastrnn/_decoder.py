"""What a call of attention_decoder is: its options, its arrays and their sizes, checked."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from fastrnn import _checks

CELLS = {"gru": 3, "lstm": 4}
SCORES = {
    "additive": ("weight_query", "weight_key", "bias_key", "vector"),
    "dot": (),
    "general": ("weight_general",),
}
QUERIES = ("previous", "current")
NAMES = (
    "weight_ih", "weight_hh", "bias_ih", "bias_hh", "weight_query", "weight_key", "bias_key",
    "vector", "weight_general", "weight_output", "bias_output",
)  # fmt: skip
_OPTIONAL = {"bias_ih", "bias_hh", "bias_key", "weight_output", "bias_output"}


class Decoder(NamedTuple):
    """One call's options and sizes.

    T steps, N rows, S source positions, E columns of x, C of memory, H hidden units, A columns of
    a query, F of what joins x at the cell (0: nothing), O of outputs.
    """

    cell: str
    score: str
    query: str
    input_feed: bool
    T: int
    N: int
    S: int
    E: int
    C: int
    H: int
    A: int
    F: int
    O: int

    @property
    def gates(self) -> int:
        """How many blocks of H rows weight_ih has."""
        return CELLS[self.cell]

    @property
    def kind(self) -> tuple[bool, str, bool, int]:
        """What the core asks for: whether it is an LSTM, the score, the query, F."""
        return self.cell == "lstm", self.score, self.query == "current", self.F

    @property
    def carries_fed(self) -> bool:
        """Whether what joins x comes from the step before, and so belongs to the state."""
        return self.input_feed and self.query == "current"

    @property
    def state_names(self) -> tuple[str, ...]:
        """What a state consists of, in this order."""
        return ("h", "c")[: 1 + (self.cell == "lstm")] + ("fed",) * self.carries_fed


def open_decoder(
    x: Any, memory: Any, params: Any, cell: Any, score: Any, query: Any, input_feed: Any
) -> Decoder:
    """Return what the call is; without x, that of one step with a row for each row of memory.

    Raises
    ------
    TypeError
        params is no mapping, or input_feed no bool.
    ValueError
        An option is unknown, an array is missing or not of this decoder, or a shape does not fit.
    """
    one_of("cell", cell, tuple(CELLS))
    one_of("score", score, tuple(SCORES))
    one_of("query", query, QUERIES)
    feed = _checks.flag("input_feed", input_feed)
    _names(params, score)
    if x is not None:
        _rank("x", x, "(T, N, E)")
    _rank("memory", memory, "(S, N, C)")
    _rank("weight_hh", params["weight_hh"], "(G·H, H)")
    (S, M, C), w_hh = memory.shape, params["weight_hh"].shape
    H = w_hh[1]
    if H < 1:
        raise ValueError(f"weight_hh must have at least one column, got {w_hh}")
    A = {"dot": H, "general": C}.get(score, 0)
    if score == "additive":
        _rank("weight_query", params["weight_query"], "(A, H)")
        A = params["weight_query"].shape[0]
    output = params.get("weight_output")
    if output is not None:
        _rank("weight_output", output, "(O, H + C)")
    elif params.get("bias_output") is not None:
        raise ValueError("bias_output needs weight_output")
    O = H if output is None else output.shape[0]
    F = 0 if not feed else C if query == "previous" or output is None else O
    _rank("weight_ih", params["weight_ih"], "(G·H, E + F)")
    T, N, E = (1, M, params["weight_ih"].shape[1] - F) if x is None else x.shape
    if E < 0:
        raise ValueError(f"weight_ih must have E + F columns, F = {F}, got {E + F}")
    d = Decoder(cell, score, query, feed, T, N, S, E, C, H, A, F, O)
    for name, width in (("memory", C), ("weight_output", d.O)):
        if width < 1:
            raise ValueError(f"{name} must not be empty, got width {width}")
    if score == "dot" and C != H:
        raise ValueError(f'score="dot" needs memory with H = {H} columns, got {memory.shape}')
    check("memory", memory, "(S, N, C)", (S, N, C))
    for name, (symbols, shape) in _shapes(d).items():
        if params.get(name) is not None:
            check(name, params[name], symbols, shape)
    return d


def open_state(d: Decoder, state: Any) -> tuple[Any, ...]:
    """Return h, c and fed, each an array or None where it is absent: then it is zeros.

    Raises
    ------
    TypeError
        state is no tuple or list.
    ValueError
        It has another number of arrays, or one has another shape.
    """
    names = d.state_names
    if state is None:
        return (None,) * 3
    if not isinstance(state, (tuple, list)):
        raise TypeError(f"state must be a tuple {names}, got {type(state).__name__}")
    if len(state) not in (len(names), len(names) - d.carries_fed):
        raise ValueError(f"state must be a tuple {names}, got {len(state)} arrays")
    given = dict(zip(names, state, strict=False))
    for name, width in (("h", d.H), ("c", d.H), ("fed", d.F)):
        if given.get(name) is not None:
            check(f"state {name}", given[name], "(N, width)", (d.N, width))
    return tuple(given.get(name) for name in ("h", "c", "fed"))


def one_of(name: str, value: Any, known: tuple[str, ...]) -> None:
    """Refuse a word that is not known."""
    if not isinstance(value, str) or value not in known:
        raise ValueError(f"{name} must be one of {known}, got {value!r}")


def check(name: str, array: Any, symbols: str, shape: tuple[int, ...]) -> None:
    """Refuse an array of another shape."""
    if array.shape != shape:
        raise ValueError(f"{name} must have shape {symbols} = {shape}, got {array.shape}")


def _rank(name: str, array: Any, symbols: str) -> None:
    if len(array.shape) != symbols.count(",") + 1:
        raise ValueError(f"{name} must have shape {symbols}, got {array.shape}")


def _names(params: Any, score: str) -> None:
    """Refuse arrays that this decoder does not have, and the absence of those it needs."""
    if not isinstance(params, Mapping):
        raise TypeError(f"params must be a dict of arrays, got {type(params).__name__}")
    others = {name for key, names in SCORES.items() if key != score for name in names}
    for name in NAMES:
        given = params.get(name) is not None
        if given and name in others:
            raise ValueError(f'{name} is no parameter of score="{score}"')
        if not given and name not in others and name not in _OPTIONAL:
            raise ValueError(f'params must have {name} for score="{score}"')
    unknown = sorted(set(params) - set(NAMES))
    if unknown:
        raise ValueError(f"params must hold the names {NAMES} only, got {unknown[0]!r}")


def _shapes(d: Decoder) -> dict[str, tuple[str, tuple[int, ...]]]:
    rows = d.gates * d.H
    return {
        "weight_ih": ("(G·H, E + F)", (rows, d.E + d.F)),
        "weight_hh": ("(G·H, H)", (rows, d.H)),
        "bias_ih": ("(G·H,)", (rows,)),
        "bias_hh": ("(G·H,)", (rows,)),
        "weight_query": ("(A, H)", (d.A, d.H)),
        "weight_key": ("(A, C)", (d.A, d.C)),
        "bias_key": ("(A,)", (d.A,)),
        "vector": ("(A,)", (d.A,)),
        "weight_general": ("(C, H)", (d.C, d.H)),
        "weight_output": ("(O, H + C)", (d.O, d.H + d.C)),
        "bias_output": ("(O,)", (d.O,)),
    }
