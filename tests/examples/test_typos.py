"""Why: a score on misspellings needs edits that lead back, and a split that keeps words apart."""

import itertools
from collections import Counter

import numpy as np
import pytest

from fastrnn.data import Vocabulary
from fastrnn.examples import typos as example

DICTIONARY = b"recieve->receive\nteh->the\nfreind->friend, fiend,\nthier->their\nbelive->believe\n"


@pytest.mark.parametrize(
    ("wrong", "right"),
    [("teh", "the"), ("acept", "accept"), ("aand", "and"), ("nd", "and"), ("catt", "cat"),
     ("cleint", "client"), ("same", "same"), ("x", "yz")],
)  # fmt: skip
def test_edits_lead_to_the_right_word(wrong: str, right: str) -> None:
    parts = example.edits(wrong, right)
    assert len(parts) == len(wrong) + 1
    assert example.edited(wrong, parts) == right


def test_edits_are_as_few_as_can_be() -> None:
    assert example.edits("acept", "accept") in (
        ["=", "=", "=c", "=", "=", "="],
        ["=", "=c", "=", "=", "=", "="],
    )
    assert example.edits("nd", "and") == ["=a", "=", "="]
    assert example.edits("catt", "cat").count("") == 1


def test_one_word_for_another_is_taken_from_the_dictionary() -> None:
    found = example.misspellings(DICTIONARY)
    assert found == {
        "receive": ["recieve"], "the": ["teh"], "their": ["thier"], "believe": ["belive"],
    }  # fmt: skip


def test_words_are_misspelt_where_the_places_say() -> None:
    rng = np.random.default_rng(0)
    text = "They receive the gift. The end, “the” end."
    wrong, words = example.misspelt(text, example.misspellings(DICTIONARY), rng)
    while all(right is None for *_, right in words):
        wrong, words = example.misspelt(text, example.misspellings(DICTIONARY), rng)
    assert len(words) == len(example.WORD.findall(text))
    assert wrong[0] == " "
    back, end = "", 0
    for begin, stop, right in words:
        word = wrong[begin:stop]
        good = word if right is None else right.capitalize() if word[0].isupper() else right
        back += wrong[end:begin] + good
        end = stop
    assert back + wrong[end:] == " " + text


def texts() -> list[str]:
    rng = np.random.default_rng(0)
    words = ["the", "receive", "their", "believe", "cat", "dog", "house"]
    return [" ".join(rng.choice(words, 12)) for _ in range(400)]


def test_what_is_misspelt_in_the_test_never_is_in_training() -> None:
    for seed in range(8):
        learned, test, counts, tags = example.prepare(
            texts(), example.misspellings(DICTIONARY), seed
        )
        first, second = (
            {right for words in corpus.words for *_, right in words} - {None}
            for corpus in (learned(np.random.default_rng(seed)), test)
        )
        assert not first & second
        assert tags.get(example.KEEP) == 0
        assert counts["cat"] > 0 == counts["teh"]
    # Every letter of a word that stands there as it is in the training text is known.
    i = next(i for i, words in enumerate(test.words) if all(right is None for *_, right in words))
    assert all(test.known[i][b:e].all() for b, e, _ in test.words[i])


def test_network_and_counts_decide_among_the_known_words() -> None:
    tags = {"=": 0, "e": 1, "h": 2, "": 3}
    p = np.full((4, 4), -9.0)
    p[:, 0] = -0.1
    p[2], p[3] = (-2.0, -9.0, -0.2, -9.0), (-2.0, -0.2, -9.0, -9.0)  # t, then h and e
    assert example.likelihood("teh", "the", p, tags) == pytest.approx(-0.1 - 0.1 - 0.2 - 0.2)
    assert example.correction("teh", p, tags, Counter(the=3, ten=3)) == "the"
    assert example.correction("teh", p, tags, Counter(the=1, ten=10**9)) == "ten"
    # No known neighbour: the best edits, or one of them replaced.
    assert example.correction("tehx", np.vstack([p, p[:1]]), tags, Counter(thex=1)) == "thex"
    p[3] = (-0.2, -0.4, -9.0, -9.0)
    assert example.correction("qehqq", np.vstack([p, p[:2]]), tags, Counter(qheqq=1)) == "qheqq"


def test_swaps_and_single_letters_are_neighbours() -> None:
    found = example.neighbours("teh")
    assert {"the", "te", "tech", "ten", "eh"} <= found
    assert "teh" not in found
    assert example.f1(np.array([True, True, False]), np.array([True, False, False])) == 2 / 3


def test_a_network_learns_to_undo_an_error_in_words_that_it_never_saw_misspelt() -> None:
    rng = np.random.default_rng(1)
    stems = ["".join(rng.choice(list("bcdfgklmnpst"), 3)) for _ in range(60)]
    lines = "\n".join(f"{a}{b[::-1]}->{a}q{b[::-1]}" for a, b in itertools.pairwise(stems))
    errors = example.misspellings(lines.encode())  # a q is left out
    words = [*sorted(errors), "plain", "words", "here"]
    verses = [" ".join(rng.choice(words, 8)) for _ in range(500)]
    learned, test, counts, tags = example.prepare(verses, errors, 0)
    letters = Vocabulary.from_texts(verses, level="character")
    model, _ = example.train(learned, letters, tags, True, 32, 0, epochs=25)
    f1, right = example.judge(model, test, letters, tags, counts)
    assert f1 > 0.9
    assert right > 0.9
