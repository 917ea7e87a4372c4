"""One good call of every public function, class and method that takes what a user made.

Each row makes its arguments anew, since calls may change them. tests/test_any_argument.py puts
something wrong into every argument of every row; a public callable without a row is missed there.
"""

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

import fastrnn
from fastrnn import data, decode, io, metrics, models, ops, testing, train
from fastrnn.distributed import ThreadComm

Made = tuple[Callable[..., Any], dict[str, Any]]  # what is called, and with what

T, N, I, H, V = 5, 3, 4, 6, 7
FOLDER = Path(tempfile.mkdtemp(prefix="fastrnn-calls-"))
TEXTS = ["the cat sat", "on the mat", "the end"]


def rng() -> np.random.Generator:
    """The same numbers in every call."""
    return np.random.default_rng(3)


def real(*shape: int) -> np.ndarray:
    """Random float32 of some shape."""
    return rng().standard_normal(shape).astype(np.float32)


def ids(*shape: int, high: int = V) -> np.ndarray:
    """Random indices below `high`."""
    return rng().integers(0, high, shape)


def weights(G: int) -> dict[str, np.ndarray]:
    """What all functions of one layer take."""
    return {
        "w_ih": real(G * H, I),
        "w_hh": real(G * H, H),
        "b_ih": real(G * H),
        "b_hh": real(G * H),
    }


def sequence(G: int) -> dict[str, Any]:
    """A call of a layer's function."""
    more = {"lengths": ids(N, high=T), "reverse": True, "batch_first": False, "num_threads": 1}
    return {"x": real(T, N, I), **weights(G), "h0": real(N, H), "clip": 3.0, **more}


def layer(kind: str = "LSTM", **options: Any) -> Any:
    """A small layer."""
    return getattr(fastrnn, kind)(I, H, 2, rng=rng(), **options)


def language_model() -> Any:
    """A small language model that knows words."""
    words = data.Vocabulary.from_texts(TEXTS, level="word")
    return models.LanguageModel("gru", words, 5, rng=rng())


def translator() -> Any:
    """A small translator."""
    return models.Seq2Seq("gru", V, V, 4, attention="dot", rng=rng())


def vectors() -> Any:
    """A few word vectors."""
    return data.WordVectors(["a", "b", "c", "d"], real(4, 3))


def word2vec() -> Any:
    """A vocabulary, and vectors that nobody has trained."""
    made = models.Word2Vec(vector_size=4, min_count=1, workers=1)
    made.build_vocab([["a", "b", "c"], ["b", "c"]])
    return made


def scores(state: Any, parents: Any, tokens: Any) -> tuple[np.ndarray, Any]:
    """One step of a search: the same scores for every row."""
    return np.tile(np.log(np.full(V, 1 / V)), (len(tokens), 1)), state


def decoder() -> dict[str, Any]:
    """A decoder with attention."""
    shapes = {
        "weight_ih": (3 * H, I + 2), "weight_hh": (3 * H, H), "weight_query": (4, H),
        "weight_key": (4, 2), "vector": (4,),
    }  # fmt: skip
    return {
        "x": real(T, N, I), "memory": real(4, N, 2), "memory_lengths": ids(N, high=4),
        "params": {name: real(*shape) for name, shape in shapes.items()}, "cell": "gru",
        "score": "additive", "query": "previous", "input_feed": True, "lengths": ids(N, high=T),
        "state": (real(N, H),), "num_threads": 1,
    }  # fmt: skip


def onnx_file() -> Path:
    """A file of another format."""
    path = FOLDER / "layer.onnx"
    layer("GRU").to_onnx(path)
    return path


def checkpoint() -> Path:
    """A file that loads."""
    path = FOLDER / "a.safetensors"
    io.save_checkpoint(path, {"w": real(3)}, {"k": 1})
    return path


def run_folder() -> Path:
    """The folder of a training."""
    folder = FOLDER / "old"
    train.Checkpoints(folder).save(3, {"w": real(3)}, {"run": {"update": 3}})
    return folder


