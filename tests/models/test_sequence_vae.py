"""Why: a sentence is read and said by two layers with a draw in between; a shift by one, padding
that is read, or a weight on the wrong part leave a loss that falls all the same.
"""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers.tolerances import assert_same_bits
from helpers.zoo import SENTENCES, make, sentences

from fastrnn.data import BOS, EOS, Vocabulary
from fastrnn.models import SequenceVAE
from fastrnn.models._parts.model import flatten
from fastrnn.train import SGD, Adam, Trainer

V, Z = 9, 3
LENGTHS = np.array([4, 0, 5, 1])


@pytest.mark.parametrize("kind", SENTENCES)
def test_rows_are_alone(kind: str, rng: Any) -> None:
    model, (x, lengths) = make(kind), sentences(rng)
    mu, logvar = model.encode((x, lengths))
    nats = model._log_likelihood(model.params, model._enter((x, lengths)), mu)
    for n, length in enumerate(lengths):
        alone = x[:length, n : n + 1], [length]
        for one, all_rows in zip(model.encode(alone), (mu, logvar), strict=True):
            assert_same_bits("code", one[0], all_rows[n])
        again = model._log_likelihood(model.params, model._enter(alone), mu[n : n + 1])
        assert np.isclose(again[0], nats[n], rtol=1e-12)


def test_what_is_said_is_what_the_scores_make_likeliest(rng: Any) -> None:
    """Step by step the decoder is what it is over the whole sentence, its end included."""
    model = make("svae-lstm-gated")
    z = rng.standard_normal((5, Z))
    for n, targets in enumerate(model.decode(z, max_length=6)):
        batch = model._enter((targets[:, None], [len(targets)]))
        nats = model._target_nats(model.params, batch, z[n : n + 1]).nats
        for t in range(len(targets) + (len(targets) < 6)):
            best = targets[t] if t < len(targets) else EOS
            for other in range(EOS, V):
                changed = np.append(targets[:t], other)
                if other == EOS:
                    row = model._enter((targets[:t, None], [t]))
                else:
                    row = model._enter((changed[:, None], [t + 1]))
                here = model._target_nats(model.params, row, z[n : n + 1]).nats[t]
                assert here >= nats[t] - 1e-12, best
    drawn = [model.decode(z, temperature=1.0, rng=np.random.default_rng(s)) for s in (1, 1, 2)]
    assert all((a == b).all() for a, b in zip(drawn[0], drawn[1], strict=True))
    assert [d.tolist() for d in drawn[0]] != [d.tolist() for d in drawn[2]]
    assert not np.isin(np.concatenate(drawn[0]), [0, 1, BOS]).any()


def test_parts_weights_and_free_bits(rng: Any) -> None:
    batch = sentences(rng)
    model = make("svae-gru")
    found = model.elbo(batch)
    assert np.isclose(model.loss(model.params, batch), -found["elbo"])
    weighted = -found["reconstruction"] + 0.3 * found["kl"]
    assert np.isclose(model.loss(model.params, (*batch, 0.3)), weighted)
    assert np.isclose(model.evaluate([batch])["loss"], -found["elbo"])
    symbols = LENGTHS.sum() + 4
    perplexity = np.exp(-found["elbo"] * 4 / symbols)
    assert np.isclose(model.evaluate([batch, batch[:2]])["perplexity"], perplexity, rtol=0.2)
    assert model.tokens(batch) == symbols
    assert model.iwae(batch, 1) < model.iwae(batch, 30)
    mu, logvar = model.encode(batch)
    units = 0.5 * (np.exp(logvar) - 1 - logvar + mu**2).mean(axis=0)
    free = float(np.median(units))
    expected = -found["reconstruction"] + np.maximum(units, free).sum()
    generous = make("svae-gru", free_bits=free)
    assert np.isclose(generous.loss(generous.params, batch), expected)
    assert generous.elbo(batch) == found


def test_the_schedule_rises_and_resumes(tmp_path: Path, rng: Any) -> None:
    model = make("svae-gru", kl_schedule=4)
    data = [sentences(rng) for _ in range(3)]
    source = model.annealed(data)
    weights = [batch[2] for _ in range(2) for batch in source]
    assert weights == [0, 0.25, 0.5, 0.75, 1, 1]
    held = [batch[2] for batch in make("svae-gru", kl_schedule=(1, 3)).annealed([*data, *data])]
    assert held == [0, 0, 0.5, 1, 1, 1]
    assert make("svae-gru").annealed(data) is data
    params = []
    for parts in ((7,), (2, 5, 7)):
        folder, fresh = tmp_path / str(len(parts)), None
        for updates in parts:
            fresh = make("svae-gru", kl_schedule=4, word_drop=0.5)
            trainer = Trainer(
                fresh, SGD(lr=0.1), rng=np.random.default_rng(1), checkpoint=folder, progress=False
            )
            trainer.fit(fresh.annealed(data), updates=updates, resume=True)
        params.append(flatten(fresh.params))
    for path, array in params[0].items():
        assert_same_bits(path, array, params[1][path])


def test_sentences_go_through_a_code() -> None:
    texts = ["the cat sat", "a dog ran home", "no", "we eat the dog", "home sat a cat"]
    words = Vocabulary.from_texts(texts, level="word")
    model = SequenceVAE(
        "lstm", words, 24, 4, rng=np.random.default_rng(0), word_drop=0.5, kl_schedule=250
    )
    model.fit([texts], Adam(lr=0.02), updates=250, progress=False, rng=np.random.default_rng(0))
    assert model.decode(model.encode(texts)[0]) == texts
    assert model.interpolate(texts[0], texts[2], 3)[::2] == [texts[0], texts[2]]
    assert model.elbo(texts)["kl"] > 1
    assert model.active_units(texts).any()
    assert len(model.sample(3, rng=np.random.default_rng(0))) == 3


@pytest.mark.parametrize(
    ("batch", "error", "message"),
    [
        (np.ones((3, 2), int), TypeError, r"batch must be \(x, lengths\)"),
        (([[4, V]], [1, 1]), ValueError, r"x must lie in 0\.\.8, got 9"),
        (([[4, 4]], [2, 1]), ValueError, r"lengths must lie in 0\.\.T"),
        (([[4, 4]], [1, 1], -1.0), ValueError, "weight must be at least 0"),
        (["abc"], TypeError, "made without a Vocabulary"),
        ([[0.5]], TypeError, "must hold integers"),
    ],
)
def test_bad_batches(batch: Any, error: type, message: str) -> None:
    model = make("svae-gru")
    with pytest.raises(error, match=message):
        model.loss(model.params, batch)


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"word_drop": 1.5}, ValueError, r"word_drop must lie in 0\.\.1"),
        ({"kl_schedule": 0}, ValueError, "kl_schedule must be at least 1"),
        ({"kl_schedule": (3, 3)}, ValueError, r"kl_schedule\[1\] must be at least 4"),
        ({"kl_schedule": (1, 2, 3)}, ValueError, "kl_schedule must be an int or two"),
        ({"free_bits": -1}, ValueError, "free_bits must be at least 0"),
        ({"decoder_input": "always"}, ValueError, "decoder_input must be one of"),
        ({"batch_first": True}, TypeError, "batch_first is no option"),
    ],
)
def test_bad_options(options: dict[str, Any], error: type, message: str) -> None:
    with pytest.raises(error, match=message):
        make("svae-gru", **options)
    with pytest.raises(ValueError, match="vocab must be at least 5"):
        SequenceVAE("gru", 4, 4, 2)
