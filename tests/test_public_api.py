"""Why: a name that goes, or an argument that is renamed, breaks the programs of others. So all
names and signatures stand in tests/public_api.txt, and a change of them is a change of that file.
"""

import importlib
from pathlib import Path

import pytest

from tools import public_api

pytestmark = pytest.mark.check(40)
TEXT = Path(__file__).with_name("public_api.txt")
KEPT = public_api.parts(TEXT.read_text("utf-8"))
NEEDS = {
    "fastrnn.cli": "typer",
    "fastrnn.models": "autograd",
    "fastrnn.ops": "autograd",
    "fastrnn.sklearn": "sklearn",
    "fastrnn.torch": "torch",
    "fastrnn.train": "autograd",
}
HINT = "if it is meant, run `make api`, and see CONTRIBUTING.md before you remove or rename"


def test_every_public_module_is_there() -> None:
    assert list(KEPT) == public_api.public_modules(), HINT


@pytest.mark.parametrize("module", KEPT)
def test_names_and_signatures_are_the_kept_ones(module: str) -> None:
    if module in NEEDS:
        pytest.importorskip(NEEDS[module])
    now = public_api.lines_of(module)
    gone = sorted(set(KEPT[module]) - set(now))
    new = sorted(set(now) - set(KEPT[module]))
    assert not gone, f"gone or changed: {gone}; there is now: {new}; {HINT}"
    assert not new, f"new: {new}; {HINT}"


def test_a_removed_name_and_a_renamed_argument_are_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    module = importlib.import_module("fastrnn.metrics")
    before = public_api.lines_of("fastrnn.metrics")

    def error_rate(guesses: list[str], references: list[str]) -> float:
        return float(guesses != references)

    monkeypatch.setattr(module, "error_rate", error_rate)
    assert "fastrnn.metrics.error_rate(guesses, references)" in public_api.lines_of(module.__name__)
    monkeypatch.setattr(module, "__all__", [n for n in module.__all__ if n != "bleu"])
    now = public_api.lines_of("fastrnn.metrics")
    assert [line for line in before if line not in now] == [
        "fastrnn.metrics.bleu(predictions, references, *, tokenize='13a')",
        "fastrnn.metrics.error_rate(predictions, references)",
    ]


def test_where_a_package_is_missing_the_lines_stay(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "api.txt"
    path.write_text("# fastrnn.torch\nfastrnn.torch.LSTM: class\n", "utf-8")

    def missing(name: str) -> list[str]:
        raise ModuleNotFoundError(name)

    monkeypatch.setattr(public_api, "lines_of", missing)
    public_api.write(path)
    found = public_api.parts(path.read_text("utf-8"))
    assert found.pop("fastrnn.torch") == ["fastrnn.torch.LSTM: class"]
    assert not any(found.values())
