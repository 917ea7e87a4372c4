"""Why: autoencoders of vectors have exact answers, and a wrong sign or a missing factor still
gives a loss that falls. Linear ones must find principal components and their probabilistic form,
parts must be what their formulas say, and bounds must be ordered.
"""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from autograd.tracer import Box
from helpers.tolerances import assert_same_bits
from helpers.zoo import flat

from fastrnn import models, ops
from fastrnn.models import VAE, AutoEncoder
from fastrnn.models._parts.model import flatten
from fastrnn.testing import gradcheck
from fastrnn.train import Adam
from fastrnn.train.schedule import cosine

I, Z = 6, 2

KINDS: dict[str, Any] = {
    "ae-linear": (AutoEncoder, {}),
    "ae-bernoulli": (AutoEncoder, {"hidden_sizes": [5, 4], "likelihood": "bernoulli"}),
    "vae-bernoulli": (VAE, {"hidden_sizes": [5]}),
    "vae-gaussian": (VAE, {"hidden_sizes": [4, 3], "activation": "relu", "likelihood": "gaussian"}),
    "vae-sigma": (VAE, {"hidden_sizes": [], "likelihood": "gaussian", "learn_sigma": True}),
}


def make(kind: str, dtype: Any = np.float64, seed: int = 8) -> Any:
    cls, options = KINDS[kind]
    return cls(I, Z, dtype=dtype, rng=np.random.default_rng(seed), **options)


def correlated(rng: Any, n: int, scales: Any) -> np.ndarray:
    """Rows whose covariance has the squares of scales for eigenvalues, on axes of no coordinate."""
    axes = np.linalg.qr(rng.standard_normal((len(scales),) * 2))[0]
    return (rng.standard_normal((n, len(scales))) * scales) @ axes


def log_probability(centred: np.ndarray, q: int) -> tuple[float, np.ndarray]:
    """The best log-likelihood of probabilistic PCA (Tipping and Bishop 1999, equations 8 and 12),
    a mean over the rows, and its first q axes.
    """
    n, d = centred.shape
    values, vectors = np.linalg.eigh(centred.T @ centred / n)
    values, vectors = values[::-1], vectors[:, ::-1]
    noise = values[q:].mean()
    log_det = np.log(values[:q]).sum() + (d - q) * np.log(noise)
    return -0.5 * (d * np.log(2 * np.pi) + log_det + d), vectors[:, :q]


@pytest.mark.check(3)
@pytest.mark.parametrize("kind", KINDS)
def test_gradients_are_central_differences(kind: str, backend: str, rng: Any) -> None:
    model, x = make(kind), rng.random((5, I))
    _, grads = ops.value_and_grad(model.loss)(model.params, x, np.random.default_rng(3))

    def loss(**arrays: np.ndarray) -> Any:
        nested: dict[str, Any] = {}
        for path, array in arrays.items():
            *parents, name = path.split(".")
            place = nested
            for parent in parents:
                place = place.setdefault(parent, {})
            place[name] = array
        for empty in ("encoder", "decoder"):
            nested.setdefault(empty, {})
        return model.loss(nested, x, np.random.default_rng(3))

    assert all(gradient.any() for gradient in flat_deep(grads).values())
    gradcheck(loss, flat_deep(model.params), flat_deep(grads))


def flat_deep(params: Any) -> dict[str, np.ndarray]:
    return flatten(params)


@pytest.mark.parametrize("kind", KINDS)
def test_float32_creates_no_float64(kind: str, monkeypatch: pytest.MonkeyPatch, rng: Any) -> None:
    model, x = make(kind, np.float32), rng.random((5, I), dtype=np.float32)
    init, seen = Box.__init__, []

    def spied(self: Any, value: Any, *args: Any) -> None:
        seen.append(value)
        init(self, value, *args)

    monkeypatch.setattr(Box, "__init__", spied)
    value, _ = ops.value_and_grad(model.loss)(model.params, x, np.random.default_rng(3))
    assert {array.dtype for array in seen} == {np.dtype(np.float32)}
    double = make(kind)
    for path, array in flat(double.params).items():
        array[...] = flat(model.params)[path]
    expected = double.loss(double.params, x.astype(np.float64), np.random.default_rng(3))
    assert np.isclose(value, expected, rtol=1e-5)


