"""Why: rounding to bfloat16 by cutting off biases every product, and a NaN with a small payload
turns into Inf by it.

Against NumPy that rounds weights, x and h in the same places; equal bits in any batch, place, split
and stream; every cell and option that packed float32 weights take.
"""

from typing import Any

import numpy as np
import pytest
from helpers.compare import assert_identical
from helpers.narrow import DOTS, F32, GATES, SIZES, Layer, bfloat16, run

from fastrnn import _core

PLANS = [(None, 0), ("rows", 1), ("units", 0), ("units", 2)]


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("H", SIZES)
@pytest.mark.parametrize("cell", GATES)
def test_a_step_is_that_of_numpy(cell: str, H: int, threads: int, isa: str) -> None:
    layer = Layer.of(cell, 40 - H, H)
    x = np.random.default_rng(H).standard_normal((1, 5, 40 - H)).astype(F32)
    h0, c0 = layer.states(5)
    expected = layer.step("bfloat16", x[0], h0, c0)
    for plan in ((*plan, dots) for plan in PLANS for dots in DOTS):
        got = run(layer, layer.packed("bfloat16"), x, h0, c0, threads=threads, plan=plan)
        for name, array in expected.items():
            np.testing.assert_allclose(got[name], array, rtol=0, atol=4e-6, err_msg=f"{plan}")


@pytest.mark.parametrize("dots", DOTS)
@pytest.mark.parametrize("seed", range(30))
def test_bits_depend_on_the_row_alone(seed: int, dots: str, isa: str) -> None:
    rng = np.random.default_rng(seed)
    cell = list(GATES)[seed % len(GATES)]
    T, N, I, H = (int(rng.integers(1, most)) for most in (5, 30, 70, 70))
    layer, x = Layer.of(cell, I, H, seed), rng.standard_normal((T, N, I)).astype(F32)
    h0, c0 = layer.states(N, seed)
    lengths = rng.integers(0, T + 1, N) if seed % 2 else None
    options: dict[str, Any] = {"reverse": bool(seed // 2 % 2)}
    packed, auto = layer.packed("bfloat16"), (None, 0, dots)
    expected = run(layer, packed, x, h0, c0, plan=auto, lengths=lengths, **options)
    for threads, plan in ((t, (*p, dots)) for t in (1, 2, 3) for p in PLANS):
        options["lengths"] = lengths
        got = run(layer, packed, x, h0, c0, threads=threads, plan=plan, **options)
        assert_identical(got, expected, f"{threads} {plan}")
    order = rng.permutation(N)[: int(rng.integers(1, N + 1))]
    states = h0[order], None if c0 is None else c0[order]
    options["lengths"] = None if lengths is None else lengths[order]
    some = run(layer, packed, np.ascontiguousarray(x[:, order]), *states, plan=auto, **options)
    for name, array in some.items():
        place = (slice(None), order) if name == "y" else order
        np.testing.assert_array_equal(array, expected[name][place], name)


@pytest.mark.parametrize("cell", GATES)
def test_a_stream_gives_the_bits_of_a_sequence(cell: str, isa: str) -> None:
    layer = Layer.of(cell, 6, 20)
    x = np.random.default_rng(3).standard_normal((5, 3, 6)).astype(F32)
    packed, (h, c) = layer.packed("bfloat16"), layer.states(3)
    whole = run(layer, packed, x, h, c)
    states = h.copy(), None if c is None else c.copy(), np.full_like(h, np.nan)
    other = None if c is None else np.full_like(c, np.nan)
    step = _core.Step([(getattr(_core.Cell, cell), packed, *states, other, None)])
    for t in range(5):
        y = np.empty((3, 20), F32)
        step.run(x[t], y, 1)
        np.testing.assert_array_equal(y, whole["y"][t])


def test_ties_go_to_even_and_what_is_no_number_stays_so(isa: str) -> None:
    """h = w·x of one column, with nothing around it."""
    bits = np.arange(0x3F7F7FFE, 0x3F828002, 0x3FFF, dtype=np.uint32)
    x = np.concatenate([bits, bits | 0x80000000, [0, 0x80000000]]).astype(np.uint32).view(F32)
    one = np.ones((1, 1), F32)
    args: Any = (_core.Cell.rnn_linear, one, np.zeros((1, 1), F32), None, None, None)
    layer = Layer("rnn_linear", one, one, one[0], one[0], None)
    packed = _core.PackedWeights(*args, bfloat16=True)
    for dots in DOTS:
        got = run(layer, packed, x[None, :, None], plan=(None, 0, dots))["h_n"][:, 0]
        np.testing.assert_array_equal(got, bfloat16(x))
        odd = np.uint32([0x7F800001, 0xFF800001, 0x7FFFFFFF]).view(F32)
        got = run(layer, packed, odd[None, :, None], plan=(None, 0, dots))["h_n"]
        assert np.isnan(got).all()
        inf = run(layer, packed, F32([np.inf, -np.inf])[None, :, None])["h_n"][:, 0]
        # h of this step is Inf·1; the next one is not taken.
        np.testing.assert_array_equal(inf, [np.inf, -np.inf])


def test_every_option(isa: str) -> None:
    """Projection, layer normalisation, full peepholes, masks: near those of float32."""
    rng, H, P, I = np.random.default_rng(4), 20, 13, 9
    usual = _core.Choices(("sigmoid", "tanh", "tanh"))

    def draw(*shape: int) -> np.ndarray:
        return (rng.standard_normal(shape) * 0.3).astype(F32)

    x, kind = draw(4, 5, I), _core.Cell.lstm_general
    for projects, norm, full in ((1, 0, 0), (0, 1, 0), (1, 1, 1), (0, 0, 1)):
        width = P if projects else H
        weights = [draw(4 * H, I), draw(4 * H, width), draw(4 * H), draw(4 * H)]
        weights += [draw(3 * H, H) if full else None, draw(P, H) if projects else None]
        weights += [draw(10, H) + 1 if norm else None]
        layer = Layer("lstm_general", weights[0], weights[1], weights[2], weights[3], None)
        masks = {"h_mask": np.abs(draw(5, width)) * 3, "choices": usual}
        if not full:
            masks["c_keep"] = np.abs(draw(4, 5, H))
        got = []
        for narrow in (False, True):
            packed = _core.PackedWeights(kind, *weights, bfloat16=narrow)
            out = {"y": np.empty((4, 5, width), F32), "h_n": np.empty((5, width), F32)}
            out["c_n"] = np.empty((5, H), F32)
            got += [run(layer, packed, x, threads=2, **masks, **out)]
            got[-1] |= out
        for name, array in got[0].items():
            np.testing.assert_allclose(got[1][name], array, rtol=0, atol=2e-2, err_msg=name)
            assert not np.array_equal(got[1][name], array)


def test_packed_weights_say_what_they_are(isa: str) -> None:
    layer = Layer.of("gru_after", 64, 64)
    plain = layer.w_ih, layer.w_hh, layer.b_ih, layer.b_hh, None
    whole, packed = _core.PackedWeights(_core.Cell.gru_after, *plain), layer.packed("bfloat16")
    assert (packed.precision, packed.isa) == ("bfloat16", isa)
    assert packed.nbytes < whole.nbytes / 1.9


def test_only_of_float32() -> None:
    w = np.ones((8, 8))
    with pytest.raises(TypeError, match="must have dtype float32"):
        _core.PackedWeights(_core.Cell.rnn_tanh, w, w, None, None, None, bfloat16=True)
