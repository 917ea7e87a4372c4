"""Why: weights of int8 and bfloat16 must give what their twin says, near float32, and int8 the same
bits in any batch, place, number of threads, stream and instruction set; what cannot be quantised,
and what a quantised layer is not for, is refused in one clear line.
"""

import copy
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers.runners import forced_isa, forced_plan, isas_under_test

import fastrnn
from fastrnn import _core
from fastrnn._quantize import PRECISIONS as PRECISION_OF
from fastrnn._quantize import Int8Rows

PRECISIONS = ("int8", "bfloat16")
LAYERS = (fastrnn.LSTM, fastrnn.GRU, fastrnn.RNN)
# |y - y of float32| of random weights in ±1/√H and inputs of size 1, a few layers deep. Halves of a
# level, 1/254, and of a bfloat16's last bit, 1/512, times √H terms of 1/√H.
WORST = {"int8": 4e-2, "bfloat16": 2e-2}
# The core against its twin, one step from the same states: the sums of int8 are equal, and what is
# left rounds as float32 does; bfloat16 sums in another order.
TWIN = 3e-6
rng = np.random.default_rng


def draw(seed: int, precision: str = "int8") -> tuple[Any, np.ndarray, np.ndarray]:
    """A random float32 layer that can be quantised so, an input and lengths."""
    source = rng(seed)
    some = lambda p=0.3: bool(source.random() < p)  # noqa: E731
    make = LAYERS[seed % 3]
    options: dict[str, Any] = {"bias": some(0.8), "bidirectional": some(0.5)}
    options |= {"batch_first": some(), "num_layers": int(source.integers(1, 4))}
    hidden: Any = int(source.integers(1, 40))
    if some(0.2):
        hidden, options["num_layers"] = [int(H) for H in source.integers(1, 40, 2)], 2
    if options["bidirectional"]:
        options["merge_mode"] = str(source.choice(["concat", "sum", "mul", "ave"]))
    if some(0.2):
        options["clip"] = 0.8
    if some(0.2):
        options["zoneout"] = 0.2
    if make is fastrnn.LSTM:
        options |= {"peephole": some(), "input_forget": some(0.2)}
        if options["peephole"] and "zoneout" in options:
            options["zoneout"] = (0.2, 0.0)
        if some(0.2):
            options["activations"] = "hard_sigmoid", "softsign", "tanh"
    elif make is fastrnn.GRU:
        options["reset_after"] = some(0.5)
    else:
        options["nonlinearity"] = str(source.choice(["tanh", "sigmoid", "softsign"]))
    if make is fastrnn.LSTM and np.min(hidden) > 1 and some(0.2):
        options["proj_size"] = int(source.integers(1, np.min(hidden)))
    if make is fastrnn.LSTM and "zoneout" not in options and some(0.2):
        options["peephole"] = "full"
    if some(0.2):
        options |= unbounded(make, str(source.choice(["relu", "linear", "softplus", "elu"])))
    if precision == "bfloat16":
        options["layer_norm"] = some(0.1)
    T, N, I = (int(n) for n in source.integers(1, 9, 3))
    layer = make(I, hidden, **options, rng=source)
    x = source.standard_normal((T, N, I), dtype=np.float32)
    return layer, x, source.integers(0, T + 1, N)


def unbounded(make: Any, name: str) -> dict[str, Any]:
    """Options by which h can leave -1 .. 1."""
    if make is fastrnn.RNN:
        return {"nonlinearity": name}
    return {"activations": ("sigmoid", *("tanh",) * (make is fastrnn.LSTM), name)}


def called(layer: Any, x: np.ndarray, *args: Any, **given: Any) -> tuple[np.ndarray, Any]:
    """The layer's results for x (T, N, I), y as (T, N, ·)."""
    first = layer.batch_first
    y, state = layer(x.swapaxes(0, 1) if first else x, *args, **given)
    return (y.swapaxes(0, 1) if first else y), state


def arrays(nest: Any) -> list[np.ndarray]:
    return [nest] if isinstance(nest, np.ndarray) else [a for part in nest for a in arrays(part)]


def rows(state: Any, index: Any) -> Any:
    """The state of some rows, in its form."""
    if isinstance(state, np.ndarray):
        return state[:, index]
    return type(state)(rows(part, index) for part in state)


