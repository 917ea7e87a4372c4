"""Why: a program that was written for gensim's Word2Vec runs here when its import is changed: its
arguments, the methods of the model, its callbacks, and its texts with one sentence a line.
"""

import bz2
import gzip
import inspect
import io
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fastrnn.models import Word2Vec
from fastrnn.models.word2vec import LineSentence, PathLineSentences

# Words whose counts differ, and whose sums do too, so that there is one Huffman tree only.
COUNTS = {"a": 3, "b": 5, "c": 11, "d": 23, "e": 47, "f": 95}


def text(seed: int = 0) -> list[list[str]]:
    words = [word for word, count in COUNTS.items() for _ in range(count)]
    order = np.random.default_rng(seed).permutation(len(words))
    return [[words[i] for i in order[first : first + 8]] for first in range(0, len(words), 8)]


def small(**options: Any) -> Word2Vec:
    settings = {"vector_size": 6, "min_count": 1, "seed": 3, "deterministic": True, "window": 2}
    return Word2Vec(text(), **(settings | options))


def gensim_like(model: Word2Vec, **options: Any) -> Any:
    """A model of gensim with the same words and weights."""
    theirs = pytest.importorskip("gensim.models").Word2Vec(
        vector_size=6, min_count=1, window=2, workers=1, **options
    )
    theirs.build_vocab(text())
    assert theirs.wv.index_to_key == model.wv.index_to_key
    theirs.wv.vectors[...] = model.wv.vectors
    for name in ("syn1", "syn1neg"):
        if hasattr(theirs, name):
            getattr(theirs, name)[...] = getattr(model, name)
    return theirs


def test_every_argument_and_method_of_gensim_is_there() -> None:
    theirs = pytest.importorskip("gensim.models").Word2Vec
    for name in ("__init__", "build_vocab", "train", "score", "predict_output_word",
                 "estimate_memory", "reset_from"):  # fmt: skip
        own = inspect.signature(getattr(Word2Vec, name)).parameters
        wanted = inspect.signature(getattr(theirs, name)).parameters
        assert wanted.keys() - {"kwargs"} <= own.keys(), name
    more = {"syn1", "syn1neg", "wv", "get_latest_training_loss", "save", "load"}
    assert more <= set(dir(Word2Vec))


@pytest.mark.parametrize("mean", [0, 1])
def test_predicted_words_are_gensims(mean: int) -> None:
    model = small(cbow_mean=mean, epochs=20)
    theirs = gensim_like(model, cbow_mean=mean)
    for context in (["a", "f"], ["b", "unknown", 2], ["c"]):
        mine, other = (m.predict_output_word(context, topn=4) for m in (model, theirs))
        assert [word for word, _ in mine] == [word for word, _ in other]
        np.testing.assert_allclose([p for _, p in mine], [p for _, p in other], rtol=1e-5)
    assert model.predict_output_word(["unknown"]) is None
    everything = model.predict_output_word(["a"], topn=100)
    assert sum(share for _, share in everything) == pytest.approx(1)


@pytest.mark.parametrize(("sg", "mean"), [(1, 1), (0, 1), (0, 0)])
def test_scores_are_gensims(sg: int, mean: int) -> None:
    """Its table of logarithms is read 0.4 % and 0.024 beside the place, as in word2vec.c."""
    settings = {"sg": sg, "hs": 1, "negative": 0, "cbow_mean": mean}
    model = small(**settings, epochs=40, alpha=0.2)
    theirs = gensim_like(model, **settings)
    sentences = [["a", "b", "c", "d"], ["f", "unknown", "e"], ["c"], [], ["f"] * 9]
    mine = model.score(sentences)
    other = theirs.score(sentences, total_sentences=len(sentences))
    assert mine.shape == (5,)
    np.testing.assert_allclose(mine, other, rtol=0.03, atol=0.01)
    assert np.ptp(mine / [len(s) or 1 for s in sentences]) > 0.5
    assert (mine[2] == 0) == bool(sg)
    assert mine[3] == 0


def test_scores_are_probabilities() -> None:
    """Of all words beside one word, the tree gives each its share."""
    model = small(sg=1, hs=1, negative=0, epochs=20)
    pairs = model.score([["a", other] for other in model.wv.index_to_key])
    backwards = [
        model.loss(model.params, (np.array([i]), np.array([model.wv.get_index("a")])))
        for i in range(len(model.wv))
    ]
    forwards = np.exp(pairs + np.array(backwards))
    assert forwards.sum() == pytest.approx(1, rel=1e-5)


