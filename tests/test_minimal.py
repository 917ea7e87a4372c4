"""What every wheel must pass in ten seconds, with NumPy and pytest alone: it loads and is right.

The full ladder runs on the machine that develops; a wheel runs on machines it has never seen. So
each cell meets the NumPy twin here, forward and backward, on every instruction set of the machine.
"""

import subprocess
import sys

import numpy as np
import pytest

import fastrnn
from fastrnn import reference

T, N, I, H = 6, 3, 5, 19  # H is no multiple of any vector length
LENGTHS = np.array([6, 0, 4])
CELLS = {
    "rnn": ("rnn", 1, {}),
    "rnn-relu": ("rnn", 1, {"nonlinearity": "relu"}),
    "lstm": ("lstm", 4, {}),
    "lstm-peephole": ("lstm", 4, {"peephole": True}),
    "gru": ("gru", 3, {}),
    "gru-before": ("gru", 3, {"reset_after": False}),
}
EPS_FACTOR = 200  # rounding errors of T steps of products over I + H terms, forward and back


@pytest.fixture(params=fastrnn.available_isas())
def each_isa(request):
    """Each instruction set of this machine in turn."""
    before = fastrnn.isa()
    fastrnn.set_isa(request.param)
    yield request.param
    fastrnn.set_isa(before)


def operands(gates, peephole, dtype):
    """Arguments of one call, random but for the lengths."""
    rng = np.random.default_rng(7)
    shapes = [(T, N, I), (gates * H, I), (gates * H, H), (gates * H,), (gates * H,), (N, H)]
    arrays = [rng.uniform(-0.5, 0.5, shape).astype(dtype) for shape in shapes]
    extra = {"w_peephole": rng.uniform(-0.5, 0.5, (3, H)).astype(dtype)} if peephole else {}
    return arrays, extra


def run(module, family, arrays, options, state_gradient):
    """Forward and backward, as one list of arrays."""
    y, state, tape = getattr(module, f"{family}_forward")(*arrays, lengths=LENGTHS, **options)
    grads = getattr(module, f"{family}_backward")(tape, np.cos(y), state_gradient)
    h_n = state[0] if family == "lstm" else state
    return [y, h_n, grads.x, grads.w_ih, grads.w_hh, grads.b_ih, grads.b_hh, grads.h0]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("cell", CELLS)
def test_cell_equals_twin(cell, dtype, each_isa):
    family, gates, options = CELLS[cell]
    options = dict(options)
    arrays, extra = operands(gates, options.pop("peephole", False), dtype)
    dh_n = np.linspace(-1, 1, N * H).reshape(N, H)
    got = run(fastrnn, family, arrays, options | extra, dh_n.astype(dtype))
    exact = {name: array.astype(np.float64) for name, array in extra.items()}
    want = run(reference, family, [a.astype(np.float64) for a in arrays], options | exact, dh_n)
    bound = EPS_FACTOR * np.finfo(dtype).eps
    for actual, expected in zip(got, want, strict=True):
        assert actual.dtype == dtype
        scale = max(1.0, float(np.abs(expected).max()))
        np.testing.assert_allclose(actual, expected, rtol=0, atol=bound * scale, err_msg=each_isa)


@pytest.mark.parametrize("layer", [fastrnn.RNN, fastrnn.LSTM, fastrnn.GRU])
def test_layer_streams_what_it_computes(layer, each_isa):
    net = layer(I, H, 2, rng=np.random.default_rng(1))
    x = np.random.default_rng(2).standard_normal((T, N, I), dtype=np.float32)
    y, _ = net(x)
    stream = net.stream(batch_size=N)
    np.testing.assert_array_equal(np.stack([stream.step(x_t) for x_t in x]), y, err_msg=each_isa)


def test_threads_do_not_change_the_result():
    net = fastrnn.LSTM(I, 128, rng=np.random.default_rng(1))
    x = np.random.default_rng(2).standard_normal((20, 32, I), dtype=np.float32)
    with fastrnn.threads(1):
        one, _ = net(x)
    with fastrnn.threads(2):
        two, _ = net(x)
    np.testing.assert_array_equal(one, two)


def test_bad_input_is_refused():
    arrays, _ = operands(4, False, np.float32)
    with pytest.raises(ValueError, match="w_hh"):
        fastrnn.lstm(arrays[0], arrays[1], arrays[2].T)
    with pytest.raises(TypeError, match="w_ih"):
        fastrnn.lstm(arrays[0], arrays[1].astype(np.float64), arrays[2])


def test_unknown_isa_fails_the_import():
    code = "import os; os.environ['FASTRNN_ISA'] = 'abacus'; import fastrnn"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode != 0
    assert "abacus" in done.stderr
    assert "baseline" in done.stderr
