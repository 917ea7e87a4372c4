"""What a trained Word2Vec says of words beside each other: the middle one, and whole sentences."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastrnn.models.word2vec._loss import middle, paths, signed

_AT_ONCE = 1 << 15  # pairs in one product


def middle_words(
    params: Mapping[str, Any], rows: list[int], mean: bool, topn: int
) -> list[tuple[int, float]]:
    """Return the likeliest words between some others, and their probabilities."""
    x = params["vectors"][rows].sum(axis=0, dtype=np.float64)
    scores = params["outputs"] @ (x / len(rows) if mean else x)
    shares = np.exp(scores - scores.max())
    shares /= shares.sum()
    best = np.argsort(-shares, kind="stable")[:topn].tolist()
    return [(row, float(shares[row])) for row in best]


def scores(
    params: Mapping[str, Any],
    config: Mapping[str, Any],
    counts: NDArray[np.int64],
    sentences: Iterable[Sequence[int]],
) -> NDArray[np.float64]:
    """Return the log-probability of each sentence by the tree, whole windows on either side."""
    log_probs: list[float] = []
    inputs: list[list[int]] = []
    targets: list[int] = []
    owners: list[int] = []

    def add_up() -> None:
        if targets:
            given = np.array(inputs)[:, 0] if config["sg"] else np.array(inputs)
            x = middle(params["vectors"], given, bool(config["cbow_mean"]))
            nodes, signs = paths(config, counts, np.array(targets))
            terms = signed(x, params["nodes"][nodes], signs)
            np.subtract.at(sums := np.zeros(len(log_probs)), np.array(owners), terms)
            log_probs[:] = (np.array(log_probs) + sums).tolist()
            for kept in (inputs, targets, owners):
                kept.clear()

    window = int(config["window"])
    for number, sentence in enumerate(sentences):
        log_probs.append(0.0)
        for place, target in enumerate(sentence):
            near = [*sentence[max(0, place - window) : place], *sentence[place + 1 :][:window]]
            if config["sg"]:
                inputs += [[word] for word in near]
            else:
                inputs.append(near + [-1] * (2 * window - len(near)))
            times = len(near) if config["sg"] else 1
            targets += [target] * times
            owners += [number] * times
        if len(targets) > _AT_ONCE:
            add_up()
    add_up()
    return np.array(log_probs)