def test_latest_loss_is_the_sum_over_predictions() -> None:
    model = small(sg=1, sample=0, shrink_windows=False, epochs=3, compute_loss=True)
    pairs = sum(len(s) * 4 - 6 for s in text() if len(s) > 2)  # window 2 on either side
    pairs += sum(len(s) * (len(s) - 1) for s in text() if len(s) <= 2)
    assert model.get_latest_training_loss() == pytest.approx(pairs * sum(model.losses))
    assert Word2Vec().get_latest_training_loss() == 0


class Listener:
    """Writes down when it was called, and what the model says then."""

    def __init__(self) -> None:
        self.said: list[tuple[str, float]] = []

    def on_train_begin(self, model: Any) -> None:
        self.said.append(("begin", model.get_latest_training_loss()))

    def on_epoch_end(self, model: Any) -> None:
        self.said.append(("epoch", model.get_latest_training_loss()))


def test_callbacks_are_called_as_it_goes() -> None:
    first, second = Listener(), Listener()
    model = small(epochs=2, callbacks=[first], sample=0)
    names = [name for name, _ in first.said]
    losses = [loss for _, loss in first.said]
    assert names == ["begin", "epoch", "epoch"]
    assert losses[0] == 0 < losses[1] < losses[2] == model.get_latest_training_loss()
    model.train(text(), total_examples=model.corpus_count, epochs=1, callbacks=[second])
    assert [name for name, _ in second.said] == ["begin", "epoch"]
    assert len(first.said) == 3
    with pytest.raises(TypeError, match="each of callbacks must have one of on_train_begin"):
        small(callbacks=[print])


def rule(word: str, count: int, min_count: int) -> int:
    return {"a": 2, "f": 1}.get(word, 0)


@pytest.mark.parametrize(
    "options",
    [
        {"min_count": 6, "trim_rule": rule},
        {"max_final_vocab": 3},
        {"max_final_vocab": 3, "min_count": 30},
        {"max_final_vocab": 99},
    ],
    ids=str,
)
def test_words_are_chosen_as_gensim_does(options: dict[str, Any]) -> None:
    gensim = pytest.importorskip("gensim.models")
    theirs = gensim.Word2Vec(text(), workers=1, epochs=1, **({"min_count": 1} | options))
    assert small(**options).wv.index_to_key == theirs.wv.index_to_key


def test_words_are_chosen_by_rules() -> None:
    assert small(min_count=6, trim_rule=rule).wv.index_to_key == ["e", "d", "c", "a"]
    assert small(max_vocab_size=2).wv.index_to_key == ["f", "e"]
    model = small()
    model.build_vocab([["x"] * 5, ["y"]], update=True, trim_rule=lambda word, *_: 1 + (word == "y"))
    assert model.wv.index_to_key == ["f", "e", "d", "c", "b", "a", "y"]
    with pytest.raises(ValueError, match="trim_rule must return 0, 1 or 2, got None for 'f'"):
        small(trim_rule=lambda *_: None)


def test_a_model_is_reset_from_another() -> None:
    model, fresh = small(), Word2Vec(vector_size=4, min_count=1)
    fresh.reset_from(model)
    assert fresh.wv.index_to_key == model.wv.index_to_key
    assert fresh.wv.vectors.shape == (6, 4)
    assert fresh.corpus_count == model.corpus_count
    assert fresh.wv.get_vecattr("a", "count") == COUNTS["a"]
    fresh.train(text(), total_examples=fresh.corpus_count, epochs=1)
    assert len(fresh.losses) == 1


