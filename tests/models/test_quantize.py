"""Why: a quantised model must do all that infers nearly as before, be the same in its file, and say
clearly what it is not for.
"""

import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers import zoo

pytest.importorskip("autograd")
pytest.importorskip("safetensors")

import fastrnn
from fastrnn import models
from fastrnn._frozen import FrozenWeights
from fastrnn._quantize import Matrix
from fastrnn.data import Vocabulary
from fastrnn.train import Adam, Trainer

PRECISIONS = ("int8", "bfloat16")
# Of probabilities and of nats a symbol, between a model of a few units and the quantised one.
NEAR = {"int8": 0.03, "bfloat16": 0.01}


def rng(seed: int = 1) -> np.random.Generator:
    return np.random.default_rng(seed)


def figures(model: Any) -> list[Any]:
    """What a model gives for its own kind of data, as near for near models."""
    if isinstance(model, (models.HRED, models.VHRED)):
        batch = zoo.token_batch(model, rng())
        more = {"rng": rng()} if isinstance(model, models.VHRED) else {}
        return [model.evaluate([batch], **more)["perplexity"] / 10]
    if isinstance(model, models.SequenceVAE):
        x, lengths, _ = zoo.token_batch(model, rng())
        measured = model.evaluate([(x, lengths)], rng=rng())["loss"]
        return [*model.encode((x, lengths)), measured]
    batch = zoo.batch_for(model, rng(), lengths=zoo.LENGTHS)
    if isinstance(model, (models.SequenceClassifier, models.SequenceTagger)):
        return [model.predict_proba(batch[0], batch[2])]
    if isinstance(model, models.SequenceRegressor):
        return [model.predict(batch[0], batch[2])]
    return [model.evaluate([batch])["loss"]]


def generated(model: Any) -> list[Any]:
    """What a model generates, which may differ between near models, but not between equal ones."""
    if isinstance(model, models.LanguageModel):
        return [model.generate([1, 2, 3], 9, rng=rng())]
    if isinstance(model, (models.HRED, models.VHRED)):
        conversation = model.conversation()
        conversation.hear([4, 5])
        answer = conversation.reply(max_length=4, rng=rng())
        return [model.reply([[4, 5], [6]], max_length=6, rng=rng()), answer]
    if isinstance(model, models.SequenceVAE):
        return [model.sample(3, max_length=5, rng=rng())]
    if isinstance(model, models.Seq2Seq):
        found = model.translate(rng().integers(4, zoo.V, (5, 2)), beam_size=2, max_length=6)
        return [best.tokens for best in found]
    return []


def equal(one: list[Any], other: list[Any]) -> bool:
    """Arrays, numbers, and lists of arrays of integers."""
    return all(
        [*map(list, a)] == [*map(list, b)] if isinstance(a, list) else np.array_equal(a, b)
        for a, b in zip(one, other, strict=True)
    )


@pytest.mark.parametrize("precision", PRECISIONS)
@pytest.mark.parametrize("name", zoo.EVERY)
def test_every_model_infers_nearly_as_before(name: str, precision: str, tmp_path: Path) -> None:
    model = zoo.make(name, dtype=np.float32)
    wanted = figures(model)
    q = model.quantize(precision)
    found = figures(q)
    for a, b in zip(found, wanted, strict=True):
        assert np.abs(a - b).max() < NEAR[precision], name
    assert equal(figures(model), wanted)
    with fastrnn.use_backend("reference"):
        for a, b in zip(figures(q), wanted, strict=True):
            assert np.abs(a - b).max() < NEAR[precision], name
    assert q.quantized == precision
    assert q.nbytes < model.nbytes
    path = tmp_path / "q.safetensors"
    q.save(path)
    for other in (models.load(path), type(q).load(path), pickle.loads(pickle.dumps(q))):
        assert repr(other) == repr(q)
        assert other.nbytes == q.nbytes
        assert equal(figures(other), found)
        assert equal(generated(other), generated(q))
    assert f"quantized={precision!r}" in repr(q)
    assert precision in q.summary()


def leaves(params: Any, prefix: str = "") -> dict[str, Any]:
    """The places of recurrent layers, tables and output layers that have fewer bits."""
    found = {}
    for name, entry in params.items():
        if isinstance(entry, (FrozenWeights, Matrix)):
            found[prefix + name] = entry
        elif isinstance(entry, dict):
            found |= leaves(entry, f"{prefix}{name}.")
    return found


def attending(place: str, *more: str) -> list[str]:
    """The places of the matrices of a layer that attends."""
    return [f"{place}.weight_{name}" for name in ("ih", "hh", *more)]


