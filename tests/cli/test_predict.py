"""Why: whoever has trained a model wants its answers and how good they are, without a program: one
line out for each line in, and figures that are those of the definitions.
"""

import io
import json
import math
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers.commands import only_line

from fastrnn.cli import main
from fastrnn.data import Vocabulary

pytest.importorskip("autograd")
pytest.importorskip("safetensors")

from fastrnn import models
from fastrnn.train import Adam

TEXTS = ["abba", "b", "", "aab", "ab"]
LETTERS = Vocabulary.from_texts(["ab"], level="character")


def rng() -> np.random.Generator:
    return np.random.default_rng(27)


def lines(path: Path, *content: Any) -> str:
    """A file of texts, or of JSON lines."""
    texts = content if path.suffix != ".jsonl" else map(json.dumps, content)
    path.write_text("".join(f"{text}\n" for text in texts))
    return str(path)


def predict(capsys: Any, *args: Any) -> tuple[list[str], str]:
    """What is said on stdout, line by line, and on stderr."""
    code = main(["predict", *map(str, args)])
    out, err = capsys.readouterr()
    assert code == 0, err
    return out.splitlines(), err


def refused(capsys: Any, *args: Any) -> str:
    assert main(["predict", *map(str, args)]) == 1
    return only_line(capsys.readouterr().err)


@pytest.fixture
def classifier(tmp_path: Path) -> models.SequenceClassifier:
    model = models.SequenceClassifier("gru", ["no", "yes"], 5, vocab=LETTERS, rng=rng())
    model.save(tmp_path / "model.safetensors")
    return model


def test_labels_of_texts(
    tmp_path: Path, classifier: models.SequenceClassifier, capsys: Any, monkeypatch: Any
) -> None:
    wanted = classifier.predict(TEXTS).tolist()
    assert set(wanted) == {"no", "yes"}
    data = lines(tmp_path / "data.txt", *TEXTS)
    assert predict(capsys, tmp_path, data) == (wanted, "")
    assert predict(capsys, tmp_path, data, "--batch-size", 2) == (wanted, "")
    examples = lines(
        tmp_path / "data.jsonl", *TEXTS[:3], *({"x": x, "label": "no"} for x in TEXTS[3:])
    )
    assert predict(capsys, tmp_path / "model.safetensors", examples) == (wanted, "")
    monkeypatch.setattr("sys.stdin", io.StringIO("\n".join(TEXTS)))
    assert predict(capsys, tmp_path) == (wanted, "")
    out, _ = predict(capsys, tmp_path, data, "--json")
    assert [json.loads(line) for line in out] == [{"label": name} for name in wanted]
    out, _ = predict(capsys, tmp_path, data, "--probabilities")
    found = [json.loads(line) for line in out]
    assert [each["label"] for each in found] == wanted
    shares = [[each["probabilities"][name] for name in ("no", "yes")] for each in found]
    np.testing.assert_array_equal(np.float32(shares), classifier.predict_proba(TEXTS))


def test_scores_of_labels(
    tmp_path: Path, classifier: models.SequenceClassifier, capsys: Any
) -> None:
    """A label that the model has never seen is wrong, and counts in F1."""
    right = classifier.predict(TEXTS).tolist()
    other = {"no": "yes", "yes": "no"}
    given = [other[right[0]], "maybe", *right[2:]]
    data = lines(tmp_path / "data.txt", *TEXTS)
    plain = lines(tmp_path / "right.txt", *given)
    both = lines(
        tmp_path / "right.jsonl",
        *({"x": x, "label": y} for x, y in zip(TEXTS, given, strict=True)),
    )
    f1 = []
    for name in ("no", "yes", "maybe"):
        hits = sum(a == b == name for a, b in zip(right, given, strict=True))
        f1.append(2 * hits / (right.count(name) + given.count(name)))
    out, err = predict(capsys, tmp_path, data, "--references", plain, "--json")
    assert len(out) == 5
    figures = json.loads(only_line(err))
    assert figures == {"accuracy": pytest.approx(3 / 5), "f1": pytest.approx(sum(f1) / 3)}
    out, err = predict(capsys, tmp_path, both, "--references", both)
    assert (out, only_line(err)) == (right, f"accuracy 0.6000  f1 {sum(f1) / 3:.4f}")
    lines(tmp_path / "short.txt", "no")
    said = refused(capsys, tmp_path, data, "--references", tmp_path / "short.txt")
    assert "short.txt must have a line for each of" in said
    assert "got 1 and 5" in said


