"""Why: who comes from gensim asks by its names and expects its answers. Each question is put to
both, about the same vectors; what is otherwise here is tested by its own words.
"""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import fastrnn
from fastrnn.data import UnknownWordError, WordVectors
from fastrnn.io import load_checkpoint, save_checkpoint
from fastrnn.models import KeyedVectors

V, E = 40, 8
WORDS = [f"w{i}" for i in range(V)]


def vectors() -> np.ndarray:
    return np.random.default_rng(5).standard_normal((V, E)).astype(np.float32)


def ours() -> WordVectors:
    return WordVectors(list(WORDS), vectors(), range(V, 0, -1))


@pytest.fixture
def theirs() -> Any:
    keyed = pytest.importorskip("gensim.models.keyedvectors")
    found = keyed.KeyedVectors(E)
    found.add_vectors(WORDS, vectors())
    for i, word in enumerate(WORDS):
        found.set_vecattr(word, "count", V - i)
    return found


A_VECTOR = np.arange(1.0, E + 1, dtype=np.float32)
# What both are asked, as a function of either.
QUESTIONS = {
    "similarity": lambda wv: wv.similarity("w1", "w7"),
    "by number": lambda wv: [wv.similarity(1, 7), wv[3], wv[["w3", "w4"]]],
    "distance": lambda wv: wv.distance("w1", "w7"),
    "distances": lambda wv: wv.distances("w1"),
    "distances to some": lambda wv: wv.distances(A_VECTOR, ["w2", "w5"]),
    "n_similarity": lambda wv: wv.n_similarity(["w1", "w2"], ["w3"]),
    "get_mean_vector": lambda wv: wv.get_mean_vector(["w1", "w2", "none", A_VECTOR]),
    "get_mean_vector, weights": lambda wv: wv.get_mean_vector(
        ["w1", "w2"], weights=[1.0, -0.5], pre_normalize=False, post_normalize=True
    ),
    "no best": lambda wv: wv.most_similar("w1", topn=0),
    "rank": lambda wv: [wv.rank("w1", word) for word in WORDS if word != "w1"],
    "closer_than": lambda wv: wv.closer_than("w4", "w9"),
    "most_similar_to_given": lambda wv: wv.most_similar_to_given("w1", ["w5", "w6", "w7"]),
    "doesnt_match": lambda wv: wv.doesnt_match(["w1", "w2", "w3", "w30"]),
    "most_similar": lambda wv: wv.most_similar(["w1", "w2"], ["w3"], topn=6),
    "of one word": lambda wv: wv.most_similar("w1"),
    "with weights": lambda wv: wv.most_similar([("w1", 0.3), "w2"], [("w4", -2.0)]),
    "with a vector": lambda wv: wv.most_similar(["w1", A_VECTOR]),
    "all": lambda wv: wv.most_similar("w1", topn=None),
    "clipped": lambda wv: wv.most_similar("w1", clip_start=10, clip_end=20),
    "restricted": lambda wv: wv.most_similar("w1", restrict_vocab=12),
    "similar_by_word": lambda wv: wv.similar_by_word("w2", topn=3),
    "similar_by_key": lambda wv: wv.similar_by_key("w2", topn=3, restrict_vocab=20),
    "similar_by_vector": lambda wv: wv.similar_by_vector(A_VECTOR, topn=3),
    "cosmul": lambda wv: wv.most_similar_cosmul(["w1", "w2"], ["w3"], topn=5),
    "cosmul of one": lambda wv: wv.most_similar_cosmul("w1"),
    "cosmul, all": lambda wv: wv.most_similar_cosmul(["w1"], ["w2"], topn=None),
    "normed": lambda wv: wv.get_normed_vectors(),
    "unit vector": lambda wv: wv.get_vector("w3", norm=True),
    "index": lambda wv: [wv.get_index("w3"), wv.get_index("no", -1), wv.get_index(4)],
    "has": lambda wv: [wv.has_index_for("w3"), "no" in wv, V in wv, 0 in wv],
    "tables": lambda wv: [wv.index_to_key, wv.key_to_index, wv.vector_size, len(wv)],
    "count": lambda wv: int(wv.get_vecattr("w3", "count")),
}


