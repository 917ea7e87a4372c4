"""Why: a key that is read and forgotten costs a night of training with the wrong settings."""

from pathlib import Path
from typing import Any

import pytest

from fastrnn.cli._config import Config


def written(folder: Path, text: str) -> Path:
    path = folder / "config.toml"
    path.write_text(text, "utf-8")
    return path


def adam(lr: float, *, beta1: float = 0.9, rng: Any = None) -> tuple[float, float, Any]:
    if lr <= 0:
        raise ValueError(f"lr must be above 0, got {lr}")
    return lr, beta1, rng


def test_keys_are_arguments(tmp_path: Path) -> None:
    config = Config(written(tmp_path, "[optimiser]\nlr = 0.1\nbeta1 = 0.5"), ("optimiser", "data"))
    assert config.call("optimiser", adam, config.section("optimiser"), rng=3) == (0.1, 0.5, 3)
    assert config.section("data") == {}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[optimiser]\nlr = 0.1\nbeta = 0.5", r"\[optimiser\] unknown key beta, .* mean beta1"),
        ("[optimiser]\nlr = 0.1\nrng = 0.5", r"\[optimiser\] unknown key rng"),
        ("[optimiser]\nbeta1 = 0.1", r"\[optimiser\] needs lr"),
        ("[optimiser]\nlr = -1.0", r"\[optimiser\] lr must be above 0, got -1.0"),
        ("[optimizer]\nlr = 1.0", r"unknown section \[optimizer\], did you mean optimiser\?"),
        ("lr = 1.0", "lr must stand in a section"),
        ("[optimiser]\nlr = 1\nlr = 2", "it is no TOML"),
        ("[[optimiser]]\nlr = 1", "must stand in a section"),
        ("\x00", "it is no TOML"),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, text: str, words: str) -> None:
    path = written(tmp_path, text)

    def read() -> None:
        config = Config(path, ("optimiser", "data"))
        config.call("optimiser", adam, config.section("optimiser"))

    with pytest.raises(ValueError, match=words) as caught:
        read()
    assert str(caught.value).startswith(f"{path}: ")


def test_a_choice_is_one_of_those_there_are(tmp_path: Path) -> None:
    config = Config(written(tmp_path, '[a]\nkind = "x"\nb = 1\n[b]\nkind = 3'), ("a", "b", "c"))
    assert config.choice("a", "kind", {"x": 7}) == (7, {"b": 1})
    for section, words in (("b", "kind must be one of x, got 3"), ("c", "needs kind, one of x")):
        with pytest.raises(ValueError, match=words):
            config.choice(section, "kind", {"x": 7})
