"""Why: an encoder and a decoder may each be right and still be joined wrongly: a target that sees
itself, padding that is attended to, a road into the encoder that carries no gradient.
"""

from typing import Any

import numpy as np
import pytest
from helpers.nested import check_gradients
from helpers.tolerances import assert_close, assert_same_bits
from helpers.zoo import LENGTHS, PAIRS, N, T, V, batch_for, flat, make

import fastrnn
from fastrnn import models, ops
from fastrnn.data import EOS, Vocabulary
from fastrnn.models import LanguageModel, Seq2Seq
from fastrnn.train import Adam

ATTENTIVE = [name for name in PAIRS if "attention" in PAIRS[name][2]]


@pytest.mark.check(13)
@pytest.mark.parametrize("name", PAIRS)
def test_padding_leaves_no_trace(name: str, rng: Any) -> None:
    model = make(name)
    x, targets, lengths, target_lengths = batch_for(model, rng, lengths=LENGTHS)

    def dirty(rows: np.ndarray, steps: np.ndarray) -> np.ndarray:
        more = np.concatenate([rows, np.zeros((30, N), int)])
        return np.where(np.arange(len(more))[:, None] < steps, more, -(10**9))

    run = ops.value_and_grad(model.loss)
    value, grads = run(model.params, (x, targets, lengths, target_lengths))
    found, found_grads = run(
        model.params, (dirty(x, lengths), dirty(targets, target_lengths), lengths, target_lengths)
    )
    assert np.isclose(found, value, rtol=1e-14)
    for path, gradient in flat(grads).items():
        np.testing.assert_allclose(flat(found_grads)[path], gradient, rtol=0, atol=1e-13)


@pytest.mark.parametrize("name", PAIRS)
def test_targets_end_at_their_first_eos_if_nothing_else_is_said(name: str, rng: Any) -> None:
    model = make(name)
    x, targets, lengths, target_lengths = batch_for(model, rng, lengths=LENGTHS)
    given = model.loss(model.params, (x, targets, lengths, target_lengths))
    assert model.loss(model.params, (x, targets, lengths)) == given
    assert model.tokens((x, targets, lengths)) == target_lengths.sum()


@pytest.mark.parametrize("name", PAIRS)
def test_a_target_does_not_see_itself_or_what_follows(name: str, rng: Any) -> None:
    """Change symbol t: the scores up to t, which come before it, stay the same bits."""
    model = make(name)
    x, targets = batch_for(model, rng)
    t = 3
    other = targets.copy()
    other[t:-1] = np.where(targets[t:-1] == 4, 5, 4)

    def scores(answers: np.ndarray) -> np.ndarray:
        pairs = model._opened((x, answers, None, [T + 1] * N))
        encoded = model._encoder(model.params["encoder"], pairs.sources, pairs.lengths)
        lengths = pairs.target_lengths
        y, _ = model._decoder(model.params["decoder"], pairs.fed, encoded, lengths, None, False)
        return model._scores(model.params, y, encoded.vector)

    one, two = scores(targets), scores(other)
    assert_same_bits("scores", one[: t + 1], two[: t + 1])
    assert (one[t + 1] != two[t + 1]).any()


@pytest.mark.parametrize("name", PAIRS)
def test_one_batch_is_learned_by_heart(name: str, rng: Any) -> None:
    model = make(name, dtype=np.float32)
    x, targets, lengths, target_lengths = batch_for(model, rng, lengths=np.array([6, 2, 3, 1]))
    x[0] = 3 + np.arange(N)  # equal sources with different targets could not be learned
    x[-1] = 3 + np.arange(N)
    batch = x, targets, lengths, target_lengths
    first = model.evaluate([batch])["loss"]
    model.fit([batch], Adam(lr=0.03), max_norm=5.0, updates=500, progress=False)
    assert model.evaluate([batch])["loss"] < 0.1 < first
    sources = [x[:S, n] for n, S in enumerate(lengths)]
    for n, found in enumerate(model.translate(sources)):
        np.testing.assert_array_equal(found.tokens, targets[: target_lengths[n] - 1, n])


@pytest.mark.check(3)
@pytest.mark.parametrize("name", ["s2s-peek", "s2s-additive", "s2s-dot"])
def test_central_differences_with_dropout_and_smoothing(name: str, rng: Any) -> None:
    model = make(name, dropout=0.3, label_smoothing=0.1)
    batch = batch_for(model, rng, lengths=LENGTHS)
    check_gradients(model, batch, seed=3)
    smooth = model.loss(model.params, batch)
    assert smooth != make(name).loss(model.params, batch)
    assert np.isclose(model.evaluate([batch])["loss"], make(name).loss(model.params, batch))


