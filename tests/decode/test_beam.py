"""Why: a beam that prunes wrongly, forgets what has ended or breaks ties by chance still prints
plausible sequences. Only the truth by trying everything tells.
"""

from typing import Any

import numpy as np
import pytest
from helpers.oracle import EOS, Toy, tuple_of

from fastrnn import _core, decode
from fastrnn.decode import Rules
from fastrnn.decode._select import best_of

PENALTIES: list[dict[str, Any]] = [
    {"length_penalty": "none"},
    {"length_penalty": "avg"},
    {"length_penalty": "wu", "alpha": 0.8},
    {"length_penalty": "none", "word_penalty": 0.7},
    {"length_penalty": "avg", "word_penalty": -0.4},
]


def score(log_prob: float, length: int, options: dict[str, Any]) -> float:
    """The definition once more; length without EOS."""
    l = length + 1
    divisor = {"none": 1.0, "avg": l, "wu": ((5 + l) / 6) ** options.get("alpha", 0)}
    return log_prob / divisor[options["length_penalty"]] + options.get("word_penalty", 0) * l


@pytest.mark.parametrize("options", PENALTIES, ids=str)
@pytest.mark.parametrize("seed", range(4))
def test_a_wide_beam_finds_the_best_of_all(options: dict[str, Any], seed: int) -> None:
    toy = Toy(V=7, N=3, seed=seed)
    found = decode.beam_search(
        toy.step, toy.start, 3, max_length=4, beam_size=150, n_best=5, **options
    )
    for n, hypotheses in enumerate(found):
        truth = {t: score(p, len(t), options) for t, p in toy.all(n, 4).items()}
        best = sorted(truth, key=lambda t: -truth[t])[:5]
        assert [tuple_of(h) for h in hypotheses] == best
        for h in hypotheses:
            assert h.finished
            assert np.isclose(h.log_prob, toy.log_prob(n, h.tokens), rtol=1e-12)
            assert np.isclose(h.score, truth[tuple_of(h)], rtol=1e-12)


@pytest.mark.parametrize("beam_size", [1, 3])
@pytest.mark.parametrize("rules", [Rules(), Rules(block_ngram_repeat=1), Rules(min_length=2)])
def test_scores_stay_the_models_own(beam_size: int, rules: Rules) -> None:
    """Such as the same ones at every step, or read-only ones for all rows."""
    row = np.log([0.1, 0.1, 0.1, 0.2, 0.4, 0.1])
    kept = {M: np.tile(row, (M, 1)) for M in range(1, 9)}
    runs = []
    for scores in (
        lambda M: np.tile(row, (M, 1)), lambda M: np.broadcast_to(row, (M, 6)), kept.get,
    ):  # fmt: skip

        def step(state: Any, parents: Any, _: Any, scores: Any = scores) -> Any:
            return scores(len(parents)), state

        found = decode.beam_search(
            step, None, 2, max_length=4, beam_size=beam_size, rules=rules
        )
        drawn = decode.draw(
            step, None, 2, max_length=4, rules=rules, rng=np.random.default_rng(0)
        )
        runs.append([[(tuple_of(h), h.score) for h in n] for n in (*found, *drawn)])
    assert runs[0] == runs[1] == runs[2]
    assert all((scores == row).all() for scores in kept.values())
    fresh = decode.beam_search(
        lambda state, parents, _: (np.tile(row, (len(parents), 1)), state), None, 2, max_length=4,
        beam_size=beam_size, rules=rules, overwrite_scores=True,
    )  # fmt: skip
    assert [[(tuple_of(h), h.score) for h in n] for n in fresh] == runs[0][:2]


def greedily(toy: Toy, n: int, longest: int) -> tuple[int, ...]:
    """The greedy search in its plainest form."""
    tokens: list[int] = []
    before, last = 0, 2
    while len(tokens) < longest:
        scores = toy.table[n, before, last].copy()
        scores[[0, 1, 2]] = -np.inf
        token = int(scores.argmax())
        if token == EOS:
            break
        tokens.append(token)
        before, last = last, token
    return tuple(tokens)


