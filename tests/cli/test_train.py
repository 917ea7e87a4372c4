"""Why: a training described by a file must do what the file says, or say in one line why not; and
whoever stops it with Ctrl-C must be able to go on as if nothing had been.
"""

import json
import re
import signal
import subprocess
from pathlib import Path

import numpy as np
import pytest
from helpers.commands import COMMAND, TIMEOUT, only_line
from helpers.processes import environment

from fastrnn import models
from fastrnn.cli import main
from fastrnn.data import Vocabulary
from fastrnn.train import load_latest

pytest.importorskip("autograd")
pytest.importorskip("safetensors")

LANGUAGE = """
[model]
kind = "LanguageModel"
cell = "gru"
hidden_size = 8
dropout = 0.1

[data]
text = "text.txt"
N = 4
T = 10

[optimiser]
kind = "Adam"

[schedule]
kind = "cosine"
lr = 0.02
steps = 60
warmup = 5

[training]
folder = "run"
updates = {updates}
validate_every = 20
save_every = 15
max_norm = 1.0
seed = 3
"""
LABELLED = """
[model]
kind = "{kind}"
cell = "lstm"
hidden_size = 12

[data]
examples = "examples.jsonl"
held_out = 0.25
batch_size = 8

[optimiser]
kind = "SGD"
lr = 1.0
momentum = 0.5

[training]
folder = "run"
epochs = {epochs}
patience = 200
max_norm = 5.0
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)
    words = ["the cat sat", "a dog ran", "the bird flew", "one fish swam"]
    (tmp_path / "text.txt").write_text(". ".join(rng.choice(words, 200)))
    return tmp_path


def write(folder: Path, text: str) -> str:
    (folder / "config.toml").write_text(text)
    return "config.toml"


def test_a_language_model_learns_and_writes(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["train", write(folder, LANGUAGE.format(updates=60))]) == 0
    out = capsys.readouterr().out
    data = r"^data: [\d,]+ characters of text.txt, \d+ different; \d+ held out$"
    data += r"\nunknown symbols: 0.0 % of what is learned from, \d+\.\d % of what is held out$"
    assert re.search(data, out, re.MULTILINE)
    assert re.search(r"^model: LanguageModel\(cell='gru'.*, [\d,]+ parameters$", out, re.MULTILINE)
    size = r"[\d,.]+ MB"
    said = rf"^memory: {size} at most for an update: weights {size}, gradients {size}, "
    assert re.search(said + rf"Adam {size}, a batch of 40 steps {size}$", out, re.MULTILINE)
    losses = [float(loss) for loss in re.findall(r"validation: loss ([\d.]+)", out)]
    assert len(losses) == 3
    assert losses[-1] < 0.85 * losses[0]
    assert re.search(rf"^held out: loss {losses[-1]:.4f} .*perplexity", out, re.MULTILINE)
    files = {path.name for path in (folder / "run").iterdir()} - {"loss.png"}
    checkpoints = {f"checkpoint-000000{n}.safetensors" for n in (45, 60)}
    assert files == checkpoints | {"model.safetensors", "metrics.jsonl"}
    for path in ("run", "run/model.safetensors"):
        arguments = ["generate", path, "--prompt", "the ", "--length", "20", "--seed", "1"]
        assert main([*arguments, "--temperature", "0.5", "--top-k", "5", "--top-p", "0.9"]) == 0
    first, second = capsys.readouterr().out.splitlines()
    assert first == second
    assert first.startswith("the ")
    assert len(first) > 10


def test_the_same_file_gives_the_same_bits_stopped_or_not(folder: Path) -> None:
    config = write(folder, LANGUAGE.format(updates=60))
    assert main(["train", config]) == 0
    whole = (folder / "run").rename(folder / "whole")
    write(folder, LANGUAGE.format(updates=33))
    assert main(["train", config]) == 0
    write(folder, LANGUAGE.format(updates=60))
    assert main(["train", config]) == 1, "another training's folder is not overwritten"
    assert main(["train", config, "--resume"]) == 0
    ours, theirs = (
        models.load(path / "model.safetensors") for path in (whole, folder / "run")
    )
    for name in ("embedding", "rnn", "out"):
        for key, array in ours.params[name].items():
            assert array.tobytes() == theirs.params[name][key].tobytes(), (name, key)


def test_ctrl_c_saves_and_says_how_to_go_on(folder: Path) -> None:
    config = write(folder, LANGUAGE.format(updates=1_000_000))
    with subprocess.Popen(
        [*COMMAND, "train", config],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment(),
    ) as process:
        assert process.stdout is not None
        while "validation" not in (line := process.stdout.readline()):
            assert line, process.stderr and process.stderr.read()
        process.send_signal(signal.SIGINT)
        out, errors = process.communicate(timeout=TIMEOUT)
    assert process.returncode == 130
    assert only_line(errors) == "fastrnn: interrupted"
    (done,) = re.findall(r"^stopped after (\d+) updates; --resume goes on", out, re.MULTILINE)
    assert load_latest("run").state["run"]["update"] == int(done)
    assert isinstance(models.load("run/model.safetensors"), models.LanguageModel)


def test_a_language_model_learns_from_a_sample_of_the_symbols(folder: Path) -> None:
    text = LANGUAGE.format(updates=20).replace(
        "dropout = 0.1", 'dropout = 0.1\nloss = "sampled"\nnum_samples = 8'
    )
    assert main(["train", write(folder, text)]) == 0
    assert models.load(folder / "run").config["num_samples"] == 8
    (folder / "run").rename(folder / "first")
    assert main(["train", write(folder, text.replace("= 8\n", '= "many"\n', 1))]) == 1
    assert main(["train", write(folder, text.replace("sampled", "hinge"))]) == 1


def test_a_language_model_learns_from_a_token_file(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = ["the cat sat", "the dog ran"] * 60
    (folder / "corpus.txt").write_text("\n".join(lines) + "\n")
    for more in (["--learn", "word"], ["--out", "corpus.bin", "--eos"]):
        assert main(["tokenize", "words.json", "corpus.txt", *more]) == 0
    text = LANGUAGE.format(updates=20)
    tokens = text.replace('text = "text.txt"', 'tokens = "corpus.bin"\nvocabulary = "words.json"')
    assert main(["train", write(folder, tokens)]) == 0
    assert "432 ids of corpus.bin, 9 different; 48 held out" in capsys.readouterr().out
    model = models.load(folder / "run")
    assert isinstance(model, models.LanguageModel)
    assert model.vocabulary is not None
    assert model.vocabulary.decode([4, 5]) == "the cat"
    (folder / "run").rename(folder / "first")
    assert main(["train", write(folder, tokens.replace("N = 4", "N = 400"))]) == 1
    assert "tokens must be" in only_line(capsys.readouterr().err)
    Vocabulary.from_texts(["a b c d e"], level="word").save("words.json")
    assert main(["train", write(folder, tokens)]) == 1
    other = "vocabulary must be the one that made corpus.bin, words.json is another"
    assert other in only_line(capsys.readouterr().err)
    train = ["train", write(folder, text.replace("text.txt", "corpus.bin"))]
    for arguments in (train, ["tokenize", "words.json", "corpus.bin"]):
        assert main(arguments) == 1
        assert "corpus.bin is a token file, no text" in only_line(capsys.readouterr().err)


def examples(folder: Path, lines: list[dict[str, object]]) -> None:
    (folder / "examples.jsonl").write_text("\n".join(map(json.dumps, lines)))


@pytest.mark.parametrize("each_step", [False, True])
def test_a_regressor_learns(
    folder: Path, each_step: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    """Twice the last number and a hundred times its negative: of sizes far from 0 and 1."""
    rng, lines = np.random.default_rng(1), []
    for _ in range(80):
        x = rng.uniform(-1, 1, rng.integers(2, 7))
        target = np.stack([2 * x + 5, -100 * x], axis=-1)
        lines.append({
            "x": x[:, None].tolist(),
            "target": target.tolist() if each_step else target[-1].tolist(),
        })  # fmt: skip
    examples(folder, lines)
    text = LABELLED.format(kind="SequenceRegressor", epochs=60)
    text = text.replace("[data]", f"each_step = {str(each_step).lower()}\n[data]")
    text = text.replace('"SGD"\nlr = 1.0\nmomentum = 0.5', '"Adam"\nlr = 0.01')
    assert main(["train", write(folder, text)]) == 0
    assert "60 examples of examples.jsonl, 2 numbers each; 20 held out" in capsys.readouterr().out
    model = models.load(folder / "run")
    assert isinstance(model, models.SequenceRegressor)
    (folder / "new.jsonl").write_text('{"x": [[0.1], [0.5]], "target": [[0, 0], [6, -50]]}\n')
    assert main(["predict", str(folder / "run"), str(folder / "new.jsonl"), "--json"]) == 0
    last = np.array(json.loads(capsys.readouterr().out)["target"])[... if not each_step else -1]
    assert (abs(last - [6, -50]) < [0.3, 15]).all(), last


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ({"x": [[1.0]], "target": "much"}, "line 2: target must be a number, or a list of numbers"),
        ({"x": [[1.0]], "target": [[1.0]]}, "line 2: target must be a number, or a list of"),
        ({"x": [[1.0]], "target": [1.0, 2.0]}, "target must have as many numbers as the others"),
        ({"x": [[1.0]], "target": [1e999]}, "line 2: "),
        ({"x": [[1.0]], "label": 1}, 'line 2: it must be {"x": …, "target": …}'),
    ],
)
def test_bad_targets_are_refused(
    folder: Path, line: dict[str, object], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    examples(folder, [{"x": [[1.0]], "target": 1}, line, {"x": [[1.0]], "target": 2}])
    path = write(folder, LABELLED.format(kind="SequenceRegressor", epochs=1))
    assert main(["train", path]) == 1
    assert words in capsys.readouterr().err


@pytest.mark.parametrize("kind", ["text", "vectors"])
def test_a_classifier_learns(
    folder: Path, kind: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Which of two comes last: it must read to the end of each."""
    rng, lines = np.random.default_rng(1), []
    for _ in range(80):
        bits = rng.integers(0, 2, rng.integers(2, 7))
        x = "".join("ab"[b] for b in bits) if kind == "text" else [[float(b), 1.0] for b in bits]
        lines.append({"x": x, "label": "yes" if bits[-1] else "no"})
    examples(folder, lines)
    text = LABELLED.format(kind="SequenceClassifier", epochs=25)
    assert main(["train", write(folder, text)]) == 0
    out = capsys.readouterr().out
    assert "60 examples of examples.jsonl, 2 labels; 20 held out" in out
    assert "accuracy 1.0000" in out.splitlines()[-2]
    assert json.loads((folder / "run" / "labels.json").read_text()) == ["no", "yes"]
    model = models.load(folder / "run")
    assert isinstance(model, models.SequenceClassifier)
    assert model.labels == ("no", "yes"), "the file of the model knows them itself"
    same = models.SequenceClassifier.load(str(folder / "run"))
    assert same.params["out"]["weight"].tobytes() == model.params["out"]["weight"].tobytes()
    (folder / "run" / "model.safetensors").unlink()
    saved = models.load(folder / "run")  # as a training leaves it that was killed
    assert isinstance(saved, models.SequenceClassifier)
    assert saved.labels == ("no", "yes")
    for checkpoint in (folder / "run").glob("checkpoint-*"):
        checkpoint.unlink()
    with pytest.raises(FileNotFoundError, match=r"model\.safetensors"):
        models.load(folder / "run")


