"""The losses of Word2Vec as pure functions of its parameters, and scores of words beside others."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastrnn import _core
from fastrnn._checks import generator


def loss(
    params: Mapping[str, Any], batch: Any, rng: Any, config: Mapping[str, Any], counts: Any
) -> Any:
    """Return the mean over the targets of the sum of all losses that the settings ask for."""
    import autograd.numpy as anp

    inputs, targets = (np.asarray(ids) for ids in batch)
    x = middle(params["vectors"], inputs, bool(config["cbow_mean"]))
    total = 0.0
    if config["hs"]:
        nodes, signs = paths(config, counts, targets)
        total = total + signed(x, params["nodes"][nodes], signs)
    if config["negative"]:
        drawn = _noise(generator(rng), counts, config, targets)
        chosen = np.concatenate([targets[:, None], drawn], axis=1)
        signs = np.where(chosen == targets[:, None], 0.0, -1.0)
        signs[:, 0] = 1.0
        total = total + signed(x, params["outputs"][chosen], signs)
    elif not config["hs"]:
        from fastrnn import ops

        logits = ops.linear(x, params["outputs"])
        return ops.softmax_cross_entropy(logits, targets)
    return anp.sum(total) / len(targets)


def middle(vectors: Any, inputs: NDArray[Any], mean: bool) -> Any:
    """Return what predicts: one row, or the mean or sum of those that are there."""
    import autograd.numpy as anp

    if inputs.ndim == 1:
        return vectors[inputs]
    there = (inputs >= 0).astype(vectors.dtype)
    total = anp.sum(vectors[np.maximum(inputs, 0)] * there[..., None], axis=1)
    return total / np.maximum(there.sum(axis=1), 1)[:, None] if mean else total


def signed(x: Any, rows: Any, signs: NDArray[Any]) -> Any:
    """Return Σ -ln σ(sign · x·row) over the rows of each x, those of sign 0 left out."""
    import autograd.numpy as anp

    products = anp.sum(x[:, None, :] * rows, axis=2)
    weight = np.abs(signs).astype(rows.dtype)
    return anp.sum(weight * anp.logaddexp(0.0, -signs.astype(rows.dtype) * products), axis=1)


def _noise(
    rng: np.random.Generator, counts: Any, config: Mapping[str, Any], targets: NDArray[Any]
) -> NDArray[Any]:
    shares = np.power(counts.astype(np.float64), config["ns_exponent"])
    return rng.choice(len(counts), (len(targets), config["negative"]), p=shares / shares.sum())


def paths(
    config: Mapping[str, Any], counts: Any, targets: NDArray[Any]
) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return nodes and signs (B, longest path), sign 0 behind the end of a path."""
    tables = _core.Word2VecTables(
        counts, bool(config["sg"]), True, True, True, config["window"], 0, 0.75, 0.0
    )
    paths = [_core.word2vec_path(tables, word) for word in targets.tolist()]
    longest = max((len(bits) for _, bits in paths), default=0)
    nodes = np.zeros((len(paths), longest), np.int64)
    signs = np.zeros((len(paths), longest))
    for row, (path, bits) in enumerate(paths):
        nodes[row, : len(bits)] = np.frombuffer(path, np.int32)
        signs[row, : len(bits)] = 1.0 - 2.0 * np.frombuffer(bits, np.uint8)
    return nodes, signs


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