@pytest.mark.parametrize("kind", KINDS)
def test_there_and_back(kind: str, tmp_path: Path, rng: Any) -> None:
    model, x = make(kind, np.float32), rng.random((5, I), dtype=np.float32)
    model.save(tmp_path / "model")
    back = models.load(tmp_path / "model")
    assert type(back) is type(model)
    assert back.config == model.config
    assert_same_bits("reconstruct", back.reconstruct(x), model.reconstruct(x))
    assert back.evaluate([x, x]) == model.evaluate([x, x])


def test_the_linear_autoencoder_is_principal_components(rng: Any) -> None:
    x = correlated(rng, 400, [3, 2, 1.5, 0.6, 0.4, 0.2, 0.1, 0.1])
    centred = x - x.mean(axis=0)
    model = AutoEncoder(8, 3, dtype=np.float64, rng=np.random.default_rng(0))
    model.fit([x], Adam(lr=cosine(0.03, 1500)), updates=1500, progress=False)
    best = np.linalg.eigvalsh(centred.T @ centred / len(x))[:5].sum()
    assert best * (1 - 1e-9) < model.evaluate([x])["loss"] < 1.01 * best


def test_the_linear_vae_is_probabilistic_principal_components(rng: Any) -> None:
    x = correlated(rng, 500, [3, 2, 0.5, 0.5, 0.4, 0.4]) + 2.0
    best, axes = log_probability(x - x.mean(axis=0), 2)
    model = VAE(
        6, 2, hidden_sizes=(), likelihood="gaussian", learn_sigma=True, dtype=np.float64,
        rng=np.random.default_rng(0),
    )  # fmt: skip
    model.fit(
        [x], Adam(lr=cosine(0.02, 3000)), updates=3000, progress=False,
        rng=np.random.default_rng(1),
    )  # fmt: skip
    found = model.elbo(x, samples=200, rng=np.random.default_rng(2))
    assert best * 1.005 < found["elbo"] < best + 0.01
    decoder = np.linalg.qr(model.params["out"]["weight"])[0]
    cosines = np.linalg.svd(axes.T @ decoder)[1]
    assert np.degrees(np.arccos(cosines.min())) < 2


def test_parts_of_the_bound(rng: Any) -> None:
    """The closed divergence is that of the draws, and the likelihoods are those of NumPy."""
    x = rng.random((4, I))
    model = make("vae-bernoulli")
    mu, logvar = model.encode(x)
    draws = mu + np.exp(logvar / 2) * rng.standard_normal((20000, 4, Z))
    log_q = -0.5 * (logvar + np.log(2 * np.pi) + (draws - mu) ** 2 / np.exp(logvar))
    difference = (log_q + 0.5 * (np.log(2 * np.pi) + draws**2)).sum(axis=2).mean(axis=1)
    error = 3 * difference.std() / np.sqrt(len(draws))
    found = model.elbo(x, samples=3000, rng=rng)
    assert abs(difference.mean() - found["kl"]) < error
    z = draws[:3000].reshape(-1, Z)
    p = model.decode(z).reshape(3000, 4, I)
    nats = (x * np.log(p) + (1 - x) * np.log(1 - p)).sum(axis=2).mean()
    assert np.isclose(found["reconstruction"], nats, atol=0.02)
    assert np.isclose(found["elbo"], found["reconstruction"] - found["kl"])
    gaussian = make("vae-sigma")
    gaussian.params["logvar"][:] = 0.7
    z = gaussian.encode(x)[0]
    mean = gaussian.decode(z)
    expected = -0.5 * ((x - mean) ** 2 / np.exp(0.7) + 0.7 + np.log(2 * np.pi)).sum(axis=1)
    np.testing.assert_allclose(gaussian._log_likelihood(gaussian.params, x, z), expected)