def saved_model() -> Path:
    """The file of a model."""
    path = FOLDER / "model.safetensors"
    language_model().save(path)
    return path


def saved_layer() -> Path:
    """The file of a layer."""
    path = FOLDER / "gru.safetensors"
    layer("GRU").save(path)
    return path


def token_file() -> Path:
    """Another."""
    path = FOLDER / "tokens.bin"
    data.TokenFile.write(path, [[1, 2, 3], [4]], vocab_size=V)
    return path


def vector_file() -> Path:
    """Another."""
    path = FOLDER / "vectors.txt"
    vectors().save_word2vec_format(path)
    return path


def taped(family: str) -> dict[str, Any]:
    """A backward call."""
    G = {"rnn": 1, "gru": 3, "lstm": 4}[family]
    tape = getattr(fastrnn, f"{family}_forward")(real(T, N, I), **weights(G))[-1]
    more = {"dc_n": real(N, H)} if family == "lstm" else {}
    limits = {"truncate": 2, "clip_step": 1.0}
    return {"tape": tape, "dy": real(T, N, H), "dh_n": real(N, H), **more, **limits}


def constructor(**more: Any) -> dict[str, Any]:
    """All options that layers share."""
    return {
        "input_size": I, "hidden_size": H, "num_layers": 2, "bias": True, "batch_first": False,
        "dropout": 0.1, "recurrent_dropout": 0.1, "zoneout": 0.1, "bidirectional": True,
        "merge_mode": "sum", "layer_norm": True, "weight_drop": 0.1, "clip": 1.0,
        "dtype": np.float32, "rng": rng(), **more,
    }  # fmt: skip


def optimiser(cls: Any, **options: Any) -> Callable[[], Made]:
    """An optimiser's constructor."""
    return lambda: (cls, {"lr": 0.1, "weight_decay": 0.1, **options})


CELL = {"num_threads": 1, "clip": 2.0}
SEARCH = {"step": scores, "state": None, "N": 2, "max_length": 4}
MODEL = {"dropout": 0.1, "dtype": np.float32}

