"""Layers whose products are of int8 or bfloat16: what is rounded, and where.

Biases, diagonal peepholes, activations, c and sums are float32. Only x, h and the matrices W_ih and
W_hh are rounded, each time they enter a product. bfloat16 is that and nothing else. With int8 full
peepholes, W_hr and what they multiply are rounded, too, and the sums are exact, so the order of
what follows counts: (bias + product with x) + product with h, where the bias is b_ih + b_hh.
"""

from collections.abc import Callable
from typing import Any

import numpy as np

from fastrnn.cells import NO_MASKS, Masks, Spec
from fastrnn.reference import _layer
from fastrnn.reference._call import Sequence
from fastrnn.reference._math import Array, split_gates, squash
from fastrnn.reference.lstm import lstm_step

LEVELS = np.float32(127)
LEAST = np.float32(2.0**-100)


class Int8Weight:
    """W (R, K) as rows of int8: W[r] is scale[r]·values[r].

    Sums of products of integers are exact, so that their order does not matter; float64 holds them.
    """

    def __init__(self, values: Array, scale: Array, bounded: bool = False) -> None:
        self.values, self.scale, self.bounded = values.astype(np.float64), scale, bounded

    def rows(self, part: slice) -> "Int8Weight":
        """Return some rows of W."""
        return Int8Weight(self.values[part], self.scale[part], self.bounded)

    __getitem__ = rows

    def of_x(self, x: Array) -> Array:
        """Return x Wᵀ (N, R); each row of x has its own scale, its largest absolute value / 127.

        A row of x that holds NaN or Inf gives a row of NaN; one below 2⁻¹⁰⁰, where 127 over its
        largest value may be no finite number, gives zeros.
        """
        sums, top = self._sums_by_row(x)
        return sums * (top / LEVELS * self.scale)

    def of_h(self, h: Array) -> Array:
        """Return h Wᵀ (N, R), h being what the layer itself has made.

        Where |h| is at most 1, 127 levels serve every row, and a row of h that holds NaN gives a
        row of NaN. Else it is treated as x, and its scale is multiplied by in another order.
        """
        if not self.bounded:
            sums, top = self._sums_by_row(h)
            return sums * (top * (self.scale / LEVELS))
        known = ~np.isnan(h).any(axis=1, keepdims=True)
        levels = np.rint(np.where(known, h, np.float32(0)) * LEVELS)
        return np.where(known, self._sums(levels) * (self.scale / LEVELS), np.float32(np.nan))

    def _sums_by_row(self, x: Array) -> tuple[Array, Array]:
        """Return the sums of x in 127ths of the largest |x| of its row, and these (N, 1)."""
        finite = np.isfinite(x).all(axis=1, keepdims=True)
        x = np.where(finite, x, np.float32(0))
        top = np.max(np.abs(x), axis=1, initial=0, keepdims=True)
        none = top < LEAST
        levels = np.rint(x * np.where(none, np.float32(0), LEVELS / np.where(none, 1, top)))
        top = np.where(none, np.float32(0), top)
        return self._sums(levels), np.where(finite, top, np.float32(np.nan))

    def _sums(self, levels: Array) -> Array:
        sums: Array = (levels.astype(np.float64) @ self.values.T).astype(np.float32)
        return sums


def bfloat16(x: Array) -> Array:
    """Return float32 rounded to the numbers that bfloat16 has, to nearest, half to even.

    bfloat16 is the upper half of float32's bits. Inf stays, as does NaN.
    """
    bits = np.ascontiguousarray(x).view(np.uint32)
    odd = bits >> np.uint32(16) & np.uint32(1)
    rounded = (bits + np.uint32(0x7FFF) + odd) & np.uint32(0xFFFF0000)
    result: Array = np.where(np.isnan(x), np.float32(np.nan), rounded.view(np.float32))
    return result


def linear(x: Array, w: Any, b: Array | None) -> Array:
    """Return x Wᵀ + b (M, O) of float32 x (M, I).

    Parameters
    ----------
    w : tuple or ndarray
        Values and scales of int8 rows; or (O, I) of numbers that bfloat16 has.
    """
    product = Int8Weight(*w).of_x(x) if isinstance(w, tuple) else bfloat16(x) @ w.T
    return product if b is None else product + b


