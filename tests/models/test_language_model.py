"""Why: a language model has exact answers, and they are asked for here: the entropy of its output
bias, sums over chunks, the symbols that its scores make likeliest, and frequencies of draws.
"""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest
from helpers.tolerances import assert_same_bits
from helpers.zoo import LENGTHS, V, batch_for, make

from fastrnn import decode
from fastrnn.data import BOS, EOS, PAD, UNK, Vocabulary, contiguous_streams, windows
from fastrnn.models import LanguageModel
from fastrnn.train import SGD, Trainer
from fastrnn.train._trees import flatten

TEXT = "the cat sat on the mat and the dog sat on the log. "
LETTERS = Vocabulary.from_texts([TEXT], level="character")


def memoryless(p: np.ndarray, vocab: Any, **options: Any) -> LanguageModel:
    """A model that always gives the same probabilities."""
    model = LanguageModel("gru", vocab, 3, **options)
    model.params["out"]["weight"][:] = 0
    with np.errstate(divide="ignore"):
        model.params["out"]["bias"][:] = np.maximum(np.log(p), -1e4)
    return model


def test_evaluate_is_the_cross_entropy(rng: Any) -> None:
    p = rng.dirichlet(np.ones(V))
    model = memoryless(p, V, dtype=np.float64)
    tokens = rng.integers(0, V, 500)
    data = contiguous_streams(tokens, N=3, T=16)
    seen = np.concatenate([targets.ravel() for _, targets in data])
    found = model.evaluate(data)
    nats = -np.log(p[seen]).mean()
    assert np.isclose(found["loss"], nats, rtol=1e-12)
    assert np.isclose(found["bits"], nats / np.log(2), rtol=1e-12)
    assert np.isclose(found["perplexity"], np.exp(nats), rtol=1e-12)


def test_windows_begin_from_zero() -> None:
    """Also behind a longer batch: the last one of an epoch has fewer rows, which no state fits."""
    tokens = np.random.default_rng(0).integers(0, V, 22)
    first, second = (make("lm-lstm") for _ in range(2))
    data = windows(tokens, N=5, T=3)
    assert [x.shape[1] for x, _ in windows(tokens, N=5, T=3)] == [5, 2]
    own = [first.loss(first.params, batch) * batch[1].size for batch in data]
    assert np.isclose(first.evaluate(windows(tokens, N=5, T=3))["loss"], sum(own) / 21, rtol=1e-12)
    Trainer(first, SGD(0.1), progress=False).fit(windows(tokens, N=5, T=3), epochs=2)
    alone = Trainer(second, SGD(0.1), progress=False)
    for batch in [*(data := windows(tokens, N=5, T=3)), *data]:
        alone.fit([batch], updates=alone.updates + 1)
    for name, array in flatten("params", first.params).items():
        assert_same_bits(name, array, flatten("params", second.params)[name])


@pytest.mark.parametrize("name", ["lm-lstm", "lm-gru-tied", "lm-rnn"])
def test_carried_chunks_are_the_whole_text(name: str, rng: Any) -> None:
    model = make(name)
    tokens = rng.integers(0, V, 211)
    whole, chunks = (contiguous_streams(tokens, N=2, T=T) for T in (105, 16))
    expected = model.evaluate(whole)["loss"]
    assert np.isclose(model.evaluate(chunks)["loss"], expected, rtol=1e-12)
    assert not np.isclose(model.evaluate(chunks, carry=False)["loss"], expected, rtol=1e-6)
    ragged = [batch_for(model, rng, lengths=LENGTHS)]
    assert model.evaluate(ragged)["loss"] == model.loss(model.params, ragged[0])
    with pytest.raises(ValueError, match="at least one symbol"):
        model.evaluate([])


@pytest.mark.parametrize("name", ["lm-lstm", "lm-gru-tied", "lm-rnn"])
def test_the_likeliest_symbol_follows(name: str, backend: str, rng: Any) -> None:
    model = make(name)
    prompt = rng.integers(0, V, 5)
    found = model.generate(prompt, 9, temperature=0.0)
    tokens = np.concatenate([prompt, found])[:, None]
    y, _ = model._reader(model.params, tokens[:-1], lengths=[len(tokens) - 1])
    scores = model._scores(y)
    np.testing.assert_array_equal(found, scores[4:, 0].argmax(axis=1))


