"""Why: sums of bytes saturate in some instructions (vpmaddubsw), quantised layers of others depend
on the batch by a scale shared between its rows, and converting NaN to a whole number is undefined.

Against NumPy, step by step; equal bits on every instruction set, in any batch, place, split and
stream; NaN stays in its row.
"""

import dataclasses
from typing import Any

import numpy as np
import pytest
from helpers.compare import assert_identical
from helpers.narrow import DOTS, F32, GATES, SIZES, Layer, quantised, run
from helpers.runners import forced_isa, isas_under_test

from fastrnn import _core

PLANS = [(None, 0), ("rows", 1), ("units", 0), ("units", 2)]
SPLITS = [(*plan, dots) for plan in PLANS for dots in DOTS]


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("H", SIZES)
@pytest.mark.parametrize("cell", GATES)
def test_a_step_is_that_of_numpy(cell: str, H: int, threads: int, isa: str) -> None:
    layer = Layer.of(cell, 40 - H, H)
    x = np.random.default_rng(H).standard_normal((1, 5, 40 - H)).astype(F32)
    h0, c0 = layer.states(5)
    expected = layer.step("int8", x[0], h0, c0)
    for plan in SPLITS:
        got = run(layer, layer.packed("int8"), x, h0, c0, threads=threads, plan=plan)
        for name, array in expected.items():
            np.testing.assert_allclose(got[name], array, rtol=0, atol=2e-6, err_msg=f"{plan}")
        np.testing.assert_array_equal(got["y"][0], got["h_n"])


@pytest.mark.parametrize("cell", GATES)
def test_steps_of_a_sequence_are_single_steps(cell: str, isa: str) -> None:
    layer = Layer.of(cell, 6, 20)
    x = np.random.default_rng(3).standard_normal((5, 3, 6)).astype(F32)
    packed, (h, c) = layer.packed("int8"), layer.states(3)
    whole = run(layer, packed, x, h, c)
    step = _core.Step([_stream(layer, packed, h, c)])
    for t in range(5):
        one, y = run(layer, packed, x[t : t + 1], h, c), np.empty((3, 20), F32)
        step.run(x[t], y, 1)
        h, c = one["h_n"], one.get("c_n")
        np.testing.assert_array_equal(whole["y"][t], h)
        np.testing.assert_array_equal(y, h)
    assert_identical(whole, {**one, "y": whole["y"]})


def _stream(layer: Layer, packed: Any, h: np.ndarray, c: np.ndarray | None) -> tuple[Any, ...]:
    states = h.copy(), None if c is None else c.copy(), np.full_like(h, 7)
    other = None if c is None else np.full_like(c, 7)
    return getattr(_core.Cell, layer.cell), packed, *states, other, None


