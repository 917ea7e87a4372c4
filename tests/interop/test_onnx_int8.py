"""Why: ONNX Runtime is the judge of its own operator DynamicQuantizeLSTM: what we write it must
run, and what its quantiser makes of our files we must read, each within what int8 costs anyway.
"""

import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import fastrnn
from fastrnn.io import OnnxNode, load_onnx

onnx = pytest.importorskip("onnx")
ort = pytest.importorskip("onnxruntime")

# ONNX Runtime scales x and h by the range of the whole batch, we x row by row and h by 127: both
# err from float32 by what int8 costs, some 2e-3 for these sizes.
NEAR = 6e-3
H, I, T, N = 32, 8, 12, 3
VARIANTS: dict[str, dict[str, Any]] = {
    "plain": {},
    "bidirectional": {"bidirectional": True},
    "peephole": {"peephole": True},
    "no bias": {"bias": False},
    "stack": {"num_layers": 2, "bidirectional": True, "batch_first": True},
    "sum": {"bidirectional": True, "merge_mode": "sum"},
}


@pytest.fixture(autouse=True)
def _quiet() -> Iterator[None]:
    """ONNX Runtime's quantiser advises to optimise the graph first."""
    logging.disable(logging.WARNING)
    yield
    logging.disable(logging.NOTSET)


def run(path: Path, **inputs: Any) -> list[np.ndarray]:
    found: list[np.ndarray] = ort.InferenceSession(path).run(None, inputs)
    return found


def layer(name: str) -> Any:
    return fastrnn.LSTM(I, H, **VARIANTS[name], rng=np.random.default_rng(0))


def data(name: str, seed: int = 1) -> np.ndarray:
    x = np.random.default_rng(seed).standard_normal((T, N, I), dtype=np.float32)
    return np.ascontiguousarray(x.swapaxes(0, 1)) if name == "stack" else x


@pytest.mark.parametrize("name", VARIANTS)
def test_what_is_written_runs(name: str, tmp_path: Path) -> None:
    full = layer(name)
    q, x, path = full.quantize("int8"), data(name), tmp_path / "q.onnx"
    q.to_onnx(path, state=True, lengths=True)
    source, L = np.random.default_rng(2), full.num_layers * (1 + full.bidirectional)
    h0, c0 = (source.uniform(-1, 1, (L, N, H)).astype(np.float32) for _ in range(2))
    lengths = np.array([T, 3, 7], np.int32)
    y, h_n, c_n = run(path, x=x, h0=h0, c0=c0, lengths=lengths)
    mine, (mine_h, mine_c) = q(x, (h0, c0), lengths=lengths)
    for found, wanted in ((mine, y), (mine_h, h_n), (mine_c, c_n)):
        assert found.shape == wanted.shape
        assert 0 < np.abs(found - wanted).max() < NEAR
    floats = full(x, (h0, c0), lengths=lengths)[0]
    assert np.abs(y - floats).max() < NEAR
    assert path.stat().st_size < 0.5 * full.nbytes


@pytest.mark.parametrize("name", VARIANTS)
def test_what_is_written_is_read_again_bit_for_bit(name: str, tmp_path: Path) -> None:
    q, path = layer(name).quantize("int8"), tmp_path / "q.onnx"
    q.to_onnx(path)
    nodes = list(load_onnx(path).values())
    assert len(nodes) == q.num_layers
    if q.num_layers > 1 or q.merge_mode != "concat":
        return
    read = nodes[0].layer()
    x = data(name)
    assert read.quantized == "int8"
    assert np.array_equal(read(x)[0], q(x)[0])
    Y, Y_h, Y_c = nodes[0](x, [T, 3, 7])
    y, (h_n, c_n) = q(x, lengths=[T, 3, 7])
    assert np.array_equal(Y.transpose(0, 2, 1, 3).reshape(y.shape)[:3], y[:3])
    assert np.array_equal(Y_h, h_n)
    assert np.array_equal(Y_c, c_n)