def same(one: Any, other: Any) -> bool:
    pairs = zip(arrays(one), arrays(other), strict=True)
    return all(np.array_equal(a, b, equal_nan=True) for a, b in pairs)


@pytest.mark.parametrize("precision", PRECISIONS)
def test_a_row_has_the_same_bits_wherever_it_stands(precision: str, long: bool) -> None:
    """Alone, in another order, on two threads, in both splits of the work, in pieces, streamed."""
    for seed in range(2000 if long else 500):
        layer, x, lengths = draw(seed, precision)
        q = layer.quantize(precision)
        y, state = called(q, x, lengths=lengths)
        T, N = x.shape[:2]
        order = rng(seed).permutation(N)
        mixed = called(q, x[:, order], lengths=lengths[order])
        assert same(mixed, (y[:, order], rows(state, order))), seed
        n = int(order[0])
        alone = called(q, x[:, [n]], lengths=lengths[[n]])
        assert same(alone, (y[:, [n]], rows(state, [n]))), seed
        for split in ("rows", "units"):
            with forced_plan(split, 1 + seed % 3), fastrnn.threads(2):
                assert same(called(q, x, lengths=lengths), (y, state)), (seed, split)
        if layer.bidirectional:
            continue
        stream = q.stream(batch_size=N)
        whole, final = called(q, x)
        steps = [stream.step(x_t) for x_t in x]
        assert np.array_equal(np.stack(steps), whole), seed
        assert same(stream.state, final), seed
        cut = T // 2
        first, between = called(q, x[:cut])
        rest, end = called(q, x[cut:], between)
        assert same((np.concatenate([first, rest]), end), (whole, final)), seed


def test_int8_has_the_same_bits_on_every_instruction_set() -> None:
    for seed in range(60):
        layer, x, lengths = draw(seed)
        q, found = layer.quantize("int8"), []
        for name in isas_under_test():
            with forced_isa(name):
                found.append(called(q, x, lengths=lengths))
        assert all(same(found[0], other) for other in found[1:]), seed


@pytest.mark.parametrize("precision", PRECISIONS)
def test_each_step_is_the_twins(precision: str) -> None:
    """Step by step from the same states: a level of h that rounds the other way goes no further."""
    for seed in range(150):
        layer, x, _ = draw(seed, precision)
        if layer.num_layers > 1:
            continue
        q, state = layer.quantize(precision), None
        for x_t in x[:, None]:
            with fastrnn.use_backend("reference"):
                wanted = called(q, x_t, state)
            found = called(q, x_t, state)
            for a, b in zip(arrays(found), arrays(wanted), strict=True):
                assert np.abs(a - b).max(initial=0) < TWIN, (seed, q)
            state = found[1]


@pytest.mark.parametrize("precision", PRECISIONS)
def test_the_twin_serves_streams_and_whole_layers(precision: str) -> None:
    for seed in range(30):
        layer, x, lengths = draw(seed, precision)
        q = layer.quantize(precision)
        y, state = called(q, x, lengths=lengths)
        with fastrnn.use_backend("reference"):
            wanted = called(q, x, lengths=lengths)
            if not layer.bidirectional:
                stream = q.stream(batch_size=x.shape[1])
                assert np.array_equal([stream.step(x_t) for x_t in x], called(q, x)[0]), seed
        # A level of h, or of the next layer's x, that rounds the other way.
        assert np.abs(y - wanted[0]).max(initial=0) < WORST[precision], seed
        assert same(state, state)


@pytest.mark.parametrize("precision", PRECISIONS)
def test_it_is_near_float32(precision: str) -> None:
    for seed in range(100):
        layer, x, lengths = draw(seed)
        q = layer.quantize(precision)
        y, _ = called(layer, x, lengths=lengths)
        found, _ = called(q, x, lengths=lengths)
        assert found.dtype == np.float32
        assert np.abs(found - y).max(initial=0) < WORST[precision], (seed, q)
    lstm = fastrnn.LSTM(64, 128, rng=rng(0))
    x = rng(1).standard_normal((50, 4, 64), dtype=np.float32)
    error = np.abs(lstm.quantize(precision)(x)[0] - lstm(x)[0]).max()
    assert 0 < error < {"int8": 6e-3, "bfloat16": 3e-3}[precision]


