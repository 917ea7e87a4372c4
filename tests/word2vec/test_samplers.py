"""Why: a wrong distribution of noise, of dropped words or of windows still learns something, only
worse. Each is drawn a million times through the way that training takes, and tested by χ².
"""

import numpy as np
import pytest
from numpy.typing import NDArray

from fastrnn import _core

COUNTS = np.array([90_000, 20_000, 9_000, 8_000, 700, 60, 60, 5, 1], np.int64)


def make(counts: NDArray[np.int64] = COUNTS, **options: float) -> "_core.Word2VecTables":
    wanted = {
        "skip_gram": True, "hierarchical": False, "mean": True, "shrink": True, "window": 5,
        "negative": 5, "noise_power": 0.75, "sample": 0.0,
    }  # fmt: skip
    return _core.Word2VecTables(counts, **(wanted | options))  # type: ignore[arg-type]


def plausible(seen: NDArray[np.int64], expected: NDArray[np.float64]) -> bool:
    """Whether χ² is below its quantile for p = 0.001 (Wilson and Hilferty, 1931)."""
    enough = expected >= 5
    seen = np.append(seen[enough], seen[~enough].sum())
    expected = np.append(expected[enough], expected[~enough].sum())
    chi2 = np.square(seen - expected)[expected > 0] / expected[expected > 0]
    k = len(chi2) - 1
    return bool(chi2.sum() < k * (1 - 2 / (9 * k) + 3.09 * np.sqrt(2 / (9 * k))) ** 3)


@pytest.mark.parametrize("power", [0.75, 1.0, 0.0, -0.5])
def test_noise_follows_the_power_of_the_counts(power: float) -> None:
    drawn = np.frombuffer(_core.word2vec_noise(make(noise_power=power), 1_000_000, 7), np.int32)
    share = COUNTS.astype(float) ** power
    seen = np.bincount(drawn, minlength=len(COUNTS))
    assert plausible(seen, 1e6 * share / share.sum())
    if power == 0.75:
        wrong = COUNTS / COUNTS.sum()
        assert not plausible(seen, 1e6 * wrong), "the test must see a wrong power"


def test_subsampling_keeps_what_the_formula_says() -> None:
    rng = np.random.default_rng(1)
    text = rng.choice(len(COUNTS), 400_000, p=COUNTS / COUNTS.sum()).astype(np.int32)
    t = 1e-2
    tables = make(sample=t, window=1, shrink=False)
    pairs = np.frombuffer(_core.word2vec_pairs(tables, text, 3), np.int32).reshape(-1, 2)
    kept = np.bincount(pairs[:, 0], minlength=len(COUNTS)) / 2  # each has a word on either side
    f = COUNTS / COUNTS.sum()
    keep = np.minimum((np.sqrt(f / t) + 1) * t / f, 1)
    there = np.bincount(text, minlength=len(COUNTS))
    sure = keep == 1
    assert sure.any()
    np.testing.assert_allclose(kept[sure], there[sure], atol=1)
    deviation = (kept - there * keep)[~sure] / np.sqrt(there * keep * (1 - keep))[~sure]
    assert (np.abs(deviation) < 4).all(), deviation


@pytest.mark.parametrize("shrink", [True, False])
def test_distances_of_pairs(shrink: bool) -> None:
    """A window drawn from 1..w holds distance δ with probability (w - δ + 1) / w."""
    window, words = 5, 200_000
    counts = np.ones(words, np.int64)
    tables = make(counts, window=window, shrink=shrink)
    text = np.arange(words, dtype=np.int32)
    pairs = np.frombuffer(_core.word2vec_pairs(tables, text, 3), np.int32).reshape(-1, 2)
    distance = np.abs(pairs[:, 0] - pairs[:, 1])
    assert distance.min() == 1
    seen = np.bincount(distance, minlength=window + 1)[1:]
    assert len(seen) == window
    if not shrink:
        np.testing.assert_array_equal(seen, 2 * (words - np.arange(1, window + 1)))
        return
    # A window is drawn once for both sides, so pairs come in twos; count windows instead.
    reach = seen / 2 - np.append(seen[1:] / 2, 0)
    assert plausible(np.rint(reach).astype(np.int64), np.full(window, words / window))


def test_windows_do_not_cross_the_end_of_a_sentence() -> None:
    tables = make(window=3, shrink=False)
    text = np.array([0, 1, -1, 2, -1, -1, 3, 4, 5, -1], np.int32)
    pairs = np.frombuffer(_core.word2vec_pairs(tables, text, 3), np.int32).reshape(-1, 2)
    expected = {(0, 1), (1, 0), (3, 4), (3, 5), (4, 3), (4, 5), (5, 3), (5, 4)}
    assert {(a, b) for a, b in pairs.tolist()} == expected


@pytest.mark.parametrize("V", [1, 2, 9, 1000])
def test_probabilities_along_the_tree_sum_to_one(V: int) -> None:
    rng = np.random.default_rng(V)
    counts = rng.integers(1, 10_000, V)
    tables = make(counts, hierarchical=True, negative=0)
    scores = rng.normal(size=max(V, 1))
    total, lengths = 0.0, []
    for word in range(V):
        nodes, codes = _core.word2vec_path(tables, word)
        signs = 1.0 - 2.0 * np.frombuffer(codes, np.uint8)
        at = np.frombuffer(nodes, np.int32)
        assert len(at) == len(signs)
        assert ((at >= 0) & (at < max(V - 1, 1))).all()
        total += float(np.prod(1 / (1 + np.exp(-signs * scores[at]))))
        lengths.append(len(at))
    assert total == pytest.approx(1.0, abs=1e-12)
    share = counts / counts.sum()
    entropy = -(share * np.log2(share)).sum()  # Huffman's codes are within one bit of it
    assert entropy - 1e-9 <= (share * lengths).sum() < entropy + 1
