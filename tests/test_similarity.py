"""Why: three ways to compare replies by word vectors have a name each, and are easily mixed up."""

import numpy as np
import pytest

from fastrnn import metrics

VECTORS = {
    "east": np.array([2.0, 0.0]), "north": np.array([0.0, 1.0]), "west": np.array([-3.0, 0.0]),
}  # fmt: skip


@pytest.mark.parametrize(
    ("kind", "prediction", "reference", "expected"),
    [
        ("average", "east", "east east", 1.0),
        ("average", "east north", "east", 2 / 5**0.5),
        ("average", "east", "west", -1.0),
        ("average", "east nowhere", "east", 1.0),
        ("average", "nowhere", "east", 0.0),
        ("greedy", "east north", "east", (0.5 + 1) / 2),
        ("greedy", "north east", "east north", 1.0),
        ("greedy", ["east"], ["west", "north"], (0 - 0.5) / 2),
        ("extrema", "east west north", "west north", 1.0),
        ("extrema", "east north", "north", 1 / 5**0.5),
    ],
)
def test_against_arithmetic_by_hand(kind, prediction, reference, expected: float) -> None:
    found = metrics.embedding_similarity([prediction], [reference], VECTORS, kind=kind)
    assert found == pytest.approx(expected)


def test_the_mean_and_bad_arguments() -> None:
    pairs = ["east", "east"], ["east", "west"]
    assert metrics.embedding_similarity(*pairs, VECTORS) == pytest.approx(0)
    with pytest.raises(ValueError, match="kind must be one of"):
        metrics.embedding_similarity(*pairs, VECTORS, kind="cosine")
    for few in (([], []), (["east"], [])):
        with pytest.raises(ValueError, match="as many references as predictions"):
            metrics.embedding_similarity(*few, VECTORS)