@pytest.mark.parametrize("precision", PRECISIONS)
@pytest.mark.parametrize(
    ("make", "options"),
    [
        *((make, unbounded(make, name)) for make in LAYERS for name in ("relu", "linear")),
        (fastrnn.GRU, {"activations": ("tanh", "tanh")}),
        (fastrnn.LSTM, {"proj_size": 4}),
    ],
)
def test_h_needs_no_bound(make: Any, options: Any, precision: str) -> None:
    layer = make(5, 9, **options, rng=rng(0))
    q = layer.quantize(precision)
    x = rng(1).standard_normal((6, 2, 5), dtype=np.float32)
    P = options.get("proj_size", 9)
    state: Any = np.linspace(-3, 3, 2 * P, dtype=np.float32).reshape(1, 2, P)
    if make is fastrnn.LSTM:
        state = state, np.ones((1, 2, 9), np.float32)
    y, _ = q(x, state)
    wanted, _ = layer(x, state)
    worst = WORST[precision] * max(np.abs(wanted).max(), 1)
    assert 0 < np.abs(y - wanted).max() < worst
    stream = q.stream(batch_size=2)
    stream.state = state
    assert np.array_equal(stream.run(x), y)
    with fastrnn.use_backend("reference"):
        assert np.abs(q(x, state)[0] - y).max() < worst


def test_int8_projections_and_full_peepholes_take_a_quarter_of_the_bytes(tmp_path: Path) -> None:
    pytest.importorskip("safetensors")
    layer = fastrnn.LSTM(64, 256, proj_size=128, peephole="full", rng=rng(0))
    q = layer.quantize("int8")
    assert layer.nbytes / q.nbytes > 3.8
    for name in ("weight_hr_l0", "weight_peephole_l0"):
        stands_for, array = q.state_dict()[name], layer.params[name]
        assert 0 < np.abs(stands_for - array).max() <= np.abs(array).max() / 253
    x = rng(1).standard_normal((50, 4, 64), dtype=np.float32)
    assert 0 < np.abs(q(x)[0] - layer(x)[0]).max() < 6e-3
    q.save(tmp_path / "q.safetensors")
    assert np.array_equal(fastrnn.LSTM.load(tmp_path / "q.safetensors")(x)[0], q(x)[0])
    layer.params["weight_hr_l0"][3, 4] = np.inf
    with pytest.raises(ValueError, match="weight_hr_l0 holds NaN or Inf"):
        layer.quantize("int8")


def test_sizes_and_words() -> None:
    layer = fastrnn.GRU(64, 256, num_layers=2, rng=rng(0))
    int8, half = layer.quantize("int8"), layer.quantize("bfloat16")
    assert layer.nbytes == sum(array.nbytes for array in layer.params.values())
    assert 3.8 < layer.nbytes / int8.nbytes < 4
    assert 1.95 < layer.nbytes / half.nbytes < 2
    assert (layer.quantized, int8.quantized, half.quantized) == (None, *PRECISIONS)
    assert repr(int8) == "GRU(64, 256, num_layers=2, quantized='int8', dtype=float32)"
    for name, array in layer.params.items():
        stands_for = int8.state_dict()[name]
        assert stands_for.dtype == np.float32
        assert np.abs(stands_for - array).max() <= np.abs(array).max() / 253


@pytest.mark.parametrize("precision", PRECISIONS)
def test_copies_pickles_and_files_are_the_same_layer(precision: str, tmp_path: Path) -> None:
    pytest.importorskip("safetensors")
    path = tmp_path / "q.safetensors"
    for seed in range(12):
        layer, x, lengths = draw(seed, precision)
        q = layer.quantize(precision)
        wanted = called(q, x, lengths=lengths)
        q.save(path)
        loaded = type(layer).load(path)
        assert repr(loaded) == repr(q)
        assert loaded.nbytes == q.nbytes
        for other in (loaded, copy.copy(q), copy.deepcopy(q), pickle.loads(pickle.dumps(q))):
            assert same(called(other, x, lengths=lengths), wanted), seed
            assert other.quantized == precision
    lstm = fastrnn.LSTM(32, 128, rng=rng(0))
    lstm.save(tmp_path / "f.safetensors")
    lstm.quantize(precision).save(path)
    ratio = (tmp_path / "f.safetensors").stat().st_size / path.stat().st_size
    assert ratio > {"int8": 3.6, "bfloat16": 1.9}[precision]


