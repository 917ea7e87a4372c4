"""Why: who comes from Keras, PyTorch, scikit-learn or gensim writes what is right there. Each such
program works, or its error says what to write here.

The programs stand in `tests/guesses/`, to be read; they were written before they were tried.
"""

import re
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("autograd")

EXPECTED = (AttributeError, ImportError, TypeError, ValueError)
FOLDER = Path(__file__).parent / "guesses"
PROGRAM = re.compile(
    r"^## (\d+)\. (.+)\n\n```python\n((?:.*\n)+?)```\n\n(Works\.|Error: `(.+)`)$", re.MULTILINE
)


def prelude() -> str:
    """The lines before each program."""
    found = re.search(r"```python\n((?:.*\n)+?)```", (FOLDER / "README.md").read_text())
    assert found is not None
    return found[1]


def programs() -> list[Any]:
    """Number, title, code, and what the error says, if it is one."""
    texts = [file.read_text() for file in sorted(FOLDER.glob("*.md"))]
    return sorted((match.groups() for text in texts for match in PROGRAM.finditer(text)),
                  key=lambda groups: int(groups[0]))  # fmt: skip


PROGRAMS = [
    pytest.param(code, answer, id=f"{number}-{title}")
    for number, title, code, _, answer in programs()
]


def test_there_are_thirty() -> None:
    assert [int(number) for number, *_ in programs()] == list(range(1, 31))
    headings = sum(f.read_text().count("\n## ") for f in FOLDER.glob("*.md"))
    assert headings == 30


@pytest.mark.parametrize(("code", "answer"), PROGRAMS)
def test_a_guess_works_or_is_told_the_right_call(
    code: str, answer: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for package in ("torch", "sklearn", "pandas", "matplotlib"):
        if package in code.replace("plot.", "matplotlib."):
            pytest.importorskip(package)
    monkeypatch.chdir(tmp_path)
    try:
        exec(prelude() + code, {"__name__": "__main__"})
    except EXPECTED as error:
        if answer is None or answer not in str(error):
            raise
    else:
        assert answer is None, f"no error with {answer}"
