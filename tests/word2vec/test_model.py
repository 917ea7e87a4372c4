"""Why: what people do with word vectors: train from lists or files, go on, ask, save, move on."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers.processes import output_of

import fastrnn
from fastrnn import _core
from fastrnn.models import Word2Vec

GROUPS = [[f"{name}{i}" for i in range(8)] for name in ("fruit", "tool", "city")]


def texts(rng: np.random.Generator, lines: int = 1500) -> list[list[str]]:
    """Sentences whose words belong together, and two words that come everywhere."""
    return [
        ["the", *rng.choice(GROUPS[rng.integers(3)], 7).tolist(), "of"] for _ in range(lines)
    ]  # fmt: skip


def model(sentences: Any = None, corpus_file: Any = None, **options: Any) -> Word2Vec:
    small = {"vector_size": 12, "min_count": 1, "sample": 0.0, "epochs": 5, "deterministic": True}
    return Word2Vec(sentences, corpus_file, **(small | options))


def counts_of(learned: Word2Vec) -> dict[str, int]:
    wv = learned.wv
    assert wv.counts is not None
    return dict(zip(wv.index_to_key, wv.counts.tolist(), strict=True))


@pytest.mark.parametrize("sg", [0, 1])
@pytest.mark.parametrize(("hs", "negative"), [(0, 5), (1, 0), (1, 5), (0, 0)])
@pytest.mark.parametrize("cbow_mean", [0, 1])
def test_every_kind_learns_what_belongs_together(
    sg: int, hs: int, negative: int, cbow_mean: int
) -> None:
    learned = model(
        texts(np.random.default_rng(1)), sg=sg, hs=hs, negative=negative, cbow_mean=cbow_mean
    )
    assert learned.losses[-1] < learned.losses[0]
    for group in GROUPS:
        near = [word for word, _ in learned.wv.most_similar(group[0], topn=5)]
        assert sum(word in group for word in near) >= 4, (group[0], near)
    assert learned.wv.doesnt_match([*GROUPS[0][:3], GROUPS[1][0]]) == GROUPS[1][0]


def test_a_file_gives_the_bits_of_the_same_sentences(tmp_path: Path) -> None:
    sentences = texts(np.random.default_rng(2), 600)  # one piece in either form
    path = tmp_path / "text.txt"
    path.write_text("\n".join(" ".join(line) for line in sentences))  # no line end at the end
    ours, file = model(sentences), model(corpus_file=path)
    assert ours.wv.index_to_key == file.wv.index_to_key
    assert counts_of(ours) == counts_of(file)
    assert ours.losses == file.losses
    np.testing.assert_array_equal(ours.wv.vectors, file.wv.vectors)


@pytest.mark.parametrize("workers", [1, 2, 5])
def test_deterministic_is_bitwise_whatever_the_threads(workers: int, isa: str) -> None:
    sentences = texts(np.random.default_rng(3), 300)
    first = model(sentences, sg=1, workers=workers)
    again = model(iter(sentences), sg=1)
    np.testing.assert_array_equal(first.wv.vectors, again.wv.vectors)
    assert first.losses == again.losses
    other = model(sentences, sg=1, seed=2)
    assert not np.array_equal(first.wv.vectors, other.wv.vectors)


def test_threads_that_race_learn_as_much() -> None:
    sentences = texts(np.random.default_rng(4), 12_000)
    alone = model(sentences, epochs=2)
    racing = model(sentences, epochs=2, workers=4, deterministic=False)
    assert racing.losses[-1] == pytest.approx(alone.losses[-1], rel=0.1)
    near = [word for word, _ in racing.wv.most_similar("tool0", topn=5)]
    assert sum(word in GROUPS[1] for word in near) >= 4


def test_a_file_in_many_pieces_is_counted_and_cut_right(tmp_path: Path) -> None:
    """1.5 MB in one line, then in lines: all words are found, whoever reads which piece."""
    rng = np.random.default_rng(5)
    words = rng.integers(0, 5000, 250_000)
    expected = np.bincount(words)
    for name, breaks in (("one line", 10**9), ("lines", 13), ("crlf", 7)):
        path = tmp_path / name
        ends = "\r\n" if name == "crlf" else "\n"
        path.write_bytes(
            "".join(f"w{w}{ends if i % breaks == 0 else ' '}" for i, w in enumerate(words)).encode()
        )
        for threads in (1, 3):
            lines, counts, total, distinct = _core.word2vec_count(str(path).encode(), 1, threads)
            found = dict(zip(lines.decode().split(), np.frombuffer(counts, np.int64), strict=True))
            assert total == len(words)
            assert distinct == (expected > 0).sum()
            assert all(found[f"w{w}"] == n for w, n in enumerate(expected) if n)


def test_training_goes_on_with_new_words() -> None:
    first = texts(np.random.default_rng(6))
    learned = model(first)
    old = {word: learned.wv[word].copy() for word in learned.wv.index_to_key}
    robots = [f"robot{i}" for i in range(8)]
    rng = np.random.default_rng(7)
    more = [["the", *rng.choice(robots, 7).tolist(), "of", "tool0"] for _ in range(1500)]
    learned.build_vocab(more, update=True)
    assert all((learned.wv[word] == vector).all() for word, vector in old.items())
    counts = counts_of(learned)
    assert counts["robot0"] == sum(line.count("robot0") for line in more)
    assert counts["tool0"] == sum(line.count("tool0") for line in first) + 1500
    losses = learned.train(more)
    assert len(learned.losses) == 10
    assert losses == learned.losses[5:]
    assert losses[-1] < losses[0]
    near = [word for word, _ in learned.wv.most_similar("robot0", topn=5)]
    assert sum(word in robots for word in near) >= 4, near


def test_scripts_for_gensim_run_as_they_are(tmp_path: Path) -> None:
    sentences = texts(np.random.default_rng(4), 60)
    whole, steps = model(sentences), model()
    assert (steps.corpus_count, steps.epochs, steps.vector_size) == (None, 5, 12)
    steps.build_vocab(sentences)
    assert (steps.corpus_count, steps.corpus_total_words) == (60, 540)
    steps.train(sentences, total_examples=steps.corpus_count, epochs=steps.epochs)
    np.testing.assert_array_equal(steps.wv.vectors, whole.wv.vectors)
    path = tmp_path / "text.txt"
    path.write_text("\n".join(" ".join(line) for line in sentences))
    steps.train(corpus_file=path, total_words=steps.corpus_total_words, epochs=1)
    with pytest.raises(ValueError, match="total_examples must be what the text holds, 60, or None"):
        steps.train(sentences, total_examples=61)
    with pytest.raises(ValueError, match="total_words must be what the text holds, 540, or None"):
        steps.train(corpus_file=path, total_words=0)
    with pytest.raises(ValueError, match="total_examples is not known of a corpus_file"):
        steps.train(corpus_file=path, total_examples=60)


def test_save_and_load_are_bitwise_and_go_on(tmp_path: Path) -> None:
    pytest.importorskip("safetensors", reason="safetensors is missing")
    sentences = texts(np.random.default_rng(7), 300)
    learned = model(sentences, hs=1)
    learned.save(tmp_path / "m.safetensors")
    loaded = fastrnn.models.load(tmp_path / "m.safetensors")
    assert isinstance(loaded, Word2Vec)
    assert loaded.config == learned.config
    assert loaded.losses == learned.losses
    learned.train(sentences, epochs=1)
    loaded.train(sentences, epochs=1)
    for name, array in learned.params.items():
        np.testing.assert_array_equal(array, loaded.params[name])


def test_params_may_be_replaced() -> None:
    sentences = texts(np.random.default_rng(8), 100)
    one, other = model(sentences), model(sentences)
    one.params = {name: array.copy() for name, array in one.params.items()}
    assert one.train(sentences) == other.train(sentences)
    np.testing.assert_array_equal(one.params["vectors"], other.params["vectors"])
    one.params["vectors"] = np.zeros((3, 12), np.float32)
    with pytest.raises(ValueError, match="must have shape"):
        one.train(sentences)


@pytest.mark.parametrize(("sg", "hs", "negative"), [(1, 0, 4), (0, 0, 4), (1, 1, 0), (0, 0, 0)])
def test_loss_is_that_of_the_training_and_differentiable(sg: int, hs: int, negative: int) -> None:
    """With the rate at 0 an epoch measures the loss that the pure function gives on all pairs."""
    pytest.importorskip("autograd", reason="autograd is missing")
    from fastrnn import ops

    sentences = texts(np.random.default_rng(9), 400)
    learned = model(sentences, sg=sg, hs=hs, negative=negative, window=2, shrink_windows=False)
    (measured,) = learned.train(sentences, epochs=1, start_alpha=0.0, end_alpha=0.0)
    inputs: list[Any] = []
    targets: list[int] = []
    for line in sentences:
        ids = [learned.wv.key_to_index[word] for word in line]
        for at, target in enumerate(ids):
            around = ids[max(at - 2, 0) : at] + ids[at + 1 : at + 3]
            targets += [target] * (len(around) if sg else 1)
            inputs += around if sg else [[*around, -1, -1, -1][:4]]
    batch = (np.array(inputs), np.array(targets))
    loss, grads = ops.value_and_grad(learned.loss)(
        learned.params, batch, np.random.default_rng(0)
    )
    assert float(loss) == pytest.approx(measured, rel=0.02 if negative else 1e-4)
    assert all(grads[name].shape == array.shape for name, array in learned.params.items())
    assert np.abs(grads["vectors"]).max() > 0


def test_vectors_move_into_an_embedding() -> None:
    pytest.importorskip("autograd", reason="autograd is missing")
    learned = model(texts(np.random.default_rng(10), 100))
    wv = learned.wv
    embedding = fastrnn.Embedding(len(wv), wv.vector_size)
    embedding.params["weight"] = np.ascontiguousarray(wv.vectors)
    ids = [wv.key_to_index["tool1"], wv.key_to_index["the"]]
    np.testing.assert_array_equal(embedding(ids), wv[["tool1", "the"]])
    one_hot = np.eye(len(wv), dtype=np.float32)[ids]
    np.testing.assert_array_equal(embedding(ids), one_hot @ wv.vectors)


def test_progress_says_words_loss_and_time(capsys: pytest.CaptureFixture[str]) -> None:
    model(texts(np.random.default_rng(11), 100), progress=True, epochs=2)
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 2
    assert "words/s" in lines[1]
    assert "loss" in lines[1]
    assert "left" in lines[1]


def test_the_hash_seed_of_python_changes_nothing() -> None:
    code = """
        import hashlib
        from fastrnn.models import Word2Vec
        lines = [["a", "b", "c"], ["d", "b", "a"], ["e", "f"]] * 40
        model = Word2Vec(lines, vector_size=8, min_count=1, sample=0, workers=1)
        print(model.wv.index_to_key, hashlib.sha256(model.wv.vectors.tobytes()).hexdigest())
    """
    assert len({output_of(code, env={"PYTHONHASHSEED": str(seed)}) for seed in (0, 1, 2)}) == 1
