"""Why: vectors that several ranks learn together must be as good as those of one."""

from typing import Any

import numpy as np
import pytest

from fastrnn.distributed import Comm, ThreadComm
from fastrnn.models import Word2Vec

GROUPS, SIZE = 300, 8


def text(seed: int, lines: int) -> list[list[str]]:
    """Sentences of a group's words with those of others between them; some groups are rare."""
    rng = np.random.default_rng(seed)
    share = 1 / (np.arange(GROUPS) + 4)
    groups = rng.choice(GROUPS, lines, p=share / share.sum())
    mixed = np.where(rng.random((lines, 8)) < 0.35, rng.integers(0, GROUPS, (lines, 8)), 0)
    chosen = np.where(mixed > 0, mixed, groups[:, None]) * SIZE + rng.integers(0, SIZE, (lines, 8))
    return [["the", *(f"w{word}" for word in row), "of"] for row in chosen.tolist()]


def learned(comm: Comm | None, sentences: Any, **options: Any) -> Word2Vec:
    small = {"vector_size": 16, "min_count": 1, "epochs": 3, "deterministic": True}
    return Word2Vec(sentences, dist=comm, **(small | options))


def score(model: Word2Vec) -> float:
    """How many of the nearest words belong to the group of a word, of all words."""
    vectors = model.wv.get_normed_vectors()
    rows = np.array([model.wv.get_index(f"w{n}") for n in range(GROUPS * SIZE)])
    unit = vectors[rows]
    products = unit @ unit.transpose()
    np.fill_diagonal(products, -2)
    nearest = np.argsort(-products, axis=1)[:, : SIZE - 1]
    return float((nearest // SIZE == np.arange(len(rows))[:, None] // SIZE).mean())


@pytest.mark.parametrize("sg", [0, 1])
def test_ranks_learn_within_a_point_of_one(sg: int) -> None:
    sentences = text(0, 40_000)
    alone = score(learned(None, sentences, sg=sg))
    assert 0.3 < alone < 0.9  # neither too hard nor too easy to tell
    for size in (2, 4):
        models = ThreadComm.run(size, lambda comm: learned(comm, sentences, sg=sg))
        assert len({model.params["vectors"].tobytes() for model in models}) == 1
        assert len({model.params["outputs"].tobytes() for model in models}) == 1
        assert len({tuple(model.losses) for model in models}) == 1
        assert score(models[0]) > alone - 0.01, size


def test_a_tree_of_words_is_averaged_too() -> None:
    sentences = text(1, 4_000)
    models = ThreadComm.run(2, lambda comm: learned(comm, sentences, hs=1, negative=0))
    assert len({model.params["nodes"].tobytes() for model in models}) == 1
    assert models[0].losses[-1] < models[0].losses[0]


def test_a_rank_may_have_nothing_to_read() -> None:
    sentences = text(2, 50)  # one piece
    models = ThreadComm.run(3, lambda comm: learned(comm, sentences))
    assert len({model.params["vectors"].tobytes() for model in models}) == 1


def test_other_words_on_another_rank_are_refused() -> None:
    def learn(comm: Comm) -> None:
        with pytest.raises(ValueError, match="the same on all ranks"):
            learned(comm, text(comm.rank, 50))

    ThreadComm.run(2, learn)


def test_ranks_must_be_ranks() -> None:
    with pytest.raises(TypeError, match=r"dist must be what fastrnn\.distributed\.init"):
        learned(2, text(0, 50))  # type: ignore[arg-type]