def test_bounds_are_ordered_and_the_loss_is_one_of_them(rng: Any) -> None:
    x = rng.random((50, I))
    model = make("vae-gaussian")
    bounds = [model.iwae(x, k, rng=np.random.default_rng(0)) for k in (1, 10, 200)]
    assert bounds[0] < bounds[1] < bounds[2]
    assert np.isclose(bounds[0], model.elbo(x, samples=50)["elbo"], atol=0.3)
    found = model.elbo(x)
    assert np.isclose(model.loss(model.params, x), -found["elbo"])
    assert np.isclose(model.evaluate([x])["loss"], -found["elbo"])
    assert model.loss(model.params, x) == model.loss(model.params, x)
    drawn = [model.loss(model.params, x, np.random.default_rng(s)) for s in (1, 1, 2)]
    assert drawn[0] == drawn[1] != drawn[2]


def test_active_units_and_interpolation(rng: Any) -> None:
    model = make("vae-bernoulli")
    x = rng.random((30, I))
    model.params["posterior"]["mu"]["weight"][1] = 0
    np.testing.assert_array_equal(model.active_units(x, threshold=1e-6), [True, False])
    path = model.interpolate(x[0], x[1], 5)
    np.testing.assert_allclose(path[[0, 4]], model.reconstruct(x[:2]))
    distance = np.abs(path - path[0]).sum(axis=1)
    assert (np.diff(distance) > 0).all()
    samples = model.sample(4, rng=np.random.default_rng(0))
    assert samples.shape == (4, I)
    assert_same_bits("sample", samples, model.sample(4, rng=np.random.default_rng(0)))


def test_extreme_scores_have_finite_gradients() -> None:
    model = make("vae-bernoulli")
    model.params["out"]["bias"][:] = [1e4, -1e4, 0, 50, -50, 1]
    x = np.array([[1.0, 0, 0.5, 1, 0, 0]])
    value, grads = ops.value_and_grad(model.loss)(model.params, x)
    assert np.isfinite(value)
    assert all(np.isfinite(g).all() for g in flat_deep(grads).values())


@pytest.mark.parametrize(
    ("kind", "x", "error", "message"),
    [
        ("vae-bernoulli", np.full((2, I), 1.5), ValueError, r"x must lie in 0\.\.1"),
        ("vae-bernoulli", np.full((2, I), np.nan), ValueError, r"x must lie in 0\.\.1"),
        ("ae-linear", np.zeros((2, I + 1)), ValueError, r"x must have shape \(N, 6\), got"),
        ("ae-linear", np.zeros(I), ValueError, "x must have shape"),
        ("ae-linear", np.zeros((2, I), np.float32), TypeError, "x must be float64"),
        ("ae-linear", np.zeros((2, I), int), TypeError, "x must be float32 or float64, got int64"),
    ],
)
def test_bad_vectors(kind: str, x: Any, error: type, message: str) -> None:
    with pytest.raises(error, match=message):
        make(kind).reconstruct(x)
    with pytest.raises(error, match=message):
        make(kind).loss(make(kind).params, x)


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"likelihood": "poisson"}, ValueError, "likelihood must be one of"),
        ({"activation": "gelu"}, ValueError, "activation must be one of"),
        ({"hidden_sizes": 5}, TypeError, "hidden_sizes must be a sequence of integers, got 5"),
        ({"hidden_sizes": [0]}, ValueError, "hidden_sizes must be at least 1"),
        ({"learn_sigma": True}, ValueError, "learn_sigma needs a Gaussian likelihood"),
        ({"dtype": np.int32}, TypeError, "dtype must be float32 or float64"),
        ({"dtype": None}, TypeError, "dtype must be float32 or float64"),
    ],
)
def test_bad_options(options: dict[str, Any], error: type, message: str) -> None:
    with pytest.raises(error, match=message):
        VAE(6, 2, **options)


def test_nothing_to_measure() -> None:
    model = make("vae-bernoulli")
    for call in (lambda: model.evaluate([]), lambda: model.elbo(np.zeros((0, I)))):
        with pytest.raises(ValueError, match="at least one"):
            call()
    assert model.loss(model.params, np.zeros((0, I))) == 0
