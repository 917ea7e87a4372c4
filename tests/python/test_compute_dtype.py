"""Why: products in bfloat16 must round where the twin says, and nowhere else, forward and back; a
layer has to give the same bits in training, inference and streams, on any number of threads; and
what such an option cannot be is refused by name.

A number that the core and the twin compute to the last bit but one may lie on either side of a tie
between two bfloat16. So most numbers have to be equal to float32's rounding, and all of them may
differ by what such a tie makes.
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
from fastrnn.models import LanguageModel

CELLS: dict[str, tuple[Any, dict[str, Any]]] = {
    "lstm": (fastrnn.LSTM, {}),
    "lstm_peephole": (fastrnn.LSTM, {"peephole": True}),
    "lstm_full": (fastrnn.LSTM, {"peephole": "full"}),
    "lstm_projection": (fastrnn.LSTM, {"proj_size": 6}),
    "lstm_norm": (fastrnn.LSTM, {"layer_norm": True}),
    "gru_after": (fastrnn.GRU, {}),
    "gru_before": (fastrnn.GRU, {"reset_after": False}),
    "gru_norm": (fastrnn.GRU, {"layer_norm": True}),
    "gru_before_norm": (fastrnn.GRU, {"reset_after": False, "layer_norm": True}),
    "rnn_tanh": (fastrnn.RNN, {}),
    "rnn_relu": (fastrnn.RNN, {"nonlinearity": "relu", "layer_norm": False}),
    "rnn_norm": (fastrnn.RNN, {"layer_norm": True}),
}
SIZES = [(5, 7), (16, 16), (33, 17), (40, 64)]  # I, H: around vectors, words of two and panels
Results = dict[str, np.ndarray]
rng = np.random.default_rng


def made(name: str, I: int, H: int, **options: Any) -> Any:
    make, own = CELLS[name]
    layer = make(I, H, **({"compute_dtype": "bfloat16"} | own | options), rng=rng([I, H]))
    for key, array in layer.params.items():
        if "norm" in key:
            array[...] = rng(1).uniform(0.5, 1.5, array.shape)
    return layer


def trained(layer: Any, x: np.ndarray, **given: Any) -> Results:
    """y, final states and all gradients of one training call."""
    y, final, tape = layer.forward(x, **given)
    dy = rng(7).standard_normal(y.shape).astype(np.float32)
    dfinal = tuple(0.5 * s for s in final) if isinstance(final, tuple) else 0.5 * final
    grads = layer.backward(tape, dy, dfinal)
    out = {"y": y, "dx": grads.x, **grads.params}
    for kind, states in (("final", final), ("dstate", grads.state)):
        for k, array in enumerate(states if isinstance(states, tuple) else (states,)):
            out |= {} if array is None else {f"{kind}{k}": array}
    return out


def inputs(layer: Any, T: int, N: int, seed: int = 0) -> dict[str, Any]:
    x = rng([seed, T, N]).standard_normal((T, N, layer.input_size)).astype(np.float32)
    return {"x": x, "state": layer(x[::-1])[1]}


def errors(got: Results, wanted: Results) -> dict[str, np.ndarray]:
    assert got.keys() == wanted.keys()
    found = {}
    for name, array in wanted.items():
        assert got[name].dtype == array.dtype == np.float32, name
        found[name] = np.abs(got[name] - array) / max(1e-3, float(np.abs(array).max(initial=0)))
    return found


@pytest.mark.parametrize(("I", "H"), SIZES)
@pytest.mark.parametrize("name", CELLS)
def test_a_step_rounds_where_the_twin_does(name: str, I: int, H: int, isa: str) -> None:
    """A product without its roundings is off by 2⁻⁹ of a term, all over."""
    layer = made(name, I, H)
    for N, calls in ((1, 9), (2, 9), (19, 2), (70, 1)):
        all_given = [inputs(layer, 1, N, seed) for seed in range(calls)]
        with fastrnn.use_backend("reference"):
            wanted = [trained(layer, **given) for given in all_given]
        for dots in ("none", "words", "tiles"):
            _core.force_plan(None, 0, dots)
            try:
                got = [trained(layer, **given) for given in all_given]
            finally:
                _core.force_plan()
            found = [errors(one, other) for one, other in zip(got, wanted, strict=True)]
            for key in wanted[0]:
                error = np.concatenate([one[key].ravel() for one in found])
                assert np.median(error) < 1e-6, (key, N, dots)
                assert error.max() < 4e-3, (key, N, dots)


@pytest.mark.parametrize("name", CELLS)
def test_two_directions_layers_and_ragged_rows(name: str, isa: str) -> None:
    """Roundings that differ are carried along, and most calls have none."""
    worst = []
    for seed in range(12):
        layer = made(name, 9, 8, bidirectional=True, num_layers=2)
        given = inputs(layer, 4, 5, seed)
        given["lengths"] = rng(seed).integers(0, 5, 5)
        given["x"][given["lengths"][1] :, 1] = np.nan  # padding, never read
        with fastrnn.use_backend("reference"):
            wanted = trained(layer, **given)
        found = errors(trained(layer, **given), wanted)
        worst.append(max(float(error.max()) for error in found.values()))
    assert np.median(worst) < 2e-5
    assert max(worst) < 3e-2


def test_masks_and_limits(isa: str) -> None:
    for name in ("lstm", "gru_after", "gru_before", "rnn_tanh"):
        worst = []
        for seed in range(8):
            layer = made(
                name, 9, 8, recurrent_dropout=0.3, zoneout=0.2, weight_drop=0.3, truncate=2,
                clip_step=0.5,
            )  # fmt: skip
            given = inputs(layer, 5, 4, seed)
            with fastrnn.use_backend("reference"):
                wanted = trained(layer, **given, rng=rng(seed))
            found = errors(trained(layer, **given, rng=rng(seed)), wanted)
            worst.append(max(float(error.max()) for error in found.values()))
        assert np.median(worst) < 2e-5, name
        assert max(worst) < 3e-2, name


@pytest.mark.parametrize("name", CELLS)
def test_bits_do_not_depend_on_threads(name: str, isa: str) -> None:
    layer = made(name, 33, 40)
    for T, N in ((9, 1), (6, 13), (40, 40)):
        given = inputs(layer, T, N)
        given["lengths"] = rng(N).integers(0, T + 1, N)
        wanted = None
        for split in (None, "rows", "units"):
            for threads in (1, 2, 3):
                with forced_plan(split, 0), fastrnn.threads(threads):
                    got = trained(layer, **given)
                wanted = wanted or got
                for key, array in wanted.items():
                    np.testing.assert_array_equal(got[key], array, f"{key} {split} {threads}")
        n = N // 2
        state = given["state"]
        own = tuple(s[:, [n]] for s in state) if isinstance(state, tuple) else state[:, [n]]
        y, _, _ = layer.forward(given["x"][:, [n]], own, lengths=given["lengths"][[n]])
        np.testing.assert_array_equal(y, wanted["y"][:, [n]])  # type: ignore[index]


@pytest.mark.parametrize("name", CELLS)
def test_chunks_of_steps_hand_on_what_the_next_needs(name: str, isa: str) -> None:
    """Gradients by gates lie in a block that every chunk of steps fills anew."""
    layer = made(name, 9, 20)
    given = inputs(layer, 7, 5)
    given["lengths"] = np.array([7, 0, 3, 7, 5])
    wanted = trained(layer, **given)
    for split in ("rows", "units"):
        for chunk in (1, 2, 3):
            with forced_plan(split, chunk), fastrnn.threads(2):
                got = trained(layer, **given)
            for key, error in errors(got, wanted).items():
                assert error.max(initial=0) < 1e-5, (key, split, chunk)


@pytest.mark.parametrize("name", CELLS)
def test_the_tape_takes_half_the_memory(name: str, isa: str) -> None:
    sizes = []
    for compute_dtype in ("bfloat16", "float32"):
        layer = made(name, 9, 64, compute_dtype=compute_dtype)
        _, _, tape = layer.forward(inputs(layer, 20, 8)["x"])
        sizes.append(tape.nbytes)
    half, whole = sizes
    # Layer normalisation keeps float32.
    assert half == whole if "norm" in name else half <= 0.51 * whole


def test_the_tape_shows_float16(isa: str) -> None:
    """Numbers of all sizes, those beyond float16 as its largest, and NaN."""
    every = np.r_[rng(0).standard_normal(500) * 2.0 ** rng(1).integers(-30, 20, 500), 65520, 0]
    x = np.r_[every, -every, np.nan].astype(np.float32)[None, :, None]
    layer = fastrnn.RNN(1, 1, nonlinearity="linear", compute_dtype="bfloat16")
    for name, array in layer.params.items():
        array[...] = "weight_ih" in name
    x_rounded = (x.view(np.uint32) & np.uint32(0xFFFF0000)).view(np.float32)  # bfloat16 itself
    y, _, tape = layer.forward(x_rounded)
    np.testing.assert_array_equal(y[0], x_rounded[0])
    wanted = np.clip(x_rounded, -65504, 65504).astype(np.float16)
    np.testing.assert_array_equal(tape.tapes[0].gates[0, :, 0], wanted[0].astype(np.float32))


@pytest.mark.parametrize("name", CELLS)
def test_gradients_are_near_those_of_float32(name: str) -> None:
    layer = made(name, 20, 40)
    plain = made(name, 20, 40, compute_dtype="float32")
    given = inputs(layer, 10, 30)
    got, wanted = trained(layer, **given), trained(plain, **given)
    for key, array in wanted.items():
        error = np.linalg.norm(got[key] - array) / np.linalg.norm(array)
        assert 1e-5 < error < 3e-2, (key, error)


@pytest.mark.parametrize("name", CELLS)
def test_training_inference_stream_and_quantised_have_the_same_bits(name: str) -> None:
    layer = made(name, 9, 20)
    for isa in isas_under_test():
        with forced_isa(isa):
            given = inputs(layer, 6, 3)
            y, final = layer(**given)
            again, kept, _ = layer.forward(**given)
            applied, _ = layer.apply(layer.params, **given)
            quantised, _ = layer.quantize("bfloat16")(**given)
            for other in (again, applied, quantised):
                np.testing.assert_array_equal(other, y)
            np.testing.assert_array_equal(kept[0], final[0])
            stream = layer.stream(batch_size=3)
            stream.state = given["state"]
            np.testing.assert_array_equal([stream.step(x_t) for x_t in given["x"]], y)


def test_an_edit_of_a_weight_is_seen() -> None:
    layer, fresh = (made("lstm", 9, 20) for _ in range(2))
    x = inputs(layer, 3, 2)["x"]
    before, _ = layer(x)
    for each in (layer, fresh):
        each.params["weight_hh_l0"] *= 0.5
    after, _ = layer(x)
    assert not np.array_equal(after, before)
    np.testing.assert_array_equal(after, fresh(x)[0])
    # What float32 tells apart and bfloat16 does not.
    layer.params["weight_ih_l0"][...] = 1 + 2**-12
    one, _ = layer(x)
    layer.params["weight_ih_l0"][...] = 1
    np.testing.assert_array_equal(layer(x)[0], one)


def test_autograd_gives_the_gradients_of_backward() -> None:
    from autograd import grad

    layer = made("gru_after", 9, 20)
    given = inputs(layer, 5, 3)
    y, _, tape = layer.forward(given["x"])
    weight = rng(3).standard_normal(y.shape).astype(np.float32)
    wanted = layer.backward(tape, weight).params
    got = grad(lambda params: (layer.apply(params, given["x"])[0] * weight).sum())(layer.params)
    for name, array in wanted.items():
        np.testing.assert_array_equal(got[name], array)


def test_projected_input_and_empty_calls(isa: str) -> None:
    layer = made("lstm", 9, 20)
    for T, N in ((0, 3), (3, 0)):
        got = trained(layer, np.zeros((T, N, 9), np.float32))
        assert not any(got[name].any() for name in layer.params)
    x = inputs(layer, 1, 3)["x"]
    projected = x @ layer.params["weight_ih_l0"].T
    y, _ = layer.apply(layer.params, projected, projected=True)
    plain = made("lstm", 9, 20, compute_dtype=None)
    assert np.array_equal(y, plain.apply(plain.params, projected, projected=True)[0])  # h is 0


def test_what_is_no_number_stays_none(isa: str) -> None:
    layer = made("lstm", 9, 20)
    given = inputs(layer, 3, 4)
    given["x"][1, 2, 3] = np.nan
    got = trained(layer, **given)
    assert np.isnan(got["y"][1:, 2]).all()
    assert np.isfinite(got["y"][:, [0, 1, 3]]).all()
    assert np.isnan(got["weight_ih_l0"]).all()


def test_copies_files_and_print_keep_it(tmp_path: Path) -> None:
    layer = made("gru_before", 9, 20)
    assert "compute_dtype='bfloat16'" in repr(layer)
    x = inputs(layer, 3, 2)["x"]
    y, _ = layer(x)
    layer.save(tmp_path / "layer.safetensors")
    loaded = fastrnn.GRU.load(tmp_path / "layer.safetensors")
    for other in (copy.deepcopy(layer), pickle.loads(pickle.dumps(layer)), loaded):
        assert other.compute_dtype == "bfloat16"
        np.testing.assert_array_equal(other(x)[0], y)
    small = layer.quantize("int8")  # of the weights themselves
    assert np.abs(small(x)[0] - y).max() < 2e-2
    assert "compute_dtype" not in repr(made("gru_before", 9, 20, compute_dtype=None))


def test_what_it_cannot_be() -> None:
    for make in (fastrnn.LSTM, fastrnn.GRU, fastrnn.RNN):
        with pytest.raises(ValueError, match="compute_dtype cannot be 'int8', which is for infer"):
            make(3, 4, compute_dtype="int8")
        with pytest.raises(ValueError, match=r"compute_dtype must be None, .*, got 'float16'"):
            make(3, 4, compute_dtype="float16")
        with pytest.raises(TypeError, match=r"compute_dtype must be None, .*, got 16"):
            make(3, 4, compute_dtype=16)
        for word in ("float32", "bfloat16"):
            with pytest.raises(ValueError, match="needs dtype=float32, got float64"):
                make(3, 4, compute_dtype=word, dtype=np.float64)
        x = np.ones((2, 1, 3), np.float32)
        plain, same = (make(3, 4, compute_dtype=w, rng=rng(0)) for w in (None, "float32"))
        np.testing.assert_array_equal(plain(x)[0], same(x)[0])


def test_the_core_refuses_what_it_has_no_products_for() -> None:
    w, x, y, h_n = (np.ones(shape) for shape in ((4, 4), (1, 1, 4), (1, 1, 4), (1, 4)))
    some: Any = (_core.Cell.rnn_tanh, x, w, w, None, None, None, None, None, None, y, h_n, None)
    with pytest.raises(ValueError, match="narrow weights are for float32"):
        _core.rnn_forward(*some, bfloat16=True)
    f32 = [a.astype(np.float32) if isinstance(a, np.ndarray) else a for a in some]
    packed = _core.PackedWeights(f32[0], *f32[2:4], None, None, None)
    f32[2:4] = None, None
    with pytest.raises(ValueError, match="bfloat16 must be False when packed is given"):
        _core.rnn_forward(*f32, packed=packed, bfloat16=True)


def test_a_model_learns_with_it(tmp_path: Path) -> None:
    model = LanguageModel("lstm", 20, 32, compute_dtype="bfloat16", rng=rng(0))
    plain = LanguageModel("lstm", 20, 32, rng=rng(0))
    data = [(a[:-1], a[1:]) for a in (np.arange(17 * 8).reshape(17, 8) * 7 % 20,) * 40]
    for one in (model, plain):
        one.fit(data, fastrnn.train.Adam(lr=1e-2), epochs=1, progress=False, rng=rng(1))
    bits, wanted = (one.evaluate(data[:1])["bits"] for one in (model, plain))
    assert 0 < abs(bits - wanted) < 0.05 * wanted
    assert bits < 2
    model.save(tmp_path / "model.safetensors")
    loaded = fastrnn.models.load(tmp_path / "model.safetensors")
    assert loaded.evaluate(data[:1])["bits"] == bits
    assert "compute_dtype='bfloat16'" in repr(loaded)
    with pytest.raises(ValueError, match="compute_dtype"):
        fastrnn.models.Seq2Seq("lstm", 5, 5, 8, attention="dot", compute_dtype="bfloat16")