def test_draws_follow_softmax_of_scores_over_temperature() -> None:
    """Pearson's statistic with 6 degrees of freedom exceeds 22.5 with p = 0.001."""
    p = np.array([0.3, 0.2, 0.2, 0.1, 0.1, 0.06, 0.04])
    model = memoryless(p, 7, dtype=np.float64)
    n = 4000
    for temperature in (1.0, 0.5):
        drawn = model.generate([0], n, temperature=temperature, rng=np.random.default_rng(1))
        expected = n * decode.probabilities(np.log(p), temperature=temperature)
        counts = np.bincount(drawn, minlength=7)
        assert ((counts - expected) ** 2 / expected).sum() < 22.5
    assert set(model.generate([0], 200, top_k=2)) == {0, 1}
    assert set(model.generate([0], 200, top_p=0.45)) == {0, 1}


def test_the_generator_decides() -> None:
    model = LanguageModel("lstm", LETTERS, 8, rng=np.random.default_rng(0))
    one, again, other = (
        model.generate("the ", 30, rng=np.random.default_rng(seed)) for seed in (1, 1, 2)
    )
    assert one == again != other
    assert model.generate("the ", 0) == ""
    with pytest.raises(ValueError, match="prompt must have shape"):
        model.generate([[1, 2], [3]], 3)


def test_texts_never_show_specials_and_end_at_eos() -> None:
    size = len(LETTERS)
    p = np.full(size, 1.0)
    p[[PAD, UNK, BOS]] = 100
    p[EOS] = 0
    text = memoryless(p / p.sum(), LETTERS).generate("a", 300, rng=np.random.default_rng(0))
    assert len(text) == 300
    assert set(text) == set(TEXT)
    p[EOS] = 1e6
    model = memoryless(p / p.sum(), LETTERS)
    assert model.generate("a", 300, rng=np.random.default_rng(0)) == ""
    ids = model.generate(LETTERS.encode("a"), 5, rng=np.random.default_rng(0))
    assert (ids.dtype, ids.shape) == (np.int64, (0,))


def test_tied_weights_are_one_array() -> None:
    model = LanguageModel("gru", V, 4, tied=True)
    assert list(model.params["out"]) == ["bias"]
    untied = LanguageModel("gru", V, 4)
    assert untied.parameter_count - model.parameter_count == V * 4
    with pytest.raises(ValueError, match="tied needs embedding_size to be H of the last layer, 4"):
        LanguageModel("gru", V, 4, embedding_size=3, tied=True)


def test_generating_follows_params(rng: Any) -> None:
    """Also after an update in place, or with a new dict."""
    model = make("lm-lstm")
    before = model.generate([1, 2], 20, temperature=0.0)
    for array in model.params["rnn"].values():
        array[...] = -1.5 * array
    changed = model.generate([1, 2], 20, temperature=0.0)
    assert (before != changed).any()
    other = make("lm-lstm")
    other.params = model.params
    assert_same_bits("drawn", other.generate([1, 2], 20, temperature=0.0), changed)


def test_many_threads_generate_from_one_model() -> None:
    model = make("lm-gru-tied")
    expected = model.generate([1], 60, rng=np.random.default_rng(0))

    def run(_: int) -> np.ndarray:
        return model.generate([1], 60, rng=np.random.default_rng(0))

    with ThreadPoolExecutor(8) as pool:
        for found in pool.map(run, range(16)):
            assert_same_bits("drawn", found, expected)


@pytest.mark.parametrize(
    ("prompt", "error", "message"),
    [
        ("abc", TypeError, "prompt must hold symbols: the model was made without a Vocabulary"),
        ([], ValueError, "prompt must hold at least one symbol"),
        ([[1]], ValueError, r"prompt must have shape \(m,\), got \(1, 1\)"),
        ([0.5], TypeError, "prompt must hold integers, got float64"),
        ([V], ValueError, rf"prompt must lie in 0\.\.{V - 1}, got {V}"),
        ([-1], ValueError, "prompt must lie in"),
    ],
)
def test_bad_prompts(prompt: Any, error: type, message: str) -> None:
    with pytest.raises(error, match=message):
        make("lm-lstm").generate(prompt, 3)


def test_bad_batches(rng: Any) -> None:
    model = make("lm-lstm")
    x, targets = batch_for(model, rng)
    with pytest.raises(ValueError, match="targets must have shape"):
        model.loss(model.params, (x, targets[0]))
    with pytest.raises(TypeError, match="targets must hold integers"):
        model.loss(model.params, (x, targets * 1.0))
    with pytest.raises(ValueError, match="targets must lie in"):
        model.loss(model.params, (x, targets + V))
    with pytest.raises(ValueError, match="n must be at least 0"):
        model.generate([1], -1)
