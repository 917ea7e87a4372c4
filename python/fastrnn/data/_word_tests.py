"""The two usual tests of word vectors: analogies, and agreement with people about similarity."""

import os
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from fastrnn.io._files import read_text

if TYPE_CHECKING:
    from fastrnn.data.word_vectors import WordVectors

Question = tuple[str, str, str, str]
_AT_ONCE = 512  # questions in one product


def read_analogies(path: str | os.PathLike[str]) -> dict[str, list[Question]]:
    """Return the questions by section."""
    sections: dict[str, list[Question]] = {}
    name = ""
    for number, line in enumerate(read_text(path).split("\n"), 1):
        words = line.split()
        if line.startswith(":"):
            name = line[1:].strip()
        elif len(words) == 4:
            sections.setdefault(name, []).append((words[0], words[1], words[2], words[3]))
        elif words:
            raise ValueError(f"{os.fspath(path)}, line {number}: four words are needed")
    return sections


def _known(wv: "WordVectors", most: int, case_insensitive: bool) -> dict[str, int]:
    """Return the numbers of the words at the front; of several spellings the most frequent."""
    known: dict[str, int] = {}
    for number, word in enumerate(wv.index_to_key[:most]):
        known.setdefault(word.lower() if case_insensitive else word, number)
    return known


def answer(
    wv: "WordVectors", sections: dict[str, list[Question]], most: int, case_insensitive: bool
) -> tuple[float, list[dict[str, Any]]]:
    """Answer all questions whose words are known."""
    known = _known(wv, most, case_insensitive)
    unit = wv.unit_vectors()[:most]
    results = []
    for name, questions in sections.items():
        cased = [[w.lower() if case_insensitive else w for w in asked] for asked in questions]
        rows = [[known[w] for w in asked] for asked in cased if all(w in known for w in asked)]
        correct = 0
        for first in range(0, len(rows), _AT_ONCE):
            a, b, c, d = np.array(rows[first : first + _AT_ONCE]).T
            sought = unit[b] - unit[a] + unit[c]
            scores = sought @ unit.T
            line = np.arange(len(a))
            for own in (a, b, c):
                scores[line, own] = -np.inf
            correct += int((scores.argmax(axis=1) == d).sum())
        results.append(
            {"section": name, "correct": correct, "answered": len(rows), "asked": len(questions)}
        )
    total: dict[str, Any] = {"section": "Total accuracy"}
    for key in ("correct", "answered", "asked"):
        total[key] = sum(section[key] for section in results)
    results.append(total)
    return total["correct"] / max(total["answered"], 1), results


def read_pairs(path: str | os.PathLike[str], delimiter: str) -> list[tuple[str, str, float]]:
    """Return word, word, number of every line."""
    pairs = []
    for number, line in enumerate(read_text(path).split("\n"), 1):
        if not line.strip() or line.startswith("#"):
            continue
        try:
            first, second, score = line.strip().split(delimiter)[:3]
            pairs.append((first.strip(), second.strip(), float(score)))
        except ValueError:
            raise ValueError(
                f"{os.fspath(path)}, line {number}: two words and a number are needed"
            ) from None
    return pairs


def correlate(
    wv: "WordVectors", pairs: list[tuple[str, str, float]], case_insensitive: bool
) -> tuple[float, float, float]:
    """Return Pearson's and Spearman's correlation and the percentage of unknown pairs."""
    known = _known(wv, len(wv), case_insensitive)
    ours, theirs = [], []
    for first, second, score in pairs:
        a = known.get(first.lower() if case_insensitive else first)
        b = known.get(second.lower() if case_insensitive else second)
        if a is not None and b is not None:
            ours.append(wv.similarity(wv.index_to_key[a], wv.index_to_key[b]))
            theirs.append(score)
    if len(ours) < 2:
        raise ValueError("fewer than two of the pairs have vectors")
    x, y = np.array(ours), np.array(theirs)
    unknown = 100.0 * (len(pairs) - len(ours)) / len(pairs)
    return _pearson(x, y), _pearson(_ranks(x), _ranks(y)), unknown


def _pearson(x: NDArray[np.float64], y: NDArray[np.float64]) -> float:
    x, y = x - x.mean(), y - y.mean()
    lengths = float(np.sqrt((x * x).sum() * (y * y).sum()))
    return float((x * y).sum()) / lengths if lengths > 0 else 0.0


def _ranks(x: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return ranks, equals at the mean of theirs."""
    _, place, times = np.unique(x, return_inverse=True, return_counts=True)
    last = np.cumsum(times)
    ranks: NDArray[np.float64] = ((last - times + last - 1) / 2)[place]
    return ranks