def test_unknown_symbols_are_reported(
    tmp_path: Path, classifier: models.SequenceClassifier, capsys: Any
) -> None:
    data = lines(tmp_path / "data.txt", "abx", "yb", "aba")
    assert f"unknown: 2 of the 8 symbols of {data}, 25.0 %" in predict(capsys, tmp_path, data)[1]


def test_names_of_a_training_that_wrote_them_beside_its_model(tmp_path: Path, capsys: Any) -> None:
    model = models.SequenceClassifier("gru", 2, 5, vocab=LETTERS, rng=rng())
    model.save(tmp_path / "model.safetensors")
    data, numbers = lines(tmp_path / "data.txt", *TEXTS), model.predict(TEXTS)
    assert predict(capsys, tmp_path, data)[0] == [str(number) for number in numbers]
    (tmp_path / "labels.json").write_text('["no", "yes"]')
    names = [("no", "yes")[number] for number in numbers]
    assert predict(capsys, tmp_path, data)[0] == names
    shutil.copy(tmp_path / "model.safetensors", tmp_path / "other")
    assert predict(capsys, tmp_path / "other", data)[0][0] in "01", "not of other files"
    for wrong in ("[1, 2]", '["no"]', "{"):
        (tmp_path / "labels.json").write_text(wrong)
        assert "labels.json: it " in refused(capsys, tmp_path, data)


@pytest.mark.parametrize("batch_first", [False, True])
def test_tags_of_vectors(tmp_path: Path, batch_first: bool, capsys: Any) -> None:
    model = models.SequenceTagger(
        "lstm", ["in", "out", "on"], 4, input_size=2, batch_first=batch_first, rng=rng()
    )
    model.save(tmp_path / "model")
    series = [rng().standard_normal((T, 2)).round(3).tolist() for T in (3, 1, 4)]
    data = lines(tmp_path / "data.jsonl", *({"x": x} for x in series))
    wanted, shares = [], []
    for each in series:
        x = np.array(each)[None] if batch_first else np.array(each)[:, None]
        wanted.append(model.predict(x).ravel().tolist())
        shares.append(model.predict_proba(x).reshape(-1, 3))
    assert predict(capsys, tmp_path / "model", data)[0] == [" ".join(tags) for tags in wanted]
    out, _ = predict(capsys, tmp_path / "model", data, "--probabilities")
    for line, tags, rows in zip(map(json.loads, out), wanted, shares, strict=True):
        assert line["labels"] == tags
        steps = [[step[name] for name in model.labels or ()] for step in line["probabilities"]]
        np.testing.assert_array_equal(np.float32(steps), rows)
    flat = [tag for tags in wanted for tag in tags]
    changed = [["?", *wanted[0][1:]], *wanted[1:]]
    right = lines(tmp_path / "right.txt", *map(" ".join, changed))
    _, err = predict(capsys, tmp_path / "model", data, "--references", right, "--json")
    assert json.loads(err)["accuracy"] == pytest.approx((len(flat) - 1) / len(flat))
    lines(tmp_path / "right.txt", "in", *map(" ".join, changed[1:]))
    said = refused(capsys, tmp_path / "model", data, "--references", right)
    assert "a label for each step, 3, got 1" in said


