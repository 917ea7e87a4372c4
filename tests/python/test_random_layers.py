"""Why: options of a layer meet one another. Random layers with random options: core equals twin in
every result, check_cell passes, and saved weights and a pickle make the same layer.
"""

import pickle
from typing import Any

import numpy as np
import pytest

import fastrnn

WORST = {np.float64: 1e-11, np.float32: 1e-4}
LAYERS = (fastrnn.LSTM, fastrnn.GRU, fastrnn.RNN)
SQUASHES = ("sigmoid", "tanh", "softsign", ("hard_sigmoid", 0.3, 0.5), ("scaled_tanh", 0.8, 1.1))


def draw(seed: int) -> tuple[Any, dict[str, Any]]:
    """A layer's class and options, from the seed alone."""
    rng = np.random.default_rng(seed)
    layer = LAYERS[seed % 3]
    some = lambda p=0.3: bool(rng.random() < p)  # noqa: E731
    squash = lambda: SQUASHES[rng.integers(len(SQUASHES))]  # noqa: E731
    options: dict[str, Any] = {"hidden_size": int(rng.integers(1, 20)), "num_layers": 1}
    options["num_layers"] = int(rng.integers(1, 4))
    if some(0.2):
        options |= {"hidden_size": [int(H) for H in rng.integers(2, 20, 2)], "num_layers": 2}
    options |= {"bias": some(0.8), "batch_first": some(), "bidirectional": some(0.5)}
    options["merge_mode"] = "concat"
    if options["bidirectional"]:
        options["merge_mode"] = str(rng.choice(["concat", "sum", "mul", "ave"]))
    for name in ("recurrent_dropout", "weight_drop"):
        options[name] = 0.3 if some() else 0.0
    options["dropout"] = 0.3 if options["num_layers"] > 1 and some() else 0.0
    options["zoneout"] = 0.2 if some() else 0.0
    options["clip"] = 0.8 if some() else None
    # A norm over two or three units bends too sharply for differences to follow.
    options["layer_norm"] = some() and bool(np.min(options["hidden_size"]) > 4)
    if layer is fastrnn.RNN:
        return layer, options | {"nonlinearity": squash()}
    if layer is fastrnn.GRU:
        options["reset_after"] = some(0.5)
        return layer, options | ({"activations": (squash(), squash())} if some() else {})
    options["peephole"] = (False, True, "full")[rng.integers(3)]
    if options["peephole"] and options["zoneout"]:
        options["zoneout"] = (0.2, 0.0)
    if some(0.25):
        options["proj_size"] = int(rng.integers(1, max(2, np.min(options["hidden_size"]))))
        options["proj_size"] *= bool(np.min(options["hidden_size"]) > 1)
    if some():
        options["activations"] = squash(), squash(), squash()
    if some(0.2):
        options["gates"] = str(rng.choice(["io", "if", "fo", ""]))
    else:
        options["input_forget"] = some(0.2)
    return layer, options


def make(seed: int, dtype: Any) -> tuple[Any, dict[str, Any], np.random.Generator]:
    """A random layer, and what its calls are given."""
    layer, options = draw(seed)
    rng = np.random.default_rng([seed, 1])
    T, N, I = (int(n) for n in rng.integers(1, 9, 3))
    model = layer(I, **options, dtype=dtype, rng=rng)
    for name, array in model.params.items():
        if "norm" in name:
            array[...] = rng.uniform(0.5, 1.5, array.shape)
    shape = (N, T, I) if model.batch_first else (T, N, I)
    given: dict[str, Any] = {"x": rng.standard_normal(shape).astype(dtype)}
    if rng.random() < 0.6:
        given["lengths"] = rng.integers(0, T + 1, N)
    if rng.random() < 0.6:
        given["state"] = model(given["x"])[1]
    return model, given, rng


def arrays(nest: Any) -> list[np.ndarray]:
    """All arrays of a state in whatever form."""
    return [nest] if isinstance(nest, np.ndarray) else [a for part in nest for a in arrays(part)]


def everything(model: Any, given: dict[str, Any], dy: np.ndarray) -> list[np.ndarray]:
    """Outputs of a plain call and of training, and all gradients."""
    plain, state = model(**given)
    y, final, tape = model.forward(**given, rng=np.random.default_rng(5))
    grads = model.backward(tape, dy, final)
    found = [plain, *arrays(state), y, *arrays(final), grads.x, *grads.params.values()]
    return found + ([] if grads.state is None else arrays(grads.state))


@pytest.mark.check(1, quick=40, full=600)
def test_core_equals_twin(seeds: list[int]) -> None:
    for seed in seeds:
        for dtype, worst in WORST.items():
            model, given, rng = make(seed, dtype)
            dy = rng.standard_normal(model(given["x"])[0].shape).astype(dtype)
            found = everything(model, given, dy)
            with fastrnn.use_backend("reference"):
                wanted = everything(model, given, dy)
            for a, b in zip(found, wanted, strict=True):
                assert a.shape == b.shape
                assert a.dtype == b.dtype == dtype
                error = np.abs(a - b).max(initial=0) / max(1.0, np.abs(b).max(initial=0))
                error /= 10 if getattr(model, "layer_norm", False) else 1  # it magnifies rounding
                assert error < worst, (seed, error, draw(seed))


@pytest.mark.check(3, quick=40, full=600)
def test_check_cell_and_copies(seeds: list[int]) -> None:
    for seed in seeds:
        model, given, _ = make(seed, np.float64)
        try:
            fastrnn.testing.check_cell(model, seed)
        except AssertionError as error:
            raise AssertionError(f"{seed} {draw(seed)}") from error
        y, _ = model(**given)
        assert np.array_equal(pickle.loads(pickle.dumps(model))(**given)[0], y)
        layer, options = draw(seed)
        again = layer(model.input_size, **options, dtype=np.float64)
        again.load_state_dict(model.state_dict())
        assert np.array_equal(again(**given)[0], y)


@pytest.mark.check(7, quick=40, full=600)
@pytest.mark.parametrize("dtype", WORST)
def test_streams_equal_the_call(dtype: Any, seeds: list[int]) -> None:
    for seed in seeds:
        model, given, _ = make(seed, dtype)
        if model.bidirectional:
            continue
        x = given["x"].swapaxes(0, 1) if model.batch_first else given["x"]
        y, final = model(given["x"])
        stream = model.stream(x.shape[1])
        steps = np.stack([stream.step(x_t) for x_t in x], axis=1 if model.batch_first else 0)
        assert np.array_equal(steps, y), (seed, draw(seed))
        for a, b in zip(arrays(stream.state), arrays(final), strict=True):
            assert np.array_equal(a, b), (seed, draw(seed))
