"""Why: a word that is counted twice, or once too little, changes a vocabulary for good."""

from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from fastrnn.cli import _counts
from fastrnn.cli._counts import Counts


def drawn(n: int, seed: int) -> list[str]:
    """Words as in a text: some very often, many once."""
    rng = np.random.default_rng(seed)
    return [f" {chr(945 + i % 20)}\t{i}" for i in rng.zipf(1.3, n).tolist()]


@pytest.mark.parametrize("files", [2, 64])
@pytest.mark.parametrize("most", [1, 50, 10**6])
def test_counts_are_exact_however_many_words(
    most: int, files: int, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(_counts, "_MOST_FILES", files)
    wanted: Counter[str] = Counter()
    with Counts(tmp_path, most) as counts:
        for seed in range(30):
            words = drawn(100, seed)
            wanted.update(words)
            counts.add(iter(words))
            assert len(counts._now) <= most
        if most < 10**6:
            assert 1 <= len(counts._files) <= files
        assert list(counts) == sorted(wanted.items())
        assert list(counts) == sorted(wanted.items())
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_written_to_is_named(tmp_path: Path) -> None:
    with Counts(tmp_path / "absent", 1) as counts, pytest.raises(OSError, match="absent") as error:
        counts.add(["a", "b"])
    assert error.value.filename == str(tmp_path / "absent")
