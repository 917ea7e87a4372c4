"""Why: a long dialogue cut into segments must stay one dialogue: what the context has heard is
carried exactly, only the gradient ends, and a stop in the middle of a dialogue changes nothing.
And who speaks must reach what is said.
"""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers.nested import check_gradients
from helpers.tolerances import assert_same_bits

from fastrnn import ops
from fastrnn.data import pack_dialogues
from fastrnn.models import HRED, VHRED
from fastrnn.models._dialogue.segments import Segments, segments
from fastrnn.models._parts.model import flatten
from fastrnn.train import SGD, Adam, Trainer

V = 10
KINDS: dict[str, tuple[type[Any], dict[str, Any]]] = {
    "hred": (HRED, {"cell": "gru"}),
    "hred-attention": (HRED, {"cell": "lstm", "attention": True, "speakers": 2}),
    "vhred": (VHRED, {"cell": "lstm", "z_dim": 2, "bag_of_words": 0.5}),
    "vhred-attention": (VHRED, {"cell": "gru", "z_dim": 2, "attention": True, "speakers": 3}),
}
# Of five turns, one of which is empty, of one turn, of none, of two, and of six.
SHAPE = [[2, 3, 0, 1, 2], [3], [], [1, 2], [2, 1, 3, 1, 2, 1]]


def make(kind: str, **more: Any) -> Any:
    cls, options = KINDS[kind]
    options = {"dtype": np.float64, "rng": np.random.default_rng(8), "context_size": 3} | options
    return cls(vocab=V, hidden_size=4, **(options | more))


def talks(rng: Any, shape: Any = SHAPE) -> Any:
    return pack_dialogues([[rng.integers(4, V, length) for length in talk] for talk in shape])


class Going:
    """A model whose loss goes on from a state."""

    def __init__(self, model: Any, state: Any) -> None:
        self.params, self._model, self._state = model.params, model, state

    def loss(self, params: Any, batch: Any, rng: Any = None) -> Any:
        return self._model.loss_with_state(params, batch, self._state, rng)[0]


def test_what_segments_are_made_of(rng: Any) -> None:
    batch = pack_dialogues([[[4], [5, 5], [6], [7], [8]], [[9]], [[4], [5]]])
    first, second = segments(batch, 2, V, 0)
    tokens, lengths, turns, targets, speakers, continued, _ = first
    assert speakers is None
    assert tokens.tolist() == [[4, 5, 6, 4, 5], [0, 5, 0, 0, 0]]
    assert (lengths.tolist(), turns.tolist(), continued) == ([1, 2, 1, 1, 1], [3, 0, 2], False)
    assert targets.tolist() == [False, True, True, False, True]
    tokens, lengths, turns, targets, _, continued, _ = second
    assert tokens.tolist() == [[6, 7, 8]]
    assert (turns.tolist(), targets.tolist(), continued) == ([3, 0, 0], [False, True, True], True)
    answers = np.arange(8) % 2 == 1
    marks = [part.speakers.tolist() for part in segments((*batch, answers), 3, V, 2)]
    assert marks == [[0, 1, 0, 1, 0, 1], [1, 0]]
    (nothing,) = segments(pack_dialogues([[[4]], []]), 3, V, 0)
    assert (nothing.turns.tolist(), nothing.continued) == ([0, 0], False)


@pytest.mark.parametrize("kind", KINDS)
def test_one_segment_of_all_turns_is_the_whole(kind: str, rng: Any) -> None:
    model, batch = make(kind), talks(rng)
    (whole,) = segments(batch, 5, V, model._speakers)
    assert model.loss(model.params, whole) == model.loss(model.params, batch)
    _, grads = ops.value_and_grad(model.loss)(model.params, batch)
    _, found = ops.value_and_grad(model.loss)(model.params, whole)
    for path, gradient in flatten(grads).items():
        assert_same_bits(path, flatten(found)[path], gradient)


