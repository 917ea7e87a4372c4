"""Training and judging a `Seq2Seq` in an experiment: one recipe, exact matches, attention maps."""

import sys

import numpy as np

from fastrnn import metrics
from fastrnn.train import Adam, Trainer
from fastrnn.train.schedule import linear, warmup


def fit(
    model, sources, targets, *, epochs, seed=0, N=128, rate=1e-2, max_norm=5.0, seconds=None,
    **more,
):  # fmt: skip
    """Train with Adam, its rate falling to a hundredth; return some 200 losses on the way.

    With `seconds` it may end before its epochs are over. `more` goes to `Trainer.fit`.
    """
    data = model.pairs(sources, targets, N, seed=seed)
    updates = epochs * len(data)
    trainer = Trainer(
        model, Adam(lr=falling(rate, updates)), max_norm=max_norm, rng=np.random.default_rng(seed),
        log_every=max(1, updates // 200), progress=sys.stdout.isatty(),
    )  # fmt: skip
    history = trainer.fit(data, epochs=epochs, seconds=seconds, **more)
    return history.column("loss")[1]


def falling(rate, updates):
    """The learning rate of `fit`: a short rise, then a line down to a hundredth."""
    return warmup(linear(rate, rate / 100, updates), min(100, updates // 10))


def texts(model, sources, **decoding):
    """The answers of a model, decoded freely, one text a source."""
    return [found.text for found in model.translate(sources, batch_size=256, **decoding)]


def exact(model, sources, targets, **decoding):
    """Share of answers that are right from the first symbol to the last."""
    return metrics.exact_match(texts(model, sources, **decoding), targets)


def as_many(make, wanted, most=2_000):
    """The model ``make(hidden)`` whose number of parameters is closest to `wanted`."""
    low, high = 1, most
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if make(middle).parameter_count <= wanted else (low, middle)
    return min((make(low), make(high)), key=lambda m: abs(m.parameter_count - wanted))