@pytest.mark.parametrize(
    ("name", "places"),
    [
        ("classifier-mean-bi", {"rnn", "out.weight"}),
        ("lm-lstm", {"rnn", "embedding.weight", "out.weight"}),
        ("lm-gru-tied", {"rnn", "embedding.weight"}),
        ("s2s-lstm", {"encoder.rnn", "encoder.embedding.weight", "decoder.rnn",
                      "decoder.embedding.weight", "out.weight"}),
        ("s2s-rnn-tied", {"encoder.rnn", "encoder.embedding.weight", "decoder.rnn",
                          "decoder.embedding.weight"}),
        ("s2s-additive", {"encoder.rnn", "encoder.embedding.weight", "decoder.embedding.weight",
                          "out.weight", *attending("decoder.attention", "query", "key", "output")}),
        ("s2s-sizes", {"encoder.rnn", "encoder.embedding.weight", "decoder.rnn",
                       "decoder.embedding.weight", "out.weight",
                       *attending("decoder.attention", "general", "output")}),
        ("hred-rnn-gated", {"embedding.weight", "encoder", "context", "decoder.rnn",
                            "decoder.out.weight"}),
        ("hred-gru-attention", {"embedding.weight", "encoder", "context", "decoder.out.weight",
                                *attending("decoder.rnn", "query", "key")}),
        ("svae-gru", {"embedding.weight", "encoder", "decoder.rnn", "decoder.out.weight"}),
    ],
)  # fmt: skip
def test_what_is_quantised(name: str, places: set[str]) -> None:
    model = zoo.make(name, dtype=np.float32)
    assert set(leaves(model.quantize("int8").params)) == places
    assert not leaves(model.params)


def test_it_is_frozen() -> None:
    model = zoo.make("classifier-last", dtype=np.float32)
    q = model.quantize("int8")
    found = figures(q)
    for array in zoo.flat(model.params).values():
        array[...] = 0
    assert equal(figures(q), found)


@pytest.mark.parametrize("precision", PRECISIONS)
def test_streams(precision: str) -> None:
    model = models.SequenceTagger("lstm", 3, 16, input_size=5, rng=rng())
    q = model.quantize(precision)
    x = rng().standard_normal((6, 2, 5), dtype=np.float32)
    stream = q.stream(batch_size=2)
    steps = np.stack([stream.step(x_t) for x_t in x])
    assert np.array_equal(steps, q.predict_proba(x))
    assert np.abs(steps - model.predict_proba(x)).max() < NEAR[precision]
    symbols = models.SequenceClassifier("gru", 3, 16, vocab=9, rng=rng()).quantize(precision)
    stream = symbols.stream()
    for symbol in (1, 5, 2):
        last = stream.step([symbol])
    assert np.allclose(last, symbols.predict_proba(np.array([[1], [5], [2]])), atol=1e-6)


@pytest.mark.parametrize("precision", PRECISIONS)
def test_forecasts(precision: str, tmp_path: Path) -> None:
    model = models.Forecaster("gru", 8, context_length=6, rng=rng())
    series = [rng().standard_normal(40).cumsum(), rng(2).standard_normal(30).cumsum()]
    model.fit(series, updates=2, progress=False, rng=rng())
    q = model.quantize(precision)
    wanted, found = (m.backtest(series, 4, rng=rng()) for m in (model, q))
    assert wanted.keys() == found.keys()
    assert all(abs(found[k] - wanted[k]) < 0.1 * abs(wanted[k]) for k in wanted)
    q.save(tmp_path / "q.safetensors")
    loaded = models.load(tmp_path / "q.safetensors")
    one, other = (m.predict(3, series=series, rng=rng()) for m in (q, loaded))
    assert all(np.array_equal(a.samples, b.samples) for a, b in zip(one, other, strict=True))


def test_texts_and_labels_stay_in_the_file(tmp_path: Path) -> None:
    words = Vocabulary.from_texts(["the cat sat", "a dog"])
    model = models.SequenceClassifier("gru", ["no", "yes"], 8, vocab=words, rng=rng())
    q = model.quantize("int8")
    q.save(tmp_path / "q.safetensors")
    loaded = models.load(tmp_path / "q.safetensors")
    texts = ["the dog", "a cat sat"]
    assert list(loaded.predict(texts)) == list(q.predict(texts))


