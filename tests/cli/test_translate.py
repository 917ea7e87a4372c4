"""Why: translation is used from scripts: as many lines out as in, in their order, and one clear
line where something is wrong.
"""

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers.commands import only_line

from fastrnn.cli import main
from fastrnn.models import LanguageModel, Seq2Seq

pytest.importorskip("autograd")
pytest.importorskip("safetensors")

CONFIG = """
[model]
kind = "Seq2Seq"
cell = "gru"
hidden_size = 16
attention = "dot"

[data]
sources = "in.txt"
targets = "out.txt"
target_level = "word"
batch_size = 16

[optimiser]
kind = "Adam"
lr = 0.02

[training]
folder = "run"
epochs = 25
max_norm = 5.0
"""
NAMES = dict(zip("abcd", ("alpha", "beta", "gamma", "delta"), strict=True))


def answer(text: str) -> str:
    return " ".join(NAMES[letter] for letter in text)


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("translate")
    rng = np.random.default_rng(0)
    texts = ["".join(rng.choice(list("abcd"), rng.integers(1, 4))) for _ in range(160)]
    (folder / "in.txt").write_text("\n".join(texts) + "\n")
    (folder / "out.txt").write_text("\n".join(map(answer, texts)) + "\n")
    (folder / "config.toml").write_text(CONFIG)
    assert main(["train", str(folder / "config.toml")]) == 0
    return folder


def test_a_file_line_by_line(trained: Path, capfd: Any) -> None:
    texts = ["ab", "", "c", "dab", "a"]
    (trained / "new.txt").write_text("\n".join(texts))
    assert main(["translate", str(trained / "run"), str(trained / "new.txt")]) == 0
    greedy = capfd.readouterr().out
    assert greedy.splitlines() == [answer(text) for text in texts]
    model = str(trained / "run" / "model.safetensors")
    options = ["--beam", "3", "--batch-size", "2"]
    assert main(["translate", model, str(trained / "new.txt"), *options]) == 0
    assert capfd.readouterr().out == greedy


def test_standard_input_n_best_and_a_picture(
    trained: Path, capfd: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("matplotlib")
    monkeypatch.setattr("sys.stdin", io.StringIO("ab\ncd?\n"))
    picture = trained / "map.png"
    options = ["--beam", "4", "--n-best", "2", "--attention", str(picture)]
    assert main(["translate", str(trained / "run"), "-", *options]) == 0
    out, err = capfd.readouterr()
    rows = [line.split("\t") for line in out.splitlines()]
    assert [row[0] for row in rows] == ["1", "1", "2", "2"]
    assert rows[0][2] == "alpha beta"
    assert float(rows[0][1]) > float(rows[1][1])
    assert picture.read_bytes().startswith(b"\x89PNG")
    assert err.splitlines() == [
        f"picture: {picture}",
        "unknown: 1 of the 5 symbols of standard input, 20.0 %",
    ]
    monkeypatch.setattr("fastrnn.plot._matplotlib.boxes", lambda _: "日本")
    monkeypatch.setattr("sys.stdin", io.StringIO("ab\n"))
    assert main(["translate", str(trained / "run"), "-", *options]) == 0
    assert capfd.readouterr().err.splitlines()[1].startswith("no font here has 日本: ")


def test_each_line_that_is_typed_is_answered_at_once(
    trained: Path, capsys: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[str] = []

    class Keyboard:
        """A terminal at which the next line is typed when the answer to the last one is there."""

        @staticmethod
        def isatty() -> bool:
            return True

        def __iter__(self) -> Any:
            for text in ("ab", "d", "ca"):
                yield f"{text}\n"
                said.append(capsys.readouterr().out)

    monkeypatch.setattr("sys.stdin", Keyboard())
    assert main(["translate", str(trained / "run")]) == 0
    assert said == ["alpha beta\n", "delta\n", "gamma alpha\n"]


def test_draws_repeat_with_their_seed(trained: Path, capfd: Any) -> None:
    (trained / "new.txt").write_text("abc\n" * 9)
    said = []
    for _ in range(2):
        options = ["--temperature", "3", "--seed", "1"]
        assert main(["translate", str(trained / "run"), str(trained / "new.txt"), *options]) == 0
        said.append(capfd.readouterr().out)
    assert said[0] == said[1]
    assert len(set(said[0].splitlines())) > 1


def test_one_clear_line_where_something_is_wrong(trained: Path, capfd: Any) -> None:
    LanguageModel("gru", 9, 4).save(trained / "other")
    Seq2Seq("gru", 9, 9, 4).save(trained / "numbers")
    (trained / "latin").write_bytes(b"\xe9\n")
    run = str(trained / "run")
    for args, said in {
        ("nowhere",): "nowhere",
        (str(trained / "other"),): "which cannot translate; fastrnn generate is for it",
        (str(trained / "numbers"),): "has no vocabularies",
        (run, str(trained / "none.txt")): "none.txt: No such file",
        (run, str(trained / "latin")): "latin is not UTF-8: byte 0xe9 in line 1",
        (run, str(trained / "in.txt"), "--seed", "1"): "--seed is for draws",
        (run, str(trained / "in.txt"), "--n-best", "2"): "n_best must be at most beam_size",
        (run, str(trained / "in.txt"), "--beam", "2", "--top-k", "1"): "do not go with drawing",
    }.items():
        assert main(["translate", *args]) == 1
        assert said in only_line(capfd.readouterr().err)
    assert main(["translate", run, "--beam", "0"]) == 2
    assert main(["translate", run, "--alpha", "nan"]) == 2


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (('targets = "out.txt"', 'targets = "short.txt"'), "must have as many lines, got 160 and"),
        (('target_level = "word"', 'target_level = "line"'), "target_level must be one of"),
        (('target_level = "word"', 'held_out_sources = "in.txt"'), "both, or neither"),
        (('target_level = "word"', 'T = 3'), "unknown key T"),
        (('targets = "out.txt"', ""), "needs targets"),
        (('targets = "out.txt"', "targets = 3"), "targets must be the name of a file, got 3"),
    ],
)
def test_a_file_that_says_nonsense(
    trained: Path, change: tuple[str, str], said: str, capfd: Any
) -> None:
    (trained / "short.txt").write_text("alpha\n")
    (trained / "bad.toml").write_text(CONFIG.replace(*change))
    assert main(["train", str(trained / "bad.toml")]) == 1
    assert said in only_line(capfd.readouterr().err)


