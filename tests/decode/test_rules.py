"""Why: a symbol that may never be printed must not be, under whatever search, and what is cut off
or drawn must still be as likely as the model says.
"""

from typing import Any

import numpy as np
import pytest
from helpers.oracle import EOS, Toy, plain, tuple_of

from fastrnn import decode
from fastrnn.decode import Rules, probabilities


def searches(toy: Toy, rules: Rules, longest: int) -> dict[str, Any]:
    """What each kind of search finds."""
    given = {"max_length": longest, "rules": rules}
    return {
        "greedy": decode.greedy(toy.step, toy.start, toy.N, **given),
        # The penalty lets it find long sequences, too.
        "beam": decode.beam_search(
            toy.step, toy.start, toy.N, beam_size=4, n_best=3, word_penalty=6.0, **given
        ),
        "draw": decode.draw(
            toy.step, toy.start, toy.N, samples=3, rng=np.random.default_rng(0), **given
        ),
    }


@pytest.mark.parametrize("kind", ["greedy", "beam", "draw"])
def test_pad_unk_and_bos_are_never_emitted(kind: str) -> None:
    toy = Toy(V=9, N=30, seed=0)
    toy.table[..., :3] += 9  # the model wants nothing else
    for n, hypotheses in enumerate(searches(toy, Rules(), 8)[kind]):
        assert hypotheses
        for h in hypotheses:
            assert (h.tokens > EOS).all()
            assert np.isclose(h.log_prob, toy.log_prob(n, h.tokens), rtol=1e-10)


@pytest.mark.parametrize("kind", ["greedy", "beam", "draw"])
def test_least_and_greatest_length(kind: str) -> None:
    toy = Toy(V=9, N=30, seed=1)

    def lengths(rules: Rules) -> list[int]:
        found = searches(toy, rules, 5)[kind]
        assert all(h.finished for hypotheses in found for h in hypotheses)
        return [len(h.tokens) for hypotheses in found for h in hypotheses]

    toy.table[..., EOS] += 12
    assert min(lengths(Rules())) == 0
    assert set(lengths(Rules(min_length=3))) <= {3, 4, 5}
    toy.table[..., EOS] -= 30
    assert max(lengths(Rules())) == 5
    with pytest.raises(ValueError, match="min_length must be at most max_length, got 6 > 5"):
        lengths(Rules(min_length=6))


@pytest.mark.parametrize("kind", ["greedy", "beam", "draw"])
@pytest.mark.parametrize("n", [1, 2, 3])
def test_no_n_symbols_in_a_row_come_twice(kind: str, n: int) -> None:
    toy = Toy(V=7, N=20, seed=2)
    toy.table[..., EOS] -= 4

    def repeats(found: Any) -> bool:
        for h in (h for hypotheses in found for h in hypotheses):
            grams = [tuple(h.tokens[i : i + n]) for i in range(len(h.tokens) - n + 1)]
            if len(grams) > len(set(grams)):
                return True
        return False

    longest = 3 if n == 1 else 10  # there are three different symbols
    assert repeats(searches(toy, Rules(), 10)[kind])
    assert not repeats(searches(toy, Rules(block_ngram_repeat=n), longest)[kind])


def alternating(prefix: Any) -> np.ndarray:
    """Even and odd symbols in turns, and an even number of them."""
    mask = np.zeros(8, bool)
    mask[4 + len(prefix) % 2 :: 2] = True
    mask[EOS] = len(prefix) % 2 == 0
    return mask


@pytest.mark.parametrize("kind", ["greedy", "beam", "draw"])
def test_a_constraint_is_obeyed(kind: str) -> None:
    toy = Toy(V=8, N=20, seed=3)
    for hypotheses in searches(toy, Rules(constraint=alternating), 6)[kind]:
        for h in hypotheses:
            assert len(h.tokens) % 2 == 0
            assert (h.tokens % 2 == np.arange(len(h.tokens)) % 2).all()


def test_the_best_of_all_under_a_constraint() -> None:
    toy = Toy(V=8, N=4, seed=4)
    found = decode.beam_search(
        toy.step, toy.start, 4, max_length=4, beam_size=300, rules=Rules(constraint=alternating)
    )

    def fits(tokens: tuple[int, ...]) -> bool:
        return len(tokens) % 2 == 0 and all(v % 2 == i % 2 for i, v in enumerate(tokens))

    for n, [best] in enumerate(found):
        truth = toy.all(n, 4, fits)
        assert tuple_of(best) == max(truth, key=lambda t: truth[t])


def test_one_constraint_for_each_source() -> None:
    toy = Toy(V=8, N=3, seed=5)

    def only(symbol: int) -> Any:
        return lambda prefix: np.isin(np.arange(8), [symbol if len(prefix) < 2 else EOS])

    rules = Rules(constraint=[only(4), only(5), only(6)])
    for found in searches(toy, rules, 4).values():
        assert [tuple_of(hypotheses[0]) for hypotheses in found] == [(4, 4), (5, 5), (6, 6)]


@pytest.mark.parametrize("kind", ["greedy", "beam", "draw"])
def test_what_may_not_end_where_it_must_is_said_to_be_cut(kind: str) -> None:
    toy = Toy(V=8, N=3, seed=6)
    rules = Rules(constraint=lambda _: np.arange(8) != EOS)
    for n, hypotheses in enumerate(searches(toy, rules, 3)[kind]):
        for h in hypotheses:
            assert not h.finished
            assert len(h.tokens) == 3
            assert np.isclose(h.log_prob, toy.log_prob(n, h.tokens, eos=False), rtol=1e-10)


