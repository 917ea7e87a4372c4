"""Why: dialogues, sentences and vectors are trained from a file like all else: what is in the file
decides, a wrong line is named, and a stop changes nothing.
"""

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers.commands import only_line

from fastrnn import models
from fastrnn.cli import main
from fastrnn.cli.datasets.section import DATASETS
from fastrnn.models._parts.model import flatten

pytest.importorskip("autograd")
pytest.importorskip("safetensors")

CONFIG = """
[model]
kind = "{kind}"
{model}

[data]
{data}
held_out = 0.2

[optimiser]
kind = "Adam"
lr = 0.02

[training]
folder = "run"
epochs = {epochs}
max_norm = 1.0
save_every = 3
"""
DIALOGUES = """dialogues = "talks.jsonl"
batch_size = 8"""
KINDS = {
    "HRED": ('cell = "gru"\nhidden_size = 24', DIALOGUES),
    "VHRED": (
        'cell = "gru"\nhidden_size = 24\nz_dim = 2\nkl_schedule = 20\nword_drop = 0.1',
        DIALOGUES + '\nsaid = "answers"',
    ),
    "segments": ('cell = "lstm"\nhidden_size = 16\nspeakers = 2', DIALOGUES),
    "SequenceVAE": ('cell = "lstm"\nhidden_size = 16\nz_dim = 3', 'text = "talks.txt"'),
    "AutoEncoder": ("z_dim = 2\nhidden_sizes = [8]", 'vectors = "x.npz"\nbatch_size = 10'),
    "VAE": ("z_dim = 2\nhidden_sizes = [8]", 'vectors = "x.npy"\nscale = 255\nbatch_size = 10'),
}