@pytest.mark.every_isa
@pytest.mark.parametrize("seed", range(60))
def test_bits_depend_on_the_row_alone(seed: int) -> None:
    rng = np.random.default_rng(seed)
    cell = list(GATES)[seed % len(GATES)]
    T, N, I, H = (int(rng.integers(1, most)) for most in (6, 30, 70, 70))
    layer, x = Layer.of(cell, I, H, seed), rng.standard_normal((T, N, I)).astype(F32)
    h0, c0 = layer.states(N, seed)
    lengths = rng.integers(0, T + 1, N) if seed % 2 else None
    options: dict[str, Any] = {"lengths": lengths, "reverse": bool(seed // 2 % 2)}
    expected = None
    for isa in isas_under_test():
        with forced_isa(isa):
            packed = layer.packed("int8")
            for threads, plan in ((t, p) for t in (1, 2, 3) for p in SPLITS):
                got = run(layer, packed, x, h0, c0, threads=threads, plan=plan, **options)
                expected = got if expected is None else expected
                assert_identical(got, expected, f"{isa} {threads} {plan}")
            order = rng.permutation(N)[: int(rng.integers(1, N + 1))]
            states = h0[order], None if c0 is None else c0[order]
            options |= {"lengths": None if lengths is None else lengths[order]}
            some = run(layer, packed, np.ascontiguousarray(x[:, order]), *states, **options)
            options |= {"lengths": lengths}
            for name, array in some.items():
                place = (slice(None), order) if name == "y" else order
                np.testing.assert_array_equal(array, expected[name][place], f"{isa} {name}")


@pytest.mark.parametrize("K", [1, 3, 4, 63, 64, 65, 1000])
def test_sums_are_exact(K: int, isa: str) -> None:
    """Large products of both signs leave a small sum: what saturates or rounds shows."""
    q = np.full((K, K), 127, np.int8)
    q[:, K // 2 :] = -127
    if K % 2:
        q[:, -1] = 0
    q[:, 0] += np.where(q[:, 0] > 0, -1, 0).astype(np.int8)
    h0 = np.ones((2, K), F32)
    h0[1] = -1
    scale = np.full(K, 2.0**-14, F32)
    layer = Layer("rnn_tanh", q[:, :1], q, scale, scale, None)
    packed = _core.PackedWeights(_core.Cell.rnn_tanh, None, q, None, None, None, scale_hh=scale)
    sums = h0.astype(np.int64) * 127 @ q.T.astype(np.int64)
    for dots in DOTS:
        got = run(layer, packed, np.zeros((1, 2, K), F32), h0, plan=(None, 0, dots))
        pre = sums.astype(F32) * (scale / F32(127))
        np.testing.assert_allclose(got["h_n"], np.tanh(np.float64(pre)), rtol=1e-6)


@pytest.mark.parametrize("where", ["x", "h0", "c0"])
@pytest.mark.parametrize("cell", GATES)
def test_what_is_no_number_stays_in_its_row(cell: str, where: str, isa: str) -> None:
    layer = Layer.of(cell, 9, 20)
    x = np.random.default_rng(5).standard_normal((4, 7, 9)).astype(F32)
    h0, c0 = layer.states(7)
    if where == "c0" and c0 is None:
        return
    for bad in (np.nan, np.inf, -np.inf) if where == "x" else (np.nan,):
        given: dict[str, Any] = {"x": x.copy(), "h0": h0.copy(), "c0": c0 if c0 is None else c0 + 0}
        given[where][(1, 3, 4) if where == "x" else (3, 4)] = bad
        for plan in SPLITS:
            clean = run(layer, layer.packed("int8"), x, h0, c0)
            got = run(layer, layer.packed("int8"), **given, threads=2, plan=plan)
            others = np.arange(7) != 3
            np.testing.assert_array_equal(got["y"][:, others], clean["y"][:, others])
            first = 1 if where in ("x", "c0") else 0
            assert np.isnan(got["y"][first:, 3]).all()
            if where == "x":
                np.testing.assert_array_equal(got["y"][0], clean["y"][0])


def test_rows_of_x_that_are_small_and_large(isa: str) -> None:
    layer = Layer.of("rnn_tanh", 33, 12)
    base = np.random.default_rng(6).standard_normal(33).astype(F32)
    factors = F32([0, 1e-45, 1e-38, 2.0**-101, 2.0**-99, 1e-20, 1, 1e20, 1e37])
    x = (base / np.max(np.abs(base)) * factors[:, None]).astype(F32)[None]
    got = run(layer, layer.packed("int8"), x)
    expected = layer.step("int8", x[0], np.zeros((len(factors), 12), F32), None)
    np.testing.assert_allclose(got["h_n"], expected["h_n"], rtol=0, atol=2e-6)


@pytest.mark.parametrize(("T", "N"), [(0, 3), (3, 0), (0, 0)])
@pytest.mark.parametrize("cell", GATES)
def test_nothing_to_do(cell: str, T: int, N: int, isa: str) -> None:
    layer = Layer.of(cell, 4, 9)
    h0, c0 = layer.states(N)
    got = run(layer, layer.packed("int8"), np.zeros((T, N, 4), F32), h0, c0, threads=2)
    np.testing.assert_array_equal(got["h_n"], h0)
    if c0 is not None:
        np.testing.assert_array_equal(got["c_n"], c0)


def test_general_cells_and_projected_x(isa: str) -> None:
    """A general cell told what the plain one does gives its bits; so does an x projected before."""
    layer, rng = Layer.of("lstm", 11, 20), np.random.default_rng(7)
    x = rng.standard_normal((4, 5, 11)).astype(F32)
    (q_ih, s_ih), (q_hh, s_hh) = quantised(layer.w_ih), quantised(layer.w_hh)
    general, biases = _core.Cell.lstm_general, (layer.b_ih, layer.b_hh, None)
    packed = _core.PackedWeights(general, q_ih, q_hh, *biases, scale_ih=s_ih, scale_hh=s_hh)
    expected = run(layer, layer.packed("int8"), x)
    chosen = Layer("lstm_general", layer.w_ih, layer.w_hh, *biases)
    usual = ("sigmoid", "tanh", "tanh")
    assert_identical(run(chosen, packed, x, choices=_core.Choices(usual)), expected)
    coupled = run(chosen, packed, x, choices=_core.Choices(usual, "ifo", True, clip=0.5), threads=2)
    assert np.abs(coupled["y"]).max() < 1
    assert not np.array_equal(coupled["y"], expected["y"])
    bare = _core.PackedWeights(_core.Cell.lstm, None, q_hh, *biases, scale_hh=s_hh)
    zero = run(layer, bare, np.zeros((4, 5, 80), F32))
    assert_identical(zero, run(layer, layer.packed("int8"), np.zeros((4, 5, 11), F32)))


# Cells whose h can leave -1 .. 1, or (full) that have products of c, and what they are told.
UNBOUNDED: dict[str, tuple[str, tuple[str, ...]]] = {
    "relu": ("rnn_general", ("relu",)),
    "linear": ("rnn_general", ("linear",)),
    "gru_after": ("gru_after_general", ("sigmoid", "relu")),
    "gru_before": ("gru_before_general", ("sigmoid", "softplus")),
    "lstm": ("lstm_general", ("sigmoid", "tanh", "linear")),
    "projection": ("lstm_general", ("sigmoid", "tanh", "tanh")),
    "full": ("lstm_general", ("sigmoid", "tanh", "tanh")),
    "full projection": ("lstm_general", ("sigmoid", "tanh", "softplus")),
}


@dataclasses.dataclass(frozen=True)
class Unbounded:
    """One of them with drawn weights; P columns of h."""

    kind: str
    rows: tuple[Any, ...]  # w_ih, w_hh, full w_peephole, w_hr, as int8 rows and scales; None: none
    biases: tuple[np.ndarray, np.ndarray]
    H: int
    P: int

    @classmethod
    def of(cls, kind: str, I: int, H: int, seed: int) -> "Unbounded":
        draw = np.random.default_rng([seed, I, H]).standard_normal
        P = max(1, H // 2) if "projection" in kind else H
        G = {"rnn": 1, "gru": 3, "lst": 4}[UNBOUNDED[kind][0][:3]]
        shapes: list[Any] = [(G * H, I), (G * H, P)]
        shapes += [(3 * H, H) if "full" in kind else None, (P, H) if "projection" in kind else None]
        rows = tuple(s and quantised((draw(s) / s[1] ** 0.5).astype(F32)) for s in shapes)
        biases = draw(G * H).astype(F32), draw(G * H).astype(F32)
        return cls(kind, rows, biases, H, P)

    def run(self, x: np.ndarray, h0: Any, c0: Any, **options: Any) -> dict[str, np.ndarray]:
        cell, names = UNBOUNDED[self.kind]
        ih, hh, full, hr = ((None, None) if pair is None else pair for pair in self.rows)
        packed = _core.PackedWeights(
            getattr(_core.Cell, cell), ih[0], hh[0], *self.biases, full[0], hr[0],
            scale_ih=ih[1], scale_hh=hh[1], scale_peephole=full[1], scale_hr=hr[1],
        )  # fmt: skip
        c_n = {"c_n": np.full((x.shape[1], self.H), np.nan, F32)} if cell == "lstm_general" else {}
        layer = Layer(cell, ih[0], hh[0], *self.biases, None)
        told = {"choices": _core.Choices(names)}
        return run(layer, packed, x, h0, c0, **c_n, **told, **options) | c_n

    def states(self, N: int) -> tuple[np.ndarray, np.ndarray | None]:
        draw = np.random.default_rng(N).standard_normal
        c0 = draw((N, self.H)).astype(F32) if UNBOUNDED[self.kind][0] == "lstm_general" else None
        h0 = (3 * draw((N, self.P))).astype(F32)
        return np.tanh(h0) if self.kind == "full" else h0, c0


@pytest.mark.every_isa
@pytest.mark.parametrize("seed", range(16))
@pytest.mark.parametrize("kind", UNBOUNDED)
def test_bits_depend_on_the_row_alone_where_h_has_no_bounds(kind: str, seed: int) -> None:
    rng = np.random.default_rng(seed)
    T, N, I, H = (int(rng.integers(1, most)) for most in (6, 40, 70, 70))
    layer, x = Unbounded.of(kind, I, H, seed), rng.standard_normal((T, N, I)).astype(F32)
    x[0, N // 2] *= F32(1e-4)
    h0, c0 = layer.states(N)
    h0[N // 3] *= F32(1e-3)
    lengths = rng.integers(0, T + 1, N) if seed % 2 else None
    options: dict[str, Any] = {"lengths": lengths, "reverse": bool(seed // 2 % 2)}
    expected = None
    for isa in isas_under_test():
        with forced_isa(isa):
            for threads, plan in ((t, p) for t in (1, 3) for p in SPLITS):
                got = layer.run(x, h0, c0, threads=threads, plan=plan, **options)
                expected = got if expected is None else expected
                assert_identical(got, expected, f"{isa} {threads} {plan}")
            order = rng.permutation(N)[: int(rng.integers(1, N + 1))]
            states = h0[order], None if c0 is None else c0[order]
            alone = options | {"lengths": None if lengths is None else lengths[order]}
            some = layer.run(np.ascontiguousarray(x[:, order]), *states, **alone)
            for name, array in some.items():
                place = (slice(None), order) if name == "y" else order
                np.testing.assert_array_equal(array, expected[name][place], f"{isa} {name}")


@pytest.mark.parametrize("kind", UNBOUNDED)
def test_what_is_no_number_stays_in_its_row_where_h_has_no_bounds(kind: str, isa: str) -> None:
    layer = Unbounded.of(kind, 9, 20, 1)
    x = np.random.default_rng(5).standard_normal((4, 7, 9)).astype(F32)
    h0, c0 = layer.states(7)
    clean, others = layer.run(x, h0, c0), np.arange(7) != 3
    assert np.isfinite(clean["y"]).all()
    for bad in (np.nan, np.inf)[: 1 if kind == "full" else 2]:
        h0[3, 4] = bad
        for plan in SPLITS:
            got = layer.run(x, h0, c0, threads=2, plan=plan)
            np.testing.assert_array_equal(got["y"][:, others], clean["y"][:, others])
            assert np.isnan(got["y"][1:, 3]).all()


def test_packed_weights_say_what_they_are(isa: str) -> None:
    layer = Layer.of("gru_after", 64, 64)
    packed, plain = (
        layer.packed("int8"),
        _core.PackedWeights(
            _core.Cell.gru_after, layer.w_ih, layer.w_hh, layer.b_ih, layer.b_hh, None
        ),
    )
    assert (packed.precision, packed.isa, plain.precision) == ("int8", isa, "float32")
    assert packed.nbytes < plain.nbytes / 3


def _weights(cell: str, **more: Any) -> dict[str, Any]:
    rows, scale = (4 if "lstm" in cell else 1) * 8, F32([0.1])
    given = {"w_ih": np.ones((rows, 3), np.int8), "w_hh": np.ones((rows, 8), np.int8)}
    given |= dict.fromkeys(("b_ih", "b_hh", "w_peephole"))
    scales = dict.fromkeys(("scale_ih", "scale_hh"), np.repeat(scale, rows))
    return {"cell": getattr(_core.Cell, cell), **given, **scales, **more}


@pytest.mark.parametrize(
    ("cell", "more", "words"),
    [
        ("rnn_relu", {}, "h of rnn_relu can leave -1 .. 1: int8 weights are for its general cell"),
        ("rnn_linear", {}, "h of rnn_linear can leave -1 .. 1"),
        ("rnn_tanh", {"scale_hh": None}, "scale_hh is required"),
        ("rnn_tanh", {"scale_ih": None}, "scale_ih is required"),
        ("rnn_tanh", {"scale_hh": np.ones(7, F32)}, "scale_hh must have shape"),
        ("rnn_tanh", {"scale_ih": np.ones(9, F32)}, "scale_ih must have shape"),
        ("rnn_tanh", {"w_ih": np.ones((7, 3), np.int8)}, "w_ih must have shape"),
        ("rnn_tanh", {"w_hh": np.ones((8, 7), np.int8)}, "w_hh must have shape"),
        ("rnn_tanh", {"bfloat16": True}, "bfloat16 must be False where w_hh is int8"),
        ("lstm_general", {"w_norm": np.ones((10, 8), F32)}, "w_norm is not taken with int8"),
        ("lstm_general", {"w_peephole": np.ones((24, 8), F32)}, "must be int8 where w_hh is"),
        ("lstm_general", {"w_peephole": np.ones((24, 8), np.int8)}, "scale_peephole is required"),
        ("lstm_general", {"w_peephole": np.ones((3, 8), np.int8)}, "w_peephole must have shape"),
        ("lstm_general", {"w_hr": np.ones((8, 8), np.int8)}, "scale_hr is required"),
        ("lstm_general", {"scale_hr": np.ones(8, F32)}, "scale_hr must be None without"),
        ("lstm", {"scale_peephole": np.ones(24, F32)}, "scale_peephole must be None without"),
        (
            "rnn_tanh",
            {"w_ih": np.broadcast_to(np.int8(1), (8, 133145))},
            "at most 133144 columns of int8",
        ),
    ],
)
def test_refused_weights(cell: str, more: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        _core.PackedWeights(**_weights(cell, **more))


def test_wrong_types() -> None:
    for name, wrong in (("w_ih", F32), ("scale_ih", float), ("scale_hh", float), ("b_ih", float)):
        shape = (8, 3) if name == "w_ih" else 8
        with pytest.raises(TypeError, match=f"{name} must have dtype"):
            _core.PackedWeights(**_weights("rnn_tanh", **{name: np.ones(shape, wrong)}))
    floats = {"w_ih": np.ones((8, 3), F32), "w_hh": np.ones((8, 8), F32)}
    with pytest.raises(ValueError, match="scale_ih must be None where w_hh is not int8"):
        _core.PackedWeights(**_weights("rnn_tanh", **floats))


def test_refused_calls() -> None:
    layer, x = Layer.of("gru_after", 3, 8), np.zeros((1, 2, 3), F32)
    packed = layer.packed("int8")
    with pytest.raises(ValueError, match=r"h0 must lie within -1 .. 1"):
        run(layer, packed, x, np.full((2, 8), np.nextafter(F32(1), F32(2))))
    run(layer, packed, x, np.full((2, 8), F32(-1)))
    general = _core.PackedWeights(**_weights("lstm_general"))
    chosen = Layer("lstm_general", layer.w_ih, layer.w_hh, layer.b_ih, layer.b_hh, None)
    beyond = np.full((2, 8), F32(2))
    for names in (("relu", "tanh", "tanh"), ("sigmoid", "tanh", "linear")):
        run(chosen, general, x, beyond, choices=_core.Choices(names))
    mask = np.ones((2, 8), F32)
    usual = _core.Choices(("sigmoid", "tanh", "tanh"))
    with pytest.raises(ValueError, match=r"h0 must lie within -1 .. 1"):
        run(chosen, general, x, beyond, choices=usual)
    with pytest.raises(ValueError, match="h_mask is not taken with int8"):
        run(chosen, general, x, choices=usual, h_mask=mask)
