"""Why: the strict layer takes dicts of arrays. Whatever is wrong in one is refused by name, before
anything is read or written.
"""

from typing import Any

import numpy as np
import pytest

from fastrnn import _core
from fastrnn._decoder_run import DecoderRun, open_run

T, N, S, E, C, H, A = 2, 3, 4, 2, 3, 5, 4
TOKENS, ROWS = np.zeros(T * N, np.int64), np.arange(N)


def ready(rng: np.random.Generator) -> DecoderRun:
    shapes = {
        "weight_ih": (3 * H, E + C), "weight_hh": (3 * H, H), "weight_query": (A, H),
        "weight_key": (A, C), "vector": (A,),
    }  # fmt: skip
    params = {name: rng.normal(size=shape) for name, shape in shapes.items()}
    x, memory = rng.normal(size=(T, N, E)), rng.normal(size=(S, N, C))
    return open_run(
        x, memory, params, None, 0, cell="gru", score="additive", query="previous",
        input_feed=True, memory_lengths=[4, 0, 1], lengths=[2, 1, 0], num_threads=None,
    )  # fmt: skip


def forward(run: DecoderRun, **kind: Any) -> None:
    given = {"lstm": False, "score": "additive", "current": False, "feed": C, "keys_ready": False}
    _core.attention_decoder_forward(**(given | kind), inputs=run.inputs, outputs=run.outputs)


WRONG: dict[str, tuple[dict[str, Any], dict[str, Any], str]] = {
    "missing x": ({"x": None}, {}, "hold x"),
    "unknown": ({"w": np.ones(2)}, {}, "known names only"),
    "x float32": ({"x": np.ones((T, N, E), np.float32)}, {}, "x must have dtype"),
    "x rank": ({"x": np.ones((N, E))}, {}, "x must have shape"),
    "x strided": ({"x": np.ones((T, N, 2 * E))[:, :, ::2]}, {}, "x must be C-contiguous"),
    "x list": ({"x": [[1.0]]}, {}, "x must be a numpy.ndarray"),
    "memory rows": ({"memory": np.ones((S, N + 1, C))}, {}, "must"),
    "weight_ih": ({"weight_ih": np.ones((3 * H, E))}, {}, "w_ih must have shape"),
    "weight_hh": ({"weight_hh": np.ones((2 * H, H))}, {}, "w_hh must have shape"),
    "no vector": ({"vector": None}, {}, "hold weight_query, weight_key and vector"),
    "vector": ({"vector": np.ones(A + 1)}, {}, "vector must have shape"),
    "lengths": ({"lengths": np.array([0, 3, 1])}, {}, "lengths must lie in 0..2, got 3"),
    "negative": ({"lengths": np.array([0, -1, 1])}, {}, "lengths must lie in"),
    "memory_lengths": ({"memory_lengths": np.array([5, 0, 0])}, {}, "memory_lengths must lie in"),
    "memory_rows": ({"memory_rows": np.array([0, 1, 3])}, {}, "memory_rows must lie in"),
    "bias_output": ({"bias_output": np.ones(H)}, {}, "b_output must be absent"),
    "outputs": ({}, {"outputs": np.ones((T, N, H + 1))}, "outputs must have shape"),
    "no gates": ({}, {"gates": None}, "hold outputs, contexts, attn, gates and states"),
    "no keys": ({}, {"keys": None}, "exactly where they are used"),
    "cells": ({}, {"cells": np.ones((T + 1, N, H))}, "exactly where they are used"),
    "states": ({}, {"states": np.ones((T, N, H))}, "states must have shape"),
    "other": ({}, {"y": np.ones(2)}, "known names only"),
    "table and x": ({"table": np.ones((2, 3 * H)), "tokens": TOKENS}, {}, "x, or table and tokens"),
    "no tokens": ({"x": None, "table": np.ones((2, 3 * H))}, {}, "x, or table and tokens"),
    "table": ({"x": None, "table": np.ones((2, 3)), "tokens": TOKENS}, {}, "table must have shape"),
    "token": ({"x": None, "table": np.ones((0, 3 * H)), "tokens": TOKENS}, {}, "tokens must lie"),
    "tokens": ({"x": None, "table": np.ones((1, 3 * H)), "tokens": ROWS}, {}, "tokens must have"),
    "projected alone": ({"projected": np.ones((S, N, 3 * H))}, {}, "must be there together"),
    "projected": ({"projected": np.ones((S, N, H)), "projected_rows": ROWS}, {}, "(S', M', P)"),
    "row": ({"projected": np.ones((S, 2, 3 * H)), "projected_rows": ROWS}, {}, "rows must lie in"),
    "short": ({"projected": np.ones((3, N, 3 * H)), "projected_rows": ROWS}, {}, "all positions"),
}


