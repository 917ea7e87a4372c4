"""Why: negative sampling has a known optimum, so a whole training can be checked against counts:
threads of the sampler, the rate, the update and the text must all be right for it to be reached.
"""

import numpy as np
from numpy.typing import NDArray

from fastrnn.models import Word2Vec

V, NEGATIVE, LINE = 30, 5, 1000


def chain(rng: np.random.Generator, words: int) -> NDArray[np.int64]:
    """A Markov chain over V words, some much more frequent than others."""
    rows = rng.dirichlet(0.6 * V * np.arange(1, V + 1) ** -0.7 / V**0.3, V).cumsum(axis=1)
    drawn = rng.random(words)
    ids = np.zeros(words, np.int64)
    for i in range(1, words):
        ids[i] = min(np.searchsorted(rows[ids[i - 1]], drawn[i]), V - 1)
    return ids


def optimum(lines: NDArray[np.int64], power: float) -> tuple[NDArray[np.float64], ...]:
    """ln of how often c stands beside w, over how often it is drawn as noise there.

    Levy and Goldberg, "Neural Word Embedding as Implicit Matrix Factorization", 2014, eq. 7, with
    the noise that is the target left out.
    """
    beside = np.zeros((V, V))
    for ahead, behind in ((lines[:, 1:], lines[:, :-1]), (lines[:, :-1], lines[:, 1:])):
        np.add.at(beside, (ahead, behind), 1)
    share = np.bincount(lines.ravel(), minlength=V) ** power
    noise = NEGATIVE * share / share.sum() * (beside.sum(axis=1, keepdims=True) - beside)
    with np.errstate(divide="ignore"):
        return np.log(beside / noise), beside


def test_products_reach_the_optimum_of_negative_sampling() -> None:
    lines = chain(np.random.default_rng(3), 60_000).reshape(-1, LINE)
    model = Word2Vec(
        [[f"w{i}" for i in line] for line in lines], vector_size=32, sg=1, window=1, min_count=1,
        shrink_windows=False, sample=0, negative=NEGATIVE, epochs=60, alpha=0.05, seed=1,
        deterministic=True,
    )  # fmt: skip
    place = [model.wv.key_to_index[f"w{i}"] for i in range(V)]
    products = model.params["vectors"][place] @ model.params["outputs"][place].T
    errors = {}
    for power in (0.75, 1.0):
        truth, beside = optimum(lines, power)
        frequent = beside >= 50
        assert frequent.sum() > 200
        errors[power] = np.sqrt(np.square(products - truth)[frequent].mean())
        if power == 0.75:
            assert np.corrcoef(products[frequent], truth[frequent])[0, 1] >= 0.99
    assert errors[0.75] <= 0.1
    assert errors[1.0] > 1.5 * errors[0.75], errors


def test_full_softmax_reaches_the_entropy_of_the_text() -> None:
    """With E = V the loss of a pair cannot be below, and must come near, its entropy."""
    lines = chain(np.random.default_rng(4), 60_000).reshape(-1, LINE)
    model = Word2Vec(
        [[f"w{i}" for i in line] for line in lines], vector_size=32, sg=1, window=1, min_count=1,
        shrink_windows=False, sample=0, negative=0, epochs=30, alpha=0.1, deterministic=True,
    )  # fmt: skip
    _, beside = optimum(lines, 1.0)
    shares = beside / beside.sum(axis=1, keepdims=True)
    with np.errstate(divide="ignore", invalid="ignore"):
        entropy = -np.nansum(beside / beside.sum() * np.log(shares))
    assert entropy - 0.02 < model.losses[-1] < entropy + 0.1, (entropy, model.losses)
