"""Why: pairs and dialogues that are read from token files must be those that their texts give."""

import json
import sys
import tracemalloc
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers.commands import only_line
from helpers.processes import output_of

from fastrnn import models
from fastrnn.cli import main
from fastrnn.cli.datasets import tokens
from fastrnn.cli.datasets.dialogues import dialogues_dataset
from fastrnn.cli.datasets.parallel import parallel_dataset
from fastrnn.cli.datasets.text import Dataset
from fastrnn.cli.datasets.tokens import dialogue_tokens_dataset, parallel_tokens_dataset
from fastrnn.data import TokenFile

pytest.importorskip("autograd")
pytest.importorskip("safetensors")

LEVELS = ("character", "word", "bpe")


def lines(seed: int, n: int = 150) -> list[str]:
    rng = np.random.default_rng(seed)
    words = ["ab", "c", "d'e", "é日", "f", "gg"]
    return [" ".join(rng.choice(words, rng.integers(0, 9))) for _ in range(n)]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    for name, seed, n in (("s", 1, 150), ("t", 2, 150), ("judged.s", 3, 20), ("judged.t", 4, 20)):
        Path(f"{name}.txt").write_text("".join(f"{each}\n" for each in lines(seed, n)))
    return tmp_path


def skip_without_tokenizers(level: str) -> None:
    if level == "bpe":
        pytest.importorskip("tokenizers", reason="tokenizers is not installed")


def tokenize(table: str, *arguments: str) -> None:
    assert main(["tokenize", table, *arguments]) == 0


def assert_same(one: Dataset, other: Dataset) -> None:
    """Both give the same batches, in two epochs and in what is held out."""
    for _ in range(2):
        for ours, wanted in zip(one.train, other.train, strict=True):
            same(ours, wanted)
            assert ours[0].size <= other.steps <= one.steps
            assert getattr(ours, "targets", ours[1]).size <= other.steps
    for ours, wanted in zip(one.held_out, other.held_out, strict=True):
        same(ours, wanted)


def same(ours: Any, wanted: Any) -> None:
    assert type(ours) is type(wanted)
    for a, b in zip(ours, wanted, strict=True):
        if isinstance(b, np.ndarray):
            assert a.dtype == b.dtype
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("judged", [False, True])
@pytest.mark.parametrize("level", LEVELS)
def test_pairs_of_token_files_are_those_of_texts(folder: Path, level: str, judged: bool) -> None:
    skip_without_tokenizers(level)
    options: dict[str, Any] = {"batch_size": 7, "seed": 5, "max_size": 300}
    files = {"sources": "s", "targets": "t"}
    if judged:
        files |= {"held_out_sources": "judged.s", "held_out_targets": "judged.t"}
    texts = {key: f"{name}.txt" for key, name in files.items()}
    wanted = parallel_dataset(folder, **texts, source_level=level, target_level="word", **options)
    for side in ("source", "target"):
        wanted.model[f"{side}_vocab"].save(f"{side}.json")
    for key, name in files.items():
        table = "source.json" if "sources" in key else "target.json"
        tokenize(table, f"{name}.txt", "--out", f"{name}.bin")
    del options["max_size"]
    ids = {key: f"{name}.bin" for key, name in files.items()}
    found = parallel_tokens_dataset(
        folder, **ids, source_vocabulary="source.json", target_vocabulary="target.json", **options
    )
    assert found.model == wanted.model
    assert_same(found, wanted)
    found.close()
    with pytest.raises(ValueError, match="closed"):
        next(iter(found.train))


DIALOGUES: dict[str, Callable[[list[list[str]]], str]] = {
    "dialogues.txt": lambda every: "\n\n".join(
        "\n".join(f" {turn} x" for turn in turns) for turns in every
    ),
    "dialogues.jsonl": lambda every: "".join(json.dumps(turns) + "\n" for turns in [[], *every]),
    "named.jsonl": lambda every: "".join(
        json.dumps({"turns": turns, "speakers": [len(turn) % 3 for turn in turns]}) + "\n"
        for turns in every
    ),
}


def dialogues() -> list[list[str]]:
    rng, turns = np.random.default_rng(0), lines(6, 400)
    turns[5] = "one\ntwo lines"
    cuts = np.cumsum(rng.integers(1, 6, 120))
    return [turns[a:b] for a, b in pairwise(cuts.tolist()) if b < 400]