def test_other_programs_get_what_the_weights_stand_for() -> None:
    q = fastrnn.LSTM(3, 4, rng=rng(0)).quantize("int8")
    floats = fastrnn.LSTM(3, 4)
    floats.load_state_dict(q.state_dict())
    for one, other in zip(q.to_keras(), floats.to_keras(), strict=True):
        assert np.array_equal(one, other)
    x = rng(1).standard_normal((5, 2, 3), dtype=np.float32)
    assert np.abs(q(x)[0] - floats(x)[0]).max() < WORST["int8"]


def test_it_is_frozen_and_no_edit_reaches_it() -> None:
    layer = fastrnn.LSTM(3, 4, rng=rng(0))
    x = rng(1).standard_normal((5, 2, 3), dtype=np.float32)
    q = layer.quantize("int8")
    y, _ = q(x)
    for array in layer.params.values():
        array[...] = 0
    assert np.array_equal(q(x)[0], y)


@pytest.mark.parametrize("precision", PRECISIONS)
@pytest.mark.parametrize("wrong", [np.nan, np.inf])
@pytest.mark.parametrize("make", LAYERS)
def test_what_is_no_number_stays_in_its_row(make: Any, wrong: float, precision: str) -> None:
    q = make(3, 40, rng=rng(0)).quantize(precision)
    x = rng(1).standard_normal((6, 5, 3), dtype=np.float32)
    y, _ = q(x)
    x[2, 1, 2] = wrong
    found, _ = q(x)
    others = [0, 2, 3, 4]
    assert np.array_equal(found[:, others], y[:, others])
    assert np.array_equal(found[:2, 1], y[:2, 1])
    if precision == "int8" or np.isnan(wrong):
        assert np.isnan(found[2:, 1]).all()
    assert np.array_equal(q(x, lengths=[6, 2, 6, 6, 6])[0][:2], y[:2])


def test_rows_of_all_sizes() -> None:
    """The scale of x is each row's own: zeros, the smallest numbers, the largest ones."""
    layer = fastrnn.LSTM(20, 16, rng=rng(0))
    q = layer.quantize("int8")
    x = rng(1).standard_normal((3, 6, 20), dtype=np.float32)
    sizes = np.array([0, 1e-45, 1e-37, 1e-20, 1e20, 1e38], np.float32)[:, None]
    x = np.sign(x) * np.minimum(np.abs(x), 3) * sizes
    y, _ = q(x)
    assert np.isfinite(y).all()
    assert np.abs(y[:, :4] - layer(x)[0][:, :4]).max() < 5e-3


@pytest.mark.parametrize("precision", PRECISIONS)
@pytest.mark.parametrize("make", LAYERS)
def test_nothing_to_do(make: Any, precision: str) -> None:
    q = make(3, 4, rng=rng(0)).quantize(precision)
    state = q(np.ones((2, 5, 3), np.float32))[1]
    y, final = q(np.zeros((0, 5, 3), np.float32), state)
    assert y.shape == (0, 5, 4)
    assert same(final, state)
    assert q(np.zeros((2, 0, 3), np.float32))[0].shape == (2, 0, 4)
    assert make(0, 4, rng=rng(0)).quantize(precision)(np.zeros((2, 5, 0), np.float32))[0].any()


# ---- what is refused ----


def test_precisions() -> None:
    layer = fastrnn.LSTM(3, 4)
    for wrong in ("int4", "float16", None, 8):
        with pytest.raises(ValueError, match=r"precision must be one of \['int8', 'bfloat16'\]"):
            layer.quantize(wrong)
    with pytest.raises(ValueError, match=r"LSTM\(3, 4, quantized='int8', .*is quantised already"):
        layer.quantize("int8").quantize("bfloat16")