@pytest.mark.parametrize("each_step", [False, True])
def test_numbers(tmp_path: Path, each_step: bool, capsys: Any) -> None:
    model = models.SequenceRegressor("gru", 2, 4, input_size=1, each_step=each_step, rng=rng())
    model.save(tmp_path / "model")
    series = [[0.5, -1.0, 2.0], [1.5], [0.25, 0.75]]
    data = lines(tmp_path / "data.jsonl", *series)
    alone = [model.predict(np.array(x)[:, None, None]) for x in series]
    wanted = [found[:, 0] if each_step else found[0] for found in alone]
    out, _ = predict(capsys, tmp_path / "model", data)
    for line, rows in zip(out, wanted, strict=True):
        found = json.loads(line) if each_step else line.split()
        np.testing.assert_array_equal(np.float32(found), rows)
    answers = [(rows + 0.5).tolist() for rows in wanted]
    right = lines(tmp_path / "right.jsonl", *({"target": each} for each in answers))
    _, err = predict(capsys, tmp_path / "model", data, "--references", right, "--json")
    figures = json.loads(err)
    assert figures["rmse"] == pytest.approx(0.5, rel=1e-5)
    assert figures["mae"] == pytest.approx(0.5, rel=1e-5)
    flat = np.concatenate([np.reshape(each, (-1, 2)) for each in answers])
    spread = ((flat - flat.mean(0)) ** 2).sum(0)
    assert figures["r2"] == pytest.approx(np.mean(1 - len(flat) * 0.25 / spread), rel=1e-4)
    itself = tmp_path / "itself.txt"
    itself.write_text("\n".join(out))
    _, err = predict(capsys, tmp_path / "model", data, "--references", itself, "--json")
    assert json.loads(err)["rmse"] < 1e-6
    lines(tmp_path / "right.jsonl", *[{"target": [1.0, 2.0, 3.0]}] * 3)
    said = refused(capsys, tmp_path / "model", data, "--references", right)
    assert "line 1: target must be 2 finite numbers" in said


def test_translations(tmp_path: Path, capsys: Any) -> None:
    words = Vocabulary.from_texts(["alpha beta"], level="word")
    model = models.Seq2Seq("gru", LETTERS, words, 12, rng=rng())
    names = [" ".join({"a": "alpha", "b": "beta"}[c] for c in text) for text in TEXTS]
    model.fit(model.pairs(TEXTS, names, 5), Adam(lr=0.02), updates=60, progress=False)
    model.save(tmp_path / "model")
    data = lines(tmp_path / "data.txt", *TEXTS)
    for beam in (1, 3):
        wanted = model.translate(TEXTS, beam_size=beam)
        out, _ = predict(capsys, tmp_path / "model", data, "--beam", beam, "--json")
        found = [json.loads(line) for line in out]
        assert [each["target"] for each in found] == [each.text for each in wanted]
        assert [each["score"] for each in found] == [pytest.approx(e.score) for e in wanted]
    texts = [str(each.text) for each in model.translate(TEXTS)]
    assert len(set(texts)) > 2
    assert predict(capsys, tmp_path / "model", data) == (texts, "")
    given = ["alpha gamma", *texts[1:]]
    right = lines(tmp_path / "right.txt", *given)
    for command in ("predict", "translate"):
        assert main([command, str(tmp_path / "model"), data, "--references", right]) == 0
        out, err = capsys.readouterr()
        assert out.splitlines() == texts
        count = sum(len(text.split()) for text in given)
        assert f"unknown: 1 of the {count} symbols of {right}" in err
        assert "exact_match 0.8000  wer " in err.splitlines()[-1]
    lines(tmp_path / "right.txt", *texts)
    _, err = predict(capsys, tmp_path / "model", data, "--references", right)
    assert "exact_match 1.0000  wer 0.0000  cer 0.0000" in err.splitlines()[-1]