@pytest.mark.check(10)
@pytest.mark.parametrize("case", WRONG)
def test_a_wrong_array_is_refused_by_name(case: str, rng: np.random.Generator) -> None:
    run, (inputs, outputs, words) = ready(rng), WRONG[case]
    forward(run)  # a positive control
    for arrays, change in ((run.inputs, inputs), (run.outputs, outputs)):
        for name, array in change.items():
            arrays.pop(name, None)
            if array is not None:
                arrays[name] = array
    with pytest.raises((TypeError, ValueError), match=words):
        forward(run)


@pytest.mark.check(10)
@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ({"lstm": 1}, "lstm must be a bool"),
        ({"score": "cosine"}, "score must be"),
        ({"score": None}, "score must be a str"),
        ({"feed": -1}, "feed must be at least 0"),
        ({"feed": 1.0}, "feed must be an int"),
        ({"feed": 2**70}, r"feed must be below 2\*\*63"),
        ({"feed": 2**63 - 1}, "F must be the width of what feeds"),
        ({"feed": C + 1}, "must"),
        ({"lstm": True}, "w_hh must have shape"),
        ({"score": "dot"}, "must"),
        ({"current": None}, "current must be a bool"),
        ({"num_threads": -1}, "num_threads must be in"),
    ],
)
def test_a_wrong_kind_is_refused(kind: dict, words: str, rng: np.random.Generator) -> None:
    with pytest.raises((TypeError, ValueError), match=words):
        forward(ready(rng), **kind)


@pytest.mark.check(12)
def test_outputs_share_no_memory(rng: np.random.Generator) -> None:
    run = ready(rng)
    run.outputs["queries"] = run.outputs["gates"].reshape(-1)[: T * N * A].reshape(T, N, A)
    with pytest.raises(ValueError, match="must not share memory with"):
        forward(run)
    with pytest.raises(TypeError, match="inputs must be a dict"):
        _core.attention_decoder_forward(
            False, "dot", False, 0, False, [], run.outputs  # type: ignore[arg-type]
        )


def packed(rng: np.random.Generator, **changed: Any) -> _core.DecoderWeights:
    inputs = ready(rng).inputs | changed
    del inputs["x"], inputs["lengths"]
    return _core.DecoderWeights(False, "additive", False, C, inputs)


def test_packed_weights_must_be_those_of_the_call(rng: np.random.Generator) -> None:
    run = ready(rng)
    given = (False, "additive", False, C, True, run.inputs, run.outputs, 0)
    run.forward()
    expected = {name: a.copy() for name, a in run.outputs.items()}
    inputs = {name: a for name, a in run.inputs.items() if name not in ("x", "lengths")}
    _core.attention_decoder_forward(
        *given, weights=_core.DecoderWeights(False, "additive", False, C, inputs)
    )
    for name in ("outputs", "contexts", "states"):
        np.testing.assert_array_equal(run.outputs[name], expected[name])
    wider = {"weight_query": np.ones((A + 1, H)), "weight_key": np.ones((A + 1, C))}
    other = packed(rng, **wider, vector=np.ones(A + 1))
    with pytest.raises(ValueError, match="weights must be those that were packed"):
        _core.attention_decoder_forward(*given, weights=other)
    singles = {name: a.astype(np.float32) if a.dtype == float else a for name, a in inputs.items()}
    single = _core.DecoderWeights(False, "additive", False, C, singles)
    with pytest.raises(ValueError, match="weights must be of the dtype"):
        _core.attention_decoder_forward(*given, weights=single)
    empty = _core.DecoderWeights.__new__(_core.DecoderWeights)
    for wrong, words in ((empty, "be initialised"), (3, "must be a DecoderWeights")):
        with pytest.raises((TypeError, ValueError), match=words):
            _core.attention_decoder_forward(*given, weights=wrong)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="w_hh must have shape"):
        packed(rng, weight_hh=np.ones((2 * H, H)))