def assert_alike(actual: Any, expected: Any) -> None:
    if isinstance(expected, (list, tuple)):
        assert len(actual) == len(expected)
        for one, other in zip(actual, expected, strict=True):
            assert_alike(one, other)
    elif isinstance(expected, (float, np.floating, np.ndarray)):
        np.testing.assert_allclose(actual, expected, rtol=2e-5, atol=2e-6)
    else:
        assert actual == expected


@pytest.mark.filterwarnings("ignore:Call to deprecated .init_sims")  # gensim calls it itself
@pytest.mark.parametrize("question", QUESTIONS)
def test_gensim_answers_the_same(question: str, theirs: Any) -> None:
    ask = QUESTIONS[question]
    theirs.fill_norms()
    assert_alike(ask(ours()), ask(theirs))


def test_words_are_added_as_in_gensim(theirs: Any) -> None:
    more = np.random.default_rng(6).standard_normal((3, E)).astype(np.float32)
    for wv in (mine := ours(), theirs):
        wv.add_vectors(["w1", "new", "newer"], more)
        wv.add_vectors(["w2", "newest"], more[:2], replace=True)
        wv["w3"] = more[2]
    assert mine.index_to_key == theirs.index_to_key
    np.testing.assert_array_equal(mine.vectors, theirs.vectors)
    np.testing.assert_array_equal(mine["w1"], vectors()[1])
    assert mine.most_similar("newest")[0][0] == theirs.most_similar("newest")[0][0]


def test_vectors_for_all_as_in_gensim(theirs: Any) -> None:
    keys = ["w9", "no", "w2", "w9"]
    mine = ours().vectors_for_all(keys, copy_vecattrs=True)
    other = theirs.vectors_for_all(keys, copy_vecattrs=True)
    assert mine.index_to_key == other.index_to_key == ["w9", "w2"]
    np.testing.assert_array_equal(mine.vectors, other.vectors)
    assert mine.get_vecattr("w2", "count") == other.get_vecattr("w2", "count") == V - 2
    assert ours().vectors_for_all(keys).counts is None


def test_attributes_are_kept_for_every_word() -> None:
    wv = ours()
    wv.set_vecattr("w1", "rank", 7)
    wv.set_vecattr("w2", "weight", 0.5)
    wv.set_vecattr("w3", "kind", "verb")
    wv.set_vecattr("w4", "count", 99)
    assert [wv.get_vecattr("w1", name) for name in ("rank", "weight", "kind")] == [7, 0.0, None]
    assert (wv.get_vecattr("w3", "kind"), wv.counts[4]) == ("verb", 99)
    assert wv.add_vector("new", A_VECTOR) == V
    assert [wv.get_vecattr("new", name) for name in ("rank", "kind", "count")] == [0, None, 0]
    wv.add_vectors(["a", "w1"], [A_VECTOR, A_VECTOR], extras={"rank": [3, 4]}, replace=True)
    assert (wv.get_vecattr("a", "rank"), wv.get_vecattr("w1", "rank")) == (3, 4)
    with pytest.raises(KeyError, match=r"no attribute 'size'; there are \['count', 'kind', 'rank'"):
        wv.get_vecattr("w1", "size")
    with pytest.raises(ValueError, match="invalid literal"):
        wv.set_vecattr("w1", "rank", "first")


def test_an_edit_in_place_is_seen_by_the_next_question() -> None:
    wv = ours()
    wv.fill_norms()
    wv.vectors[7] = 3 * wv.vectors[1]
    assert wv.most_similar("w1", topn=1)[0][0] == "w7"
    np.testing.assert_allclose(wv.norms[7], 3 * wv.norms[1], rtol=1e-6)


