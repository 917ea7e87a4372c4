"""DyNet's weights: VanillaLSTMBuilder and its compact form, GRUBuilder and SimpleRNNBuilder."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from fastrnn._checks import number
from fastrnn.io._assemble import array, assemble, blocks, family

if TYPE_CHECKING:
    from fastrnn._layers.layer import Layer

L = TypeVar("L", bound="Layer")

_ORDER = (0, 1, 3, 2)  # DyNet's LSTM rows are i f o g
_PER = {"LSTM": 3, "GRU": 9, "RNN": 3}
_WORDS = {
    "LSTM": "W_x, W_h and b",
    "GRU": "x2z, h2z, bz, x2r, h2r, br, x2h, h2h and bh",
    "RNN": "x2h, h2h and hb",
}


def from_dynet(cls: type[L], weights: Any, forget_bias: float, options: dict[str, Any]) -> L:
    """Return a layer with a builder's parameters, layer by layer."""
    if not isinstance(weights, Sequence):
        raise TypeError(f"weights must be a list of arrays, got {type(weights).__name__}")
    flat: list[Any] = []
    for entry in weights:
        flat += entry if isinstance(entry, (list, tuple)) else [entry]
    name = family(cls)
    per = _PER[name]
    if not flat or len(flat) % per:
        raise ValueError(
            f"weights must be {per} arrays for each layer, {_WORDS[name]}; got {len(flat)}"
        )
    forget_bias = number("forget_bias", forget_bias)
    make = {"LSTM": _lstm, "GRU": _gru, "RNN": _rnn}[name]
    each = [make(flat[k : k + per], k, forget_bias) for k in range(0, len(flat), per)]
    if name == "GRU":
        options = {"reset_after": False} | options
        if options["reset_after"]:
            raise ValueError("DyNet's GRU applies its reset gate before the product")
    return assemble(cls, each, 1, **options)


def _rnn(given: Sequence[Any], k: int, _: float) -> dict[str, Any]:
    w_hh = array(f"weights[{k + 1}]", given[1], (None, None), "(H, H)")
    H = w_hh.shape[0]
    return {
        "w_ih": array(f"weights[{k}]", given[0], (H, None), "(H, I)"),
        "w_hh": array(f"weights[{k + 1}]", w_hh, (H, H), "(H, H)"),
        "b_ih": array(f"weights[{k + 2}]", given[2], (H,), "(H,)"),
    }


def _lstm(given: Sequence[Any], k: int, forget_bias: float) -> dict[str, Any]:
    w_hh = array(f"weights[{k + 1}]", given[1], (None, None), "(4·H, H)")
    H = w_hh.shape[1]
    array(f"weights[{k + 1}]", w_hh, (4 * H, H), "(4·H, H)")
    w_ih = array(f"weights[{k}]", given[0], (4 * H, None), "(4·H, I)")
    b = array(f"weights[{k + 2}]", given[2], (4 * H,), "(4·H,)").copy()
    b[H : 2 * H] += b.dtype.type(forget_bias)  # DyNet adds it when it runs
    return {"w_ih": blocks(w_ih, _ORDER), "w_hh": blocks(w_hh, _ORDER), "b_ih": blocks(b, _ORDER)}


def _gru(given: Sequence[Any], k: int, _: float) -> dict[str, Any]:
    """DyNet has h' = z∘n + (1 − z)∘h; 1 − σ(a) = σ(−a), so its z is ours with another sign."""
    z, r, n = (_rnn(given[j : j + 3], k + j, 0) for j in (0, 3, 6))
    return {name: np.concatenate([r[name], -z[name], n[name]]) for name in z}
