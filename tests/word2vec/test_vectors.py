"""Why: questions to word vectors have answers that can be worked out by hand, and files that other
programs must read.
"""

import tracemalloc
from pathlib import Path

import numpy as np
import pytest

from fastrnn import CheckpointError
from fastrnn.data import Phrases, WordVectors
from fastrnn.io.word2vec_format import load_word2vec_format, save_word2vec_format

# man, woman, king, queen, Paris, France, Rome, Italy: gender, power, place, is-a-country.
WORDS = ["man", "woman", "king", "queen", "paris", "france", "rome", "italy", "cabbage"]
VECTORS = np.array(
    [
        [1, 0, 0, 0, 0, 0.1], [-1, 0, 0, 0, 0, 0.1], [1, 1, 0, 0, 0, 0], [-1, 1, 0, 0, 0, 0],
        [0, 0, 1, 0, 1, 0], [0, 0, 1, 0, -1, 0], [0, 0, -1, 0, 1, 0], [0, 0, -1, 0, -1, 0],
        [0, 0, 0, 1, 0, 0],
    ],
    np.float32,
)  # fmt: skip


@pytest.fixture
def wv() -> WordVectors:
    return WordVectors(WORDS, VECTORS, range(9, 0, -1))


def test_most_similar_by_hand(wv: WordVectors) -> None:
    (word, score), *_ = wv.most_similar(positive=["king", "woman"], negative=["man"])
    assert word == "queen"
    unit = VECTORS / np.linalg.norm(VECTORS, axis=1, keepdims=True)
    sought = unit[2] + unit[1] - unit[0]
    assert score == pytest.approx(float(unit[3] @ sought / np.linalg.norm(sought)), abs=1e-6)
    names = [word for word, _ in wv.most_similar("king", topn=100)]
    assert sorted(names) == sorted(set(WORDS) - {"king"})
    assert wv.most_similar(VECTORS[3], topn=1)[0][0] == "queen"
    assert wv.most_similar("king", topn=100, restrict_vocab=2)[0][0] == "man"
    assert len(wv.most_similar("king", topn=100, restrict_vocab=2)) == 2
    assert wv.similarity("king", "king") == pytest.approx(1)
    assert wv.similarity("paris", "cabbage") == 0
    assert wv.doesnt_match(["man", "king", "cabbage"]) == "cabbage"


def test_analogies_count_what_they_cannot_answer(wv: WordVectors, tmp_path: Path) -> None:
    path = tmp_path / "questions.txt"
    path.write_text(
        ": family\nMan King Woman Queen\nman king woman cabbage\nman king woman emperor\n"
        ": capital\nFrance Paris Italy Rome\n"
    )
    score, sections = wv.evaluate_word_analogies(path)
    assert score == pytest.approx(2 / 3)
    assert sections == [
        {"section": "family", "correct": 1, "answered": 2, "asked": 3},
        {"section": "capital", "correct": 1, "answered": 1, "asked": 1},
        {"section": "Total accuracy", "correct": 2, "answered": 3, "asked": 4},
    ]
    assert wv.evaluate_word_analogies(path, case_insensitive=False)[1][-1]["answered"] == 1
    assert wv.evaluate_word_analogies(path, restrict_vocab=3)[1][-1]["answered"] == 0
    path.write_text("three words only\n")
    with pytest.raises(ValueError, match="line 1: four words"):
        wv.evaluate_word_analogies(path)


def test_pairs_are_correlated_by_rank(wv: WordVectors, tmp_path: Path) -> None:
    path = tmp_path / "pairs.tsv"
    path.write_text(
        "# words and what people say\nman\tking\t9\nMan\tcabbage\t2\nman\twoman\t1\n"
        "paris\trome\t2\nparis\temperor\t5\n"
    )
    pearson, spearman, unknown = wv.evaluate_word_pairs(path)
    ours = [wv.similarity(a, b) for a, b in
            (("man", "king"), ("man", "cabbage"), ("man", "woman"), ("paris", "rome"))]  # fmt: skip
    assert unknown == pytest.approx(20)
    assert pearson == pytest.approx(np.corrcoef(ours, [9, 2, 1, 2])[0, 1])
    # Ranks of ours: 4, 2½, 1, 2½ as cabbage and Rome are equal; of theirs 4, 2½, 1, 2½.
    assert spearman == pytest.approx(1.0)
    path.write_text("man\tking\tmuch\n")
    with pytest.raises(ValueError, match="line 1: two words and a number"):
        wv.evaluate_word_pairs(path)
    path.write_bytes(b"man\tking\t9\nman\tca\xe9\t2\n")
    for test in (wv.evaluate_word_pairs, wv.evaluate_word_analogies):
        with pytest.raises(ValueError, match=r"pairs\.tsv is not UTF-8: byte 0xe9 in line 2"):
            test(path)
    path.write_text("a\tb\t1\n")
    with pytest.raises(ValueError, match="fewer than two"):
        wv.evaluate_word_pairs(path)


@pytest.mark.parametrize("binary", [False, True])
def test_files_hold_every_bit(tmp_path: Path, binary: bool) -> None:
    rng = np.random.default_rng(0)
    words = ["naïve", "日本", "a", "1.5", "x" * 300]
    vectors = (rng.normal(size=(5, 7)) * 10.0 ** rng.integers(-30, 30, (5, 7))).astype(np.float32)
    save_word2vec_format(tmp_path / "v.kv", words, vectors, binary=binary)
    again, read = load_word2vec_format(tmp_path / "v.kv", binary=binary)
    assert again == words
    np.testing.assert_array_equal(read, vectors)


