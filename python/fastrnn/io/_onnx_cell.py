"""Attributes and gate order of ONNX's RNN, GRU and LSTM, as options of this package."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from fastrnn._checks import Array
from fastrnn.cells import NUMBERS, Squash
from fastrnn.io._assemble import GATES, array, blocks

# ONNX's blocks of rows in the order of ours: LSTM i o f c, GRU z r h, P i o f.
ROWS = {"RNN": (0,), "LSTM": (0, 2, 3, 1), "GRU": (1, 0, 2)}
PEEPHOLES = (0, 2, 1)
DEFAULTS = {"RNN": ("Tanh",), "GRU": ("Sigmoid", "Tanh"), "LSTM": ("Sigmoid", "Tanh", "Tanh")}
DIRECTIONS = ("forward", "reverse", "bidirectional")

# ONNX's activations and ours. Affine with its usual numbers is our linear.
NAMES = {
    "Sigmoid": "sigmoid", "Tanh": "tanh", "Relu": "relu", "HardSigmoid": "hard_sigmoid",
    "Affine": "affine", "LeakyRelu": "leaky_relu", "ThresholdedRelu": "thresholded_relu",
    "ScaledTanh": "scaled_tanh", "Elu": "elu", "Softsign": "softsign", "Softplus": "softplus",
}  # fmt: skip


def directions(direction: Any) -> int:
    """Return D, or say which directions there are."""
    if direction not in DIRECTIONS:
        raise ValueError(f"direction must be one of {DIRECTIONS}, got {direction!r}")
    return 2 if direction == "bidirectional" else 1


def activations(
    op: str, D: int, names: Sequence[str] | None, alphas: Sequence[float] | None,
    betas: Sequence[float] | None,
) -> list[tuple[Squash, ...]]:  # fmt: skip
    """Return the activations of each direction by our names, and their numbers.

    alpha and beta are consumed in order by those activations that take one, as ONNX Runtime does.
    """
    count = len(DEFAULTS[op])
    given = list(DEFAULTS[op] * D if names is None else names)
    if len(given) != D * count:
        raise ValueError(f"activations must be {D * count} names for {op}, got {given!r}")
    left = [list(alphas or ()), list(betas or ())]
    known = {name.lower(): ours for name, ours in NAMES.items()}
    result: list[Squash] = []
    for k, word in enumerate(given):
        name = known.get(str(word).lower())
        if name is None:
            raise ValueError(f"activations[{k}] must be one of {list(NAMES)}, got {word!r}")
        numbers = [
            _shortest(rest.pop(0)) if rest else usual
            for usual, rest in zip(NUMBERS.get(name, ()), left, strict=False)
        ]
        plain = (name, *numbers) == ("affine", 1.0, 0.0)
        result.append("linear" if plain else (name, *numbers) if numbers else name)  # type: ignore[arg-type]
    if left[0] or left[1]:
        raise ValueError(f"activation_alpha and activation_beta have {left} that nothing takes")
    return [tuple(result[d * count : (d + 1) * count]) for d in range(D)]


def check_states(states: Mapping[str, Any], layout: int, D: int, w_hh: Array | None) -> None:
    """Refuse initial states that do not fit the weights of a node; the number of rows is free."""
    assert w_hh is not None  # every node has R
    H = w_hh.shape[1]
    shape, words = ((None, D, H), "(N, D, H)") if layout else ((D, None, H), "(D, N, H)")
    for name, state in states.items():
        if state is not None:
            _same_dtype(name, array(name, state, shape, words), w_hh)


def _same_dtype(name: str, given: Array, leader: Array) -> Array:
    if given.dtype != leader.dtype:
        raise TypeError(f"{name} must be {leader.dtype} as R is, got {given.dtype}")
    return given


def _shortest(value: float) -> float:
    """Return the number that was meant by one that has been stored as float32: 0.2."""
    return float(str(np.float32(value)))


def spelt(chosen: Sequence[Squash]) -> tuple[list[str], list[float], list[float]]:
    """Return ONNX's names of our activations, and the alphas and betas that they take."""
    theirs = {ours: name for name, ours in NAMES.items()}
    names, alphas, betas = [], [], []
    for squash in chosen:
        name, *numbers = (squash,) if isinstance(squash, str) else squash
        if name == "linear":
            name, numbers = "affine", [1.0, 0.0]
        usual = NUMBERS.get(name, ())
        numbers = [*numbers, *usual[len(numbers) :]]
        names.append(theirs[name])
        alphas += numbers[:1] if len(usual) > 0 else []
        betas += numbers[1:2] if len(usual) > 1 else []
    return names, alphas, betas


def weights(
    op: str, D: int, W: Any, R: Any, B: Any, P: Any, hidden_size: int | None
) -> list[dict[str, Array | None]]:
    """Return each direction's arrays as the functions take them."""
    G, order = GATES[op], ROWS[op]
    words = "H" if G == 1 else f"{G}·H"
    R = array("R", R, (D, None, None), f"(D, {words}, H)")
    H = R.shape[2]
    R = array("R", R, (D, G * H, H), f"(D, {words}, H)")
    if hidden_size is not None and hidden_size != H:
        raise ValueError(f"hidden_size must be H = {H} as R has it, got {hidden_size}")
    W = _same_dtype("W", array("W", W, (D, G * H, None), f"(D, {words}, I)"), R)
    if B is not None:
        B = _same_dtype("B", array("B", B, (D, 2 * G * H), f"(D, {2 * G}·H)"), R)
    if P is not None:
        if op != "LSTM":
            raise ValueError(f"P exists for LSTM only, got one for {op}")
        P = _same_dtype("P", array("P", P, (D, 3 * H), "(D, 3·H)"), R)
    result: list[dict[str, Array | None]] = []
    for d in range(D):
        one: dict[str, Array | None] = {"w_ih": blocks(W[d], order), "w_hh": blocks(R[d], order)}
        if B is not None:
            one["b_ih"] = blocks(B[d, : G * H], order)
            one["b_hh"] = blocks(B[d, G * H :], order)
        if P is not None:
            one["w_peephole"] = blocks(P[d], PEEPHOLES).reshape(3, H)
        result.append(one)
    return result
