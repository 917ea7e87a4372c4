"""Why: a collapsed or a leaking latent code looks like a good loss. The parts must be those of the
formulas, the prior must not see the answer, and a code must decide what is said.
"""

from typing import Any

import numpy as np
import pytest
from helpers.tolerances import assert_same_bits
from helpers.zoo import W, dialogues, make

from fastrnn import metrics, ops
from fastrnn.data import Vocabulary, pack_dialogues
from fastrnn.models import HRED, VHRED
from fastrnn.models._parts.model import flatten
from fastrnn.train import Adam
from toys.dialogues import ModeDialogues

V, Z = W, 2
SHAPE = [[2, 3, 1], [3], [1, 0, 2], []]


def batch_of(rng: Any, shape: Any = SHAPE) -> Any:
    return pack_dialogues(dialogues(rng, shape))


def test_parts(rng: Any) -> None:
    """The whole is its parts, each the same number of turns; the last part has both its ends."""
    model, batch = make("vhred-lstm-init"), batch_of(rng)
    found, symbols = model.elbo(batch), model._enter(batch).symbols
    turns = 4
    assert symbols == 3 + 1 + 0 + 2 + turns
    assert np.isclose(model.loss(model.params, batch), -found["elbo"] * turns / symbols)
    weighted = (0.3 * found["kl"] - found["reconstruction"]) * turns / symbols
    for weight in (0.3, np.float64(0.3), np.float32(0.3)):
        assert np.isclose(model.loss(model.params, (*batch, weight)), weighted)
    evaluated = model.evaluate([batch, (*batch, 0.1)])
    assert np.isclose(evaluated["kl"], found["kl"])
    mu, logvar, (prior_mu, prior_logvar), log_likelihood = model._measured(batch)
    kl = 0.5 * (
        np.exp(logvar - prior_logvar) - 1 - logvar + prior_logvar
        + (mu - prior_mu) ** 2 * np.exp(-prior_logvar)
    ).sum(axis=1)  # fmt: skip
    assert np.isclose(found["kl"], kl.mean())
    z = mu + np.exp(logvar / 2) * rng.standard_normal((2000, *mu.shape))
    drawn = np.mean([log_likelihood(each) for each in z[:300]])
    assert np.isclose(model.elbo(batch, samples=300)["reconstruction"], drawn, atol=0.05)
    assert model.iwae(batch, 1) <= model.iwae(batch, 100) + 0.02
    bag = make("vhred-gru-bag")
    plain = make("vhred-gru-bag", bag_of_words=0.0)
    assert "bag" not in plain.params
    assert plain.loss(bag.params, batch) < bag.loss(bag.params, batch)


def test_a_schedule_for_some_turns_only(rng: Any) -> None:
    """What is to be said and the weight both stand behind the batch."""
    tokens, lengths, turns = batch_of(rng)
    targets = np.array([False, False, True, False, False, True, False])
    model = make("vhred-lstm-init", kl_schedule=3)
    data = [(tokens, lengths, turns, targets)]
    model.fit(data, updates=2, progress=False, rng=rng)
    assert model.tokens((*data[0], 0.5)) == model.tokens(data[0]) == lengths.sum()
    assert len(model.encode(data[0])[0]) == 2


def test_the_prior_does_not_see_the_answer_and_the_posterior_does(rng: Any) -> None:
    model = make("vhred-gru-bag")
    talks = [[[4, 5], [6, 7]], [[4, 5], [8]]]
    mu, _, prior, _ = model._measured(pack_dialogues(talks))
    assert_same_bits("prior", prior[0][0], prior[0][1])
    assert (mu[0] != mu[1]).any()
    assert (mu != prior[0]).all()


def test_codes_are_drawn_first_and_may_be_given() -> None:
    model, history = make("vhred-gru-bag"), [[4, 5], [6]]
    codes = np.random.default_rng(3).standard_normal((3, Z)) * 40
    given = model.reply(history, n=3, z=codes, max_length=8)
    for code, reply in zip(codes, given, strict=True):
        assert_same_bits("reply", model.reply(history, z=code, max_length=8), reply)
    drawn = [
        [r.tolist() for r in model.reply(history, n=5, max_length=8, rng=np.random.default_rng(s))]
        for s in (1, 1)
    ]
    assert drawn[0] == drawn[1]
    talk = model.conversation()
    for turn in history:
        talk.hear(turn)
    assert_same_bits("reply", talk.reply(z=codes[0], max_length=8), given[0])
    for z, error, message in (
        ("posterior", ValueError, "z must be 'prior' or an array"),
        (np.zeros(Z + 1), ValueError, r"z must have shape \(Z,\) = \(2,\)"),
        (np.zeros(Z, np.float32), TypeError, "z must be float64"),
    ):
        with pytest.raises(error, match=message):
            model.reply(history, z=z)
    without = HRED("gru", V, 4).conversation()
    without.hear([4])
    with pytest.raises(TypeError, match="z is no option of HRED"):
        without.reply(z=np.zeros(2))


def test_the_code_decides_among_the_modes() -> None:
    """Greedy over codes drawn from the prior says most modes; greedy without a code says one."""
    source = ModeDialogues(np.random.default_rng(0), contexts=2, modes=4, skew=0.8, longest=7)
    rng = np.random.default_rng(1)
    drawn = source.draw(rng, 2000)
    words = Vocabulary.from_texts([t for one in drawn for t in one[:2]], level="word")

    def batch(rows: Any) -> Any:
        return pack_dialogues([[words.encode(t) for t in one[:2]] for one in rows])

    data = [batch(drawn[k : k + 100]) for k in range(0, 2000, 100)]
    model = VHRED("gru", words, 32, 4, word_drop=0.3, kl_schedule=200, rng=np.random.default_rng(0))
    model.fit(data, Adam(lr=0.01), max_norm=1.0, epochs=25, progress=False, rng=rng)
    fresh = batch(source.draw(rng, 400))
    truth = float(source.entropy.mean())
    found = model.evaluate([fresh])
    assert found["kl"] > 0.8 * source.mode_entropy.mean()
    assert -found["reconstruction"] + found["kl"] < truth + 0.4
    replies = model.reply([source.context(0)], n=200, rng=np.random.default_rng(0))
    modes = [source.mode_of(reply) for reply in replies]
    assert metrics.mode_coverage([m for m in modes if m is not None], 4) >= 3
    assert np.mean([m is not None for m in modes]) > 0.9
    one = model.reply([source.context(0)], n=20, z=np.zeros(4, np.float32))
    assert len(set(one)) == 1


def test_nothing_to_say(rng: Any) -> None:
    model = make("vhred-lstm-init")
    for shape in ([], [[3], [2]]):
        value, grads = ops.value_and_grad(model.loss)(model.params, batch_of(rng, shape))
        assert value == 0
        assert not any(gradient.any() for gradient in flatten(grads).values())
        with pytest.raises(ValueError, match="at least one"):
            model.evaluate([batch_of(rng, shape)])
        with pytest.raises(ValueError, match="at least one row"):
            model.iwae(batch_of(rng, shape), 2)