def test_a_file_is_smaller(tmp_path: Path) -> None:
    model = models.LanguageModel("lstm", 500, 256, tied=True, rng=rng())
    model.save(tmp_path / "f.safetensors")
    sizes = [(tmp_path / "f.safetensors").stat().st_size]
    for precision in PRECISIONS:
        path = tmp_path / f"{precision}.safetensors"
        model.quantize(precision).save(path)
        sizes.append(path.stat().st_size)
    assert sizes[0] / sizes[1] > 3.5
    assert sizes[0] / sizes[2] > 1.9


@pytest.mark.parametrize(
    ("precision", "options"),
    [
        ("int8", {"peephole": True}),
        ("int8", {"proj_size": 3, "peephole": "full"}),
        ("bfloat16", {"peephole": True}),
        ("bfloat16", {"proj_size": 3, "peephole": "full", "layer_norm": True}),
    ],
)
def test_files_keep_what_a_layer_keeps_in_float32(
    precision: str, options: dict[str, Any], tmp_path: Path
) -> None:
    """Peepholes, gains and projections are of two axes, too, but not matrices of fewer bits."""
    model = models.LanguageModel("lstm", 9, 5, **options, rng=rng())
    q = model.quantize(precision)
    q.save(tmp_path / "q.safetensors")
    loaded = models.load(tmp_path / "q.safetensors")
    assert equal(figures(loaded), figures(q))
    assert loaded.nbytes == q.nbytes


def test_what_is_for_training(tmp_path: Path) -> None:
    model = zoo.make("lm-lstm", dtype=np.float32)
    q = model.quantize("int8")
    batch = zoo.batch_for(model, rng(), lengths=zoo.LENGTHS)
    for name, use in (
        ("fit", lambda: q.fit([batch], updates=1)),
        ("model", lambda: Trainer(q, Adam())),
        ("loss", lambda: q.loss(q.params, batch)),
        ("loss_with_state", lambda: q.loss_with_state(q.params, batch)),
    ):
        with pytest.raises(TypeError, match=f"{name}: quantised weights are for inference only"):
            use()
    with pytest.raises(TypeError, match="to_onnx: write the model that this quantised one was"):
        q.to_onnx(tmp_path / "a.onnx", state=True)
    assert model.loss(model.params, batch) > 0  # the other one still learns


def test_models_that_cannot_be_quantised() -> None:
    vectors = models.Word2Vec([["a", "b"]] * 5, vector_size=2, min_count=1, epochs=1)
    for model in (
        models.AutoEncoder(3, 2, rng=rng()), models.VAE(3, 2, rng=rng()), vectors
    ):
        words = f"{type(model).__name__} has no recurrent layer"
        with pytest.raises(TypeError, match=words):
            model.quantize("int8")
    model = zoo.make("tagger", dtype=np.float32)
    with pytest.raises(ValueError, match="precision must be one of"):
        model.quantize("int4")
    with pytest.raises(ValueError, match="is quantised already"):
        model.quantize("int8").quantize("int8")
    with pytest.raises(TypeError, match="must be float32"):
        zoo.make("tagger").quantize("int8")
    model.params["rnn"]["weight_hh_l0"][0, 0] = np.nan
    with pytest.raises(ValueError, match=r"^rnn\.weight_hh_l0 holds NaN or Inf"):
        model.quantize("bfloat16")
    model = zoo.make("tagger", dtype=np.float32)
    model.params["out"]["bias"][0] = np.nan
    with pytest.raises(ValueError, match=r"^out\.bias holds NaN or Inf"):
        model.quantize("int8")


def test_files_of_others(tmp_path: Path) -> None:
    path, other = tmp_path / "q.safetensors", tmp_path / "other.safetensors"
    zoo.make("lm-lstm", dtype=np.float32).quantize("int8").save(path)
    found = fastrnn.io.load_checkpoint(path)

    def refused(words: str, tensors: Any = (), **state: Any) -> None:
        fastrnn.io.save_checkpoint(other, found.tensors | dict(tensors), found.state | state)
        with pytest.raises(fastrnn.CheckpointError, match=words):
            models.load(other)

    refused("of version 9, not 1", quantized={"precision": "int8", "version": 9})
    refused("precision must be one of", quantized={"precision": "int5", "version": 1})
    refused("it lacks", quantized={"precision": "bfloat16", "version": 1})
    refused(r"it has \['more'\] too many", {"more": np.ones(3, np.float32)})
    refused("embedding.weight must be int8", {"embedding.weight": np.ones((2, 2), np.int8)})
    bad = np.full_like(found.tensors["embedding.weight.scale"], np.inf)
    refused("embedding.weight.scale must be finite", {"embedding.weight.scale": bad})
