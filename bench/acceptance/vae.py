"""VAE of digits: the bound beside the same program in PyTorch, and what codes and samples tell.

784-400-20 with a Bernoulli likelihood on mnist5k, 4,000 images to train and 1,000 to test. The
program in PyTorch has the same first weights and batches, and noise of its own; both bounds are
means over 10 draws for each test image.
"""

import importlib
from importlib.util import find_spec
from typing import Any

import numpy as np

from bench.acceptance import _frame
from bench.acceptance.autoencoder import learn, mnist
from fastrnn.data import batches
from fastrnn.models import VAE, AutoEncoder
from fastrnn.train.schedule import cosine
from vae_digits import same_label

SIZES = {"hidden": [400], "z": 20}
HOW = {"epochs": 60, "lr": 1e-3, "batch": 100}


def in_torch(model: VAE, x: np.ndarray, test: np.ndarray, seed: int) -> dict[str, float]:
    """Train the same network in PyTorch, from the model's weights, and return its bound."""
    torch: Any = importlib.import_module("torch")
    nn, functional = torch.nn, torch.nn.functional
    torch.manual_seed(seed)
    places = {
        "encoder": model.params["encoder"]["l0"], "mu": model.params["posterior"]["mu"],
        "logvar": model.params["posterior"]["logvar"], "decoder": model.params["decoder"]["l0"],
        "out": model.params["out"],
    }  # fmt: skip
    net = nn.ModuleDict()
    for name, weights in places.items():
        net[name] = nn.Linear(*weights["weight"].shape[::-1])
        net[name].load_state_dict({k: torch.from_numpy(v.copy()) for k, v in weights.items()})

    def parts(x: Any) -> tuple[Any, Any]:
        hidden = torch.tanh(net["encoder"](x))
        mu, logvar = net["mu"](hidden), net["logvar"](hidden)
        z = mu + torch.exp(logvar / 2) * torch.randn_like(mu)
        scores = net["out"](torch.tanh(net["decoder"](z)))
        nats = functional.binary_cross_entropy_with_logits(scores, x, reduction="sum")
        return nats, 0.5 * (logvar.exp() + mu**2 - 1 - logvar).sum()

    source = batches(np.ones(len(x), int), HOW["batch"], seed=seed, make=lambda rows: x[rows])
    optimiser = torch.optim.Adam(net.parameters(), HOW["lr"], fused=True)
    rate = cosine(HOW["lr"], HOW["epochs"] * len(source), HOW["lr"] / 100)
    update = 0
    for _ in range(HOW["epochs"]):
        for batch in source:
            optimiser.param_groups[0]["lr"] = rate(update)
            optimiser.zero_grad()
            nats, kl = parts(torch.from_numpy(batch))
            ((nats + kl) / len(batch)).backward()
            optimiser.step()
            update += 1
    with torch.no_grad():
        draws = [[float(part) for part in parts(torch.from_numpy(test))] for _ in range(10)]
    nats, kl = np.mean(draws, axis=0) / len(test)
    return {"elbo": -nats - kl, "kl": kl}


def kl_is_the_draws(frame: _frame.Frame, seed: int, model: VAE, test: np.ndarray) -> None:
    """How many standard errors the closed divergence is from that of 2,000 draws."""
    mu, logvar = (part.astype(np.float64) for part in model.encode(test[:200]))
    eps = np.random.default_rng(seed).standard_normal((2000, *mu.shape))
    z = mu + np.exp(logvar / 2) * eps
    drawn = (0.5 * (z**2 - eps**2 - logvar)).sum(axis=2).mean(axis=1)
    found = drawn.mean() - model.elbo(test[:200])["kl"]
    frame.record("closed KL from that of draws, in standard errors", seed,
                 abs(found) / (drawn.std() / np.sqrt(len(drawn))))  # fmt: skip


def classes_of(samples: np.ndarray, x: np.ndarray, labels: np.ndarray) -> int:
    """How many digits samples cover: a class counts with 1 % of them, by its nearest image."""
    square = (x**2).sum(axis=1)
    nearest = (square - 2 * samples @ x.T).argmin(axis=1)
    return int((np.bincount(labels[nearest], minlength=10) >= len(samples) / 100).sum())


def measure(frame: _frame.Frame) -> None:
    """All seeds: both programs, the autoencoder, and what comes of the codes."""
    images, labels = mnist(frame)
    train, test, right = images[:4000], images[4000:], labels[4000:]
    frame.configuration |= {"sizes": SIZES, "how": HOW}
    for seed in frame.seeds:
        rng = np.random.default_rng(seed)
        model = VAE(784, SIZES["z"], hidden_sizes=SIZES["hidden"], rng=rng)
        if find_spec("torch") is None:
            frame.skip("PyTorch is not here (pip install torch)")
        else:
            with frame.run("PyTorch", seed) as note:
                theirs = in_torch(model, train, test, seed)
                note.update(theirs)
        with frame.run("fastrnn", seed) as note:
            learn(model, train, seed, **HOW)
            found = model.elbo(test, samples=10, rng=rng)
            note.update(found)
        for name, value in found.items():
            frame.record(name, seed, value)
        if find_spec("torch") is not None:
            frame.record("ELBO - PyTorch's", seed, found["elbo"] - theirs["elbo"])
        frame.record("IWAE-500 - ELBO", seed, model.iwae(test, 500, rng=rng) - found["elbo"])
        frame.record("active units", seed, int(model.active_units(test).sum()))
        kl_is_the_draws(frame, seed, model, test)
        path = model.interpolate(test[0], test[1], 11)
        away = np.sqrt(((path - path[0]) ** 2).sum(axis=1))
        frame.record("interpolation: steps further away", seed, float((np.diff(away) > 0).mean()))
        covered = classes_of(model.sample(1000, rng=rng), train, labels[:4000])
        frame.record("classes in samples", seed, covered)
        plain = AutoEncoder(
            784, SIZES["z"], hidden_sizes=SIZES["hidden"], likelihood="bernoulli", rng=rng
        )
        learn(plain, train, seed, **HOW)
        for name, codes in (
            ("pixels", test), ("autoencoder", plain.encode(test)), ("VAE", model.encode(test)[0]),
        ):  # fmt: skip
            frame.record(f"nearest neighbour has the label, {name}", seed, same_label(codes, right))
    frame.gate("ELBO - PyTorch's", at_least=-1.0)
    frame.gate("IWAE-500 - ELBO", at_least=0.0)
    frame.gate("active units", at_least=10)
    frame.gate("closed KL from that of draws, in standard errors", at_most=3.0)
    frame.gate("interpolation: steps further away", at_least=1.0)
    frame.gate("classes in samples", at_least=9)


def main(argv: list[str] | None = None) -> int:
    """Run the bench."""
    return _frame.main("vae", __doc__, measure, argv=argv)


if __name__ == "__main__":
    raise SystemExit(main())