@pytest.mark.parametrize("options", PENALTIES, ids=str)
def test_a_beam_of_one_is_greedy(options: dict[str, Any]) -> None:
    toy = Toy(V=9, N=40, seed=1)
    beams = decode.beam_search(toy.step, toy.start, 40, max_length=12, beam_size=1, **options)
    alone = decode.greedy(toy.step, toy.start, 40, max_length=12)
    for n, ([beam], [greedy]) in enumerate(zip(beams, alone, strict=True)):
        assert tuple_of(beam) == tuple_of(greedy) == greedily(toy, n, 12)
        assert beam.log_prob == greedy.log_prob


@pytest.mark.parametrize("beam_size", [2, 3, 5, 30])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_never_worse_than_greedy(beam_size: int, dtype: Any) -> None:
    """A plain beam prunes the greedy path of some of these sources, and then does worse."""
    toy = Toy(V=8, N=300, seed=2, scale=1.0, dtype=dtype)
    beams = decode.beam_search(toy.step, toy.start, 300, max_length=10, beam_size=beam_size)
    alone = decode.greedy(toy.step, toy.start, 300, max_length=10)
    gains = [beam.score - greedy.score for [beam], [greedy] in zip(beams, alone, strict=True)]
    assert min(gains) >= 0
    assert max(gains) > 0.1


def test_what_has_ended_competes_with_what_has_not() -> None:
    """4 may end at once with 0.6·0.3, and 5 5 a step later with 0.4·0.9·0.9, which is more."""
    p = np.full((7, 7), 1e-12)
    p[2, [4, 5]] = 0.6, 0.4
    p[4, [3, 4, 6]] = 0.3, 0.5, 0.2
    p[5, [3, 6]] = 0.1, 0.9
    p[6, [3, 4]] = 0.9, 0.1

    def step(state: Any, parents: Any, tokens: Any) -> Any:
        return np.log(p[tokens]), None

    for beam_size in (2, 3, 9):
        [[best, second]] = decode.beam_search(
            step, None, 1, max_length=3, beam_size=beam_size, n_best=2
        )
        assert [tuple_of(best), tuple_of(second)] == [(5, 6), (4,)]
        assert np.isclose(np.exp(best.log_prob), 0.4 * 0.9 * 0.9)
        assert np.isclose(np.exp(second.log_prob), 0.6 * 0.3)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_nothing_depends_on_the_other_sources(dtype: Any) -> None:
    toy = Toy(V=11, N=30, seed=3, dtype=dtype)
    longest = np.random.default_rng(0).integers(1, 9, 30)
    whole = decode.beam_search(toy.step, toy.start, 30, max_length=longest, beam_size=4, n_best=4)
    sources, last = toy.start
    for n in range(30):
        state = sources[n : n + 1], last[n : n + 1]
        [alone] = decode.beam_search(
            toy.step, state, 1, max_length=int(longest[n]), beam_size=4, n_best=4
        )
        assert [tuple_of(h) for h in alone] == [tuple_of(h) for h in whole[n]]
        assert [h.log_prob for h in alone] == [h.log_prob for h in whole[n]]
        assert max(len(h.tokens) for h in alone) <= longest[n]


def test_sources_that_are_done_leave_the_batch() -> None:
    toy = Toy(V=8, N=64, seed=4)
    toy.table[:60, :, :, EOS] += 9  # most end at once, and some never
    toy.table[60:, :, :, EOS] -= 9
    decode.beam_search(toy.step, toy.start, 64, max_length=9, beam_size=3, word_penalty=3.0)
    assert toy.rows[0] == 64  # all places of a beam but one are empty, and the greedy one is it
    assert toy.rows[1] <= 64 * 3 + 10
    assert len(toy.rows) == 10
    assert toy.rows[-1] <= 8 * 4


@pytest.mark.parametrize("V", [6, 300])
def test_ties_go_to_the_smaller_symbol(V: int) -> None:
    """All sequences of one length are equally likely, also where only blocks are sorted."""

    def step(state: Any, parents: Any, tokens: Any) -> Any:
        scores = np.zeros((len(tokens), V), np.float32)
        scores[:, EOS] = 0 if state else -np.inf
        return scores, True

    rules = Rules(min_length=1)
    [found] = decode.beam_search(
        step, False, 1, max_length=1, beam_size=min(V, 40), n_best=2, rules=rules
    )
    assert [tuple_of(h) for h in found] == [(4,), (5,)]