@pytest.mark.parametrize(
    ("make", "options", "precision", "words"),
    [
        (make, {"layer_norm": True}, "int8", "layer_norm is not supported with int8")
        for make in LAYERS
    ],
)
def test_layers_that_cannot_be_quantised(
    make: Any, options: Any, precision: str, words: str
) -> None:
    layer = make(3, 4, **options)
    with pytest.raises(ValueError, match=words) as error:
        layer.quantize(precision)
    assert str(error.value).startswith(f"{layer!r} cannot be quantised to {precision}: ")
    assert "\n" not in str(error.value)
    x = np.ones((3, 2, 3), np.float32)
    assert np.abs(layer.quantize("bfloat16")(x)[0] - layer(x)[0]).max() < WORST["bfloat16"]


def test_float64_is_not_quantised() -> None:
    with pytest.raises(TypeError, match=r"LSTM\(3, 4, dtype=float64\) must be float32"):
        fastrnn.LSTM(3, 4, dtype=np.float64).quantize("int8")


@pytest.mark.parametrize("precision", PRECISIONS)
@pytest.mark.parametrize("name", ["weight_ih_l0", "weight_hh_l0", "bias_hh_l0"])
@pytest.mark.parametrize("wrong", [np.nan, np.inf])
def test_weights_that_are_no_numbers(precision: str, name: str, wrong: float) -> None:
    layer = fastrnn.GRU(3, 4)
    layer.params[name].flat[3] = wrong
    with pytest.raises(ValueError, match=f"{name} holds NaN or Inf"):
        layer.quantize(precision)


def test_sums_that_32_bits_do_not_hold() -> None:
    wide = fastrnn.RNN(133_145, 1)
    with pytest.raises(ValueError, match="weight_ih_l0 must have at most 133144 columns for int8"):
        wide.quantize("int8")
    assert wide.quantize("bfloat16").quantized == "bfloat16"


def test_an_initial_h_beyond_1() -> None:
    layer = fastrnn.LSTM(3, 4, num_layers=2, rng=rng(0))
    x = np.ones((2, 1, 3), np.float32)
    h, c = np.ones((2, 1, 4), np.float32), np.full((2, 1, 4), 7, np.float32)
    for backend in ("core", "reference"):
        with fastrnn.use_backend(backend):
            q = layer.quantize("int8")
            assert np.isfinite(q(x, (h, c))[0]).all()
            stream = q.stream()
            for k in (0, 1):
                beyond = h.copy()
                beyond[k, 0, 2] = -1.5
                with pytest.raises(ValueError, match=r"h0.* within -1 and 1 .*got 1\.5"):
                    q(x, (beyond, c))
                with pytest.raises(ValueError, match=r"state.* within -1 and 1 .*got 1\.5"):
                    stream.state = beyond, c
            layer.quantize("bfloat16")(x, (7 * h, c))


def test_what_is_for_training() -> None:
    layer = fastrnn.LSTM(3, 4)
    q, x = layer.quantize("int8"), np.ones((2, 1, 3), np.float32)
    tape = layer.forward(x)[2]
    masks = [fastrnn.Masks(h_mask=np.ones((1, 4), np.float32))]
    for use in (
        lambda: q.forward(x),
        lambda: q.backward(tape),
        lambda: q.apply(layer.params, x),
        lambda: q.params,
        lambda: setattr(q, "params", layer.params),
        lambda: q.load_state_dict(layer.state_dict()),
        lambda: q.set_params(layer.state_dict()),
        lambda: q(x, masks=masks),
    ):
        with pytest.raises(TypeError, match="quantised weights are for inference only: train the"):
            use()