def test_bad_arguments() -> None:
    toy = Toy(V=8, N=2, seed=7)
    given = (toy.step, toy.start, 2)
    for match, options in {
        r"beam_size must be in 1\.\.16777216, got 0": {"beam_size": 0},
        "n_best must be at most beam_size, got 3 > 2": {"beam_size": 2, "n_best": 3},
        r"length_penalty must be one of .*got 'long'": {"length_penalty": "long"},
        "alpha must be at least 0": {"alpha": -1.0},
        r"max_length must be in 1\.\.2147483647, got 0": {"max_length": 0},
        "max_length must be N = 2 integers": {"max_length": [3, 4, 5]},
        "one for each source, got 1": {"rules": Rules(constraint=[alternating])},
        r"mask of bool, \(V,\) = \(8,\)": {"rules": Rules(constraint=lambda _: np.ones(3, bool))},
        "constraint left nothing": {"rules": Rules(constraint=lambda _: np.zeros(8, bool))},
    }.items():
        with pytest.raises(ValueError, match=match):
            decode.beam_search(*given, **({"max_length": 4} | options))
    with pytest.raises(ValueError, match="constraint left nothing"):
        decode.draw(*given, max_length=4, rules=Rules(constraint=lambda _: np.zeros(8, bool)))
    with pytest.raises(TypeError, match="constraint must be callable"):
        Rules(constraint=3)  # type: ignore[arg-type]
    for result, match in (
        (np.zeros((1, 8)), r"\(M, V\) with M = "),
        (np.full((2, 8), np.nan), "no NaN"),
    ):
        with pytest.raises(ValueError, match=match):
            decode.beam_search(
                lambda *_, r=result: (r.copy(), None), None, 2, max_length=4, beam_size=3
            )
    for search in (decode.greedy, decode.draw):
        with pytest.raises(TypeError, match=r"step must return \(scores, state\) .* got ndarray"):
            search(lambda *_: np.zeros((1, 8)), None, 1, max_length=4)
    with pytest.raises(TypeError, match="float32 or float64, got list"):
        decode.greedy(lambda *_: ([[1.0]], None), None, 1, max_length=4)


@pytest.mark.parametrize(
    "options", [{}, {"temperature": 0.5}, {"top_k": 2}, {"top_p": 0.7}], ids=str
)
def test_draws_are_as_frequent_as_they_are_likely(options: dict[str, Any]) -> None:
    toy = Toy(V=7, N=1, seed=8)
    n = 20000
    [drawn] = decode.draw(
        plain(toy.step), toy.start, 1, max_length=3, samples=n, rng=np.random.default_rng(1),
        **options,
    )  # fmt: skip
    scores = toy.table[0, 0, 2].copy()
    scores[:3] = -np.inf
    expected = n * probabilities(scores, **options)
    first = [h.tokens[0] if len(h.tokens) else EOS for h in drawn]
    counts = np.bincount(first, minlength=7)
    assert (counts[expected == 0] == 0).all()
    here = expected > 0
    chi2 = ((counts - expected)[here] ** 2 / expected[here]).sum()
    assert chi2 < 20  # 3 degrees of freedom: p = 0.0002
    assert all(h.attention is None for h in drawn)
    log_probs = {tuple_of(h): h.log_prob for h in drawn}
    for tokens, log_prob in log_probs.items():
        assert np.isclose(log_prob, toy.log_prob(0, tokens), rtol=1e-10)


HUGE: list[tuple[str, dict[str, Any]]] = [
    ("beam_size", {"beam_size": 2**63}),
    ("n_best", {"n_best": 2**63}),
    ("N", {"N": 2**63}),
    ("max_length", {"max_length": 2**63}),
    ("max_length", {"max_length": np.full(2, 2**63, np.uint64)}),
    ("max_length", {"max_length": [2**63, 2**63]}),
    ("eos", {"rules": Rules(eos=99)}),
    ("forbidden", {"rules": Rules(forbidden=[99])}),
]


@pytest.mark.parametrize(("name", "given"), HUGE, ids=[str(given) for _, given in HUGE])
def test_numbers_that_no_array_holds_are_refused_by_name(name: str, given: dict[str, Any]) -> None:
    toy = Toy(V=9, N=2, seed=0)
    whole: dict[str, Any] = {"N": 2, "max_length": 3, "beam_size": 2} | given
    with pytest.raises(ValueError, match=name):
        decode.beam_search(toy.step, toy.start, whole.pop("N"), **whole)
    if name not in ("beam_size", "n_best"):
        del whole["beam_size"]
        for search in (decode.greedy, decode.draw):
            with pytest.raises(ValueError, match=name):
                search(toy.step, toy.start, given.get("N", 2), **whole)


def test_rules_of_no_symbols_are_refused_by_name() -> None:
    for wrong in ({"bos": 2**63}, {"eos": -1}, {"forbidden": [2**63]}, {"forbidden": ["a"]}):
        with pytest.raises((TypeError, ValueError), match=next(iter(wrong))):
            Rules(**wrong)  # type: ignore[arg-type]
    toy = Toy(V=9, N=2, seed=0)
    with pytest.raises(ValueError, match="samples"):
        decode.draw(toy.step, toy.start, 2, max_length=3, samples=2**63)
