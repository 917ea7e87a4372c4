"""Why: the command must write a file that the other commands take, and say truly how large it is
and what it costs: sizes are those of the files, figures those of `evaluate` for either file.
"""

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers.commands import only_line

import fastrnn
from fastrnn.cli import main
from fastrnn.data import Vocabulary

pytest.importorskip("autograd")
pytest.importorskip("safetensors")

from fastrnn import models

LETTERS = Vocabulary.from_texts(["ab"], level="character")
TEXTS = ["abba", "b", "aab", "ab"]


def rng() -> np.random.Generator:
    return np.random.default_rng(5)


def run(capsys: Any, *args: Any) -> list[str]:
    assert main(list(map(str, args))) == 0
    return capsys.readouterr().out.splitlines()


def refused(capsys: Any, *args: Any) -> str:
    assert main(["quantize", *map(str, args)]) == 1
    return only_line(capsys.readouterr().err)


@pytest.mark.parametrize("precision", ["int8", "bfloat16"])
def test_a_classifier(precision: str, tmp_path: Path, capsys: Any) -> None:
    model = models.SequenceClassifier("gru", ["no", "yes"], 64, vocab=LETTERS, rng=rng())
    path, out, data = (tmp_path / name for name in ("m.safetensors", "q.safetensors", "d.jsonl"))
    model.save(path)
    labels = ["no", "yes", "no", "no"]
    rows = [{"x": x, "label": label} for x, label in zip(TEXTS, labels, strict=True)]
    data.write_text("".join(json.dumps(row) + "\n" for row in rows))
    first, second, before, after = run(
        capsys, "quantize", path, "--out", out, "--precision", precision, "--data", data
    )
    q = models.load(out)
    assert q.quantized == precision
    for line, file, m in ((first, path, model), (second, out, q)):
        assert line.startswith(f"{file}: ")
        numbers = [int(n.replace(",", "")) for n in re.findall(r"[\d,]*\d(?= bytes|$)", line)]
        assert numbers == [file.stat().st_size, m.nbytes]
    for line, file in ((before, path), (after, out)):
        assert line.split(": ")[1] == only_line("\n".join(run(capsys, "evaluate", file, data)))
    assert [line.split(":")[0].strip() for line in (before, after)] == ["before", "after"]


def test_a_folder_of_a_training_and_references(tmp_path: Path, capsys: Any) -> None:
    model = models.SequenceClassifier("gru", ["no", "yes"], 8, vocab=LETTERS, rng=rng())
    model.save(tmp_path / "model.safetensors")
    data, right, out = tmp_path / "d.txt", tmp_path / "r.txt", tmp_path / "q.safetensors"
    data.write_text("abba\nb\n")
    right.write_text("no\nyes\n")
    lines = run(capsys, "quantize", tmp_path, "--out", out, "--data", data, "--references", right)
    assert len(lines) == 4
    assert "int8" in lines[1]


def test_a_language_model_goes_on_generating(tmp_path: Path, capsys: Any) -> None:
    path, out, data = (tmp_path / name for name in ("m.safetensors", "q.safetensors", "d.txt"))
    models.LanguageModel("lstm", LETTERS, 16, rng=rng()).save(path)
    data.write_text("abba" * 30)
    lines = run(capsys, "quantize", path, "--out", out, "--data", data)
    assert all("perplexity" in line for line in lines[2:])
    assert run(capsys, "generate", out, "--prompt", "ab", "--length", 5, "--seed", 1)
    assert main(["export", str(out), str(tmp_path / "q.onnx"), "--state"]) == 1
    assert "write the model that this quantised one was made of" in only_line(
        capsys.readouterr().err
    )


def test_a_layer(tmp_path: Path, capsys: Any) -> None:
    path, out = tmp_path / "l.safetensors", tmp_path / "q.safetensors"
    fastrnn.LSTM(8, 32, rng=rng()).save(path)
    first, _ = run(capsys, "quantize", path, "--out", out)
    assert ": LSTM, " in first
    assert fastrnn.LSTM.load(out).quantized == "int8"
    said = refused(capsys, path, "--out", out, "--data", path)
    assert "holds a layer, which has no figures: leave --data away" in said


def test_what_is_refused(tmp_path: Path, capsys: Any) -> None:
    path, out = tmp_path / "m.safetensors", tmp_path / "q.safetensors"
    models.LanguageModel("rnn", LETTERS, 8, layer_norm=True, rng=rng()).save(path)
    assert "layer_norm is not supported with int8" in refused(capsys, path, "--out", out)
    assert not out.exists()
    run(capsys, "quantize", path, "--out", out, "--precision", "bfloat16")
    assert "is quantised already" in refused(capsys, out, "--out", tmp_path / "r.safetensors")
    assert "--references is for figures on data" in refused(
        capsys, path, "--out", out, "--references", path
    )
    assert "--beam is for figures on data" in refused(capsys, path, "--out", out, "--beam", 2)
    before = path.read_bytes()
    assert "whose weights would be lost" in refused(capsys, path, "--out", path)
    assert path.read_bytes() == before
    models.VAE(3, 2, rng=rng()).save(path)
    assert "VAE has no recurrent layer" in refused(capsys, path, "--out", out)
    assert main(["quantize", str(path)]) == 2  # --out is missing
    assert main(["quantize", str(path), "--out", str(out), "--precision", "int4"]) == 2


def test_nothing_is_written_before_the_data_is_read(tmp_path: Path, capsys: Any) -> None:
    path, out, data = (tmp_path / name for name in ("m.safetensors", "q.safetensors", "d.jsonl"))
    models.SequenceClassifier("gru", 2, 8, vocab=LETTERS, rng=rng()).save(path)
    data.write_text('{"x": [1.0], "target": 2.0}\n')
    assert "d.jsonl, line 1" in refused(capsys, path, "--out", out, "--data", data)
    assert not out.exists()


@pytest.mark.parametrize("precision", ["int8", "bfloat16"])
def test_what_it_writes_can_be_verified(precision: str, tmp_path: Path, capsys: Any) -> None:
    path, out = tmp_path / "m.safetensors", tmp_path / "q.safetensors"
    for model in (
        models.SequenceClassifier("lstm", 2, 8, vocab=LETTERS, bidirectional=True, rng=rng()),
        models.LanguageModel("gru", LETTERS, 8, rng=rng()),
        models.Seq2Seq("gru", LETTERS, LETTERS, 8, attention="dot", rng=rng()),
        models.HRED("gru", 9, 8, rng=rng()),
        models.SequenceVAE("lstm", 9, 8, 4, rng=rng()),
    ):
        model.save(path)
        run(capsys, "quantize", path, "--out", out, "--precision", precision)
        said = run(capsys, "verify", out)
        assert "the SHA-256 is right" in said[0]
        assert said[1].startswith(type(model).__name__)
