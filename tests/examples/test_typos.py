"""Why: a score on misspellings needs edits that lead back, and a split that keeps words apart."""

import itertools
from collections import Counter

import numpy as np
import pytest

import _speller as speller
import typos as example
from fastrnn.data import Vocabulary

DICTIONARY = b"recieve->receive\nteh->the\nfreind->friend, fiend,\nthier->their\nbelive->believe\n"


def edited(word: str, parts: list[str]) -> str:
    """The word that these parts make of a word."""
    letters = ["", *word, ""]
    return "".join(
        letters[i + 1] + letters[i]
        if part == speller.SWAP
        else part.replace(speller.KEEP, letters[i])
        for i, part in enumerate(parts)
    )


@pytest.mark.parametrize(
    ("wrong", "right"),
    [("teh", "the"), ("acept", "accept"), ("aand", "and"), ("nd", "and"), ("catt", "cat"),
     ("cleint", "client"), ("same", "same"), ("x", "yz"), ("ahev", "have"), ("hte", "thee")],
)  # fmt: skip
def test_edits_lead_to_the_right_word(wrong: str, right: str) -> None:
    parts = speller.edits(wrong, right)
    assert len(parts) == len(wrong) + 1
    assert edited(wrong, parts) == right


def test_edits_are_as_few_as_can_be() -> None:
    assert speller.edits("acept", "accept") in (
        ["=", "=", "=c", "=", "=", "="],
        ["=", "=c", "=", "=", "=", "="],
    )
    assert speller.edits("nd", "and") == ["=a", "=", "="]
    assert speller.edits("catt", "cat").count("") == 1
    assert speller.edits("teh", "the") == ["=", "=", speller.SWAP, ""]


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
        learned, test, counts, tags, _, errors = example.prepare(
            texts(), example.misspellings(DICTIONARY), seed
        )
        first, second = (
            {right for words in corpus.words for *_, right in words} - {None}
            for corpus in (learned(np.random.default_rng(seed)), test)
        )
        assert not first & second
        assert not errors.keys() & second
        assert tags.get(example.KEEP) == 0
        assert counts["cat"] > 0 == counts["teh"]
    # Every letter of a word that stands there as it is in the training text is known.
    i = next(i for i, words in enumerate(test.words) if all(right is None for *_, right in words))
    assert all(test.known[i][b:e].all() for b, e, _ in test.words[i])


class Told:
    """Scores as given, of a channel or a context."""

    def __init__(self, scores: dict[str, float]) -> None:
        self._scores = scores

    def scores(self, *about: object) -> np.ndarray:
        words: list[str] = about[-1]  # type: ignore[assignment]
        return np.array([self._scores[word] for word in words])


def test_channel_and_context_decide_among_the_known_words() -> None:
    counts = Counter(the=3, ten=3, house=1, thirst=1)
    likely = Told({"the": -1.0, "ten": -2.0, "thirst": -5.0})
    for context, right in (({"the": -3.0, "ten": -2.5}, "the"), ({"the": -9, "ten": -1}, "ten")):
        spelling = speller.Speller(likely, Told({**context, "thirst": 0.0}), counts)
        assert spelling.put_right(["in", "teh", "house"], 1) == right
    # A word of two changes is likelier than the neighbours, and must be so by FARTHER.
    for likely_hte, right in ((speller.FARTHER - 1.5, "the"), (speller.FARTHER - 0.5, "hte")):
        told = Told({"the": -1.0, "ten": -2.0, "hte": likely_hte})
        even = Told(dict.fromkeys(("the", "ten", "hte"), -3.0))
        wider = speller.Speller(told, even, counts + Counter(hte=1))
        assert wider.put_right(["in", "teh", "house"], 1) == right
    # No known neighbour: a word of nearly the same letters, or else the word itself.
    assert spelling.put_right(["thrsti"], 0) == "thirst"
    assert spelling.put_right(["qqqqqqqqqq"], 0) == "qqqqqqqqqq"


def test_channel_gives_the_probability_of_the_edits() -> None:
    sides = itertools.permutations("bcdfgklmnprst", 2)
    errors = {f"{a}ei{b}": [f"{a}ie{b}"] for a, b in sides if a + b != "rk"}
    channel = speller.Channel(errors, True, 12, 0, epochs=60)
    swapped, unheard = channel.scores("riek", ["reik", "quzy"])
    kept = channel.scores("reik", ["reik"])[0]
    assert np.exp(swapped) > 0.8
    assert np.exp(swapped) + np.exp(kept) <= 1
    assert unheard < 2 * speller.UNHEARD_OF
    # A swap is one event: the letter that is left out after it costs nothing more.
    (p,) = channel.model.predict_proba(np.array([channel.letters.encode(" reik")]).T).swapaxes(0, 1)
    parts = speller.edits("reik", "riek")
    assert parts == ["=", "=", speller.SWAP, "", "="]
    once = sum(np.log(p[i, channel.tags[parts[i]]]) for i in (0, 1, 2, 4))
    assert swapped == pytest.approx(once, abs=1e-4)


def test_context_names_the_words_before_and_after() -> None:
    rng = np.random.default_rng(0)
    texts = [
        [w for k in rng.permutation(3) for w in ("in", "abc"[k], ".")] for _ in range(300)
    ]  # what stands between in and a point is one of three, and none comes twice
    for both in (True, False):
        context = speller.Context(texts, both, 16, 0, epochs=9, rate=2e-2, N=16)
        a, b, point = context.scores(["in", "a", ".", "in", "x", "."], 4, ["a", "b", "."])
        assert b > a + 1
        assert b > point + 2
        # Of the first place nothing is known but, in both directions, what comes later.
        first = context.scores(["in", "x", ".", "in", "b", "."], 1, ["a", "b"])
        assert (first[0] > first[1] + 1) == both


def test_swaps_and_single_letters_are_neighbours() -> None:
    found = speller.neighbours("teh")
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
    task = example.prepare(verses, errors, 0)
    letters = Vocabulary.from_texts(verses, level="character")
    model, _ = example.train(task.learned, letters, task.tags, True, 32, 0, epochs=25)
    assert example.judge(model, task.test, letters, task.tags) > 0.9
    spelling = example.speller(task, True, (32, 16), 0, epochs=(25, 1))
    assert example.put_right(spelling, task.test) > 0.9