def test_bits_of_a_text(tmp_path: Path, capsys: Any, monkeypatch: Any) -> None:
    """It goes on from part to part, so the figure is that of the whole text in one."""
    model = models.LanguageModel("gru", LETTERS, 5, rng=rng())
    model.save(tmp_path / "model")
    text = "".join(rng().choice(["a", "b"], 1300)) + "\n"
    (tmp_path / "data.txt").write_text(text)
    ids = LETTERS.encode(text)
    nats = float(model.loss(model.params, (ids[:-1, None], ids[1:, None])))
    out, err = predict(capsys, tmp_path / "model", tmp_path / "data.txt", "--json")
    figures = json.loads(only_line("\n".join(out)))
    assert figures["loss"] == pytest.approx(nats, rel=1e-5)
    assert figures["bits"] == pytest.approx(nats / math.log(2), rel=1e-5)
    assert figures["symbols"] == 1300
    assert "unknown: 1 of the 1,301 symbols" in err
    monkeypatch.setattr("sys.stdin", io.StringIO(text))
    out, _ = predict(capsys, tmp_path / "model", "-")
    figures = f"loss {nats:.4f}  bits {nats / math.log(2):.4f}  perplexity {math.exp(nats):.4f}"
    assert out == [f"{figures}  symbols 1300"]


def test_one_clear_line_where_something_is_wrong(
    tmp_path: Path, classifier: models.SequenceClassifier, capsys: Any
) -> None:
    models.VAE(4, 2, rng=rng()).save(tmp_path / "vae")
    models.LanguageModel("gru", LETTERS, 5).save(tmp_path / "language")
    models.SequenceClassifier("gru", 2, 5, input_size=2).save(tmp_path / "vectors")
    models.SequenceClassifier("gru", 2, 5, vocab=4).save(tmp_path / "symbols")
    data = lines(tmp_path / "data.txt", *TEXTS)
    (tmp_path / "latin.txt").write_bytes(b"ab\na\xe9\n")
    lines(tmp_path / "odd.jsonl", {"y": 1})
    lines(tmp_path / "number.jsonl", 3)
    lines(tmp_path / "vectors.jsonl", [[1.0, 2.0]], [[1.0]])
    lines(tmp_path / "nan.jsonl.txt", "[[NaN, 1]]")
    lines(tmp_path / "symbols.jsonl", [0, 3], [0.5])
    lines(tmp_path / "odd_label.jsonl", *[{"label": 1.5}] * 5)
    for args, said in {
        ("vae", data): "it holds a VAE, which cannot predict; load it in Python with VAE.load",
        (".", "latin.txt"): "latin.txt is not UTF-8: byte 0xe9 in line 2",
        (".", "odd.jsonl"): "odd.jsonl, line 1: it must be {\"x\": …}, got ['y']",
        (".", "number.jsonl"): "number.jsonl, line 1: x must be a text",
        (".", "none.txt"): "none.txt: No such file",
        ("vectors", data): "data.txt, line 1: it is no JSON",
        ("vectors", "vectors.jsonl"): "line 2: x must be a list of steps, 2 numbers each",
        ("vectors", "nan.jsonl.txt"): "line 1: ",
        ("symbols", "symbols.jsonl"): "line 2: x must be a list of symbols",
        (".", data, "--beam", "2"): "--beam is for translations",
        (".", data, "--references", "odd_label.jsonl"): "label must be made of texts or integers",
        ("language", data, "--references", data): "leave --references away",
        ("language", data, "--probabilities"): "which a LanguageModel has none of",
    }.items():
        paths = [word if word.startswith("-") or word.isdigit() else tmp_path / word
                 for word in args]  # fmt: skip
        assert said in refused(capsys, *paths)
    assert main(["train", str(tmp_path / "latin.txt")]) == 1
    assert "latin.txt is not UTF-8: byte 0xe9 in line 2" in only_line(capsys.readouterr().err)
    assert main(["predict", str(tmp_path), data, "--batch-size", "0"]) == 2
    assert main(["generate", str(tmp_path)]) == 1
    assert "fastrnn predict is for it" in capsys.readouterr().err
