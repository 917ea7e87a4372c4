"""Why: what a release wrote is kept for years, so every later one reads it and answers the same.

The files below 0.1/ and so on were written by that release (tests/golden/write.py) and are never
written again. Whole numbers, labels and texts must be equal, others to the rounding of their dtype.
"""

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers.tolerances import GOLDEN

pytest.importorskip("autograd")
pytest.importorskip("safetensors")
from golden.entries import ENTRIES
from golden.write import plain

pytestmark = pytest.mark.check(40)
HERE = Path(__file__).parent
KEPT = sorted(path.parent.relative_to(HERE).as_posix() for path in HERE.glob("*/*/answer.json"))


@pytest.mark.parametrize("name", KEPT)
def test_a_release_is_read_and_answers_the_same(name: str, tmp_path: Path) -> None:
    shutil.copytree(HERE / name, tmp_path / "golden")  # a training that goes on writes
    expected = json.loads((HERE / name / "answer.json").read_text("utf-8"))
    bound = GOLDEN["float32" if '"float32"' in json.dumps(expected) else "float64"]
    answer = plain(ENTRIES[Path(name).name].ask(tmp_path / "golden"))
    assert_alike(name, json.loads(json.dumps(answer)), expected, bound)


def assert_alike(where: str, actual: Any, expected: Any, bound: float) -> None:
    """Equal, or for floats that are no whole numbers equal to rounding."""
    assert type(actual) is type(expected), f"{where}: {actual!r:.200} instead of {expected!r:.200}"
    if isinstance(expected, dict):
        assert sorted(actual) == sorted(expected), where
        for name, value in expected.items():
            assert_alike(f"{where}/{name}", actual[name], value, bound)
    elif isinstance(expected, list):
        assert len(actual) == len(expected), where
        for i, value in enumerate(expected):
            assert_alike(f"{where}/{i}", actual[i], value, bound)
    elif isinstance(expected, float):
        assert abs(actual - expected) <= bound * max(1.0, abs(expected)), f"{where}: {actual}"
    else:
        assert actual == expected, f"{where}: {actual!r} instead of {expected!r}"


def test_every_kind_of_file_is_kept_and_small() -> None:
    assert {name.partition("/")[2] for name in KEPT} == set(ENTRIES)
    files = [path for path in HERE.glob("*/*/**/*") if path.is_file()]
    assert sum(path.stat().st_size for path in files) <= 300_000


def test_another_answer_is_seen() -> None:
    kept: dict[str, Any] = {"proba": [0.25, 0.75], "text": "the cat", "count": 3}
    assert_alike("kept", kept, kept, GOLDEN["float64"])
    for change in ({"proba": [0.25, 0.75001]}, {"text": "the hat"}, {"count": 4}):
        with pytest.raises(AssertionError, match="kept"):
            assert_alike("kept", kept | change, kept, GOLDEN["float64"])


def test_every_model_has_an_entry() -> None:
    from fastrnn import models

    answers = [json.loads((HERE / name / "answer.json").read_text("utf-8")) for name in KEPT]
    classes = {answer["class"] for answer in answers if "class" in answer}
    assert classes == set(models._MODELS), "a new model: add an entry and write a folder for it"


def test_numbers_keep_all_their_digits() -> None:
    array = np.array([[0.1, 1 / 3]], np.float32)
    said = json.loads(json.dumps(plain({"a": array, "b": np.float64(1 / 3)})))
    assert said["b"] == 1 / 3
    assert np.array(said["a"]["is"], said["a"]["dtype"]).tobytes() == array.tobytes()