MARKED = '{"turns": ["a", "b"], "speakers": [0, 1]}'


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Names that are said and asked for, 40 times; and vectors on a plane."""
    monkeypatch.chdir(tmp_path)
    talks = [
        [f"i am {name}", f"hello {name}", "who am i", f"you are {name}"]
        for name in ("ann", "bob", "cid", "dee") * 10
    ]
    (tmp_path / "talks.jsonl").write_text("".join(json.dumps(talk) + "\n" for talk in talks))
    (tmp_path / "talks.txt").write_text("\n\n".join("\n".join(talk) for talk in talks) + "\n")
    rng = np.random.default_rng(0)
    x = rng.random((60, 2)) @ rng.random((2, 6)) / 2
    np.savez(tmp_path / "x.npz", x=x)
    np.save(tmp_path / "x.npy", (255 * x).astype(np.uint8).reshape(60, 2, 3))
    return tmp_path


def class_of(kind: str) -> str:
    return "HRED" if kind == "segments" else kind


def write(folder: Path, kind: str, epochs: int = 4, change: tuple[str, str] = ("", "")) -> str:
    model, data = KINDS[kind]
    text = CONFIG.format(kind=class_of(kind), model=model, data=data, epochs=epochs)
    if kind == "segments":
        text += "segment_turns = 2\n"
    assert change[0] in text
    (folder / "config.toml").write_text(text.replace(*change) if change[0] else text)
    return "config.toml"


def learned(kind: str, folder: Path) -> dict[str, bytes]:
    model = getattr(models, class_of(kind)).load(folder / "run" / "model.safetensors")
    return {name: a.tobytes() for name, a in flatten(model.params).items()}


@pytest.mark.parametrize("kind", KINDS)
def test_it_learns_and_a_stop_changes_nothing(kind: str, folder: Path, capsys: Any) -> None:
    assert main(["train", write(folder, kind)]) == 0
    out = capsys.readouterr().out
    losses = [float(loss) for loss in re.findall(r"validation: loss ([\d.-]+)", out)]
    assert losses[-1] < losses[0]
    assert f"held out: loss {losses[-1]:.4f}" in out, "the same noise for the same figure"
    whole = learned(kind, folder)
    (folder / "run").rename(folder / "whole")
    assert main(["train", write(folder, kind, 2)]) == 0
    assert main(["train", write(folder, kind), "--resume"]) == 0
    assert learned(kind, folder) == whole
    capsys.readouterr()


def test_who_was_trained_from_a_file_replies(
    folder: Path, capsys: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    change = ('"talks.jsonl"', '"talks.txt"')
    assert main(["train", write(folder, "HRED", 40, change)]) == 0
    assert "32 dialogues of talks.txt, 128 turns, 14 different words; 8 held" in (
        capsys.readouterr().out
    )
    (folder / "said").write_text("i am bob\nwho am i\n")
    with (folder / "said").open() as said:
        monkeypatch.setattr("sys.stdin", said)
        assert main(["reply", "run"]) == 0
    assert capsys.readouterr().out == "hello bob\nyou are bob\n"


def test_the_help_names_every_kind(capsys: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "120")
    assert main(["train", "--help"]) == 0
    shown = capsys.readouterr().out
    assert all(kind in shown for kind in DATASETS)


@pytest.mark.parametrize(
    ("kind", "change", "words"),
    [
        ("HRED", ("hidden_size", "hiden_size"), r"unknown key hiden_size, did you mean hidden"),
        ("HRED", ("= 24", "= 24\nz_dim = 2"), r"\[model\] unknown key z_dim"),
        ("HRED", ("batch_size", "bach_size"), r"\[data\] unknown key bach_size, did you mean"),
        ("HRED", ("talks.jsonl", "none.jsonl"), "none.jsonl: No such file"),
        ("HRED", ("dialogues = ", "# "), r"\[data\] needs dialogues"),
        ("HRED", ("batch_size = 8", "batch_size = 0"), "batch_size must be at least 1, got 0"),
        ("HRED", ("batch_size = 8", 'level = "letter"'), "level must be one of .*'letter'"),
        ("VHRED", ('"answers"', '"some"'), "said must be 'all' or 'answers', got 'some'"),
        ("VHRED", ("z_dim = 2", ""), r"\[model\] needs z_dim"),
        ("segments", ("turns = 2", "turns = 0"), r"\[training\] segment_turns must be at least 1"),
        ("VAE", ("epochs", "segment_turns = 2\nepochs"), r"\[training\] segment_turns cuts dial"),
        ("SequenceVAE", ('"talks.txt"', '"talks.txt"\nlongest = 1'), "leaves no sentence"),
        ("SequenceVAE", ('"talks.txt"', '"talks.txt"\nlongest = "x"'), "longest must be an int"),
        ("segments", ("speakers = 2", 'speakers = "2"'), r"\[model\] speakers must be an integer"),
        ("HRED", ("= 24", "= 24\nnum_layers = 2"), r"\[model\] num_layers is no option of this m"),
        ("SequenceVAE", ("0.2", "1"), "held_out must lie between 0 and 1"),
        ("AutoEncoder", ("z_dim = 2", 'z_dim = 2\ncell = "gru"'), r"\[model\] unknown key cell"),
        ("AutoEncoder", ("x.npz", "talks.txt"), "no array file of NumPy$"),
        ("AutoEncoder", ('"x.npz"', '"x.npz"\narray = "y"'), r"array must be one of \['x'\]"),
        ("AutoEncoder", ("z_dim = 2", 'z_dim = 2\ndtype = "int8"'), "dtype must be float32 or"),
        ("AutoEncoder", ("z_dim = 2", "z_dim = 2\ndtype = 3"), r"\[model\] dtype must be float32"),
        ("VAE", ("scale = 255", "scale = 1"), r"x must lie in 0\.\.1 for a Bernoulli"),
        ("VAE", ("scale = 255", "scale = 0"), "scale must be above 0"),
        ("VAE", ('"x.npy"', '"x.npy"\narray = "x"'), "x.npy holds one array alone"),
    ],
)
def test_a_wrong_file_is_one_line_and_1(
    folder: Path, kind: str, change: tuple[str, str], words: str, capsys: Any
) -> None:
    assert main(["train", write(folder, kind, 1, change)]) == 1
    assert re.search(words, only_line(capsys.readouterr().err))


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        (['["a", "b"]', '["a", 2]'], "line 2: it must be a list of texts"),
        (['["a", "b"]', '{"turns": []}'], "line 2: it must be a list of texts"),
        (['{"turns": ["a"], "speakers": [0, 1]}'], "line 1: speakers must be integers, one for"),
        (['{"turns": ["a"], "speakers": ["x"]}'], "line 1: speakers must be integers, one for"),
        (['{"turns": "a", "speakers": [0]}'], "line 1: it must be a list of texts"),
        (['{"turns": 3, "speakers": [0]}'], "line 1: it must be a list of texts"),
        (['["a", "b"]', MARKED], "in all dialogues, or in none"),
        ([MARKED] * 3, "[model] speakers must be at least 2, as the dialogues name so many, got 0"),
        (['{"turns": ["a"], "speakers": [-1]}'], "line 1: speakers must be integers, one for"),
        (['["a", "b"]', "[", '["a", "b"]'], "line 2: it is no JSON"),
        (['["a", "b"]'], "must hold at least two dialogues, got 1"),
        (['["a"]'] * 3, "must hold dialogues of two turns and more"),
    ],
)
def test_a_wrong_dialogue_is_named(
    folder: Path, lines: list[str], words: str, capsys: Any
) -> None:
    (folder / "talks.jsonl").write_text("\n".join(lines))
    assert main(["train", write(folder, "HRED", 1)]) == 1
    assert words in only_line(capsys.readouterr().err)


def test_who_speaks_may_stand_in_the_file(folder: Path, capsys: Any) -> None:
    """After the same word one says this, and the other one that."""
    kinds = [(["hi", "hello you"], [0, 1]), (["hi", "good day"], [0, 0])] * 20
    lines = [json.dumps({"turns": turns, "speakers": who}) for turns, who in kinds]
    (folder / "talks.jsonl").write_text("\n".join(lines))
    change = ("= 24", "= 24\nspeakers = 2")
    assert main(["train", write(folder, "HRED", 30, change)]) == 0
    model = models.HRED.load(folder / "run" / "model.safetensors")
    said = [model.reply(["hi"], speakers=[0, who]) for who in (0, 1)]
    assert said == ["good day", "hello you"]
    capsys.readouterr()


def test_odd_dialogues_are_learned(folder: Path, capsys: Any) -> None:
    """Empty turns, a dialogue of one turn, words that only the held-out part has."""
    lines = [["", "hello", ""], ["hello"], ["one", "two"], [], ["hello", "x"], ["y", "z", ""]] * 4
    (folder / "talks.jsonl").write_text("\n".join(map(json.dumps, lines)))
    assert main(["train", write(folder, "HRED", 1, ("= 8", "= 8\nmin_count = 5"))]) == 0
    assert "held out: loss" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (np.zeros(5), r"must hold numbers of shape \(n, I\).*got float64 \(5,\)"),
        (np.array([["a"] * 3] * 4), "must hold numbers"),
        (np.full((4, 2), np.nan), "must hold finite numbers"),
        (np.zeros((1, 3)), "must hold at least two vectors"),
        (np.array([[None] * 3] * 4), "must hold numbers, got object"),
    ],
)
def test_a_wrong_array_is_named(folder: Path, content: Any, words: str, capsys: Any) -> None:
    np.save(folder / "x.npy", content, allow_pickle=True)
    assert main(["train", write(folder, "VAE", 1)]) == 1
    assert re.search(words, only_line(capsys.readouterr().err))