def test_memory_is_what_the_arrays_take() -> None:
    model = small(hs=1)
    said = model.estimate_memory(report={"more": 1})
    taken = {n: a.nbytes // 6 * 16 for n, a in model.params.items()}  # rows of 16 floats
    assert said["vectors"] == taken["vectors"]
    assert (said["syn1"], said["syn1neg"]) == (taken["nodes"], taken["outputs"])
    assert said["total"] == sum(said.values()) - said["total"]
    assert model.estimate_memory(10**6)["vectors"] == 64 * 10**6


def test_the_table_of_words_is_one_object_until_there_are_other_words() -> None:
    model = small()
    wv = model.wv
    wv.set_vecattr("a", "rank", 3)
    assert model.wv is wv
    model.train(text(), epochs=1)
    assert model.wv is wv
    np.testing.assert_array_equal(wv.vectors, model.params["vectors"])
    model.params["vectors"] = np.ones_like(model.params["vectors"])
    assert model.wv["a"][0] == 1
    model.build_vocab([["new"] * 9], update=True)
    assert "new" in model.wv
    assert "new" not in wv


def test_names_of_the_matrices() -> None:
    model = small(hs=1)
    assert model.syn1neg is model.params["outputs"]
    assert model.syn1 is model.params["nodes"]
    assert not hasattr(small(), "syn1")
    with pytest.raises(ValueError, match="negative must be above 0"):
        small(hs=1, negative=0).predict_output_word(["a"])
    with pytest.raises(ValueError, match="hs must be 1"):
        small().score([["a"]])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"sorted_vocab": 0}, "sorted_vocab must be 1"),
        ({"null_word": 1}, "null_word must be 0"),
        ({"max_vocab_size": 0}, "max_vocab_size"),
        ({"max_final_vocab": 2.5}, "max_final_vocab"),
        ({"trim_rule": 3}, "trim_rule must be None or a function"),
        ({"comment": 3}, "comment must be None or a str"),
        ({"batch_words": 0}, "batch_words"),
        ({"compute_loss": "yes"}, "compute_loss"),
    ],
)
def test_arguments_that_are_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises((TypeError, ValueError), match=message):
        small(**options)


def test_what_a_file_keeps(tmp_path: Path) -> None:
    model = small(comment="first", max_final_vocab=4, callbacks=[Listener()])
    model.save(tmp_path / "a.model")
    back = Word2Vec.load(tmp_path / "a.model")
    assert back.config == model.config
    assert back.config["comment"] == "first"


LINES = ["the cat sat", "", "a  dog\tran far"]


def test_lines_are_sentences(tmp_path: Path) -> None:
    content = "\n".join(LINES).encode()
    paths = {"a.txt": content, "a.txt.gz": gzip.compress(content), "a.bz2": bz2.compress(content)}
    for name, packed in paths.items():
        (tmp_path / name).write_bytes(packed)
        found = LineSentence(tmp_path / name, max_sentence_length=3)
        assert list(found) == [["the", "cat", "sat"], ["a", "dog", "ran"], ["far"]]
        assert list(found) == list(found)
    assert list(LineSentence(io.BytesIO(content), limit=1)) == [["the", "cat", "sat"]]
    assert list(LineSentence(io.StringIO("ä b\n"))) == [["ä", "b"]]
    (tmp_path / "folder").mkdir()
    both = PathLineSentences(tmp_path, limit=1)
    assert [Path(p).name for p in both.input_files] == sorted(paths)
    assert list(both) == [["the", "cat", "sat"]] * 3
    assert list(PathLineSentences(tmp_path / "a.txt")) == list(LineSentence(tmp_path / "a.txt"))
    with pytest.raises(ValueError, match="source must be a file or a folder"):
        PathLineSentences(tmp_path / "nowhere")
    with pytest.raises(FileNotFoundError):
        list(LineSentence(tmp_path / "nowhere"))
    (tmp_path / "bad.txt").write_bytes(b"\xff\n")
    with pytest.raises(UnicodeDecodeError):
        list(LineSentence(tmp_path / "bad.txt"))


def test_lines_are_gensims_sentences(tmp_path: Path) -> None:
    theirs = pytest.importorskip("gensim.models.word2vec")
    (tmp_path / "b.txt").write_text("\n".join(LINES))
    (tmp_path / "a.txt").write_text("one more\n")
    for name in ("LineSentence", "PathLineSentences"):
        source = str(tmp_path / "b.txt" if name == "LineSentence" else tmp_path)
        mine = {"LineSentence": LineSentence, "PathLineSentences": PathLineSentences}[name]
        assert list(mine(source, 2, 2)) == list(getattr(theirs, name)(source, 2, 2))