@pytest.mark.parametrize("binary", [False, True])
def test_gensim_reads_our_files_and_we_read_its(tmp_path: Path, binary: bool) -> None:
    words = ["naïve", "日本", "1.5"]
    vectors = np.random.default_rng(0).normal(size=(3, 4)).astype(np.float32)
    save_word2vec_format(tmp_path / "v.kv", words, vectors, binary=binary)
    gensim = pytest.importorskip("gensim.models", reason="gensim is missing")
    theirs = gensim.KeyedVectors.load_word2vec_format(str(tmp_path / "v.kv"), binary=binary)
    assert theirs.index_to_key == words
    np.testing.assert_array_equal(theirs.vectors, vectors)
    theirs.save_word2vec_format(str(tmp_path / "g"), binary=binary)
    np.testing.assert_allclose(load_word2vec_format(tmp_path / "g", binary=binary)[1], vectors)


@pytest.mark.parametrize("binary", [False, True])
def test_only_the_words_at_the_front(binary: bool, tmp_path: Path) -> None:
    words, vectors = ["a", "b", "c"], np.arange(6, dtype=np.float32).reshape(3, 2)
    path = tmp_path / "v"
    save_word2vec_format(path, words, vectors, binary=binary)
    for limit in (0, 2, 3, 9):
        wv = WordVectors.load_word2vec_format(path, binary=binary, limit=limit)
        assert wv.index_to_key == words[:limit]
        np.testing.assert_array_equal(wv.vectors, vectors[:limit])
    with pytest.raises(ValueError, match="limit must be"):
        WordVectors.load_word2vec_format(path, binary=binary, limit=-1)


def test_binary_vectors_without_line_ends_are_read(tmp_path: Path) -> None:
    """gensim 4 writes none behind a vector, word2vec.c one, and a number may look like one."""
    vectors = np.array([[1, 2], [3, 4]], "<f4")
    newline = np.frombuffer(b"\n\n\n\n" * 2, "<f4")
    for gap in (b"", b"\n"):
        rows = [b"a " + vectors[0].tobytes(), b"b " + newline.tobytes(), b"c " + b"\0" * 8]
        (tmp_path / "v").write_bytes(b"3 2\n" + gap.join(rows) + gap)
        words, read = load_word2vec_format(tmp_path / "v", binary=True)
        assert words == ["a", "b", "c"]
        assert read[1].tobytes() == newline.tobytes()


def test_phrases_by_hand() -> None:
    text = [["new", "york", "is", "big"], ["new", "york"], ["big", "new", "york", "bridge"]]
    phrases = Phrases(text, min_count=1, threshold=1)
    assert phrases.score("new", "york") == pytest.approx((3 - 1) * 5 / 9)
    assert phrases.score("york", "is") == 0
    assert phrases.score("is", "new") == float("-inf")
    assert phrases[text[0]] == ["new_york", "is", "big"]
    assert list(phrases.apply([["york"], []])) == [["york"], []]
    assert phrases.export_phrases() == {"new_york": pytest.approx(10 / 9)}
    npmi = Phrases(text, min_count=1, threshold=0.5, scoring="npmi")
    assert npmi.score("new", "york") == pytest.approx(
        np.log((3 / 10) / (3 / 10) ** 2) / -np.log(3 / 10)
    )
    with pytest.raises(TypeError, match="got a string among them"):
        Phrases(["new york"])
    with pytest.raises(ValueError, match="scoring"):
        Phrases(text, scoring="x")  # type: ignore[arg-type]


def test_the_map_shows_the_two_directions_of_most_spread() -> None:
    from fastrnn.plot._words import plane

    rng = np.random.default_rng(0)
    x = rng.normal(size=(50, 6)) * [5, 0.1, 3, 0.2, 1, 0.5] + 7
    places = plane(x)
    spread = np.sort(np.linalg.eigvalsh(np.cov(x.T)))[::-1]
    np.testing.assert_allclose(np.cov(places.T), np.diag(spread[:2]), atol=1e-9)
    np.testing.assert_allclose(places.mean(axis=0), 0, atol=1e-9)
    assert not plane([[1.0], [2.0]])[:, 1].any()
    with pytest.raises(ValueError, match="n >= 2"):
        plane([[1.0, 2.0]])


def test_one_long_number_does_not_widen_the_others(tmp_path: Path) -> None:
    """A text of two megabytes took a gigabyte: every field was made as long as the longest."""
    path = tmp_path / "v.txt"
    path.write_bytes(b"1 1001\ncat " + b"1" * 950_000 + b" 1" * 1000 + b"\n")
    tracemalloc.start()
    try:
        with pytest.raises(CheckpointError, match="line 2 "):
            WordVectors.load_word2vec_format(path)
        assert tracemalloc.get_traced_memory()[1] < 5e6
    finally:
        tracemalloc.stop()
    path.write_bytes(b"1 2\ncat " + b"0." + b"3" * 60 + b" -1.25e-3\n")
    found = WordVectors.load_word2vec_format(path)
    np.testing.assert_array_equal(found["cat"], np.float32([1 / 3, -1.25e-3]))


@pytest.mark.parametrize("size", [2**60, 10**21, 2**18 + 1, 0])
@pytest.mark.parametrize("binary", [False, True])
def test_a_size_that_no_vector_has(tmp_path: Path, size: int, binary: bool) -> None:
    path = tmp_path / "v"
    path.write_text(f"0 {size}\n")
    with pytest.raises(CheckpointError, match=r"must have 1\.\.262144 elements"):
        WordVectors.load_word2vec_format(path, binary=binary)
