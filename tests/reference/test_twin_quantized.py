"""Why: the twin of int8 and bfloat16 decides what the core must give. Its integer sums are done
again here one product at a time, in unsigned bytes as the core has them, its roundings by others.
"""

from typing import Any

import numpy as np
import pytest

from fastrnn import reference
from fastrnn._quantize import Bfloat16, Int8Rows
from fastrnn.cells import GRUSpec, LSTMSpec, RNNSpec, Spec
from fastrnn.reference import quantized

SPECS: dict[str, Spec] = {
    "rnn_tanh": RNNSpec.of({}),
    "rnn_sigmoid": RNNSpec.of({"nonlinearity": "sigmoid"}),
    "gru_after": GRUSpec.of({}),
    "gru_before": GRUSpec.of({"reset_after": False}),
    "lstm": LSTMSpec.of({}),
    "lstm_peephole": LSTMSpec.of({}, peephole=True),
}
KINDS: dict[str, Any] = {"int8": Int8Rows, "bfloat16": Bfloat16}
# Weights are uniform in ±1/√H, so that a pre-activation errs by some ten halves of a level, 1/254,
# times 1/√H; bfloat16 has twice as many bits.
WORST = {"int8": 2e-2, "bfloat16": 5e-3}


def drawn(name: str, seed: int, H: int = 9, I: int = 5) -> tuple[np.ndarray, list[Any], Any]:
    """x, the float32 weights of a cell, and an initial c."""
    spec, rng = SPECS[name], np.random.default_rng(seed)
    shapes = [(spec.G * H, I), (spec.G * H, H), (spec.G * H,), (spec.G * H,)]
    shapes += [(3, H)] if spec.peephole else []
    weights = [rng.uniform(-1, 1, s).astype(np.float32) / np.float32(H**0.5) for s in shapes]
    x = rng.standard_normal((7, 4, I), dtype=np.float32)
    c0 = rng.standard_normal((4, H), dtype=np.float32) if spec.cell_state else None
    return x, weights, c0


def run(
    name: str, kind: str, x: np.ndarray, weights: list[Any], h0: Any = None, c0: Any = None,
    lengths: Any = None, reverse: bool = False,
) -> tuple[np.ndarray, ...]:  # fmt: skip
    operands = [KINDS[kind].of("w", w).operand() for w in weights[:2]]
    rest = [*weights[2:], *[None] * (7 - len(weights))]
    layout = lengths, reverse, False
    return quantized.forward(SPECS[name], x, (*operands, *rest), h0, c0, layout)


def in_float(name: str, x: np.ndarray, weights: list[Any], **given: Any) -> np.ndarray:
    spec = SPECS[name]
    if spec.peephole:
        *weights, given["w_peephole"] = weights
    y: np.ndarray = getattr(reference, spec.family)(x, *weights, **given, **spec.values)[0]
    return y


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", SPECS)
def test_it_is_near_the_twin_of_float32(name: str, kind: str) -> None:
    for seed in range(5):
        x, weights, c0 = drawn(name, seed, H=33)
        for reverse in (False, True):
            given: dict[str, Any] = {"lengths": [7, 0, 3, 1], "reverse": reverse}
            y, *_ = run(name, kind, x, weights, c0=c0, **given)
            states = {} if c0 is None else {"c0": c0}
            wanted = in_float(name, x, weights, **given, **states)
            assert y.dtype == np.float32
            assert 0 < np.abs(y - wanted).max() < WORST[kind]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", SPECS)
def test_a_row_is_the_same_alone_and_a_sequence_the_same_in_pieces(name: str, kind: str) -> None:
    """Bit for bit where sums are exact; else one that rounds the other way is carried along."""

    def same(a: np.ndarray, b: np.ndarray) -> bool:
        return np.array_equal(a, b) if kind == "int8" else np.allclose(a, b, rtol=0, atol=2e-3)

    x, weights, c0 = drawn(name, 1)
    y, h_n, _ = run(name, kind, x, weights, c0=c0, lengths=[7, 2, 5, 7])
    for n, steps in enumerate((7, 2, 5, 7)):
        own = slice(n, n + 1)
        alone = run(name, kind, x[:steps, own], weights, c0=None if c0 is None else c0[own])
        assert same(alone[0], y[:steps, own])
        assert same(alone[1], h_n[own])
        assert not y[steps:, n].any()
    first = run(name, kind, x[:3], weights, c0=c0)
    rest = run(name, kind, x[3:], weights, *first[1:])
    whole = run(name, kind, x, weights, c0=c0)
    assert same(np.concatenate([first[0], rest[0]]), whole[0])
    assert same(rest[1], whole[1])