@pytest.mark.parametrize("turns", [1, 2, 3])
@pytest.mark.parametrize("kind", ["hred", "hred-attention"])
def test_the_state_is_carried_exactly(kind: str, turns: int, rng: Any) -> None:
    model, batch, state = make(kind), talks(rng), None
    total, symbols = 0.0, 0
    for part in segments(batch, turns, V, model._speakers):
        loss, state = model.loss_with_state(model.params, part, state)
        here = int(part[1][part[3]].sum() + part[3].sum())
        total, symbols = total + float(loss) * here, symbols + here
    nats = model.nats(batch)
    assert np.isclose(total, nats.sum(), rtol=1e-13)
    assert symbols == model._enter(batch).symbols
    (whole,) = segments(batch, 5, V, model._speakers)
    _, after = model.loss_with_state(model.params, whole)
    for one, other in zip(
        *(each["context"] if kind != "hred" else (each["context"],) for each in (state, after)),
        strict=True,
    ):
        # The dialogue that all segments have; how turns are embedded follows the batch's size.
        np.testing.assert_allclose(one[:, -1], other[:, -1], rtol=1e-13)
    other, _ = model.loss_with_state(model.params, part._replace(continued=False))
    assert other != loss, "what was heard before matters"


@pytest.mark.parametrize("kind", KINDS)
def test_the_gradient_of_a_segment_ends_at_its_beginning(kind: str, rng: Any) -> None:
    model = make(kind)
    batch = pack_dialogues([[[9, 5], [4], [5, 6], [4, 4], [6]], [[9], [5], [4], [7]]])
    first, second = segments(batch, 2, V, model._speakers)
    _, state = model.loss_with_state(model.params, first)
    grads = check_gradients(Going(model, state), second, seed=3)
    assert not grads["embedding.weight"][9].any()
    assert grads["embedding.weight"][5].any(), "the turn before what is said first"
    _, whole = ops.value_and_grad(model.loss)(model.params, batch)
    assert whole["embedding"]["weight"][9].any()


@pytest.mark.parametrize("kind", ["hred-attention", "vhred"])
def test_a_stop_within_a_dialogue_changes_nothing(kind: str, tmp_path: Path, rng: Any) -> None:
    data, found = [talks(rng), talks(rng, SHAPE[3:]), talks(rng, SHAPE[:2])], []
    for stops in ((11,), (1, 4, 5, 6, 11)):
        for updates in stops:
            model = make(kind, dropout=0.2, **({"kl_schedule": 6} if kind == "vhred" else {}))
            parts = model.segmented(data, 2)
            trainer = Trainer(
                model, SGD(lr=0.1), rng=np.random.default_rng(1), progress=False,
                checkpoint=tmp_path / str(len(stops)),
            )  # fmt: skip
            trainer.fit(
                model.annealed(parts) if kind == "vhred" else parts, updates=updates, resume=True
            )
        found.append(flatten(model.params))
    for path, array in found[0].items():
        assert_same_bits(path, array, found[1][path])
    assert [sum(1 for _ in model.segmented(data, 2)) for _ in range(2)] == [8, 8]


def test_fit_in_segments_is_an_update_a_segment(rng: Any) -> None:
    data = [talks(rng), talks(rng, SHAPE[3:])]
    model, own = make("vhred", kl_schedule=4), make("vhred", kl_schedule=4)
    history = model.fit(
        data, SGD(lr=0.1), segment_turns=2, epochs=1, progress=False, rng=np.random.default_rng(0)
    )
    assert history.records[-1]["update"] == 6
    source, state = np.random.default_rng(0), None
    parts = [part for batch in data for part in segments(batch, 2, V, 0)]
    for k, part in enumerate(parts):
        run = ops.value_and_grad(Going(own, state).loss)
        _, after = own.loss_with_state(own.params, part, state)
        _, grads = run(own.params, part._replace(weight=min(1, k / 4)), source)
        SGD(lr=0.1).update(own.params, grads)
        state = after
    for path, array in flatten(own.params).items():
        np.testing.assert_allclose(flatten(model.params)[path], array, rtol=1e-12, atol=1e-15)


