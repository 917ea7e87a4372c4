"""Why: a dialogue model is three layers tied together by indices. A turn that is heard by the wrong
dialogue, a leak of the answer, or a gradient cut between turns leave a loss that still falls.
"""

from functools import partial
from typing import Any

import numpy as np
import pytest
from helpers.tolerances import assert_same_bits
from helpers.zoo import DIALOGUE_MODELS, W, dialogues, make

from fastrnn import ops
from fastrnn.data import Vocabulary, pack_dialogues
from fastrnn.models import HRED, VHRED
from fastrnn.models._dialogue.dialogues import indexed
from fastrnn.models._parts.model import flatten
from fastrnn.train import Adam

V = W
KINDS = [name for name in DIALOGUE_MODELS if name.startswith("hred")]


@pytest.mark.parametrize("kind", KINDS)
def test_dialogues_are_alone(kind: str, rng: Any) -> None:
    model, talks = make(kind), dialogues(rng)
    value = model.loss(model.params, pack_dialogues(talks))
    together = model.nats(pack_dialogues(talks))
    alone = np.concatenate([model.nats(pack_dialogues([talk])) for talk in talks])
    np.testing.assert_allclose(together, alone, rtol=1e-12)
    assert len(together) == 5
    assert np.isclose(value, together.sum() / (together.size + sum([3, 1, 0, 2, 4])))


@pytest.mark.parametrize("kind", KINDS)
def test_nothing_is_known_before_it_is_said(kind: str, rng: Any) -> None:
    """A turn, and a symbol, change what comes after them and nothing before."""
    model, talk = make(kind), dialogues(rng, [[2, 3, 3, 2]])[0]
    nats = model.nats(pack_dialogues([talk]))
    for changed in range(4):
        other = [turn.copy() for turn in talk]
        other[changed][-1] = 4 + (other[changed][-1] - 3) % (V - 4)
        found = model.nats(pack_dialogues([other]))
        same = found == nats
        assert same[: max(changed - 1, 0)].all()
        assert not same[max(changed - 1, 0) :].any()
    longer = [*talk, rng.integers(4, V, 3)]
    np.testing.assert_allclose(model.nats(pack_dialogues([longer]))[:3], nats, rtol=1e-12)


@pytest.mark.parametrize("kind", KINDS)
def test_gradients_go_through_all_turns(kind: str) -> None:
    """What the last turn costs moves the embedding of a symbol that only the first one has."""
    model = make(kind)
    talk = [[9, 5], [4], [5, 6], [4, 4], [6], [7, 8]]
    only_last = np.array([False] * 5 + [True])
    batch = (*pack_dialogues([talk]), only_last)
    _, grads = ops.value_and_grad(model.loss)(model.params, batch)
    assert abs(grads["embedding"]["weight"][9]).max() > 1e-9
    assert len(model.nats(batch)) == 1


@pytest.mark.parametrize("kind", KINDS)
def test_replies_are_the_likeliest_and_conversations_agree(kind: str, rng: Any) -> None:
    model, histories = make(kind), dialogues(rng, [[2, 0, 3], [4], [1, 1, 1, 1, 1, 1]])
    side_by_side = model.replies(histories, max_length=6)
    for history, reply in zip(histories, side_by_side, strict=True):
        assert_same_bits("reply", model.reply(history, max_length=6), reply)
        talk = model.conversation()
        for turn in history:
            talk.hear(turn)
        assert_same_bits("reply", talk.reply(max_length=6), reply)
        assert len(talk.history) == len(history) + 1
        again = model.reply([*history, reply], max_length=6)
        assert_same_bits("reply", talk.reply(max_length=6), again)
        best = model.reply(history, max_length=2, beam_size=V**2)
        costs = [
            model.nats(pack_dialogues([[*history, said]]))[-1]
            for said in ([], *([a] for a in range(4, V)), *np.ndindex(V, V))
            if min(said, default=4) >= 4
        ]
        assert np.isclose(model.nats(pack_dialogues([[*history, best]]))[-1], min(costs))
    drawn = [
        model.reply(histories[0], n=4, temperature=1.0, rng=np.random.default_rng(seed))
        for seed in (1, 1, 2)
    ]
    lists = [[reply.tolist() for reply in each] for each in drawn]
    assert lists[0] == lists[1] != lists[2]
    assert len(lists[0]) == 4


