"""What an ONNX node RNN, GRU or LSTM says, in the words of this package."""

from collections.abc import Sequence
from typing import Any

from fastrnn._checks import Array
from fastrnn.io._assemble import GATES, array, blocks

# ONNX's blocks of rows in the order of ours: LSTM i o f c, GRU z r h, P i o f.
ROWS = {"RNN": (0,), "LSTM": (0, 2, 3, 1), "GRU": (1, 0, 2)}
PEEPHOLES = (0, 2, 1)
DEFAULTS = {"RNN": ("Tanh",), "GRU": ("Sigmoid", "Tanh"), "LSTM": ("Sigmoid", "Tanh", "Tanh")}
DIRECTIONS = ("forward", "reverse", "bidirectional")

# Which of ONNX's activations take alpha and beta, and what these are if nothing is said.
_NUMBERS: dict[str, tuple[float | None, float | None]] = {
    "Affine": (1.0, 0.0),
    "LeakyRelu": (0.01, None),
    "ThresholdedRelu": (1.0, None),
    "ScaledTanh": (1.0, 1.0),
    "HardSigmoid": (0.2, 0.5),
    "Elu": (1.0, None),
}
# What the kernels know, by name and numbers.
_KNOWN: dict[tuple[str, float | None, float | None], str] = {
    ("Sigmoid", None, None): "sigmoid",
    ("Tanh", None, None): "tanh",
    ("Relu", None, None): "relu",
    ("Affine", 1.0, 0.0): "linear",
    ("HardSigmoid", 0.2, 0.5): "hard_sigmoid",
}
ONNX_NAMES = {ours: name for (name, _, _), ours in _KNOWN.items()}
_CLOSE = 1e-7  # attributes are stored as float32


def directions(direction: Any) -> int:
    """Return D, or say which directions there are."""
    if direction not in DIRECTIONS:
        raise ValueError(f"direction must be one of {DIRECTIONS}, got {direction!r}")
    return 2 if direction == "bidirectional" else 1


def activations(
    op: str, D: int, names: Sequence[str] | None, alphas: Sequence[float] | None,
    betas: Sequence[float] | None,
) -> list[tuple[str, ...]]:  # fmt: skip
    """Return the activations of each direction by our names.

    alpha and beta are consumed in order by those activations that take one, as ONNX Runtime does.
    """
    count = len(DEFAULTS[op])
    given = list(DEFAULTS[op] * D if names is None else names)
    if len(given) != D * count:
        raise ValueError(f"activations must be {D * count} names for {op}, got {given!r}")
    left = [list(alphas or ()), list(betas or ())]
    known = {name.lower(): name for name in (*_NUMBERS, *(key[0] for key in _KNOWN))}
    known |= {name.lower(): name for name in ("Softsign", "Softplus")}
    found = []
    for k, word in enumerate(given):
        name = known.get(str(word).lower())
        if name is None:
            raise ValueError(f"activations[{k}] must be one of ONNX's, got {word!r}")
        numbers = [
            None if usual is None else float(rest.pop(0)) if rest else usual
            for usual, rest in zip(_NUMBERS.get(name, (None, None)), left, strict=True)
        ]
        found.append(_ours(k, name, numbers))
    if left[0] or left[1]:
        raise ValueError(f"activation_alpha and activation_beta have {left} that nothing takes")
    return [tuple(found[d * count : (d + 1) * count]) for d in range(D)]


def _ours(k: int, name: str, numbers: Sequence[float | None]) -> str:
    for (known, *wanted), ours in _KNOWN.items():
        if known == name and all(
            (a is None and b is None) or (a is not None and b is not None and abs(a - b) <= _CLOSE)
            for a, b in zip(numbers, wanted, strict=True)
        ):
            return ours
    alpha, beta = numbers
    raise ValueError(
        f"activations[{k}]={name} with alpha={alpha} and beta={beta} is not supported"
    )


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
    W = array("W", W, (D, G * H, None), f"(D, {words}, I)")
    B = None if B is None else array("B", B, (D, 2 * G * H), f"(D, {2 * G}·H)")
    if P is not None:
        if op != "LSTM":
            raise ValueError(f"P exists for LSTM only, got one for {op}")
        P = array("P", P, (D, 3 * H), "(D, 3·H)")
    found: list[dict[str, Array | None]] = []
    for d in range(D):
        one: dict[str, Array | None] = {"w_ih": blocks(W[d], order), "w_hh": blocks(R[d], order)}
        if B is not None:
            one["b_ih"] = blocks(B[d, : G * H], order)
            one["b_hh"] = blocks(B[d, G * H :], order)
        if P is not None:
            one["w_peephole"] = blocks(P[d], PEEPHOLES).reshape(3, H)
        found.append(one)
    return found