def test_files_of_their_own_are_held_out(trained: Path, capfd: Any) -> None:
    dev = 'held_out_sources = "in.txt"\nheld_out_targets = "out.txt"\ntarget_level = "word"'
    dev += "\nbucket = false"
    text = CONFIG.replace('target_level = "word"', dev).replace("epochs = 25", "epochs = 1")
    (trained / "dev.toml").write_text(text.replace('"run"', '"dev"'))
    assert main(["train", str(trained / "dev.toml")]) == 0
    out = capfd.readouterr().out
    assert "160 pairs of in.txt and out.txt, 8 and 8 different" in out
    none = "0.0 % of what is learned from, 0.0 % of what is held out"
    assert f"\nunknown symbols: sources {none}; targets {none}\n" in out


def test_unknown_symbols_are_counted_on_both_sides(trained: Path, capfd: Any) -> None:
    """What comes once alone is not learned (min_count), and then unknown in its own text, too."""
    (trained / "a.txt").write_text("ab\ncd\nab\n")
    (trained / "b.txt").write_text("one two\none\nthree two\n")
    (trained / "c.txt").write_text("abx\nyd\n")
    (trained / "d.txt").write_text("one five\none two\n")
    text = CONFIG.replace('"in.txt"', '"a.txt"').replace('"out.txt"', '"b.txt"')
    text = text.replace('target_level', 'held_out_sources = "c.txt"\nmin_count = 2\ntarget_level')
    text = text.replace('target_level', 'held_out_targets = "d.txt"\ntarget_level')
    text = text.replace("epochs = 25", "updates = 1").replace('"run"', '"unknown"')
    (trained / "unknown.toml").write_text(text)
    assert main(["train", str(trained / "unknown.toml")]) == 0
    said = next(
        line for line in capfd.readouterr().out.splitlines() if line.startswith("unknown symbols: ")
    )
    assert said == (
        "unknown symbols: sources 33.3 % of what is learned from, 60.0 % of what is held out; "
        "targets 20.0 % of what is learned from, 25.0 % of what is held out"
    )


def test_each_side_may_have_its_own_vocabulary(tmp_path: Path) -> None:
    from fastrnn.cli.datasets.parallel import parallel_dataset

    (tmp_path / "a.txt").write_text("aab\naac\naad\nabb\n")
    (tmp_path / "b.txt").write_text("x y\nx z\nx y\nx y\n")

    def tokens(**options: Any) -> list[tuple[str, ...]]:
        made = parallel_dataset(
            tmp_path, "a.txt", "b.txt", target_level="word", held_out_sources="a.txt",
            held_out_targets="b.txt", **options,
        )  # fmt: skip
        return [made.model[f"{side}_vocab"].tokens for side in ("source", "target")]

    assert tokens() == [("a", "b", "c", "d"), ("x", "y", "z")]
    assert tokens(min_count=2) == [("a", "b"), ("x", "y")]
    assert tokens(min_count=2, target_min_count=1) == [("a", "b"), ("x", "y", "z")]
    assert tokens(source_max_size=6, target_min_count=2) == [("a", "b"), ("x", "y")]
    assert tokens(max_size=5, source_max_size=7) == [("a", "b", "c"), ("x",)]


def test_a_line_ends_at_a_line_feed_and_nowhere_else(tmp_path: Path) -> None:
    """Texts hold other characters that Python calls ends of lines, on one side of a pair only."""
    from fastrnn.cli.datasets.text import read_lines

    for text, lines in {
        "": [], "\n": [""], "a": ["a"], "a\n": ["a"], "a\n\n": ["a", ""], "a\r\nb": ["a", "b"],
        "a\u2028b\x85c\x0cd\n": ["a\u2028b\x85c\x0cd"],
    }.items():  # fmt: skip
        (tmp_path / "x").write_bytes(text.encode())
        assert read_lines(tmp_path / "x") == lines
