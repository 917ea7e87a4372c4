"""Why: behind Word2Vec stands a kernel that writes to rows by number; whatever reaches it with a
wrong type, shape or number is refused by name, and nothing is written.
"""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import fastrnn
from fastrnn import _core
from fastrnn.models import Word2Vec
from fastrnn.models.word2vec._run import padded_rows

V = 6
COUNTS = np.arange(V, 0, -1, dtype=np.int64)
GOOD_TABLES = (COUNTS, True, False, True, True, 2, 3, 0.75, 0.0)


def tables(**changes: Any) -> "_core.Word2VecTables":
    names = ("counts", "skip_gram", "hierarchical", "mean", "shrink", "window", "negative",
             "noise_power", "sample")  # fmt: skip
    options: dict[str, Any] = dict(zip(names, GOOD_TABLES, strict=True))
    return _core.Word2VecTables(**(options | changes))


def arguments() -> dict[str, Any]:
    return {
        "tables": tables(shrink=False), "vectors": padded_rows(V, 5), "outputs": padded_rows(V, 5),
        "nodes": None, "source": np.array([0, 1, 2, -1, 3, 5], np.int32), "begin": 0, "end": 1,
        "alpha": (0.1, 0.0), "progress": (0.0, 6.0), "seed": 1, "num_threads": 1,
    }  # fmt: skip


def test_the_good_call_is_good() -> None:
    loss, predictions, words = _core.word2vec_train(**arguments())
    assert words == 5
    assert predictions == 8
    assert loss > 0


@pytest.mark.check(10)
@pytest.mark.parametrize(
    ("name", "bad", "error"),
    [
        ("tables", None, TypeError),
        ("tables", _core.Word2VecTables.__new__(_core.Word2VecTables), ValueError),
        ("vectors", np.zeros((V, 5), np.float32), ValueError),
        ("vectors", np.zeros((V, 16)), TypeError),
        ("vectors", np.zeros((V + 1, 16), np.float32), ValueError),
        ("vectors", np.zeros((V, 0), np.float32), ValueError),
        ("vectors", np.zeros((V, 32), np.float32)[:, ::2], ValueError),
        ("vectors", [[0.0] * 16] * V, TypeError),
        ("outputs", None, TypeError),
        ("outputs", np.zeros((V, 32), np.float32), ValueError),
        ("nodes", np.zeros((V, 16), np.float32), ValueError),
        ("source", np.array([0, V], np.int32), ValueError),
        ("source", np.array([0, -2], np.int32), ValueError),
        ("source", np.array([0, 1]), TypeError),
        ("source", "text", TypeError),
        ("begin", -1, ValueError),
        ("begin", 2, ValueError),
        ("end", 2, ValueError),
        ("alpha", (0.1,), TypeError),
        ("progress", (0.0, 0.0), ValueError),
        ("seed", -1, TypeError),
        ("num_threads", -1, ValueError),
        ("num_threads", 1.0, TypeError),
    ],
)
def test_a_wrong_argument_is_refused_and_writes_nothing(
    name: str, bad: Any, error: type[Exception]
) -> None:
    given = arguments()
    kept = [given["vectors"], given["outputs"]]
    given[name] = bad
    with pytest.raises(error):
        _core.word2vec_train(**given)
    assert not any(rows.any() for rows in kept)


def test_matrices_that_share_memory_are_refused() -> None:
    given = arguments()
    with pytest.raises(ValueError, match="not share memory"):
        _core.word2vec_train(**(given | {"outputs": given["vectors"]}))
    frozen = given["vectors"].copy()
    frozen.flags.writeable = False
    with pytest.raises(ValueError, match="writeable"):
        _core.word2vec_train(**(given | {"vectors": frozen}))