@pytest.mark.parametrize("name", ["rnn_tanh", "lstm", "gru_after"])
def test_int8_sums_are_those_of_unsigned_bytes(name: str) -> None:
    """One step by loops over integers: u8 operands with an offset of 128 and sums of the rows."""
    x, weights, c0 = drawn(name, 3)
    spec, H = SPECS[name], 9
    h0 = np.random.default_rng(4).uniform(-1, 1, (4, H)).astype(np.float32)
    _, h_n, _ = run(name, "int8", x[:1], weights, h0, c0)
    (w_ih, s_ih), (w_hh, s_hh) = (Int8Rows.of("w", w).operand() for w in weights[:2])
    b_ih, b_hh = weights[2:4]
    f32, levels = np.float32, np.float32(127)

    def summed(row: list[int], w: np.ndarray) -> np.float32:
        assert all(0 <= byte <= 255 for byte in row)
        total = sum(byte * int(v) for byte, v in zip(row, w, strict=True))
        return f32(total - 128 * int(w.sum(dtype=int)))

    for n in range(4):
        top = np.abs(x[0, n]).max()
        xq = [int(np.rint(v * (levels / top))) + 128 for v in x[0, n]]
        hq = [int(np.rint(v * levels)) + 128 for v in h0[n]]
        of_x = np.array([summed(xq, w_ih[r]) * (top / levels * s_ih[r]) for r in range(len(s_ih))])
        of_h = np.array([summed(hq, w_hh[r]) * (s_hh[r] / levels) for r in range(len(s_hh))])
        pre = of_x + of_h + (b_ih + b_hh)

        def sigmoid(v: np.ndarray) -> np.ndarray:
            return 1 / (1 + np.exp(-v.astype(np.float64)))

        if name == "rnn_tanh":
            h = np.tanh(pre.astype(np.float64))
        elif name == "lstm":
            i, f, g, o = np.split(pre, 4)
            assert c0 is not None
            c = sigmoid(f) * c0[n] + sigmoid(i) * np.tanh(g.astype(np.float64))
            h = sigmoid(o) * np.tanh(c)
        else:
            r, z = np.split(sigmoid(pre[: 2 * H]), 2)
            tail = slice(2 * H, None)
            of_n = of_x[tail] + b_ih[tail] + r * (of_h[tail] + b_hh[tail])
            h = (1 - z) * np.tanh(of_n) + z * h0[n]
        assert np.allclose(h_n[n], h, rtol=0, atol=5e-7), spec


def _by_row(a: np.ndarray, rows: Int8Rows) -> np.ndarray:
    """W a of one row by a loop over integers, in 127ths of the largest |a|."""
    top, levels = np.abs(a).max(), np.float32(127)
    numbers = [int(np.rint(v * (levels / top))) for v in a]
    assert all(-127 <= number <= 127 for number in numbers)
    sums = [sum(b * int(v) for b, v in zip(numbers, w, strict=True)) for w in rows.values]
    return np.array(sums, np.float32) * (top * (rows.scale / levels))


def test_int8_without_bounds_has_scales_of_rows() -> None:
    """A linear RNN far from ±1, and an LSTM with a projection and full peepholes."""
    draw, H, P, I = np.random.default_rng(7).standard_normal, 9, 4, 5
    f32 = np.float32

    def rows(*shape: int) -> Int8Rows:
        return Int8Rows.of("w", (draw(shape) / shape[1] ** 0.5).astype(f32))

    def sigmoid(v: np.ndarray) -> np.ndarray:
        return 1 / (1 + np.exp(-v.astype(np.float64)))

    x, bias = draw((1, 3, I)).astype(f32), draw(4 * H).astype(f32)
    h0, c0 = (5 * draw((3, H))).astype(f32), draw((3, H)).astype(f32)
    layout = None, False, False
    w_ih, w_hh = rows(H, I), rows(H, H)
    spec: Spec = RNNSpec.of({"nonlinearity": "linear"})
    weights = w_ih.operand(), w_hh.operand(), bias[:H], None, None, None, None
    y, *_ = quantized.forward(spec, x, weights, h0, None, layout)
    for n in range(3):
        wanted = bias[:H] + _by_row(x[0, n], w_ih) + _by_row(h0[n], w_hh)
        assert np.allclose(y[0, n], wanted, rtol=1e-6, atol=1e-6)

    w_ih, w_hh, w_hr = rows(4 * H, I), rows(4 * H, P), rows(P, H)
    full = [rows(H, H) for _ in range(3)]
    p = tuple(np.concatenate(part) for part in zip(*(w.operand() for w in full), strict=True))
    spec = LSTMSpec.of({}, peephole="full", projection=True)
    weights = w_ih.operand(), w_hh.operand(), bias, None, p, w_hr.operand(), None
    y, h_n, c_n = quantized.forward(spec, x, weights, h0[:, :P], c0, layout)
    assert c_n is not None
    for n in range(3):
        pre = bias + _by_row(x[0, n], w_ih) + _by_row(h0[n, :P], w_hh)
        i, f, g, o = np.split(pre, 4)
        i, f = sigmoid(i + _by_row(c0[n], full[0])), sigmoid(f + _by_row(c0[n], full[1]))
        c = f * c0[n] + i * np.tanh(g.astype(np.float64))
        assert np.allclose(c_n[n], c, rtol=0, atol=1e-6)
        o = sigmoid(o + _by_row(c_n[n], full[2]))
        m = (o * np.tanh(c_n[n].astype(np.float64))).astype(f32)
        # A number that rounds the other way moves the sums by one weight.
        step = np.abs(m).max() * w_hr.scale.max()
        assert np.allclose(h_n[n], _by_row(m, w_hr), rtol=0, atol=step)
    assert np.array_equal(y[0], h_n)
    floats = [w[:] for w in (w_ih, w_hh)]
    wanted, _ = reference.lstm(
        x, *floats, bias, None, h0[:, :P], c0, w_hr=w_hr[:],
        w_peephole=np.concatenate([w[:] for w in full]),
    )  # fmt: skip
    assert 0 < np.abs(y - wanted).max() < 0.05


