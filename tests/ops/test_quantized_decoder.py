"""A decoder with attention by matrices of fewer bits: the core rounds where the twin does.

One number that rounds the other way moves a product by a 127th, so that core and twin are compared
with more room than sums in another order need; the seeds are fixed.
"""

from typing import Any

import numpy as np
import pytest
from helpers.decoders import CHOICES, draw_params

import fastrnn
from fastrnn import _core, ops
from fastrnn._quantize import PRECISIONS

T, N, S, E, C, H, A, O = 5, 4, 6, 7, 17, 17, 11, 13
LENGTHS: dict[str, Any] = {"lengths": [5, 3, 0, 4], "memory_lengths": [6, 2, 3, 6]}


def drawn(choice: tuple[Any, ...], precision: str, seed: int = 0) -> tuple[Any, ...]:
    """x, memory, params, those with fewer bits, and options."""
    rng = np.random.default_rng(seed)
    params = draw_params(rng, *choice, (E, C, H, A, O))
    params = {name: array.astype(np.float32) for name, array in params.items()}
    few = {
        name: PRECISIONS[precision].of(name, array) if array.ndim == 2 else array
        for name, array in params.items()
    }
    x = rng.standard_normal((T, N, E), dtype=np.float32)
    memory = rng.standard_normal((S, N, C), dtype=np.float32)
    options = dict(zip(("cell", "score", "query", "input_feed"), choice[:4], strict=True))
    return x, memory, params, few, options


@pytest.mark.parametrize("precision", PRECISIONS)
@pytest.mark.parametrize("choice", CHOICES, ids=str)
def test_the_core_rounds_where_the_twin_does(choice: tuple[Any, ...], precision: str) -> None:
    x, memory, params, few, options = drawn(choice, precision)
    got = ops.attention_decoder(x, memory, few, **options, **LENGTHS)
    with fastrnn.use_backend("reference"):
        twin = ops.attention_decoder(x, memory, few, **options, **LENGTHS)
    whole = ops.attention_decoder(x, memory, params, **options, **LENGTHS)
    for ours, theirs, full in zip(got[:3], twin[:3], whole[:3], strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=0, atol=5e-3)
        assert 0 < np.abs(ours - full).max() < 0.3
    for ours, theirs in zip(got[3], twin[3], strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=0, atol=5e-3)


@pytest.mark.parametrize("precision", PRECISIONS)
@pytest.mark.parametrize("cell", ["gru", "lstm"])
def test_one_step_at_a_time_is_the_whole(cell: str, precision: str) -> None:
    x, memory, _, few, options = drawn((cell, "additive", "previous", True, True), precision)
    expected = ops.attention_decoder(x, memory, few, **options)
    step, state = fastrnn.AttentionStep(memory, few, **options), None
    for t in range(T):
        output, context, weights, state = step(x[t], state)
        for ours, theirs in zip((output, context, weights), expected[:3], strict=True):
            np.testing.assert_array_equal(ours, theirs[t])


@pytest.mark.parametrize("precision", PRECISIONS)
def test_a_row_depends_on_no_other(precision: str) -> None:
    x, memory, _, few, options = drawn(("lstm", "general", "current", True, True), precision)
    together = ops.attention_decoder(x, memory, few, **options)
    for n in range(N):
        alone = ops.attention_decoder(x[:, n : n + 1], memory[:, n : n + 1], few, **options)
        for one, all_rows in zip(alone[:3], together[:3], strict=True):
            np.testing.assert_array_equal(one[:, 0], all_rows[:, n])
    for threads in (1, 2):
        again = ops.attention_decoder(x, memory, few, **options, num_threads=threads)
        np.testing.assert_array_equal(again[0], together[0])


def test_matrices_are_packed_once_and_anew_where_one_is_another() -> None:
    x, memory, _, few, options = drawn(("lstm", "dot", "previous", True, False), "int8")
    before = ops.attention_decoder(x, memory, few, **options)[0]
    kept = few["weight_hh"]._together
    assert kept is not None
    ops.attention_decoder(x, memory, few, **options)
    assert few["weight_hh"]._together is kept
    other = drawn(("lstm", "dot", "previous", True, False), "int8", seed=1)[3]
    changed = ops.attention_decoder(x, memory, few | {"weight_ih": other["weight_ih"]}, **options)
    assert not np.array_equal(changed[0], before)
    np.testing.assert_array_equal(ops.attention_decoder(x, memory, few, **options)[0], before)


def test_the_core_refuses_what_does_not_fit() -> None:
    few = drawn(("lstm", "dot", "previous", False, False), "int8")[3]
    inputs = {name: few[name][:] for name in ("weight_ih", "weight_hh")}
    inputs["memory"] = np.zeros((S, N, H), np.float32)
    rows = {
        "weight_ih": few["weight_ih"].values, "scale_ih": few["weight_ih"].scale,
        "weight_hh": few["weight_hh"].values, "scale_hh": few["weight_hh"].scale,
    }  # fmt: skip

    def packed(given: Any, bfloat16: bool = False, wide: bool = False) -> None:
        kind = float if wide else np.float32
        arrays = {name: array.astype(kind) for name, array in inputs.items()}
        _core.DecoderWeights(True, "dot", False, 0, arrays, given, bfloat16)

    packed(rows)
    packed(None, bfloat16=True)
    for given, words in (
        (rows | {"weight_hh": rows["weight_hh"][1:].copy()}, "weight_hh must have shape"),
        (rows | {"scale_hh": rows["scale_hh"][1:].copy()}, "scale must have shape"),
        ({name: rows[name] for name in ("weight_ih", "scale_ih")}, "weight_hh must have shape"),
        (rows | {"more": rows["scale_hh"]}, "known names only"),
    ):
        with pytest.raises(ValueError, match=words):
            packed(given)
    with pytest.raises(ValueError, match="bfloat16 must be False with int8"):
        packed(rows, bfloat16=True)
    with pytest.raises(ValueError, match="fewer bits are for float32"):
        packed(rows, wide=True)
