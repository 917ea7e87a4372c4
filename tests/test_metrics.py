"""Why: a score that is computed another way than its name says compares with nothing."""

import itertools
import math
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastrnn import metrics

WORD = st.text("abc", max_size=5)


def slow(a: str, b: str) -> int:
    """The definition of the edit distance, by recursion."""
    if not a or not b:
        return len(a) + len(b)
    return min(slow(a[1:], b) + 1, slow(a, b[1:]) + 1, slow(a[1:], b[1:]) + (a[0] != b[0]))


@given(WORD, WORD)
def test_edits_are_the_fewest(a: str, b: str) -> None:
    assert metrics.edit_distance(a, b) == slow(a, b)


def test_any_reference_will_do_and_the_closest_counts() -> None:
    phones = [["R", "EH", "D"], ["T"]]
    may = [[["R", "IY", "D"], ["R", "EH", "D"]], [["T", "UW"]]]
    assert metrics.exact_match(phones, may) == 0.5
    assert metrics.error_rate(phones, may) == 1 / 5
    assert metrics.exact_match([("R",)], [["R"]]) == 1
    assert metrics.exact_match(["ab"], ["ab"]) == 1
    assert metrics.exact_match(["ab"], [["x", "ab"]]) == 1
    assert metrics.error_rate(["ab"], ["abcd"]) == 0.5
    assert metrics.error_rate(["abcdef"], ["x"]) == 6


@pytest.mark.parametrize(
    ("predictions", "references"), [([], []), (["a"], []), (["a"], ["a", "b"]), (["a"], [[]])]
)
def test_nothing_to_compare_is_refused(predictions: list, references: list) -> None:
    with pytest.raises(ValueError, match="references must"):
        metrics.exact_match(predictions, references)
    with pytest.raises(ValueError, match="references must"):
        metrics.error_rate(predictions, references)


def test_a_text_is_not_a_sequence_of_answers() -> None:
    """Its letters would be compared, one by one, with those of the other."""
    for metric in (
        metrics.exact_match, metrics.error_rate, metrics.bleu, metrics.chrf,
    ):  # fmt: skip
        with pytest.raises(TypeError, match="predictions must be a sequence of answers, got one"):
            metric("the cat", "the cat")
        with pytest.raises(TypeError, match="references must be a sequence of answers, got one"):
            metric(["the cat"], "c")
    with pytest.raises(TypeError, match="texts must be a sequence of answers, got one"):
        metrics.distinct("the cat")


def test_an_answer_that_is_no_sequence_is_named() -> None:
    with pytest.raises(TypeError, match="an answer must be a sequence, got 3"):
        metrics.exact_match([3], [4])
    with pytest.raises(TypeError, match="a text must be a sequence, got 3"):
        metrics.distinct([3])


def test_an_empty_reference_counts_its_edits_but_no_symbols() -> None:
    assert metrics.error_rate(["a", "bb"], ["", "bb"]) == 0.5
    with pytest.raises(ValueError, match="at least one symbol"):
        metrics.error_rate(["a"], [""])


def test_brackets_are_counted_over_the_corpus() -> None:
    right = [("S", 0, 2), ("NP", 0, 1), ("NP", 1, 2)]
    assert metrics.bracket_f1([right], [right]) == 1
    assert metrics.bracket_f1([[]], [right]) == 0
    assert metrics.bracket_f1([], []) == 0
    twice = [("NP", 0, 1), ("NP", 0, 1)]
    assert metrics.bracket_f1([twice, right], [right, right]) == 2 * 4 / (5 + 6)
    with pytest.raises(ValueError, match="as many"):
        metrics.bracket_f1([right], [])


def test_bleu_is_that_of_sacrebleu() -> None:
    sacrebleu = pytest.importorskip("sacrebleu", reason="sacrebleu is not installed")
    mine = ["the cat sat on the mat .", "私 は テニス 部員 で す 。"]
    right = ["the cat is on the mat .", "私 は テニス 部 の 部員 で す 。"]
    for tokenize in ("13a", "none"):
        score, ratio = metrics.bleu(mine, right, tokenize=tokenize)
        assert score == sacrebleu.corpus_bleu(mine, [right], tokenize=tokenize).score
        assert 0 < score < 100
    assert ratio == pytest.approx(14 / 16)
    assert metrics.chrf(mine, right) == sacrebleu.corpus_chrf(mine, [right]).score
    # A fixed value, so that a change of either side is seen: 1- to 4-gram precisions of the first
    # sentence are 6/7, 4/6, 2/5 and 1/4, and lengths are equal.
    score, _ = metrics.bleu(mine[:1], right[:1], tokenize="none")
    assert score == pytest.approx(100 * math.prod((6 / 7, 4 / 6, 2 / 5, 1 / 4)) ** 0.25)


def test_bleu_takes_one_reference_each() -> None:
    pytest.importorskip("sacrebleu", reason="sacrebleu is not installed")
    for metric in (metrics.bleu, metrics.chrf):
        with pytest.raises(TypeError, match=r"must be texts, got .*; join the tokens"):
            metric([["a", "b"]], [["a", "b"]])
        with pytest.raises(ValueError, match="references must be one for each"):
            metric(["a b"], [["a b", "a"]])


def test_without_sacrebleu_it_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sacrebleu", None)
    with pytest.raises(ImportError, match=r"fastrnn\[text\]"):
        metrics.bleu(["a"], ["a"])


def test_diversity_counts_different_grams() -> None:
    texts = ["a b a b", "a b", ""]
    assert metrics.distinct(texts, 1) == 2 / 6
    assert metrics.distinct(texts, 2) == 2 / 4
    assert metrics.distinct([t.split() for t in texts], 2) == 2 / 4
    assert metrics.distinct(texts, 5) == 0
    everything = ["".join(p) for p in itertools.permutations("abc")]
    assert metrics.distinct([list(word) for word in everything], 3) == 1


def test_modes_and_distributions() -> None:
    assert metrics.mode_coverage([1, 1, 0, None, 8], 8) == 2
    assert metrics.total_variation([1, 0], [0, 5]) == 1
    assert metrics.total_variation([2, 2], [0.5, 0.5]) == 0
    rng = np.random.default_rng(0)
    p, q = rng.random(5), rng.random(5)
    best = max(
        abs((p / p.sum())[list(s)].sum() - (q / q.sum())[list(s)].sum())
        for n in range(6)
        for s in itertools.combinations(range(5), n)
    )
    assert metrics.total_variation(p, q) == pytest.approx(best)  # its other definition
    for wrong in ([1, 2, 3], [-1, 2], [0, 0]):
        with pytest.raises(ValueError, match="p and q must"):
            metrics.total_variation([1, 1], wrong)


def test_perplexity() -> None:
    assert metrics.perplexity(math.log(50)) == pytest.approx(50)
    assert metrics.perplexity(1e6) == math.inf
    with pytest.raises(ValueError, match="count"):
        metrics.perplexity(1, 0)