def test_bfloat16_rounds_as_others_do() -> None:
    torch = pytest.importorskip("torch")
    bits = np.random.default_rng(0).integers(0, 2**32, 20_000, dtype=np.uint32)
    halves = (bits & np.uint32(0xFFFF0000)) | np.uint32(0x8000)
    x = np.concatenate([bits, halves]).view(np.float32)
    wanted = torch.from_numpy(x).bfloat16().float().numpy()
    assert np.array_equal(quantized.bfloat16(x), wanted, equal_nan=True)
    finite = x[np.abs(x) < 3e38][None]
    rows = Bfloat16.of("w", finite)[:]
    assert np.array_equal(rows, wanted[np.abs(x) < 3e38][None])


def test_int8_rows_round_half_to_even_and_keep_zero_rows() -> None:
    w = np.array([[127, 0.5, 1.5, -2.5], [0, 0, 0, 0], [1e-45, 0, 0, -1e-45]], np.float32)
    rows = Int8Rows.of("w", w)
    assert rows.values.tolist() == [[127, 0, 2, -2], [0, 0, 0, 0], [0, 0, 0, 0]]
    assert rows.scale.tolist() == [1, 0, 0]
    assert rows.nbytes == 12 + 12
    assert np.array_equal(rows[[0, 0]][1], rows[0])
    big = np.random.default_rng(0).standard_normal((50, 20), dtype=np.float32)
    error = np.abs(Int8Rows.of("w", big)[:] - big)
    assert (error <= np.abs(big).max(axis=1, keepdims=True) / 254 * 1.00001).all()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("wrong", [np.nan, np.inf, -np.inf])
def test_weights_must_be_finite(kind: str, wrong: float) -> None:
    w = np.ones((2, 3), np.float32)
    w[1, 2] = wrong
    with pytest.raises(ValueError, match="weight_hh_l0 holds NaN or Inf"):
        KINDS[kind].of("weight_hh_l0", w)


@pytest.mark.parametrize("wrong", [np.nan, np.inf])
@pytest.mark.parametrize("name", SPECS)
def test_what_is_no_number_stays_in_its_row(name: str, wrong: float) -> None:
    x, weights, c0 = drawn(name, 2)
    wanted, *_ = run(name, "int8", x, weights, c0=c0)
    x[2, 1, 3] = wrong
    y, *_ = run(name, "int8", x, weights, c0=c0)
    others = [0, 2, 3]
    assert np.array_equal(y[:, others], wanted[:, others])
    assert np.array_equal(y[:2, 1], wanted[:2, 1])
    assert np.isnan(y[2:, 1]).all()


def test_tiny_and_huge_rows_of_x() -> None:
    x, weights, _ = drawn("rnn_tanh", 5)
    x[0, 0], x[0, 1], x[0, 2] = 0, 1e-38, 3e38
    y, *_ = run("rnn_tanh", "int8", x[:1], weights)
    bias = np.tanh(weights[2] + weights[3])
    assert np.allclose(y[0, :2], bias, rtol=0, atol=1e-6)
    assert np.isfinite(y).all()


@pytest.mark.parametrize("name", SPECS)
def test_no_step_and_no_row(name: str) -> None:
    x, weights, _ = drawn(name, 6)
    h0 = np.full((4, 9), 0.5, np.float32)
    y, h_n, _ = run(name, "int8", x[:0], weights, h0)
    assert y.shape == (0, 4, 9)
    assert np.array_equal(h_n, h0)
    assert run(name, "bfloat16", x[:, :0], weights)[0].shape == (7, 0, 9)