def slots(rng: Any, n: int, lag: int) -> list[list[list[int]]]:
    """A name is said, then small talk, then asked for: only the first turn knows it."""
    talks = []
    for _ in range(n):
        name = int(rng.integers(6, 10))
        talk = [[4, name], [5]]
        for _ in range(lag - 1):
            talk += [[5, 5], [5]]
        talks.append([*talk, [4, 4], [name]])
    return talks


def probe(talks: list[Any]) -> tuple[Any, ...]:
    """A batch whose last turns alone are to be said."""
    tokens, lengths, turns = pack_dialogues(talks)
    last = np.zeros(len(lengths), bool)
    last[np.cumsum(turns) - 1] = True
    return tokens, lengths, turns, last


@pytest.mark.parametrize("attention", [False, True])
def test_the_first_turn_is_remembered(attention: bool) -> None:
    rng = np.random.default_rng(0)
    model = HRED("gru", V, 32, attention=attention, rng=rng)
    data = [probe(slots(rng, 64, 1 + k % 3)) for k in range(12)]
    model.fit(data, Adam(lr=0.02), max_norm=1.0, epochs=20, progress=False)
    asked = slots(rng, 100, 3)
    replies = model.replies([talk[:-1] for talk in asked])
    assert np.mean([r.tolist() == talk[-1] for r, talk in zip(replies, asked, strict=True)]) > 0.97
    # Over twice as long as any in training.
    longer = slots(rng, 100, 7)
    replies = model.replies([talk[:-1] for talk in longer])
    assert np.mean([r.tolist() == talk[-1] for r, talk in zip(replies, longer, strict=True)]) > 0.8
    # Without its first turns, chance is all there is.
    replies = model.replies([talk[2:-1] for talk in asked])
    assert np.mean([r.tolist() == talk[-1] for r, talk in zip(replies, asked, strict=True)]) < 0.5


@pytest.mark.parametrize("cls", [HRED, partial(VHRED, z_dim=2)])
def test_texts_with_unknown_words(cls: Any) -> None:
    words = Vocabulary.from_texts(["hello you there"], level="word")
    model = cls("gru", words, 8, rng=np.random.default_rng(0))
    assert isinstance(model.reply(["hello stranger"], max_length=4), str)
    x, y = (model.reply([w], max_length=4, rng=np.random.default_rng(0)) for w in ("x", "y"))
    assert x == y
    assert len(model.reply([""], max_length=1).split()) <= 1
    talk = model.conversation()
    talk.hear("hello")
    choices = talk.reply(n=3, temperature=1.0, max_length=4, rng=np.random.default_rng(0))
    assert len(choices) == 3
    assert talk.history == ["hello"]


