"""Layers of int8 and bfloat16 on the strict core, and one step of each in NumPy."""

import dataclasses
from typing import Any

import numpy as np

from fastrnn import _core

F32 = np.float32
GATES = {
    "rnn_tanh": 1,
    "rnn_sigmoid": 1,
    "lstm": 4,
    "lstm_peephole": 4,
    "gru_after": 3,
    "gru_before": 3,
}
SIZES = (1, 7, 8, 9, 15, 16, 17, 31, 33)  # around vectors, words of four and panels of four
DOTS = ("none", "words", "tiles")

Array = np.ndarray


def quantised(w: Array) -> tuple[Array, Array]:
    """Rows of int8 and their scales."""
    scale = np.max(np.abs(w), axis=1) / F32(127)
    return np.rint(w / scale[:, None]).astype(np.int8), scale


def bfloat16(x: Array) -> Array:
    """To the nearest number without the lower half, ties to even."""
    bits = np.ascontiguousarray(x).view(np.uint32)
    return ((bits + 0x7FFF + (bits >> 16 & 1)) & 0xFFFF0000).astype(np.uint32).view(F32)


@dataclasses.dataclass(frozen=True)
class Layer:
    """The weights of one cell, drawn, as float32."""

    cell: str
    w_ih: Array
    w_hh: Array
    b_ih: Array
    b_hh: Array
    w_peephole: Array | None

    @classmethod
    def of(cls, cell: str, I: int, H: int, seed: int = 0) -> "Layer":
        draw = np.random.default_rng([seed, I, H]).standard_normal
        rows = GATES[cell] * H
        w_ih, w_hh = draw((rows, I)) / np.sqrt(I), draw((rows, H)) / np.sqrt(H)
        peephole = draw((3, H)) * 0.3 if cell == "lstm_peephole" else None
        weights = w_ih, w_hh, draw(rows) * 0.3, draw(rows) * 0.3, peephole
        return cls(cell, *(None if w is None else w.astype(F32) for w in weights))

    @property
    def sizes(self) -> tuple[int, int]:
        """I and H."""
        return self.w_ih.shape[1], self.w_hh.shape[1]

    def packed(self, precision: str) -> Any:
        """For the instruction set in use."""
        kind, biases = getattr(_core.Cell, self.cell), (self.b_ih, self.b_hh, self.w_peephole)
        if precision == "bfloat16":
            return _core.PackedWeights(kind, self.w_ih, self.w_hh, *biases, bfloat16=True)
        (q_ih, scale_ih), (q_hh, scale_hh) = quantised(self.w_ih), quantised(self.w_hh)
        scales = {"scale_ih": scale_ih, "scale_hh": scale_hh}
        return _core.PackedWeights(kind, q_ih, q_hh, *biases, **scales)

    def states(self, N: int, seed: int = 1) -> tuple[Array, Array | None]:
        """h0, within -1 .. 1, and c0."""
        rng, H = np.random.default_rng([seed, N]), self.sizes[1]
        h0, c0 = np.tanh(rng.standard_normal((N, H))), rng.standard_normal((N, H))
        return h0.astype(F32), c0.astype(F32) if self.cell.startswith("lstm") else None

    def product(self, precision: str, a: Array, which: str, part: slice = slice(None)) -> Array:
        """x by w_ih or h by w_hh, in whole numbers or in float64, as float32."""
        w = self.w_ih if which == "x" else self.w_hh
        if precision == "bfloat16":
            return (bfloat16(a) @ bfloat16(w)[part].T.astype(np.float64)).astype(F32)
        q, scale = (array[part] for array in quantised(w))
        if which == "h":
            return _sums(np.rint(a * F32(127)), q) * (scale / F32(127))
        most = np.max(np.abs(a), axis=1, keepdims=True)
        zero = most < F32(2.0**-100)
        levels = np.rint(a * (F32(127) / np.where(zero, F32(1), most)))
        factor = np.where(zero, F32(0), most / F32(127))
        return _sums(np.where(zero, 0, levels), q) * (scale * factor)

    def step(self, precision: str, x: Array, h: Array, c: Array | None) -> dict[str, Array]:
        """One step, activations in float64."""
        H, bias = self.sizes[1], self.b_ih + self.b_hh
        rz, n = slice(2 * H), slice(2 * H, None)
        a = self.product(precision, x, "x")
        if self.cell == "gru_before":
            r, z = _gates(bias[rz] + a[:, rz] + self.product(precision, h, "h", rz), 2)
            inner = self.product(precision, (r * h).astype(F32), "h", n)
            return {"h_n": _mix(z, h, np.tanh(np.float64(bias[n] + a[:, n] + inner)))}
        u = self.product(precision, h, "h")
        if self.cell == "gru_after":
            r, z = _gates(bias[rz] + a[:, rz] + u[:, rz], 2)
            inner = a[:, n] + self.b_ih[n] + r * (u[:, n] + self.b_hh[n])
            return {"h_n": _mix(z, h, np.tanh(np.float64(inner)))}
        pre = np.float64(bias + a + u)
        if self.cell == "rnn_tanh":
            return {"h_n": np.tanh(pre)}
        if self.cell == "rnn_sigmoid":
            return {"h_n": _sigmoid(pre)}
        i, f, g, o = np.split(pre, 4, axis=1)
        p = np.zeros((3, H)) if self.w_peephole is None else self.w_peephole
        new = _sigmoid(f + p[1] * c) * c + _sigmoid(i + p[0] * c) * np.tanh(g)
        return {"h_n": _sigmoid(o + p[2] * new) * np.tanh(new), "c_n": new}


def _sums(levels: Array, q: Array) -> Array:
    sums = levels.astype(np.int64) @ q.T.astype(np.int64)
    assert np.max(np.abs(sums), initial=0) < 2**31
    return sums.astype(F32)


def _sigmoid(x: Array) -> Array:
    return 1 / (1 + np.exp(-x))


def _gates(pre: Array, count: int) -> list[Array]:
    return np.split(_sigmoid(np.float64(pre)), count, axis=1)


def _mix(z: Array, h: Array, n: Array) -> Array:
    return n + z * (h - n)


def run(
    layer: Layer,
    packed: Any,
    x: Array,
    h0: Array | None = None,
    c0: Array | None = None,
    *,
    threads: int = 1,
    plan: tuple[Any, ...] = (),
    **options: Any,
) -> dict[str, Array]:
    """Forward on the core: y, h_n and for an LSTM c_n, into arrays full of NaN."""
    T, N, H = x.shape[0], x.shape[1], layer.sizes[1]
    out = {"y": np.full((T, N, H), np.nan, F32), "h_n": np.full((N, H), np.nan, F32)}
    if layer.cell.startswith("lstm"):
        out["c_n"] = np.full((N, H), np.nan, F32)
    given = {"h0": h0, "c0": c0, "lengths": None, "c_n": None} | out | options
    nothing = dict.fromkeys(("w_ih", "w_hh", "b_ih", "b_hh", "w_peephole"))
    _core.force_plan(*plan)
    try:
        kind = getattr(_core.Cell, layer.cell)
        _core.rnn_forward(kind, x, **nothing, **given, num_threads=threads, packed=packed)
    finally:
        _core.force_plan()
    return out
