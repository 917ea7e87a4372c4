"""Why: how good a model is on other data must be one command for every model, with the figures that
`predict --references` and the models' own `evaluate` have, and no others.
"""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers.commands import only_line

from fastrnn.cli import main
from fastrnn.data import Vocabulary, contiguous_streams, pack_dialogues, pad

pytest.importorskip("autograd")
pytest.importorskip("safetensors")

from fastrnn import models

TEXTS = ["abba", "b", "", "aab", "ab"]
LETTERS = Vocabulary.from_texts(["ab"], level="character")
WORDS = Vocabulary.from_texts(["the cat sat", "a dog"])


def rng() -> np.random.Generator:
    return np.random.default_rng(5)


def lines(path: Path, *content: Any) -> str:
    texts = content if path.suffix != ".jsonl" else map(json.dumps, content)
    path.write_text("".join(f"{text}\n" for text in texts))
    return str(path)


def figures(capsys: Any, command: str, *args: Any) -> dict[str, float]:
    """The figures, on stdout of `evaluate` and on stderr of `predict`."""
    code = main([command, *map(str, args), "--json"])
    out, err = capsys.readouterr()
    assert code == 0, err
    return json.loads(only_line(out if command == "evaluate" else err))


def refused(capsys: Any, *args: Any) -> str:
    assert main(["evaluate", *map(str, args)]) == 1
    return only_line(capsys.readouterr().err)


def saved(folder: Path, model: Any) -> Path:
    path = folder / "model.safetensors"
    model.save(path)
    return path


def test_labels_are_scored_as_by_predict(tmp_path: Path, capsys: Any) -> None:
    model = models.SequenceClassifier("gru", ["no", "yes"], 5, vocab=LETTERS, rng=rng())
    path = saved(tmp_path, model)
    answers = ["no", "yes", "maybe", "no", "yes"]
    data = lines(tmp_path / "data.txt", *TEXTS)
    right = lines(tmp_path / "right.txt", *answers)
    both = lines(
        tmp_path / "both.jsonl",
        *({"x": x, "label": y} for x, y in zip(TEXTS, answers, strict=True)),
    )
    wanted = figures(capsys, "predict", path, data, "--references", right)
    hits = np.mean([a == b for a, b in zip(model.predict(TEXTS), answers, strict=True)])
    assert wanted["accuracy"] == pytest.approx(hits)
    assert figures(capsys, "evaluate", path, data, "--references", right) == wanted
    assert figures(capsys, "evaluate", path, both, "--batch-size", 2) == wanted
    assert main(["evaluate", str(path), both]) == 0
    assert capsys.readouterr().out == f"accuracy {hits:.4f}  f1 {wanted['f1']:.4f}\n"
    assert 'JSON lines (.jsonl) of {"x": …, "label": …}' in refused(capsys, path, data)
    bare = lines(tmp_path / "bare.jsonl", *TEXTS)
    assert 'line 1: it must be {"x": …, "label": …}' in refused(capsys, path, bare)
    for option in ("--beam", "--horizon", "--season", "--scale"):
        said = refused(capsys, path, both, option, 2)
        assert f"{option} is for" in said
        assert "which a SequenceClassifier makes none of" in said


def test_tags_numbers_and_translations(tmp_path: Path, capsys: Any) -> None:
    tagger = models.SequenceTagger("gru", ["x", "y"], 4, vocab=LETTERS, rng=rng())
    both = lines(
        tmp_path / "tags.jsonl", *({"x": x, "labels": ["x"] * len(x)} for x in TEXTS)
    )
    said = np.concatenate([tagger.predict([text])[:, 0] for text in TEXTS if text])
    found = figures(capsys, "evaluate", saved(tmp_path, tagger), both)
    assert found["accuracy"] == pytest.approx(np.mean(said == "x"))
    regressor = models.SequenceRegressor("gru", 1, 4, input_size=2, rng=rng())
    x = rng().standard_normal((3, 5, 2))
    both = lines(
        tmp_path / "numbers.jsonl", *({"x": x[:, n].tolist(), "target": [n]} for n in range(5))
    )
    found = figures(capsys, "evaluate", saved(tmp_path, regressor), both)
    error = regressor.predict(x)[:, 0] - np.arange(5)
    assert found["mae"] == pytest.approx(np.abs(error).mean(), rel=1e-5)
    translator = models.Seq2Seq("gru", LETTERS, LETTERS, 4, attention="dot", rng=rng())
    data = lines(tmp_path / "sources.txt", *TEXTS)
    targets = [h.text for h in translator.translate(TEXTS, beam_size=3)]
    right = lines(tmp_path / "targets.txt", *targets)
    args = (saved(tmp_path, translator), data, "--references", right)
    assert figures(capsys, "evaluate", *args, "--beam", 3)["exact_match"] == 1
    assert figures(capsys, "evaluate", *args) == figures(capsys, "predict", *args)