@pytest.mark.parametrize("name", ATTENTIVE)
def test_the_gradient_reaches_the_encoder_by_every_road(name: str, rng: Any) -> None:
    """With the first state cut, memory alone carries it; with memory cut, the state alone does."""
    model = make(name)
    batch = batch_for(model, rng)
    pairs = model._opened(batch)
    targets = pairs.targets

    def loss(params: Any, cut: str) -> Any:
        encoded = model._encoder(params["encoder"], pairs.sources, pairs.lengths)
        plain = model._encoder(model.params["encoder"], pairs.sources, pairs.lengths)
        names = {"state": ("h", "c", "vector"), "memory": ("memory",)}[cut]
        encoded = encoded._replace(**{field: getattr(plain, field) for field in names})
        lengths = pairs.target_lengths
        y, _ = model._decoder(params["decoder"], pairs.fed, encoded, lengths, None, True)
        return ops.softmax_cross_entropy(model._scores(params, y, encoded.vector), targets)

    whole = ops.value_and_grad(model.loss)(model.params, batch)
    for cut in ("state", "memory"):
        value, grads = ops.value_and_grad(loss)(model.params, cut)
        assert np.isclose(value, whole[0], rtol=1e-12)
        gradient = grads["encoder"]["rnn"]["weight_hh_l0"]
        assert abs(gradient).max() > 1e-5
        assert abs(gradient - whole[1]["encoder"]["rnn"]["weight_hh_l0"]).max() > 1e-6
        assert grads["encoder"]["embedding"]["weight"].any()


def test_scheduled_sampling_feeds_what_the_model_says(rng: Any) -> None:
    """A model that is sure of 5 feeds 5; half of the places keep the right symbol."""
    model = make("s2s-additive", scheduled_sampling=0.5)
    model.params["out"]["weight"][...] = 0
    model.params["out"]["bias"][...] = np.where(np.arange(V + 1) == 5, 50.0, 0.0)
    batch = batch_for(model, rng, steps=40)
    batch[1][:-1] = 6
    pairs = model._opened(batch)
    encoded = model._encoder(model.params["encoder"], pairs.sources, pairs.lengths)
    fed = model._partly_drawn(model.params, pairs, encoded, np.random.default_rng(0))
    assert (fed[0] == 2).all()
    assert set(np.unique(fed[1:])) == {5, 6}
    assert 0.3 < (fed[1:] == 5).mean() < 0.7
    check_gradients(make("s2s-lstm", scheduled_sampling=0.5), batch_for(model, rng), seed=1)


@pytest.mark.parametrize("name", PAIRS)
def test_translations_are_as_likely_as_the_loss_says(name: str, rng: Any) -> None:
    """Free running and forced are one model, alone, in a batch, or in a beam."""
    model = make(name)
    sources = [rng.integers(0, V, n) for n in (5, 1, 8, 3, 3)]
    kinds: list[dict[str, Any]] = [
        {},
        {"beam_size": 4, "n_best": 3, "length_penalty": "avg"},
        {"n_best": 2, "rng": np.random.default_rng(0)},
    ]
    for options in kinds:
        for source, found in zip(sources, model.translate(sources, batch_size=2, max_length=6,
                                                          **options), strict=True):
            for h in found if isinstance(found, list) else [found]:
                targets = np.append(h.tokens, EOS)[:, None]
                nats = model.loss(model.params, (source[:, None], targets, None, [len(targets)]))
                assert np.isclose(-h.log_prob, nats * len(targets), rtol=1e-9)
    whole = model.translate(sources, beam_size=3)
    for source, found in zip(sources, whole, strict=True):
        alone = model.translate(source, beam_size=3)
        assert_same_bits("tokens", alone.tokens, found.tokens)
        assert alone.log_prob == found.log_prob


