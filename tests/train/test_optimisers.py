"""Why: an optimiser writes to arrays of the caller, so whatever is wrong must be found, and named,
before the first of them is touched.
"""

import re
from typing import Any

import numpy as np
import pytest
from helpers.tolerances import assert_same_bits
from helpers.updates import OPTIMISERS, good, leaves, mapped

import fastrnn
from fastrnn.train import SGD, Adagrad, Adam, AdamW, RMSprop

READ_ONLY = np.ones(3)
READ_ONLY.flags.writeable = False
MISTAKES: dict[str, tuple[str, Any, type[Exception], str]] = {
    "params no dict": ("params", [np.ones(3)], TypeError, "params must be a dict of arrays"),
    "grads no dict": ("grads", np.ones(3), TypeError, "grads must be a dict of arrays"),
    "number for a key": ("params", {1: np.ones(3)}, TypeError, "strings as keys, got 1"),
    "list": ("params.a", [1.0] * 3, TypeError, "params['a'] must be a numpy.ndarray, got list"),
    "scalar": ("params.a", np.float64(1), TypeError, "params['a'] must be a numpy.ndarray"),
    "masked": ("grads.b.c", np.ma.ones((2, 2)), TypeError, "grads['b.c'] must be a numpy.ndarray"),
    "integers": ("params.b.d", np.ones(2, int), TypeError, "params['b.d'] must be float32 or"),
    "byte order": ("params.a", np.ones(3, ">f8"), TypeError, "native byte order, got >f8"),
    "half": ("grads.a", np.ones(3, np.float16), TypeError, "grads['a'] must be float32 or float64"),
    "other dtype": ("grads.b.c", np.ones((2, 2)), TypeError, "grads['b.c'] must have the dtype"),
    "other shape": ("grads.b.d", np.ones((2, 1)), ValueError, "must have the shape (2,) of params"),
    "absent": ("grads.b", {"c": np.ones((2, 2), np.float32)}, ValueError, "it lacks ['b.d']"),
    "extra": ("grads.x", np.ones(1), ValueError, "['x'] are too many"),
    "array for a dict": ("grads.b", np.ones(2), ValueError, "it lacks ['b.c', 'b.d']"),
    "read-only": ("params.a", READ_ONLY, ValueError, "params['a'] must be writable"),
    "strided": ("params.a", np.ones(6)[::2], ValueError, "params['a'] must be C-contiguous"),
    "dotted": ("params.b.c.d", None, ValueError, "params has two arrays of the name 'b.d'"),
}


@pytest.mark.parametrize("updates_before", [0, 1])
@pytest.mark.parametrize("mistake", list(MISTAKES))
def test_a_mistake_is_named_and_nothing_is_changed(
    mistake: str, updates_before: int, backend: str
) -> None:
    place, value, error, words = MISTAKES[mistake]
    arguments = dict(zip(("params", "grads"), good(), strict=True))
    optimiser = Adam(0.1)
    for _ in range(updates_before):
        optimiser.update(arguments["params"], arguments["grads"])
    wrong = mapped(lambda a: a, arguments)
    if mistake == "dotted":
        wrong["params"]["b.d"] = np.ones(2)
    else:
        *path, last = place.split(".")
        inside: Any = wrong
        for key in path:
            inside = inside[key]
        inside[last] = value
    before = [mapped(np.array, arguments), optimiser.state_dict()]
    with pytest.raises(error, match=re.escape(words)):
        optimiser.update(**wrong)
    after = [arguments, optimiser.state_dict()]
    for was, now in zip(before, after, strict=True):
        assert leaves(was).keys() == leaves(now).keys()
        for path_, array in leaves(was).items():
            assert_same_bits(path_, leaves(now)[path_], array)


def test_the_arrays_must_stay_the_same_ones() -> None:
    params, grads = good()
    adam = Adam()
    adam.update(params, grads)
    with pytest.raises(ValueError, match=r"params must have the arrays of the updates before"):
        adam.update({"a": params["a"]}, {"a": grads["a"]})
    params["a"], grads["a"] = np.ones(4), np.ones(4)
    with pytest.raises(ValueError, match=r"\['a'\] must have the shape \(3,\) of its exp_avg"):
        adam.update(params, grads)
    params["a"], grads["a"] = np.ones(3, np.float32), np.ones(3, np.float32)
    with pytest.raises(TypeError, match=r"params\['a'\] must have the dtype float64"):
        adam.update(params, grads)
    assert adam.steps == 1


def test_shared_memory_is_refused_before_anything_happens() -> None:
    w, block = np.ones(4), np.ones(6)
    for params in ({"a": w, "b": w}, {"a": block[:4], "b": block[2:]}):
        grads = mapped(np.ones_like, params)
        adam = Adam()
        with pytest.raises(ValueError, match=r"params\['.'\] must not share memory with params"):
            adam.update(params, grads)
        assert adam.steps == 0
        assert list(adam.state_dict()) == ["step", "lr"]
        assert (params["a"] == 1).all()
    with pytest.raises(ValueError, match=r"must not share memory with"):
        SGD().update({"a": w}, {"a": w})