@pytest.mark.parametrize(
    ("level", "said"), [("character", "all"), ("word", "answers"), ("bpe", "all")]
)
@pytest.mark.parametrize("name", DIALOGUES)
def test_dialogues_of_token_files_are_those_of_texts(
    folder: Path, name: str, level: str, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    skip_without_tokenizers(level)
    monkeypatch.setattr(tokens, "_AT_ONCE", 50)
    Path(name).write_text(DIALOGUES[name](dialogues()))
    options: dict[str, Any] = {"said": said, "batch_size": 7, "seed": 5}
    wanted = dialogues_dataset(folder, name, level=level, max_size=300, **options)
    wanted.model["vocab"].save("v.json")
    tokenize("v.json", name, "--out", "dialogues.bin", "--dialogues")
    speakers = "dialogues.speakers.bin" if name == "named.jsonl" else None
    assert Path("dialogues.speakers.bin").exists() == (speakers is not None)
    found = dialogue_tokens_dataset(folder, "dialogues.bin", "v.json", speakers=speakers, **options)
    assert (found.model, found.speakers) == (wanted.model, wanted.speakers)
    assert wanted.speakers == (3 if speakers else 0)
    assert_same(found, wanted)
    found.close()


def test_a_vocabulary_is_learned_from_turns(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("dialogues.jsonl").write_text('["[ the", "end ]"]\n["the\\nend"]\n')
    tokenize("v.json", "dialogues.jsonl", "--learn", "word", "--dialogues")
    assert "from 3 turns" in capsys.readouterr().out
    content = json.loads(Path("v.json").read_text())
    assert content["tokens"] == ["end", "the", "[", "]"]


PAIRS = """
[model]
kind = "Seq2Seq"
cell = "gru"
hidden_size = 8
attention = "dot"
[data]
{data}
seed = 2
[training]
folder = "{folder}"
updates = 12
"""
DIALOGUE = PAIRS.replace('"Seq2Seq"', '"HRED"').replace('attention = "dot"', "speakers = 3")


def test_the_command_trains_the_same_model(folder: Path) -> None:
    Path("dialogues.jsonl").write_text(DIALOGUES["named.jsonl"](dialogues()))
    wanted = parallel_dataset(folder, "s.txt", "t.txt", seed=2)
    wanted.model["source_vocab"].save("source.json")
    wanted.model["target_vocab"].save("target.json")
    dialogues_dataset(folder, "dialogues.jsonl", seed=2).model["vocab"].save("v.json")
    tokenize("source.json", "s.txt", "--out", "s.bin")
    tokenize("target.json", "t.txt", "--out", "t.bin", "--processes", "2")
    options = ("--out", "dialogues.bin", "--dialogues", "--processes", "2")
    tokenize("v.json", "dialogues.jsonl", *options)
    tables = 'source_vocabulary = "source.json"\ntarget_vocabulary = "target.json"\n'
    of_pairs = 'sources = "s.txt"\ntargets = "t.txt"'
    of_dialogue = (
        'dialogues = "dialogues.bin"\nvocabulary = "v.json"\nspeakers = "dialogues.speakers.bin"'
    )
    for text, of_text, of_ids in (
        (PAIRS, of_pairs, tables + of_pairs.replace(".txt", ".bin")),
        (DIALOGUE, 'dialogues = "dialogues.jsonl"', of_dialogue),
    ):
        ended = []
        for number, data in enumerate((of_text, of_ids)):
            run = f"{text.count('dot')}{number}"
            Path("c.toml").write_text(text.format(data=data, folder=run))
            assert main(["train", "c.toml"]) == 0
            ended.append(models.load(folder / run))
        assert ended[0].config == ended[1].config
        np.testing.assert_equal(ended[0].params, ended[1].params)


IDS = {"source_vocabulary": "v.json", "target_vocabulary": "v.json"}
WRONG: dict[str, tuple[Callable[[Path], Any], str]] = {
    "another vocabulary": (
        lambda f: parallel_tokens_dataset(f, "a.bin", "a.bin", "v.json", "w.json"),
        "target_vocabulary must be the one that made a.bin, w.json is another",
    ),
    "unequal numbers": (
        lambda f: parallel_tokens_dataset(f, "a.bin", "dialogues.bin", **IDS),
        "a.bin and dialogues.bin must have as many sequences, got 150 and 2",
    ),
    "with EOS": (
        lambda f: parallel_tokens_dataset(f, "a.bin", "eos.bin", **IDS),
        "eos.bin must be made without --eos",
    ),
    "one side held out": (
        lambda f: parallel_tokens_dataset(f, "a.bin", "a.bin", **IDS, held_out_sources="a.bin"),
        "must be given both, or neither",
    ),
    "no dialogues": (
        lambda f: dialogue_tokens_dataset(f, "a.bin", "v.json"),
        "a.bin must hold dialogues, as fastrnn tokenize --dialogues writes them",
    ),
    "an empty dialogue": (
        lambda f: dialogue_tokens_dataset(f, "empty.bin", "v.json"),
        "empty.bin must hold dialogues",
    ),
    "single turns": (
        lambda f: dialogue_tokens_dataset(f, "eos.bin", "v.json"),
        "eos.bin must hold dialogues of two turns and more on both sides",
    ),
    "other speakers": (
        lambda f: dialogue_tokens_dataset(f, "dialogues.bin", "v.json", speakers="who.bin"),
        "who.bin must have a number for each turn of dialogues.bin",
    ),
    "said": (
        lambda f: dialogue_tokens_dataset(f, "dialogues.bin", "v.json", said="x"),
        "said must be",
    ),
}


@pytest.mark.parametrize("name", WRONG)
def test_what_does_not_fit_is_refused(folder: Path, name: str) -> None:
    tokenize("v.json", "s.txt", "--learn", "word")
    tokenize("w.json", "s.txt", "--learn", "word", "--size", "6")
    tokenize("v.json", "s.txt", "--out", "a.bin")
    tokenize("v.json", "s.txt", "--out", "eos.bin", "--eos")
    with TokenFile("a.bin") as file:
        size = file.vocab_size
    for name_of_file, rows in {
        "dialogues.bin": [[4, 3, 3], [3, 5, 3]], "who.bin": [[0], [1, 1, 0]],
        "empty.bin": [[4, 3, 3], [], [3, 3]],
    }.items():  # fmt: skip
        TokenFile.write(name_of_file, rows, vocab_size=size)
    with pytest.raises(ValueError, match=WRONG[name][1]):
        WRONG[name][0](folder)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ('["a", "b"]\n{"turns": ["a"], "speakers": [0]}\n', "must name speakers in all dialogues"),
        ('["\\ud800"]\n', "line 1: turns must hold whole characters"),
        ("[1]\n", "line 1: it must be a list of texts"),
    ],
)
def test_what_is_no_dialogue_is_said(
    folder: Path, content: str, words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("dialogues.jsonl").write_text(content)
    tokenize("v.json", "s.txt", "--learn", "word")
    before = sorted(folder.iterdir())
    for more in (["--learn", "word"], ["--out", "dialogues.bin"]):
        table = "v.json" if "--out" in more else "new.json"
        assert main(["tokenize", table, "dialogues.jsonl", "--dialogues", *more]) == 1
        assert words in only_line(capsys.readouterr().err)
    assert main(["tokenize", "v.json", "dialogues.jsonl", "--dialogues"]) == 1
    assert "--dialogues is for --learn and --out" in only_line(capsys.readouterr().err)
    assert sorted(folder.iterdir()) == before


def test_pairs_stay_on_the_disk(folder: Path) -> None:
    tokenize("v.json", "s.txt", "--learn", "word")
    size = len(json.loads(Path("v.json").read_text())["tokens"]) + 4
    rows = (np.full(200, 5) for _ in range(20_000))
    TokenFile.write("big.bin", rows, vocab_size=size)  # 4 million ids: 32 MB as the batches' int64
    tracemalloc.start()
    data = parallel_tokens_dataset(folder, "big.bin", "big.bin", **IDS)
    tracemalloc.reset_peak()  # a file of JSON is read into a buffer of the most that it may have
    for _ in data.train:
        pass
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    data.close()
    assert peak < 6e6


# What is no page of a file, after each batch and at the end.
TRAINED = """
import sys
from pathlib import Path
from fastrnn.cli import main
from fastrnn.data import streams

def anonymous():
    status = Path("/proc/self/status").read_text().split()
    return int(status[status.index("RssAnon:") + 1]) << 10

seen, gather = [], streams._gather
def watched(*given):
    seen.append(anonymous())
    return gather(*given)

streams._gather = watched
assert main(["train", "c.toml"]) == 0
print(max([*seen, anonymous()]))
"""
STREAMS = PAIRS.replace("Seq2Seq", "LanguageModel").replace('attention = "dot"\n', "")
STREAMS = STREAMS.replace("seed = 2\n", "held_out = 0.0001\n").replace("12", "3")


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads memory in /proc")
def test_a_language_model_learns_from_the_disk(folder: Path) -> None:
    tokenize("v.json", "s.txt", "--learn", "word")
    size = len(json.loads(Path("v.json").read_text())["tokens"]) + 4
    data = 'tokens = "big.bin"\nvocabulary = "v.json"'
    peaks = []
    for millions in (1, 40):  # 80 MB on the disk, 320 as int64
        rows = (np.full(10**6, 5) for _ in range(millions))
        TokenFile.write("big.bin", rows, vocab_size=size)
        Path("c.toml").write_text(STREAMS.format(data=data, folder=f"run{millions}"))
        peaks.append(int(output_of(TRAINED).splitlines()[-1]))
    assert peaks[1] - peaks[0] < 10e6
    assert peaks[1] < 300e6