@pytest.mark.parametrize("name", ["s2s-additive", "s2s-dot"])
@pytest.mark.parametrize("reverse", [False, True])
def test_attention_maps_in_the_order_of_the_source(name: str, reverse: bool, rng: Any) -> None:
    model = make(name, reverse_source=reverse)
    sources = [rng.integers(4, V, n) for n in (7, 2, 5)]
    options = {"max_length": 4, "min_length": 2, "return_attention": True}
    for source, found in zip(sources, model.translate(sources, **options), strict=True):
        assert found.attention.shape == (len(found.tokens), len(source))
        np.testing.assert_allclose(found.attention.sum(axis=1), 1, rtol=1e-12)
        targets = np.append(found.tokens, EOS)[:, None]
        pairs = model._opened((source[:, None], targets))
        encoded = model._encoder(model.params["encoder"], pairs.sources, pairs.lengths)
        lengths = pairs.target_lengths
        given = (model.params["decoder"], pairs.fed, encoded, lengths, None, False)
        _, forced = model._decoder(*given)
        forced = forced[:-1, 0, ::-1] if reverse else forced[:-1, 0]
        np.testing.assert_allclose(found.attention, forced, rtol=1e-9)
    with pytest.raises(ValueError, match="return_attention needs a model with attention"):
        make("s2s-lstm").translate(sources, return_attention=True)


def test_encode_is_the_state_at_the_end(rng: Any) -> None:
    model = make("s2s-lstm")
    sources = [rng.integers(4, V, n) for n in (7, 2)]
    vectors = model.encode(sources)
    layer = fastrnn.LSTM(3, 4, bidirectional=True, dtype=np.float64)
    layer.load_state_dict(model.params["encoder"]["rnn"])
    for source, vector in zip(sources, vectors, strict=True):
        _, (h, _) = layer(model.params["encoder"]["embedding"]["weight"][source])
        assert_close("vector", vector, np.concatenate(h), 1e-12)
        assert_same_bits("vector", model.encode(source), vector)
    assert model.encode([[], sources[0]])[0].tolist() == [0.0] * 8


def words() -> tuple[Vocabulary, Vocabulary]:
    return (
        Vocabulary.from_texts(["abc"], level="character"),
        Vocabulary.from_texts(["one two three"], level="word"),
    )


def test_texts_in_and_out_and_in_the_file(tmp_path: Any) -> None:
    letters, numbers = words()
    model = Seq2Seq("gru", letters, numbers, 12, attention="dot", rng=np.random.default_rng(0))
    sources = ["a", "b", "c", "ab", "cb"]
    targets = ["one", "two", "three", "one two", "three two"]
    data = model.pairs(sources, targets, 5)
    model.fit(data, Adam(lr=0.02), epochs=150, progress=False)
    model.save(tmp_path / "model")
    back = models.load(tmp_path / "model")
    assert isinstance(back, Seq2Seq)
    assert (back.source_vocabulary, back.target_vocabulary) == (letters, numbers)
    for found in (model.translate(sources), back.translate(sources)):
        assert [h.text for h in found] == targets
    assert back.reply("cb") == "three two"
    assert back.reply("cb", beam_size=3, n_best=2) == "three two"
    best, second = back.translate("ab", beam_size=4, n_best=2)
    assert best.score > second.score
    with pytest.raises(fastrnn.CheckpointError, match=r"holds a Seq2Seq.*Seq2Seq\.load"):
        LanguageModel.load(tmp_path / "model")
    LanguageModel("gru", 9, 4).save(tmp_path / "other")
    with pytest.raises(fastrnn.CheckpointError, match="holds a LanguageModel"):
        Seq2Seq.load(tmp_path / "other")


def test_odd_sources_have_an_answer() -> None:
    letters, numbers = words()
    model = Seq2Seq("lstm", letters, numbers, 8, attention="additive", rng=np.random.default_rng(0))
    empty = model.translate("")
    assert (empty.text, empty.log_prob, empty.finished) == ("", 0.0, True)
    assert [h.text for h in model.translate(["", "a", ""])][::2] == ["", ""]
    assert model.translate([]) == []
    unknown, long = model.translate(["?a!", "abc" * 200], max_length=5)
    assert isinstance(unknown.text, str)
    assert len(long.tokens) <= 5
    wide = model.translate("ab", beam_size=100, n_best=100, max_length=2)
    assert len(wide) == 1 + 3 + 9
    for h in model.translate(["abc"] * 9, rng=np.random.default_rng(0), max_length=9):
        assert "\ufffd" not in h.text