CALLS: dict[str, Callable[[], Made]] = {
    "rnn": lambda: (fastrnn.rnn, sequence(1) | {"nonlinearity": "tanh"}),
    "gru": lambda: (fastrnn.gru, sequence(3) | {"reset_after": True}),
    "lstm": lambda: (
        fastrnn.lstm,
        sequence(4) | {"c0": real(N, H), "w_peephole": real(3, H), "input_forget": False},
    ),
    "rnn_forward": lambda: (fastrnn.rnn_forward, sequence(1)),
    "gru_forward": lambda: (fastrnn.gru_forward, sequence(3)),
    "lstm_forward": lambda: (fastrnn.lstm_forward, sequence(4) | {"gates": "ifo"}),
    "rnn_backward": lambda: (fastrnn.rnn_backward, taped("rnn")),
    "gru_backward": lambda: (fastrnn.gru_backward, taped("gru")),
    "lstm_backward": lambda: (fastrnn.lstm_backward, taped("lstm")),
    "rnn_cell": lambda: (
        fastrnn.rnn_cell, {"x_t": real(N, I), "h": real(N, H), **weights(1), **CELL}
    ),
    "gru_cell": lambda: (
        fastrnn.gru_cell, {"x_t": real(N, I), "h": real(N, H), **weights(3), **CELL}
    ),
    "lstm_cell": lambda: (
        fastrnn.lstm_cell,
        {"x_t": real(N, I), "state": (real(N, H), real(N, H)), **weights(4), **CELL},
    ),
    "RNN": lambda: (fastrnn.RNN, constructor(nonlinearity="tanh")),
    "GRU": lambda: (fastrnn.GRU, constructor(reset_after=True)),
    "LSTM": lambda: (fastrnn.LSTM, constructor(peephole=False, proj_size=0)),
    "LSTM()": lambda: (layer(), {"x": real(T, N, I), "state": None, "lengths": ids(N, high=T)}),
    "LSTM.forward": lambda: (
        layer().forward, {"x": real(T, N, I), "state": None, "training": True, "rng": rng()}
    ),
    "GRU.load_state_dict": lambda: (
        layer("GRU").load_state_dict, {"state_dict": layer("GRU").state_dict(), "strict": True}
    ),
    "GRU.set_params": lambda: (layer("GRU").set_params, {"params": layer("GRU").state_dict()}),
    "GRU.stream": lambda: (layer("GRU").stream, {"batch_size": 2}),
    "GRU.save": lambda: (layer("GRU").save, {"path": FOLDER / "layer.safetensors"}),
    "GRU.load": lambda: (fastrnn.GRU.load, {"path": saved_layer()}),
    "GRU.to_onnx": lambda: (
        layer("GRU").to_onnx, {"path": FOLDER / "a.onnx", "state": True, "lengths": True}
    ),
    "GRU.from_torch": lambda: (
        fastrnn.GRU.from_torch, {"module_or_state_dict": layer("GRU").state_dict(), "prefix": ""}
    ),
    "GRU.from_keras": lambda: (
        fastrnn.GRU.from_keras,
        {"weights": [real(I, 3 * H), real(H, 3 * H), real(2, 3 * H)], "bidirectional": False},
    ),
    "GRU.from_onnx": lambda: (
        fastrnn.GRU.from_onnx, {"W": real(1, 3 * H, I), "R": real(1, 3 * H, H)}
    ),
    "Stream.step": lambda: (layer().stream(N).step, {"x_t": real(N, I), "out": None}),
    "Stream.run": lambda: (layer().stream(N).run, {"chunk": real(T, N, I)}),
    "Stream.reset": lambda: (layer().stream(N).reset, {"rows": [0, 2]}),
    "Embedding": lambda: (
        fastrnn.Embedding, {"V": V, "E": 3, "padding_idx": 0, "dtype": np.float32, "rng": rng()}
    ),
    "Embedding()": lambda: (fastrnn.Embedding(V, 3, rng=rng()), {"ids": ids(T, N)}),
    "set_isa": lambda: (fastrnn.set_isa, {"name": fastrnn.isa()}),
    "set_num_threads": lambda: (
        fastrnn.set_num_threads, {"num_threads": fastrnn.get_num_threads()}
    ),
    "threads": lambda: (fastrnn.threads, {"num_threads": 1}),
    "use_backend": lambda: (fastrnn.use_backend, {"name": "core"}),
    "set_debug": lambda: (fastrnn.set_debug, {"on": False}),
    "ops.rnn": lambda: (ops.rnn, sequence(1)),
    "ops.gru": lambda: (ops.gru, sequence(3)),
    "ops.lstm": lambda: (ops.lstm, sequence(4)),
    "ops.attention_decoder": lambda: (ops.attention_decoder, decoder()),
    "ops.linear": lambda: (ops.linear, {"x": real(N, I), "w": real(H, I), "b": real(H)}),
    "ops.embedding": lambda: (
        ops.embedding, {"w": real(V, 3), "ids": ids(T, N), "padding_idx": 0}
    ),
    "ops.attention": lambda: (
        ops.attention, {"query": real(N, H), "keys": real(T, N, H), "lengths": ids(N, high=T)}
    ),
    "ops.dropout": lambda: (ops.dropout, {"x": real(N, H), "p": 0.2, "rng": rng()}),
    "ops.gaussian_kl": lambda: (
        ops.gaussian_kl,
        {"mu": real(N, H), "logvar": real(N, H), "prior_mu": real(N, H),
         "prior_logvar": real(N, H)},
    ),
    "ops.reparameterise": lambda: (
        ops.reparameterise, {"mu": real(N, H), "logvar": real(N, H), "rng": rng()}
    ),
    "ops.softmax_cross_entropy": lambda: (
        ops.softmax_cross_entropy,
        {"logits": real(N, V), "targets": ids(N), "ignore_index": -100, "label_smoothing": 0.1,
         "reduction": "sum"},
    ),
    "ops.linear_cross_entropy": lambda: (
        ops.linear_cross_entropy,
        {"x": real(N, H), "w": real(V, H), "b": real(V), "targets": ids(N), "ignore_index": -100,
         "label_smoothing": 0.1, "reduction": "mean"},
    ),
    "ops.sampled_softmax": lambda: (
        ops.sampled_softmax,
        {"x": real(N, H), "w": real(V, H), "b": real(V), "targets": ids(N), "num_samples": 3,
         "rng": rng(), "reduction": "mean"},
    ),
    "ops.value_and_grad": lambda: (ops.value_and_grad, {"function": lambda p: p["w"].sum()}),
    "data.batches": lambda: (
        data.batches, {"lengths": [3, 1, 2], "batch_size": 2, "seed": 1, "bucket": True}
    ),
    "data.contiguous_streams": lambda: (
        data.contiguous_streams, {"tokens": ids(60), "N": 3, "T": 4}
    ),
    "data.windows": lambda: (data.windows, {"tokens": ids(60), "N": 3, "T": 4, "seed": 1}),
    "data.kmers": lambda: (data.kmers, {"sequence": "ACGTACGT", "k": 2, "alphabet": "ACGT"}),
    "data.one_hot": lambda: (data.one_hot, {"ids": ids(N), "size": V, "dtype": np.float32}),
    "data.pad": lambda: (
        data.pad,
        {"sequences": [[1, 2], [3]], "value": 0, "dtype": np.int64, "batch_first": True},
    ),
    "data.pack_dialogues": lambda: (data.pack_dialogues, {"dialogues": [[[4, 5], [6]], [[4]]]}),
    "data.plain_words": lambda: (data.plain_words, {"text": "The cat."}),
    "data.Vocabulary": lambda: (
        data.Vocabulary,
        {"tokens": data.Vocabulary.from_texts(TEXTS, level="word").tokens, "level": "word"},
    ),
    "data.Vocabulary.from_texts": lambda: (
        data.Vocabulary.from_texts, {"texts": TEXTS, "level": "word", "min_count": 1, "max_size": 9}
    ),
    "data.Vocabulary.encode": lambda: (
        data.Vocabulary.from_texts(TEXTS, level="word").encode,
        {"text": "the cat", "bos": True, "eos": False},
    ),
    "data.Vocabulary.decode": lambda: (
        data.Vocabulary.from_texts(TEXTS, level="word").decode, {"ids": [4, 5], "unknown": "?"}
    ),
    "data.BPE.from_texts": lambda: (
        data.BPE.from_texts, {"texts": TEXTS, "min_count": 1, "max_size": 300}
    ),
    "data.TokenFile": lambda: (data.TokenFile, {"path": token_file(), "backend": "pread"}),
    "data.TokenFile.write": lambda: (
        data.TokenFile.write,
        {"path": FOLDER / "b.bin", "sequences": [[1, 2], [3]], "vocab_size": V},
    ),
    "data.Phrases": lambda: (
        data.Phrases,
        {"sentences": [["a", "b"], ["a", "b"]], "min_count": 1, "threshold": 0.1, "delimiter": "_",
         "scoring": "default"},
    ),
    "data.WordVectors.most_similar": lambda: (
        vectors().most_similar, {"positive": ["a"], "negative": ["b"], "topn": 2}
    ),
    "data.WordVectors.get_mean_vector": lambda: (
        vectors().get_mean_vector,
        {"keys": ["a", "b"], "weights": [1.0, 0.5], "pre_normalize": True,
         "post_normalize": False, "ignore_missing": True},
    ),
    "data.WordVectors.similarity": lambda: (vectors().similarity, {"w1": "a", "w2": "b"}),
    "data.WordVectors.load": lambda: (
        data.WordVectors.load_word2vec_format,
        {"path": vector_file(), "binary": False, "limit": 1},
    ),
    "decode.greedy": lambda: (decode.greedy, dict(SEARCH)),
    "decode.beam_search": lambda: (
        decode.beam_search,
        SEARCH | {"beam_size": 2, "n_best": 1, "length_penalty": "none", "alpha": 0.5,
                  "word_penalty": 0.1, "return_attention": False},
    ),
    "decode.draw": lambda: (
        decode.draw,
        SEARCH | {"samples": 2, "temperature": 0.5, "top_k": 3, "top_p": 0.5, "rng": rng()},
    ),
    "decode.sample": lambda: (
        decode.sample,
        {"scores": real(N, V), "temperature": 0.5, "top_k": 3, "top_p": 0.5, "rng": rng()},
    ),
    "decode.probabilities": lambda: (
        decode.probabilities, {"scores": real(N, V), "temperature": 0.5, "top_k": 3, "top_p": 0.5}
    ),
    "decode.Rules": lambda: (
        decode.Rules,
        {"bos": 2, "eos": 3, "forbidden": (0, 1), "min_length": 1, "block_ngram_repeat": 2},
    ),
    "io.save": lambda: (io.save, {"path": FOLDER / "c.safetensors", "tensors": {"w": real(3)}}),
    "io.load": lambda: (io.load, {"path": checkpoint(), "max_bytes": 10_000}),
    "io.save_checkpoint": lambda: (
        io.save_checkpoint,
        {"path": FOLDER / "d.safetensors", "tensors": {"w": real(3)}, "state": {"k": 1}},
    ),
    "io.load_checkpoint": lambda: (
        io.load_checkpoint, {"path": checkpoint(), "verify": True, "max_bytes": 10_000}
    ),
    "io.load_weights": lambda: (
        io.load_weights, {"path": checkpoint(), "verify": False, "max_bytes": 10_000}
    ),
    "io.load_onnx": lambda: (io.load_onnx, {"source": onnx_file()}),
    "metrics.bleu": lambda: (metrics.bleu, {"predictions": ["a b"], "references": ["a b"]}),
    "metrics.distinct": lambda: (metrics.distinct, {"texts": [["a", "b"], ["a"]], "n": 1}),
    "metrics.edit_distance": lambda: (metrics.edit_distance, {"a": "kitten", "b": "sitting"}),
    "metrics.mode_coverage": lambda: (metrics.mode_coverage, {"modes": [0, 1, 1], "M": 3}),
    "metrics.perplexity": lambda: (metrics.perplexity, {"nats": 3.0, "count": 2}),
    "metrics.total_variation": lambda: (
        metrics.total_variation, {"p": [0.5, 0.5], "q": [0.1, 0.9]}
    ),
    "models.LanguageModel": lambda: (
        models.LanguageModel,
        {"cell": "gru", "vocab": V, "hidden_size": 4, "embedding_size": 4, "num_layers": 1,
         "tied": True, "rng": rng(), **MODEL},
    ),
    "models.LanguageModel.generate": lambda: (
        language_model().generate,
        {"prompt": "the", "n": 3, "temperature": 0.5, "top_k": 3, "top_p": 0.5, "rng": rng()},
    ),
    "models.LanguageModel.evaluate": lambda: (
        language_model().evaluate,
        {"data": data.contiguous_streams(ids(60), N=3, T=4), "carry": True},
    ),
    "models.LanguageModel.fit": lambda: (
        language_model().fit,
        {"data": data.contiguous_streams(ids(60), N=3, T=4), "optimiser": train.SGD(0.1),
         "max_norm": 1.0, "rng": rng(), "progress": False, "updates": 1},
    ),
    "models.SequenceClassifier": lambda: (
        models.SequenceClassifier,
        {"cell": "gru", "classes": 3, "hidden_size": 4, "input_size": I, "num_layers": 1,
         "bidirectional": True, "merge_mode": "sum", "pooling": "last", "rng": rng(), **MODEL},
    ),
    "models.SequenceClassifier.predict": lambda: (
        models.SequenceClassifier("gru", 3, 4, input_size=I, rng=rng()).predict,
        {"x": real(T, N, I), "lengths": [5, 1, 2]},
    ),
    "models.SequenceClassifier.to_onnx": lambda: (
        models.SequenceClassifier("gru", 3, 4, input_size=I, rng=rng()).to_onnx,
        {"path": FOLDER / "classifier.onnx", "lengths": True},
    ),
    "models.LanguageModel.to_onnx": lambda: (
        language_model().to_onnx,
        {"path": FOLDER / "lm.onnx", "state": True, "lengths": True},
    ),
    "models.LabelStream": lambda: (
        models.SequenceClassifier("gru", 3, 4, input_size=I, rng=rng()).stream,
        {"batch_size": 2},
    ),
    "models.LabelStream.step": lambda: (
        models.SequenceClassifier("gru", 3, 4, input_size=I, rng=rng()).stream(N).step,
        {"x_t": real(N, I)},
    ),
    "models.LabelStream.reset": lambda: (
        models.SequenceClassifier("gru", 3, 4, input_size=I, rng=rng()).stream(N).reset,
        {"rows": [0, 2]},
    ),
    "models.SequenceRegressor": lambda: (
        models.SequenceRegressor,
        {"cell": "gru", "outputs": 2, "hidden_size": 4, "input_size": I, "each_step": False,
         "num_layers": 1, "bidirectional": True, "merge_mode": "sum", "pooling": "last",
         "batch_first": False, "target_center": 0.5, "target_scale": 2.0, "rng": rng(), **MODEL},
    ),
    "models.SequenceTagger": lambda: (
        models.SequenceTagger,
        {"cell": "lstm", "classes": 3, "hidden_size": 4, "vocab": V, "embedding_size": 3,
         "rng": rng(), **MODEL},
    ),
    "models.load": lambda: (models.load, {"path": saved_model()}),
    "models.Seq2Seq": lambda: (
        models.Seq2Seq,
        {"cell": "gru", "source_vocab": V, "target_vocab": V, "hidden_size": 4, "num_layers": 1,
         "embedding_size": 4, "bidirectional_encoder": True, "attention": "additive",
         "query": "previous", "input_feed": True, "reverse_source": False, "peek": False,
         "tied": False, "label_smoothing": 0.1, "rng": rng(), **MODEL},
    ),
    "models.Seq2Seq.to_onnx": lambda: (translator().to_onnx, {"path": FOLDER / "pair.onnx"}),
    "models.Seq2Seq.score": lambda: (
        translator().score,
        {"sources": [ids(3), ids(2)], "targets": [ids(2), ids(4)],
         "measures": ["exact_match", "wer"]},
    ),
    "models.Seq2Seq.translate": lambda: (
        translator().translate,
        {"sources": [[4, 5], [6]], "beam_size": 2, "n_best": 1, "length_penalty": "none",
         "alpha": 0.5, "word_penalty": 0.0, "min_length": 0, "max_length": 4,
         "block_ngram_repeat": 0},
    ),
    "models.HRED": lambda: (
        models.HRED,
        {"cell": "gru", "vocab": V, "hidden_size": 4, "context_size": 3, "embedding_size": 3,
         "bidirectional_utterance": True, "decoder_input": "every", "attention": False,
         "speakers": 2, "word_drop": 0.1, "rng": rng(), **MODEL},
    ),
    "models.HRED.reply": lambda: (
        models.HRED("gru", V, 4, rng=rng()).reply,
        {"history": [[4], [5, 6]], "n": 2, "max_length": 4, "temperature": 1.0, "rng": rng()},
    ),
    "models.VHRED": lambda: (
        models.VHRED,
        {"cell": "gru", "vocab": V, "hidden_size": 4, "z_dim": 2, "free_bits": 0.1,
         "bag_of_words": 0.1, "rng": rng(), **MODEL},
    ),
    "models.SequenceVAE": lambda: (
        models.SequenceVAE,
        {"cell": "gru", "vocab": V, "hidden_size": 4, "z_dim": 2, "bidirectional": True,
         "decoder_input": "every", "word_drop": 0.1, "free_bits": 0.1, "rng": rng(), **MODEL},
    ),
    "models.VAE": lambda: (
        models.VAE,
        {"input_size": I, "z_dim": 2, "hidden_sizes": (5,), "activation": "tanh",
         "likelihood": "gaussian", "learn_sigma": True, "dtype": np.float32, "rng": rng()},
    ),
    "models.AutoEncoder": lambda: (
        models.AutoEncoder,
        {"input_size": I, "z_dim": 2, "hidden_sizes": (5,), "activation": "tanh",
         "likelihood": "gaussian", "dtype": np.float32, "rng": rng()},
    ),
    "models.AutoEncoder.encode": lambda: (
        models.AutoEncoder(I, 2, rng=rng()).encode, {"x": real(N, I)}
    ),
    "models.Word2Vec": lambda: (
        models.Word2Vec,
        {"vector_size": 4, "alpha": 0.02, "window": 2, "min_count": 1, "sample": 0.001, "seed": 1,
         "workers": 1, "min_alpha": 0.001, "sg": 1, "hs": 0, "negative": 2, "ns_exponent": 0.75,
         "cbow_mean": 1, "epochs": 1, "shrink_windows": True},
    ),
    "models.Word2Vec.train": lambda: (
        word2vec().train,
        {"corpus_iterable": [["a", "b"]], "epochs": 1, "total_examples": 1, "start_alpha": 0.1,
         "end_alpha": 0.01},
    ),
    "testing.gradcheck": lambda: (
        testing.gradcheck,
        {"function": lambda w: (w**2).sum(), "arrays": {"w": np.ones(2)},
         "gradients": {"w": 2 * np.ones(2)}, "eps": 1e-6, "atol": 1e-6, "rtol": 1e-5},
    ),
    "testing.check_cell": lambda: (
        testing.check_cell, {"cell": layer("GRU", dtype=float), "rng": 0}
    ),
    "train.SGD": optimiser(train.SGD, momentum=0.9, nesterov=True),
    "train.Adam": optimiser(train.Adam, betas=(0.9, 0.99), eps=1e-8),
    "train.AdamW": optimiser(train.AdamW, betas=(0.9, 0.99), eps=1e-8),
    "train.RMSprop": optimiser(train.RMSprop, alpha=0.9, eps=1e-8, momentum=0.1, centered=True),
    "train.Adagrad": optimiser(train.Adagrad, lr_decay=0.1, eps=1e-8),
    "train.Adam.update": lambda: (
        train.Adam().update, {"params": {"w": real(3)}, "grads": {"w": real(3)}}
    ),
    "train.Adam.load_state_dict": lambda: (
        train.Adam().load_state_dict, {"state_dict": train.Adam().state_dict()}
    ),
    "train.clip_grad_norm": lambda: (
        train.clip_grad_norm, {"grads": {"w": real(3)}, "max_norm": 1.0}
    ),
    "train.clip_grad_value": lambda: (
        train.clip_grad_value, {"grads": {"w": real(3)}, "clip_value": 1.0}
    ),
    "train.global_norm": lambda: (train.global_norm, {"grads": {"w": real(3)}}),
    "train.RowGradient": lambda: (
        train.RowGradient,
        {"rows": np.array([0, 2]), "values": real(2, 3), "shape": (4, 3), "lazy": False},
    ),
    "train.Trainer": lambda: (
        train.Trainer,
        {"model": language_model(), "optimiser": train.SGD(0.1), "max_norm": 1.0, "rng": rng(),
         "save_every": 10, "checkpoint": FOLDER / "run", "keep": 2, "log_every": 10,
         "progress": False},
    ),
    "train.Trainer.fit": lambda: (
        train.Trainer(language_model(), train.SGD(0.1), progress=False).fit,
        {"data": data.contiguous_streams(ids(60), N=3, T=4), "epochs": None, "updates": 1,
         "seconds": 5.0, "patience": None, "best": None, "resume": False},
    ),
    "train.load_latest": lambda: (
        train.load_latest, {"folder": run_folder(), "verify": True, "max_bytes": 10_000}
    ),
    "distributed.ThreadComm.run": lambda: (
        ThreadComm.run, {"size": 2, "job": lambda comm: comm.rank}
    ),
}  # fmt: skip
