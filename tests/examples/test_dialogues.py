"""Why: a bound is only a bound when the dialogue holds no other way to the answer."""

from collections import Counter

import numpy as np
import pytest

from toys import dialogues


def rng() -> np.random.Generator:
    return np.random.default_rng(5)


def test_the_answer_is_the_last_name_that_was_said() -> None:
    made = dialogues.slot_dialogues(rng(), 4000)
    for one in made:
        said = [i for i, turn in enumerate(one.turns) if turn.startswith(("my name", "call me"))]
        assert one.turns[said[-1]].split()[-2] == one.name
        assert one.turns[-2:] == ["what is my name ?", f"your name is {one.name} ."]
        assert (len(one.turns) - 2 - said[-1]) // 2 == one.lag
        assert one.overwritten == (len(said) == 2)
        if one.overwritten:
            assert one.turns[said[0]].split()[-2] != one.name
        assert 4 <= len(one.turns) <= 16
        between = [turn for turn in one.turns[said[-1] + 2 : -2] if one.name in turn.split()]
        assert not between  # what stands between does not repeat it
    assert {one.lag for one in made} == set(range(1, 7))
    assert 0.15 < np.mean([one.overwritten for one in made]) < 0.25


def test_names_are_even_so_the_bound_of_the_last_utterance_holds() -> None:
    made = dialogues.slot_dialogues(rng(), 8000, lag=3)
    counts = Counter(one.name for one in made)
    assert len(counts) == 16
    share, nats = dialogues.slot_bounds()
    assert max(counts.values()) / 8000 < share * 1.15
    assert nats == pytest.approx(np.log(16))
    assert dialogues.slot_dialogues(rng(), 5) == dialogues.slot_dialogues(rng(), 5)
    with pytest.raises(ValueError, match="lag"):
        dialogues.slot_dialogues(rng(), 1, lag=8)
    with pytest.raises(ValueError, match="names"):
        dialogues.slot_dialogues(rng(), 1, names=["x", "x"])
    long = dialogues.slot_dialogues(rng(), 3, lag=10, longest=14, names=["x", "y"])
    assert all(one.lag == 10 and one.name in "xy" for one in long)


def test_the_entropy_is_that_of_the_replies() -> None:
    source = dialogues.ModeDialogues(
        rng(), contexts=2, modes=3, choices=2, shortest=3, longest=4, skew=0.5
    )
    made = source.draw(rng(), 60_000)
    for c in range(2):
        replies = Counter(one.reply for one in made if one.c == c)
        p = np.array(list(replies.values())) / replies.total()
        assert len(replies) == 2 + 4 + 2  # three modes of 3, 4 and 3 words, two choices a place
        measured = -(p * np.log(p)).sum()
        assert measured == pytest.approx(source.entropy[c], abs=0.01)
        modes = Counter(one.mode for one in made if one.c == c)
        np.testing.assert_allclose(
            [modes[m] / modes.total() for m in range(3)], source.p[c], atol=0.01
        )
    assert (source.mode_entropy < source.entropy).all()


def test_a_reply_tells_its_mode() -> None:
    source = dialogues.ModeDialogues(rng())
    np.testing.assert_allclose(source.p.sum(1), 1)
    assert source.p.shape == (4, 8)
    assert not np.array_equal(source.p[0], source.p[1])
    made = source.draw(rng(), 500)
    assert {one.mode for one in made} == set(range(8))
    for one in made:
        assert 6 <= len(one.reply.split()) <= 10
        assert source.mode_of(one.reply) == source.opening_mode(one.reply) == one.mode
        assert one.context == source.context(one.c)
    first, other = made[0], next(one for one in made if one.mode != made[0].mode)
    mixed = " ".join([*first.reply.split()[:-1], other.reply.split()[-1]])
    assert source.mode_of(mixed) is None
    assert source.opening_mode(mixed) == first.mode
    assert source.mode_of("") is None
    assert source.opening_mode("nothing") is None
    with pytest.raises(ValueError, match="skew"):
        dialogues.ModeDialogues(rng(), skew=0)


@pytest.mark.parametrize(("told_by", "place"), [("first", 0), ("middle", 3), ("last", 5)])
def test_one_word_may_tell_the_mode(told_by: str, place: int) -> None:
    source = dialogues.ModeDialogues(
        rng(), contexts=1, modes=3, choices=2, shortest=6, told_by=told_by
    )
    made = source.draw(rng(), 40_000)
    assert all(source.mode_of(one.reply) == one.mode for one in made)
    own = [{one.reply.split()[at] for one in made} for at in range(6)]
    assert [len(words) for words in own] == [3 if at == place else 2 for at in range(6)]
    p = np.array(list(Counter(one.reply for one in made).values())) / len(made)
    assert -(p * np.log(p)).sum() == pytest.approx(source.entropy[0], abs=0.01)


def test_a_word_that_tells_the_mode_has_a_place() -> None:
    with pytest.raises(ValueError, match="told_by must be one of every, first, middle, last"):
        dialogues.ModeDialogues(rng(), told_by="second")