def test_bad_arguments(rng: Any) -> None:
    letters, numbers = words()
    model = Seq2Seq("lstm", letters, numbers, 4)
    for match, call in {
        "source must lie in 0..6, got 7": lambda: model.translate([4, 7]),
        r"source must have shape \(m,\)": lambda: model.translate([np.zeros((2, 2), int)]),
        "do not go with drawing": lambda: model.translate("a", beam_size=2, top_k=2),
        "constraint must be one function, or N = 2": lambda: model.translate(
            ["a", "b"], constraint=[len]
        ),
        "batch_size must be at least 1": lambda: model.translate(["a"], batch_size=0),
        "max_length must be in 1": lambda: model.translate("a", max_length=0),
        "as many targets as sources, got 1 and 2": lambda: model.pairs(["a", "b"], ["one"], 2),
        r"targets must have shape \(T, N\) with N = 3": lambda: model.loss(
            model.params, (np.ones((2, 3), int), np.ones((2, 2), int))
        ),
        "targets must lie in 0..6, got 9": lambda: model.loss(
            model.params, (np.ones((2, 1), int), [[4], [9]])
        ),
        "got 5 elements": lambda: model.loss(model.params, (1, 2, 3, 4, 5)),
        "at least one target symbol": lambda: model.evaluate([]),
        "cell must be one of": lambda: Seq2Seq("elman", 9, 9, 4, attention="dot"),
        "attention must be one of": lambda: Seq2Seq("gru", 9, 9, 4, attention="hard"),
        "query and input_feed need attention": lambda: Seq2Seq("gru", 9, 9, 4, query="current"),
        "query must be one of": lambda: Seq2Seq("gru", 9, 9, 4, attention="dot", query="next"),
        "peephole is no option of a model with attention": lambda: Seq2Seq(
            "lstm", 9, 9, 4, attention="dot", peephole=True
        ),
        "tied needs embedding_size to be": lambda: Seq2Seq(
            "gru", 9, 9, 4, embedding_size=5, tied=True
        ),
        "target_vocab must exceed the 4 specials, got 4": lambda: Seq2Seq("gru", 9, 4, 4),
        "proj_size is no option of a model with a decoder": lambda: Seq2Seq(
            "lstm", 9, 9, 4, proj_size=2
        ),
        "label_smoothing must lie in 0..1": lambda: Seq2Seq("gru", 9, 9, 4, label_smoothing=2),
    }.items():
        with pytest.raises(ValueError, match=match):
            call()
    for match, call in {
        "source must hold symbols: the model was made without a Vocabulary for it": lambda: Seq2Seq(
            "gru", 9, 9, 4
        ).translate("a"),
        "without a Vocabulary of its answers": lambda: Seq2Seq("gru", letters, 9, 4).reply("a"),
        "text must be a str": lambda: model.reply([4]),
        "source must hold integers": lambda: model.translate([[0.5]]),
        "batch must be": lambda: model.loss(model.params, 3),
        "sources must be a text.*got None": lambda: model.translate(None),
        "sources must be a text.*got b'ab'": lambda: model.encode(b"ab"),
    }.items():
        with pytest.raises(TypeError, match=match):
            call()


def test_embedded_symbols_are_dropped_while_learning_alone(rng: Any) -> None:
    """Every feature of the embeddings dropped: nothing of the symbols is seen, and no other way."""
    for name in PAIRS:
        if name == "s2s-rnn-tied" or PAIRS[name][2].get("tied"):
            continue  # there the output layer's weight is the embedding, which is not dropped
        model, other = make(name, embedding_dropout=1.0), make(name, embedding_dropout=1.0)
        batch = batch_for(model, rng)
        for side in ("encoder", "decoder"):
            other.params[side]["embedding"]["weight"][...] = 0
        found = model.loss(model.params, batch, np.random.default_rng(0))
        expected = other.loss(other.params, batch)
        np.testing.assert_allclose(found, expected, rtol=1e-12, err_msg=name)
        assert model.loss(model.params, batch) != expected, name
        assert make(name).loss(model.params, batch) == model.loss(model.params, batch), name
    with pytest.raises(ValueError, match=r"embedding_dropout must lie in 0\.\.1, got 2"):
        make("s2s-lstm", embedding_dropout=2)


def test_sizes_that_do_not_go_together() -> None:
    with pytest.raises(ValueError, match="needs decoder_size to be hidden_size = 4, got 5"):
        Seq2Seq("gru", V, V, 4, attention="dot", decoder_size=5)
    with pytest.raises(ValueError, match="decoder_layers must be at least 1, got 0"):
        Seq2Seq("gru", V, V, 4, decoder_layers=0)
    sizes = {
        name: array.shape for name, array in flat(make("s2s-sizes").params).items()
    }
    assert sizes["encoder.bridge.weight_c_l1"] == (5, 8)
    assert sizes["decoder.attention.weight_hh"] == (20, 5)
    assert sizes["decoder.rnn.weight_ih_l0"] == (20, 5)