def test_segments_that_cannot_be(rng: Any) -> None:
    model, batch = make("hred"), talks(rng)
    first, second = segments(batch, 3, V, 0)
    for use in (lambda: model.loss(model.params, second), lambda: model.nats(second)):
        with pytest.raises(ValueError, match="continues another one"):
            use()
    _, state = model.loss_with_state(model.params, first)
    other = segments(talks(rng, [[1] * 6] * 2), 3, V, 0)[1]
    with pytest.raises(ValueError, match=r"state must have shape .* \(1, 2, 3\)"):
        model.loss_with_state(model.params, other, state)
    with pytest.raises(ValueError, match="whole dialogues, got a part of them"):
        segments(second, 2, V, 0)
    with pytest.raises(ValueError, match="segment_turns must be at least 1, got 0"):
        model.fit([batch], segment_turns=0, epochs=1)
    with pytest.raises(ValueError, match="given must be at least 0"):
        Segments([batch], 2, V, 0).load_state_dict({"position": {}, "given": -1})


def test_who_speaks_decides_what_is_said() -> None:
    """The same words before, and two speakers who say different things."""
    model = HRED("gru", V, 16, speakers=2, rng=np.random.default_rng(0))
    batch = pack_dialogues([[[4], [5, 6]], [[4], [7, 8]], [[4], [9]]])
    speakers = np.array([0, 1, 1, 0, 0, 0])
    model.fit([(*batch, speakers)], Adam(lr=0.02), updates=120, progress=False)
    targets = [model.reply([[4]], speakers=who).tolist() for who in ((0, 1), (1, 0), (0, 0))]
    assert targets == [[5, 6], [7, 8], [9]]
    assert model.reply([[4]]).tolist() == [5, 6], "they take turns"
    talk = model.conversation()
    talk.hear([4], speaker=1)
    assert talk.reply(speaker=0).tolist() == [7, 8]
    together = model.replies([[[4]], [[4]]], speakers=[(0, 0), (0, 1)])
    assert [reply.tolist() for reply in together] == [[9], [5, 6]]


def test_speakers_take_turns_unless_they_are_named(rng: Any) -> None:
    model, batch = make("vhred-attention"), talks(rng)
    turns = np.concatenate([np.arange(len(talk)) % 3 for talk in SHAPE])
    value = model.loss(model.params, batch)
    assert model.loss(model.params, (*batch, turns)) == value
    assert model.loss(model.params, (*batch, turns, 0.5)) != value
    assert model.loss(model.params, (*batch, (turns + 1) % 3)) != value
    targets = np.concatenate([np.arange(len(talk)) > 0 for talk in SHAPE])
    assert model.loss(model.params, (*batch, targets, turns)) == value
    for wrong, error, message in (
        ((turns, targets), TypeError, r"targets must be bool of shape \(14,\), got int64"),
        ((turns + 1,), ValueError, r"speakers must lie in 0\.\.2"),
        ((turns[1:],), ValueError, r"speakers must be integers of shape \(14,\)"),
    ):
        with pytest.raises(error, match=message):
            model.loss(model.params, (*batch, *wrong))
    for speakers, error, message in (
        ([0], ValueError, r"speakers must name who says each turn.*\[2\] of them, got \[1\]"),
        ([0, 3], ValueError, r"speakers must lie in 0\.\.2"),
        ([0, 0.5], TypeError, "speakers must be integers, one a turn"),
    ):
        with pytest.raises(error, match=message):
            model.reply([[4]], speakers=speakers)
    with pytest.raises(ValueError, match="speaker must"):
        model.conversation().hear([4], speaker=3)
    without = make("hred")
    for use in (
        lambda: without.loss(without.params, (*batch, turns)),
        lambda: without.reply([[4]], speakers=[0, 1]),
        lambda: without.conversation().hear([4], speaker=0),
    ):
        with pytest.raises(ValueError, match="was made without speakers"):
            use()