def test_nothing_to_say(rng: Any) -> None:
    """Dialogues of one turn have no reply: a loss of 0, a gradient of 0, and no figure."""
    model = make("hred-gru")
    for talks in ([], [[]], dialogues(rng, [[3], [2]])):
        value, grads = ops.value_and_grad(model.loss)(model.params, pack_dialogues(talks))
        assert value == 0
        assert not any(gradient.any() for gradient in flatten(grads).values())
    with pytest.raises(ValueError, match="at least one target turn"):
        model.evaluate([pack_dialogues([[[4]]])])
    with pytest.raises(TypeError, match="batch must be"):
        model.fit([[["hi", "ho"]]], updates=1, progress=False)


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        (lambda b: b[:2], TypeError, r"batch must be \(tokens, lengths, turns\)"),
        (lambda b: (b[0] + V, *b[1:]), ValueError, r"tokens must lie in 0\.\.9"),
        (lambda b: (*b[:2], b[2] + 1), ValueError, "turns must be counts whose sum is U = 8"),
        (lambda b: (*b[:2], b[2] * 1.0), TypeError, "turns must be integers"),
        (lambda b: (*b, np.ones(8, bool)), ValueError, "targets must be False for the first turn"),
        (lambda b: (*b, np.ones(8)), TypeError, r"targets must be bool of shape \(8,\)"),
        (lambda b: (b[0][0], *b[1:]), ValueError, r"tokens must have shape \(T, U\)"),
    ],
)
def test_bad_batches(change: Any, error: type, message: str, rng: Any) -> None:
    model = make("hred-gru")
    with pytest.raises(error, match=message):
        model.loss(model.params, change(pack_dialogues(dialogues(rng))))


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"max_length": 0}, ValueError, "max_length must be at least 1"),
        ({"temperature": -1}, ValueError, "temperature must be at least 0"),
        ({"top_k": 3}, ValueError, "top_k and top_p need a temperature above 0"),
        ({"beam_size": 3, "temperature": 1.0}, ValueError, "need the temperature 0"),
        ({"n": 0}, ValueError, r"n must be in 1\.\."),
        ({"width": 3}, TypeError, "width"),
        ({"beam_size": 3, "n_best": 2}, TypeError, "n_best"),
        ({"z": [0.0]}, TypeError, "z is no option of HRED"),
    ],
)
def test_bad_decoding(options: dict[str, Any], error: type, message: str) -> None:
    with pytest.raises(error, match=message):
        make("hred-gru").reply([[4]], **options)


@pytest.mark.parametrize("history", [[], "hello", None, 4])
def test_bad_histories(history: Any) -> None:
    model = make("hred-gru")
    with pytest.raises(ValueError, match="history must be a sequence of at least one turn"):
        model.reply(history)
    with pytest.raises(ValueError, match="must hear at least one turn"):
        model.conversation().reply()


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"cell": "elman"}, ValueError, "cell must be one of"),
        ({"cell": "rnn", "attention": True}, ValueError, "attention needs cell"),
        ({"attention": True, "decoder_input": "gated"}, ValueError, "decoder_input must be"),
        ({"attention": True, "decoder_input": "all"}, ValueError, "decoder_input must be one of"),
        ({"attention": 1}, TypeError, "attention must be True or False"),
        ({"word_drop": 1.5}, ValueError, r"word_drop must lie in 0\.\.1, got 1\.5"),
        ({"num_layers": 2}, TypeError, "num_layers is no option of this model"),
        ({"cell": "lstm", "proj_size": 2}, ValueError, "proj_size is no option of a model with a"),
        ({"speakers": -1}, ValueError, "speakers must be at least 0"),
        ({"context_size": 0}, ValueError, "context_size must be at least 1"),
        ({"hidden": 3}, TypeError, "hidden"),
    ],
)
def test_bad_options(options: dict[str, Any], error: type, message: str) -> None:
    with pytest.raises(error, match=message):
        make("hred-gru", **options)


@pytest.mark.parametrize("read_targets", [False, True])
def test_equal_turns_are_read_once(read_targets: bool) -> None:
    """A turn that ends in padding is no longer one, and what is heard where stays the same."""
    talks = [[[4, 5], [4], [4, 5]], [[4], [4, 0], [6]], [[6], [4, 5]]]
    batch = pack_dialogues(talks)
    one, all_of = (indexed(batch, V, read_targets, once=once) for once in (True, False))
    assert len(one.lengths) == 4
    assert len(all_of.lengths) == (8 if read_targets else 5)

    def turns(d: Any, numbers: np.ndarray) -> list[Any]:
        return [d.tokens[: d.lengths[k], k].tolist() for k in numbers.ravel()]

    exists = np.arange(2)[:, None] < one.steps
    assert turns(one, one.context_turns[exists]) == turns(all_of, all_of.context_turns[exists])
    assert turns(one, one.context_turns[exists]) == [[4, 5], [4], [6], [4], [4, 0]]
    assert turns(one, one.target_turns) == turns(all_of, all_of.target_turns)