class BFloat16Weight:
    """W (R, K) of numbers that bfloat16 has; what it multiplies is rounded to such."""

    def __init__(self, w: Array) -> None:
        self.w = w

    def __getitem__(self, rows: slice) -> "BFloat16Weight":
        return BFloat16Weight(self.w[rows])

    def of_x(self, x: Array) -> Array:
        """Return x Wᵀ (N, R)."""
        return linear(x, self.w, None)


class _Columns:
    """W (R, K) by parts of its columns, each with a product of its own."""

    def __init__(self, *parts: tuple[int, Callable[[Array], Array]]) -> None:
        self._parts = parts

    def of_x(self, x: Array) -> Array:
        """Return x Wᵀ (N, R)."""
        total: Any = np.float32(0)
        at = 0
        for width, product in self._parts:
            total = total + product(x[:, at : at + width])
            at += width
        return np.asarray(total)


def attention_decoder(
    x: Array, memory: Array, params: dict[str, Any], *, bfloat16: bool = False,
    state: Any = None, memory_lengths: Any = None, lengths: Any = None, num_threads: Any = None,
    **options: Any,
) -> tuple[Any, ...]:  # fmt: skip
    """Run a decoder by matrices of fewer bits; see `fastrnn.reference.attention_decoder`.

    W_ih, W_hh, the score's matrix of the query and the output's are multiplied by rounded rows: x,
    what feeds, h and the context each for itself. Memory is not rounded.

    Parameters
    ----------
    params : dict
        Its matrices as pairs (values, scale) of int8 rows; or all as float32.
    bfloat16 : bool
        The matrices are of numbers that bfloat16 has.
    """
    from fastrnn.reference.attention_decoder import all_steps, open_call

    whole = {
        name: w[0] * w[1][:, None] if isinstance(w, tuple) else w for name, w in params.items()
    }
    kind = tuple(options[name] for name in ("cell", "score", "query", "input_feed"))
    d, step, inputs, exists, now = open_call(
        x, memory, whole, state, kind, (memory_lengths, lengths), num_threads
    )

    def few(name: str, columns: slice = slice(None)) -> Any:
        w = params[name]
        if isinstance(w, tuple):
            return Int8Weight(w[0][:, columns], w[1])
        return BFloat16Weight(w[:, columns])

    def rounded(name: str) -> bool:
        return isinstance(params.get(name), tuple) or (bfloat16 and params.get(name) is not None)

    p = dict(step.p)
    for name in ("weight_hh", "weight_query", "weight_general"):
        if rounded(name):
            p[name] = few(name)
    if rounded("weight_ih"):
        parts = few("weight_ih", slice(d.E)), few("weight_ih", slice(d.E, None))
        p["weight_ih"] = _Columns((d.E, parts[0].of_x), (d.F, parts[1].of_x))
    if rounded("weight_output"):
        parts = few("weight_output", slice(d.H)), few("weight_output", slice(d.H, None))
        p["weight_output"] = _Columns((d.H, parts[0].of_x), (d.C, parts[1].of_x))
    return all_steps(step._replace(p=p), inputs, exists, now)


Step = Callable[[Array, Array, Any], tuple[Array, Any]]


def rnn_step(spec: Spec, w_ih: Int8Weight, w_hh: Int8Weight, b_ih: Any, b_hh: Any, *_: Any) -> Step:
    """Return the step of an RNN: h from x, h and nothing else."""
    activation, bias = squash(spec.activations[0], spec.limit)[0], b_ih + b_hh

    def step(x: Array, h: Array, c: Any) -> tuple[Array, Any]:
        return activation(np, bias + w_ih.of_x(x) + w_hh.of_h(h)), c

    return step


def gru_step(spec: Spec, w_ih: Int8Weight, w_hh: Int8Weight, b_ih: Any, b_hh: Any, *_: Any) -> Step:
    """Return the step of a GRU, whose n has its two biases apart with reset after."""
    squash_f, squash_g = (squash(chosen, spec.limit)[0] for chosen in spec.activations)
    H = b_ih.size // 3
    rz, n_rows = slice(2 * H), slice(2 * H, None)
    w_rz, w_n, bias = w_hh.rows(rz), w_hh.rows(n_rows), b_ih + b_hh

    def step(x: Array, h: Array, c: Any) -> tuple[Array, Any]:
        of_x = w_ih.of_x(x)
        r, z = split_gates(squash_f(np, bias[rz] + of_x[:, rz] + w_rz.of_h(h)), 2)
        if spec.reset_after:
            n = b_ih[n_rows] + of_x[:, n_rows] + r * (b_hh[n_rows] + w_n.of_h(h))
        else:
            n = bias[n_rows] + of_x[:, n_rows] + w_n.of_h(r * h)
        n = squash_g(np, n)
        return (1 - z) * n + z * h, c

    return step