# A program in the manner of gensim's own introduction to Word2Vec: every call that it makes, on a
# text of ours. MODELS is the one import.
PROGRAM = """
import tempfile

import MODELS as models
from MODELS.word2vec import LineSentence


class MyCorpus:
    def __iter__(self):
        for line in open(corpus_path, encoding="utf-8"):
            yield line.lower().split()


sentences = MyCorpus()
model = models.Word2Vec(sentences=sentences, min_count=3, seed=1, workers=1)
vec_king = model.wv["king"]
for index, word in enumerate(model.wv.index_to_key):
    if index == 10:
        break
    say(f"word #{index}/{len(model.wv.index_to_key)} is {word}")

try:
    vec_cameroon = model.wv["cameroon"]
except KeyError:
    say("The word 'cameroon' does not appear in this model")

pairs = [("king", "queen"), ("king", "man"), ("king", "river")]
for w1, w2 in pairs:
    say("%r\\t%r\\t%.2f" % (w1, w2, model.wv.similarity(w1, w2)))
say(len(model.wv.most_similar(positive=["king", "queen"], topn=5)))
say(model.wv.doesnt_match(["king", "queen", "man", "river"]))

with tempfile.NamedTemporaryFile(prefix="model-", delete=False) as tmp:
    temporary_filepath = tmp.name
model.save(temporary_filepath)
new_model = models.Word2Vec.load(temporary_filepath)
say((new_model.wv["king"] == vec_king).all())
model.wv.save_word2vec_format(temporary_filepath, binary=True)
wv = models.KeyedVectors.load_word2vec_format(temporary_filepath, binary=True)
say(len(wv) == len(model.wv))
wv.save(temporary_filepath)
wv = models.KeyedVectors.load(temporary_filepath, mmap="r")
say(wv["king"].shape)

model = models.Word2Vec(sentences, min_count=10)
model = models.Word2Vec(sentences, vector_size=200)
model = models.Word2Vec(sentences, workers=4)
model.wv.evaluate_word_analogies(questions_path)
model.wv.evaluate_word_pairs(pairs_path)

model = new_model
more_sentences = [["advanced", "users", "can", "load", "a", "model"]] * 9
model.build_vocab(more_sentences, update=True)
model.train(more_sentences, total_examples=model.corpus_count, epochs=model.epochs)
say("advanced" in model.wv)

model_with_loss = models.Word2Vec(
    sentences, min_count=1, compute_loss=True, hs=0, sg=1, seed=42, workers=1
)
say(model_with_loss.get_latest_training_loss() > 0)
for compute_loss in (True, False):
    for data in (sentences, LineSentence(corpus_path), list(sentences)):
        for sg, hs in ((0, 0), (1, 0), (0, 1), (1, 1)):
            models.Word2Vec(data, compute_loss=compute_loss, sg=sg, hs=hs, seed=42, epochs=1)

model = models.Word2Vec(vector_size=20, window=3, min_count=1, workers=4)
model.build_vocab(corpus_iterable=sentences)
model.train(corpus_iterable=sentences, total_examples=model.corpus_count, epochs=1)
model = models.Word2Vec(corpus_file=corpus_path, vector_size=20, min_count=1)
say(model.wv.vectors.shape[1], len(model.wv.get_normed_vectors()) == len(model.wv))
"""
KINGDOM = [
    "the king rules a land",
    "the queen rules the land",
    "a man walks by the river",
    "the woman sees the man",
]


def run_program(package: str, folder: Path) -> list[str]:
    """What the program says with this import."""
    said: list[str] = []
    where = {
        "say": lambda *words: said.append(" ".join(map(str, words))),
        "corpus_path": str(folder / "corpus.txt"),
        "questions_path": str(folder / "questions.txt"),
        "pairs_path": str(folder / "pairs.tsv"),
    }
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)  # it leaves closing to the garbage
        exec(compile(PROGRAM.replace("MODELS", package), "program.py", "exec"), where)
    return said


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    lines = KINGDOM * 40
    order = np.random.default_rng(2).permutation(len(lines))
    (tmp_path / "corpus.txt").write_text("\n".join(lines[i] for i in order) + "\n")
    questions = ": people\nking queen man woman\nman woman king queen\n"
    (tmp_path / "questions.txt").write_text(questions)
    pairs = "king\tqueen\t9\nking\triver\t1\nman\twoman\t8\nland\triver\t4\n"
    (tmp_path / "pairs.tsv").write_text(pairs)
    return tmp_path


def test_a_program_for_gensim_runs_when_its_import_is_changed(folder: Path) -> None:
    pytest.importorskip("safetensors")
    said = run_program("fastrnn.models", folder)
    assert said[0] == "word #0/12 is the"
    assert "The word 'cameroon' does not appear in this model" in said
    assert [said[i] for i in (11, 12, 13)] == [line for line in said if line.startswith("'king'")]
    assert said[-6:] == ["True", "True", "(100,)", "True", "True", "20 True"]


def test_gensim_runs_the_same_program(folder: Path) -> None:
    """Or it would be no program for gensim; numbers are drawn, so only the words are compared."""
    pytest.importorskip("gensim.models")
    mine, theirs = (run_program(name, folder) for name in ("fastrnn.models", "gensim.models"))
    assert len(mine) == len(theirs)
    for line, other in zip(mine, theirs, strict=True):
        assert (
            line.partition(" is ")[0].rpartition("\t")[0]
            == (other.partition(" is ")[0].rpartition("\t")[0])
        )