def test_there_and_back_in_a_file(tmp_path: Path) -> None:
    pytest.importorskip("safetensors")
    wv = ours()
    wv.add_vector("line\nbreak 猫", A_VECTOR)
    wv.set_vecattr("w1", "rank", 7)
    wv.set_vecattr("w2", "kind", "verb")
    wv.save(tmp_path / "a.kv")
    back = KeyedVectors.load(tmp_path / "a.kv", mmap="r")
    assert back.index_to_key == wv.index_to_key
    np.testing.assert_array_equal(back.vectors, wv.vectors)
    np.testing.assert_array_equal(back.counts, wv.counts)
    assert [back.get_vecattr("w1", n) for n in ("rank", "kind")] == [7, None]
    assert back.get_vecattr("w2", "kind") == "verb"


CROOKED: dict[str, Any] = {
    "no word vectors; name": lambda _, state: state.update(format="other"),
    "vectors must have shape": lambda tensors, _: tensors.update(vectors=np.ones((2, 3))),
    "words must be different": lambda tensors, _: tensors.update(words=said(["a"] * V)),
    "no list of texts": lambda tensors, _: tensors.update(words=said([1] * V)),
    "has no place in it": lambda tensors, _: tensors.update(more=np.ones(V)),
    "not there for every word": lambda tensors, _: tensors.update({"number.x": np.ones(3)}),
    "'vectors'": lambda tensors, _: tensors.pop("vectors"),
    "no word vectors: ": lambda tensors, _: tensors.update(words=said_raw("[" * 100_000)),
}


def said_raw(text: str) -> np.ndarray:
    return np.frombuffer(text.encode(), np.uint8)


def said(value: Any) -> np.ndarray:
    return said_raw(json.dumps(value))


@pytest.mark.parametrize("message", CROOKED)
def test_crooked_files(message: str, tmp_path: Path) -> None:
    pytest.importorskip("safetensors")
    path = tmp_path / "a.kv"
    ours().save(path)
    found = load_checkpoint(path)
    tensors, state = dict(found.tensors), dict(found.state)
    CROOKED[message](tensors, state)
    save_checkpoint(path, tensors, state)
    with pytest.raises(fastrnn.CheckpointError, match=message):
        WordVectors.load(path)


BAD: dict[str, Any] = {
    "the word 'no' has no vector": lambda wv: wv.rank("w1", "no"),
    "the word 40 has no vector": lambda wv: wv[V],
    "the word -1 has no vector": lambda wv: wv[-1],
    "the word 'nil' has no vector": lambda wv: wv.n_similarity(["w1"], ["w2", "nil"]),
    "ws1 and ws2 must hold": lambda wv: wv.n_similarity([], ["w2"]),
    "keys_list must hold": lambda wv: wv.most_similar_to_given("w1", []),
    "positive must name": lambda wv: wv.most_similar_cosmul(None, ["w1"]),
    r"a vector must have shape \(8,\)": lambda wv: wv.distances(np.ones(3)),
    "key must be new": lambda wv: wv.add_vector("w1", A_VECTOR),
    r"weights must have shape \(1, 8\)": lambda wv: wv.add_vector("new", np.ones(3)),
    "keys must be words, all different": lambda wv: wv.add_vectors(["a", "a"], [A_VECTOR] * 2),
    r"extras\['n'\] must have shape": lambda wv: wv.add_vectors("a", A_VECTOR, {"n": [1, 2]}),
    "words must be a str, or a list": lambda wv: wv.vectors_for_all("w1"),
    "clip_start": lambda wv: wv.most_similar("w1", clip_start=-1),
    "restrict_vocab": lambda wv: wv.most_similar_cosmul("w1", restrict_vocab=0),
    "topn": lambda wv: wv.similar_by_word("w1", topn=-1),
    "mmap must be": lambda wv: wv.load("nowhere", mmap="x"),
}


@pytest.mark.parametrize("message", BAD)
def test_bad_questions(message: str) -> None:
    wv = ours()
    with pytest.raises((ValueError, TypeError), match=message) as caught:
        BAD[message](wv)
    assert isinstance(caught.value, UnknownWordError) == ("has no vector" in message)
    assert (len(wv), wv.vectors.shape) == (V, (V, E))