def quantized_lstm_step(
    spec: Spec,
    w_ih: Int8Weight,
    w_hh: Int8Weight,
    b_ih: Any,
    b_hh: Any,
    w_peephole: Any,
    w_hr: Int8Weight | None,
) -> Step:
    """Return the step of an LSTM; from its pre-activations on it is that of float32, but for what
    full peepholes and the projection multiply.
    """
    bias = b_ih + b_hh

    def full(row: int, c: Array) -> Array:
        H = c.shape[1]
        return w_peephole.rows(slice(row * H, (row + 1) * H)).of_h(c)  # type: ignore[no-any-return]

    peephole = full if isinstance(w_peephole, Int8Weight) else w_peephole

    def step(x: Array, h: Array, c: Any) -> tuple[Array, Any]:
        pre = bias + w_ih.of_x(x) + w_hh.of_h(h)
        h, c, _ = lstm_step(np, pre, c, peephole, spec)
        return h if w_hr is None else w_hr.of_h(h), c

    return step


def kept(keep: Any, t: int, before: Any, after: Any) -> Any:
    """Return a state after zoneout, which keeps a part of what it was before."""
    return after if keep is None else keep[t] * before + (1 - keep[t]) * after


_STEPS: dict[str, Any] = {"rnn": rnn_step, "gru": gru_step, "lstm": quantized_lstm_step}


def forward(
    spec: Spec,
    x: Array,
    weights: tuple[Any, ...],
    h0: Any,
    c0: Any,
    layout: tuple[Any, ...],
    masks: Masks = NO_MASKS,
) -> tuple[Array, Array, Array | None]:
    """Return y, and the final h and c, which is None but for an LSTM.

    Parameters
    ----------
    spec : Spec
    x : ndarray of float32, (T, N, I)
    weights : tuple
        w_ih, w_hh, b_ih, b_hh, w_peephole, w_hr and w_norm: matrices as pairs (values, scale) of
        int8 rows; or all as float32, w_ih and w_hh of numbers that bfloat16 has.
    h0, c0 : ndarray or None, (N, H)
        h0 (N, P) with a projection.
    layout : tuple
        lengths, reverse and batch_first of `fastrnn.reference.lstm`.
    masks : Masks
        What zoneout keeps of h and c.
    """
    if not isinstance(weights[1], tuple):
        return _layer.forward(spec, x, weights, h0, c0, layout, masks, bfloat16)[1:]
    w_ih, w_hh = (Int8Weight(values, scale, spec.bounded) for values, scale in weights[:2])
    w_peephole, w_hr = (
        Int8Weight(*given) if isinstance(given, tuple) else given for given in weights[4:6]
    )
    rows = w_hh.values.shape[0]
    zeros = np.zeros(rows, np.float32)
    b_ih, b_hh = (zeros if b is None else b for b in weights[2:4])
    seq = Sequence(x, rows // spec.G, *layout)
    if w_hr is not None:
        seq.P = w_hr.scale.size
    step = _STEPS[spec.family](spec, w_ih, w_hh, b_ih, b_hh, w_peephole, w_hr)
    x = seq.enter(x)
    h_keep, c_keep = seq.in_order(masks.h_keep), seq.in_order(masks.c_keep)
    h = [seq.state_in("h0", h0, np.float32)]
    c: Any = seq.state_in("c0", c0, np.float32) if spec.cell_state else None
    for t in range(seq.T):
        h_prev = seq.select(t, h[t], np.float32(0))
        c_prev = None if c is None else seq.select(t, c, np.float32(0))
        h_t, c_t = step(x[t], h_prev, c_prev)
        h_t, c_t = kept(h_keep, t, h_prev, h_t), kept(c_keep, t, c_prev, c_t)
        h.append(seq.select(t, h_t, h[t]))
        c = None if c is None else seq.select(t, c_t, c)
    y = np.stack(h)[1:] if seq.T else np.zeros((0, seq.N, seq.P), np.float32)
    return seq.leave(y), h[-1], c