def test_a_beam_wider_than_the_vocabulary_gives_what_there_is() -> None:
    toy = Toy(V=6, N=1, seed=5)
    [found] = decode.beam_search(toy.step, toy.start, 1, max_length=2, beam_size=50, n_best=50)
    assert len(found) == 1 + 2 + 4
    assert len({tuple_of(h) for h in found}) == 7
    scores = [h.score for h in found]
    assert scores == sorted(scores, reverse=True)


def test_attention_weights_belong_to_their_tokens() -> None:
    toy = Toy(V=8, N=5, seed=6)
    found = decode.beam_search(
        toy.step, toy.start, 5, max_length=6, beam_size=4, n_best=3, return_attention=True
    )
    for n, hypotheses in enumerate(found):
        for h in hypotheses:
            fed = [2, *h.tokens.tolist()][: len(h.tokens)]
            np.testing.assert_array_equal(h.attention[:, 0], n)
            np.testing.assert_array_equal(h.attention[:, 1], fed)
    [[without]] = decode.greedy(toy.step, (np.array([0]), np.array([0])), 1, max_length=3)
    assert without.attention is None


@pytest.mark.parametrize("W", [5, 40, 64 * 12, 64 * 12 + 7, 5000])
@pytest.mark.parametrize("different", [3, 1000, None])
def test_the_best_of_many_with_ties(
    W: int, different: int | None, isa: str, dtype: np.dtype
) -> None:
    """Equal to a stable sort of everything, however many numbers are equal."""
    rng = np.random.default_rng(W)
    rows = rng.standard_normal((30, W)).astype(dtype)
    if different:
        rows = rng.integers(0, different, (30, W)).astype(dtype)
    rows[0] = 1
    for count in (1, 2, 5, min(W, 40)):
        expected = np.argsort(-rows, axis=1, kind="stable")[:, :count]
        values, places = best_of(rows, count)
        np.testing.assert_array_equal(places, expected)
        np.testing.assert_array_equal(values, np.take_along_axis(rows, expected, axis=1))
    rows[:, 2:] = -np.inf
    np.testing.assert_array_equal(
        best_of(rows, 4)[1], np.argsort(-rows, axis=1, kind="stable")[:, :4]
    )


@pytest.mark.parametrize(
    ("values", "places", "words"),
    [
        (np.empty((2, 4)), np.empty((2, 4), np.int64), "K in 1..V"),
        (np.empty((2, 0)), np.empty((2, 0), np.int64), "K in 1..V"),
        (np.empty((3, 1)), np.empty((3, 1), np.int64), "values must have shape"),
        (np.empty((2, 2)), np.empty((2, 1), np.int64), "places must have shape"),
        (np.empty((2, 2)), np.empty((2, 2)), "places must have dtype"),
        (np.empty((2, 2), np.float32), np.empty((2, 2), np.int64), "values must have dtype"),
    ],
)
def test_wrong_arrays_for_the_largest_are_refused(values: Any, places: Any, words: str) -> None:
    with pytest.raises((TypeError, ValueError), match=words):
        _core.largest(np.ones((2, 3)), values, places)


def plainly(toy: Toy, n: int, K: int, longest: int, options: dict[str, Any]) -> float:
    """The best score of the same search in its plainest form, without any bound."""
    live: list[tuple[float, list[int]]] = [(0.0, [])]
    greedy = greedily(toy, n, longest)
    best = score(toy.log_prob(n, greedy), len(greedy), options)
    while live:
        best = max([best, *(score(toy.log_prob(n, p), len(p), options) for _, p in live)])
        longer = [
            (toy.log_prob(n, [*p, v], eos=False), [*p, v])
            for _, p in live
            if len(p) < longest
            for v in range(4, toy.V)
        ]
        live = sorted(longer, key=lambda pair: -pair[0])[:K]
    return best


@pytest.mark.parametrize("options", PENALTIES, ids=str)
@pytest.mark.parametrize("K", [2, 5])
def test_equal_a_plain_search_without_bounds_and_batches(K: int, options: dict[str, Any]) -> None:
    """Leaving early, running each sequence once and dropping rows must not change what is found."""
    toy = Toy(V=8, N=25, seed=K, scale=1.5)
    toy.table[..., EOS] -= 1
    found = decode.beam_search(toy.step, toy.start, 25, max_length=5, beam_size=K, **options)
    for n, [best] in enumerate(found):
        assert np.isclose(best.score, plainly(toy, n, K, 5, options), rtol=1e-10)
