"""Why: a model that learns from a sample must estimate the loss that it is measured by, which all
symbols take part in, and change nothing that neither batch nor sample has.
"""

from typing import Any

import numpy as np
import pytest
from helpers import zoo
from helpers.tolerances import assert_same_bits

from fastrnn import models
from fastrnn.data import contiguous_streams
from fastrnn.models import HRED, VHRED, LanguageModel, Seq2Seq
from fastrnn.train import SGD, Adam, AdamW

NAMES = ["lm-lstm", "lm-gru-tied", "s2s-additive", "s2s-rnn-tied", "hred-gru", "vhred-gru-bag"]
EACH = pytest.mark.parametrize("name", NAMES)


def batch_of(model: Any, rng: np.random.Generator) -> Any:
    if isinstance(model, (LanguageModel, Seq2Seq)):
        return zoo.batch_for(model, rng, lengths=zoo.LENGTHS)
    return zoo.token_batch(model, rng)


def pair(name: str, **options: Any) -> tuple[Any, Any]:
    """The model with the whole softmax, and with a sample and the same weights."""
    full, sampled = zoo.make(name), zoo.make(name, loss="sampled", **options)
    for key, array in zoo.flat(full.params).items():
        assert_same_bits(key, zoo.flat(sampled.params)[key], array)
    return full, sampled


@EACH
@pytest.mark.parametrize("proposal", ["log_uniform", "uniform"])
def test_a_large_sample_has_the_loss_of_all_symbols(
    name: str, proposal: str, rng: np.random.Generator
) -> None:
    full, sampled = pair(name, num_samples=100_000, proposal=proposal)
    batch = batch_of(full, rng)
    sources = np.random.default_rng(1), np.random.default_rng(1)
    losses = [
        float(m.loss(m.params, batch, source))
        for m, source in zip((full, sampled), sources, strict=True)
    ]
    assert losses[1] == pytest.approx(losses[0], abs=0.02)
    assert sources[0].random() != sources[1].random()  # one has drawn a sample


@EACH
def test_what_is_measured_takes_all_symbols(name: str, rng: np.random.Generator) -> None:
    full, sampled = pair(name, num_samples=2)
    batch = batch_of(full, rng)
    assert sampled.evaluate([batch]) == full.evaluate([batch])
    assert sampled.loss(sampled.params, batch) == full.loss(full.params, batch)
    if isinstance(full, LanguageModel):
        drawn = [m.generate([1, 2], 9, rng=np.random.default_rng(3)) for m in (full, sampled)]
        assert drawn[0].tolist() == drawn[1].tolist()


@EACH
def test_it_is_kept_in_files(name: str, tmp_path: Any, rng: np.random.Generator) -> None:
    _, sampled = pair(name, num_samples=5)
    sampled.save(tmp_path / "m")
    loaded = models.load(tmp_path / "m")
    config = {"loss": "sampled", "num_samples": 5, "proposal": "log_uniform"}
    assert config.items() <= loaded.config.items()
    batch = batch_of(loaded, rng)
    losses = {float(m.loss(m.params, batch, np.random.default_rng(1))) for m in (sampled, loaded)}
    assert len(losses) == 1
    assert "loss" not in zoo.make(name).config


@pytest.mark.parametrize("optimiser", [Adam, lambda: SGD(0.1, momentum=0.9), AdamW])
def test_an_update_leaves_alone_what_was_not_there(optimiser: Any) -> None:
    """Also after updates that have had it, and gave it momentum."""
    model = LanguageModel(
        "gru", 2000, 4, loss="sampled", num_samples=50, rng=np.random.default_rng(0)
    )
    tokens = np.random.default_rng(1).integers(0, 2000, 500)
    updating = optimiser()
    model.fit(contiguous_streams(tokens, N=5, T=9), updating, epochs=1, progress=False)
    before = {key: array.copy() for key, array in zoo.flat(model.params).items()}
    few = contiguous_streams(np.arange(7, 107), N=5, T=9)
    model.fit(few, updating, updates=1, progress=False, rng=np.random.default_rng(2))
    after = zoo.flat(model.params)
    changed = np.flatnonzero((after["embedding.weight"] != before["embedding.weight"]).any(axis=1))
    assert set(changed) <= set(range(7, 107))
    assert len(changed) == 45
    outputs = np.flatnonzero((after["out.weight"] != before["out.weight"]).any(axis=1))
    assert 45 < len(outputs) < 45 + 51


def test_it_learns_what_the_whole_softmax_learns() -> None:
    """Words of a chain by Zipf's law: perplexities within 3 % of each other, far below that of
    words alone.
    """
    rng = np.random.default_rng(0)
    follows = rng.zipf(1.5, (300, 8)) % 300
    tokens = [0]
    for draw in rng.integers(0, 8, 12_000):
        tokens.append(int(follows[tokens[-1], draw]))
    data = contiguous_streams(np.array(tokens), N=20, T=20)
    found = {}
    for loss, more in (("full", {}), ("sampled", {"num_samples": 60})):
        model = LanguageModel("gru", 300, 32, loss=loss, rng=np.random.default_rng(1), **more)
        model.fit(data, Adam(5e-3), epochs=12, progress=False, rng=np.random.default_rng(2))
        found[loss] = model.evaluate(data)["perplexity"]
    counts = np.bincount(tokens, minlength=300) / len(tokens)
    alone = np.exp(-np.sum(counts * np.log(counts, where=counts > 0, out=np.zeros(300))))
    assert found["full"] < 0.5 * alone
    assert found["sampled"] == pytest.approx(found["full"], rel=0.03)


MAKE: dict[str, Any] = {
    "language model": lambda **o: LanguageModel("gru", 9, 4, **o),
    "pairs": lambda **o: Seq2Seq("gru", 9, 9, 4, **o),
    "hred": lambda **o: HRED("gru", 9, 4, **o),
    "vhred": lambda **o: VHRED("gru", 9, 4, 2, **o),
}


@pytest.mark.parametrize(
    ("options", "error", "words"),
    [
        ({"loss": "hinge"}, ValueError, r"loss must be one of \['full', 'sampled'\], got 'hinge'"),
        ({"loss": "sampled", "num_samples": 0}, ValueError, "num_samples must be at least 1"),
        ({"loss": "sampled", "num_samples": 2.5}, TypeError, "num_samples must be an integer"),
        ({"loss": "sampled", "proposal": "zipf"}, ValueError, "proposal must be one of"),
        ({"num_samples": 9}, ValueError, "num_samples must go with loss='sampled', got 9"),
        ({"proposal": "uniform"}, ValueError, "proposal must go with loss='sampled'"),
    ],
)
@pytest.mark.parametrize("kind", MAKE)
def test_bad_options_are_named(kind: str, options: dict, error: type, words: str) -> None:
    with pytest.raises(error, match=words):
        MAKE[kind](**options)


def test_smoothing_needs_all_symbols() -> None:
    with pytest.raises(ValueError, match=r"label_smoothing must be 0 with .* got 0\.1"):
        Seq2Seq("gru", 9, 9, 4, loss="sampled", label_smoothing=0.1)