def test_gradients_may_have_any_strides(rng: np.random.Generator) -> None:
    w, g = rng.standard_normal((3, 4)), rng.standard_normal((4, 3))
    results = []
    for grad in (g.T, np.ascontiguousarray(g.T), np.repeat(g.T, 2, axis=1)[:, ::2]):
        params = {"w": w.copy()}
        SGD(1.0).update(params, {"w": grad})
        results.append(params["w"])
    np.testing.assert_array_equal(results[0], w - g.T)
    np.testing.assert_array_equal(results[1], results[0])
    np.testing.assert_array_equal(results[2], results[0])
    scalar = {"s": np.array(2.0)}
    SGD(1.0).update(scalar, {"s": np.float64(0.5)})
    assert scalar["s"] == 1.5


def test_grads_may_be_in_another_order() -> None:
    params = {"a": np.zeros(1), "b": np.zeros(1)}
    SGD(1.0).update(params, {"b": np.array([2.0]), "a": np.array([1.0])})
    assert (params["a"], params["b"]) == (-1, -2)


def test_lr_is_read_at_every_step() -> None:
    params, grads = {"w": np.zeros(1)}, {"w": np.array([-1.0])}
    seen: list[int] = []

    def rates(step: int) -> float:
        seen.append(step)
        return [1.0, 10.0, 100.0][step]

    sgd = SGD(rates)
    for _ in range(3):
        sgd.update(params, grads)
    assert (seen, float(params["w"][0])) == ([0, 1, 2], 111)
    sgd.lr = 1000
    assert sgd.rate == 1000
    sgd.update(params, grads)
    assert params["w"] == 1111


@pytest.mark.parametrize("bad", [np.nan, np.inf, -1.0, None, "0.1", True, 1j])
def test_a_bad_learning_rate_is_refused(bad: Any) -> None:
    for make in (lambda: SGD(bad), lambda: setattr(SGD(), "lr", bad)):
        with pytest.raises((TypeError, ValueError), match="lr must be"):
            make()
    params, sgd = {"w": np.ones(1)}, SGD(lambda _: bad)
    with pytest.raises((TypeError, ValueError), match="the value of lr at step 0 must be"):
        sgd.update(params, {"w": np.ones(1)})
    assert (sgd.steps, params["w"]) == (0, 1)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: SGD(momentum=-0.1), "momentum must be at least 0"),
        (lambda: SGD(nesterov=True), "nesterov must come with a momentum"),
        (lambda: SGD(nesterov=1, momentum=0.9), "nesterov must be True or False"),
        (lambda: Adam(betas=(0.9, 1.0)), r"betas\[1\] must be at least 0 and below 1"),
        (lambda: Adam(betas=0.9), "betas must be a pair"),
        (lambda: Adam(eps=-1e-8), "eps must be at least 0"),
        (lambda: AdamW(weight_decay=np.nan), "weight_decay must be finite"),
        (lambda: RMSprop(alpha=1.0), "alpha must be at least 0 and below 1"),
        (lambda: RMSprop(centered="yes"), "centered must be True or False"),
        (lambda: Adagrad(initial_accumulator_value=-1), "initial_accumulator_value must be"),
        (lambda: Adagrad(lr_decay="a"), "lr_decay must be a real number"),
    ],
)
def test_bad_options_are_refused(make: Any, words: str) -> None:
    with pytest.raises((TypeError, ValueError), match=words):
        make()


def test_options_are_fixed_and_shown() -> None:
    adam = Adam(0.25, weight_decay=0.5)
    with pytest.raises(TypeError):
        adam.options["weight_decay"] = 0.0  # type: ignore[index]
    assert repr(adam) == "Adam(0.25, betas=(0.9, 0.999), eps=1e-08, weight_decay=0.5)"


def test_a_layer_sees_the_update(rng: np.random.Generator) -> None:
    """Weights are packed for inference; an update in place must reach them."""
    layer = fastrnn.GRU(3, 4, rng=rng)
    x = rng.standard_normal((5, 2, 3)).astype(np.float32)
    before, _ = layer(x)
    SGD(0.5).update(layer.params, mapped(np.ones_like, layer.params))
    after, _ = layer(x)
    fresh = fastrnn.GRU(3, 4)
    fresh.set_params(layer.params)
    assert_same_bits("y", after, fresh(x)[0])
    assert not np.allclose(before, after)


def test_it_descends(rng: np.random.Generator) -> None:
    """A badly scaled bowl; every optimiser with a rate that suits it gets down."""
    scale = np.geomspace(0.1, 10, 20)
    rates = {"sgd": 0.09, "sgd_momentum": 0.03, "sgd_nesterov": 0.03, "adagrad": 1.0}
    for name, make in OPTIMISERS.items():
        if "/" in name:
            continue
        optimiser = make()
        optimiser.lr = rates.get(name, 0.03)
        params = {"w": rng.standard_normal(20) + 2}
        first = (scale * params["w"] ** 2).sum()
        for _ in range(300):
            optimiser.update(params, {"w": 2 * scale * params["w"]})
        assert (scale * params["w"] ** 2).sum() < 0.02 * first, name