def test_a_tagger_learns(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The label is what stood one step earlier, at level word."""
    rng, lines = np.random.default_rng(1), []
    for _ in range(80):
        words = [str(w) for w in rng.choice(["one", "two", "three"], rng.integers(2, 7))]
        lines.append({"x": " ".join(words), "labels": ["none", *words[:-1]]})
    examples(folder, lines)
    text = LABELLED.format(kind="SequenceTagger", epochs=40)
    text = text.replace("held_out", 'level = "word"\nheld_out')
    assert main(["train", write(folder, text)]) == 0
    assert "accuracy 1.0000" in capsys.readouterr().out.splitlines()[-2]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (("hidden_size", "hiden_size"), r"\[model\] unknown key hiden_size, did you mean hidden"),
        (("hidden_size = 8", ""), r"\[model\] needs hidden_size"),
        (("hidden_size = 8", "hidden_size = -8"), r"\[model\] .*-8"),
        (("hidden_size = 8", "hidden_size = 8.0"), r"\[model\] hidden_size must be an integer"),
        (('cell = "gru"', 'cell = "gru"\npeephole = true'), r"\[model\] .*peephole"),
        (('"gru"', '"tree"'), r"\[model\] .*cell.*'tree'"),
        (("LanguageModel", "Oracle"), r"\[model\] kind must be one of LanguageModel.*'Oracle'"),
        (("text.txt", "nothing.txt"), "nothing.txt: No such file"),
        (("N = 4", "N = 4\nM = 3"), r"\[data\] unknown key M"),
        (("T = 10", "held_out = 2"), r"\[data\] held_out must lie between 0 and 1, got 2"),
        (("N = 4", "N = 1_000_000"), r"\[data\] tokens must be at least"),
        (('"Adam"', '"Adam"\nlr = 0.1'), r"\[optimiser\] lr stands in \[schedule\] too"),
        (("cosine", "sine"), r"\[schedule\] kind must be one of constant"),
        (("steps = 60", ""), r"\[schedule\] needs steps"),
        (("updates = 60", ""), r"\[training\] fit needs a limit"),
        (("updates = 60", "updates = 6.5"), r"\[training\] updates must be an integer, got 6.5"),
        (("seed = 3", "patience = 0"), r"\[training\] patience must be at least 1"),
        (("seed = 3", "sed = 3"), r"\[training\] unknown key sed, did you mean seed"),
        (("seed = 3", "seed = -3"), r"\[training\] seed must be"),
        (("seed = 3", "threads = 0"), r"\[training\] threads must be in 1\.\.1024"),
        (("warmup = 5", "warmup = -5"), r"\[schedule\] warmup must be at least 0"),
        (('folder = "run"', ""), r"\[training\] needs folder"),
        (("save_every = 15", "save_every = 0"), r"\[training\] save_every must be at least 1"),
        (("warmup = 5", "wramup = 5"), r"\[schedule\] unknown key wramup, did you mean warmup"),
        (("warmup = 5", 'follow = "hours"'), r"\[schedule\] follow must be one of"),
        (('kind = "cosine"', 'knd = "cosine"'), r"\[schedule\] needs kind.*did you mean kind"),
        (("[schedule]", "[schedules]"), r"unknown section \[schedules\], did you mean schedule"),
    ],
)
def test_a_wrong_file_is_one_line_and_1(
    folder: Path, change: tuple[str, str], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    text = LANGUAGE.format(updates=60)
    assert change[0] in text
    assert main(["train", write(folder, text.replace(*change))]) == 1
    assert re.search(words, only_line(capsys.readouterr().err))
    assert not (folder / "run").exists()


@pytest.mark.parametrize("cut", [r"\[optimiser\].*?(?=\[training)", r"(?<=warmup = 5)"])
def test_the_optimiser_may_be_left_out_and_a_rate_may_follow_the_work(
    folder: Path, cut: str
) -> None:
    text = LANGUAGE.format(updates=20)
    changed = re.sub(cut, "" if "opt" in cut else '\nfollow = "percent"', text, flags=re.DOTALL)
    assert changed != text
    assert main(["train", write(folder, changed)]) == 0


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ('{"x": "ab"}', 'line 3: it must be {"x": …, "label": …}'),
        ('{"x": "ab", "label": "a", "label": "b"}', "line 3: the key 'label' comes twice"),
        ('{"x": "ab", "label": 1.5}', "line 3: label must be made of texts or integers"),
        ('{"x": "ab", "label": ""}', "line 3: label must not be an empty text"),
        ('{"x": [1, 2], "label": "a"}', "line 3: x must be a text, or a list of steps"),
        ('{"x": [[1], [2, 3]], "label": "a"}', "line 3: "),
        ('{"x": [[1.0]], "label": "a"}', "line 3: x is of another kind"),
        ("x", "line 3: it is no JSON"),
    ],
)
def test_a_wrong_example_is_named(
    folder: Path, line: str, words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    good = ['{"x": "ab", "label": "a"}'] * 40
    (folder / "examples.jsonl").write_text("\n".join([*good[:2], line, *good]))
    text = LABELLED.format(kind="SequenceClassifier", epochs=1)
    assert main(["train", write(folder, text)]) == 1
    assert words in only_line(capsys.readouterr().err)


def test_steps_and_labels_must_be_as_many(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    examples(folder, [{"x": "abc", "labels": [1, 2, 3]}] * 3 + [{"x": "abc", "labels": [1, 2]}])
    assert main(["train", write(folder, LABELLED.format(kind="SequenceTagger", epochs=1))]) == 1
    assert "line 4: 3 steps have 2 labels" in only_line(capsys.readouterr().err)


def test_generate_says_what_it_cannot_do(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    models.SequenceTagger("gru", 2, 3, vocab=5).save("tagger.safetensors")
    models.LanguageModel("gru", 5, 3).save("numbers.safetensors")
    models.HRED("gru", 9, 4).save("talk.safetensors")
    (folder / "broken.safetensors").write_bytes(b"x" * 100)
    for path, words in (
        ("tagger.safetensors", "SequenceTagger, which cannot generate; fastrnn predict is for it"),
        ("talk.safetensors", "it holds a HRED, which cannot generate; fastrnn reply is for it"),
        ("numbers.safetensors", "no vocabulary"),
        ("broken.safetensors", "it is no safetensors file: its header claims"),
        ("nowhere", "No such file"),
    ):
        assert main(["generate", path]) == 1
        assert words in only_line(capsys.readouterr().err)
    assert main(["generate"]) == 2
    capsys.readouterr()