def test_files_of_others(tmp_path: Path) -> None:
    pytest.importorskip("safetensors")
    path, other = tmp_path / "q.safetensors", tmp_path / "other.safetensors"
    for precision in PRECISIONS:
        fastrnn.LSTM(3, 4, rng=rng(0)).quantize(precision).save(path)
        found = fastrnn.io.load_checkpoint(path)
        first = "weight_ih_l0" if precision == "int8" else "weight_ih_l0.bits"
        values = found.tensors[first]

        def refused(tensors: Any = (), words: str = "", **state: Any) -> None:
            fastrnn.io.save_checkpoint(
                other, found.tensors | dict(tensors), found.state | state  # noqa: B023
            )
            with pytest.raises(fastrnn.CheckpointError, match=words):
                fastrnn.LSTM.load(other)

        refused(quantized={"precision": precision, "version": 2}, words="of version 2, not 1")
        refused(quantized={"precision": "int3", "version": 1}, words="precision must be one of")
        refused(quantized=3, words="is no object")
        refused({first: values[1:]}, "must be .* got")
        refused({first: values.astype(np.int32)}, "must be .* got int32")
        refused({"more": values}, r"it has \['more'\] too many")
        if precision == "int8":
            refused({first: np.full_like(values, -128)}, "must lie in -127..127")
            refused({f"{first}.scale": np.full(16, np.nan, np.float32)}, "must be finite")
            refused({f"{first}.scale": np.full(16, -1, np.float32)}, "must be finite")
        else:
            refused({first: np.full_like(values, 0x7F80)}, "must hold neither NaN nor Inf")
        bias = found.tensors["bias_ih_l0"]
        refused({"bias_ih_l0": bias * np.float32(np.nan)}, "bias_ih_l0 holds NaN or Inf")
        del found.tensors[first]
        refused(words="it lacks")
        with pytest.raises(fastrnn.CheckpointError, match="it holds a LSTM"):
            fastrnn.GRU.load(path)


def test_packed_weights_are_made_once_an_instruction_set() -> None:
    q = fastrnn.GRU(3, 4, rng=rng(0)).quantize("int8")
    x = np.ones((2, 1, 3), np.float32)
    parts = q._weights.parts(packed=True)
    q(x)
    assert q._weights.parts(packed=True) is parts
    assert parts[0][0].packed.isa == _core.isa()


@pytest.mark.parametrize("precision", PRECISIONS)
def test_a_matrix_multiplies_as_its_twin_says(precision: str) -> None:
    ops, draw = pytest.importorskip("fastrnn.ops"), rng(3).standard_normal
    w, b, x = (draw(shape, dtype=np.float32) for shape in ((37, 20), 37, (2, 5, 20)))
    matrix = PRECISION_OF[precision].of("w", w)
    y = ops.linear(x, matrix, b)
    assert y.shape == (2, 5, 37)
    with fastrnn.use_backend("reference"):
        twin = ops.linear(x, matrix, b)
        assert twin.dtype == np.float32
        assert np.allclose(y, twin, rtol=0, atol=TWIN)
    with fastrnn.threads(2):
        assert np.array_equal(ops.linear(x, matrix, b), y)
    assert np.abs(y - ops.linear(x, w, b)).max() < 6 * WORST[precision]
    assert np.array_equal(ops.linear(x[0, 0], matrix, b), y[0, 0])
    assert np.allclose(ops.linear(x, matrix) + b, y, atol=1e-5)


@pytest.mark.parametrize("precision", PRECISIONS)
def test_a_matrix_is_packed_once_an_instruction_set_and_again_in_a_copy(precision: str) -> None:
    ops = pytest.importorskip("fastrnn.ops")
    matrix = PRECISION_OF[precision].of("w", rng(4).standard_normal((9, 4), dtype=np.float32))
    assert matrix.packed() is matrix.packed()
    x = np.ones((1, 4), np.float32)
    y = ops.linear(x, matrix)
    for other in (copy.copy(matrix), copy.deepcopy(matrix), pickle.loads(pickle.dumps(matrix))):
        assert np.array_equal(ops.linear(x, other), y)
        assert not next(iter(other.tensors("w").values())).flags.writeable
    for isa in isas_under_test():
        with forced_isa(isa):
            assert matrix.packed().isa == isa


def test_a_matrix_has_no_gradient_and_takes_what_fits() -> None:
    ops, autograd = pytest.importorskip("fastrnn.ops"), pytest.importorskip("autograd")
    w, x = Int8Rows.of("w", np.ones((3, 2), np.float32)), np.ones((1, 2), np.float32)
    with pytest.raises(TypeError, match="linear has no gradients where w is quantised"):
        autograd.grad(lambda x: ops.linear(x, w).sum())(x)
    with pytest.raises(ValueError, match="x must have shape"):
        ops.linear(x[:, :1], w)
    with pytest.raises(ValueError, match="b must have shape"):
        ops.linear(x, w, np.ones(2, np.float32))
    with pytest.raises(TypeError, match="x must"):
        ops.linear(x.astype(np.float64), w)