@pytest.mark.parametrize("per_channel", [False, True])
@pytest.mark.parametrize("weights", ["QInt8", "QUInt8"])
@pytest.mark.parametrize("name", ["plain", "bidirectional", "peephole", "no bias"])
def test_what_its_quantiser_makes_is_read(
    name: str, weights: str, per_channel: bool, tmp_path: Path
) -> None:
    quantization = pytest.importorskip("onnxruntime.quantization")
    before, after = tmp_path / "f.onnx", tmp_path / "q.onnx"
    full = layer(name)
    full.to_onnx(before)
    quantization.quantize_dynamic(
        before, after, weight_type=quantization.QuantType[weights], per_channel=per_channel,
        op_types_to_quantize=["LSTM"],
    )  # fmt: skip
    (node,) = load_onnx(after).values()
    x = data(name)
    wanted = run(after, x=x)[0]
    y = node.layer()(x)[0]
    assert np.abs(y - wanted).max() < NEAR
    assert np.abs(node(x)[0].transpose(0, 2, 1, 3).reshape(y.shape) - wanted).max() < NEAR


def made(**more: Any) -> Any:
    source = np.random.default_rng(3)
    given: dict[str, Any] = {
        "W": source.integers(-127, 128, (1, I, 4 * H)).astype(np.int8),
        "R": source.integers(-127, 128, (1, H, 4 * H)).astype(np.int8),
        "W_scale": np.full(1, 0.002, np.float32), "R_scale": np.full(1, 0.003, np.float32),
    }  # fmt: skip
    return OnnxNode.make("LSTM", **(given | more))


def test_zero_points_and_unsigned_bytes_stand_for_the_same_numbers() -> None:
    x = data("plain")
    wanted = made()
    W = (made_W := np.random.default_rng(3).integers(-127, 128, (1, I, 4 * H))) + 128
    zero = np.full(1, 128, np.uint8)
    same = made(W=W.astype(np.uint8), W_zero_point=zero)
    assert np.array_equal(same(x)[0], wanted(x)[0])
    # Around another zero point the numbers do not fit -127..127, and are rounded anew.
    zero = np.full((1, 4 * H), 40, np.uint8)
    odd = made(W=W.astype(np.uint8), W_zero_point=zero)
    stands_for = (made_W[0].T + 88) * np.float32(0.002)
    order = np.r_[0:H, 2 * H : 3 * H, 3 * H : 4 * H, H : 2 * H]
    rows = odd.int8[0][0]
    half = np.abs(stands_for).max(axis=1)[order] / 254
    assert (np.abs(rows[:] - stands_for[order]).max(axis=1) <= 1.0001 * half).all()
    assert np.abs(odd.weights[0]["w_ih"] - stands_for[order]).max() < 0.002


def test_activations_that_let_h_leave_its_bounds_are_read() -> None:
    node = made(activations=["Sigmoid", "Tanh", "Relu"])
    x = data("plain")
    state = np.full((1, N, H), 3, np.float32)
    y = node(x, h0=state)[0][:, 0]
    assert np.array_equal(y, node.layer()(x, (state, np.zeros_like(state)))[0])
    floats = fastrnn.lstm(x, **node.weights[0], **node.options[0], h0=state[0])[0]
    assert 0 < np.abs(y - floats).max() < 0.02 * np.abs(floats).max()


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"W_scale": None}, None),
        ({"R_scale": None}, "R_scale is missing"),
        ({"W_scale": np.ones(2, np.float32)}, r"W_scale must have shape \(1,\) or \(1, 128\)"),
        ({"W_scale": np.ones(1)}, "W_scale must be float32"),
        ({"W_scale": np.full(1, np.nan, np.float32)}, "W_scale must be finite"),
        ({"R_zero_point": np.zeros(1, np.uint8)}, "R_zero_point must be int8, got uint8"),
        ({"W": np.zeros((1, I, 4 * H), np.float32)}, "W must be int8 or uint8"),
        ({"W": np.zeros((2, I, 4 * H), np.int8)}, "W must have shape"),
    ],
)
def test_what_is_not_read(more: Any, words: str | None) -> None:
    with pytest.raises((ValueError, TypeError), match=words):
        made(**more)


def test_of_other_cells_there_is_no_such_node(tmp_path: Path) -> None:
    for q in (
        fastrnn.GRU(3, 4).quantize("int8"), fastrnn.LSTM(3, 4).quantize("bfloat16")
    ):
        with pytest.raises(ValueError, match="quantised weights for an LSTM of int8 alone"):
            q.to_onnx(tmp_path / "q.onnx")
    with pytest.raises(ValueError, match="DynamicQuantizeLSTM has no projection"):
        fastrnn.LSTM(3, 4, proj_size=2).quantize("int8").to_onnx(tmp_path / "q.onnx")
    with pytest.raises(ValueError, match="W_scale exists for LSTM only"):
        OnnxNode.make("GRU", np.ones((1, 3, 3)), np.ones((1, 3, 1)), W_scale=np.ones(1))
