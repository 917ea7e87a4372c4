"""What is kept of each release: files of every kind that it wrote, and what is asked of them.

An entry has a `make`, which wrote its files below a folder, and an `ask`, which reads them and
answers as a user would. tests/golden/write.py runs both once, at a release; the test runs `ask` for
ever. So `ask` may follow the interface, but not what it asks. Weights come from seeds; whatever is
drawn or decided is in float64, where rounding does not change it.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

import fastrnn
from fastrnn import io, models
from fastrnn.data import BPE, EOS, TokenFile, Vocabulary, WordVectors, pack_dialogues
from fastrnn.train import Adam, Trainer, load_latest

TEXT = ["the cat sat on the mat", "the dog sat on the log", "a cat and a dog", "naïve straße 猫"]
T, N, I = 5, 3, 4


@dataclass(frozen=True)
class Entry:
    """How the files of one kind were written, and what is asked of them."""

    make: Callable[[Path], None]
    ask: Callable[[Path], dict[str, Any]]


def seeded(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def vectors(dtype: type = np.float64) -> np.ndarray:
    return seeded(1).standard_normal((T, N, I)).astype(dtype)


def words(level: str = "word", texts: list[str] = TEXT) -> Vocabulary:
    return Vocabulary.from_texts(texts, level=level)


LENGTHS = np.array([5, 0, 3])


def weights(params: dict[str, Any], prefix: str = "") -> dict[str, list[Any]]:
    """Dtype, shape and sum of magnitudes of each array of a nested dict."""
    found: dict[str, list[Any]] = {}
    for name, entry in params.items():
        if isinstance(entry, dict):
            found |= weights(entry, f"{prefix}{name}.")
        else:
            total = float(np.abs(entry).sum(dtype=np.float64))
            found[prefix + name] = [entry.dtype.name, list(entry.shape), total]
    return found


def model(maker: Callable[[], Any], ask: Callable[[Any], dict[str, Any]]) -> Entry:
    """A model in its file, loaded by `models.load`; its weights are asked for as well."""

    def asked(folder: Path) -> dict[str, Any]:
        found = models.load(folder / "model.safetensors")
        return {"class": type(found).__name__, "weights": weights(found.params), **ask(found)}

    return Entry(lambda folder: maker().save(folder / "model.safetensors"), asked)


def classifier() -> Any:
    return models.SequenceClassifier(
        "lstm", 3, 4, input_size=I, bidirectional=True, pooling="mean", dtype=np.float32,
        rng=seeded(),
    )  # fmt: skip


def regressor() -> Any:
    return models.SequenceRegressor(
        "gru", 2, 4, input_size=I, each_step=True, target_center=[1.0, -2.0], target_scale=3.0,
        input_scale=2.0, dtype=np.float32, rng=seeded(),
    )  # fmt: skip


def forecaster() -> Any:
    return models.Forecaster(
        "gru", 4, lags=(1, 3), context_length=6, likelihood="quantile", levels=[0.5],
        dtype=np.float64, rng=seeded(),
    )  # fmt: skip


def tagger() -> Any:
    return models.SequenceTagger(
        "gru", 3, 4, vocab=words(), embedding_size=3, num_layers=2, dtype=np.float64, rng=seeded()
    )


def language_model() -> Any:
    return models.LanguageModel(
        "lstm", words("character"), 5, tied=False, dtype=np.float64, rng=seeded()
    )


def translator(attention: str | None) -> Any:
    return models.Seq2Seq(
        "gru", words(texts=TEXT[:2]), words("character", TEXT[2:]), 5, embedding_size=3,
        attention=attention, dtype=np.float64, rng=seeded(),
    )  # fmt: skip


def translated(found: Any, **options: Any) -> list[Any]:
    said = found.translate(TEXT[:2], max_length=9, **options)
    return [[h.text, h.tokens, h.log_prob, h.finished] for h in said]


def peephole_tagger() -> Any:
    return models.SequenceTagger(
        "lstm", 3, [4, 3], input_size=I, peephole=True, dtype=np.float64, rng=seeded()
    )


def dialogue(cls: Any, *sizes: int) -> Any:
    return cls("gru", words(), 4, *sizes, context_size=3, dtype=np.float64, rng=seeded())


def talked(found: Any) -> dict[str, Any]:
    turns = [[np.array([4, 5, 6]), np.array([7]), np.array([5, 8])]]
    batch = pack_dialogues(turns)
    return {
        "reply": found.reply([TEXT[0], TEXT[1]], max_length=8),
        "loss": found.loss(found.params, batch, seeded()),
    }


def sentence_batch() -> Any:
    return seeded(2).integers(4, 9, (4, 3)), np.array([4, 2, 0])


def word2vec(**options: Any) -> Any:
    sentences = [text.split() for text in TEXT] * 4
    return models.Word2Vec(
        sentences, vector_size=6, min_count=1, seed=3, epochs=2, deterministic=True, **options
    )


def neighbours(found: Any) -> dict[str, Any]:
    return {
        "words": found.wv.index_to_key,
        "counts": found.wv.counts,
        "cat": found.wv["cat"],
        "near": [score for _, score in found.wv.most_similar("cat", topn=3)],
        "losses": found.losses,
    }


def file_of_checkpoint(folder: Path) -> None:
    kinds = ["<f4", "<f8", "<f2", "<i8", "<i4", "<u2", "|u1", "|i1", "|b1"]
    arrays = {kind: seeded(3).integers(0, 2, (2, 3)).astype(kind) for kind in kinds}
    arrays |= {"no axis": np.array(1.5), "empty": np.zeros((0, 4), np.float32)}
    state = {"step": 3, "names": ["a", "ü", "猫"], "nested": {"x": [1, 2.5, None, True]}}
    io.save_checkpoint(folder / "state.safetensors", arrays, state)
    io.save(folder / "arrays.safetensors", {"w": seeded(4).standard_normal((2, 2))})


def checkpoint_again(folder: Path) -> dict[str, Any]:
    found = io.load_checkpoint(folder / "state.safetensors")
    arrays = {name: [a.dtype.name, a.tolist()] for name, a in sorted(found.tensors.items())}
    return {
        "arrays": arrays,
        "state": found.state,
        "w": io.load(folder / "arrays.safetensors")["w"],
    }


def files_of_words(folder: Path) -> None:
    words().save(folder / "words.json")
    words("character").save(folder / "chars.json")
    BPE.from_texts(TEXT * 3, max_size=270).save(folder / "pieces.json")


def words_again(folder: Path) -> dict[str, Any]:
    found = {
        name: Vocabulary.load(folder / f"{name}.json") for name in ("words", "chars", "pieces")
    }
    return {
        name: [len(v), v.sha256, [v.encode(text).tolist() for text in TEXT], v.decode([4, 5, 6])]
        for name, v in found.items()
    }


def file_of_tokens(folder: Path) -> None:
    TokenFile.write(folder / "small.bin", [words().encode(t) for t in TEXT], vocabulary=words())
    TokenFile.write(folder / "large.bin", [[70000, 1], [], [2]], vocab_size=70001)


def tokens_again(folder: Path) -> dict[str, Any]:
    found = {}
    for name in ("small", "large"):
        with TokenFile(folder / f"{name}.bin") as tokens:
            tokens.verify()
            found[name] = [
                tokens.vocab_size, tokens.sequences, tokens[:].tolist(), tokens.lengths().tolist(),
                tokens.sequence(0).tolist(), tokens.vocabulary_sha256,
            ]  # fmt: skip
    return found


def files_of_vectors(folder: Path) -> None:
    numbers = seeded(5).standard_normal((4, 3)).astype(np.float32)
    wv = WordVectors(["king", "queen", "straße", "猫"], numbers)
    wv.save_word2vec_format(folder / "vectors.txt")
    wv.save_word2vec_format(folder / "vectors.bin", binary=True)


def vectors_again(folder: Path) -> dict[str, Any]:
    found = {}
    for name in ("vectors.txt", "vectors.bin"):
        wv = WordVectors.load_word2vec_format(folder / name, binary=name.endswith("bin"))
        found[name] = [
            wv.index_to_key,
            wv.vectors.tolist(),
            wv.doesnt_match(["king", "queen", "猫"]),
        ]
    return found


def training(folder: Path) -> tuple[Trainer, Any, list[Any]]:
    """A small language model half-way through its training."""
    learner = models.LanguageModel("gru", 9, 4, dropout=0.2, dtype=np.float64, rng=seeded())
    stream = seeded(6).integers(0, 9, (8, 4, 3))
    batches = [(x[:-1], x[1:]) for x in stream]
    trainer = Trainer(
        learner, Adam(lr=0.01), max_norm=1.0, rng=seeded(7), checkpoint=folder / "run",
        save_every=5, metrics=folder / "run" / "metrics.jsonl", log_every=2, progress=False,
    )  # fmt: skip
    return trainer, learner, batches


def run_of_training(folder: Path) -> None:
    trainer, _, batches = training(folder)
    trainer.fit(batches, updates=11)


def training_again(folder: Path) -> dict[str, Any]:
    """What the newest checkpoint holds, and what becomes of it in nine more updates."""
    kept = load_latest(folder / "run")
    trainer, learner, batches = training(folder)
    history = trainer.fit(batches, updates=20, resume=True)
    return {
        "update": kept.state["run"]["update"],
        "kept": sorted(kept.tensors),
        "losses": history.column("loss"),
        "weights": weights(learner.params),
    }


def file_of_layer(folder: Path) -> None:
    layer = fastrnn.LSTM(I, 3, 2, bidirectional=True, dtype=np.float32, rng=seeded())
    io.save(folder / "layer.safetensors", layer.state_dict())


def layer_again(folder: Path) -> dict[str, Any]:
    layer = fastrnn.LSTM(I, 3, 2, bidirectional=True, dtype=np.float32, rng=seeded(9))
    layer.load_state_dict(io.load(folder / "layer.safetensors"))
    y, (h_n, c_n) = layer(vectors(np.float32), lengths=LENGTHS)
    return {"y": y, "h_n": h_n, "c_n": c_n}


def layer_file_again(folder: Path) -> dict[str, Any]:
    layer = fastrnn.LSTM.load(folder / "lstm.safetensors")
    y, (h_n, c_n) = layer(vectors(np.float32), lengths=LENGTHS)
    options = [layer.num_layers, layer.bidirectional, layer.peephole, list(layer.zoneout)]
    return {"options": options, "y": y, "h_n": h_n, "c_n": c_n}


def files_of_quantised(folder: Path) -> None:
    layer = fastrnn.LSTM(I, 8, 2, bidirectional=True, peephole=True, rng=seeded())
    learner = models.LanguageModel("gru", words("character"), 6, embedding_size=4, rng=seeded())
    for precision in ("int8", "bfloat16"):
        layer.quantize(precision).save(folder / f"layer-{precision}.safetensors")
        learner.quantize(precision).save(folder / f"model-{precision}.safetensors")


def quantised_again(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for precision in ("int8", "bfloat16"):
        layer = fastrnn.LSTM.load(folder / f"layer-{precision}.safetensors")
        y, (h_n, c_n) = layer(vectors(np.float32), lengths=LENGTHS)
        learner: Any = models.load(folder / f"model-{precision}.safetensors")
        nats = learner.evaluate([(np.array([[4], [5]]), np.array([[5], [6]]))])["loss"]
        found[precision] = {
            "quantized": [layer.quantized, learner.quantized], "nbytes": layer.nbytes,
            "y": y, "h_n": h_n, "c_n": c_n, "nats": nats,
        }  # fmt: skip
    return found


ENTRIES = {
    "checkpoint": Entry(file_of_checkpoint, checkpoint_again),
    "vocabulary": Entry(files_of_words, words_again),
    "token-file": Entry(file_of_tokens, tokens_again),
    "word-vectors": Entry(files_of_vectors, vectors_again),
    "layer": Entry(file_of_layer, layer_again),
    "layer-file": Entry(
        lambda folder: fastrnn.LSTM(
            I, 3, 2, bidirectional=True, peephole=True, zoneout=(0.1, 0.0), rng=seeded()
        ).save(folder / "lstm.safetensors"),
        layer_file_again,
    ),
    "quantised": Entry(files_of_quantised, quantised_again),
    "training": Entry(run_of_training, training_again),
    "classifier": model(
        classifier,
        lambda m: {"proba": m.predict_proba(vectors(np.float32), LENGTHS)},
    ),
    "forecaster": model(
        forecaster,
        lambda m: {"samples": m.predict(3, 2, series=np.arange(9.0) % 4).samples},
    ),
    "regressor": model(
        regressor,
        lambda m: {"said": m.predict(vectors(np.float32), LENGTHS)},
    ),
    "tagger": model(
        tagger,
        lambda m: {"proba": m.predict_proba(np.array([[4, 5], [6, 7]]))},
    ),
    "tagger-peephole": model(
        peephole_tagger,
        lambda m: {"labels": m.predict(vectors()), "proba": m.predict_proba(vectors(), LENGTHS)},
    ),
    "language-model": model(
        language_model,
        lambda m: {
            "text": m.generate("the ", 12, rng=seeded(8)),
            "nats": m.loss(m.params, (np.array([[4], [5]]), np.array([[5], [6]]))),
        },
    ),
    "seq2seq": model(
        lambda: translator(None),
        lambda m: {"said": translated(m)},
    ),
    "seq2seq-attention": model(
        lambda: translator("additive"),
        lambda m: {
            "said": translated(m, beam_size=3),
            "loss": m.loss(m.params, (np.array([[4], [5]]), np.array([[6], [EOS]]))),
        },
    ),
    "seq2seq-sizes": model(
        lambda: models.Seq2Seq(
            "rnn", words(texts=TEXT[:2]), words("character", TEXT[2:]), 5, embedding_size=3,
            attention="general", decoder_size=4, decoder_layers=2, embedding_dropout=0.2,
            dtype=np.float64, rng=seeded(),
        ),
        lambda m: {"said": translated(m)},
    ),
    "hred": model(lambda: dialogue(models.HRED), talked),
    "vhred": model(
        lambda: dialogue(models.VHRED, 2),
        lambda m: {"reply": m.reply([TEXT[0]], max_length=6, z=np.zeros(2))},
    ),
    "autoencoder": model(
        lambda: models.AutoEncoder(I, 2, hidden_sizes=(3,), dtype=np.float64, rng=seeded()),
        lambda m: {"z": m.encode(vectors()[0]), "x": m.reconstruct(vectors()[0])},
    ),
    "vae": model(
        lambda: models.VAE(
            I, 2, hidden_sizes=(3,), likelihood="gaussian", dtype=np.float64, rng=seeded()
        ),
        lambda m: {"z": m.encode(vectors()[0]), "x": m.decode(np.ones((1, 2)))},
    ),
    "sequence-vae": model(
        lambda: models.SequenceVAE("gru", 9, 4, 2, dtype=np.float64, rng=seeded()),
        lambda m: {
            "z": m.encode(sentence_batch()),
            "said": m.decode(np.ones((2, 2)), max_length=5),
        },
    ),
    "word2vec": model(word2vec, neighbours),
    "word2vec-hs": model(lambda: word2vec(hs=1, negative=0, sg=1), neighbours),
}