@pytest.mark.parametrize(
    "changes",
    [
        {"counts": np.array([], np.int64)}, {"counts": np.array([1, 0])}, {"window": 0},
        {"window": 1001}, {"negative": -1}, {"negative": 1001}, {"noise_power": float("nan")},
        {"noise_power": 1e9},
    ],
)  # fmt: skip
def test_tables_that_make_no_sense(changes: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="must"):
        tables(**changes)


def test_a_block_of_too_many_rows_is_refused() -> None:
    rows, ids = padded_rows(V, 5), np.zeros(5, np.int32)
    for inputs, targets in ((ids, ids[:1]), (ids[:1], ids), (ids[:0], ids[:1])):
        with pytest.raises(ValueError, match=r"inputs|targets"):
            _core.word2vec_block(
                tables(), rows, padded_rows(V, 5), inputs, targets, bytes(len(targets)), 0.1
            )


def test_a_text_of_other_words_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "t.txt"
    path.write_text("a b c\n")
    text = _core.Word2VecText(str(path).encode(), b"a\nb\n")
    with pytest.raises(ValueError, match="as many words"):
        _core.word2vec_train(**(arguments() | {"source": text}))
    with pytest.raises(ValueError, match="twice"):
        _core.Word2VecText(str(path).encode(), b"a\na\n")
    path.write_text("")
    six = _core.Word2VecText(str(path).encode(), b"a\nb\nc\nd\ne\nf\n")
    assert _core.word2vec_pieces(six) == 0


def test_a_text_that_shrinks_while_it_is_read(tmp_path: Path) -> None:
    path = tmp_path / "t.txt"
    path.write_text("a b c d e f\n" * 100)
    text = _core.Word2VecText(str(path).encode(), b"a\nb\nc\nd\ne\nf\n")
    path.write_text("a b")
    with pytest.raises(ValueError, match="has become shorter"):
        _core.word2vec_train(**(arguments() | {"source": text}))


def test_vectors_of_words_help_a_language_model() -> None:
    """The first epoch of a network over words is better from vectors that know their company."""
    pytest.importorskip("autograd", reason="autograd is missing")
    from fastrnn.data import contiguous_streams
    from fastrnn.models import LanguageModel
    from fastrnn.train import Adam

    rng = np.random.default_rng(1)
    groups, size = 8, 12  # words of a group mean the same; groups follow each other by a chain
    next_group = rng.dirichlet(np.full(groups, 0.2), groups)
    group, text = 0, []
    for _ in range(16_000):
        group = int(rng.choice(groups, p=next_group[group]))
        text.append(group * size + int(rng.integers(size)))
    lines = [[str(i) for i in text[at : at + 500]] for at in range(0, len(text), 500)]
    learned = Word2Vec(lines, vector_size=16, window=2, sg=1, sample=0, min_count=1, epochs=10,
                       alpha=0.05, deterministic=True)  # fmt: skip
    vectors = learned.wv[[str(i) for i in range(groups * size)]]
    streams = contiguous_streams(np.array(text), 16, 20)
    losses = {}
    for name in ("random", "word2vec"):
        model = LanguageModel(
            "gru", groups * size, 24, embedding_size=16, rng=np.random.default_rng(2)
        )
        weight = model.params["embedding"]["weight"]
        if name == "word2vec":
            weight[...] = vectors * (weight.std() / vectors.std())  # of one size, only directions
        history = model.fit(streams, Adam(5e-3), epochs=1, progress=False)
        losses[name] = np.mean([record["loss"] for record in history.records])
    assert losses["word2vec"] < losses["random"] - 0.05, losses


def test_threads_of_python_may_train_at_once() -> None:
    from concurrent.futures import ThreadPoolExecutor

    lines = [["a", "b", "c", "d"]] * 500

    def train(_: int) -> Any:
        return Word2Vec(lines, vector_size=8, min_count=1, sample=0, deterministic=True).wv.vectors

    with ThreadPoolExecutor(4) as pool:
        first, *others = pool.map(train, range(4))
    assert all((first == other).all() for other in others)
    assert fastrnn.get_num_threads() >= 1