def test_what_needs_no_references(tmp_path: Path, capsys: Any) -> None:
    """Each is the model's own figure on batches made by hand."""
    text = "ab ba " * 30
    lm = models.LanguageModel("gru", LETTERS, 4, rng=rng())
    data = tmp_path / "text.txt"
    data.write_text(text)
    path = saved(tmp_path, lm)
    ids = LETTERS.encode(text)
    wanted = lm.evaluate(contiguous_streams(ids, N=1, T=512))
    found = figures(capsys, "evaluate", path, data)
    assert found == pytest.approx(wanted | {"symbols": len(ids) - 1})
    assert "leave --references away" in refused(capsys, path, data, "--references", data)

    hred = models.HRED("gru", WORDS, 4, rng=rng())
    turns = [["the cat", "a dog sat"], ["a cat", "the", "dog"]]
    data = tmp_path / "talk.txt"
    data.write_text("\n\n".join("\n".join(talk) for talk in turns))
    batch = pack_dialogues([[WORDS.encode(turn) for turn in talk] for talk in turns])
    chosen = np.array([False, True, False, True, True])
    found = figures(capsys, "evaluate", saved(tmp_path, hred), data)
    assert found == pytest.approx(hred.evaluate([(*batch, chosen)]))

    sentences = models.SequenceVAE("gru", WORDS, 4, 2, rng=rng())
    data = lines(tmp_path / "lines.txt", "the cat sat", "", "a dog")
    found = figures(capsys, "evaluate", saved(tmp_path, sentences), data)
    wanted = sentences.evaluate([pad([WORDS.encode("the cat sat"), WORDS.encode("a dog")])])
    assert found == pytest.approx(wanted)

    coder = models.AutoEncoder(3, 2, hidden_sizes=(4,), likelihood="gaussian", rng=rng())
    x = rng().standard_normal((9, 3))
    np.save(tmp_path / "x.npy", x)
    path = saved(tmp_path, coder)
    found = figures(capsys, "evaluate", path, tmp_path / "x.npy", "--scale", 2, "--batch-size", 4)
    assert found == pytest.approx(coder.evaluate([(x / 2).astype(np.float32)]), rel=1e-5)


@pytest.mark.parametrize("text", ["", "a"])
def test_a_text_with_nothing_to_foresee_is_named(tmp_path: Path, capsys: Any, text: str) -> None:
    path = saved(tmp_path, models.LanguageModel("gru", LETTERS, 5, rng=rng()))
    data = tmp_path / "short.txt"
    data.write_text(text)
    said = refused(capsys, path, data)
    assert f"{data}: it must hold at least two symbols, got {len(text)}" in said


def test_forecasts_are_backtested(tmp_path: Path, capsys: Any) -> None:
    model = models.Forecaster("gru", 4, context_length=6, rng=rng())
    values = rng().standard_normal((2, 30)).cumsum(axis=1).round(3)
    model.fit(list(values[:, :-4]), updates=1, progress=False, rng=rng())
    path = saved(tmp_path, model)
    rows = ["a,b", *(f"{one},{other}" for one, other in values.T)]
    data = lines(tmp_path / "table.csv", *rows)
    found = figures(capsys, "evaluate", path, data, "--horizon", 4, "--season", 2)
    generator = np.random.default_rng(0)
    assert found == pytest.approx(model.backtest(list(values), 4, season=2, rng=generator))
    assert "give --horizon" in refused(capsys, path, data)
    said = refused(capsys, path, data, "--horizon", 40)
    assert "series 'a' must have more than 40 + 1 values" in said


def test_word_vectors_answer_questions(tmp_path: Path, capsys: Any) -> None:
    model = models.Word2Vec(
        [["paris", "france", "rome", "italy"]] * 9, vector_size=4, min_count=1, epochs=1,
        deterministic=True,
    )  # fmt: skip
    path = saved(tmp_path, model)
    pairs = lines(tmp_path / "pairs.txt", "paris\tfrance\t9", "rome\titaly\t8", "paris\trome\t5")
    found = figures(capsys, "evaluate", path, pairs)
    one, other, unknown = model.wv.evaluate_word_pairs(pairs)
    assert found == pytest.approx(
        {"pearson": one, "spearman": other, "unknown_percent": unknown}
    )
    asked = lines(tmp_path / "asked.txt", ": capitals", "paris france rome italy", "a b rome italy")
    accuracy = model.wv.evaluate_word_analogies(asked)[0]
    found = figures(capsys, "evaluate", path, asked)
    assert found == {"accuracy": accuracy, "answered": 1, "asked": 2}
